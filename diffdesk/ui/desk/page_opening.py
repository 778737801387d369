"""The page under review: opened from the store, decided piece by piece, kept after each step.

Between the desk's view, the store and the review's own logic. Knows nothing of how pages are read and corrected.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from diffdesk.core.errors import UserError
from diffdesk.services import desk_work
from diffdesk.services.review import Review
from diffdesk.store import DeskContent, DeskRow, DeskState, Store
from diffdesk.ui.desk.desk_queue import DeskQueue
from diffdesk.ui.desk.desk_rows import page_stand, page_view
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import PageState
from diffdesk.workers.store_lane import StoreLane

_STANDS = {
    PageState.WAITING: "Waiting to be read",
    PageState.READING: "Reading the page …",
    PageState.CORRECTING: "Correcting …",
}


class PageOpening(QObject):
    """See the module. `failed(UserError)`: something of the page could not be read or kept."""

    failed = Signal(object)

    def __init__(self, view: DeskView, queue: DeskQueue, store: StoreLane) -> None:
        super().__init__(view)
        self._view = view
        self._queue = queue
        self._store = store
        self._page: int | None = None
        self._review: Review | None = None
        self._size = (0, 0)
        self._turned = 0
        self._notes: tuple[str, ...] = ()
        self._fetches = 0  # counts upwards; what comes of an earlier one is too late
        view.accepted.connect(lambda index: self._decide(lambda review: review.accept(index)))
        view.rejected.connect(lambda index: self._decide(lambda review: review.reject(index)))
        view.edited.connect(lambda index, text: self._decide(lambda review: review.edit(index, text)))
        view.accept_above_requested.connect(lambda least: self._decide(lambda review: review.accept_above(least)))
        view.undo_requested.connect(lambda: self._decide(lambda review: review.undo()))
        view.redo_requested.connect(lambda: self._decide(lambda review: review.redo()))

    @property
    def page(self) -> int | None:
        """The page that is open."""
        return self._page

    @property
    def review(self) -> Review | None:
        """Its review; None while it is not there."""
        return self._review

    def open(self, page: int) -> None:
        """Show a page of the queue."""
        row = self._queue.row(page)
        if row is None:
            return
        self._page, self._review = page, None
        self._fetches += 1
        if row.state in (DeskState.WAITING, DeskState.FAILED):
            self._show_stand(row)
            return
        fetch = self._fetches
        self._store.submit(
            lambda store: store.desk.content(page), lambda content: self._on_content(fetch, content), self.failed.emit
        )

    def refresh(self, page: int) -> None:
        """The page may stand otherwise now."""
        if page != self._page:
            return
        row = self._queue.row(page)
        if row is None:
            self.close()
        elif self._review is None:
            self.open(page)

    def reopen(self, page: int) -> None:
        """The page has other contents now."""
        if page == self._page:
            self._review = None
            self.open(page)

    def close(self) -> None:
        """No page is open."""
        self._page, self._review = None, None
        self._view.show_page(None)

    def _show_stand(self, row: DeskRow) -> None:
        at_work = self._queue.at_work(row.id)
        text = _STANDS.get(at_work or PageState.WAITING, "")
        if at_work is None and row.is_read:
            text = "Waiting to be corrected"
        self._view.show_page(page_stand(row, text, at_work))

    def _on_content(self, fetch: int, content: DeskContent | None) -> None:
        if fetch != self._fetches or self._page is None or content is None:
            return
        found = desk_work.page_of(content)
        self._size = (0, 0) if found is None else (found.width, found.height)
        self._turned = 0 if found is None else found.turned
        self._notes = content.notes
        self._review = desk_work.review_of(content)
        self._show()

    def _show(self) -> None:
        row = None if self._page is None else self._queue.row(self._page)
        if row is not None and self._review is not None:
            self._view.show_page(page_view(row, self._review, self._size, self._turned, self._notes))

    def _decide(self, act: Callable[[Review], object]) -> None:
        review, page = self._review, self._page
        if review is None or page is None:
            return
        act(review)
        self._show()
        kept, outcome = review.to_json(), desk_work.outcome_of(review)

        def keep(store: Store) -> DeskRow:
            return store.desk.save_review(page, kept, outcome)

        self._store.submit(keep, self._queue.put, self._on_not_kept)

    def _on_not_kept(self, error: UserError) -> None:
        self.failed.emit(error)
