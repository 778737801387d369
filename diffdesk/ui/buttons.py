"""Buttons that are an icon with a name for assistive technology, in the colours of the palette in force.

Knows nothing of what a button does.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from diffdesk.ui.icons import icon

ICON_SHARE = 1.25
"""Side of an icon in heights of a capital-to-descender line's two thirds: 16 px at the usual 13 px font."""


def icon_side(widget: QWidget) -> int:
    """The side of an icon that stands beside text of the widget's font, in device-independent pixels."""
    return max(14, round(widget.fontMetrics().ascent() * ICON_SHARE))


class IconButton(QToolButton):
    """A flat button with an icon. The name is its tooltip and what a screen reader says."""

    def __init__(self, symbol: str, name: str, *, shortcut: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._symbol = symbol
        self._role = QPalette.ColorRole.ButtonText
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_name(name, shortcut)
        self._redraw()

    @property
    def symbol(self) -> str:
        """The name of the icon shown."""
        return self._symbol

    def set_symbol(self, symbol: str) -> None:
        """Show another icon."""
        if symbol != self._symbol:
            self._symbol = symbol
            self._redraw()

    def set_name(self, name: str, shortcut: str = "") -> None:
        """Say something else."""
        self.setAccessibleName(name)
        self.setToolTip(f"{name} ({shortcut})" if shortcut else name)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the palette and the font."""
        super().changeEvent(event)
        kinds = (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.EnabledChange)
        if event.type() in kinds:
            self._redraw()

    def _redraw(self) -> None:
        side = icon_side(self)
        self.setIconSize(QSize(side, side))
        if self._symbol:
            self.setIcon(icon(self._symbol, self.palette().color(self._role).name()))


class QuietButton(IconButton):
    """An icon button that is drawn only while its owner wants it seen; the keyboard reaches it all the same."""

    def __init__(self, symbol: str, name: str, *, shortcut: str = "", parent: QWidget | None = None) -> None:
        self._is_shown = False
        super().__init__(symbol, name, shortcut=shortcut, parent=parent)

    @property
    def is_shown(self) -> bool:
        """Whether it is drawn."""
        return self._is_shown or self.hasFocus()

    def set_shown(self, is_shown: bool) -> None:
        """Draw it or not; its place stays."""
        if is_shown != self._is_shown:
            self._is_shown = is_shown
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.is_shown:
            super().paintEvent(event)


class MenuButton(QToolButton):
    """A button with a text, a small arrow and a menu: the chips of the header."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setProperty("kind", "chip")
        self.setAccessibleName(name)
        self.setMenu(QMenu(self))
        self._share = -1.0
        self.setIconSize(QSize(icon_side(self), icon_side(self)))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.setIconSize(QSize(icon_side(self), icon_side(self)))

    def set_progress(self, share: float) -> None:
        """A line along the lower edge, 0…1 long; negative for none."""
        if share != self._share:
            self._share = share
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._share >= 0:
            painter = QPainter(self)
            length = round((self.width() - 16) * min(1.0, max(0.02, self._share)))
            painter.fillRect(8, self.height() - 3, length, 2, self.palette().color(QPalette.ColorRole.Highlight))
            painter.end()
