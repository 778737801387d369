"""What lies behind a row of a list: whether it is selected, pointed at, or has the keyboard. Knows nothing of rows."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle

from diffdesk.ui.theme import ThemeKeeper


def paint_row_back(painter: QPainter, themes: ThemeKeeper, box: QRect, state: QStyle.StateFlag) -> None:
    """Draw it within `box`."""
    theme, px = themes.theme, themes.px
    is_selected = bool(state & QStyle.StateFlag.State_Selected)
    if is_selected or state & QStyle.StateFlag.State_MouseOver:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent_soft if is_selected else theme.hover))
        painter.drawRoundedRect(box, px(6), px(6))
    if is_selected:  # a second sign besides the colour
        painter.setBrush(QColor(theme.accent))
        bar = QRectF(box.left(), box.top() + px(8), px(3), box.height() - px(16))
        painter.drawRoundedRect(bar, 1.5, 1.5)
    if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_KeyboardFocusChange:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(theme.accent), 2))
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), px(6), px(6))
