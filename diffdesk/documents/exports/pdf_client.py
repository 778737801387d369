"""Writes a searchable PDF through a child process, so that native code that crashes takes nothing else along.

Free of Qt and of PDF; its call blocks and is made from a pool thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from diffdesk.core.errors import ExportError, UserError
from diffdesk.documents.child_pipe import Frame
from diffdesk.documents.child_process import Child, child_command
from diffdesk.documents.exports.export_page import ExportPage
from diffdesk.documents.page_source import PageKind

CHILD = "diffdesk.documents.exports.pdf_child"


def write_pdf(
    pages: Iterable[ExportPage],
    part: Path,
    title: str,
    is_cancelled: Callable[[], bool],
) -> None:
    """Writes pages as they are printed (see `placing.as_printed`).

    All are of images, or all of one PDF, whose other pages are left out.

    Args:
        pages: taken one by one, the next when the last is written.
        part: the file, which exists and is empty.
        title: what the document is called.
        is_cancelled: asked about twenty times a second; once it says True the child is killed.

    Raises:
        ExportError: the PDF can't be made or written, or the child crashed.
        ImageError: an image can't be read.
        Cancelled: ``is_cancelled`` said so.
    """
    remaining = iter(pages)
    first = next(remaining, None)
    if first is None:
        raise ExportError("There are no pages", "A PDF needs at least one page.", "Choose some pages.")
    source = _pdf_of(first)
    begin: Frame = {"part": str(part.absolute()), "title": title, "source": source and str(source.absolute())}
    with _running() as child:
        child.tell(begin)
        page: ExportPage | None = first
        while page is not None:
            if _pdf_of(page) != source:
                raise ExportError(
                    "These pages don't make one PDF",
                    "A PDF can be made from images, or from the pages of one PDF, but not from both.",
                    "Export each document for itself.",
                )
            image = page.image and str(page.image.absolute())
            number = page.source.number if page.source is not None else 0
            _ask(child, {"page": page.page.to_wire(), "number": number, "image": image}, is_cancelled)
            page = next(remaining, None)
        _ask(child, {"finish": True}, is_cancelled)


def _pdf_of(page: ExportPage) -> Path | None:
    is_pdf = page.source is not None and page.source.kind is PageKind.PDF
    return page.source.path if is_pdf and page.source is not None else None


@contextmanager
def _running() -> Iterator[Child]:
    command = child_command(CHILD)
    try:
        child = Child(command)
    except OSError as error:
        raise ExportError(
            "The PDF writer can't be started", f"{command[0]}: {error.strerror or error}.", "Install the program again."
        ) from error
    try:
        yield child
    finally:
        child.kill()


def _ask(child: Child, request: Frame, is_cancelled: Callable[[], bool]) -> None:
    """Has the child do something and waits until it is done."""
    answer = child.ask(request, is_cancelled)
    if answer is None:
        raise ExportError(
            "The PDF writer crashed",
            "It ended without an answer. Nothing else is affected, and no file was left behind.",
            "Try again; if it happens again, export as text, hOCR or ALTO.",
            f"exit code {child.process.returncode}\n{child.report}".strip(),
        )
    if "error" in answer:
        raise UserError.from_wire(cast("dict[str, str]", answer["error"]))
