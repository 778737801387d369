"""Where the sidebar, the conversation and the settings stand: beside each other where there is room, else on top.

The panels slide in under 200 ms, or at once with reduced motion. Knows nothing of what is in them.
"""

from __future__ import annotations

from PySide6.QtCore import QEasingCurve, QRect, QVariantAnimation, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from diffdesk.ui.theme import ThemeKeeper

SIDEBAR_WIDTH = 264
PANEL_WIDTH = 320
LEAST_CENTRE = 720 - SIDEBAR_WIDTH
"""Pixels at 100 % that the conversation keeps; with less, a panel lies on top of it. So all three stand beside each
other from 1,040 pixels on, and the sidebar from 720 on."""

SLIDE_MS = 160


class Veil(QWidget):
    """Darkens what a panel on top covers; a click there closes the panel."""

    clicked = Signal()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        del event
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shade = QColor("#000000")
        shade.setAlphaF(0.35)
        painter.fillRect(event.rect(), shade)
        painter.end()


class Stage(QWidget):
    """Sidebar, centre and panel. See the module.

    Signals:
        sidebar_shown(bool), panel_shown(bool): after the user or the room for it changed what is open.
    """

    sidebar_shown = Signal(bool)
    panel_shown = Signal(bool)

    def __init__(self, themes: ThemeKeeper, sidebar: QWidget, centre: QWidget, panel: QWidget) -> None:
        super().__init__()
        self._themes = themes
        self.sidebar, self.centre, self.panel = sidebar, centre, panel
        for one in (sidebar, centre, panel):
            one.setParent(self)
        self._veil = Veil(self)
        self._veil.hide()
        self._veil.clicked.connect(self._on_veil_clicked)
        self._wants_sidebar = True  # beside the conversation, where there is room
        self._sidebar_on_top = False
        self._is_panel_open = False
        self._shares = {"sidebar": 1.0, "panel": 0.0}
        self._slides: dict[str, QVariantAnimation] = {}
        panel.hide()
        themes.theme_changed.connect(lambda _: self._arrange())

    # --- what is open ---------------------------------------------------------------------------------

    @property
    def is_sidebar_open(self) -> bool:
        """Whether the sidebar can be seen, beside the conversation or on top of it."""
        return self._wants_sidebar if self._has_room_for_sidebar() else self._sidebar_on_top

    @property
    def is_panel_open(self) -> bool:
        """Whether the settings can be seen."""
        return self._is_panel_open

    @property
    def wants_sidebar(self) -> bool:
        """Whether the user keeps the sidebar open where there is room."""
        return self._wants_sidebar

    def keep_sidebar(self, is_wanted: bool) -> None:
        """Whether the sidebar stands beside the conversation where there is room."""
        self._wants_sidebar = is_wanted
        self._shares["sidebar"] = 1.0 if self.is_sidebar_open else 0.0
        self._arrange()

    def set_sidebar(self, is_open: bool) -> None:
        """Open or close the sidebar."""
        if self._has_room_for_sidebar():
            self._wants_sidebar = is_open
        else:
            self._sidebar_on_top = is_open
        self._slide("sidebar", is_open)
        self.sidebar_shown.emit(is_open)

    def set_panel(self, is_open: bool) -> None:
        """Open or close the settings."""
        if is_open == self._is_panel_open:
            return
        self._is_panel_open = is_open
        self._sidebar_on_top = False
        self._shares["sidebar"] = 1.0 if self.is_sidebar_open else 0.0
        self._slide("panel", is_open)
        self.panel_shown.emit(is_open)

    def _has_room_for_panel(self) -> bool:
        return self.width() >= self._themes.px(PANEL_WIDTH + LEAST_CENTRE)

    def _has_room_for_sidebar(self) -> bool:
        beside = PANEL_WIDTH if self._is_panel_open and self._has_room_for_panel() else 0
        return self.width() >= self._themes.px(SIDEBAR_WIDTH + LEAST_CENTRE + beside)

    # --- sliding and placing --------------------------------------------------------------------------

    def _slide(self, which: str, is_open: bool) -> None:
        goal = 1.0 if is_open else 0.0
        running = self._slides.pop(which, None)
        if running is not None:
            running.stop()
        if self._themes.is_motion_reduced or not self.isVisible():
            self._shares[which] = goal
            self._arrange()
            return
        slide = QVariantAnimation(self)
        slide.setDuration(SLIDE_MS)
        slide.setEasingCurve(QEasingCurve.Type.OutCubic)
        slide.setStartValue(self._shares[which])
        slide.setEndValue(goal)
        slide.valueChanged.connect(lambda value: self._on_slid(which, value))
        self._slides[which] = slide
        slide.start(QVariantAnimation.DeletionPolicy.KeepWhenStopped)

    def _on_slid(self, which: str, value: object) -> None:
        self._shares[which] = float(str(value))
        self._arrange()

    def _arrange(self) -> None:
        px = self._themes.px
        width, height = self.width(), self.height()
        side = min(px(SIDEBAR_WIDTH), width - px(48))
        wide = min(px(PANEL_WIDTH), width - px(48))
        left = round(side * self._shares["sidebar"])
        right = round(wide * self._shares["panel"])
        is_side_beside, is_panel_beside = self._has_room_for_sidebar(), self._has_room_for_panel()
        from_x = left if is_side_beside else 0
        to_x = width - (right if is_panel_beside else 0)
        self.sidebar.setGeometry(left - side, 0, side, height)
        self.panel.setGeometry(width - right, 0, wide, height)
        self.centre.setGeometry(QRect(from_x, 0, to_x - from_x, height))
        self.sidebar.setVisible(left > 0)
        self.panel.setVisible(right > 0)
        covers = (left > 0 and not is_side_beside) or (right > 0 and not is_panel_beside)
        self._veil.setVisible(covers)
        if covers:
            self._veil.setGeometry(self.rect())
            self._veil.raise_()
            self.sidebar.raise_()
            self.panel.raise_()

    def _on_veil_clicked(self) -> None:
        self.close_on_top()

    def close_on_top(self) -> bool:
        """Close what lies on top of the conversation; False if nothing does."""
        if self._is_panel_open and not self._has_room_for_panel():
            self.set_panel(False)
            return True
        if self._sidebar_on_top and not self._has_room_for_sidebar():
            self.set_sidebar(False)
            return True
        return False

    # --- Qt -------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if "sidebar" not in self._slides or self._slides["sidebar"].state() != QVariantAnimation.State.Running:
            self._shares["sidebar"] = 1.0 if self.is_sidebar_open else 0.0
        self._arrange()
