"""The sidebar: New, the search field and the conversations.

Rows are painted by a delegate, so ten thousand of them cost what is on the screen. It reports what the user wants and
changes nothing itself. Knows nothing of the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QFontMetrics, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from diffdesk.ui.conversation_model import ConversationModel
from diffdesk.ui.icons import icon, pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.row_back import paint_row_back
from diffdesk.ui.theme import Theme, ThemeKeeper
from diffdesk.ui.views import ConversationView, Place

SEARCH_PAUSE_MS = 120


class RowDelegate(QStyledItemDelegate):
    """Paints a heading, or a conversation with its date and, when searching, where the text was found."""

    def __init__(self, themes: ThemeKeeper, model: ConversationModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        line = QFontMetrics(self._themes.font()).height()
        view = self._model.view_at(index)
        if view is None:
            return QSize(80, line + self._themes.px(18))
        small = QFontMetrics(self._themes.font(0.88)).height()
        return QSize(80, line + self._themes.px(14) + (small if view.snippet else 0))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        view = self._model.view_at(index)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRect(option.rect)
        if view is None:
            self._paint_heading(painter, rect, self._model.row(index.row()).heading)
        else:
            self._paint_row(painter, rect, option.state, view)
        painter.restore()

    def _paint_heading(self, painter: QPainter, rect: QRect, heading: str) -> None:
        px = self._themes.px
        painter.setPen(QColor(self._themes.theme.text_muted))
        painter.setFont(self._themes.font(0.88, is_bold=True))
        inside = rect.adjusted(px(12), px(10), -px(8), -px(2))
        painter.drawText(inside, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), heading)

    def _paint_row(self, painter: QPainter, rect: QRect, state: QStyle.StateFlag, view: ConversationView) -> None:
        px = self._themes.px
        box = rect.adjusted(px(4), 1, -px(4), -1)
        paint_row_back(painter, self._themes, box, state)
        self._paint_texts(painter, box.adjusted(px(10), 0, -px(8), 0), view)

    def _paint_texts(self, painter: QPainter, box: QRect, view: ConversationView) -> None:
        theme, px = self._themes.theme, self._themes.px
        small = self._themes.font(0.88)
        height = QFontMetrics(self._themes.font()).height()
        line = QRect(box.left(), box.top() + px(6), box.width(), height)
        side = px(14)
        symbol = "spell-check" if view.place is Place.CORRECT else "message-square"
        density = painter.device().devicePixelRatioF()
        mark = pixmap(symbol, theme.text_muted, side, density)
        painter.drawPixmap(line.left(), line.center().y() - side // 2 + 1, mark)
        date = self._model.date_text(view)
        painter.setFont(small)
        painter.setPen(QColor(theme.text_muted))
        wide = QFontMetrics(small).horizontalAdvance(date)
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(line, middle | int(Qt.AlignmentFlag.AlignRight), date)
        left = line.adjusted(side + px(8), 0, -wide - px(8), 0)
        painter.setFont(self._themes.font())
        painter.setPen(QColor(theme.text))
        metrics = QFontMetrics(self._themes.font())
        title = metrics.elidedText(view.title or "New conversation", Qt.TextElideMode.ElideRight, left.width())
        painter.drawText(left, middle, title)
        if view.snippet:
            painter.setFont(small)
            painter.setPen(QColor(theme.text_muted))
            below = QRect(left.left(), line.bottom(), box.right() - left.left(), QFontMetrics(small).height())
            found = " ".join(view.snippet.split())
            painter.drawText(
                below, middle, QFontMetrics(small).elidedText(found, Qt.TextElideMode.ElideRight, below.width())
            )


class RowList(QListView):
    """The list itself: Enter opens, F2 renames, Delete deletes, Ctrl+Z takes that back."""

    delete_pressed = Signal()
    open_pressed = Signal()
    undo_pressed = Signal()
    menu_requested = Signal(object)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        elif event.matches(QKeySequence.StandardKey.Undo):
            self.undo_pressed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.state() != self.State.EditingState:
            self.open_pressed.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(event.globalPos())


class Sidebar(QFrame):
    """New, search and the conversations. See the module."""

    new_requested = Signal()
    opened = Signal(int)
    renamed = Signal(int, str)
    deleted = Signal(int)
    export_requested = Signal(int)
    searched = Signal(str)
    undo_pressed = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._current: int | None = None
        self.setProperty("kind", "sidebar")
        self.setAccessibleName("Conversations")
        self.new_button = QPushButton(" New")
        self.search = QLineEdit()
        self.model = ConversationModel(self)
        self.list = RowList()
        self.empty = label("Your conversations will be listed here.", "small", is_wrapped=True)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(SEARCH_PAUSE_MS)
        self._build()
        self._connect()
        self._dress(themes.theme)

    def show_conversations(self, views: Sequence[ConversationView], current: int | None) -> None:
        """Show these, newest first as given, with the open one marked."""
        place = self.list.verticalScrollBar().value()
        had_focus = self.list.hasFocus()
        self._current = current
        self.model.show(views, datetime.now().astimezone())
        self.list.verticalScrollBar().setValue(place)
        self._mark_current()
        if had_focus:
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)
        self.list.setVisible(bool(views))
        self.empty.setVisible(not views)
        is_searching = bool(self.search.text().strip())
        self.empty.setText("Nothing found." if is_searching else "Your conversations will be listed here.")

    def title_of(self, conversation_id: int) -> str:
        """The title of a listed conversation."""
        view = self.model.view_at(self.model.index_of(conversation_id))
        return "" if view is None else view.title

    def start_rename(self) -> None:
        """Edit the title of the row that the keyboard is on, or of the open conversation."""
        index = self.list.currentIndex()
        if not index.isValid() and self._current is not None:
            index = self.model.index_of(self._current)
        if index.isValid():
            self.list.edit(index)

    def focus_search(self) -> None:
        """Put the keyboard into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _build(self) -> None:
        self.new_button.setToolTip("New conversation (Ctrl+N)")
        self.new_button.setAccessibleName("New conversation")
        self.search.setPlaceholderText("Search everything")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search all conversations")
        self.search.setToolTip("Search all conversations (Ctrl+K)")
        self.list.setProperty("kind", "bare")
        self.list.setAccessibleName("List of conversations")
        self.list.setModel(self.model)
        self.list.setItemDelegate(RowDelegate(self._themes, self.model, self.list))
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        head = QHBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.addWidget(self.new_button, 1)
        middle = QHBoxLayout()
        middle.setContentsMargins(8, 0, 8, 0)
        middle.addWidget(self.search)
        low = QHBoxLayout()
        low.setContentsMargins(16, 8, 8, 0)
        low.addWidget(self.empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(8)
        column.addLayout(head)
        column.addLayout(middle)
        column.addLayout(low)
        column.addWidget(self.list, 1)
        column.addStretch()

    def _connect(self) -> None:
        self.new_button.clicked.connect(self.new_requested)
        self.search.textChanged.connect(self._pause.start)
        self.search.returnPressed.connect(self._on_search_entered)
        self.search.installEventFilter(self)
        self._pause.timeout.connect(lambda: self.searched.emit(self.search.text().strip()))
        self.list.clicked.connect(self._on_clicked)
        self.list.open_pressed.connect(lambda: self._on_clicked(self.list.currentIndex()))
        self.list.undo_pressed.connect(self.undo_pressed)
        self.list.delete_pressed.connect(self._on_delete_pressed)
        self.list.menu_requested.connect(self._on_menu_requested)
        self.model.renamed.connect(self.renamed)
        self._themes.theme_changed.connect(self._on_theme_changed)

    def _dress(self, theme: Theme) -> None:
        self.new_button.setIcon(icon("plus", theme.text))
        for action in self.search.actions():
            if action.objectName() == "searchMark":
                self.search.removeAction(action)
        mark = self.search.addAction(icon("search", theme.text_muted), QLineEdit.ActionPosition.LeadingPosition)
        mark.setObjectName("searchMark")

    def _mark_current(self) -> None:
        index = QModelIndex() if self._current is None else self.model.index_of(self._current)
        self.list.setCurrentIndex(index)
        if not index.isValid():
            self.list.clearSelection()

    def _on_theme_changed(self, theme: Theme) -> None:
        self._dress(theme)
        self.list.scheduleDelayedItemsLayout()

    def _on_clicked(self, index: QModelIndex) -> None:
        view = self.model.view_at(index)
        if view is not None:
            self.opened.emit(view.id)

    def _on_delete_pressed(self) -> None:
        view = self.model.view_at(self.list.currentIndex())
        if view is not None:
            self.deleted.emit(view.id)

    def _on_search_entered(self) -> None:
        """Enter searches at once; Down then leads into the list."""
        self._pause.stop()
        self.searched.emit(self.search.text().strip())

    def _on_menu_requested(self, place: QPoint) -> None:
        view = self.model.view_at(self.list.currentIndex())
        if view is None:
            return
        colour = self._themes.theme.text
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(icon("pencil", colour), "Rename\tF2", self.start_rename)
        menu.addAction(icon("file-text", colour), "Save as Markdown…", lambda: self.export_requested.emit(view.id))
        menu.addSeparator()
        menu.addAction(icon("trash-2", colour), "Delete\tDel", lambda: self.deleted.emit(view.id))
        menu.popup(place)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Down leads from the search field into the list, Escape empties it."""
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Down and self.model.rowCount() > 1:
                self.list.setFocus(Qt.FocusReason.TabFocusReason)
                if not self.list.currentIndex().isValid():
                    self.list.setCurrentIndex(self.model.index(1))
                return True
            if event.key() == Qt.Key.Key_Escape and self.search.text():
                self.search.clear()
                return True
        return super().eventFilter(watched, event)
