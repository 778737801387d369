"""What an empty conversation shows: the one thing to do next, and two samples that are one click away."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton

from diffdesk.ui.empty_page import EmptyPage
from diffdesk.ui.icons import icon
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


class Welcome(EmptyPage):
    """See the module.

    Signals:
        sample_requested(str): "image" or "text".
    """

    sample_requested = Signal(str)

    def __init__(self, themes: ThemeKeeper) -> None:
        super().__init__(themes, "Welcome", TEXTS[Place.CORRECT][0], widest=WIDTH, narrow=NARROW)
        self.image_button = QPushButton(" Try a sample image")
        self.text_button = QPushButton(" Try a sample text")
        self.image_button.setAccessibleName("Try a sample image")
        self.text_button.setAccessibleName("Try a sample text")
        self.line = label("", "small", is_wrapped=True)
        self.line.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.line.hide()
        column = self.column
        column.setSpacing(8)
        column.addStretch(2)
        self.add_head(column, self.image_button, self.text_button)
        column.addSpacing(24)
        column.addWidget(self.line)
        column.addStretch(3)
        self.image_button.clicked.connect(lambda: self.sample_requested.emit("image"))
        self.text_button.clicked.connect(lambda: self.sample_requested.emit("text"))
        self.set_place(Place.CORRECT)
        self.dress(themes.theme)

    def set_place(self, place: Place) -> None:
        """What the composer is for."""
        symbol, title, text = TEXTS[place]
        self.set_symbol(symbol)
        self.title.setText(title)
        self.text.setText(text)
        for button in (self.image_button, self.text_button):
            button.setVisible(place is Place.CORRECT)

    def set_line(self, text: str) -> None:
        """One line on what a larger model would add."""
        self.line.setText(text)
        self.line.setVisible(bool(text))

    def dress(self, theme: Theme) -> None:
        super().dress(theme)
        self.image_button.setIcon(icon("image", theme.text))
        self.text_button.setIcon(icon("file-text", theme.text))
