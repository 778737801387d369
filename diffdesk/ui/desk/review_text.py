"""The text of the page under review: set as running text, with what changed and what is uncertain marked in it.

It draws pieces, says which one the mouse is on and which one was clicked, and lets one be typed over. Selecting and
copying gives the text as it stands. Knows nothing of decisions; marks are painted by `review_marks`.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QFrame, QTextBrowser, QTextEdit, QToolTip, QWidget

from diffdesk.ui.banner import announce
from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import Piece
from diffdesk.ui.desk.focus_frame import FocusFrame
from diffdesk.ui.desk.inline_field import InlineField
from diffdesk.ui.desk.review_marks import paint_above, paint_below
from diffdesk.ui.desk.review_segments import Look, PieceMap
from diffdesk.ui.desk.smooth_scroll import SmoothScroll
from diffdesk.ui.desk.text_places import span_rects
from diffdesk.ui.markdown import SafeDocument
from diffdesk.ui.theme import Theme, ThemeKeeper

LINE_HEIGHT = 165.0
"""Percent: room for marks above and below the words."""
MARGIN, INDENT = 24, 16
WIDEST = 76  # characters in a line
SIZE = 1.1
MOST_SINGLE = 200
"""Above this number of changed pieces the page is set anew instead of one by one."""


class ReviewText(QTextBrowser):
    """See the module.

    Signals:
        piece_hovered(int): the piece under the mouse; -1 for none.
        piece_chosen(int): clicked.
        edit_requested(int): double-clicked.
        edited(int, str): typed over.
    """

    piece_hovered = Signal(int)
    piece_chosen = Signal(int)
    edit_requested = Signal(int)
    edited = Signal(int, str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._map = PieceMap()
        self._current = self._hovered = -1
        self._pressed_at = QPoint()
        self._field: InlineField | None = None
        document = SafeDocument(self)
        document.setUndoRedoEnabled(False)
        self.setDocument(document)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("kind", "bare")
        self.setOpenLinks(False)
        self.setLineWrapMode(QTextEdit.LineWrapMode.FixedPixelWidth)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Text of the page")
        self.setCursorWidth(0)  # the piece in hand is marked instead
        self.viewport().setMouseTracking(True)
        self._frame = FocusFrame(themes, self)
        self._scroll = SmoothScroll(themes, self)
        themes.theme_changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    # --- what the desk shows --------------------------------------------------------------------------

    @property
    def pieces(self) -> Sequence[Piece]:
        """What is shown."""
        return self._map.pieces

    @property
    def map(self) -> PieceMap:
        """Where the pieces stand in the document."""
        return self._map

    @property
    def current(self) -> int:
        """The piece that is marked; -1 for none."""
        return self._current

    @property
    def hovered(self) -> int:
        """The piece that the mouse is on, here or in the image."""
        return self._hovered

    @property
    def field(self) -> InlineField | None:
        """The field while a piece is being typed over."""
        return self._field

    def show_page(self, pieces: Sequence[Piece]) -> None:
        """Show another page from its beginning."""
        self._close_field()
        self._scroll.stop()
        self._current = self._hovered = -1
        self._map = PieceMap(pieces)
        self._fill()
        self.verticalScrollBar().setValue(0)

    def update_pieces(self, pieces: Sequence[Piece]) -> None:
        """Show what became of the same page; what didn't change is not set again, and the scroll stays."""
        newer = PieceMap(pieces, self._map)
        changed = self._map.differences(newer)
        place = self.verticalScrollBar().value()
        older, self._map = self._map, newer
        if changed is None or len(changed) > MOST_SINGLE:
            self._fill()
        elif changed:
            self._replace(older, changed)
        self.verticalScrollBar().setValue(place)
        self.viewport().update()

    def set_current(self, index: int, *, is_scrolled: bool = True) -> None:
        """Mark a piece and bring it into sight; -1 for none."""
        if index != self._current:
            self._current = index
            if 0 <= index < len(self.pieces):
                self._move_cursor(index)
                announce(self, words.described(self.pieces[index]) or self.pieces[index].text)
        if is_scrolled:
            self._show_piece(index)
        self.viewport().update()

    def set_hovered(self, index: int) -> None:
        """Mark the piece that the mouse is on in the image."""
        if index != self._hovered:
            self._hovered = index
            self.viewport().update()

    def edit_piece(self, index: int) -> None:
        """Put a field over a piece. Enter takes what is typed, Escape leaves it."""
        self._close_field()
        self._scroll.stop()
        self._show_piece(index, is_smooth=False)
        rects = self.piece_rects(index)
        if not rects:
            return
        field = InlineField(self._themes, self.pieces[index].text, self.viewport())
        field.setFont(self._themes.font(SIZE))
        field.place_over(rects[0])
        field.taken.connect(lambda text: self._on_taken(index, text))
        field.left.connect(self._close_field)
        self._field = field
        field.show()
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- setting the text -----------------------------------------------------------------------------

    def _fill(self) -> None:
        """Set the whole text; runs of the same look go in together."""
        document = self.document()
        document.clear()
        document.setDefaultFont(self._themes.font(SIZE))
        document.setDocumentMargin(self._themes.px(MARGIN))
        cursor = QTextCursor(document)
        cursor.beginEditBlock()
        spacing = QTextBlockFormat()
        spacing.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        # What the pane breaks is indented, so that the lines of the page can be told.
        spacing.setLeftMargin(self._themes.px(INDENT))
        spacing.setTextIndent(-self._themes.px(INDENT))
        cursor.setBlockFormat(spacing)
        looks = self._looks()
        run, look = "", Look.PLAIN
        for segments in (*self._map.shown, self._map.end_segments()):
            for one in segments:
                if one.look is not look:
                    cursor.insertText(run, looks[look])
                    run, look = "", one.look
                run += one.shown
        cursor.insertText(run, looks[look])
        cursor.endEditBlock()
        self._lay_out()

    def _replace(self, older: PieceMap, changed: Sequence[int]) -> None:
        """Set some pieces again, from the last to the first so that the places before them stay true."""
        cursor = QTextCursor(self.document())
        looks = self._looks()
        cursor.beginEditBlock()
        for index in reversed(changed):
            first, last = older.span(index)
            cursor.setPosition(first)
            cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
            cursor.removeSelectedText()
            for one in self._map.shown[index]:
                cursor.insertText(one.shown, looks[one.look])
        cursor.endEditBlock()
        self._lay_out()

    def _looks(self) -> dict[Look, QTextCharFormat]:
        theme = self._themes.theme
        small = self._themes.font(SIZE * 0.85).pointSizeF()
        looks = {
            Look.PLAIN: _look(theme.text),
            Look.GONE: _look(theme.deletion, is_struck=True),
            Look.PAST: _look(theme.text_muted, is_struck=True),
            Look.MADE: _look(theme.insertion),
            Look.OFFERED: _look(theme.text),
            Look.OFFER: _look(theme.insertion),
            Look.ACCEPTED: _look(theme.insertion),
            Look.REJECTED: _look(theme.text),
            Look.EDITED: _look(theme.text),
            Look.REMARK: _look(theme.warning),
        }
        for one in (Look.OFFER, Look.REMARK, Look.PAST):
            looks[one].setFontPointSize(small)
        looks[Look.MADE].setFontWeight(QFont.Weight.Medium)
        return looks

    # --- places ---------------------------------------------------------------------------------------

    def piece_rects(self, index: int) -> list[QRectF]:
        """Where a piece is in the view: one rectangle for each line it stands in."""
        if not 0 <= index < len(self.pieces):
            return []
        return self.span_rects(*self._map.text_span(index))

    def span_rects(self, first: int, last: int) -> list[QRectF]:
        """Where the positions [first, last) are in the view."""
        shift = QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())
        return [rect.translated(-shift) for rect in span_rects(self.document(), first, last)]

    def line_rect(self, index: int) -> QRectF:
        """Where the line of the page is, over all the lines it is broken into, that a piece stands in."""
        block = self.document().findBlock(self._map.text_span(index)[0])
        rects = self.span_rects(block.position(), block.position() + block.length() - 1)
        return rects[0].united(rects[-1]) if rects else QRectF()

    def piece_at(self, point: QPointF) -> int:
        """The piece under a point of the view that is more than white space; -1 for none."""
        shift = QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())
        position = self.document().documentLayout().hitTest(point + shift, Qt.HitTestAccuracy.FuzzyHit)
        for index in (self._map.at(position), self._map.at(position - 1)):
            if index < 0:
                continue
            piece = self.pieces[index]
            is_word = bool(piece.text.strip()) or words.is_change(piece)
            if is_word and any(rect.adjusted(0, -4, 0, 4).contains(point) for rect in self.piece_rects(index)):
                return index
        return -1

    def visible_pieces(self) -> range:
        """The pieces that may be in sight."""
        view = self.viewport().rect()
        shift = QPointF(0, self.verticalScrollBar().value())
        layout = self.document().documentLayout()
        fuzzy = Qt.HitTestAccuracy.FuzzyHit
        first = layout.hitTest(QPointF(0, view.top() - 8) + shift, fuzzy)
        last = layout.hitTest(QPointF(view.right(), view.bottom() + 8) + shift, fuzzy)
        low = max(0, self._map.at(max(0, first)))
        high = self._map.at(last)
        return range(max(0, low - 1), (high if high >= 0 else len(self.pieces) - 1) + 1)

    def _move_cursor(self, index: int) -> None:
        """Where selecting by keyboard begins, and where a screen reader reads on; the view doesn't jump there."""
        if self.textCursor().hasSelection():
            return
        place = self.verticalScrollBar().value()
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._map.text_span(index)[0])
        self.setTextCursor(cursor)
        self.verticalScrollBar().setValue(place)

    def _show_piece(self, index: int, *, is_smooth: bool = True) -> None:
        rects = self.piece_rects(index)
        if not rects:
            return
        view = self.viewport().height()
        room = min(self._themes.px(56), view / 4)
        top, bottom = rects[0].top(), rects[-1].bottom()
        if top >= room and bottom <= view - room:
            return
        bar = self.verticalScrollBar()
        goal = bar.value() + (top if bottom - top > view - 2 * room else (top + bottom) / 2 - view / 2)
        self._scroll.move_to(0, goal, is_smooth=is_smooth)

    # --- drawing --------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_below(painter, self, self._themes)
        painter.end()
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_above(painter, self, self._themes)
        self._frame.paint(painter)
        painter.end()

    # --- mouse and keys -------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        index = -1 if event.buttons() else self.piece_at(event.position())
        is_point = index >= 0
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if is_point else Qt.CursorShape.IBeamCursor)
        self._hover(index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._scroll.stop()
        self._pressed_at = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        is_click = (event.position().toPoint() - self._pressed_at).manhattanLength() < 4
        if event.button() == Qt.MouseButton.LeftButton and is_click:
            index = self.piece_at(event.position())
            if index >= 0:
                self.piece_chosen.emit(index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.piece_at(event.position())
        if index >= 0:
            self.edit_requested.emit(index)
        else:
            super().mouseDoubleClickEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self.viewport().update()
            self.piece_hovered.emit(index)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.piece_at(QPointF(event.pos()))
            text = words.described(self.pieces[index]) if index >= 0 else ""
            QToolTip.showText(event.globalPos(), text, self.viewport())
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Selecting and copying are the text's own keys; the others are the desk's."""
        is_selecting = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier) and not event.text().strip()
        own = (QKeySequence.StandardKey.Copy, QKeySequence.StandardKey.SelectAll)
        is_own = any(event.matches(one) for one in own) or event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Home)
        moves = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_End)
        if is_own or (is_selecting and event.key() in moves) or event.key() == Qt.Key.Key_End:
            super().keyPressEvent(event)
        else:
            event.ignore()

    def createMimeDataFromSelection(self) -> QMimeData:
        """What is copied is the text as it stands."""
        selection = self.textCursor()
        data = QMimeData()
        data.setText(self._map.text_between(selection.selectionStart(), selection.selectionEnd()))
        return data

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._wrap()
        self._show_piece(self._current, is_smooth=False)

    def _wrap(self) -> None:
        widest = self.fontMetrics().averageCharWidth() * WIDEST * SIZE + 2 * self._themes.px(MARGIN)
        width = max(80, min(self.viewport().width(), round(widest)))
        if width != self.lineWrapColumnOrWidth():
            self.setLineWrapColumnOrWidth(width)
            self._lay_out()

    def _lay_out(self) -> None:
        """Lay the text out to its end at once: Qt would do it bit by bit, and the scroll bar know its end only then."""
        height = round(self.document().size().height())
        self.verticalScrollBar().setRange(0, max(0, height - self.viewport().height()))

    def _on_taken(self, index: int, text: str) -> None:
        self._close_field()
        self.edited.emit(index, text)

    def _close_field(self) -> None:
        field, self._field = self._field, None
        if field is not None:
            had_focus = field.hasFocus()
            field.close_quietly()
            if had_focus:  # else the user went elsewhere, and stays there
                self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_theme_changed(self, theme: Theme | None = None) -> None:
        del theme
        self._close_field()
        place = self.verticalScrollBar().value()
        self._fill()
        self._wrap()
        self.verticalScrollBar().setValue(place)


def _look(colour: str, *, is_struck: bool = False) -> QTextCharFormat:
    look = QTextCharFormat()
    look.setForeground(QColor(colour))
    look.setFontStrikeOut(is_struck)
    return look
