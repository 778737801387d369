"""The real program, typed into by a machine: run in a process of its own and killed by `test_kills`.

    python -m tests.e2e.typist PROFILE

Prints a line of JSON for everything that the window has shown: ``{"sent": id, "text": …}`` once a question is in the
transcript, ``{"committed": id, "answer": …}`` once a committed canvas is, ``{"engine": pid}`` for each engine process.
Types the next question when an answer has ended, for ever.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtTest import QTest

from diffdesk.core.trace import CanvasFrame
from diffdesk.store import MessageRow
from diffdesk.ui.app import Program
from diffdesk.ui.composer import Composer
from tests.e2e.until_killed import run_until_killed, say

NOISY = "Tbe quick brown f0x jumps ovcr the lazy d0g while tlie rnoon rises be hind the hills and the sea. " * 3


class Typist(QObject):
    """Types, sends, and reports what the window shows."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.window)
        self._program = program
        self._count = 0
        self._engine: int | None = None
        composer = program.window.findChild(Composer)
        assert composer is not None
        self._composer = composer
        program.controller.answering.begun.connect(self._on_begun)
        program.controller.answering.ended.connect(self._on_ended)
        program.controller.answering.committed.connect(self._on_committed)
        program.controller.models.changed.connect(self._on_model_changed)
        QTimer.singleShot(0, self, self._type)

    def _type(self) -> None:
        self._count += 1
        edit = self._composer.edit
        edit.setFocus()
        edit.setPlainText(f"{self._count}. {NOISY}")
        QTest.keyClick(edit, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(edit, "done")
        QTest.keyClick(edit, Qt.Key.Key_Return)

    def _on_begun(self) -> None:
        QTimer.singleShot(0, self, self._on_shown)

    def _on_shown(self) -> None:
        answering = self._program.controller.answering
        say(sent=answering.message_id, text=f"{self._count}. {NOISY}done")

    def _on_committed(self, message: int, frame: CanvasFrame, answer: str) -> None:
        say(committed=message, canvas=frame.canvas, answer=answer)

    def _on_ended(self, row: MessageRow) -> None:
        say(ended=row.id, state=row.state.value, text=row.text)
        QTimer.singleShot(0, self, self._type)

    def _on_model_changed(self, _: object) -> None:
        pid = self._program.controller.engine.pid
        if pid != self._engine:
            self._engine = pid
            say(engine=pid)


if __name__ == "__main__":
    run_until_killed(Typist)
