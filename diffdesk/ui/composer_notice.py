"""The line above the composer's field: what can't be done as it stands, with at most one thing to do about it.

Knows nothing of models and images; it is told its words.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from diffdesk.ui.banner import announce
from diffdesk.ui.icons import pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.theme import Theme, ThemeKeeper


class ComposerNotice(QFrame):
    """A sign, a sentence or two, and a button; hidden while there is nothing to say.

    Signals:
        pressed(): the button.
    """

    pressed = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setProperty("kind", "info")
        self._mark = QLabel()
        self.text = label("", "body", is_wrapped=True)
        self.button = QPushButton()
        self.button.clicked.connect(self.pressed)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button)
        buttons.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(8)
        words.addWidget(self.text)
        words.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(12)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        self.hide()
        self._dress(themes.theme)
        themes.theme_changed.connect(self._dress)

    def say(self, text: str, action: str) -> None:
        """Show `text` and a button called `action`; nothing at all for an empty text."""
        is_new = bool(text) and text != self.text.text()
        self.text.setText(text)
        self.button.setText(action)
        self.button.setAccessibleDescription(text)
        self.setAccessibleName(text)
        self.setVisible(bool(text))
        if is_new:
            announce(self, text)

    def _dress(self, theme: Theme) -> None:
        side = self._themes.px(18)
        self._mark.setPixmap(pixmap("info", theme.accent, side, self.devicePixelRatioF()))
