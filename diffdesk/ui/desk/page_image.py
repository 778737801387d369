"""The image of the page under review, with boxes where its words stand.

It is given a decoded picture and the pieces of the text; it says which box the mouse is on. Knows
nothing of files or decisions.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QToolTip, QWidget

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import Piece
from diffdesk.ui.desk.focus_frame import FocusFrame
from diffdesk.ui.desk.page_boxes import paint_marked, paint_outline
from diffdesk.ui.desk.smooth_scroll import SmoothScroll
from diffdesk.ui.theme import ThemeKeeper

LEAST_ZOOM, MOST_ZOOM = 0.05, 8.0
STEP = 1.25
SHARPEN_MS = 120
MOST_KEPT_PIXELS = 16_000_000
"""A scaled picture of up to this size is kept, so that scrolling only copies."""
MARGIN = 16


class PageImage(QAbstractScrollArea):
    """See the module.

    Signals:
        piece_hovered(int): the piece under the mouse; -1 for none.
        piece_chosen(int): clicked.
        zoom_changed(float): device-independent pixels for a pixel of the page.
    """

    piece_hovered = Signal(int)
    piece_chosen = Signal(int)
    zoom_changed = Signal(float)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._image = QImage()
        self._size = QSizeF()
        self._pieces: Sequence[Piece] = ()
        self._marked: Sequence[Piece] = ()
        self._current = self._hovered = -1
        self._zoom = 1.0
        self._fit = "width"  # "width", "page", or "" for a zoom of the user's
        self._scaled = QPixmap()
        self._scaled_for = (0, 0, 0.0)
        self._note = ""
        self._sharpening = QTimer(self)
        self._sharpening.setSingleShot(True)
        self._sharpening.setInterval(SHARPEN_MS)
        self._sharpening.timeout.connect(self.viewport().update)
        self._drag_from: QPoint | None = None
        self._is_dragged = False
        self._frame = FocusFrame(themes, self)
        self._scroll = SmoothScroll(themes, self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Image of the page")
        themes.theme_changed.connect(self._on_theme_changed)

    # --- what the desk shows --------------------------------------------------------------------------

    def set_image(self, image: QImage, size: QSize | None = None) -> None:
        """Show a picture; `size` is that of the page in the pixels of its boxes, where the picture is smaller."""
        self._image = image
        self._size = QSizeF(image.size() if size is None or size.isEmpty() else size)
        self._scaled = QPixmap()
        self._scaled_for = (0, 0, 0.0)
        self._fit = self._fit or "width"
        self._refit()
        self.verticalScrollBar().setValue(0)
        self.horizontalScrollBar().setValue(0)
        self.viewport().update()

    def set_page_size(self, size: QSize) -> None:
        """Say how large the page is in the pixels of its boxes, where that is known later than its picture."""
        if self.has_image() and not size.isEmpty() and QSizeF(size) != self._size:
            self._size = QSizeF(size)
            self._refit()
            self.viewport().update()

    def set_note(self, text: str) -> None:
        """What is said in place of an image."""
        self._note = text
        self.viewport().update()

    def has_image(self) -> bool:
        """Whether there is a picture."""
        return not self._image.isNull()

    def set_pieces(self, pieces: Sequence[Piece]) -> None:
        """The pieces of the page; those without a box are not drawn."""
        self._pieces = pieces
        marked = (one for one in pieces if one.box is not None and (words.is_change(one) or words.is_doubtful(one)))
        self._marked = tuple(marked)
        self._hovered = -1
        self.viewport().update()

    def set_current(self, index: int, *, is_scrolled: bool = True) -> None:
        """Mark a piece strongly and bring its box into sight; -1 for none."""
        self._current = index
        if is_scrolled:
            self._show_box(index)
        self.viewport().update()

    def set_hovered(self, index: int) -> None:
        """Mark the piece that the mouse is on in the text."""
        if index != self._hovered:
            self._hovered = index
            self.viewport().update()

    # --- zoom -----------------------------------------------------------------------------------------

    @property
    def zoom(self) -> float:
        """Device-independent pixels for a pixel of the page."""
        return self._zoom

    @property
    def fit(self) -> str:
        """What the zoom follows: "width", "page" or, with "", nothing."""
        return self._fit

    def fit_width(self) -> None:
        """As wide as the view."""
        self._fit = "width"
        self._refit()

    def fit_page(self) -> None:
        """The whole page in the view."""
        self._fit = "page"
        self._refit()

    def toggle_fit(self) -> None:
        """Between the two."""
        (self.fit_page if self._fit == "width" else self.fit_width)()

    def zoom_by(self, factor: float, about: QPointF | None = None) -> None:
        """Larger or smaller, around a point of the view (its middle by default) that stays where it is."""
        self._scroll.stop()
        self._fit = ""
        self._set_zoom(self._zoom * factor, about or QPointF(self.viewport().rect().center()))

    def _refit(self) -> None:
        if self._image.isNull() or not self._fit:
            self._set_bars()
            return
        room = self.maximumViewportSize()  # as it is without bars, or their coming and going would change the fit
        gap = 2 * self._themes.px(MARGIN)
        bar = self.verticalScrollBar().sizeHint().width() if self._fit == "width" else 0
        across = max(1.0, room.width() - gap - bar) / self._size.width()
        down = max(1.0, room.height() - gap) / self._size.height()
        self._set_zoom(across if self._fit == "width" else min(across, down))

    def _set_zoom(self, zoom: float, about: QPointF | None = None) -> None:
        zoom = min(max(zoom, LEAST_ZOOM), MOST_ZOOM)
        kept = self._to_page(about) if about is not None else None
        is_new = abs(zoom - self._zoom) > 1e-6
        self._zoom = zoom
        self._set_bars()
        if kept is not None and about is not None:
            shift = self._to_view(kept) - about
            self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + round(shift.x()))
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() + round(shift.y()))
        self.viewport().update()
        if is_new:
            if self._scaled_for[0]:
                self._sharpening.start()
            self.zoom_changed.emit(zoom)

    def _set_bars(self) -> None:
        room = self.viewport().size()
        gap = 2 * self._themes.px(MARGIN)
        size = self._size * self._zoom if self.has_image() else QSizeF()
        pairs = (
            (self.horizontalScrollBar(), size.width(), room.width()),
            (self.verticalScrollBar(), size.height(), room.height()),
        )
        for bar, length, view in pairs:
            bar.setRange(0, max(0, round(length + gap - view)))
            bar.setPageStep(view)
            bar.setSingleStep(self._themes.px(24))

    # --- places ---------------------------------------------------------------------------------------

    def _origin(self) -> QPointF:
        """Where the page's upper left corner is in the view."""
        room = self.viewport().size()
        gap = self._themes.px(MARGIN)
        size = self._size * self._zoom
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        x = (room.width() - size.width()) / 2 if across.maximum() == 0 else gap - across.value()
        y = gap - down.value()
        return QPointF(round(x), round(y))

    def _to_view(self, point: QPointF) -> QPointF:
        return self._origin() + point * self._zoom

    def _to_page(self, point: QPointF) -> QPointF:
        return (point - self._origin()) / self._zoom

    def box_rect(self, index: int) -> QRectF:
        """Where the box of a piece is in the view; empty if it has none."""
        box = self._pieces[index].box if 0 <= index < len(self._pieces) else None
        if box is None:
            return QRectF()
        left, top, right, bottom = box
        return QRectF(self._to_view(QPointF(left, top)), self._to_view(QPointF(right, bottom)))

    def piece_at(self, point: QPointF) -> int:
        """The piece whose box is under a point of the view; the smallest where they overlap, -1 for none."""
        if not self.has_image():
            return -1
        place = self._to_page(point)
        x, y = place.x(), place.y()
        found, least = -1, float("inf")
        for piece in self._pieces:
            if piece.box is None:
                continue
            left, top, right, bottom = piece.box
            if left <= x < right and top <= y < bottom and (right - left) * (bottom - top) < least:
                found, least = piece.index, (right - left) * (bottom - top)
        return found

    def _show_box(self, index: int) -> None:
        """Scroll as little as it takes, smoothly if things may move."""
        rect = self.box_rect(index)
        if rect.isEmpty():
            return
        view = QRectF(self.viewport().rect())
        room = min(self._themes.px(64), view.width() / 4, view.height() / 4)
        calm = view.adjusted(room, room, -room, -room)
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        x, y = _way_into(rect.left(), rect.right(), calm.left(), calm.right()), 0.0
        if rect.top() < calm.top() or rect.bottom() > calm.bottom():
            y = rect.center().y() - view.center().y()
        self._scroll.move_to(across.value() + x, down.value() + y)

    # --- drawing --------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, px = self._themes.theme, self._themes.px
        painter = QPainter(self.viewport())
        painter.setClipRect(event.rect())
        painter.fillRect(event.rect(), QColor(theme.window))
        if self._image.isNull():
            painter.setPen(QColor(theme.text_muted))
            painter.setFont(self._themes.font())
            inside = self.viewport().rect().adjusted(px(24), px(24), -px(24), -px(24))
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(inside, flags, self._note)
        else:
            self._paint_page(painter)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_boxes(painter, QRectF(event.rect()))
        self._frame.paint(painter)
        painter.end()

    def _paint_page(self, painter: QPainter) -> None:
        """The picture, from a copy at the present size where that isn't too large, else the part in sight."""
        density = self.viewport().devicePixelRatioF()
        target = QRectF(self._origin(), self._size * self._zoom)
        width, height = round(target.width() * density), round(target.height() * density)
        if width * height <= MOST_KEPT_PIXELS:
            wanted = (width, height, density)
            if self._scaled_for != wanted and self._sharpening.isActive():
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(target, self._image)  # at once; sharp as soon as the zoom rests
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=False)
                self._paint_edge(painter, target)
                return
            if self._scaled_for != wanted:
                ignore, smooth = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
                self._scaled = QPixmap.fromImage(self._image.scaled(width, height, ignore, smooth))
                self._scaled.setDevicePixelRatio(density)
                self._scaled_for = wanted
            painter.drawPixmap(target.topLeft(), self._scaled)
        else:
            part = target.intersected(QRectF(self.viewport().rect()))
            scale = self._image.width() / target.width()
            source = QRectF((part.topLeft() - target.topLeft()) * scale, part.size() * scale)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(part, self._image, source)
        self._paint_edge(painter, target)

    def _paint_edge(self, painter: QPainter, page: QRectF) -> None:
        painter.setPen(QPen(QColor(self._themes.theme.border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(page.adjusted(-0.5, -0.5, 0.5, 0.5))

    def _paint_boxes(self, painter: QPainter, dirty: QRectF) -> None:
        for piece in self._marked:
            rect = self.box_rect(piece.index)
            if rect.intersects(dirty) and piece.index not in (self._current, self._hovered):
                paint_outline(painter, rect, piece)
        if self._hovered != self._current:
            paint_marked(painter, self.box_rect(self._hovered), is_strong=False)
        paint_marked(painter, self.box_rect(self._current), is_strong=True)

    # --- mouse and keys -------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if self._drag_from is not None and event.buttons() & (Qt.MouseButton.LeftButton | Qt.MouseButton.MiddleButton):
            moved = place.toPoint() - self._drag_from
            if self._is_dragged or moved.manhattanLength() >= QApplication.startDragDistance():
                self._is_dragged = True
                self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
                across, down = self.horizontalScrollBar(), self.verticalScrollBar()
                across.setValue(across.value() - moved.x())
                down.setValue(down.value() - moved.y())
                self._drag_from = place.toPoint()
            return
        self._hover(self.piece_at(place))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._scroll.stop()
        self._drag_from = event.position().toPoint()
        self._is_dragged = False

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._is_dragged and event.button() == Qt.MouseButton.LeftButton:
            index = self.piece_at(event.position())
            if index >= 0:
                self.piece_chosen.emit(index)
        self._drag_from = None
        self._is_dragged = False
        self._hover(self.piece_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, index: int) -> None:
        can_pan = self.horizontalScrollBar().maximum() > 0 or self.verticalScrollBar().maximum() > 0
        shape = Qt.CursorShape.OpenHandCursor if can_pan else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if index >= 0 else shape)
        if index != self._hovered:
            self._hovered = index
            self.viewport().update()
            self.piece_hovered.emit(index)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_by(STEP ** (event.angleDelta().y() / 120), event.position())
            event.accept()
        else:
            self._scroll.stop()
            super().wheelEvent(event)
            self._hover(self.piece_at(event.position()))

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.zoom_by(1 + event.value(), event.position())
            return True
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.piece_at(QPointF(event.pos()))
            text = words.described(self._pieces[index]) if index >= 0 else ""
            QToolTip.showText(event.globalPos(), text, self.viewport())
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right pan; every other key is the desk's."""
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not event.modifiers():
            super().keyPressEvent(event)
        else:
            event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        del dx, dy
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(self._themes.px(480), self._themes.px(480))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 80)

    def _on_theme_changed(self) -> None:
        self._refit()
        self.viewport().update()


def _way_into(low: float, high: float, least: float, most: float) -> float:
    """How far to scroll so that [low, high] is in [least, most]; its beginning counts where it is longer."""
    if low < least or high - low > most - least:
        return low - least
    return max(0.0, high - most)
