"""A scrolling column of messages of which only those near the view have widgets: the mechanics of the transcript.

Heights are estimated until a message was seen once. The place that the reader looks at stays where it is, whatever
happens above or below it; only a reader who is at the end is taken along. What a message looks like is decided by the
class derived from this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QPushButton, QWidget

from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.icons import icon
from diffdesk.ui.message_widget import MessageWidget
from diffdesk.ui.theme import Theme, ThemeKeeper
from diffdesk.ui.transcript_layout import Anchor, Column
from diffdesk.ui.views import MessageView

COLUMN_CHARACTERS = 76
"""The longest comfortable line (Bringhurst: 45 to 75)."""

MESSAGE_MARGIN = 24
"""What a message keeps free left and right of its text, together, at 100 %."""

END_TOLERANCE = 24
"""Pixels from the end within which a reader counts as being at the end."""

MOST_WIDGETS = 20
"""Messages kept as widgets at most, besides those on the screen."""


@dataclass(slots=True)
class Item:
    """A message of the column, and its widget while it is near the view."""

    view: MessageView
    widget: MessageWidget | None = None
    live: LiveMessage | None = None

    @property
    def shown(self) -> QWidget | None:
        """The widget that stands for the message, if it has one now."""
        return self.live if self.live is not None else self.widget


class MessageColumn(QAbstractScrollArea):
    """See the module. A derived class makes the widgets in `_make`, and marks what is searched for in `_mark`."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._items: list[Item] = []
        self._column = Column()
        self._anchor = Anchor(0, 0)
        self._is_at_end = True
        self._is_placing = False
        self._is_outdated = False
        self._shown: list[QWidget] = []
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("kind", "page")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(True)
        self.pill = QPushButton(self)
        self.pill.setProperty("kind", "primary")
        self.pill.setToolTip("Go to the end")
        self.pill.hide()
        self.pill.clicked.connect(self.scroll_to_end)
        self._dress(themes.theme)
        themes.theme_changed.connect(self._on_theme_changed)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._on_scrolled)
        bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    # --- what a derived class does --------------------------------------------------------------------

    def _make(self, view: MessageView) -> MessageWidget:
        """The widget for a message that comes into view."""
        raise NotImplementedError

    def _mark(self, item: Item) -> int | None:
        """Mark what is searched for in a message that has a widget."""
        raise NotImplementedError

    # --- what can be asked ----------------------------------------------------------------------------

    @property
    def live_widget_count(self) -> int:
        """How many messages have widgets at the moment."""
        return sum(1 for item in self._items if item.shown is not None)

    def widget_of(self, message_id: int) -> QWidget | None:
        """The widget of a message while it has one."""
        index = self._index_of(message_id)
        return None if index is None else self._items[index].shown

    @property
    def live(self) -> LiveMessage | None:
        """The message that is being written, if there is one."""
        return next((item.live for item in reversed(self._items) if item.live is not None), None)

    # --- scrolling ------------------------------------------------------------------------------------

    def scroll_to_end(self) -> None:
        """Go to the end and stay there while text is added."""
        self._is_at_end = True
        self._place()

    def scroll_to_message(self, message_id: int, inside: int = 0) -> None:
        """Show the place `inside` pixels below the top of a message, in the upper third of the view."""
        index = self._index_of(message_id)
        if index is None:
            return
        margin = self.viewport().height() // 4
        self._is_at_end = False
        self._anchor = Anchor(index, inside - margin)
        self._place()

    # --- layout ---------------------------------------------------------------------------------------

    def text_width(self) -> int:
        """Pixels of the text column: 76 characters, or what there is."""
        return max(120, min(self.widest_text(), self.viewport().width() - self._themes.px(16)))

    def widest_text(self) -> int:
        """Pixels of the text column where there is room enough."""
        metrics = QFontMetricsF(self._themes.font())
        return round(metrics.averageCharWidth() * COLUMN_CHARACTERS) + self._themes.px(MESSAGE_MARGIN)

    def _estimate(self, view: MessageView) -> int:
        """About how high a message will be."""
        line = self.fontMetrics().lineSpacing() * 1.45
        lines = sum(1 + len(one) // COLUMN_CHARACTERS for one in view.text[:200_000].split("\n"))
        return round(line * lines + self._themes.px(90) + (self._themes.px(170) if view.images else 0))

    def _place(self) -> None:
        """Make, measure and move the widgets near the view, keeping the anchor, or the end, where it is."""
        if self._is_placing:
            self._is_outdated = True
            return
        self._is_placing = True
        try:
            self._place_once()
            if self._is_outdated:  # the scroll bar came or went meanwhile
                self._place_once()
        finally:
            self._is_placing = self._is_outdated = False
        self._offer_end()

    def _place_once(self) -> None:
        self._is_outdated = False
        for _ in range(6):  # a measured height may bring another message into view; it settles quickly
            top = self._wanted_top()
            if not self._measure(top):
                break
        top = self._wanted_top()
        self._set_range(top)
        self._move(top)
        self._recycle(top)
        self._order_tabs()

    def _wanted_top(self) -> int:
        most = max(0, self._column.total - self.viewport().height())
        if self._is_at_end:
            return most
        return min(most, max(0, self._column.top_of(self._anchor)))

    def _near(self, top: int) -> range:
        """The items on the screen and half a screen above and below."""
        height = self.viewport().height()
        return self._column.window(top - height // 2, top + height + height // 2)

    def _measure(self, top: int) -> bool:
        """Make and measure what is near; True if a height was other than assumed."""
        has_changed = False
        width = self.text_width()
        for index in self._near(top):
            item = self._items[index]
            if item.shown is None:
                item.widget = self._make(item.view)
                self._mark(item)
            has_changed |= self._column.set_height(index, self._height_of(item, width))
        return has_changed

    def _height_of(self, item: Item, width: int) -> int:
        if item.live is not None:
            live = item.live
            wanted = live.heightForWidth(width) if live.hasHeightForWidth() else live.sizeHint().height()
            return max(wanted, live.minimumSizeHint().height())
        return item.widget.height_for(width) if item.widget is not None else 0

    def _set_range(self, top: int) -> None:
        bar = self.verticalScrollBar()
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(self.fontMetrics().lineSpacing() * 2)
        bar.setRange(0, max(0, self._column.total - self.viewport().height()))
        bar.setValue(top)

    def _move(self, top: int) -> None:
        width = self.text_width()
        left = max(0, (self.viewport().width() - width) // 2)
        tops, heights = self._column.tops, self._column.heights
        for index, item in enumerate(self._items):
            widget = item.shown
            if widget is None:
                continue
            widget.setGeometry(left, tops[index] - top, width, heights[index])
            if not widget.isVisible():
                widget.show()
        if not self._is_at_end:
            self._anchor = self._column.anchor_at(top)

    def _recycle(self, top: int) -> None:
        """Let go of the widgets that are far away, unless something would be lost."""
        near = self._near(top)
        far = [
            item
            for index, item in enumerate(self._items)
            if item.widget is not None and index not in near and not item.widget.is_precious
        ]
        height = self.viewport().height()
        wide = self._column.window(top - 3 * height, top + 4 * height)
        keep = max(0, MOST_WIDGETS - len(near))
        for item in far:
            index = self._items.index(item)
            if index not in wide or keep <= 0:
                self._drop(item)
            else:
                keep -= 1

    def _drop(self, item: Item) -> None:
        for widget in (item.widget, item.live):
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        item.widget, item.live = None, None

    def _index_of(self, message_id: int) -> int | None:
        # From the end: it is nearly always one of the last.
        for index in range(len(self._items) - 1, -1, -1):
            if self._items[index].view.id == message_id:
                return index
        return None

    def _order_tabs(self) -> None:
        """Tab goes through the messages from top to bottom, in whatever order their widgets were made."""
        shown = [item.shown for item in self._items if item.shown is not None]
        if shown != self._shown:
            self._shown = shown
            for previous, widget in pairwise(shown):
                QWidget.setTabOrder(previous, widget)

    def _offer_end(self) -> None:
        """Show the pill while there is something below that the reader hasn't seen come."""
        bar = self.verticalScrollBar()
        hidden = bar.maximum() - bar.value()
        is_live = self.live is not None
        self.pill.setVisible(not self._is_at_end and hidden > END_TOLERANCE and (is_live or hidden > self.height()))
        self.pill.setText(" New text below" if is_live else " Go to the end")
        self._place_pill()

    def _place_pill(self) -> None:
        self.pill.adjustSize()
        self.pill.move((self.width() - self.pill.width()) // 2, self.height() - self.pill.height() - 12)

    def _dress(self, theme: Theme) -> None:
        palette = self.viewport().palette()
        palette.setColor(QPalette.ColorRole.Base, theme.surface)
        palette.setColor(QPalette.ColorRole.Window, theme.surface)
        self.viewport().setPalette(palette)
        self.pill.setIcon(icon("arrow-down", theme.accent_text))

    # --- slots ----------------------------------------------------------------------------------------

    def _on_height_changed(self) -> None:
        self._place()

    def _on_scrolled(self, value: int) -> None:
        if self._is_placing:
            return  # we moved the bar ourselves
        self._is_at_end = value >= self.verticalScrollBar().maximum() - END_TOLERANCE
        self._anchor = self._column.anchor_at(value)
        self._place()

    def _on_theme_changed(self, theme: Theme) -> None:
        self._dress(theme)
        was_placing, self._is_placing = self._is_placing, True
        for item in self._items:
            if item.widget is not None:
                item.widget.refresh()
        self._is_placing = was_placing
        self._column.reset([self._estimate(item.view) for item in self._items])
        self._place()

    def _on_focus_changed(self, old: QObject | None, new: QObject | None) -> None:
        del old
        for item in self._items:
            widget = item.widget
            if widget is None:
                continue
            is_inside = isinstance(new, QWidget) and (new is widget or widget.isAncestorOf(new))
            widget.set_active(is_inside)
            if is_inside and isinstance(new, QWidget) and not widget.underMouse():
                self._ensure_visible(widget, new)

    def _ensure_visible(self, message: QWidget, focused: QWidget) -> None:
        """Scroll as little as needed to show what the keyboard went to."""
        rect = focused.rect().translated(focused.mapTo(self.viewport(), focused.rect().topLeft()))
        if focused is not message and rect.height() > self.viewport().height():
            return
        height, bar = self.viewport().height(), self.verticalScrollBar()
        if rect.top() < 0:
            bar.setValue(bar.value() + rect.top() - 8)
        elif rect.bottom() > height:
            bar.setValue(bar.value() + min(rect.top() - 8, rect.bottom() - height + 8))

    # --- Qt -------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._column.reset([self._estimate(item.view) for item in self._items])
        self._place()
        self._place_pill()

    def sizeHint(self) -> QSize:
        return QSize(640, 400)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down go from message to message, page keys scroll, Home and End go to the ends."""
        bar = self.verticalScrollBar()
        key = event.key()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._focus_beside(-1 if key == Qt.Key.Key_Up else 1)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            page = self.viewport().height() - self.fontMetrics().lineSpacing() * 2
            bar.setValue(bar.value() + (page if key == Qt.Key.Key_PageDown else -page))
        elif key == Qt.Key.Key_Home:
            bar.setValue(0)
        elif key == Qt.Key.Key_End:
            self.scroll_to_end()
        else:
            event.ignore()

    def _focus_beside(self, step: int) -> None:
        focused = QApplication.focusWidget()
        places = [index for index, item in enumerate(self._items) if item.shown is not None]
        for index in places:
            widget = self._items[index].shown
            if focused is not None and widget is not None and (widget is focused or widget.isAncestorOf(focused)):
                beside = self._items[index + step].shown if 0 <= index + step < len(self._items) else None
                if beside is not None:
                    beside.setFocus(Qt.FocusReason.TabFocusReason)
                return
