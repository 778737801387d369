"""The one entry point for exports: pages, one by one, into one file of any kind.

One file holds all pages it is given; a caller who wants one for each document calls once for each. Originals are only
read, and a file is written whole or not at all. Free of Qt; the call blocks and is made from a pool thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from diffdesk.core.errors import Cancelled, ExportError
from diffdesk.documents.exports.alto import write_alto
from diffdesk.documents.exports.csv_file import write_csv
from diffdesk.documents.exports.docx_file import write_docx
from diffdesk.documents.exports.export_page import ExportKind, ExportPage, TextOptions
from diffdesk.documents.exports.hocr import write_hocr
from diffdesk.documents.exports.pdf_client import write_pdf
from diffdesk.documents.exports.placing import as_printed
from diffdesk.documents.exports.target import part_of, refuse_original
from diffdesk.documents.exports.text_files import write_markdown, write_text


def export_pages(
    pages: Iterable[ExportPage],
    target: Path,
    kind: ExportKind,
    options: TextOptions,
    *,
    progressed: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Writes pages to one file, and gives it back.

    Args:
        pages: with their final text; taken one by one, so that they need not be held all at once.
        target: the file; one that exists is replaced.
        kind: its format.
        options: how text is laid out; of no meaning for the formats with places and the table of differences.
        progressed: told how many pages are written, after each.
        cancelled: asked before each page and, for a PDF, about twenty times a second.

    Raises:
        ExportError: the file can't be written, would replace an original, or can't be made of these pages.
        ImageError: the image of a page can't be read.
        Cancelled: ``cancelled`` said so. No file is left, and one that was there is unchanged.
    """
    is_cancelled = cancelled or _never
    title = target.name.removesuffix(kind.suffix) or target.name
    with part_of(target) as part:
        taken = _taken(pages, target, kind, progressed, is_cancelled)
        match kind:
            case ExportKind.TXT:
                write_text(taken, part, options)
            case ExportKind.MARKDOWN:
                write_markdown(taken, part, options)
            case ExportKind.DOCX:
                write_docx(taken, part, options, title)
            case ExportKind.CSV:
                write_csv(taken, part)
            case ExportKind.HOCR:
                write_hocr(taken, part, title)
            case ExportKind.ALTO:
                write_alto(taken, part, title)
            case ExportKind.PDF:
                write_pdf(taken, part, title, is_cancelled)
        if is_cancelled():
            raise Cancelled
    return target


def _taken(
    pages: Iterable[ExportPage],
    target: Path,
    kind: ExportKind,
    progressed: Callable[[int], None] | None,
    is_cancelled: Callable[[], bool],
) -> Iterator[ExportPage]:
    """The pages, each checked and completed when it is asked for."""
    for count, one in enumerate(pages, start=1):
        if is_cancelled():
            raise Cancelled
        for original in (one.source.path if one.source is not None else None, one.image):
            if original is not None:
                refuse_original(target, original)
        if kind.needs_image and not one.has_places:
            raise ExportError(
                "This text has no image",
                f"{one.name} is a text without an image, so its words have no places on a page.",
                "Export it as text, Markdown or DOCX.",
            )
        yield replace(one, page=as_printed(one.page)) if kind.needs_image else one
        # The next is asked for when this one is written.
        if progressed is not None:
            progressed(count)


def _never() -> bool:
    return False
