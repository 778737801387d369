"""Find in the conversation: a field, how many matches there are, and the way from one to the next.

It searches texts that are given to it and says which match to show. Knows nothing of widgets that show them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.message_parts import label

PAUSE_MS = 150

Texts = Callable[[], Sequence[tuple[int, str]]]
"""Gives each message's id and text, first to last."""


def matches(query: str, texts: Sequence[tuple[int, str]]) -> list[tuple[int, int]]:
    """Each occurrence as (message id, which occurrence in it), regardless of case, not overlapping."""
    wanted = query.casefold()
    if not wanted:
        return []
    return [(message, number) for message, text in texts for number in range(text.casefold().count(wanted))]


class FindBar(QFrame):
    """See the module.

    Signals:
        moved(str, tuple | None): what to mark, and the match to go to.
        closed(): the bar was closed; nothing is to be marked.
    """

    moved = Signal(str, object)
    closed = Signal()

    def __init__(self, texts: Texts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts = texts
        self._matches: list[tuple[int, int]] = []
        self._current = 0
        self.setProperty("kind", "bar")
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find in this conversation")
        self.field.setAccessibleName("Find in this conversation")
        self.field.setClearButtonEnabled(True)
        self.count = label("", "small")
        self.previous_button = IconButton("chevron-up", "Previous match", shortcut="Shift+F3")
        self.next_button = IconButton("chevron-down", "Next match", shortcut="F3")
        close = IconButton("x", "Close the search", shortcut="Esc")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(self.count)
        for button in (self.previous_button, self.next_button, close):
            row.addWidget(button)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._on_pause)
        self.field.textChanged.connect(self._pause.start)
        self.previous_button.clicked.connect(lambda: self.step(-1))
        self.next_button.clicked.connect(lambda: self.step(1))
        close.clicked.connect(self.close_bar)
        self.hide()
        self._show_count()

    @property
    def match_count(self) -> int:
        """How many matches there are."""
        return len(self._matches)

    def open_bar(self) -> None:
        """Show the bar with the keyboard in it."""
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()
        if self.field.text():
            self._on_pause()

    def close_bar(self) -> None:
        """Take the bar and all marks away."""
        if self.isVisible():
            self._pause.stop()
            self.hide()
            self.closed.emit()

    def step(self, by: int) -> None:
        """Go to the next match, or the one before; round at the ends."""
        if self._pause.isActive():
            self._pause.stop()
            self._search()
        elif self._matches:
            self._current = (self._current + by) % len(self._matches)
        self._report()

    def _on_pause(self) -> None:
        self._search()
        self._report()

    def _search(self) -> None:
        self._matches = matches(self.field.text(), self._texts())
        # The newest is what one most often looks for, and what is on the screen.
        self._current = len(self._matches) - 1

    def _report(self) -> None:
        self._show_count()
        match = self._matches[self._current] if self._matches else None
        self.moved.emit(self.field.text(), match)

    def _show_count(self) -> None:
        total = len(self._matches)
        text = "" if not self.field.text() else "No match" if not total else f"{self._current + 1:,} of {total:,}"
        self.count.setText(text)
        self.field.setAccessibleDescription(text)
        for button in (self.previous_button, self.next_button):
            button.setEnabled(total > 0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes on, Shift+Enter back, Escape closes."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.step(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.close_bar()
        else:
            super().keyPressEvent(event)
