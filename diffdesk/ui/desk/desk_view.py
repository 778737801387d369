"""The correction desk as it fills the window: toolbar, queue, page and text, and what stands there before all that.

It draws plain objects and says what the user wants; the presenter does it and shows the result. Knows nothing of the
store, of files or of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QImage, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from diffdesk.ui.desk import walking
from diffdesk.ui.desk.desk_empty import DeskEmpty
from diffdesk.ui.desk.desk_keys import action_of
from diffdesk.ui.desk.desk_toolbar import DeskToolbar
from diffdesk.ui.desk.desk_views import PageStand, PageState, PageView, QueueRow, QueueStatus
from diffdesk.ui.desk.queue_list import QueuePanel
from diffdesk.ui.desk.review_panes import ReviewPanes
from diffdesk.ui.theme import ThemeKeeper

MOST_SIDE = 4096
"""Pixels a side of the picture that is asked for: more than a screen shows."""
WIDE, NARROW = 900, 640
QUEUE_WIDTH = 304


class DeskView(QWidget):
    """See the module.

    Signals:
        page_chosen(int): the user went to a page of the queue.
        page_requested(int): the next (1) or previous (-1) page is wanted.
        image_wanted(int, object, int, int): page, path, degrees to turn clockwise, the longest side wanted;
            answered by `set_image`.
        accepted(int), rejected(int), edited(int, str): a decision on a piece of the page shown.
        accept_above_requested(float): accept every open change of at least this certainty, 0…1.
        moved(int, object), removed(list), retried(list), thumbnails_wanted(list): see `QueuePanel`.
    """

    add_requested = Signal()
    add_folder_requested = Signal()
    screenshot_requested = Signal()
    sample_requested = Signal()
    paused = Signal()
    resumed = Signal()
    export_requested = Signal()
    page_chosen = Signal(int)
    page_requested = Signal(int)
    image_wanted = Signal(int, object, int, int)
    thumbnails_wanted = Signal(list)
    moved = Signal(int, object)
    removed = Signal(list)
    retried = Signal(list)
    accepted = Signal(int)
    rejected = Signal(int)
    edited = Signal(int, str)
    accept_above_requested = Signal(float)
    undo_requested = Signal()
    redo_requested = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._page: PageView | PageStand | None = None
        self._put_away: set[int] = set()  # pages whose note was put away
        self._is_retracing = False  # the next view shows what was undone or redone
        self._is_wide: bool | None = None  # until there is a width
        self.setAccessibleName("Correction desk")
        self.toolbar = DeskToolbar(themes)
        self.empty = DeskEmpty(themes)
        self.queue = QueuePanel(themes)
        self.review = ReviewPanes(themes)
        self._build()
        self._actions = self._make_actions()
        self._connect()
        self.set_rows(())
        self._show_nothing()
        themes.theme_changed.connect(lambda _: self._arrange())

    # --- queue ----------------------------------------------------------------------------------------

    def set_rows(self, rows: Sequence[QueueRow]) -> None:
        """Show the pages of the queue; selection and scroll stay. Without any the desk says what to do."""
        self.queue.set_rows(rows)
        part = self.body if rows else self.empty
        had_focus = part is not self.stack.currentWidget() and self.isAncestorOf(QApplication.focusWidget() or self)
        self.stack.setCurrentWidget(part)
        self.toolbar.setVisible(bool(rows))
        if had_focus:  # what had it is hidden now
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.review.bar.set_has_next_page(len(rows) > 1)

    def update_row(self, row: QueueRow) -> None:
        """Show what became of one page of the queue."""
        self.queue.update_row(row)

    def set_status(self, status: QueueStatus) -> None:
        """How far the work is as a whole."""
        self.toolbar.set_status(status)

    # --- page -----------------------------------------------------------------------------------------

    @property
    def page_id(self) -> int | None:
        """The page that is shown."""
        return None if self._page is None else self._page.id

    def show_page(self, page: PageView | PageStand | None) -> None:
        """Show a page, or what became of the one that is shown: then what is in hand and the scroll stay."""
        before, self._page = self._page, page
        if page is None:
            self._show_nothing()
            return
        is_new = before is None or before.id != page.id
        self.queue.set_current(page.id)
        self.review.set_name(page.name)
        if is_new or before is None or (before.image, before.turned) != (page.image, page.turned):
            self._ask_for_image(page)
        if isinstance(page, PageView):
            self._show_review(page, before if isinstance(before, PageView) and not is_new else None)
        else:
            self._show_stand(page)

    def set_image(self, page_id: int, image: QImage) -> None:
        """The picture that was asked for; a null one if it can't be had. One of another page is ignored."""
        page = self._page
        if page is not None and page.id == page_id:
            size = QSize(page.width, page.height) if isinstance(page, PageView) else QSize()
            self.review.show_image(image, size, "The page can't be shown.")

    def set_live(self, widget: QWidget | None) -> None:
        """Show the canvas of the page being corrected in place of the text, or with None what was there."""
        self.review.live.set_live(widget)
        self._show_part()

    # --- showing --------------------------------------------------------------------------------------

    def _show_nothing(self) -> None:
        self._page = None
        self.queue.set_current(None)
        self.review.show_pieces((), is_new=True)
        self.review.set_name("")
        self.review.show_image(QImage(), QSize(), "")
        self.review.state.show_state(PageState.WAITING, "Choose a page", "It is shown here beside its text.")
        self.review.note.hide()
        self._show_history(can_undo=False, can_redo=False)
        self._show_part()

    def _show_review(self, page: PageView, before: PageView | None) -> None:
        review = self.review
        review.image.set_page_size(QSize(page.width, page.height))
        is_first = before is None
        review.show_pieces(page.pieces, is_new=is_first)
        if before is not None and self._is_retracing:
            place = walking.first_difference(before.pieces, page.pieces)
            if place >= 0:
                review.set_current(place)
        self._is_retracing = False
        review.note.text.setText(page.banner)
        review.note.setVisible(bool(page.banner) and page.id not in self._put_away)
        self._show_history(can_undo=page.can_undo, can_redo=page.can_redo)
        self._show_part()

    def _show_stand(self, page: PageStand) -> None:
        self.review.show_pieces((), is_new=True)
        self.review.note.hide()
        self._show_history(can_undo=False, can_redo=False)
        if page.error is not None:
            self.review.state.show_error(page.error)
        else:
            self.review.state.show_state(page.state, page.text, page.more)
        self._show_part()

    def _show_history(self, *, can_undo: bool, can_redo: bool) -> None:
        is_review = isinstance(self._page, PageView)
        for one in (self.review.text_head.undo_button, self.review.text_head.redo_button):
            one.setVisible(is_review)
        self.review.text_head.undo_button.setEnabled(can_undo)
        self.review.text_head.redo_button.setEnabled(can_redo)

    def _show_part(self) -> None:
        review = self.review
        is_review = isinstance(self._page, PageView)
        if review.live.live is not None and not is_review:
            part: QWidget = review.live
        else:
            part = review.text if is_review else review.state
        focused = QApplication.focusWidget()
        is_ours = focused is self or (focused is not None and review.isAncestorOf(focused))
        had_focus = is_ours and part is not review.stack.currentWidget()
        review.stack.setCurrentWidget(part)
        review.bar.setVisible(is_review)
        if had_focus:  # what had it may be hidden now, and Qt would hand it to a button
            (review.text if is_review else self).setFocus(Qt.FocusReason.OtherFocusReason)

    def _ask_for_image(self, page: PageView | PageStand) -> None:
        self.review.set_has_image(page.image is not None)
        self.review.show_image(QImage(), QSize(), "Loading the page …" if page.image is not None else "")
        if page.image is not None:
            self.image_wanted.emit(page.id, page.image, page.turned, MOST_SIDE)

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.body = QWidget()
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.queue)
        self.splitter.addWidget(self.review)
        self.splitter.setStretchFactor(1, 1)
        inside = QHBoxLayout(self.body)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.splitter)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.body)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        column.addWidget(self.toolbar)
        column.addWidget(self.stack, 1)

    def _make_actions(self) -> dict[str, Callable[[], None]]:
        review = self.review
        return {
            "next_change": lambda: review.walk_changes(1),
            "previous_change": lambda: review.walk_changes(-1),
            "next_doubt": lambda: review.walk_doubts(1),
            "previous_doubt": lambda: review.walk_doubts(-1),
            "accept": review.accept,
            "reject": review.reject,
            "edit": review.edit,
            "undo": self._on_undo,
            "redo": self._on_redo,
            "next_page": lambda: self.page_requested.emit(1),
            "previous_page": lambda: self.page_requested.emit(-1),
            "next": lambda: self.page_requested.emit(1),
            "previous": lambda: self.page_requested.emit(-1),
            "zoom_in": lambda: review.zoom("in"),
            "zoom_out": lambda: review.zoom("out"),
            "zoom_toggle": lambda: review.zoom("toggle"),
            "go_on": self._on_go_on,
        }

    def _connect(self) -> None:
        for source in (self.toolbar, self.empty):
            source.add_requested.connect(self.add_requested)
            source.add_folder_requested.connect(self.add_folder_requested)
            source.screenshot_requested.connect(self.screenshot_requested)
        self.empty.sample_requested.connect(self.sample_requested)
        self.toolbar.paused.connect(self.paused)
        self.toolbar.resumed.connect(self.resumed)
        self.toolbar.export_requested.connect(self.export_requested)
        self.toolbar.queue_toggled.connect(lambda _: self._arrange())
        self.queue.chosen.connect(self._on_page_chosen)
        self.queue.moved.connect(self.moved)
        self.queue.removed.connect(self.removed)
        self.queue.retried.connect(self.retried)
        self.queue.thumbnails_wanted.connect(self.thumbnails_wanted)
        review = self.review
        review.accepted.connect(self.accepted)
        review.rejected.connect(self.rejected)
        review.edited.connect(self.edited)
        review.bar.pressed.connect(self._do)
        review.bar.accept_above_requested.connect(self.accept_above_requested)
        review.text_head.pressed.connect(self._do)
        review.note.close_button.clicked.connect(self._on_note_closed)
        review.state.retried.connect(lambda: self.retried.emit(self._shown_ids()))
        review.state.removed.connect(lambda: self.removed.emit(self._shown_ids()))

    # --- what the user does ---------------------------------------------------------------------------

    def _do(self, name: str) -> None:
        self._actions[name]()

    def _shown_ids(self) -> list[int]:
        return [] if self._page is None else [self._page.id]

    def _on_page_chosen(self, page_id: int) -> None:
        if self._is_wide is False and self.queue.list.underMouse():
            self.toolbar.queue_button.setChecked(False)
        self.page_chosen.emit(page_id)

    def _on_note_closed(self) -> None:
        self._put_away.update(self._shown_ids())
        self.review.note.hide()

    def _on_undo(self) -> None:
        if isinstance(self._page, PageView) and self._page.can_undo:
            self._is_retracing = True
            self.undo_requested.emit()

    def _on_redo(self) -> None:
        if isinstance(self._page, PageView) and self._page.can_redo:
            self._is_retracing = True
            self.redo_requested.emit()

    def _on_go_on(self) -> None:
        """Accept what is in hand; with nothing in hand, to the first open change, or to the next page."""
        review = self.review
        if review.current >= 0:
            review.accept()
        elif walking.next_undecided(review.pieces, -1) >= 0:
            review.set_current(walking.next_undecided(review.pieces, -1))
        else:
            self.page_requested.emit(1)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keyboard goes to the text of the page, or to the first thing to do."""
        super().focusInEvent(event)
        for part in (self.empty.add_button, self.review.text):
            if part.isVisible():
                part.setFocus(event.reason())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that no part of the desk wanted for itself."""
        focused = QApplication.focusWidget()
        review = self.review
        is_reading = focused is None or focused in (self, review.image, review.text)
        if focused is self.queue.list and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toolbar.queue_button.setChecked(False)
            review.text.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        name = action_of(event, is_reading=is_reading)
        if name and self.stack.currentWidget() is self.body:
            self._do(name)
        else:
            super().keyPressEvent(event)

    # --- room -----------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        """Smaller than what its parts ask for side by side: where that isn't there, they are shown one at a time."""
        return QSize(320, 240)

    def _arrange(self) -> None:
        """Queue beside the review, or as a drawer over it; page and text side by side, or one of them."""
        px = self._themes.px
        is_wide = self.width() >= px(WIDE)
        self.review.set_narrow(self.width() < px(NARROW))
        self.toolbar.show_queue_button(not is_wide)
        if is_wide:
            if not self._is_wide:
                self.splitter.insertWidget(0, self.queue)
                self.splitter.setSizes([px(QUEUE_WIDTH), self.width() - px(QUEUE_WIDTH)])
            self.queue.show()
            self.queue.set_edge(has_edge=False)
        else:
            if self._is_wide is not False:
                self.queue.setParent(self.body)
            self.queue.setGeometry(0, 0, min(px(QUEUE_WIDTH), self.body.width() - px(48)), self.body.height())
            self.queue.setVisible(self.toolbar.queue_button.isChecked())
            self.queue.set_edge(has_edge=True)
            self.queue.raise_()
        self.queue.setMinimumWidth(px(200))
        self._is_wide = is_wide
