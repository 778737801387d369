"""Pages of PDF files, drawn by PDFium; runs only in the recogniser's child process.

A document is opened for each page anew and closed after it, so that memory stays flat over any number of pages and
no file is held open. Knows nothing of pipes and of who asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image

from diffdesk.core.errors import ImageError
from diffdesk.documents.images import to_png_bytes
from diffdesk.documents.pixels import without_colour

DOTS_PER_INCH = 300
"""What pages are drawn at, as far as the bounds below allow."""

MOST_PIXELS = 25_000_000
"""An A3 page at 300 dots an inch has 17 million."""

MOST_PAGES = 20_000
"""Of one file; damaged ones claim any number."""

_MOST_SIDE = 20_000  # pixels
_POINTS_PER_INCH = 72
_LEAST_SIZE, _MOST_SIZE = 3.0, 57_600.0  # points: a millimetre, and four times what Acrobat allows
_MOST_STRETCH = 500.0  # how many times longer than wide; receipts of a metre have 20
_BELOW = 1 - 1e-6  # PDFium counts in 32-bit floats, and a page of 2480.0001 pixels would get one more
_PASSWORD, _SECURITY = 4, 5  # FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY of fpdfview.h


def count_pages(path: Path) -> int:
    """How many pages a PDF has.

    Raises:
        ImageError: it is locked or damaged, or can't be opened.
    """
    with _opened(path) as document:
        count = len(document)
    if count > MOST_PAGES:
        raise _damaged(path, f"it claims {count} pages")
    return count


def write_page(path: Path, number: int, target: Path) -> None:
    """Draws a page, counted from 0, into a PNG file: in greys if it has no colours.

    Its pixels lie evenly on the page as a viewer shows it, cropped and turned: x pixels are x × (width of the page) /
    (width of the image) points.

    Raises:
        ImageError: the PDF or the page can't be opened, or is of a size that makes no sense.
        OSError: the file can't be written.
    """
    with _drawn(path, number, DOTS_PER_INCH / _POINTS_PER_INCH, MOST_PIXELS, _MOST_SIDE) as page:
        # Level 1 takes a fifth of the time of the usual level for files that are a tenth larger.
        without_colour(page).save(target, "PNG", compress_level=1)


def page_thumbnail(path: Path, number: int, box: int) -> bytes:
    """A PNG of a page that fits into ``box`` × ``box`` pixels.

    Raises:
        ImageError: the PDF or the page can't be opened, or is of a size that makes no sense.
    """
    # Drawn at twice its size, for PDFium's own reduction makes thin letters vanish.
    with _drawn(path, number, math.inf, math.inf, 2 * box) as page:
        page.thumbnail((box, box), Image.Resampling.BOX)
        return to_png_bytes(page)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        document = pypdfium2.PdfDocument(path)
    except FileNotFoundError as error:
        raise ImageError(
            "The file is not there", f"There is no file {path}.", "It may have been moved or renamed: choose it again."
        ) from error
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD:
            raise ImageError(
                "The PDF is locked with a password",
                f"{path.name} can't be opened without its password.",
                "Open it in a PDF viewer with the password, save or print it to a PDF without one, and add that.",
            ) from error
        if error.err_code == _SECURITY:
            raise ImageError(
                "The PDF is locked",
                f"{path.name} is protected in a way that can't be opened here.",
                "Open it in the program it is meant for and print it to a new PDF.",
                str(error),
            ) from error
        raise _damaged(path, str(error)) from error
    with document:
        yield document


@contextmanager
def _drawn(path: Path, number: int, scale: float, most_pixels: float, most_side: float) -> Iterator[Image.Image]:
    """A page as RGB at a scale in pixels a point, less where it would have too many pixels."""
    with _opened(path) as document:
        try:
            # What is filled into a form is text of the page.
            document.init_forms()
            page = document[number]
            bitmap = None
            try:
                width, height = page.get_size()
                _check_size(path, width, height)
                most = min(scale, math.sqrt(most_pixels / (width * height)), most_side / max(width, height))
                bitmap = page.render(scale=most * _BELOW, rev_byteorder=True)
                yield bitmap.to_pil()
            finally:
                if bitmap is not None:
                    bitmap.close()
                page.close()
        except (pypdfium2.PdfiumError, IndexError) as error:
            raise ImageError(
                "The page is damaged",
                f"Page {number + 1} of {path.name} can't be drawn.",
                "Look at it in a PDF viewer: if it is shown there, print it to a new PDF and add that.",
                str(error),
            ) from error


def _check_size(path: Path, width: float, height: float) -> None:
    is_usual = all(_LEAST_SIZE <= side <= _MOST_SIZE for side in (width, height))
    if not is_usual or max(width, height) > _MOST_STRETCH * min(width, height):
        raise ImageError(
            "The page has a size that makes no sense",
            f"A page of {path.name} says that it is {width:,.4g} × {height:,.4g} points; A4 is 595 × 842.",
            "Print it to a new PDF on paper of a usual size and add that.",
        )


def _damaged(path: Path, details: str) -> ImageError:
    return ImageError(
        "The PDF is damaged",
        f"{path.name} is cut off or broken, or no PDF at all.",
        "Copy, download or export it again.",
        details,
    )
