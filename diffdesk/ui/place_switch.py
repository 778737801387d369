"""Where in the window one is: conversations, the correction desk, the rewriter; a switch along the top.

Says which place the user wants. Knows nothing of what is done there.
"""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton

from diffdesk.ui.buttons import icon_side
from diffdesk.ui.icons import icon
from diffdesk.ui.theme import ThemeKeeper


class WindowPlace(StrEnum):
    """A place of the window."""

    CONVERSATIONS = "conversations"
    DESK = "desk"
    REWRITER = "rewriter"


NAMES = {
    WindowPlace.CONVERSATIONS: "Conversations",
    WindowPlace.DESK: "Desk",
    WindowPlace.REWRITER: "Rewriter",
}
_HELP = {
    WindowPlace.CONVERSATIONS: "Chat, or correct a text or an image (Ctrl+1)",
    WindowPlace.DESK: "Correct pages: images, PDF files, folders (Ctrl+2)",
    WindowPlace.REWRITER: "Rewrite the rows of a table (Ctrl+3)",
}
_SYMBOLS = {
    WindowPlace.CONVERSATIONS: "messages-square",
    WindowPlace.DESK: "scan-text",
    WindowPlace.REWRITER: "table-2",
}


class PlaceSwitch(QFrame):
    """Three buttons, one of them down. `chosen(place)` comes with the user's choice alone."""

    chosen = Signal(str)

    def __init__(self, themes: ThemeKeeper) -> None:
        super().__init__()
        self._themes = themes
        self._is_narrow = False
        self.setObjectName("placeSwitch")
        self.setAccessibleName("Where to be")
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[WindowPlace, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for place, name in NAMES.items():
            button = QPushButton(f" {name}")
            button.setProperty("kind", "quiet")
            button.setCheckable(True)
            button.setToolTip(_HELP[place])
            button.setAccessibleName(name)
            button.setAccessibleDescription(_HELP[place])
            button.clicked.connect(lambda _=False, one=place: self.chosen.emit(one.value))
            button.toggled.connect(self._on_toggled)
            self._group.addButton(button)
            self._buttons[place] = button
            row.addWidget(button)
        self._buttons[WindowPlace.CONVERSATIONS].setChecked(True)
        themes.theme_changed.connect(self._dress)
        self._dress()

    def button(self, place: WindowPlace) -> QPushButton:
        """The button of a place."""
        return self._buttons[place]

    def set_place(self, place: WindowPlace) -> None:
        """Show where one is; reports nothing."""
        self._buttons[place].setChecked(True)

    def set_narrow(self, is_narrow: bool) -> None:
        """Whether there is room for the icons alone."""
        self._is_narrow = is_narrow
        for place, button in self._buttons.items():
            button.setText("" if is_narrow else f" {NAMES[place]}")

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._dress()

    def _on_toggled(self) -> None:
        """Tab goes to the place where one is; by itself Qt keeps to the button that had the keyboard last."""
        for button in self._buttons.values():
            is_here = button.isChecked()
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if is_here else Qt.FocusPolicy.ClickFocus)
        self._dress()

    def _dress(self) -> None:
        theme, side = self._themes.theme, icon_side(self)
        for place, button in self._buttons.items():
            button.setIcon(icon(_SYMBOLS[place], theme.accent if button.isChecked() else theme.text))
            button.setIconSize(QSize(side, side))
