"""The queue at the left: the pages, how many there are, and what can be done with those that are selected.

It reports what the user wants and changes nothing itself. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QContextMenuEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QListView, QMenu, QVBoxLayout, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.canvas.still import StillLabel
from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import PageState, QueueRow
from diffdesk.ui.desk.focus_frame import FocusFrame
from diffdesk.ui.desk.queue_delegate import QueueDelegate
from diffdesk.ui.desk.queue_model import QueueModel
from diffdesk.ui.icons import icon
from diffdesk.ui.theme import ThemeKeeper

THUMBNAIL_PAUSE_MS = 60  # what is only scrolled past is not asked for


class PageList(QListView):
    """The list itself: Delete removes, Alt+↑ and Alt+↓ move. Letters are the desk's keys, not a search."""

    delete_pressed = Signal()
    move_pressed = Signal(int)
    menu_requested = Signal(object)
    resized = Signal()

    def __init__(self, themes: ThemeKeeper) -> None:
        super().__init__()
        self._frame = FocusFrame(themes, self)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        self._frame.paint(painter)
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, is_alt = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if key == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        elif is_alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.move_pressed.emit(-1 if key == Qt.Key.Key_Up else 1)
        elif event.text().strip() and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()


class QueuePanel(QFrame):
    """See the module.

    Signals:
        chosen(int): the user went to a page.
        moved(int, object): a waiting page is wanted before that of the second id; None for the end.
        removed(list), retried(list): of ids.
        thumbnails_wanted(list): ids of pages in sight without a thumbnail; each is asked for once.
    """

    chosen = Signal(int)
    moved = Signal(int, object)
    removed = Signal(list)
    retried = Signal(list)
    thumbnails_wanted = Signal(list)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._asked: set[int] = set()
        self._is_telling = True  # not while the desk itself moves the mark
        self.setProperty("kind", "side")
        self.setAccessibleName("Pages")
        self.model = QueueModel(self)
        self.list = PageList(themes)
        self.summary = StillLabel(themes, size=0.88)
        self.retry_button = IconButton("refresh-cw", "Try the failed pages again")
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(THUMBNAIL_PAUSE_MS)
        self._build()
        self._connect()
        self._show_summary()

    # --- what the desk shows --------------------------------------------------------------------------

    def set_rows(self, rows: Sequence[QueueRow]) -> None:
        """Show these pages; selection and scroll stay."""
        selected, current = self.selected_ids(), self.current_id()
        place = self.list.verticalScrollBar().value()
        self._is_telling = False
        if self.model.show(rows):
            self._put_back(selected, current)
            self.list.verticalScrollBar().setValue(place)
        self._is_telling = True
        self._asked &= {row.id for row in rows if not row.thumbnail}
        self._show_summary()
        self._pause.start()

    def update_row(self, row: QueueRow) -> None:
        """Show what became of one page."""
        before = self.model.row_at(self.model.index_of(row.id))
        if before is not None and before.thumbnail and not row.thumbnail:
            self._asked.discard(row.id)  # it was let go, and is made again when it comes into sight
        self.model.update_row(row)
        self._show_summary()

    def set_edge(self, *, has_edge: bool) -> None:
        """With an edge of its own where it lies over something; beside it there is that of the splitter."""
        kind = "sidebar" if has_edge else "side"
        if kind != self.property("kind"):
            self.setProperty("kind", kind)
            self.style().unpolish(self)
            self.style().polish(self)

    def set_current(self, page_id: int | None) -> None:
        """Mark the page that is shown; reports nothing."""
        index = QModelIndex() if page_id is None else self.model.index_of(page_id)
        if index == self.list.currentIndex() and index.isValid():
            return
        self._is_telling = False
        # By the list itself it would be added to what is selected while Ctrl is still down from a shortcut.
        self.list.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._is_telling = True

    def current_id(self) -> int | None:
        """The page that is marked."""
        row = self.model.row_at(self.list.currentIndex())
        return None if row is None else row.id

    def selected_ids(self) -> list[int]:
        """The selected pages, in their order."""
        rows = map(self.model.row_at, sorted(self.list.selectionModel().selectedIndexes(), key=QModelIndex.row))
        return [row.id for row in rows if row is not None]

    def failed_ids(self) -> list[int]:
        """All pages with an error."""
        return [row.id for row in self.model.rows if row.state is PageState.FAILED]

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.list.setProperty("kind", "bare")
        self.list.setAccessibleName("List of pages")
        self.list.setModel(self.model)
        self.list.setItemDelegate(QueueDelegate(self._themes, self.model, self.list))
        self.list.setUniformItemSizes(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.list.setDragDropOverwriteMode(False)
        self.list.setDropIndicatorShown(True)
        self.list.setMouseTracking(True)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        head = QHBoxLayout()
        head.setContentsMargins(16, 0, 8, 0)
        head.addWidget(self.summary, 1)
        head.addWidget(self.retry_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.list, 1)

    def _connect(self) -> None:
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.delete_pressed.connect(self._on_delete_pressed)
        self.list.move_pressed.connect(self._on_move_pressed)
        self.list.menu_requested.connect(self._on_menu_requested)
        self.list.resized.connect(self._pause.start)
        self.list.verticalScrollBar().valueChanged.connect(lambda _: self._pause.start())
        self.model.drop_requested.connect(self.moved)
        self.retry_button.clicked.connect(lambda: self.retried.emit(self.failed_ids()))
        self._pause.timeout.connect(self._on_pause)
        self._themes.theme_changed.connect(self._on_theme_changed)

    def _show_summary(self) -> None:
        self.summary.set_text(words.queue_summary(self.model.rows))
        self.retry_button.setVisible(any(row.state is PageState.FAILED for row in self.model.rows))

    def _put_back(self, selected: Sequence[int], current: int | None) -> None:
        """After the list was built anew."""
        selection = self.list.selectionModel()
        if current is not None:
            index = self.model.index_of(current)
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        for page_id in selected:
            index = self.model.index_of(page_id)
            if index.isValid():
                selection.select(index, QItemSelectionModel.SelectionFlag.Select)

    # --- what the user does ---------------------------------------------------------------------------

    def _on_current_changed(self, index: QModelIndex) -> None:
        row = self.model.row_at(index)
        if row is not None and self._is_telling:
            self.chosen.emit(row.id)

    def _on_delete_pressed(self) -> None:
        ids = self.selected_ids()
        if ids:
            self.removed.emit(ids)

    def _on_move_pressed(self, way: int) -> None:
        current = self.current_id()
        if current is None:
            return
        can_move, before = self.model.neighbour(current, way)
        if can_move:
            self.moved.emit(current, before)

    def _on_menu_requested(self, place: QPoint) -> None:
        ids = self.selected_ids()
        if not ids:
            return
        colour = self._themes.theme.text
        failed = set(self.failed_ids())
        again = [one for one in ids if one in failed]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if again:
            menu.addAction(icon("refresh-cw", colour), "Try again", lambda: self.retried.emit(again))
        current = self.current_id()
        for way, text, symbol in ((-1, "Move up\tAlt+↑", "arrow-up"), (1, "Move down\tAlt+↓", "arrow-down")):
            action = QAction(icon(symbol, colour), text, menu)
            action.triggered.connect(lambda _=False, one=way: self._on_move_pressed(one))
            action.setEnabled(current is not None and self.model.neighbour(current, way)[0])
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction(icon("trash-2", colour), "Remove from the queue\tDel", self._on_delete_pressed)
        menu.popup(place)

    def _on_pause(self) -> None:
        """Ask for the thumbnails of what is in sight."""
        if not self.isVisible() or not self.model.rows:
            return
        view = self.list.viewport().rect()
        first = self.list.indexAt(view.topLeft() + QPoint(8, 4)).row()
        last = self.list.indexAt(view.bottomLeft() + QPoint(8, -4)).row()
        visible = self.model.rows[max(0, first) : (last if last >= 0 else len(self.model.rows)) + 1]
        wanted = [row.id for row in visible if not row.thumbnail and row.id not in self._asked]
        if wanted:
            self._asked.update(wanted)
            self.thumbnails_wanted.emit(wanted)

    def _on_theme_changed(self) -> None:
        self.list.scheduleDelayedItemsLayout()
        self._pause.start()
