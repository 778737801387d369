"""Margins and gaps of layouts, and icons on buttons, at the zoom in force.

Layouts are written for 100 %; this scales them, always from what was written, so that nothing adds up. Knows no widget.
"""

from __future__ import annotations

from PySide6.QtCore import QMargins, QSize
from PySide6.QtWidgets import QLayout, QPushButton, QWidget

BUTTON_ICON = 16
"""Side of an icon beside a button's text, at 100 %."""

_WRITTEN = "written_spacing"


def scale_spacing(root: QWidget, zoom: float) -> None:
    """Scale margins and gaps of every layout below `root` to `zoom` times what they were first set to."""
    for layout in (root.layout(), *root.findChildren(QLayout)):
        if layout is not None:
            _scale(layout, zoom)
    side = round(BUTTON_ICON * zoom)
    for button in root.findChildren(QPushButton):
        button.setIconSize(QSize(side, side))


def _scale(layout: QLayout, zoom: float) -> None:
    written = layout.property(_WRITTEN)
    if not isinstance(written, list):
        if zoom == 1.0:
            return
        margins = layout.contentsMargins()
        written = [margins.left(), margins.top(), margins.right(), margins.bottom(), layout.spacing()]
        layout.setProperty(_WRITTEN, written)
    left, top, right, bottom, gap = (round(one * zoom) for one in written)
    layout.setContentsMargins(QMargins(left, top, right, bottom))
    if gap >= 0:
        layout.setSpacing(gap)
