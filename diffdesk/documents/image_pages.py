"""The pages of an image file: of a TIFF there may be many, of a HEIC several pictures, of all others there is one.

Knows nothing of PDFs and of where pages are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from diffdesk.documents.image_guard import HEIF, check_size, opened
from diffdesk.documents.images import orientation, small_png
from diffdesk.documents.page_source import PageSource
from diffdesk.documents.pixels import to_rgb

_TIFF = "TIFF"
_SUBFILE_TYPE = 254
_REDUCED, _MASK = 1, 4  # bits of the tag: a smaller copy of another page, and what is to be seen of one

_PLAIN_FORMATS = frozenset({"PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", _TIFF})
_PLAIN_MODES = frozenset({"1", "L", "P", "RGB"})
# All viewers turn a JPEG as its camera said; of other formats not even Qt turns all.
_TURNED_BY_ALL = frozenset({"JPEG", "MPO"})


def count_pages(path: Path) -> int:
    """How many pages an image file has, from its headers.

    Raises:
        ImageError: it can't be opened. Damage beyond the headers is not found here.
    """
    with opened(path) as image:
        return len(_frames(image))


def open_page(source: PageSource) -> Image.Image:
    """A page of an image file as upright 8-bit RGB.

    Raises:
        ImageError: it can't be opened.
    """
    with _opened_page(source) as image:
        return to_rgb(image)


def page_thumbnail(source: PageSource, box: int) -> bytes:
    """A PNG of the upright page that fits into ``box`` × ``box`` pixels; a smaller page keeps its size.

    Raises:
        ImageError: it can't be opened.
    """
    with _opened_page(source) as image:
        return small_png(image, box)


def is_plain(source: PageSource) -> bool:
    """Whether every program shows this page, upright and in the right colours, when it opens the file.

    Raises:
        ImageError: it can't be opened.
    """
    with opened(source.path, source.name) as image:
        if image.format not in _PLAIN_FORMATS or image.mode not in _PLAIN_MODES:
            return False
        if image.format == _TIFF and getattr(image, "n_frames", 1) > 1:
            return False
        return image.format in _TURNED_BY_ALL or orientation(image) == 1


@contextmanager
def _opened_page(source: PageSource) -> Iterator[Image.Image]:
    with opened(source.path, source.name) as image:
        frame = _frames(image)[source.number]
        if frame != image.tell():
            image.seek(frame)
            check_size(image.size, source.name)
        yield image


def _frames(image: Image.Image) -> list[int]:
    """Which of the images in an opened file are its pages; what is opened afterwards is the first one again."""
    first = image.tell()
    if image.format not in {_TIFF, HEIF}:
        return [first]
    every = range(int(getattr(image, "n_frames", 1)))
    if image.format == HEIF:
        return list(every)
    pages: list[int] = []
    for number in every:
        image.seek(number)
        kind = getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)
        if not (isinstance(kind, int) and kind & (_REDUCED | _MASK)):
            pages.append(number)
    image.seek(first)
    return pages or [first]
