"""Pictures for the desk: thumbnails of the queue as far as they are seen, and the page that is open, off the window's
thread.

Knows where pages come from; nothing of reviews.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from diffdesk.core.errors import UserError
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


class DeskPictures(QObject):
    """See the module. `thumbnail_made(int)`: of a page, to be had from `thumbnail`."""

    thumbnail_made = Signal(int)

    def __init__(self, view: DeskView, queue: DeskQueue, pool: FilePool, images: PageImages) -> None:
        super().__init__(view)
        self._view = view
        self._queue = queue
        self._pool = pool
        self._images = images
        self._made: OrderedDict[int, bytes] = OrderedDict()
        self._wanted: list[int] = []
        self._is_busy = False
        view.thumbnails_wanted.connect(self._on_thumbnails_wanted)
        view.image_wanted.connect(self._on_image_wanted)

    def thumbnail(self, page: int) -> bytes:
        """A PNG of a page; empty while there is none."""
        return self._made.get(page, b"")

    def _on_thumbnails_wanted(self, pages: Sequence[int]) -> None:
        # What is no longer seen need not be made.
        self._wanted = [page for page in pages if page not in self._made]
        self._make_next()

    def _make_next(self) -> None:
        if self._is_busy or not self._wanted:
            return
        page = self._wanted.pop(0)
        row = self._queue.row(page)
        source = None if row is None else source_of(row)
        if source is None:
            self._make_next()
            return
        self._is_busy = True

        def done(data: bytes) -> None:
            self._made[page] = data
            while len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
            self.thumbnail_made.emit(page)
            go_on()

        def failed(_: UserError) -> None:
            # What is wrong with the page is told where it is read.
            self._made[page] = b""
            go_on()

        def go_on() -> None:
            self._is_busy = False
            self._make_next()

        self._pool.submit(lambda: self._images.thumbnail(source, THUMBNAIL), done, failed)

    def _on_image_wanted(self, page: int, _: object, turned: int, side: int) -> None:
        row = self._queue.row(page)
        source = None if row is None else source_of(row)
        if source is None:
            return
        self._pool.submit(
            lambda: self._loaded(source, turned, side),
            lambda image: self._view.set_image(page, image),
            lambda _: self._view.set_image(page, QImage()),
        )

    def _loaded(self, source: PageSource, turned: int, side: int) -> QImage:
        with self._images.use(source) as path:
            page = turned_clockwise(open_image(path), turned)
        page.thumbnail((side, side))
        width, height = page.size
        # A copy: Qt would otherwise go on using memory that is Pillow's.
        return QImage(page.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
