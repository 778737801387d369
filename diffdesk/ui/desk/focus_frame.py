"""The frame around a view that the keyboard was led into. A click shows where one is by itself."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPen
from PySide6.QtWidgets import QAbstractScrollArea

from diffdesk.ui.theme import ThemeKeeper

_BY_KEYBOARD = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)


class FocusFrame(QObject):
    """Watches a view and paints its frame while it is to be seen."""

    def __init__(self, themes: ThemeKeeper, view: QAbstractScrollArea) -> None:
        super().__init__(view)
        self._themes = themes
        self._view = view
        self._is_shown = False
        view.installEventFilter(self)

    def paint(self, painter: QPainter) -> None:
        """Along the edge of the view's viewport."""
        if self._is_shown:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._themes.theme.accent), 2))
            painter.drawRect(self._view.viewport().rect().adjusted(1, 1, -1, -1))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFocusEvent):
            self._is_shown = event.gotFocus() and event.reason() in _BY_KEYBOARD
            self._view.viewport().update()
        return super().eventFilter(watched, event)
