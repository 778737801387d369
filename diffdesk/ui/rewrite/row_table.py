"""The table of rows: painted by a delegate, walked through and decided on by keys.

It reports what the user wants and changes nothing itself. Knows nothing of the store or of models.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
    SignalInstance,
)
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from diffdesk.ui.icons import pixmap
from diffdesk.ui.rewrite.rewrite_views import Key, RowSign, RowView
from diffdesk.ui.rewrite.row_marks import MOST_SHOWN, Mark, Piece, one_line, paint_pieces
from diffdesk.ui.rewrite.row_model import HEADINGS, NUMBER, RESULT, SIGN, SIGN_WORDS, TEXT, RowFilter, RowModel
from diffdesk.ui.theme import Theme, ThemeKeeper

Index = QModelIndex | QPersistentModelIndex
LINES = 2
"""Lines that a row shows of its texts; the pane below shows all of them."""

NARROW = 640
"""Width of the table below which the text has no column of its own: the difference holds it."""

_SYMBOLS = {
    RowSign.WAITING: "ellipsis",
    RowSign.WORKING: "refresh-cw",
    RowSign.REVIEW: "contrast",
    RowSign.ACCEPTED: "check",
    RowSign.KEPT: "x",
    RowSign.SAME: "check",
    RowSign.FAILED: "circle-alert",
}


def sign_colour(sign: RowSign, theme: Theme) -> str:
    """The colour of a state's icon and word."""
    colours = {
        RowSign.WORKING: theme.accent,
        RowSign.REVIEW: theme.accent,
        RowSign.ACCEPTED: theme.ok,
        RowSign.FAILED: theme.danger,
    }
    return colours.get(sign, theme.text_muted)


class RowDelegate(QStyledItemDelegate):
    """Paints number, state, text and result of a row."""

    def __init__(self, themes: ThemeKeeper, shown: RowFilter, rows: RowModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._shown = shown
        self._rows = rows
        self.is_narrow = False

    def row_height(self) -> int:
        """The height of every row."""
        return LINES * QFontMetrics(self._themes.font()).height() + self._themes.px(14)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        del option, index
        return QSize(self._themes.px(80), self.row_height())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        box = QRect(option.rect)
        theme, px = self._themes.theme, self._themes.px
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_selected:
            painter.fillRect(box, QColor(theme.accent_soft))
            if index.column() == 0:  # a second sign besides the colour
                painter.fillRect(box.left(), box.top(), px(3), box.height(), QColor(theme.accent))
        painter.setPen(QColor(theme.border))
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        row = self._shown.row(index.row())
        inside = box.adjusted(px(8), px(6), -px(8), -px(6))
        if index.column() == NUMBER:
            self._paint_number(painter, inside, row)
        elif index.column() == SIGN:
            self._paint_sign(painter, inside, row)
        else:
            pieces = self._pieces(index, row)
            paint_pieces(painter, inside, pieces, self._themes.font(), theme, LINES)
        painter.restore()

    def _pieces(self, index: Index, row: RowView) -> Sequence[Piece]:
        if index.column() == TEXT:
            return (Piece(one_line(row.text[:MOST_SHOWN])),)
        pieces = self._rows.pieces(self._shown.source_place(index.row()))
        if not pieces and self.is_narrow:
            return (Piece(one_line(row.text[:MOST_SHOWN]), Mark.FAINT),)
        return pieces

    def _paint_number(self, painter: QPainter, box: QRect, row: RowView) -> None:
        font = self._themes.font(0.88)
        painter.setFont(font)
        painter.setPen(QColor(self._themes.theme.text_muted))
        top = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
        painter.drawText(box, top, f"{row.key[0] + 1:,}")
        if row.column:
            metrics = QFontMetrics(font)
            below = box.adjusted(0, metrics.height(), 0, 0)
            painter.drawText(below, top, metrics.elidedText(row.column, Qt.TextElideMode.ElideRight, box.width()))

    def _paint_sign(self, painter: QPainter, box: QRect, row: RowView) -> None:
        theme, side = self._themes.theme, self._themes.px(16)
        colour = sign_colour(row.sign, theme)
        line = QFontMetrics(self._themes.font()).height()
        mark = pixmap(_SYMBOLS[row.sign], colour, side, painter.device().devicePixelRatioF())
        painter.drawPixmap(box.left(), box.top() + (line - side) // 2, mark)
        if not self.is_narrow:
            painter.setFont(self._themes.font(0.88))
            painter.setPen(QColor(colour))
            beside = QRect(box.left() + side + self._themes.px(6), box.top(), box.width(), line)
            painter.drawText(beside, int(Qt.AlignmentFlag.AlignVCenter), SIGN_WORDS[row.sign])

    def sign_width(self) -> int:
        """What the column of states needs."""
        px = self._themes.px
        metrics = QFontMetrics(self._themes.font(0.88))
        words = 0 if self.is_narrow else max(metrics.horizontalAdvance(one) for one in SIGN_WORDS.values()) + px(6)
        return px(16) + px(18) + words

    def number_width(self, count: int, columns: Sequence[str]) -> int:
        """What the column of numbers needs for `count` rows, and for names of columns below them."""
        metrics = QFontMetrics(self._themes.font(0.88))
        widest = metrics.horizontalAdvance(f"{count:,}")
        names = max((metrics.horizontalAdvance(one) for one in columns), default=0)
        return max(widest, min(names, self._themes.px(64 if self.is_narrow else 120))) + self._themes.px(18)


class RowTable(QTableView):
    """The rows, and the keys that work on them.

    Signals: `accepted`, `rejected` and `redo_requested` carry the keys of the rows that are meant; `moved` says that
    another row is the current one; `edit_requested` is for the current row; `nothing_left` says that no row waits for
    a decision.
    """

    accepted = Signal(object)
    rejected = Signal(object)
    redo_requested = Signal(object)
    edit_requested = Signal()
    undo_requested = Signal()
    moved = Signal()
    nothing_left = Signal()

    def __init__(self, themes: ThemeKeeper, rows: RowModel, shown: RowFilter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._rows = rows
        self._shown = shown
        self._columns: Sequence[str] = ()
        self._delegate = RowDelegate(themes, shown, rows, self)
        self.setModel(shown)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName("Rows")
        self.setAccessibleDescription("Keys: j and k walk through what waits for you, a accepts, r rejects, e edits")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setMinimumSectionSize(8)
        for section in range(len(HEADINGS)):
            is_fixed = section in (NUMBER, SIGN)
            header.setSectionResizeMode(
                section, QHeaderView.ResizeMode.Fixed if is_fixed else QHeaderView.ResizeMode.Stretch
            )
        self.selectionModel().currentRowChanged.connect(lambda *_: self.moved.emit())
        themes.theme_changed.connect(lambda _: self.fit())
        self.fit()

    # --- which rows -----------------------------------------------------------------------------------

    def current(self) -> RowView | None:
        """The row that the keyboard is on."""
        index = self.currentIndex()
        return self._shown.row(index.row()) if index.isValid() else None

    def selected_keys(self) -> list[Key]:
        """The selected rows, in order."""
        places = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self._shown.row(place).key for place in places]

    def go_to(self, place: int) -> None:
        """Make a shown row the current one, and the only one that is selected."""
        if 0 <= place < self._shown.rowCount():
            index = self._shown.index(place, RESULT)
            # By the table itself it would be added to what is selected while Ctrl is still down from a shortcut.
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(index)

    def go_to_review(self, step: int) -> None:
        """Go to the next row (1) or the one before (-1) that waits for a decision; round at the ends."""
        count = self._shown.rowCount()
        here = self.currentIndex().row() if self.currentIndex().isValid() else (-1 if step > 0 else count)
        for distance in range(1, count + 1):
            place = (here + step * distance) % count
            if self._shown.row(place).sign is RowSign.REVIEW and place != here:
                self.go_to(place)
                return
        current = self.current()
        if current is None or current.sign is not RowSign.REVIEW:
            self.nothing_left.emit()

    def accept_selected(self) -> None:
        """The result of the selected rows is right."""
        self._decide(self.accepted)

    def reject_selected(self) -> None:
        """The selected rows stay as they were."""
        self._decide(self.rejected)

    def _decide(self, decided: SignalInstance) -> None:
        """Report the selected rows; after a single one go on to the next that waits."""
        keys = self.selected_keys()
        if not keys:
            return
        decided.emit(keys)
        now = self.current()
        # Where decided rows are not shown, the row after it has already come into its place.
        if now is not None and now.key not in keys and now.sign is RowSign.REVIEW:
            self.go_to(self.currentIndex().row())  # Qt makes it the current one, but selects nothing
        elif len(keys) == 1:
            self.go_to_review(1)

    # --- looks ----------------------------------------------------------------------------------------

    def set_columns(self, columns: Sequence[str]) -> None:
        """The names of the columns that are rewritten, where there are several."""
        self._columns = columns
        self.fit()

    def fit(self) -> None:
        """Widths and heights for the theme, the zoom and the room there is."""
        delegate = self._delegate
        delegate.is_narrow = self.viewport().width() < self._themes.px(NARROW)
        self._rows.set_narrow(delegate.is_narrow)
        self.setColumnHidden(TEXT, delegate.is_narrow)
        self.verticalHeader().setDefaultSectionSize(delegate.row_height())
        last = self._rows.row(self._rows.rowCount() - 1).key[0] + 1 if self._rows.rowCount() else 1
        self.setColumnWidth(NUMBER, delegate.number_width(last, self._columns))
        self.setColumnWidth(SIGN, delegate.sign_width())
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if (self.viewport().width() < self._themes.px(NARROW)) != self._delegate.is_narrow:
            self.fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A ring while the keyboard is here."""
        super().paintEvent(event)
        if self.hasFocus() and self.currentIndex().isValid():
            painter = QPainter(self.viewport())
            painter.setPen(QPen(QColor(self._themes.theme.accent), 2))
            index = self.currentIndex()
            box = self.visualRect(self._shown.index(index.row(), NUMBER))
            box = box.united(self.visualRect(self._shown.index(index.row(), RESULT)))
            painter.drawRect(box.adjusted(1, 1, -1, -2))
            painter.end()

    # --- keys -----------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo_requested.emit()
        elif event.modifiers() == Qt.KeyboardModifier.ControlModifier and event.key() == Qt.Key.Key_R:
            self.redo_requested.emit(self.selected_keys())
        elif event.modifiers() not in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier):
            super().keyPressEvent(event)
        elif self.press(event.key()):
            event.accept()
        elif event.text().isprintable() and event.text() and event.key() != Qt.Key.Key_Space:
            event.ignore()  # Qt would search the rows for that letter
        else:
            super().keyPressEvent(event)

    def press(self, key: int) -> bool:
        """Do what a key stands for, without a modifier; False if it is none of ours."""
        if key == Qt.Key.Key_J:
            self.go_to_review(1)
        elif key == Qt.Key.Key_K:
            self.go_to_review(-1)
        elif key == Qt.Key.Key_A:
            self.accept_selected()
        elif key == Qt.Key.Key_R:
            self.reject_selected()
        elif key in (Qt.Key.Key_E, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.edit_requested.emit()
        elif key == Qt.Key.Key_U:
            self.undo_requested.emit()
        else:
            return False
        return True
