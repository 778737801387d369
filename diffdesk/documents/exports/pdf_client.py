"""Writes a searchable PDF through a child process, so that native code that crashes takes nothing else along.

Free of Qt and of PDF; its call blocks and is made from a pool thread.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import diffdesk
from diffdesk.core.errors import Cancelled, ExportError, ProtocolError, UserError
from diffdesk.documents.exports.export_page import ExportPage
from diffdesk.documents.page_source import PageKind
from diffdesk.documents.recogniser_pipe import Frame, read_frame, write_frame

_CANCEL_CHECK_SECONDS = 0.05
_LAST_WORDS_SECONDS = 5.0
_REPORT_BYTES = 4000


def child_command() -> list[str]:
    """The command that starts the child.

    The one place to change for a bundle, where `sys.executable` is the program itself and knows no ``-m``.
    """
    return [sys.executable, "-m", "diffdesk.documents.exports.pdf_child"]


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
            child.ask({"page": page.page.to_wire(), "number": number, "image": image}, is_cancelled)
            page = next(remaining, None)
        child.ask({"finish": True}, is_cancelled)


def _pdf_of(page: ExportPage) -> Path | None:
    is_pdf = page.source is not None and page.source.kind is PageKind.PDF
    return page.source.path if is_pdf and page.source is not None else None


class _Child:
    """The child process, its pipes, and a thread that reads its answers: a pipe can't be waited for with a limit."""

    def __init__(self, errors: BinaryIO) -> None:
        self._errors = errors
        try:
            self._process = subprocess.Popen(
                child_command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise ExportError(
                "The PDF writer can't be started", f"{error.strerror or error}.", "Install the program again."
            ) from error
        self._requests = cast("BinaryIO", self._process.stdin)
        self._answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, name="PDF writer's answers", daemon=True)
        self._listener.start()

    def tell(self, frame: Frame) -> None:
        # Whoever died early has said why in its last answer, or left an exit code.
        with suppress(OSError):
            write_frame(self._requests, frame)

    def ask(self, frame: Frame, is_cancelled: Callable[[], bool]) -> None:
        """Sends a request and waits until it is done."""
        self.tell(frame)
        while True:
            if is_cancelled():
                raise Cancelled
            try:
                answer = self._answers.get(timeout=_CANCEL_CHECK_SECONDS)
            except queue.Empty:
                continue
            if answer is None:
                raise self._died()
            if "error" in answer:
                raise UserError.from_wire(cast("dict[str, str]", answer["error"]))
            return

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout):
            # A request that was not sent yet has nobody to go to.
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    def _died(self) -> ExportError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_WORDS_SECONDS)
        end = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(end - _REPORT_BYTES, 0))
        report = self._errors.read().decode("utf-8", "replace").strip()
        return ExportError(
            "The PDF writer crashed",
            "It ended without an answer. Nothing else is affected, and no file was left behind.",
            "Try again; if it happens again, export as text, hOCR or ALTO.",
            f"exit code {self._process.returncode}\n{report}".strip(),
        )

    def _listen(self) -> None:
        answers = cast("BinaryIO", self._process.stdout)
        # What can't be understood is as good as dead, and is ended by whoever waits.
        with suppress(ProtocolError, OSError):
            while (frame := read_frame(answers)) is not None:
                self._answers.put(frame)
        self._answers.put(None)


@contextmanager
def _running() -> Iterator[_Child]:
    # A file for its errors, for a pipe that nobody reads would block it once it is full.
    with tempfile.TemporaryFile() as errors:
        child = _Child(errors)
        try:
            yield child
        finally:
            child.end()


def _environment() -> dict[str, str]:
    """The child's environment: it finds this very package, and never modules in the current folder."""
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
    root = Path(diffdesk.__file__).resolve().parent.parent
    if root.name not in {"site-packages", "dist-packages"}:
        others = os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(root), *([others] if others else [])])
    return environment
