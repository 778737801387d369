"""Scrolling to a place in a short, even movement; at once where nothing may move."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QVariantAnimation
from PySide6.QtWidgets import QAbstractScrollArea

from diffdesk.ui.theme import ThemeKeeper

SCROLL_MS = 160


class SmoothScroll(QObject):
    """Moves the scroll bars of a view."""

    def __init__(self, themes: ThemeKeeper, view: QAbstractScrollArea) -> None:
        super().__init__(view)
        self._themes = themes
        self._view = view
        self._motion = QVariantAnimation(self)
        self._motion.setDuration(SCROLL_MS)
        self._motion.valueChanged.connect(self._on_moved)

    def move_to(self, x: float, y: float, *, is_smooth: bool = True) -> None:
        """Go to these values of the bars, as far as they reach."""
        self.stop()
        across, down = self._view.horizontalScrollBar(), self._view.verticalScrollBar()
        start = QPointF(across.value(), down.value())
        goal = QPointF(min(max(round(x), 0), across.maximum()), min(max(round(y), 0), down.maximum()))
        if self._themes.is_motion_reduced or not is_smooth or not self._view.isVisible():
            self._on_moved(goal)
        elif goal != start:
            self._motion.setStartValue(start)
            self._motion.setEndValue(goal)
            self._motion.start()

    def stop(self) -> None:
        """Stay where it is: the user took over."""
        self._motion.stop()

    def _on_moved(self, place: object) -> None:
        if isinstance(place, QPointF):
            self._view.horizontalScrollBar().setValue(round(place.x()))
            self._view.verticalScrollBar().setValue(round(place.y()))
