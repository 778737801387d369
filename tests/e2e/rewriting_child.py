"""The rewriter of the real program at work on a table: run in a process of its own and killed by `test_rewriting`.

    python -m tests.e2e.rewriting_child PROFILE TABLE

Opens the table where there is no sheet yet, goes on with the sheet of the last start otherwise. Prints a line of JSON
for each result that the window shows: ``{"kept": row, "answer": text}``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from diffdesk.store import RewriteRow
from diffdesk.ui.app import Program
from diffdesk.ui.views import ModelState
from tests.e2e.rewriter import open_rewriter
from tests.e2e.until_killed import run_until_killed, say


class Worker(QObject):
    """Starts the work once there is a model and a sheet."""

    def __init__(self, program: Program, table: Path) -> None:
        super().__init__(program.window)
        self._models = program.controller.models
        self._table = table
        self._rewriter = open_rewriter(program)
        self._rewriter.presenter.work.kept.connect(self._on_kept)
        program.controller.store.submit(lambda store: len(store.rewrites.sheets()), self._on_counted)
        self._poll = QTimer(self, interval=20)
        self._poll.timeout.connect(self._on_polled)
        self._poll.start()

    def _on_counted(self, sheets: int) -> None:
        if not sheets:
            self._rewriter.view.files_offered.emit([self._table])

    def _on_polled(self) -> None:
        if self._models.view.state is ModelState.READY and self._rewriter.presenter.work.state is not None:
            self._poll.stop()
            say(begun=self._rewriter.view.bar.work_button.text().strip())
            self._rewriter.view.work_pressed.emit()

    def _on_kept(self, rows: Sequence[RewriteRow]) -> None:
        for row in rows:
            say(kept=row.number, answer=row.answer)


if __name__ == "__main__":
    run_until_killed(lambda program: Worker(program, Path(sys.argv[2])))
