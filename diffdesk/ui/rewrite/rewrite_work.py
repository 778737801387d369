"""The rows of the open sheet: given to the model, kept row by row, decided on, and taken back.

A result is shown as done once it is on the disk. A decision is shown at once and written at once; where that fails the
sheet has to be read again as the disk has it. Knows nothing of files and presets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from diffdesk.core.errors import UserError
from diffdesk.core.events import Finished
from diffdesk.store import RewriteRow, RowState
from diffdesk.tasks.row_groups import shared_room
from diffdesk.ui.banner import announce
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.rewrite.rewrite_views import Key, Work
from diffdesk.ui.rewrite.row_runner import RowJob, RowRunner, jobs_of
from diffdesk.ui.rewrite.sheet_state import SheetState
from diffdesk.ui.rows import error_view
from diffdesk.ui.views import ErrorView, ModelState

HUNG = ErrorView(
    "The engine doesn't answer",
    "It has not reacted for a while. It may be busy in a long step, or it hangs.",
    "Wait, or end it: the row is tried once more, and everything that is done is kept.",
)


class RewriteWork(QObject):
    """See the module.

    Signals: `kept` carries rows whose results are on the disk and shown; `rested` says that no row is at work any more;
    `reload_needed` that a decision could not be kept.
    """

    kept = Signal(object)
    rested = Signal()
    reload_needed = Signal()

    def __init__(self, window: MainWindow, view: RewriteView, lanes: Lanes) -> None:
        super().__init__(view)
        self._window = window
        self._view = view
        self._engine = lanes.engine
        self._store = lanes.store
        self._models = lanes.models
        self._state: SheetState | None = None
        self._unsaved: list[RewriteRow] = []  # results that are not being written yet
        self._is_saving = False
        self._runner = RowRunner(lanes.engine, lanes.models, self)
        self._connect()

    def _connect(self) -> None:
        view, runner = self._view, self._runner
        view.accepted.connect(self._on_accepted)
        view.rejected.connect(self._on_rejected)
        view.all_accepted.connect(self._on_all_accepted)
        view.edited.connect(self._on_edited)
        view.undo_requested.connect(self._on_undo_requested)
        runner.begun.connect(self._on_begun)
        runner.ended.connect(self._on_ended)
        runner.released.connect(self._on_released)
        runner.live.connect(view.show_live)
        runner.halted.connect(self._on_halted)
        runner.hung.connect(self._on_hung)
        runner.changed.connect(self._on_changed)
        self._models.changed.connect(lambda _: self._show_status())

    @property
    def state(self) -> SheetState | None:
        """The sheet that is open."""
        return self._state

    @property
    def is_running(self) -> bool:
        """Whether a row is at work."""
        return self._runner.is_running

    def open(self, state: SheetState) -> None:
        """Work on this sheet from now on."""
        self._state = state
        self._view.set_undoable(state.is_undoable)
        self._show_status()

    def leave(self) -> None:
        """Work on no sheet: the row at work is given up, results that came are kept."""
        self._runner.stop()
        state, rows = self._state, self._results()
        if state is not None and rows:
            self._store.submit(lambda store: store.rewrites.save(state.sheet.id, rows))
        self._state = None

    # --- the model's part -----------------------------------------------------------------------------

    def run(self, rows: Sequence[RewriteRow]) -> None:
        """Have these rows rewritten, after those that are being rewritten."""
        state, info = self._state, self._models.info
        if state is not None and rows:
            room = 0 if info is None else shared_room(info)
            self._runner.start(jobs_of(rows, state.sheet.instruction, room))

    def pause(self) -> None:
        """Finish the row at work and begin no other."""
        self._runner.pause()

    def retry_failed(self) -> None:
        """Let the rows that failed wait for the model again."""
        state = self._state
        if state is None:
            return
        rows = [state.rows[key] for key in state.with_state(RowState.FAILED)]
        again = [replace(one, state=RowState.WAITING, note="", error=None) for one in rows]
        state.put(again)
        self._keep_decision(state, again)

    def redo(self, keys: Sequence[Key], note: str) -> None:
        """Rewrite rows again, with a note on what should be different."""
        state = self._state
        if state is not None:
            changed = state.redo(keys, note)
            self._keep_decision(state, changed)
            self.run(changed)

    def _on_begun(self, job: RowJob) -> None:
        if self._state is not None:
            self._state.working.update(job.keys)
            self._view.update_rows(self._state.row_views(job.keys))

    def _on_released(self, job: RowJob) -> None:
        if self._state is not None:
            self._state.working.difference_update(job.keys)
            self._view.update_rows(self._state.row_views(job.keys))

    def _on_ended(self, job: RowJob, finished: Finished, answers: Sequence[str]) -> None:
        state = self._state
        if state is None:
            return
        for key, answer in zip(job.keys, answers, strict=True):
            row = state.outcome(key, finished, answer)
            if row is not None:
                self._unsaved.append(row)
        self._save()

    def _save(self) -> None:
        """Write the results that have come; those that come meanwhile are written together after that."""
        state = self._state
        rows = [] if state is None or self._is_saving else self._results()
        if state is None or not rows:
            return
        sheet = state.sheet.id

        def done(_: None) -> None:
            self._is_saving = False
            state.put(row for row in rows if state.is_waiting(row.key))
            self._show_rows(state, rows)
            self.kept.emit(rows)
            self._save()

        def failed(error: UserError) -> None:
            """The disk is full, say: the rows wait again, and the work pauses, for it would all be lost."""
            self._is_saving = False
            state.working.difference_update(row.key for row in rows)
            self._runner.pause()
            self._window.show_banner(error_view(error), "error", [])
            self._show_rows(state, [state.rows[row.key] for row in rows])

        self._is_saving = True
        self._store.submit(lambda store: store.rewrites.save(sheet, rows), done, failed)

    def _results(self) -> list[RewriteRow]:
        """The results that are not being written yet, without those of rows that were decided on meanwhile."""
        rows, self._unsaved = self._unsaved, []
        return [row for row in rows if self._state is not None and self._state.is_waiting(row.key)]

    # --- the user's part ------------------------------------------------------------------------------

    def _on_accepted(self, keys: Iterable[Key]) -> None:
        self._decide(lambda state: state.accept(keys))

    def _on_rejected(self, keys: Iterable[Key]) -> None:
        self._decide(lambda state: state.reject(keys))

    def _on_all_accepted(self) -> None:
        self._decide(lambda state: state.accept(state.with_state(RowState.DONE)))

    def _on_edited(self, key: Key, text: str) -> None:
        self._decide(lambda state: state.edit(key, text))

    def _on_undo_requested(self) -> None:
        state = self._state
        if state is not None and state.is_undoable:
            rows = state.undo()
            self._keep_decision(state, rows)
            self._view.go_to(rows[0].key)

    def _decide(self, decide: Callable[[SheetState], list[RewriteRow]]) -> None:
        if self._state is not None:
            self._keep_decision(self._state, decide(self._state))

    def _keep_decision(self, state: SheetState, rows: Sequence[RewriteRow]) -> None:
        if not rows:
            return
        sheet = state.sheet.id

        def failed(error: UserError) -> None:
            self._window.show_banner(error_view(error), "error", [])
            if self._state is state:
                self.reload_needed.emit()

        self._store.submit(lambda store: store.rewrites.save(sheet, rows), None, failed)
        self._show_rows(state, rows)

    # --- what is shown --------------------------------------------------------------------------------

    def _show_rows(self, state: SheetState, rows: Sequence[RewriteRow]) -> None:
        if state is self._state:
            self._view.update_rows(state.row_views(row.key for row in rows))
            self._view.set_undoable(state.is_undoable)
            self._show_status()

    def _show_status(self) -> None:
        state, runner = self._state, self._runner
        if state is None:
            return
        status = state.status(is_running=runner.is_running, is_pausing=runner.is_pausing)
        model = self._models.view
        if status.work is Work.PAUSE and model.state is ModelState.LOADING:
            stage = model.stage or "Loading the model"
            waits_for = f"{stage} ({model.share:.0%})" if model.share else stage
            status = replace(status, waits_for=waits_for[0].lower() + waits_for[1:])
        self._view.set_status(replace(status, seconds_left=runner.seconds_left()))

    def _on_changed(self) -> None:
        self._show_status()
        if not self._runner.is_running:
            self._window.withdraw_banner(HUNG.title)
            announce(self._view, self._view.bar.progress_text.text())
            self.rested.emit()

    def _on_halted(self, error: UserError) -> None:
        self._window.show_banner(error_view(error), "error", [])

    def _on_hung(self) -> None:
        self._window.show_banner(HUNG, "warning", [("End the engine", self._engine.kill)])
