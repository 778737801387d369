"""What is to be done with pages that were dropped outside of the desk: correct their text, or ask about them."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QDialog,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)

from diffdesk.ui.desk import words
from diffdesk.ui.icons import pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper

CORRECT, ASK = "correct", "ask"


class LargeButton(QPushButton):
    """A button with a large sign, a title, its key and a line on what it does."""

    def __init__(self, themes: ThemeKeeper, symbol: str, title: str, text: str, key: str) -> None:
        super().__init__()
        self._themes = themes
        self._symbol, self._title, self._text, self._key = symbol, title, text, key
        self.setAccessibleName(title)
        self.setAccessibleDescription(f"{text} Key {key}")
        self.setToolTip(f"{title} ({key})")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAutoDefault(True)

    def sizeHint(self) -> QSize:
        px = self._themes.px
        return QSize(px(232), px(124))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._themes.px(200), self._themes.px(124))

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        theme, px = self._themes.theme, self._themes.px
        option = QStyleOptionButton()
        self.initStyleOption(option)
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        is_on = self.isEnabled()
        side = px(28)
        mark = pixmap(self._symbol, theme.accent if is_on else theme.text_muted, side, self.devicePixelRatioF())
        painter.drawPixmap((self.width() - side) // 2, px(16), mark)
        centre = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        painter.setPen(QColor(theme.text if is_on else theme.text_muted))
        painter.setFont(self._themes.font(1.1, is_bold=True))
        high = painter.fontMetrics().height()
        top = px(16) + side + px(8)
        painter.drawText(QRectF(0, top, self.width(), high), centre, f"{self._title}  ({self._key})")
        painter.setFont(self._themes.font(0.88))
        painter.setPen(QColor(theme.text_muted))
        below = QRectF(px(12), top + high + px(4), self.width() - px(24), self.height() - top - high - px(8))
        painter.drawText(below, centre | int(Qt.TextFlag.TextWordWrap), self._text)
        painter.end()


class DropQuestion(QDialog):
    """See the module. C and A choose, Escape leaves it.

    Signals:
        chosen(str): "correct" or "ask".
    """

    chosen = Signal(str)

    def __init__(
        self, themes: ThemeKeeper, count: int, noun: str = "image", cannot_ask: str = "", parent: QWidget | None = None
    ) -> None:
        """So many of what `noun` says were dropped; `cannot_ask` says why they can't be asked about, if so."""
        super().__init__(parent)
        self.setWindowTitle(f"Dropped {noun}s")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        what = f"this {noun}" if count == 1 else f"these {words.counted(count, noun)}"
        self._themes = themes
        self.correct_button = LargeButton(
            themes, "spell-check", "Correct the text", "Read it, correct it, review each change.", "C"
        )
        ask = "Ask about it" if count == 1 else "Ask about them"
        self.ask_button = LargeButton(themes, "message-square", ask, f"Opens a chat with {what}.", "A")
        self.reason = label(cannot_ask, "small", is_wrapped=True)
        self.reason.setVisible(bool(cannot_ask))
        self.ask_button.setEnabled(not cannot_ask)
        if cannot_ask:
            self.ask_button.setAccessibleDescription(cannot_ask)
            self.ask_button.setToolTip(cannot_ask)
        title = label(f"What should be done with {what}?", "heading", is_wrapped=True)
        self._buttons = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._buttons.setSpacing(16)
        self._buttons.addWidget(self.correct_button)
        self._buttons.addWidget(self.ask_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(16)
        column.addWidget(title)
        column.addLayout(self._buttons)
        column.addWidget(self.reason)
        scale_spacing(self, themes.zoom)
        if parent is not None and parent.width() < themes.px(560):
            self._buttons.setDirection(QBoxLayout.Direction.TopToBottom)
        self.correct_button.setDefault(True)
        self.correct_button.setFocus()
        self.correct_button.clicked.connect(lambda: self._choose(CORRECT))
        self.ask_button.clicked.connect(lambda: self._choose(ASK))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_C and not event.modifiers():
            self._choose(CORRECT)
        elif event.key() == Qt.Key.Key_A and not event.modifiers():
            if self.ask_button.isEnabled():
                self._choose(ASK)
        else:
            super().keyPressEvent(event)

    def _choose(self, which: str) -> None:
        self.chosen.emit(which)
        self.accept()
