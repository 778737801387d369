"""What the rewriter shows without a table: how to get one in, and the tables that can be gone on with."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout

from diffdesk.ui.empty_page import EmptyPage
from diffdesk.ui.icons import icon
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


class RewriteEmpty(EmptyPage):
    """See the module."""

    open_requested = Signal()
    paste_requested = Signal()
    sheet_opened = Signal(int)

    def __init__(self, themes: ThemeKeeper) -> None:
        super().__init__(themes, "Rewrite a table", "table", widest=WIDTH, narrow=NARROW)
        self.title.setText(TITLE)
        self.text.setText(TEXT)
        self.open_button = QPushButton(" Open a table")
        self.paste_button = QPushButton(" Paste lines")
        self.open_button.setProperty("kind", "primary")
        self.open_button.setAccessibleName("Open a table")
        self.paste_button.setAccessibleName("Paste lines")
        self.paste_button.setToolTip("Each line of the clipboard becomes a row (Ctrl+V)")
        self._earlier = QVBoxLayout()
        self._entries: Sequence[SheetEntry] = ()
        self._was_narrow = self.is_narrow
        self.entry_buttons: list[QPushButton] = []
        self._notes: list[QLabel] = []
        self._entries_title = label("Go on with", "small")
        self._build()
        self.open_button.clicked.connect(self.open_requested)
        self.paste_button.clicked.connect(self.paste_requested)
        self.set_entries(())
        self.dress(themes.theme)

    def set_entries(self, entries: Sequence[SheetEntry]) -> None:
        """The sheets that can be gone on with, the last one first."""
        for widget in (*self.entry_buttons, *self._notes):
            self._earlier.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.entry_buttons, self._notes = [], []
        self._entries = entries
        most = NAME_CHARACTERS // 3 if self.is_narrow else NAME_CHARACTERS
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
        formats = label(FORMATS, "small", is_wrapped=True)
        for one in (formats, self._entries_title):
            one.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._earlier.setSpacing(4)
        self._earlier.addWidget(self._entries_title)
        column = self.column
        column.setSpacing(8)
        column.addStretch(2)
        self.add_head(column, self.open_button, self.paste_button)
        column.addSpacing(8)
        column.addWidget(formats)
        column.addSpacing(24)
        column.addLayout(self._earlier)
        column.addStretch(3)

    def fit(self) -> None:
        super().fit()
        if self.is_narrow != self._was_narrow:
            self._was_narrow = self.is_narrow
            self.set_entries(self._entries)

    def dress(self, theme: Theme) -> None:
        super().dress(theme)
        self.open_button.setIcon(icon("folder-open", theme.accent_text))
        self.paste_button.setIcon(icon("clipboard-paste", theme.text))
        for button in self.entry_buttons:
            button.setIcon(icon("table", theme.text))
