"""The controls above the table: which sheet and columns, what to do with each row, start and pause, how far it is.

Shows views and says what the user chose. Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QFontMetrics, QIcon, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from diffdesk.ui.buttons import MenuButton
from diffdesk.ui.icons import icon
from diffdesk.ui.message_parts import label
from diffdesk.ui.rewrite.rewrite_views import PresetView, RewriteStatus, SheetEntry, SheetView, Work
from diffdesk.ui.rewrite.row_model import Shown
from diffdesk.ui.theme import Theme, ThemeKeeper

NARROW = 620
"""Width below which the instruction and its buttons stand below each other, and buttons say less."""

NAME_CHARACTERS = 28
TYPING_PAUSE_MS = 400

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


class InstructionEdit(QPlainTextEdit):
    """What to do with each row, two lines high; Enter is done with it."""

    typed = Signal()
    taken = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Instruction")
        self.setPlaceholderText("What is to be done with each row? Choose a preset, or say it in your own words.")
        self.setTabChangesFocus(True)
        self._pause = QTimer(self, interval=TYPING_PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self.typed)
        self._is_told = False
        self.textChanged.connect(self._on_text_changed)

    def show_text(self, text: str) -> None:
        """Show a text that nobody has typed."""
        if text != self.toPlainText():
            self._is_told = True
            self.setPlainText(text)
            self._is_told = False

    def select(self, words: str) -> None:
        """Mark words, to be typed over."""
        found = self.document().find(words)
        if not found.isNull():
            self.setTextCursor(found)
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def flush(self) -> None:
        """Report what was typed now, if it has not been."""
        if self._pause.isActive():
            self._pause.stop()
            self.typed.emit()

    def fit(self, lines: int) -> None:
        """As high as `lines` lines."""
        margins = 2 * round(self.document().documentMargin()) + self.frameWidth() * 2
        line = QFontMetrics(self.font()).lineSpacing()
        self.setFixedHeight(lines * line + margins + line // 2 + 4)

    def sizeHint(self) -> QSize:
        return QSize(240, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.height())

    def event(self, event: QEvent) -> bool:
        """Ctrl+Enter is the field's own key while it has the keyboard."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_enter(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if _is_enter(event) and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.flush()
            self.taken.emit()
        else:
            super().keyPressEvent(event)

    def _on_text_changed(self) -> None:
        if not self._is_told:
            self._pause.start()


def _is_enter(event: QKeyEvent) -> bool:
    return event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class RewriteBar(QFrame):
    """See the module.

    Signals: `sheet_opened` and `sheet_deleted` carry a sheet's id; `columns_chosen` places of columns;
    `instruction_changed` the words; `preset_chosen`, `preset_deleted` a `PresetView`; `shown_changed` a `Shown`.
    """

    new_requested = Signal()
    sheet_opened = Signal(int)
    sheet_deleted = Signal()
    columns_chosen = Signal(object)
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
        self.export_button = QPushButton("Export")
        self.instruction = InstructionEdit()
        self.presets_chip = MenuButton("Presets")
        self.work_button = QPushButton()
        self.progress = QProgressBar()
        self.progress_text = label("", "small")
        self.accept_all_button = QPushButton("Accept all")
        self.filters: dict[Shown, QPushButton] = {}
        self._build()
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
        self._is_limited = is_limited
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
        names = {Shown.ALL: "All", Shown.REVIEW: "To review", Shown.ERRORS: "Errors"}
        for shown, button in self.filters.items():
            button.setText(f"{names[shown]} {counts[shown]:,}")

    def _show_work(self, work: Work) -> None:
        is_working = work in (Work.PAUSE, Work.PAUSING)
        self.work_button.setText(_WORK[work][0])
        self.work_button.setEnabled(work not in (Work.PAUSING, Work.NOTHING))
        self.work_button.setProperty("kind", "" if is_working else "primary")
        self.work_button.style().unpolish(self.work_button)
        self.work_button.style().polish(self.work_button)
        self.work_button.setIcon(icon(_WORK[work][1], self._ink(self._themes.theme)))
        for one in (self.columns_chip, self.instruction, self.presets_chip):
            one.setEnabled(not is_working)

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(self.sheet_chip)
        first.addWidget(self.columns_chip)
        first.addStretch(1)
        first.addWidget(self.export_button)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.presets_chip)
        buttons.addWidget(self.work_button)
        self._task = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._task.setSpacing(8)
        self._task.addWidget(self.instruction, 1)
        self._task.addLayout(buttons)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress")
        self.progress_text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.progress_text.setMinimumWidth(40)
        self._last = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._last.setSpacing(8)
        self._last.addWidget(self.progress_text, 1)
        self._last.addLayout(self._filter_line())
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 6)
        column.setSpacing(8)
        column.addLayout(first)
        column.addLayout(self._task)
        column.addWidget(self.progress)
        column.addLayout(self._last)

    def _filter_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(4)
        group = QButtonGroup(self)
        for shown in Shown:
            button = QPushButton()
            button.setProperty("kind", "quiet")
            button.setCheckable(True)
            button.setChecked(shown is Shown.ALL)
            button.clicked.connect(lambda _=False, one=shown: self.shown_changed.emit(one))
            group.addButton(button)
            self.filters[shown] = button
            line.addWidget(button)
        line.addStretch(1)
        line.addWidget(self.accept_all_button)
        return line

    def _connect(self) -> None:
        # Filled when they are opened, so that nothing changes below the pointer while rows come in.
        self.sheet_chip.menu().aboutToShow.connect(self._fill_sheets)
        self.columns_chip.menu().aboutToShow.connect(self._fill_columns)
        self.presets_chip.menu().aboutToShow.connect(self._fill_presets)
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
        is_narrow = self.width() < self._themes.px(NARROW)
        way = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        self._task.setDirection(way)
        self._last.setDirection(way)
        self._name_chips()

    def _name_chips(self) -> None:
        """What the chips say, as short as there is room for."""
        is_narrow = self.width() < self._themes.px(NARROW)
        sheet = self._sheet
        chosen = [sheet.columns[place] for place in sheet.chosen if place < len(sheet.columns)]
        columns = chosen[0] if len(chosen) == 1 else f"{len(chosen)} columns"
        most = NAME_CHARACTERS // 2 if is_narrow else NAME_CHARACTERS
        self.sheet_chip.setText(f"{_short(sheet.name, most)} ▾".replace("&", "&&"))
        self.columns_chip.setText(f"{_short(columns, most)} ▾".replace("&", "&&"))
        self.sheet_chip.setToolTip(sheet.name)
        self.columns_chip.setToolTip("Columns that are rewritten: " + ", ".join(chosen))
        self.columns_chip.setVisible(len(sheet.columns) > 1)
        self.presets_chip.setText("Presets ▾")

    def _dress(self, theme: Theme) -> None:
        self.work_button.setIcon(icon(_WORK[self._status.work][1], self._ink(theme)))
        self.export_button.setIcon(icon("download", theme.text))
        self.sheet_chip.setIcon(icon("table", theme.text))
        self.columns_chip.setIcon(icon("columns-3", theme.text))
        self.instruction.fit(2)
        self._fit()

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
