"""The strip: one cell for each position of the canvas, always in the same place.

A cell fills from below as the model becomes sure of its word, so a state shows in form as well as in colour: dots for
noise, a rising hatched level for changing, full for settled, full with a bright edge for accepted. A line below marks
the thought; an empty outline what comes after the end. Knows frames and the theme only.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from diffdesk.core.trace import CanvasFrame, CellState, Region
from diffdesk.ui.canvas import words
from diffdesk.ui.theme import Theme, ThemeKeeper

LEVELS = 8
DEFAULT_LENGTH = 256
_LEAST_PITCH, _MOST_PITCH = 8.0, 12.0
_ASPECT, _ROW_GAP = 1.5, 4.0
GROUP, _LEAST_GROUP_GAP, _MOST_GROUP_GAP = 8, 2.0, 6.0  # cells stand in groups of eight, to count by

Sprite = tuple[int, int, int]
"""State, region, level: all that decides how a cell looks."""


class CanvasStrip(QWidget):
    """One cell for each position; wraps into rows of a power of two. `paints` counts drawings."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.paints = 0
        self._themes = themes
        self._frame: CanvasFrame | None = None
        self._length = DEFAULT_LENGTH
        self._drawn: list[Sprite | None] = []
        self._picture = QPixmap()
        self._sprites: dict[Sprite, QPixmap] = {}
        self._columns, self._pitch, self._group_gap = 64, 10.0, 0.0
        self._cursor = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Canvas, one cell for each position")
        themes.theme_changed.connect(self._on_theme_changed)
        self._arrange()

    def set_frame(self, frame: CanvasFrame | None) -> None:
        """Show `frame`; None shows an empty canvas. Many calls make one drawing."""
        if frame is not None and frame.length != self._length:
            self._length = frame.length
            self._cursor = min(self._cursor, self._length - 1)
            self._frame = frame
            self._arrange()
        self._frame = frame
        self.update()

    @property
    def columns(self) -> int:
        """Cells in a row."""
        return self._columns

    def cell_rect(self, index: int) -> QRectF:
        """Where the cell of a position is drawn."""
        row, column = divmod(index, self._columns)
        return QRectF(self._left(column), row * self._row_height(), self._pitch, self._cell_height())

    def position_at(self, point: QPoint) -> int | None:
        """The position under a point, or None."""
        row = int(point.y() / self._row_height())
        group, inside = divmod(point.x(), GROUP * self._pitch + self._group_gap)
        column = int(group) * GROUP + int(inside / self._pitch)
        index = row * self._columns + column
        is_cell = point.x() >= 0 and point.y() >= 0 and inside < GROUP * self._pitch
        return index if is_cell and column < self._columns and index < self._length else None

    def tooltip(self, index: int) -> str:
        """What a cell says when asked: its position, text and certainty."""
        return words.position(self._frame, index) if self._frame is not None else "The canvas has not begun"

    # --- arranging ------------------------------------------------------------------------------------

    def _cell_height(self) -> float:
        density = self.devicePixelRatioF()
        return round(self._pitch * _ASPECT * density) / density

    def _row_height(self) -> float:
        density = self.devicePixelRatioF()
        return self._cell_height() + round(_ROW_GAP * self._themes.zoom * density) / density

    def _left(self, column: int) -> float:
        return column * self._pitch + column // GROUP * self._group_gap

    def _arrange(self) -> None:
        """As many columns as fit, a power of two, so that rows keep their positions when the width changes."""
        zoom, width = self._themes.zoom, max(1, self.width())
        columns = 512
        while columns > 8 and width / columns < _LEAST_PITCH * zoom:
            columns //= 2
        self._columns = columns
        density = self.devicePixelRatioF()
        across = min(columns, self._length)
        gaps = max(1, -(-across // GROUP) - 1)
        pitch = min(_MOST_PITCH * zoom, (width - gaps * _LEAST_GROUP_GAP * zoom) / across)
        pitch = max(1, int(pitch * density)) / density  # whole pixels: neighbours must not overlap
        spare = min(_MOST_GROUP_GAP * zoom, (width - across * pitch) / gaps)
        self._group_gap = max(0, int(spare * density)) / density
        if pitch != self._pitch:
            self._pitch = pitch
            self._sprites.clear()
        self._drawn = []
        rows = -(-self._length // columns)
        height = rows * self._row_height()
        if round(height) != self.minimumHeight():
            self.setFixedHeight(round(height))
            self.updateGeometry()

    # --- drawing --------------------------------------------------------------------------------------

    def _looks(self) -> list[Sprite]:
        frame = self._frame
        if frame is None:
            return [(CellState.NOISE, Region.AFTER_END, 0)] * self._length
        levels = LEVELS - (frame.entropy.astype(int) * LEVELS // 256)
        return list(zip(frame.states.tolist(), frame.regions.tolist(), levels.tolist(), strict=True))

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paints += 1
        self._refresh_picture()
        painter = QPainter(self)
        painter.setClipRect(event.rect())
        painter.drawPixmap(0, 0, self._picture)
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(self._themes.theme.text), 2))
            painter.drawRoundedRect(self.cell_rect(self._cursor).adjusted(0, 0, -1, 0), 3, 3)

    def _refresh_picture(self) -> None:
        """Draw those cells into the picture that look different from before."""
        density = self.devicePixelRatioF()
        size = QSize(round(self.width() * density), round(self.height() * density))
        if self._picture.size() != size or self._picture.devicePixelRatioF() != density:
            self._picture = QPixmap(size)
            self._picture.setDevicePixelRatio(density)
            self._sprites.clear()
            self._arrange()
        if not self._drawn:
            self._picture.fill(Qt.GlobalColor.transparent)
            self._drawn = [None] * self._length
        painter = QPainter(self._picture)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        for index, (look, before) in enumerate(zip(self._looks(), self._drawn, strict=True)):
            if look != before:
                sprite = self._sprites.get(look) or self._draw_sprite(look)
                painter.drawPixmap(self.cell_rect(index).topLeft(), sprite)
                self._drawn[index] = look
        painter.end()

    def _draw_sprite(self, look: Sprite) -> QPixmap:
        density = self.devicePixelRatioF()
        width, height = self._pitch, self._cell_height()
        picture = QPixmap(QSize(round(width * density), round(self._row_height() * density)))
        picture.setDevicePixelRatio(density)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inset = max(1.0, width * 0.1)
        body = QRectF(inset / 2, inset / 2, width - inset, height - inset)
        draw_cell(painter, self._themes.theme, look, body)
        if look[1] == Region.THOUGHT:
            rail = QRectF(0, height + 0.5, width, max(1.5, (self._row_height() - height) * 0.4))
            painter.fillRect(rail, QColor(self._themes.theme.thought))
        painter.end()
        self._sprites[look] = picture
        return picture

    # --- asking a cell --------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.position_at(event.pos())
            if index is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self.tooltip(index), self, self.cell_rect(index).toAlignedRect())
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key
        moves = {
            key.Key_Left: -1, key.Key_Right: 1, key.Key_Up: -self._columns, key.Key_Down: self._columns,
            key.Key_Home: -self._cursor, key.Key_End: self._length - 1 - self._cursor,
        }  # fmt: skip
        move = moves.get(key(event.key()))
        if move is None:
            super().keyPressEvent(event)
            return
        self._cursor = min(max(self._cursor + move, 0), self._length - 1)
        below = self.mapToGlobal(self.cell_rect(self._cursor).bottomRight().toPoint())
        QToolTip.showText(below, self.tooltip(self._cursor), self, QRect())
        self.setAccessibleDescription(self.tooltip(self._cursor))
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    # --- Qt -------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def sizeHint(self) -> QSize:
        return QSize(round(64 * 10 * self._themes.zoom), self.minimumHeight())

    def minimumSizeHint(self) -> QSize:
        return QSize(64, self.minimumHeight())

    def _on_theme_changed(self) -> None:
        self._sprites.clear()
        self._picture = QPixmap()
        self._arrange()
        self.update()


def draw_cell(painter: QPainter, theme: Theme, look: Sprite, body: QRectF) -> None:
    """Draw one cell into `body`. Each state differs from the others in form, not only in colour."""
    state, region, level = look
    radius = body.width() * 0.22
    painter.setPen(Qt.PenStyle.NoPen)
    if region == Region.AFTER_END:
        _outline(painter, body.adjusted(0.5, 0.5, -0.5, -0.5), theme.border, 1.0, radius)
        return
    full = theme.thought if region == Region.THOUGHT else theme.settled
    if region == Region.MARKER and state >= CellState.SETTLED:
        _outline(painter, body.adjusted(1, 1, -1, -1), full, 2.0, radius)
    elif state == CellState.NOISE:
        _fill(painter, body, theme.noise, radius)
        _dots(painter, body, theme.noise_mark)
    elif state == CellState.CHANGING:
        _fill(painter, body, theme.noise, radius)
        _level(painter, body, theme, full, max(2, min(level, LEVELS - 1)) / LEVELS)
    elif state == CellState.ACCEPTED:
        _fill(painter, body, theme.accepted, radius)
        edge = 1.0 + body.width() * 0.06
        _outline(painter, body.adjusted(edge, edge, -edge, -edge), theme.accepted_mark, 1.4, radius * 0.7)
    else:
        _fill(painter, body, full, radius)


def _fill(painter: QPainter, body: QRectF, colour: str, radius: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(body, radius, radius)


def _outline(painter: QPainter, body: QRectF, colour: str, width: float, radius: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(colour), width))
    painter.drawRoundedRect(body, radius, radius)


def _dots(painter: QPainter, body: QRectF, colour: str) -> None:
    painter.setBrush(QColor(colour))
    side = max(1.0, body.width() * 0.1)
    for step in (0.25, 0.5, 0.75):
        painter.drawEllipse(QPointF(body.center().x(), body.top() + body.height() * step), side, side)


def _level(painter: QPainter, body: QRectF, theme: Theme, full: str, share: float) -> None:
    """The cell filled from below, hatched, under a bright line."""
    shape = QPainterPath()
    shape.addRoundedRect(body, body.width() * 0.22, body.width() * 0.22)
    top = body.bottom() - body.height() * share
    painter.save()
    painter.setClipPath(shape)
    part = QRectF(body.left(), top, body.width(), body.bottom() - top)
    painter.fillRect(part, QColor(theme.changing))
    painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
    ink = QColor(full)
    ink.setAlphaF(0.75)
    painter.setPen(QPen(ink, max(1.0, body.width() * 0.11)))
    step = body.width() * 0.5
    start = body.bottom() + body.width()
    while start > top - body.width():
        painter.drawLine(QPointF(body.left(), start), QPointF(body.right(), start - body.width()))
        start -= step
    painter.fillRect(QRectF(body.left(), top, body.width(), max(1.25, body.width() * 0.16)), QColor(full))
    painter.restore()
