"""Between the rewriter's widgets and the lanes: which sheet is open, what is done with its rows, and its way out.

The rows themselves are the matter of `rewrite_work`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from diffdesk.core.errors import UserError
from diffdesk.core.presets import PRESETS, instruction_of, is_correction, preset_saying
from diffdesk.documents.tables import Table
from diffdesk.store import SheetRow, Store
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rewrite import sheet_files
from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.rewrite.rewrite_views import Key, PresetView, SheetEntry, SheetView
from diffdesk.ui.rewrite.rewrite_work import RewriteWork
from diffdesk.ui.rewrite.sheet_files import Incoming, Opened
from diffdesk.ui.rewrite.sheet_state import SheetState
from diffdesk.ui.rows import error_view
from diffdesk.ui.views import ErrorView, ModelState, ModelView

T = TypeVar("T")
STATE_SHEET = "open_sheet"
LIMITED = "This model only corrects misread letters in English; DiffusionGemma takes any instruction."
NO_INSTRUCTION = "Say first what is to be done with each row, or choose a preset"
ONE_AT_A_TIME = "One table at a time: the first file was opened"
NO_MODEL = ErrorView(
    "No model is loaded", "Rows are rewritten by a model.", "Choose one from the model menu, then start again."
)
_USUAL_LANGUAGE = "English"  # marked in the instruction, to be typed over
_CORRECTION = next(one for one in PRESETS if one.is_correction)


class RewritePresenter(QObject):
    """See the module.

    Signals:
        sheets_changed(): a sheet came, went or is further than before.
    """

    sheets_changed = Signal()

    def __init__(self, window: MainWindow, view: RewriteView, lanes: Lanes) -> None:
        super().__init__(view)
        self.view = view
        self._window = window
        self._store = lanes.store
        self._pool = lanes.pool
        self._models = lanes.models
        self._own: tuple[PresetView, ...] = ()
        self._choice = 0  # counts upwards; what comes of an earlier wish to open something is too late
        self.work = RewriteWork(window, view, lanes)
        self._connect()
        self._show_model()

    def _connect(self) -> None:
        view = self.view
        view.files_offered.connect(self._on_files_offered)
        view.text_offered.connect(self._on_text_offered)
        view.new_requested.connect(self.close_sheet)
        view.sheet_opened.connect(self.open_sheet)
        view.sheet_deleted.connect(self._on_sheet_deleted)
        view.columns_chosen.connect(self._on_columns_chosen)
        view.header_toggled.connect(self._on_header_toggled)
        view.instruction_changed.connect(self.set_instruction)
        view.preset_chosen.connect(self._on_preset_chosen)
        view.preset_saved.connect(self._on_preset_saved)
        view.preset_deleted.connect(self._on_preset_deleted)
        view.work_pressed.connect(self._on_work_pressed)
        view.export_requested.connect(self.export)
        view.redo_requested.connect(self._on_redo_requested)
        view.said.connect(lambda what: self._window.show_toast(what, "", None))
        self._models.changed.connect(self._on_model_changed)
        self.work.rested.connect(self._refresh_entries)
        self.work.reload_needed.connect(self._on_reload_needed)

    def start(self) -> None:
        """Show the sheet that was open last; nothing is begun by itself."""
        choice = self._choice

        def work(store: Store) -> Opened | None:
            sheet = store.state(STATE_SHEET, 0)
            known = {one.id for one in store.rewrites.sheets()}
            return sheet_files.load(store, sheet) if sheet in known else None

        def done(opened: Opened | None) -> None:
            if opened is not None and choice == self._choice:
                self._show(opened)

        self._refresh_presets()
        self._refresh_entries()
        self._store.submit(work, done, self._on_failed)

    def close(self) -> None:
        """The program ends: what is edited is kept, what is at work is left for the next start."""
        self.view.finish_edit()
        self.work.leave()

    # --- sheets ---------------------------------------------------------------------------------------

    def open_sheet(self, sheet: int) -> None:
        """Show a sheet; work on the one before is stopped."""
        self._open(lambda store: sheet_files.load(store, sheet))

    def close_sheet(self) -> None:
        """Show the way in; the sheet is kept."""
        self._leave()
        self.view.show_empty()
        self._refresh_entries()
        self._store.submit(lambda store: store.set_state(STATE_SHEET, 0))

    def _on_files_offered(self, paths: Sequence[Path]) -> None:
        if len(paths) > 1:
            self._window.show_toast(ONE_AT_A_TIME, "", None)
        self._take(lambda: sheet_files.read_file(paths[0]))

    def _on_text_offered(self, text: str) -> None:
        self._take(lambda: sheet_files.take_lines(text))

    def _take(self, read: Callable[[], Incoming]) -> None:
        self._choice += 1
        choice = self._choice

        def done(incoming: Incoming) -> None:
            if choice == self._choice:
                self._open(lambda store: sheet_files.keep(store, incoming))

        self._pool.submit(read, done, self._on_failed)

    def _open(self, work: Callable[[Store], Opened]) -> None:
        self._leave()
        choice = self._choice

        def remembered(store: Store) -> Opened:
            opened = work(store)
            store.set_state(STATE_SHEET, opened.sheet.id)
            return opened

        def done(opened: Opened) -> None:
            if choice == self._choice:
                self._show(opened)
                self._refresh_entries()

        self._store.submit(remembered, done, self._on_failed)

    def _leave(self) -> None:
        if self.work.is_running and self.work.state is not None:
            self._window.show_toast(f"{self.work.state.sheet.name} is paused", "", None)
        self.view.finish_edit()
        self.work.leave()
        self._choice += 1

    def _show(self, opened: Opened) -> None:
        state, before = SheetState(opened.sheet, opened.rows), self.work.state
        if before is not None:
            state.follow(before)
        self.view.show_sheet(self._sheet_view(state), state.row_views())
        self.work.open(state)

    def _on_sheet_deleted(self) -> None:
        state = self.work.state
        if state is None:
            return
        sheet = state.sheet.id

        def undo() -> None:
            self._store.submit(lambda store: store.rewrites.undelete(sheet), lambda _: self.open_sheet(sheet))

        self._store.submit(lambda store: store.rewrites.delete(sheet))
        self.close_sheet()
        self._window.show_toast(f"{state.sheet.name} deleted", "Undo", undo)

    def _on_columns_chosen(self, places: tuple[int, ...]) -> None:
        if self.work.state is None or self.work.is_running:
            return
        sheet = self.work.state.sheet

        def read(table: Table) -> None:
            def done(opened: Opened) -> None:
                if self.work.state is not None and self.work.state.sheet.id == sheet.id:
                    self._show(opened)

            self._store.submit(lambda store: sheet_files.choose(store, sheet, places, table), done, self._on_failed)

        self._with_copy(sheet, lambda kept: sheet_files.read_again(sheet, kept), read)

    def _on_header_toggled(self, has_header: bool) -> None:
        if self.work.state is None or self.work.is_running:
            return
        sheet = self.work.state.sheet

        def read(incoming: Incoming) -> None:
            self._open(lambda store: sheet_files.keep_instead(store, store.rewrites.sheet(sheet.id), incoming))

        self._with_copy(sheet, lambda kept: sheet_files.with_header(sheet, kept, has_header), read)

    def export(self, target: Path) -> None:
        """Write the table with the new texts in a column of their own."""
        state = self.work.state
        if state is None:
            return
        sheet, rows = state.sheet, dict(state.rows)

        def done(notes: tuple[str, ...]) -> None:
            if notes:
                self._window.show_banner(ErrorView(f"Saved as {target.name}", " ".join(notes)), "info", [])
            else:
                self._window.show_toast(f"Saved as {target.name}", "", None)

        self.view.finish_edit()
        self._with_copy(sheet, lambda kept: sheet_files.export(sheet, rows, kept, target), done)

    def _with_copy(self, sheet: SheetRow, work: Callable[[Path], T], done: Callable[[T], None]) -> None:
        """Do something on the pool with the copy of a sheet's file."""
        self._store.submit(
            lambda store: store.attachment_path(sheet.source),
            lambda kept: self._pool.submit(lambda: work(kept), done, self._on_failed),
            self._on_failed,
        )

    def _refresh_entries(self) -> None:
        def done(sheets: list[SheetRow]) -> None:
            known = [SheetEntry(one.id, one.name, _progress_of(one)) for one in sheets]
            open_ones = {one.id for one in sheets if one.waiting or one.undecided}
            self.view.set_entries([one for one in known if one.id in open_ones], known)
            self.sheets_changed.emit()

        self._store.submit(lambda store: store.rewrites.sheets(), done, self._on_failed)

    # --- the instruction ------------------------------------------------------------------------------

    def set_instruction(self, instruction: str) -> None:
        """What to do with each row."""
        state = self.work.state
        if state is None or instruction == state.sheet.instruction or self._is_limited:
            return
        self._keep_task(state, instruction)
        self.view.update_sheet(state.view())

    def _keep_task(self, state: SheetState, instruction: str) -> None:
        preset = preset_saying(instruction)
        key = "" if preset is None else preset.id
        state.sheet = replace(state.sheet, instruction=instruction, preset=key)
        sheet = state.sheet.id
        self._store.submit(lambda store: store.rewrites.set_task(sheet, instruction, key))

    def _on_preset_chosen(self, preset: PresetView) -> None:
        self.set_instruction(preset.instruction)
        built_in = preset_saying(preset.instruction)
        if built_in is not None and built_in.asks_language:
            self.view.select_in_instruction(_USUAL_LANGUAGE)

    def _on_preset_saved(self, name: str) -> None:
        state = self.work.state
        if state is not None and state.sheet.instruction:
            instruction = state.sheet.instruction
            self._store.submit(lambda store: store.rewrites.save_preset(name, instruction))
            self._refresh_presets()

    def _on_preset_deleted(self, preset: PresetView) -> None:
        self._store.submit(lambda store: store.rewrites.delete_preset(preset.name))
        self._refresh_presets()

    def _refresh_presets(self) -> None:
        def work(store: Store) -> tuple[PresetView, ...]:
            return tuple(PresetView("", one.name, one.instruction) for one in store.rewrites.presets())

        def done(own: tuple[PresetView, ...]) -> None:
            self._own = own
            self._show_model()

        self._store.submit(work, done, self._on_failed)

    @property
    def _is_limited(self) -> bool:
        """Whether the model corrects and does nothing else."""
        info = self._models.info
        return info is not None and not info.can_chat

    def _on_model_changed(self, view: ModelView) -> None:
        del view
        self._show_model()

    def _show_model(self) -> None:
        """The presets that the model can do, and a line where those are few."""
        is_limited = self._is_limited
        built_in = [PresetView(one.id, one.name, instruction_of(one, _USUAL_LANGUAGE)) for one in PRESETS]
        fit = [one for one in built_in if one.key == _CORRECTION.id] if is_limited else [*built_in, *self._own]
        self.view.set_presets(fit, is_limited=is_limited)
        self.view.set_notice(LIMITED if is_limited else "")
        if self.work.state is not None:
            self.view.update_sheet(self._sheet_view(self.work.state))

    def _sheet_view(self, state: SheetState) -> SheetView:
        """The sheet as it is shown: with a model that does one thing only, that is what is done."""
        view = state.view()
        if self._is_limited and not is_correction(view.instruction):
            return replace(view, instruction=_CORRECTION.instruction, preset=_CORRECTION.id)
        return view

    # --- the work -------------------------------------------------------------------------------------

    def _on_work_pressed(self) -> None:
        state = self.work.state
        if state is None:
            return
        if self.work.is_running:
            self.work.pause()
        elif self._is_ready(state):
            if not state.waiting():
                self.work.retry_failed()
            self.work.run(state.waiting())

    def _on_redo_requested(self, keys: Sequence[Key], note: str) -> None:
        state = self.work.state
        if state is not None and self._is_ready(state):
            self.work.redo(keys, note)

    def _is_ready(self, state: SheetState) -> bool:
        """Whether rows can be given to the model; says what is missing where they can't."""
        if self._models.view.state in (ModelState.NONE, ModelState.FAILED):
            self._window.show_banner(NO_MODEL, "warning", [])
            return False
        instruction = self._sheet_view(state).instruction
        if not instruction.strip():
            self._window.show_toast(NO_INSTRUCTION, "", None)
            self.view.bar.instruction.setFocus()
            return False
        self._window.withdraw_banner(NO_MODEL.title)
        if instruction != state.sheet.instruction:
            self._keep_task(state, instruction)
        return True

    def _on_reload_needed(self) -> None:
        """A decision could not be kept: show what the disk has."""
        state = self.work.state
        if state is not None:
            self.open_sheet(state.sheet.id)

    def _on_failed(self, error: UserError) -> None:
        self._window.show_banner(error_view(error), "error", [])


def _progress_of(sheet: SheetRow) -> str:
    """How far a sheet is, in a few words."""
    if sheet.waiting:
        return f"{sheet.waiting:,} of {sheet.total:,} rows left"
    if sheet.undecided:
        return f"{sheet.undecided:,} of {sheet.total:,} rows to review"
    return f"{sheet.total:,} of {sheet.total:,} rows done"
