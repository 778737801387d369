"""An open sheet as a plain object: its rows, what is decided on them, and the way back, without end.

Every change gives the rows that are to be kept and shown anew. Knows no widget, no store and no engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from diffdesk.core.events import Finished
from diffdesk.documents.table import TableFormat
from diffdesk.services.rewriting import row_error
from diffdesk.store import RewriteRow, RowState, SheetRow
from diffdesk.ui.rewrite.rewrite_views import Key, RewriteStatus, RowSign, RowView, SheetView, Work
from diffdesk.ui.rows import error_view

EDITED = "Edited by you."
WITH_HEADER = (TableFormat.CSV, TableFormat.TSV, TableFormat.XLSX)
UNSETTLED = "A canvas didn't settle: read this row with care."

_SIGNS = {
    RowState.WAITING: RowSign.WAITING,
    RowState.DONE: RowSign.REVIEW,
    RowState.FAILED: RowSign.FAILED,
    RowState.ACCEPTED: RowSign.ACCEPTED,
    RowState.REJECTED: RowSign.KEPT,
}


class SheetState:
    """See the module.

    Attributes:
        sheet: as the store has it.
        rows: in the order of the file.
        working: the texts that the model has at the moment; their rows still say that they wait.
    """

    def __init__(self, sheet: SheetRow, rows: Iterable[RewriteRow]) -> None:
        self.sheet = sheet
        self.rows = {row.key: row for row in rows}
        self.working: set[Key] = set()
        self._steps: list[tuple[RewriteRow, ...]] = []  # the rows as they were before each decision

    # --- what there is --------------------------------------------------------------------------------

    @property
    def is_undoable(self) -> bool:
        """Whether there is a decision to take back."""
        return bool(self._steps)

    def waiting(self) -> list[RewriteRow]:
        """What the model has not been given yet, in order."""
        return [one for one in self.rows.values() if one.state is RowState.WAITING and one.key not in self.working]

    def is_waiting(self, key: Key) -> bool:
        """Whether a text has no result yet."""
        return key in self.rows and self.rows[key].state is RowState.WAITING

    def with_state(self, state: RowState) -> list[Key]:
        """The texts in a state."""
        return [key for key, row in self.rows.items() if row.state is state]

    def view(self) -> SheetView:
        """The sheet as it is shown."""
        sheet = self.sheet
        has_header = sheet.has_header if sheet.format in WITH_HEADER else None
        return SheetView(sheet.id, sheet.name, sheet.columns, sheet.chosen, sheet.instruction, sheet.preset, has_header)

    def row_views(self, keys: Iterable[Key] | None = None) -> list[RowView]:
        """Rows as they are shown, all of them by default; those of columns that are not chosen are passed over."""
        has_names = len(self.sheet.chosen) > 1
        shown = self.rows if keys is None else [key for key in keys if key in self.rows]
        return [self._row_view(self.rows[key], has_names) for key in shown]

    def status(self, *, is_running: bool, is_pausing: bool) -> RewriteStatus:
        """How far the work is."""
        counts = Counter(row.state for row in self.rows.values())
        waiting, failed = counts[RowState.WAITING], counts[RowState.FAILED]
        if is_running:
            work = Work.PAUSING if is_pausing else Work.PAUSE
        elif waiting:
            has_begun = any(row.state is not RowState.WAITING and row.text.strip() for row in self.rows.values())
            work = Work.RESUME if has_begun else Work.START
        else:
            work = Work.RETRY if failed else Work.NOTHING
        return RewriteStatus(len(self.rows) - waiting, len(self.rows), counts[RowState.DONE], failed, work)

    def follow(self, before: SheetState) -> None:
        """Take over the decisions on the same sheet before other columns were chosen, to be taken back one by one."""
        self._steps = before._steps

    # --- what the model gives -------------------------------------------------------------------------

    def put(self, rows: Iterable[RewriteRow]) -> None:
        """Take rows as they are now."""
        for row in rows:
            self.working.discard(row.key)
            if row.key in self.rows:
                self.rows[row.key] = row

    def outcome(self, key: Key, finished: Finished, answer: str) -> RewriteRow | None:
        """What a run makes of a row; None where the user has been quicker to decide on it."""
        if not self.is_waiting(key):
            self.working.discard(key)
            return None
        row = self.rows[key]
        error = row_error(finished)
        if error is not None:
            return replace(row, state=RowState.FAILED, note="", error=error)
        notes = [*finished.notes, *([UNSETTLED] if finished.stats.unsettled_canvases else [])]
        state = RowState.ACCEPTED if answer == row.text else RowState.DONE
        return replace(row, answer=answer, state=state, note=" ".join(notes))

    # --- what the user decides ------------------------------------------------------------------------

    def accept(self, keys: Iterable[Key]) -> list[RewriteRow]:
        """The results of these rows are right."""
        return self._step(keys, (RowState.DONE, RowState.REJECTED), RowState.ACCEPTED)

    def reject(self, keys: Iterable[Key]) -> list[RewriteRow]:
        """These rows stay as they were."""
        return self._step(keys, (RowState.DONE, RowState.ACCEPTED, RowState.FAILED), RowState.REJECTED)

    def edit(self, key: Key, text: str) -> list[RewriteRow]:
        """The user wrote the result of a row."""
        row = self.rows[key]
        return self._change([replace(row, answer=text, state=RowState.ACCEPTED, note=EDITED, error=None)])

    def redo(self, keys: Iterable[Key], note: str) -> list[RewriteRow]:
        """These rows are to be rewritten again, with a note on what should be different."""
        rows = [self.rows[key] for key in keys if key in self.rows and key not in self.working]
        blank = RowState.WAITING
        return self._change([replace(one, answer="", state=blank, note=note, error=None) for one in rows])

    def undo(self) -> list[RewriteRow]:
        """Take the last decision back; the rows as they are again."""
        if not self._steps:
            return []
        rows = self._steps.pop()
        self.put(rows)
        return list(rows)

    def _step(self, keys: Iterable[Key], before: Sequence[RowState], after: RowState) -> list[RewriteRow]:
        rows = [self.rows[key] for key in keys if key in self.rows]
        fit = [one for one in rows if one.state in before and (one.answer or after is RowState.REJECTED)]
        return self._change([replace(one, state=after, error=None) for one in fit])

    def _change(self, rows: list[RewriteRow]) -> list[RewriteRow]:
        if rows:
            self._steps.append(tuple(self.rows[one.key] for one in rows))
            for one in rows:
                self.rows[one.key] = one
        return rows

    def _row_view(self, row: RewriteRow, has_names: bool) -> RowView:
        sign = _SIGNS[row.state]
        if row.state is RowState.WAITING and row.key in self.working:
            sign = RowSign.WORKING
        elif row.state is RowState.ACCEPTED and row.answer == row.text:
            sign = RowSign.SAME
        column = self.sheet.columns[row.place] if has_names else ""
        error = None if row.error is None else error_view(row.error)
        return RowView(row.key, row.text, row.answer, sign, column, row.note, error)
