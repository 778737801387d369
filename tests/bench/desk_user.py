"""The desk of the real program with somebody at it: run in a process of its own, and killed, by `desk_pages`.

    python -m tests.bench.desk_user PROFILE PDF OUT

Adds the PDF where the desk is empty, goes on with what is there otherwise. Somebody scrolls through the queue, opens
pages and walks through their changes as long as pages are worked on. Then the document is exported to OUT as a
searchable PDF, and the program ends. Prints a line of JSON for each thing of note:

- ``{"read": id}``, ``{"kept": id}``: a page was read, was corrected.
- ``{"beats": [[late, own, doing], …]}``: each second, for each beat of 5 ms that came late: by how many milliseconds,
  how many of those the window's thread itself worked, and what was being done; ``{"count": n}`` beats in all.
- ``{"export": "begun" or "done"}``.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer

from diffdesk.paths import choose_places
from diffdesk.store import DeskRow, DeskState
from diffdesk.ui.app import Program, build_program, make_application
from diffdesk.ui.desk.desk_views import ExportFormat, ExportScope
from diffdesk.ui.desk.export_dialog import ExportDialog
from tests.e2e.desk import Desk, open_desk
from tests.e2e.until_killed import say

BEAT_MILLISECONDS, NOTED_MILLISECONDS = 5, 2.0
_LOOK_MILLISECONDS = 200
_ENDED = (DeskState.READY, DeskState.REVIEWED, DeskState.FAILED)


class Heart(QObject):
    """Beats every 5 ms and tells how late."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.doing = ""
        self._late: list[tuple[float, float, str]] = []
        self._count = 0
        self._last, self._own, self._told = time.perf_counter(), time.thread_time(), time.perf_counter()
        self._timer = QTimer(self, interval=BEAT_MILLISECONDS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_beat)
        self._timer.start()

    def _on_beat(self) -> None:
        now, own = time.perf_counter(), time.thread_time()
        late = 1000 * (now - self._last) - BEAT_MILLISECONDS
        self._count += 1
        if late > NOTED_MILLISECONDS:
            self._late.append((round(late, 1), round(1000 * (own - self._own), 1), self.doing))
        self.doing = ""
        if now - self._told >= 1:
            say(beats=self._late, count=self._count)
            self._late, self._count, self._told = [], 0, now
            # What telling took is no part of a stall.
            now, own = time.perf_counter(), time.thread_time()
        self._last, self._own = now, own


class User(QObject):
    """Somebody who doesn't wait for the work to end."""

    def __init__(self, program: Program, pdf: Path, out: Path) -> None:
        super().__init__(program.window)
        self._window = program.window
        self._pdf, self._out = pdf, out
        self._chance = random.Random(6)
        self._read: set[int] | None = None
        self._kept: set[int] = set()
        self._desk: Desk = open_desk(program)
        self._heart = Heart(self)
        self._ways = [self._scroll, self._open, self._walk, self._turn]
        self._moves = self._goal = 0
        self._desk.presenter.queue.row_changed.connect(self._on_row_changed)
        program.controller.store.submit(lambda store: store.desk.pages(), self._on_pages)
        self._acting = QTimer(self, interval=2000)
        self._acting.timeout.connect(self._on_acting)
        self._scrolling = QTimer(self, interval=16)
        self._scrolling.timeout.connect(self._on_scrolling)
        self._looking = QTimer(self, interval=_LOOK_MILLISECONDS)

    def _on_pages(self, rows: list[DeskRow]) -> None:
        self._read = {one.id for one in rows if one.is_read}
        self._kept = {one.id for one in rows if one.state in _ENDED}
        if not rows:
            self._desk.presenter.add([self._pdf])
        self._acting.start()

    def _on_row_changed(self, row: DeskRow, at_work: object) -> None:
        self._heart.doing += f" row {row.state.value} {at_work or ''}"
        if self._read is None:
            return
        if row.is_read and row.id not in self._read:
            self._read.add(row.id)
            say(read=row.id)
        if row.state in _ENDED and at_work is None and row.id not in self._kept:
            self._kept.add(row.id)
            say(kept=row.id, note=row.note)

    # --- what somebody does ---------------------------------------------------------------------------

    def _on_acting(self) -> None:
        rows = self._desk.rows
        if rows and all(one.state in _ENDED for one in rows):
            self._acting.stop()
            self._export()
        elif rows:
            self._chance.choice(self._ways)()

    def _scroll(self) -> None:
        bar = self._desk.presenter.view.queue.list.verticalScrollBar()
        self._goal = self._chance.randint(bar.minimum(), bar.maximum())
        self._moves = 40
        self._scrolling.start()

    def _on_scrolling(self) -> None:
        self._heart.doing += " scroll"
        bar = self._desk.presenter.view.queue.list.verticalScrollBar()
        bar.setValue(bar.value() + round((self._goal - bar.value()) / max(1, self._moves)))
        self._moves -= 1
        if self._moves < 0:
            self._scrolling.stop()

    def _open(self) -> None:
        self._heart.doing += " open"
        panel = self._desk.presenter.view.queue
        known = [one.id for one in self._desk.rows if one.id in self._kept] or [one.id for one in self._desk.rows]
        panel.list.setCurrentIndex(panel.model.index_of(self._chance.choice(known)))

    def _walk(self) -> None:
        self._heart.doing += " walk"
        self._desk.press("jjwwja")

    def _turn(self) -> None:
        self._heart.doing += " turn"
        self._desk.presenter.view.page_requested.emit(self._chance.choice((-1, 1)))

    # --- the end --------------------------------------------------------------------------------------

    def _export(self) -> None:
        self._desk.presenter.opening.open(self._desk.rows[0].id)
        self._desk.presenter.view.toolbar.export_button.click()
        dialog = self._window.findChild(ExportDialog)
        assert dialog is not None
        dialog.format_buttons[ExportFormat.SEARCHABLE_PDF].click()
        dialog.scope_buttons[ExportScope.DOCUMENT].click()
        dialog.target.setText(str(self._out))
        say(export="begun")
        dialog.export_button.click()
        self._looking.timeout.connect(self._on_looked)
        self._looking.start()

    def _on_looked(self) -> None:
        if self._out.exists():
            self._looking.stop()
            say(export="done")
            self._window.close()


def main() -> None:
    """Open the program on the profile and use it."""
    application = make_application()
    program = build_program(choose_places(Path(sys.argv[1])))
    program.window.resize(1280, 860)
    program.window.show()
    program.controller.closed.connect(application.quit)
    gc.freeze()  # as the program does at its start
    program.controller.start()
    User(program, Path(sys.argv[2]), Path(sys.argv[3]))
    application.exec()


if __name__ == "__main__":
    main()
