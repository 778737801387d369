"""The two narrow heads above the page's image and its text: name and zoom; how the review stands, undo, other pages."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.canvas.still import StillLabel
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper


class Head(QFrame):
    """A line with a text that gives way and small buttons at its end."""

    def __init__(self, themes: ThemeKeeper, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setProperty("kind", "bar")
        self.setAccessibleName(name)
        self.text = StillLabel(themes, size=0.88)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(16, 2, 8, 2)
        self.row.setSpacing(2)
        self.row.addWidget(self.text, 1)
        themes.theme_changed.connect(lambda _: scale_spacing(self, themes.zoom))

    def add(self, *buttons: QWidget) -> None:
        """Put buttons at the end."""
        for one in buttons:
            self.row.addWidget(one)


class ImageHead(Head):
    """Name of the page and its zoom.

    Signals:
        pressed(str): "out", "in", "width", "page" or "toggle".
    """

    pressed = Signal(str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(themes, "Page", parent)
        self.out_button = IconButton("zoom-out", "Smaller page", shortcut="−")
        self.zoom_button = QPushButton("100 %")
        self.in_button = IconButton("zoom-in", "Larger page", shortcut="+")
        self.width_button = IconButton("move-horizontal", "As wide as there is room", shortcut="0")
        self.page_button = IconButton("maximize", "The whole page", shortcut="0")
        self.zoom_button.setProperty("kind", "quiet")
        self.zoom_button.setToolTip("Whole page or full width (0)")
        self.width_button.setCheckable(True)
        self.page_button.setCheckable(True)
        self.add(self.out_button, self.zoom_button, self.in_button, self.width_button, self.page_button)
        pairs = (
            (self.out_button, "out"),
            (self.in_button, "in"),
            (self.width_button, "width"),
            (self.page_button, "page"),
            (self.zoom_button, "toggle"),
        )
        for button, name in pairs:
            button.clicked.connect(lambda _=False, one=name: self.pressed.emit(one))

    def show_zoom(self, zoom: float, fit: str) -> None:
        """How large the page is shown, and what that follows."""
        self.zoom_button.setText(f"{zoom * 100:.0f} %")
        self.zoom_button.setAccessibleName(f"Page at {zoom * 100:.0f} percent")
        self.width_button.setChecked(fit == "width")
        self.page_button.setChecked(fit == "page")


class TextHead(Head):
    """How the review stands; undo, redo, the page before and the next one.

    Signals:
        pressed(str): "undo", "redo", "previous" or "next".
    """

    pressed = Signal(str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(themes, "Review", parent)
        self.undo_button = IconButton("undo-2", "Take the last decision back", shortcut="U")
        self.redo_button = IconButton("redo-2", "Make it again", shortcut="Shift+U")
        self.previous_button = IconButton("chevron-left", "Previous page", shortcut="P")
        self.next_button = IconButton("chevron-right", "Next page", shortcut="N")
        self.add(self.undo_button, self.redo_button, self.previous_button, self.next_button)
        pairs = (
            (self.undo_button, "undo"),
            (self.redo_button, "redo"),
            (self.previous_button, "previous"),
            (self.next_button, "next"),
        )
        for button, name in pairs:
            button.clicked.connect(lambda _=False, one=name: self.pressed.emit(one))
