"""What an empty conversation shows: the one thing to do next, and two samples that are one click away."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from diffdesk.ui.icons import icon, pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.theme import Theme, ThemeKeeper
from diffdesk.ui.views import Place

TEXTS = {
    Place.CORRECT: (
        "spell-check",
        "Drop an image of text, or paste noisy text",
        "You will see its errors being corrected, on this machine and nowhere else.",
    ),
    Place.CHAT: (
        "message-square",
        "Write a message, or drop an image",
        "The answer forms all at once, on this machine and nowhere else.",
    ),
}
WIDTH = 560
NARROW = 400


class Welcome(QScrollArea):
    """See the module.

    Signals:
        sample_requested(str): "image" or "text".
    """

    sample_requested = Signal(str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._place = Place.CORRECT
        self.setProperty("kind", "page")
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Welcome")
        self._mark = QLabel()
        self._title = label("", "title", is_wrapped=True)
        self._text = label("", "muted", is_wrapped=True)
        self.image_button = QPushButton(" Try a sample image")
        self.text_button = QPushButton(" Try a sample text")
        self.image_button.setAccessibleName("Try a sample image")
        self.text_button.setAccessibleName("Try a sample text")
        self.line = label("", "small", is_wrapped=True)
        self.line.hide()
        self._build()
        self.image_button.clicked.connect(lambda: self.sample_requested.emit("image"))
        self.text_button.clicked.connect(lambda: self.sample_requested.emit("text"))
        themes.theme_changed.connect(self._dress)
        self.set_place(Place.CORRECT)

    def set_place(self, place: Place) -> None:
        """What the composer is for."""
        self._place = place
        _, title, text = TEXTS[place]
        self._title.setText(title)
        self._text.setText(text)
        is_correct = place is Place.CORRECT
        self.image_button.setVisible(is_correct)
        self.text_button.setVisible(is_correct)
        self._dress(self._themes.theme)

    def set_line(self, text: str) -> None:
        """One line on what a larger model would add."""
        self.line.setText(text)
        self.line.setVisible(bool(text))

    def _build(self) -> None:
        page = QWidget()
        page.setProperty("kind", "page")
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._page = page
        centred = Qt.AlignmentFlag.AlignHCenter
        for one in (self._title, self._text, self.line, self._mark):
            one.setAlignment(Qt.AlignmentFlag.AlignCenter)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self.image_button)
        buttons.addWidget(self.text_button)
        buttons.addStretch(1)
        self._buttons = buttons
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._mark, 0, centred)
        column.addSpacing(8)
        column.addWidget(self._title)
        column.addWidget(self._text)
        column.addSpacing(16)
        column.addLayout(buttons)
        column.addSpacing(24)
        column.addWidget(self.line)
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
        way = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        self._buttons.setDirection(way)

    def _dress(self, theme: Theme) -> None:
        symbol = TEXTS[self._place][0]
        self._mark.setPixmap(pixmap(symbol, theme.accent, self._themes.px(40), self.devicePixelRatioF()))
        self.image_button.setIcon(icon("image", theme.text))
        self.text_button.setIcon(icon("file-text", theme.text))
        self._inner.setMaximumWidth(self._themes.px(WIDTH))
