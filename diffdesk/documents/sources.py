"""Finds pages in the files and folders that a user offers: one `PageSource` each, in the order people expect.

Only headers are read, and pages of PDFs are counted by the recogniser's child, so that a folder of thousands of
images or a PDF of hundreds of pages takes seconds. What can't be used gives an error of its own and stops nothing.
Knows nothing of queues and of what becomes of a page.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffdesk.core.errors import Cancelled, ImageError, UserError
from diffdesk.documents import image_pages
from diffdesk.documents.formats import PAGE_SUFFIXES
from diffdesk.documents.image_guard import FORMATS_IN_WORDS, head_of, is_image, is_pdf
from diffdesk.documents.natural_order import natural_key
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recogniser import Recogniser


@dataclass(frozen=True, slots=True)
class Refused:
    """A file or a folder that no page can be taken from, and why."""

    path: Path
    error: UserError


def find_pages(
    paths: Sequence[Path], recogniser: Recogniser, cancelled: Callable[[], bool] | None = None
) -> Iterator[PageSource | Refused]:
    """The pages of files, and of the files in folders; one after the other, each as soon as it is known.

    Files are known by their contents; in folders, which are searched to any depth, only files whose ending can be
    opened are looked at, hidden ones left out. A file that is met twice is taken once.

    Args:
        paths: in the order in which they shall be taken.
        recogniser: its child counts the pages of PDFs; blocks while that works on something else.
        cancelled: asked before each file and while pages are counted.

    Raises:
        Cancelled: ``cancelled`` said so, or the recogniser was closed.
    """
    is_cancelled = cancelled or (lambda: False)
    seen: set[Path] = set()
    for found in _files(paths, is_cancelled):
        if isinstance(found, Refused):
            yield found
            continue
        # The original of a link may be offered too.
        file = found.absolute()
        if file in seen:
            continue
        seen.add(file)
        try:
            yield from _pages(file, recogniser, is_cancelled)
        except UserError as error:
            yield Refused(file, error)


def _pages(file: Path, recogniser: Recogniser, is_cancelled: Callable[[], bool]) -> Iterator[PageSource]:
    head = head_of(file)
    if is_pdf(head):
        count, kind = recogniser.count_pages(file, is_cancelled), PageKind.PDF
    elif file.suffix.lower() == ".pdf" and not is_image(head):
        raise ImageError(
            "Not a PDF",
            f"{file.name} is not a PDF, whatever its name says.",
            "Open it with the program that made it and save it as a PDF.",
        )
    else:
        count, kind = image_pages.count_pages(file), PageKind.IMAGE
    for number in range(count):
        yield PageSource(file, number, count, kind)


def _files(paths: Sequence[Path], is_cancelled: Callable[[], bool]) -> Iterator[Path | Refused]:
    for path in paths:
        if is_cancelled():
            raise Cancelled
        if not _is_folder(path):
            yield path
            continue
        is_empty = True
        for found in _inside(path, is_cancelled):
            is_empty = False
            yield found
        if is_empty:
            yield Refused(path, _nothing_inside(path))


def _inside(folder: Path, is_cancelled: Callable[[], bool]) -> Iterator[Path | Refused]:
    """The files of a folder, then those of the folders in it. Links to folders are not followed: they may lead back."""
    unreadable: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=unreadable.append):
        here = Path(where)
        folders[:] = sorted((name for name in folders if not _is_hidden(here / name)), key=natural_key)
        for name in sorted(names, key=natural_key):
            if is_cancelled():
                raise Cancelled
            if Path(name).suffix.lower() in PAGE_SUFFIXES and not _is_hidden(here / name):
                yield here / name
    for error in unreadable:
        path = Path(error.filename or folder)
        yield Refused(
            path,
            ImageError(
                "The folder can't be read",
                f"{path.name} could not be opened: {error.strerror or error}.",
                "Check its permissions, or choose another folder.",
            ),
        )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # Whatever is wrong with it is told when it is opened.
        return False


def _is_hidden(path: Path) -> bool:
    if path.name.startswith("."):
        return True
    hidden = getattr(stat, "FILE_ATTRIBUTE_HIDDEN", 0)
    try:
        return bool(getattr(path.lstat(), "st_file_attributes", 0) & hidden)
    except OSError:
        return False


def _nothing_inside(folder: Path) -> ImageError:
    return ImageError(
        "No pages in this folder",
        f"{folder.name or folder} holds no {FORMATS_IN_WORDS.replace(' or ', ', ')} or PDF file.",
        "Choose a folder with scans, photos or PDFs in it.",
    )
