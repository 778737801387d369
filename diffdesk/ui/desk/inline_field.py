"""A field over a word of the text, to type over it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from diffdesk.ui.theme import ThemeKeeper

_BREAK = "↵"


class InlineField(QLineEdit):
    """Enter takes the text, Escape leaves it as it was; going elsewhere takes what was changed.

    Signals:
        taken(str): the new text; it may be empty.
        left(): nothing is to change.
    """

    taken = Signal(str)
    left = Signal()

    def __init__(self, themes: ThemeKeeper, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._themes = themes
        self._before = text.replace("\n", _BREAK)
        self._is_open = True
        self.setText(self._before)
        self.selectAll()
        self.setAccessibleName("New text of the word")
        self.setToolTip("Enter takes it, Esc leaves it as it was")

    def place_over(self, rect: QRectF) -> None:
        """Cover `rect` of the parent and a little more, without leaving the parent."""
        room = self.window().width() if (parent := self.parentWidget()) is None else parent.width()
        px = self._themes.px
        height = self.sizeHint().height()
        needed = self.fontMetrics().horizontalAdvance(self._before + "mmmm") + px(24)
        width = min(max(needed, px(120)), room - px(16))
        left = min(max(px(8), round(rect.left()) - px(10)), room - width - px(8))
        self.setGeometry(left, round(rect.center().y()) - height // 2, width, height)

    def close_quietly(self) -> None:
        """Go, without reporting anything."""
        self._is_open = False
        self.hide()
        self.deleteLater()

    def event(self, event: QEvent) -> bool:
        """Escape is this field's before it is the window's."""
        is_override = event.type() == QEvent.Type.ShortcutOverride
        if is_override and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
        else:
            super().keyPressEvent(event)
            event.accept()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        elsewhere = (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
        if self._is_open and event.reason() not in elsewhere:
            self._take()

    def _take(self) -> None:
        if self.text() == self._before:
            self.left.emit()
        else:
            self.taken.emit(self.text().replace(_BREAK, "\n"))
