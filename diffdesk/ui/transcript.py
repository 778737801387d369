"""The conversation as one reads it: messages, the answer that is being written, and what is searched for in them.

Knows nothing of the store or of runs; how the column scrolls is the matter of `message_column`.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QApplication, QWidget

from diffdesk.core.messages import Role
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.message_column import MESSAGE_MARGIN, Item, MessageColumn
from diffdesk.ui.message_widget import MessageWidget
from diffdesk.ui.text_views import MarkdownView, PlainView, rendered_text
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.transcript_layout import Anchor
from diffdesk.ui.views import MessageView


class Transcript(MessageColumn):
    """Shows messages. Its signals are those of its messages."""

    edit_requested = Signal(int, str)
    regenerate_requested = Signal(int)
    version_requested = Signal(int, int)
    replay_requested = Signal(int)
    stop_requested = Signal()
    link_clicked = Signal(str)
    image_opened = Signal(object)
    text_selected = Signal(object)  # the MessageWidget whose selection changed
    rewrite_requested = Signal()
    undo_requested = Signal(int)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(themes, parent)
        self._is_calm = False
        self._is_literal = False
        self._query = ""
        self._match: tuple[int, int] | None = None
        self.setAccessibleName("Conversation")

    # --- what is shown --------------------------------------------------------------------------------

    @property
    def views(self) -> list[MessageView]:
        """The messages, first to last."""
        return [item.view for item in self._items]

    def set_calm(self, is_calm: bool) -> None:
        """Whether words of a live answer appear only when they have settled."""
        self._is_calm = is_calm
        if self.live is not None:
            self.live.set_calm(is_calm)

    def set_literal(self, is_literal: bool) -> None:
        """Whether live answers are shown as they are written, as corrections are, instead of set as Markdown."""
        self._is_literal = is_literal

    def show_messages(self, views: Sequence[MessageView]) -> None:
        """These messages and no others; the reader is put at their end. Those that were there keep their widgets."""
        kept = {item.view.id: item for item in self._items}
        self._items = []
        for view in views:
            item = kept.get(view.id)
            if item is None or item.view != view or item.live is not None:
                item = Item(view)
            else:
                del kept[view.id]
            self._items.append(item)
        for gone in kept.values():
            self._drop(gone)
        self._mark_last()
        self._match = None
        self._column.reset([self._estimate(view) for view in views])
        self.scroll_to_end()

    def append(self, view: MessageView) -> None:
        """A message after the last one. One's own message takes the reader to the end."""
        self._items.append(Item(view))
        self._mark_last()
        self._column.insert(len(self._items) - 1, self._estimate(view))
        if view.role is Role.USER:
            self._is_at_end = True
        self._place()
        self._offer_end()

    def update_message(self, view: MessageView) -> None:
        """The message changed. A live message goes on; its view is kept for later."""
        index = self._index_of(view.id)
        if index is None:
            return
        item = self._items[index]
        if item.view == view:
            return
        item.view = view
        if item.live is None:
            self._replace(index)

    def remove(self, message_id: int) -> None:
        """The message goes; what is below it moves up."""
        index = self._index_of(message_id)
        if index is None:
            return
        self._drop(self._items.pop(index))
        self._column.remove(index)
        self._mark_last()
        if self._anchor.index > index:
            self._anchor = Anchor(self._anchor.index - 1, self._anchor.offset)
        self._place()

    # --- the answer that is being written -------------------------------------------------------------

    def begin_live(self, view: MessageView) -> LiveMessage:
        """Put a live message in the place of the message `view.id`, or at the end."""
        live = LiveMessage(self._themes, self.viewport(), self._set_paragraph)
        margin = self._themes.px(MESSAGE_MARGIN // 2)
        live.setContentsMargins(margin, self._themes.px(8), margin, self._themes.px(8))
        live.set_calm(self._is_calm)
        live.stop_requested.connect(self.stop_requested)
        live.height_changed.connect(self._on_height_changed)
        index = self._index_of(view.id)
        if index is None:
            self._items.append(Item(view))
            self._mark_last()
            self._column.insert(len(self._items) - 1, 0)
            index = len(self._items) - 1
        item = self._items[index]
        self._drop(item)
        item.view, item.live = view, live
        self._place()
        self._offer_end()
        return live

    def _set_paragraph(self, text: str) -> QWidget:
        """A committed part of the answer, set as it will be set in the end."""
        make = PlainView if self._is_literal else MarkdownView
        return make(self._themes, text.strip("\n"))

    def end_live(self, view: MessageView) -> None:
        """Put the finished message in the place of the live one; nothing above it moves for a reader elsewhere."""
        index = self._index_of(view.id)
        if index is None:
            self.append(view)
            return
        self._items[index].view = view
        self._replace(index)

    def show_change(self, message_id: int) -> None:
        """Put the keyboard on a message, and its first marked change into view."""
        widget = self.widget_of(message_id)
        if not isinstance(widget, MessageWidget):
            return
        widget.setFocus(Qt.FocusReason.OtherFocusReason)
        marked = None if widget.differences is None else widget.differences.marked
        inside = None if marked is None else marked.first_change
        if marked is not None and inside is not None:
            self.scroll_to_message(message_id, marked.mapTo(widget, marked.rect().topLeft()).y() + inside)

    # --- searching ------------------------------------------------------------------------------------

    def searchable_texts(self) -> list[tuple[int, str]]:
        """Each message's id and its text as it is read."""
        return [(item.view.id, readable_text(item.view)) for item in self._items]

    def highlight(self, query: str, match: tuple[int, int] | None) -> None:
        """Mark `query` everywhere; `match` is the message id and the number of the occurrence to go to."""
        self._query, self._match = query, match
        if match is not None:
            self.scroll_to_message(match[0])
        inside: int | None = None
        for item in self._items:
            top = self._mark(item)
            inside = top if top is not None else inside
        if match is not None and inside is not None:
            self.scroll_to_message(match[0], inside)

    def _mark(self, item: Item) -> int | None:
        """Mark the matches of one message; the y of the current one within the message's widget."""
        widget = item.widget
        text = widget.text_view if widget is not None else None
        if widget is None or text is None:
            return None
        current = self._match[1] if self._match is not None and self._match[0] == item.view.id else -1
        top = text.highlight(self._query, current)
        return None if top is None else top + text.mapTo(widget, text.rect().topLeft()).y()

    # --- widgets --------------------------------------------------------------------------------------

    def _make(self, view: MessageView) -> MessageWidget:
        widget = MessageWidget(self._themes, view, self.viewport(), is_literal=self._is_literal)
        widget.height_changed.connect(self._on_height_changed)
        widget.selection_changed.connect(lambda: self.text_selected.emit(widget))
        widget.rewrite_requested.connect(self.rewrite_requested)
        widget.undo_requested.connect(self.undo_requested)
        widget.edit_requested.connect(self.edit_requested)
        widget.regenerate_requested.connect(self.regenerate_requested)
        widget.version_requested.connect(self.version_requested)
        widget.replay_requested.connect(self.replay_requested)
        widget.link_clicked.connect(self.link_clicked)
        widget.image_opened.connect(self.image_opened)
        widget.set_last(bool(self._items) and view.id == self._items[-1].view.id)
        return widget

    def _mark_last(self) -> None:
        for item in self._items[-2:]:
            if item.widget is not None:
                item.widget.set_last(item is self._items[-1])

    def _replace(self, index: int) -> None:
        """Draw the item anew in its place."""
        item = self._items[index]
        had_focus = item.shown is not None and item.shown.isAncestorOf(QApplication.focusWidget() or self)
        self._drop(item)
        if index not in self._near(self._wanted_top()):
            self._column.set_height(index, self._estimate(item.view))
        self._place()
        if had_focus and item.widget is not None:
            item.widget.setFocus(Qt.FocusReason.OtherFocusReason)


def readable_text(view: MessageView) -> str:
    """A message's text as it is read: without Markdown's marks where it is set as Markdown."""
    if view.role is Role.USER or view.draft:
        return view.text
    return rendered_text(view.text)
