"""Recognises printed text in images and draws pages of PDFs: the client of a child process that does both.

The recogniser is native code that may crash and takes up to 1.3 GB, and so may what opens PDFs; they live in a process
of their own, which is started on demand and ends when it is idle. This module is free of Qt, of the recogniser and of
PDFium; its calls block and are made from a pool thread.
"""

from __future__ import annotations

import base64
import math
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from diffdesk.core.errors import Cancelled, ImageError, RecogniserError, UserError
from diffdesk.documents.child_pipe import Frame
from diffdesk.documents.child_process import Child, child_command
from diffdesk.documents.images import inspect_image
from diffdesk.documents.page_source import PageSource
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord, WirePage

__all__ = ["RecognisedLine", "RecognisedPage", "RecognisedWord", "Recogniser"]

CHILD = "diffdesk.documents.recogniser_child"

MOST_BYTES = 1_100_000_000
"""Resident memory above which the child makes way for a new one after its page: a page takes 0.6 to 0.9 GB, and what it
grew by is never given back."""

PAGE_SECONDS = 60.0
"""How long a page of a PDF may take to be drawn; the heaviest of usual ones take two."""

_TURN_CHECK_SECONDS = 0.05


class Recogniser:
    """Recognises text and draws pages; may be used from several threads, which take turns.

    Args:
        idle_seconds: how long the child stays, and keeps its memory, after its last page.
        python: the interpreter that runs the child; this one by default.
        page_seconds: how long a page of a PDF may take to be drawn.
        most_bytes: see `MOST_BYTES`; 0 for no limit.
    """

    def __init__(
        self,
        idle_seconds: float = 60.0,
        python: Path | None = None,
        page_seconds: float = PAGE_SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        if idle_seconds <= 0:
            raise ValueError("idle_seconds must be positive")
        limits = ("--idle-seconds", str(idle_seconds), "--most-bytes", str(most_bytes))
        self._command = child_command(CHILD, *limits, python=python)
        self._page_seconds = page_seconds
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._child: Child | None = None
        self._is_closed = False

    @property
    def process_id(self) -> int | None:
        """The child's process id; None while none runs."""
        child = self._child
        return child.process.pid if child is not None and child.is_running() else None

    def recognise(self, path: Path, cancelled: Callable[[], bool] | None = None) -> RecognisedPage:
        """The text of an image; no lines if there is none.

        Args:
            path: an image file.
            cancelled: asked about twenty times a second; once it says True the child is killed.

        Raises:
            ImageError: the image can't be opened.
            RecogniserError: the recogniser is not installed, crashed or ran out of memory. The next call starts
                it again.
            Cancelled: ``cancelled`` said so, or the recogniser was closed.
        """
        # Refuses most bad files before a process is started for them.
        inspect_image(path)
        reply = self._asked({"do": "read", "path": str(path.absolute())}, cancelled)
        return RecognisedPage.from_wire(cast("WirePage", reply["page"]))

    def count_pages(self, path: Path, cancelled: Callable[[], bool] | None = None) -> int:
        """How many pages a PDF has. Raises as `draw_page` does."""
        return int(cast("int", self._asked({"do": "count", "path": str(path.absolute())}, cancelled)["count"]))

    def draw_page(self, source: PageSource, target: Path, cancelled: Callable[[], bool] | None = None) -> None:
        """Draws a page of a PDF, upright as a viewer shows it, into the PNG file `target`.

        Raises:
            ImageError: the PDF or the page is locked, damaged, gone, of absurd size or takes too long.
            RecogniserError: the child crashed or ran out of memory, or PDFium is missing. The next call starts it
                again.
            Cancelled: ``cancelled`` said so, or the recogniser was closed.
        """
        self._asked({**_page(source, "draw"), "target": str(target.absolute())}, cancelled)

    def page_thumbnail(self, source: PageSource, box: int, cancelled: Callable[[], bool] | None = None) -> bytes:
        """A PNG of a page of a PDF that fits into ``box`` × ``box`` pixels. Raises as `draw_page` does."""
        reply = self._asked({**_page(source, "thumbnail"), "box": box}, cancelled)
        return base64.b64decode(str(reply["png"]))

    def versions(self) -> dict[str, str]:
        """What opens PDFs and HEIC photos in the child, by the names ``pdf`` and ``heic``; empty: it is missing.

        Raises:
            RecogniserError: the child crashed or can't be started.
        """
        return {name: str(version) for name, version in self._asked({"do": "versions"}, None).items()}

    def close(self) -> None:
        """Ends the child at once; a call that waits for it raises `Cancelled`, and so does every later one."""
        with self._state:
            self._is_closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _asked(self, request: Frame, cancelled: Callable[[], bool] | None) -> Frame:
        is_cancelled = cancelled or _never
        while not self._turn.acquire(timeout=_TURN_CHECK_SECONDS):
            if self._is_closed or is_cancelled():
                raise Cancelled
        try:
            reply = self._ask(request, is_cancelled)
        finally:
            self._turn.release()
        if "error" in reply:
            raise UserError.from_wire(cast("dict[str, str]", reply["error"]))
        return reply

    def _ask(self, request: Frame, is_cancelled: Callable[[], bool]) -> Frame:
        seconds = math.inf if request["do"] == "read" else self._page_seconds
        while True:
            child, is_new = self._running_child()
            try:
                reply = child.ask(request, lambda: self._is_closed or is_cancelled(), seconds)
            except TimeoutError as error:
                raise _too_slow(request, seconds) from error
            if reply is not None:
                return reply
            self._forget(child)
            if self._is_closed:
                raise Cancelled
            if child.process.returncode == 0 and not is_new:
                # It had been idle and ended in the very moment of the request.
                continue
            raise _died(child, request)

    def _running_child(self) -> tuple[Child, bool]:
        """The child, and whether it was started just now."""
        with self._state:
            if self._is_closed:
                raise Cancelled
            if self._child is not None and self._child.is_running():
                return self._child, False
            if self._child is not None:
                self._child.kill()
            try:
                self._child = Child(self._command)
            except OSError as error:
                raise RecogniserError(
                    "The text recogniser can't be started",
                    f"{self._command[0]}: {error.strerror or error}.",
                    "Install the program again.",
                ) from error
            return self._child, True

    def _forget(self, child: Child) -> None:
        with self._state:
            if self._child is child:
                self._child = None


def _page(source: PageSource, do: str) -> Frame:
    return {"do": do, "path": str(source.path.absolute()), "number": source.number}


def _too_slow(request: Frame, seconds: float) -> ImageError:
    return ImageError(
        "The page takes too long to draw",
        f"{_name(request)} was not drawn after {seconds:,.0f} seconds.",
        "Print it to a new PDF as an image, and add that.",
    )


def _name(request: Frame) -> str:
    name = Path(str(request["path"])).name
    return f"Page {int(cast('int', request['number'])) + 1} of {name}" if "number" in request else name


def _died(child: Child, request: Frame) -> RecogniserError:
    code = child.process.returncode
    details = f"exit code {code}\n{child.report}".strip()
    if sys.platform != "win32" and code == -signal.SIGKILL:
        return RecogniserError(
            "The text recogniser was ended",
            "The system or another program ended it, most often because memory ran out: it takes up to 1.3 GB.",
            "Close other programs, or use a smaller image, and try again.",
            details,
        )
    if request["do"] in {"count", "draw", "thumbnail"}:
        return RecogniserError(
            "The PDF reader crashed",
            f"{_name(request)} made it end without an answer. Nothing else is affected.",
            "Look at it in a PDF viewer: if it is shown there, print it to a new PDF and add that.",
            details,
        )
    return RecogniserError(
        "The text recogniser crashed",
        "It ended without an answer. Nothing else is affected.",
        "Try again; if it happens again, save the image as a PNG or make it smaller.",
        details,
    )


def _never() -> bool:
    return False
