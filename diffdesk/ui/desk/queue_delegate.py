"""How a page of the queue is painted: thumbnail, name, state with its sign, note. Knows the model and the theme."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPainterPath, QPen, QPixmap
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import PageState, QueueRow
from diffdesk.ui.desk.queue_model import QueueModel, note_of
from diffdesk.ui.icons import pixmap
from diffdesk.ui.row_back import paint_row_back
from diffdesk.ui.theme import Theme, ThemeKeeper

THUMBNAIL = 40
MOST_PICTURES = 200

SIGNS = {
    PageState.WAITING: "clock",
    PageState.READING: "scan-text",
    PageState.CORRECTING: "spell-check",
    PageState.READY: "eye",
    PageState.REVIEWED: "circle-check",
    PageState.FAILED: "circle-alert",
}


def state_colour(theme: Theme, state: PageState) -> str:
    """The colour of a state's sign; its form and its word say the same."""
    return {
        PageState.WAITING: theme.text_muted,
        PageState.READING: theme.thought,
        PageState.CORRECTING: theme.thought,
        PageState.READY: theme.accent,
        PageState.REVIEWED: theme.ok,
        PageState.FAILED: theme.danger,
    }[state]


def word_colour(theme: Theme, state: PageState) -> str:
    """The colour of a state's word: what waits for the user stands out, on whatever accent the desktop has."""
    return theme.text if state is PageState.READY else state_colour(theme, state)


class QueueDelegate(QStyledItemDelegate):
    """See the module. All rows are equally high, so thousands cost what is on the screen."""

    def __init__(self, themes: ThemeKeeper, model: QueueModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._model = model
        self._pictures: OrderedDict[tuple[int, int, int, float], QPixmap] = OrderedDict()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        del option, index
        texts = QFontMetrics(self._themes.font()).height() + QFontMetrics(self._themes.font(0.88)).height()
        return QSize(80, max(self._themes.px(THUMBNAIL), texts) + self._themes.px(14))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row = self._model.row_at(index)
        if row is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        px = self._themes.px
        box = QRect(option.rect).adjusted(px(4), 1, -px(4), -1)
        paint_row_back(painter, self._themes, box, option.state)
        side = px(THUMBNAIL)
        room = QRect(box.left() + px(8), box.center().y() - side // 2, side, side)
        self._paint_picture(painter, room, row)
        self._paint_texts(painter, box.adjusted(side + px(20), 0, -px(8), 0), row)
        painter.restore()

    def _paint_picture(self, painter: QPainter, room: QRect, row: QueueRow) -> None:
        theme, px = self._themes.theme, self._themes.px
        density = painter.device().devicePixelRatioF()
        picture = self._picture(row, room.width(), density)
        if picture.isNull():
            painter.setPen(QPen(QColor(theme.border), 1))
            painter.setBrush(QColor(theme.surface))
            painter.drawRoundedRect(QRectF(room).adjusted(px(4) + 0.5, 0.5, -px(4) - 0.5, -0.5), px(3), px(3))
            mark = pixmap("file-text", theme.text_muted, px(18), density)
            painter.drawPixmap(room.center() - QPoint(px(9), px(9)) + QPoint(1, 1), mark)
            return
        size = picture.deviceIndependentSize()
        place = QRectF(
            room.left() + (room.width() - size.width()) / 2,
            room.top() + (room.height() - size.height()) / 2,
            size.width(),
            size.height(),
        )
        shape = QPainterPath()
        shape.addRoundedRect(place, px(3), px(3))
        painter.save()
        painter.setClipPath(shape)
        painter.drawPixmap(place.topLeft(), picture)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(theme.border), 1))
        painter.drawPath(shape)

    def _picture(self, row: QueueRow, side: int, density: float) -> QPixmap:
        if not row.thumbnail:
            return QPixmap()
        key = (row.id, len(row.thumbnail), side, density)
        known = self._pictures.get(key)
        if known is not None:
            self._pictures.move_to_end(key)
            return known
        made = QPixmap()
        made.loadFromData(row.thumbnail)
        if not made.isNull():
            pixels = round(side * density)
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            made = made.scaled(pixels, pixels, keep, smooth)
            made.setDevicePixelRatio(density)
        self._pictures[key] = made
        if len(self._pictures) > MOST_PICTURES:
            self._pictures.popitem(last=False)
        return made

    def _paint_texts(self, painter: QPainter, box: QRect, row: QueueRow) -> None:
        theme, px = self._themes.theme, self._themes.px
        body, small = self._themes.font(), self._themes.font(0.88)
        high, low = QFontMetrics(body).height(), QFontMetrics(small).height()
        top = box.center().y() - (high + low + px(2)) // 2
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        line = QRect(box.left(), top, box.width(), high)
        painter.setFont(body)
        painter.setPen(QColor(theme.text))
        elide = Qt.TextElideMode.ElideMiddle  # the number of the page is at the end
        painter.drawText(line, middle, QFontMetrics(body).elidedText(row.name, elide, line.width()))
        side = px(14)
        below = QRect(box.left(), line.bottom() + px(2), box.width(), low)
        colour = state_colour(theme, row.state)
        sign = pixmap(SIGNS[row.state], colour, side, painter.device().devicePixelRatioF())
        painter.drawPixmap(below.left(), below.center().y() - side // 2 + 1, sign)
        painter.setFont(small)
        painter.setPen(QColor(word_colour(theme, row.state)))
        metrics = QFontMetrics(small)
        note = note_of(row)
        state = note if row.state is PageState.FAILED and note else words.STATE_WORDS[row.state]
        below.setLeft(below.left() + side + px(6))
        painter.drawText(below, middle, metrics.elidedText(state, Qt.TextElideMode.ElideRight, below.width()))
        if note and state != note:
            below.setLeft(below.left() + metrics.horizontalAdvance(state))
            painter.setPen(QColor(theme.text_muted))
            painter.drawText(
                below, middle, metrics.elidedText(f" · {note}", Qt.TextElideMode.ElideRight, below.width())
            )
