"""The rewriter's place in the window: the way in, or a sheet with its controls, its rows and the current row in full.

It draws view objects and emits what the user wants; it touches no store, no engine and no file beyond asking for a
path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from PySide6.QtCore import QMimeData, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QFrame, QLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from diffdesk.ui.composer_notice import ComposerNotice
from diffdesk.ui.drops import Dropped, sort_drop
from diffdesk.ui.rewrite.rewrite_bar import RewriteBar
from diffdesk.ui.rewrite.rewrite_dialogs import ask_preset_name, ask_table, ask_target
from diffdesk.ui.rewrite.rewrite_empty import RewriteEmpty
from diffdesk.ui.rewrite.rewrite_views import Key, PresetView, RewriteStatus, RowView, SheetEntry, SheetView
from diffdesk.ui.rewrite.row_detail import RowDetail
from diffdesk.ui.rewrite.row_model import RowFilter, RowModel, Shown
from diffdesk.ui.rewrite.row_table import RowTable
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper

NO_CLIPBOARD = "The clipboard has no text to paste"
NOTHING_LEFT = "No more rows to review"
LOW = 440
"""Height of the view below which the current row has no pane of its own."""
LOWEST = 240
"""Height below which nothing is said that isn't needed for the work."""


class RewriteView(QFrame):
    """See the module.

    Signals: `files_offered` carries a list of paths, `text_offered` lines; `accepted` and `rejected` a list of keys,
    `redo_requested` keys and a note, `edited` a key and a text; `export_requested` a path; `preset_saved` the name for
    the instruction in force; `said` what the user should know at once. The others are those of the bar.
    """

    files_offered = Signal(object)
    text_offered = Signal(str)
    new_requested = Signal()
    sheet_opened = Signal(int)
    sheet_deleted = Signal()
    columns_chosen = Signal(object)
    header_toggled = Signal(bool)
    instruction_changed = Signal(str)
    preset_chosen = Signal(object)
    preset_saved = Signal(str)
    preset_deleted = Signal(object)
    work_pressed = Signal()
    export_requested = Signal(object)
    accepted = Signal(object)
    rejected = Signal(object)
    all_accepted = Signal()
    edited = Signal(object, str)
    redo_requested = Signal(object, str)
    undo_requested = Signal()
    said = Signal(str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._sheet: SheetView | None = None
        self._is_limited = False
        self._notice = ""
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Rewrite")
        self.rows = RowModel(self)
        self.shown = RowFilter(self.rows, self)
        self.notice = ComposerNotice(themes)
        self.empty = RewriteEmpty(themes)
        self.bar = RewriteBar(themes)
        self.table = RowTable(themes, self.rows, self.shown)
        self.detail = RowDetail(themes)
        self.pages = QStackedWidget()
        self._build()
        self._connect()
        themes.theme_changed.connect(self._dress)
        self._dress()

    # --- what is shown --------------------------------------------------------------------------------

    @property
    def sheet(self) -> SheetView | None:
        """The sheet that is open."""
        return self._sheet

    def show_empty(self) -> None:
        """Show the way in."""
        self._sheet = None
        self.detail.show_row(None)
        self.rows.show(())
        self.pages.setCurrentWidget(self.empty)
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_sheet(self, sheet: SheetView, rows: Sequence[RowView]) -> None:
        """Show a sheet with its rows, from the top."""
        is_other = self._sheet is None or self._sheet.id != sheet.id
        current = self.table.current()
        self._sheet = sheet
        if is_other:
            self._set_shown(Shown.ALL)
            self.detail.show_row(None)
        self.rows.show(rows)
        self.update_sheet(sheet)
        self.pages.setCurrentWidget(self._work)
        self.table.go_to(0 if is_other or current is None else self.rows.place_of(current.key) or 0)
        if is_other:
            self.table.scrollToTop()
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def update_sheet(self, sheet: SheetView) -> None:
        """Show what is to be done with the sheet."""
        self._sheet = sheet
        names = [sheet.columns[place] for place in sheet.chosen] if len(sheet.chosen) > 1 else []
        self.bar.show_sheet(sheet)
        self.table.set_columns(names)

    def set_entries(self, unfinished: Sequence[SheetEntry], known: Sequence[SheetEntry]) -> None:
        """The sheets that can be gone on with, and all that can be opened again."""
        self.empty.set_entries(unfinished)
        self.bar.set_entries(known)

    def set_presets(self, presets: Sequence[PresetView], *, is_limited: bool) -> None:
        """The instructions that can be chosen; `is_limited` where the model does nothing else."""
        self._is_limited = is_limited
        self.bar.set_presets(presets, is_limited=is_limited)

    def set_notice(self, text: str) -> None:
        """One line on what the model can't do; empty takes it away."""
        self._notice = text
        self._fit()

    def set_status(self, status: RewriteStatus) -> None:
        """Show how far the work is."""
        self.bar.set_status(status)

    def update_rows(self, rows: Sequence[RowView]) -> None:
        """Show these rows as they are now."""
        self.rows.update_rows(rows)
        self._show_current()

    def show_live(self, texts: Mapping[Key, str]) -> None:
        """How the rows at work read at the moment."""
        self.rows.show_live(texts)

    def select_in_instruction(self, words: str) -> None:
        """Mark words of the instruction, to be typed over."""
        self.bar.instruction.select(words)

    def set_undoable(self, is_undoable: bool) -> None:
        """Whether there is a decision to take back."""
        self.detail.set_undoable(is_undoable)

    def go_to(self, key: Key) -> None:
        """Make a row the current one, if it is shown."""
        place = self.rows.place_of(key)
        if place is not None:
            shown = self.shown.mapFromSource(self.rows.index(place, 0))
            self.table.go_to(shown.row() if shown.isValid() else -1)

    def finish_edit(self) -> None:
        """Keep what is being edited: the place or the program is about to be left."""
        self.detail.take_edit()
        self.bar.instruction.flush()

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self.table)
        self._split.addWidget(self.detail)
        self._split.setStretchFactor(0, 3)
        self._split.setStretchFactor(1, 1)
        self._split.setHandleWidth(1)
        self.table.setMinimumHeight(60)
        self.detail.setMinimumHeight(60)
        self._work = QWidget()
        work = QVBoxLayout(self._work)
        work.setContentsMargins(0, 0, 0, 0)
        work.setSpacing(0)
        work.addWidget(self.bar)
        work.addWidget(self._split, 1)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self._work)
        self.pages.setMinimumHeight(1)
        self.notice.button.hide()
        column = QVBoxLayout(self)
        column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notice)
        column.addWidget(self.pages, 1)

    def _connect(self) -> None:
        self.empty.open_requested.connect(self.ask_file)
        self.empty.paste_requested.connect(self.paste)
        self.empty.sheet_opened.connect(self.sheet_opened)
        bar, table, detail = self.bar, self.table, self.detail
        bar.new_requested.connect(self.new_requested)
        bar.sheet_opened.connect(self.sheet_opened)
        bar.sheet_deleted.connect(self.sheet_deleted)
        bar.columns_chosen.connect(self.columns_chosen)
        bar.header_toggled.connect(self.header_toggled)
        bar.instruction_changed.connect(self.instruction_changed)
        bar.preset_chosen.connect(self._on_preset_chosen)
        bar.preset_saved.connect(lambda: ask_preset_name(self, self.preset_saved.emit))
        bar.preset_deleted.connect(self.preset_deleted)
        bar.work_pressed.connect(self.work_pressed)
        bar.export_requested.connect(self._on_export_pressed)
        bar.accept_all_pressed.connect(self.all_accepted)
        bar.shown_changed.connect(self._set_shown)
        table.accepted.connect(self.accepted)
        table.rejected.connect(self.rejected)
        table.undo_requested.connect(self.undo_requested)
        table.redo_requested.connect(self._on_redo_pressed)
        table.edit_requested.connect(detail.begin_edit)
        table.moved.connect(self._show_current)
        table.nothing_left.connect(lambda: self.said.emit(NOTHING_LEFT))
        detail.accept_pressed.connect(table.accept_selected)
        detail.reject_pressed.connect(table.reject_selected)
        detail.undo_pressed.connect(self.undo_requested)
        detail.redo_pressed.connect(lambda: self._on_redo_pressed(table.selected_keys()))
        detail.redo_confirmed.connect(lambda note: self.redo_requested.emit(table.selected_keys(), note))
        detail.edited.connect(self.edited)
        detail.writing_changed.connect(self._fit)
        detail.left.connect(lambda: table.setFocus(Qt.FocusReason.OtherFocusReason))

    # --- what the user does ---------------------------------------------------------------------------

    def paste(self) -> None:
        """Take what is in the clipboard: files, or lines."""
        data = cast("QMimeData | None", QGuiApplication.clipboard().mimeData())  # None where it is empty
        if data is None or not self.take(sort_drop(data, QPoint())):
            self.said.emit(NO_CLIPBOARD)

    def take(self, dropped: Dropped) -> bool:
        """Take files, whatever their names say, or lines; returns whether there were any."""
        files = [one for one in dropped.sources if isinstance(one, Path) and not one.is_dir()]
        if files:
            self.files_offered.emit(files)
        elif dropped.text.strip():
            self.text_offered.emit(dropped.text)
        return bool(files or dropped.text.strip())

    def ask_file(self) -> None:
        """Ask for the file of a table."""
        ask_table(self, lambda path: self.files_offered.emit([path]))

    def _on_export_pressed(self) -> None:
        if self._sheet is not None:
            ask_target(self, self._sheet.name, self.export_requested.emit)

    def _on_preset_chosen(self, preset: PresetView) -> None:
        self.preset_chosen.emit(preset)
        self.bar.instruction.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_redo_pressed(self, keys: Sequence[Key]) -> None:
        if not keys:
            return
        if self._is_limited:  # a model that takes no instructions takes no notes either
            self.redo_requested.emit(list(keys), "")
        else:
            self.detail.open_note(len(keys))

    def _set_shown(self, shown: Shown) -> None:
        self.shown.set_shown(shown)
        self.bar.set_shown(shown)
        current = self.table.currentIndex()
        self.table.go_to(current.row() if current.isValid() else 0)
        self._show_current()

    def _show_current(self) -> None:
        self.detail.show_row(self.table.current())

    def _fit(self) -> None:
        """Where it is low the rows need all the room; the pane comes when something is written in it."""
        is_low = self.height() < self._themes.px(LOW)
        self.detail.setVisible(not is_low or self.detail.is_writing)
        has_room = self.height() >= self._themes.px(LOWEST)
        self.notice.say(self._notice if has_room else "", "")

    def _dress(self) -> None:
        scale_spacing(self, self._themes.scale)
        self._fit()

    # --- Qt -------------------------------------------------------------------------------------------

    def minimumSizeHint(self) -> QSize:
        """Small: what there is less room for is arranged in another way."""
        return QSize(240, 200)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keyboard goes to the first thing to do: a table is needed, then an instruction, then decisions."""
        super().focusInEvent(event)
        if self._sheet is None:
            self.empty.open_button.setFocus(event.reason())
        else:
            (self.table if self._sheet.instruction else self.bar.instruction).setFocus(event.reason())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+V brings lines in while there is no table; the letters work from every button, not only in the table."""
        if event.matches(QKeySequence.StandardKey.Paste) and self._sheet is None:
            self.paste()
        elif self._sheet is not None and not event.modifiers() and event.text().isalpha():
            event.setAccepted(self.table.press(event.key()))
        else:
            super().keyPressEvent(event)
