"""The places of the window, one of them shown: a place gets its widget when it is first wanted. Knows none of them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from diffdesk.ui.banner import Toast
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper


class PlaceStack(QStackedWidget):
    """See the module.

    Signals:
        requested(str): a place is wanted that has no widget yet; answered by `add`.
        opened(str): one is in another place now.
    """

    requested = Signal(str)
    opened = Signal(str)

    def __init__(self, themes: ThemeKeeper, conversations: QWidget) -> None:
        super().__init__()
        self._themes = themes
        self._widgets = {WindowPlace.CONVERSATIONS: conversations}
        self.addWidget(conversations)
        self.setMinimumHeight(1)  # where it is tight, places are scrolled and banners are read whole
        self.toast = Toast(self)

    @property
    def place(self) -> WindowPlace:
        """Where one is."""
        shown = self.currentWidget()
        return next(place for place, widget in self._widgets.items() if widget is shown)

    def add(self, place: WindowPlace, widget: QWidget) -> None:
        """Give a place its widget."""
        self._widgets[place] = widget
        self.addWidget(widget)
        scale_spacing(widget, self._themes.zoom)

    def open(self, place: WindowPlace) -> None:
        """Go to a place."""
        if place not in self._widgets:
            self.requested.emit(place.value)
        widget = self._widgets.get(place)
        if widget is None or widget is self.currentWidget():
            return
        self.setCurrentWidget(widget)
        self.toast.raise_()
        widget.setFocus(Qt.FocusReason.OtherFocusReason)
        self.opened.emit(place.value)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The toast keeps to the lower edge."""
        super().resizeEvent(event)
        if self.toast.isVisible():
            self.toast.place()
