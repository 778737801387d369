"""Colours, type and motion for the whole window: the keeper that follows the desktop and the user's choice.

Knows no widget of ours; widgets read `ThemeKeeper.theme` and draw again on `theme_changed`. The colours themselves are
in `colours` and may be imported from here.
"""

from __future__ import annotations

import os
from typing import Literal, get_args

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyle

from diffdesk.ui.colours import AA, AA_GRAPHIC, AAA, CIVIDIS, DARK, LIGHT, Theme, blend, contrast
from diffdesk.ui.stylesheet import build_stylesheet

__all__ = ["AA", "AAA", "AA_GRAPHIC", "CIVIDIS", "DARK", "LIGHT", "Theme", "ThemeKeeper", "blend", "contrast"]

Scheme = Literal["system", "light", "dark"]
Motion = Literal["system", "reduced", "full"]

REDUCED_MOTION_VARIABLE = "DIFFDESK_REDUCED_MOTION"
ZOOM_STEPS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
SMALLEST_BODY_POINTS = 10.5
# What Fusion calls the accent where the desktop names none.
_NO_ACCENT = "#308cc6"


class ThemeKeeper(QObject):
    """Keeps the application in one theme: follows the desktop unless the user chose, and applies every change.

    `theme_changed` carries the new `Theme`; it is also emitted after a change of zoom, because both mean: lay out and
    draw again. `motion_changed` carries whether motion is reduced.
    """

    theme_changed = Signal(object)
    zoom_changed = Signal(float)
    motion_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scheme: Scheme = "system"
        self._motion: Motion = "system"
        self._zoom = 1.0
        self._theme = LIGHT
        self._system_font = QFont(QGuiApplication.font())
        self._is_applying = False
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_desktop_changed)

    # --- what widgets read ----------------------------------------------------------------------------

    @property
    def theme(self) -> Theme:
        """The theme in use."""
        return self._theme

    @property
    def scheme(self) -> Scheme:
        """What the user chose: follow the system, light or dark."""
        return self._scheme

    @property
    def zoom(self) -> float:
        """The size of text and spacing, 0.8…2.0."""
        return self._zoom

    @property
    def scale(self) -> float:
        """The same as `zoom`: pixels for one pixel of the 8-pixel grid."""
        return self._zoom

    def px(self, pixels: float) -> int:
        """A distance of the grid at the present zoom, at least one pixel."""
        return max(1, round(pixels * self._zoom)) if pixels > 0 else 0

    def font(self, factor: float = 1.0, *, is_bold: bool = False) -> QFont:
        """The desktop's own font at the present zoom."""
        font = QFont(self._system_font)
        font.setPointSizeF(self._body_points() * factor)
        if is_bold:
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def monospace(self, factor: float = 1.0) -> QFont:
        """The platform's own font for code at the present zoom."""
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self._body_points() * factor * 0.95)
        return font

    @property
    def is_motion_reduced(self) -> bool:
        """Whether nothing may move that need not: the user's choice, else the environment's, else the desktop's."""
        if self._motion != "system":
            return self._motion == "reduced"
        wanted = os.environ.get(REDUCED_MOTION_VARIABLE, "").strip().lower()
        if wanted:
            return wanted not in ("0", "false", "no", "off")
        style = QApplication.style()
        return style.styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration) == 0

    # --- what the user changes ------------------------------------------------------------------------

    def set_scheme(self, scheme: str) -> None:
        """Follow the "system", or keep "light" or "dark"; raises `ValueError` for anything else."""
        if scheme not in get_args(Scheme):
            raise ValueError(f"no colour scheme {scheme!r}")
        self._scheme = "light" if scheme == "light" else "dark" if scheme == "dark" else "system"
        self._refresh()

    def set_zoom(self, zoom: float) -> None:
        """Text and spacing at 0.8…2.0 of their size; values outside are brought inside."""
        zoom = min(max(zoom, ZOOM_STEPS[0]), ZOOM_STEPS[-1])
        if zoom != self._zoom:
            self._zoom = zoom
            self._refresh()
            self.zoom_changed.emit(zoom)

    def zoom_in(self) -> None:
        """One step larger."""
        self.set_zoom(next((step for step in ZOOM_STEPS if step > self._zoom + 1e-6), ZOOM_STEPS[-1]))

    def zoom_out(self) -> None:
        """One step smaller."""
        self.set_zoom(next((step for step in reversed(ZOOM_STEPS) if step < self._zoom - 1e-6), ZOOM_STEPS[0]))

    def reset_zoom(self) -> None:
        """Back to 100 %."""
        self.set_zoom(1.0)

    def set_motion(self, motion: str) -> None:
        """Follow the "system", or "reduced", or "full"; raises `ValueError` for anything else."""
        if motion not in get_args(Motion):
            raise ValueError(f"no motion setting {motion!r}")
        before = self.is_motion_reduced
        self._motion = "reduced" if motion == "reduced" else "full" if motion == "full" else "system"
        if self.is_motion_reduced != before:
            self.motion_changed.emit(self.is_motion_reduced)

    # --- doing it -------------------------------------------------------------------------------------

    def apply(self, app: QApplication) -> None:
        """Dress the application: style, palette, font and style sheet. Call once, before windows are shown."""
        self._system_font = QFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont))
        app.setStyle("Fusion")
        self._refresh()

    def stylesheet(self) -> str:
        """The one style sheet of the application at the present theme and zoom."""
        return build_stylesheet(self._theme, self._zoom, self._body_points())

    def _body_points(self) -> float:
        points = self._system_font.pointSizeF()
        return max(points, SMALLEST_BODY_POINTS) * self._zoom

    def _on_desktop_changed(self) -> None:
        if not self._is_applying:
            self._refresh()

    def _refresh(self) -> None:
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        self._is_applying = True  # what follows makes Qt report changes of its own
        try:
            _ask_for_scheme(self._scheme)
            app.setPalette(QPalette())  # back to the desktop's, to read its accent and lightness
            desktop = app.palette()
            base = DARK if self._is_dark(desktop) else LIGHT
            accent = desktop.color(QPalette.ColorRole.Accent).name()
            self._theme = base if accent == _NO_ACCENT else base.with_accent(accent)
            app.setPalette(palette_of(self._theme))
            app.setFont(self.font())
            app.setStyleSheet(self.stylesheet())
        finally:
            self._is_applying = False
        self.theme_changed.emit(self._theme)

    def _is_dark(self, desktop: QPalette) -> bool:
        if self._scheme != "system":
            return self._scheme == "dark"
        scheme = QGuiApplication.styleHints().colorScheme()
        if scheme != Qt.ColorScheme.Unknown:
            return scheme == Qt.ColorScheme.Dark
        return desktop.color(QPalette.ColorRole.Window).lightness() < 128


def _ask_for_scheme(scheme: Scheme) -> None:
    """Tell the platform, so that the window's frame and native dialogs follow."""
    hints = QGuiApplication.styleHints()
    if scheme == "system":
        hints.unsetColorScheme()
    else:
        hints.setColorScheme(Qt.ColorScheme.Dark if scheme == "dark" else Qt.ColorScheme.Light)


def palette_of(theme: Theme) -> QPalette:
    """The palette for what the style sheet doesn't reach: native sub-controls, rich text, disabled states."""
    palette = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.surface,
        role.AlternateBase: theme.window,
        role.Text: theme.text,
        role.PlaceholderText: theme.text_muted,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.danger,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Highlight: theme.selection,
        role.HighlightedText: theme.text,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Accent: theme.accent,
        role.Light: theme.raised,
        role.Midlight: theme.hover,
        role.Mid: theme.border,
        role.Dark: theme.border_strong,
        role.Shadow: theme.border,
    }
    for one, colour in colours.items():
        palette.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, one, QColor(theme.text_muted))
    return palette
