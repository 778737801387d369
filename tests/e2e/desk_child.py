"""The desk of the real program at work on a PDF: run in a process of its own and killed by `test_desk`.

    python -m tests.e2e.desk_child PROFILE PDF

Adds the PDF where the desk is empty, goes on with what is there otherwise. Prints a line of JSON for each page that
was read, and for each that the window shows as done: ``{"read": id}``, ``{"kept": id, "note": …}``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QObject

from diffdesk.store import DeskRow, DeskState
from diffdesk.ui.app import Program
from tests.e2e.desk import open_desk
from tests.e2e.until_killed import run_until_killed, say


class Worker(QObject):
    """Adds the PDF, and tells what becomes of its pages."""

    def __init__(self, program: Program, pdf: Path) -> None:
        super().__init__(program.window)
        self._desk = open_desk(program)
        self._pdf = pdf
        self._read: set[int] = set()
        self._begun: set[int] | None = None
        self._desk.presenter.queue.row_changed.connect(self._on_row_changed)
        program.controller.store.submit(lambda store: store.desk.pages(), self._on_pages)

    def _on_pages(self, rows: list[DeskRow]) -> None:
        self._read.update(one.id for one in rows if one.is_read)
        if not rows:
            self._desk.presenter.add([self._pdf])

    def _on_row_changed(self, row: DeskRow, at_work: object) -> None:
        if row.is_read and row.id not in self._read:
            self._read.add(row.id)
            say(read=row.id)
        if row.state in (DeskState.READY, DeskState.REVIEWED) and at_work is None:
            say(kept=row.id, note=row.note)


if __name__ == "__main__":
    run_until_killed(lambda program: Worker(program, Path(sys.argv[2])))
