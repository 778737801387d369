"""Gives each page as an image file that everything else can open by its path.

A plain image is used where it lies. Pages of PDFs, of TIFFs with several pages, HEIC photos and images that not every
program shows in the same way are drawn into PNG files in a folder: once, and again only if the original changes. The
folder is kept small; a file in use stays. Originals are never written to. Knows nothing of queues and of models.
"""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from diffdesk.core.errors import Cancelled, ImageError
from diffdesk.documents import image_pages
from diffdesk.documents.image_guard import head_of
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.pixels import without_colour
from diffdesk.documents.recogniser import Recogniser

_MANNER = "1"  # of drawing; another one when pages are drawn otherwise, so that old files are no longer used
_PART = ".part"
_TURN_CHECK_SECONDS = 0.05


@dataclass(slots=True)
class _Held:
    """A drawn page that somebody uses, or waits for."""

    users: int = 0
    drawing: threading.Lock = field(default_factory=threading.Lock)


class PageImages:
    """Image files of pages; may be used from several threads.

    Args:
        folder: where pages are drawn; its own, made when it is first needed. Files of an earlier run are used again.
        recogniser: its child draws pages of PDFs. One of its own lets pages be drawn while others are read.
        keep: how many drawn pages stay when nobody uses them; the ones used last.
    """

    def __init__(self, folder: Path, recogniser: Recogniser, keep: int = 24) -> None:
        self._folder = folder
        self._recogniser = recogniser
        self._keep = keep
        self._lock = threading.Lock()
        self._held: dict[Path, _Held] = {}
        # Of a run that was ended in the middle of its work.
        for part in folder.glob(f"*{_PART}"):
            with suppress(OSError):
                part.unlink()

    @contextmanager
    def use(self, source: PageSource, cancelled: Callable[[], bool] | None = None) -> Iterator[Path]:
        """The page's image file, there at least until the end of the ``with``; drawn first if it has to be.

        `open_image` and viewers that turn JPEGs as their camera said show it upright and in the same pixels.

        Raises:
            ImageError: the page can't be opened or drawn, or its file can't be written.
            RecogniserError: what draws pages of PDFs failed.
            Cancelled: ``cancelled`` said so, or the recogniser was closed.
        """
        if source.kind is PageKind.IMAGE and image_pages.is_plain(source):
            yield source.path
            return
        target = self._folder / _file_name(source)
        with self._holding(target) as held:
            self._draw_once(source, target, held, cancelled or (lambda: False))
            yield target

    def thumbnail(self, source: PageSource, box: int, cancelled: Callable[[], bool] | None = None) -> bytes:
        """A PNG of the upright page that fits into ``box`` × ``box`` pixels. Raises as `use` does."""
        if source.kind is PageKind.PDF:
            return self._recogniser.page_thumbnail(source, box, cancelled)
        return image_pages.page_thumbnail(source, box)

    @contextmanager
    def _holding(self, target: Path) -> Iterator[_Held]:
        with self._lock:
            held = self._held.setdefault(target, _Held())
            held.users += 1
        try:
            yield held
        finally:
            with self._lock:
                held.users -= 1
                if not held.users:
                    del self._held[target]
                self._tidy()

    def _draw_once(self, source: PageSource, target: Path, held: _Held, is_cancelled: Callable[[], bool]) -> None:
        while not held.drawing.acquire(timeout=_TURN_CHECK_SECONDS):
            if is_cancelled():
                raise Cancelled
        try:
            if target.is_file():
                # The time tells which was used last, after a restart too.
                os.utime(target)
                return
            self._draw(source, target, is_cancelled)
        except OSError as error:
            raise ImageError(
                "The picture of the page can't be written",
                f"{target}: {error.strerror or error}.",
                "Free some space on the drive that holds DiffDesk's data, and try again.",
            ) from error
        finally:
            held.drawing.release()

    def _draw(self, source: PageSource, target: Path, is_cancelled: Callable[[], bool]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Under its own name there is only ever a whole file.
        part = target.with_name(f"{uuid.uuid4().hex}{_PART}")
        try:
            if source.kind is PageKind.PDF:
                self._recogniser.draw_page(source, part, is_cancelled)
            else:
                page = without_colour(image_pages.open_page(source))
                page.save(part, "PNG", compress_level=1)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Removes drawn pages beyond those that are kept, the ones used longest ago first."""
        drawn = {file: _used(file) for file in self._folder.glob("*.png")}
        free = sorted((file for file in drawn if file not in self._held), key=drawn.__getitem__)
        for file in free[: max(len(drawn) - self._keep, 0)]:
            # A viewer may hold it open on some systems; it goes another time.
            with suppress(OSError):
                file.unlink()


def _used(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _file_name(source: PageSource) -> str:
    """A name that changes with the file's contents, as far as its time and size tell."""
    # Says in words what is wrong with a file that is gone.
    head_of(source.path)
    facts = source.path.stat()
    parts = (_MANNER, str(source.path.absolute()), str(facts.st_mtime_ns), str(facts.st_size), str(source.number))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32] + ".png"
