"""The controls above the table: which sheet and columns, what to do with each row, start and pause, how far it is.

Shows views and says what the user chose. Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QIcon, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from diffdesk.ui.buttons import MenuButton
from diffdesk.ui.icons import icon
from diffdesk.ui.message_parts import label
from diffdesk.ui.rewrite.instruction_edit import InstructionEdit
from diffdesk.ui.rewrite.rewrite_views import PresetView, RewriteStatus, SheetEntry, SheetView, Work
from diffdesk.ui.rewrite.row_model import Shown
from diffdesk.ui.theme import Theme, ThemeKeeper

NARROW, TIGHT = 620, 400
"""Widths below which the instruction has a line of its own, and below which all is as small as can be."""


class Room(StrEnum):
    """How much room there is for the controls."""

    WIDE = "wide"
    NARROW = "narrow"
    TIGHT = "tight"


NAME_CHARACTERS = {Room.WIDE: 28, Room.NARROW: 14, Room.TIGHT: 8}

_SHOWN_NAMES = {Shown.ALL: "All", Shown.REVIEW: "To review", Shown.ERRORS: "Errors"}
_WORK = {
    Work.START: ("Start", "play"),
    Work.RESUME: ("Resume", "play"),
    Work.RETRY: ("Retry errors", "refresh-cw"),
    Work.PAUSE: ("Pause", "pause"),
    Work.PAUSING: ("Pausing", "pause"),
    Work.NOTHING: ("Done", "check"),
}


def spoken_time(seconds: float) -> str:
    """A time that is left, as one says it."""
    if seconds < 60:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} minute{'' if minutes == 1 else 's'} left"
    hours, rest = divmod(minutes, 60)
    return f"about {hours} h {rest:02d} min left"


class RewriteBar(QFrame):
    """See the module.

    Signals: `sheet_opened` and `sheet_deleted` carry a sheet's id; `columns_chosen` places of columns;
    `instruction_changed` the words; `preset_chosen`, `preset_deleted` a `PresetView`; `shown_changed` a `Shown`.
    """

    new_requested = Signal()
    sheet_opened = Signal(int)
    sheet_deleted = Signal()
    columns_chosen = Signal(object)
    header_toggled = Signal(bool)
    instruction_changed = Signal(str)
    preset_chosen = Signal(object)
    preset_saved = Signal()
    preset_deleted = Signal(object)
    work_pressed = Signal()
    export_requested = Signal()
    accept_all_pressed = Signal()
    shown_changed = Signal(object)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._sheet = SheetView(0, "", (), ())
        self._entries: Sequence[SheetEntry] = ()
        self._presets: Sequence[PresetView] = ()
        self._is_limited = False
        self._status = RewriteStatus()
        self.setProperty("kind", "bar")
        self.sheet_chip = MenuButton("Table")
        self.columns_chip = MenuButton("Columns")
        self.export_button = QPushButton(" Export")
        self.instruction = InstructionEdit()
        self.presets_chip = MenuButton("Presets")
        self.work_button = QPushButton()
        self.progress = QProgressBar()
        self.progress_text = label("", "small")
        self.accept_all_button = QPushButton("Accept all")
        self.filters: dict[Shown, QPushButton] = {}
        self.filter_chip = MenuButton("Which rows are shown")
        self._room = Room.WIDE
        self._build()
        self._arrange(Room.WIDE)
        self._connect()
        self._dress(themes.theme)
        self.set_status(self._status)

    # --- what is shown --------------------------------------------------------------------------------

    def show_sheet(self, sheet: SheetView) -> None:
        """Show what is to be done with a sheet."""
        self._sheet = sheet
        self.instruction.show_text(sheet.instruction)
        self._name_chips()

    def set_entries(self, entries: Sequence[SheetEntry]) -> None:
        """The sheets that can be opened again."""
        self._entries = entries

    def set_presets(self, presets: Sequence[PresetView], *, is_limited: bool) -> None:
        """The instructions that can be chosen; `is_limited` where the model does nothing else."""
        self._presets = presets
        if is_limited is not self._is_limited:
            self._is_limited = is_limited
            self._arrange(self._room)
        self.instruction.setReadOnly(is_limited)
        self.instruction.setAccessibleDescription("Only the preset can be used with this model" if is_limited else "")

    def set_status(self, status: RewriteStatus) -> None:
        """Show how far the work is."""
        is_other_work = status.work is not self._status.work or not self.work_button.text()
        self._status = status
        if is_other_work:
            self._show_work(status.work)
        self.progress.setMaximum(max(1, status.of))
        self.progress.setValue(status.done)
        self.progress_text.setText(_progress(status))
        self.progress.setAccessibleDescription(self.progress_text.text())
        self.accept_all_button.setEnabled(status.review > 0)
        counts = {Shown.ALL: status.of, Shown.REVIEW: status.review, Shown.ERRORS: status.failed}
        for shown, button in self.filters.items():
            button.setText(f"{_SHOWN_NAMES[shown]} {counts[shown]:,}")
        self._name_filter()

    def set_shown(self, shown: Shown) -> None:
        """Show which rows are shown."""
        self.filters[shown].setChecked(True)
        self._name_filter()

    def _name_filter(self) -> None:
        chosen = next((one for one in self.filters.values() if one.isChecked()), None)
        self.filter_chip.setText("" if chosen is None else f"{chosen.text()} ▾")

    def _show_work(self, work: Work) -> None:
        is_working = work in (Work.PAUSE, Work.PAUSING)
        self.work_button.setText(f" {_WORK[work][0]}")
        self.work_button.setEnabled(work not in (Work.PAUSING, Work.NOTHING))
        self.work_button.setProperty("kind", "" if is_working else "primary")
        self.work_button.style().unpolish(self.work_button)
        self.work_button.style().polish(self.work_button)
        self.work_button.setIcon(icon(_WORK[work][1], self._ink(self._themes.theme)))
        for one in (self.columns_chip, self.instruction, self.presets_chip):
            one.setEnabled(not is_working)

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress")
        self.export_button.setAccessibleName("Export")
        self.progress_text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.presets_chip.setText("Presets ▾")
        group = QButtonGroup(self)
        for shown in Shown:
            button = QPushButton()
            button.setProperty("kind", "quiet")
            button.setCheckable(True)
            button.setChecked(shown is Shown.ALL)
            button.clicked.connect(lambda _=False, one=shown: self.shown_changed.emit(one))
            group.addButton(button)
            self.filters[shown] = button
        self._lines = [QHBoxLayout() for _ in range(6)]
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 6)
        column.setSpacing(8)
        for line in self._lines:
            line.setSpacing(8)
            column.addLayout(line)

    def _arrange(self, room: Room) -> None:
        """Put the controls into as many lines as the width asks for."""
        filters: list[QWidget] = [self.filter_chip] if room is Room.TIGHT else list(self.filters.values())
        lines: dict[Room, list[list[QWidget | None]]] = {
            Room.WIDE: [
                [self.sheet_chip, self.columns_chip, None, self.export_button],
                [self.instruction, self.presets_chip, self.work_button],
                [self.progress],
                [self.progress_text, *filters, self.accept_all_button],
            ],
            Room.NARROW: [
                [self.sheet_chip, self.columns_chip, None, self.export_button],
                [self.instruction],
                [self.presets_chip, self.work_button],
                [self.progress],
                [self.progress_text],
                [*filters, None, self.accept_all_button],
            ],
            Room.TIGHT: [
                [self.sheet_chip, None, self.export_button],
                [self.columns_chip, self.presets_chip, None],
                [self.instruction],
                [self.work_button],
                [self.progress],
                [self.progress_text, *filters],
            ],
        }
        for line in self._lines:
            while line.takeAt(0) is not None:
                pass
        for line, widgets in zip(self._lines, lines[room], strict=False):
            for widget in widgets:
                if widget is None:
                    line.addStretch(1)
                else:
                    takes_room = widget in (self.instruction, self.progress_text, self.progress)
                    is_wide_button = widget is self.work_button and room is not Room.WIDE
                    line.addWidget(widget, int(takes_room or is_wide_button))
        # Only now: what has no parent yet would be shown as a window of its own.
        for one in (self.filter_chip, self.accept_all_button, *self.filters.values()):
            one.setVisible(one in filters or (one is self.accept_all_button and room is not Room.TIGHT))
        has_choice = room is not Room.TIGHT or not self._is_limited
        self.instruction.setVisible(has_choice)
        self.presets_chip.setVisible(has_choice)
        columns = QIcon() if room is Room.TIGHT else self._icon("columns-3")
        self.columns_chip.setIcon(columns)
        self.export_button.setText("" if room is Room.TIGHT else " Export")
        self.export_button.setToolTip("Export" if room is Room.TIGHT else "")
        self._room = room

    def _connect(self) -> None:
        # Filled when they are opened, so that nothing changes below the pointer while rows come in.
        self.sheet_chip.menu().aboutToShow.connect(self._fill_sheets)
        self.columns_chip.menu().aboutToShow.connect(self._fill_columns)
        self.presets_chip.menu().aboutToShow.connect(self._fill_presets)
        self.filter_chip.menu().aboutToShow.connect(self._fill_filter)
        self.export_button.clicked.connect(self.export_requested)
        self.work_button.clicked.connect(self._on_work_clicked)
        self.accept_all_button.clicked.connect(self.accept_all_pressed)
        self.accept_all_button.setToolTip("Accept every row that waits for a decision")
        self.instruction.typed.connect(lambda: self.instruction_changed.emit(self.instruction.toPlainText().strip()))
        self.instruction.taken.connect(self.work_button.setFocus)
        self._themes.theme_changed.connect(self._dress)

    def _on_work_clicked(self) -> None:
        self.instruction.flush()
        self.work_pressed.emit()

    # --- menus ----------------------------------------------------------------------------------------

    def _fill_sheets(self) -> None:
        menu = _emptied(self.sheet_chip)
        self._add(menu, "plus", "New table", self.new_requested.emit)
        others = [one for one in self._entries if one.id != self._sheet.id]
        if others:
            menu.addSeparator()
        for one in others[:12]:
            text = f"{_short(one.name, 40)}    {one.note}"
            self._add(menu, "table", text, partial(self.sheet_opened.emit, one.id))
        menu.addSeparator()
        self._add(menu, "trash-2", "Delete this table", self.sheet_deleted.emit)

    def _fill_columns(self) -> None:
        menu = _emptied(self.columns_chip)
        for place, name in enumerate(self._sheet.columns):
            action = QAction(_short(name, 60).replace("&", "&&") or f"Column {place + 1}", menu)
            action.setCheckable(True)
            action.setChecked(place in self._sheet.chosen)
            action.toggled.connect(lambda is_on, which=place: self._on_column_toggled(which, is_on))
            menu.addAction(action)

        if self._sheet.has_header is not None:
            menu.addSeparator()
            toggled = partial(self.header_toggled.emit, not self._sheet.has_header)
            header = self._add(menu, "", "The first row names the columns", toggled)
            header.setCheckable(True)
            header.setChecked(self._sheet.has_header)

    def _on_column_toggled(self, place: int, is_chosen: bool) -> None:
        chosen = {*self._sheet.chosen, place} if is_chosen else set(self._sheet.chosen) - {place}
        if chosen:  # one of them has to be rewritten
            self.columns_chosen.emit(tuple(sorted(chosen)))

    def _fill_presets(self) -> None:
        menu = _emptied(self.presets_chip)
        for one in self._presets:
            action = self._add(menu, "", one.name, partial(self.preset_chosen.emit, one))
            action.setCheckable(True)
            is_same = one.instruction == self._sheet.instruction
            action.setChecked(is_same or (bool(one.key) and one.key == self._sheet.preset))
        if self._is_limited:
            return
        menu.addSeparator()
        self._add(menu, "plus", "Keep this instruction as a preset …", self.preset_saved.emit)
        own = [one for one in self._presets if one.is_own]
        if own:
            forget = menu.addMenu(self._icon("trash-2"), "Delete a preset")
            for one in own:
                self._add(forget, "trash-2", one.name, partial(self.preset_deleted.emit, one))

    def _fill_filter(self) -> None:
        menu = _emptied(self.filter_chip)
        for shown, button in self.filters.items():
            action = self._add(menu, "", button.text(), partial(self.shown_changed.emit, shown))
            action.setCheckable(True)
            action.setChecked(button.isChecked())
        menu.addSeparator()
        all_of_them = self._add(menu, "check", "Accept all", self.accept_all_pressed.emit)
        all_of_them.setEnabled(self._status.review > 0)

    def _add(self, menu: QMenu, symbol: str, text: str, do: Callable[[], None]) -> QAction:
        """Put an entry into a menu that does something without an argument."""
        action = QAction(self._icon(symbol) if symbol else QIcon(), text.replace("&", "&&"), menu)
        action.triggered.connect(lambda _=False: do())
        menu.addAction(action)
        return action

    # --- looks ----------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is narrow, parts stand below each other."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        px, width = self._themes.px, self.width()
        room = Room.WIDE if width >= px(NARROW) else Room.NARROW if width >= px(TIGHT) else Room.TIGHT
        if room is not self._room:
            self._arrange(room)
        self.instruction.fit(2 if room is Room.WIDE else 1, self._themes.font(), px(8))
        self._name_chips()

    def _name_chips(self) -> None:
        """What the chips say, as short as there is room for."""
        sheet = self._sheet
        chosen = [sheet.columns[place] for place in sheet.chosen if place < len(sheet.columns)]
        columns = chosen[0] if len(chosen) == 1 else f"{len(chosen)} columns"
        most = NAME_CHARACTERS[self._room]
        self.sheet_chip.setText(f" {_short(sheet.name, most)} ▾".replace("&", "&&"))
        self.columns_chip.setText(f" {_short(columns, most)} ▾".replace("&", "&&"))
        self.sheet_chip.setToolTip(sheet.name)
        self.columns_chip.setToolTip("Columns that are rewritten: " + ", ".join(chosen))
        self.columns_chip.setVisible(len(sheet.columns) > 1 or sheet.has_header is not None)

    def _dress(self, theme: Theme) -> None:
        self.work_button.setIcon(icon(_WORK[self._status.work][1], self._ink(theme)))
        self.export_button.setIcon(icon("download", theme.text))
        self.sheet_chip.setIcon(icon("table", theme.text))
        self._fit()
        self._arrange(self._room)

    def _ink(self, theme: Theme) -> str:
        if self._status.work is Work.NOTHING or self._status.work is Work.PAUSING:
            return theme.text_muted
        return theme.text if self._status.work is Work.PAUSE else theme.accent_text

    def _icon(self, name: str) -> QIcon:
        return icon(name, self._themes.theme.text)


def _progress(status: RewriteStatus) -> str:
    if not status.of:
        return "No rows"
    parts = [f"{status.done:,} of {status.of:,} rows"]
    if status.waits_for:
        parts.append(status.waits_for)
    elif status.work is Work.PAUSING:
        parts.append("the row at work is being finished")
    elif status.work is Work.PAUSE and status.seconds_left is not None:
        parts.append(spoken_time(status.seconds_left))
    elif status.work is Work.RESUME:
        parts.append("paused")
    return " · ".join(parts)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _emptied(chip: MenuButton) -> QMenu:
    menu = chip.menu()
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            inner.deleteLater()
    menu.clear()
    return menu
