"""Pictures for the desk: thumbnails of the queue as far as they are seen, and the page that is open, off the window's
thread.

Knows where pages come from; nothing of reviews.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from diffdesk.documents.images import open_image
from diffdesk.documents.page_images import PageImages
from diffdesk.documents.page_source import PageSource
from diffdesk.documents.pixels import turned_clockwise
from diffdesk.services.desk_work import source_of
from diffdesk.ui.desk.desk_queue import DeskQueue
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.workers.file_pool import FilePool

THUMBNAIL = 160
_MOST_KEPT = 600


@dataclass(frozen=True, slots=True)
class _Large:
    """A picture of a page for the view."""

    page: int
    source: PageSource
    turned: int
    side: int


class DeskPictures(QObject):
    """See the module. `thumbnail_changed(int)`: of a page; it is had from `thumbnail`."""

    thumbnail_changed = Signal(int)

    def __init__(self, view: DeskView, queue: DeskQueue, pool: FilePool, images: PageImages) -> None:
        super().__init__(view)
        self._view = view
        self._queue = queue
        self._pool = pool
        self._images = images
        self._made: OrderedDict[int, bytes] = OrderedDict()
        self._wanted: list[int] = []
        self._is_busy = False
        self._large: _Large | None = None  # the one that is wanted
        self._is_loading = False
        view.thumbnails_wanted.connect(self._on_thumbnails_wanted)
        view.image_wanted.connect(self._on_image_wanted)

    def thumbnail(self, page: int) -> bytes:
        """A PNG of a page; empty while there is none."""
        return self._made.get(page, b"")

    def _on_thumbnails_wanted(self, pages: Sequence[int]) -> None:
        # What is seen now comes first; the rest is made when there is time.
        fresh = [page for page in pages if page not in self._made]
        self._wanted = [*fresh, *(page for page in self._wanted if page not in set(fresh))]
        self._make_next()

    def _make_next(self) -> None:
        while self._wanted and not self._is_busy:
            page = self._wanted.pop(0)
            row = self._queue.row(page)
            source = None if row is None else source_of(row)
            if source is not None:
                self._make(page, source)

    def _make(self, page: int, source: PageSource) -> None:
        self._is_busy = True

        def done(data: bytes) -> None:
            self._made[page] = data
            self.thumbnail_changed.emit(page)
            while len(self._made) > _MOST_KEPT:
                oldest, _ = self._made.popitem(last=False)
                self.thumbnail_changed.emit(oldest)
            self._is_busy = False
            self._make_next()

        # What is wrong with a page is told where it is read.
        self._pool.submit(lambda: self._images.thumbnail(source, THUMBNAIL), done, lambda _: done(b""))

    def _on_image_wanted(self, page: int, _: object, turned: int, side: int) -> None:
        row = self._queue.row(page)
        source = None if row is None else source_of(row)
        self._large = None if source is None else _Large(page, source, turned, side)
        self._load_next()

    def _load_next(self) -> None:
        """Load the page that is wanted now; those that were only passed by are left out."""
        wanted = self._large
        if wanted is None or self._is_loading:
            return
        self._large, self._is_loading = None, True

        def done(image: QImage) -> None:
            self._is_loading = False
            self._view.set_image(wanted.page, image)
            self._load_next()

        self._pool.submit(lambda: self._loaded(wanted), done, lambda _: done(QImage()))

    def _loaded(self, wanted: _Large) -> QImage:
        with self._images.use(wanted.source) as path:
            page = turned_clockwise(open_image(path), wanted.turned)
        page.thumbnail((wanted.side, wanted.side))
        width, height = page.size
        # A copy: Qt would otherwise go on using memory that is Pillow's.
        return QImage(page.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
