"""The boxes drawn over the image of a page: a colour of certainty, and a solid (change) or dotted (doubt) line.

They lie on the page's paper, which is light in both themes, and so are their colours.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import Piece
from diffdesk.ui.theme import LIGHT as PAPER


def paint_outline(painter: QPainter, rect: QRectF, piece: Piece) -> None:
    """The quiet outline of a change or an uncertain word."""
    is_open = words.is_undecided(piece)
    if words.is_change(piece):
        colour = PAPER.certainty_colour(piece.certainty) if is_open else QColor(PAPER.border_strong)
        pen = QPen(colour, 1.5 if is_open else 1.0)
    else:
        pen = QPen(PAPER.certainty_colour(1 - piece.doubt), 1.5)
        pen.setDashPattern([2.0, 2.0])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    box = rect.adjusted(-2, -1, 2, 1)
    halo = QColor(PAPER.surface)
    halo.setAlphaF(0.75)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(halo, 3))
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(pen)
    painter.drawRoundedRect(box, 3, 3)


def paint_marked(painter: QPainter, rect: QRectF, *, is_strong: bool) -> None:
    """The mark of the piece in hand or, less strong, of that under the mouse."""
    if rect.isEmpty():
        return
    box = rect.adjusted(-3, -2, 3, 2)
    fill = QColor(PAPER.accent)
    fill.setAlphaF(0.16 if is_strong else 0.10)
    painter.setPen(QPen(QColor(PAPER.surface), 4.5 if is_strong else 3))
    painter.setBrush(fill)
    painter.drawRoundedRect(box, 4, 4)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(PAPER.accent), 2.5 if is_strong else 1.5))
    painter.drawRoundedRect(box, 4, 4)
