"""What the rewriter shows without a table: how to get one in, and the tables that can be gone on with."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from diffdesk.ui.icons import icon, pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.rewrite.rewrite_views import SheetEntry
from diffdesk.ui.theme import Theme, ThemeKeeper

TITLE = "Drop a table, or paste lines"
TEXT = (
    "Every row is rewritten by one instruction: a plain sentence from a log line, a tidy address, a shorter text. "
    "You see each difference and decide; the file you brought is never touched."
)
FORMATS = "CSV, TSV, JSON Lines, Excel or plain lines; the result has the same format."
WIDTH = 560
NARROW = 400
MOST_ENTRIES = 5
NAME_CHARACTERS = 42


class RewriteEmpty(QScrollArea):
    """See the module."""

    open_requested = Signal()
    paste_requested = Signal()
    sheet_opened = Signal(int)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setProperty("kind", "page")
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Rewrite a table")
        self._mark = QLabel()
        self.open_button = QPushButton(" Open a table")
        self.paste_button = QPushButton(" Paste lines")
        self.open_button.setProperty("kind", "primary")
        self.open_button.setAccessibleName("Open a table")
        self.paste_button.setAccessibleName("Paste lines")
        self.paste_button.setToolTip("Each line of the clipboard becomes a row (Ctrl+V)")
        self._earlier = QVBoxLayout()
        self._entries: Sequence[SheetEntry] = ()
        self._is_narrow = False
        self.entry_buttons: list[QPushButton] = []
        self._notes: list[QLabel] = []
        self._entries_title = label("Go on with", "small")
        self._build()
        self.open_button.clicked.connect(self.open_requested)
        self.paste_button.clicked.connect(self.paste_requested)
        themes.theme_changed.connect(self._dress)
        self.set_entries(())
        self._dress(themes.theme)

    def set_entries(self, entries: Sequence[SheetEntry]) -> None:
        """The sheets that can be gone on with, the last one first."""
        for widget in (*self.entry_buttons, *self._notes):
            self._earlier.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.entry_buttons, self._notes = [], []
        self._entries = entries
        most = NAME_CHARACTERS // 3 if self._is_narrow else NAME_CHARACTERS
        for one in entries[:MOST_ENTRIES]:
            name = one.name if len(one.name) <= most else one.name[: most - 1] + "…"
            button = QPushButton(f" {name}".replace("&", "&&"))
            button.setAccessibleName(f"Go on with {one.name}, {one.note}")
            button.setToolTip(f"{one.name}: {one.note}")
            button.setProperty("kind", "quiet")
            button.setIcon(icon("table", self._themes.theme.text))
            button.clicked.connect(lambda _=False, which=one.id: self.sheet_opened.emit(which))
            note = label(one.note, "small")
            note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            self._earlier.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
            self._earlier.addWidget(note)
            self.entry_buttons.append(button)
            self._notes.append(note)
        self._entries_title.setVisible(bool(entries))

    def _build(self) -> None:
        page = QWidget()
        page.setProperty("kind", "page")
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        title = label(TITLE, "title", is_wrapped=True)
        text, formats = label(TEXT, "muted", is_wrapped=True), label(FORMATS, "small", is_wrapped=True)
        for one in (self._mark, title, text, formats, self._entries_title):
            one.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        self._buttons.addStretch(1)
        self._buttons.addWidget(self.open_button)
        self._buttons.addWidget(self.paste_button)
        self._buttons.addStretch(1)
        self._earlier.setSpacing(4)
        self._earlier.addWidget(self._entries_title)
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        for one in (title, text):
            column.addWidget(one)
        column.addSpacing(16)
        column.addLayout(self._buttons)
        column.addSpacing(8)
        column.addWidget(formats)
        column.addSpacing(24)
        column.addLayout(self._earlier)
        column.addStretch(3)
        self._inner = QWidget()
        self._inner.setLayout(column)
        outer = QHBoxLayout(page)
        outer.setContentsMargins(24, 16, 24, 16)
        outer.addStretch(1)
        outer.addWidget(self._inner, 100)
        outer.addStretch(1)
        self.setWidget(page)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is narrow the buttons stand below each other."""
        super().resizeEvent(event)
        is_narrow = event.size().width() < self._themes.px(NARROW)
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            way = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
            self._buttons.setDirection(way)
            self.set_entries(self._entries)

    def _dress(self, theme: Theme) -> None:
        self._mark.setPixmap(pixmap("table", theme.accent, self._themes.px(40), self.devicePixelRatioF()))
        self.open_button.setIcon(icon("folder-open", theme.accent_text))
        self.paste_button.setIcon(icon("clipboard-paste", theme.text))
        for button in self.entry_buttons:
            button.setIcon(icon("table", theme.text))
        self._inner.setMaximumWidth(self._themes.px(WIDTH))
