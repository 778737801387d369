"""The marks in the text under review, painted below and above its characters.

Below: what is not decided has a filled ground, the current piece a strong outline, a held line a bar in the margin.
Above: lines under words and a small sign at their end. Colour is never the only sign. Knows the view's places only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import Piece, PieceState
from diffdesk.ui.desk.review_segments import Look, PieceMap, units
from diffdesk.ui.icons import pixmap
from diffdesk.ui.theme import Theme, ThemeKeeper

_SIGNS = {PieceState.ACCEPTED: "check", PieceState.REJECTED: "x", PieceState.EDITED: "pencil"}
_UNDERLINED = (Look.MADE, Look.OFFERED, Look.ACCEPTED, Look.REJECTED, Look.EDITED)


class MarkedView(Protocol):
    """What the painting has to know of the view."""

    @property
    def pieces(self) -> Sequence[Piece]:
        """All pieces."""

    @property
    def map(self) -> PieceMap:
        """Where they stand."""

    @property
    def current(self) -> int:
        """The piece with the strong mark."""

    @property
    def hovered(self) -> int:
        """The piece that the mouse is on."""

    def visible_pieces(self) -> range:
        """Those that may be in sight."""

    def piece_rects(self, index: int) -> list[QRectF]:
        """Where one is."""

    def line_rect(self, index: int) -> QRectF:
        """Where the line of the page is that a piece stands in."""

    def span_rects(self, first: int, last: int) -> list[QRectF]:
        """Where positions are."""


def paint_below(painter: QPainter, view: MarkedView, themes: ThemeKeeper) -> None:
    """Grounds, the outlines of the current and the hovered piece, bars of held lines."""
    theme, px = themes.theme, themes.px
    bars: dict[float, QRectF] = {}
    for index in view.visible_pieces():
        piece = view.pieces[index]
        if words.is_held_open(piece):
            line = view.line_rect(index)
            bars[line.top()] = line
        if piece.state is PieceState.MADE:
            for look, rects in _spans(view, index):
                ground = theme.deletion_background if look is Look.GONE else theme.insertion_background
                for rect in rects if look in (Look.GONE, Look.MADE) else ():
                    _fill(painter, rect.adjusted(-1, 0, 1, 0), ground, px(3))
        elif piece.state is PieceState.OFFERED:
            for look, rects in _spans(view, index):
                for rect in rects if look is Look.OFFER else ():
                    _fill(painter, rect.adjusted(-1, 0, 1, 0), theme.insertion_background, px(3))
    for rect in bars.values():
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.warning))
        painter.drawRoundedRect(QRectF(px(10), rect.top(), px(3), rect.height()), 1.5, 1.5)
    if view.hovered != view.current:
        _outline(painter, view, view.hovered, themes, is_strong=False)
    _outline(painter, view, view.current, themes, is_strong=True)


def paint_above(painter: QPainter, view: MarkedView, themes: ThemeKeeper) -> None:
    """Lines under words, and signs at their ends."""
    theme, px = themes.theme, themes.px
    for index in view.visible_pieces():
        piece = view.pieces[index]
        if not words.is_change(piece) and not words.is_doubtful(piece):
            continue
        lines = [rect for look, rects in _spans(view, index) if look in _UNDERLINED for rect in rects]
        if words.is_change(piece):
            _underline(painter, lines, piece, theme, px(1))
        if words.is_doubtful(piece):
            lines = lines or view.piece_rects(index)
            colour = doubt_colour(theme, piece.doubt)
            for rect in lines:
                _wave(painter, rect, colour, px(4))
        _sign(painter, view, index, themes)


def doubt_colour(theme: Theme, doubt: float) -> QColor:
    """The colour of an uncertain word: the further along the doubt, the further from the ground."""
    return theme.certainty_colour(doubt if theme.is_dark else 1 - doubt)


def _spans(view: MarkedView, index: int) -> Iterator[tuple[Look, list[QRectF]]]:
    """The looks of a piece and where each is."""
    place = view.map.starts[index]
    for segment in view.map.shown[index]:
        length = units(segment.shown)
        yield segment.look, view.span_rects(place, place + length)
        place += length


def _fill(painter: QPainter, rect: QRectF, colour: str, radius: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(rect, radius, radius)


def _outline(painter: QPainter, view: MarkedView, index: int, themes: ThemeKeeper, *, is_strong: bool) -> None:
    if not 0 <= index < len(view.pieces):
        return
    theme, px = themes.theme, themes.px
    ground = QColor(theme.accent_soft if is_strong else theme.hover)
    brush = Qt.BrushStyle.NoBrush if words.is_undecided(view.pieces[index]) else ground
    for rect in view.piece_rects(index):
        box = rect.adjusted(-3, -1.5, 3, 2.5)
        painter.setBrush(brush)
        painter.setPen(QPen(QColor(theme.accent), px(2 if is_strong else 1)))
        painter.drawRoundedRect(box, px(4), px(4))


def _underline(painter: QPainter, rects: Sequence[QRectF], piece: Piece, theme: Theme, thick: float) -> None:
    """Solid where the model's or the user's word stands, dashed for an offer, dotted where the draft was kept."""
    styles = {
        PieceState.MADE: (theme.insertion, Qt.PenStyle.SolidLine, 1.5),
        PieceState.ACCEPTED: (theme.insertion, Qt.PenStyle.SolidLine, 1.0),
        PieceState.OFFERED: (theme.insertion, Qt.PenStyle.DashLine, 1.5),
        PieceState.REJECTED: (theme.border_strong, Qt.PenStyle.DotLine, 1.5),
        PieceState.EDITED: (theme.accent, Qt.PenStyle.SolidLine, 2.0),
    }
    colour, style, width = styles[piece.state]
    pen = QPen(QColor(colour), width * thick, style)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    for rect in rects:
        y = round(rect.bottom()) - 0.5 + thick / 2
        painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))


def _wave(painter: QPainter, rect: QRectF, colour: QColor, length: float) -> None:
    painter.setPen(QPen(colour, max(1.5, length * 0.4)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    path = QPainterPath()
    x, y, high = rect.left(), rect.bottom() + length * 0.5, length * 0.45
    path.moveTo(x, y)
    is_up = True
    while x < rect.right() - length / 2:
        path.quadTo(QPointF(x + length / 2, y - (high if is_up else -high) * 1.6), QPointF(x + length, y))
        x += length
        is_up = not is_up
    painter.drawPath(path)


def _sign(painter: QPainter, view: MarkedView, index: int, themes: ThemeKeeper) -> None:
    """A small sign above the end of the word."""
    piece = view.pieces[index]
    rects = view.piece_rects(index)
    if not rects:
        return
    theme, px = themes.theme, themes.px
    corner = rects[-1].topRight()
    symbol = _SIGNS.get(piece.state)
    if symbol is not None:
        colours = {"check": theme.insertion, "x": theme.text_muted, "pencil": theme.accent}
        side = px(10)
        mark = pixmap(symbol, colours[symbol], side, painter.device().devicePixelRatioF())
        painter.drawPixmap(QPointF(corner.x() - px(4), corner.y() - px(7)), mark)
    elif words.is_doubtful(piece):
        font = QFont(themes.font(0.72, is_bold=True))
        painter.setFont(font)
        painter.setPen(doubt_colour(theme, piece.doubt))
        painter.drawText(QPointF(corner.x() - px(2), corner.y() + px(1)), "?")
