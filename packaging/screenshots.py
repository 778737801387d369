"""Takes the screenshots of the README: the real program on the starter model, in a throw-away profile.

    python3 packaging/dev.py screenshot [FOLDER]

Nothing is staged: the samples that ship with the program are corrected by the model while the pictures are taken.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QPixmap

from diffdesk.core.presets import instruction_of, preset_named
from diffdesk.core.trace import CellState
from diffdesk.paths import choose_places, resource_dir
from diffdesk.ui.app import Program, build_program, make_application
from diffdesk.ui.canvas.live_message import LiveMessage
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.views import ModelState
from diffdesk.workers.engine_lane import LiveView

WIDTH, HEIGHT = 1280, 800
PATIENCE = 240_000  # milliseconds


class Photographer:
    """Drives the program and takes its pictures."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._liveliest: QPixmap | None = None
        self._most_moving = 0
        program.controller.engine.frames.arrived.connect(self._on_frame)

    def _on_frame(self, view: LiveView) -> None:
        """Keep a picture of the moment in which most positions move; by then the window must say which step it is."""
        moving = int((view.frame.states < CellState.SETTLED).sum())
        live = self._program.window.findChild(LiveMessage)
        if moving > self._most_moving and live is not None and live.status_text.startswith("step"):
            self._most_moving, self._liveliest = moving, self._program.window.grab()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Turn the event loop until `condition` holds; end the program with a message if it never does."""
        loop = QEventLoop()
        poll, limit = QTimer(interval=10), QTimer(singleShot=True)
        poll.timeout.connect(lambda: loop.quit() if condition() else None)
        limit.timeout.connect(loop.quit)
        poll.start()
        limit.start(PATIENCE)
        if not condition():
            loop.exec()
        poll.stop()
        if not condition():
            sys.exit(f"waited in vain for {what}")

    def rest(self, milliseconds: int) -> None:
        """Let animations end."""
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def take(self, name: str, picture: QPixmap | None = None) -> None:
        """Save a picture, or the window as it is."""
        path = self._folder / f"{name}.png"
        (picture or self._program.window.grab()).save(str(path))
        print(path)

    def tour(self) -> None:
        """Everything the README shows."""
        controller = self._program.controller
        self.wait(lambda: controller.models.view.state is ModelState.READY, "the model")
        self.rest(400)
        self.take("welcome")
        self._program.window.sample_requested.emit("text")
        self.wait(lambda: controller.answering.is_busy, "the sample text")
        self.wait(lambda: not controller.answering.is_busy, "the corrected text")
        self.take("denoising", self._liveliest)
        self._program.window.new_requested.emit()
        self._program.window.sample_requested.emit("image")
        self.wait(lambda: controller.answering.is_busy, "the image")
        self.wait(lambda: not controller.answering.is_busy, "the corrected image")
        self.rest(600)
        self.take("corrected-image")
        self._program.themes.set_scheme("dark")
        self.rest(400)
        self.take("corrected-image-dark")
        self._program.themes.set_scheme("light")
        self._desk()
        self._rewriter()

    def _desk(self) -> None:
        """The sample page on the correction desk, its first change accepted, an uncertain word in hand."""
        window, places = self._program.window, self._program.controller.places
        window.open_place(WindowPlace.DESK)
        self.rest(400)
        desk = places.open_desk()
        desk.view.sample_requested.emit()
        self.wait(lambda: desk.opening.review is not None, "the page on the desk")
        self.rest(600)
        window.banners.clear()
        panes = desk.view.review
        panes.accept()
        self.rest(600)
        self.take("desk")
        self._program.themes.set_scheme("dark")
        panes.walk_doubts(1)
        self.rest(600)
        self.take("desk-dark")
        self._program.themes.set_scheme("light")

    def _rewriter(self) -> None:
        """The sentences of the sample text, a row each."""
        window, places = self._program.window, self._program.controller.places
        window.open_place(WindowPlace.REWRITER)
        rewriter, view = places.open_rewriter(), window.findChild(RewriteView)
        if view is None:
            sys.exit("the rewriter has no view")
        text = (resource_dir() / "samples" / "sample.txt").read_text(encoding="utf-8")
        lines = [f"{one.strip()}." for one in text.strip().strip(".").split(". ")]
        view.text_offered.emit("\n".join(lines))
        self.wait(lambda: rewriter.work.state is not None, "the table")
        rewriter.set_instruction(instruction_of(preset_named("correct")))
        self.rest(300)
        view.work_pressed.emit()
        self.wait(lambda: rewriter.work.is_running, "the first row")
        self.wait(lambda: not rewriter.work.is_running, "the rows")
        self.rest(600)
        self.take("rewriter")


def main() -> None:
    """Take all pictures into the folder given."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    make_application()
    program = build_program(choose_places(is_temporary=True))
    program.themes.set_scheme("light")
    program.window.resize(WIDTH, HEIGHT)
    program.window.show()
    program.controller.start()
    photographer = Photographer(program, folder)
    photographer.tour()
    program.window.close()
    photographer.wait(lambda: program.controller.is_closed, "the end")


if __name__ == "__main__":
    main()
