"""The recogniser's process: ``python -m diffdesk.documents.recogniser_child``.

Reads requests from standard input (``{"do": "read", "path": …}``, or ``count``, ``draw`` and ``thumbnail`` for
PDFs) and answers each on standard output with ``{"page": …}`` or the like or ``{"error": …}``, as frames of
`child_pipe`. Ends when its input ends, even in the middle of its work, and by itself when nobody asked for a
while or when it has grown, for its models take up to 1.3 GB. Opens no network socket, and lets no library in it
open one. Started by `recogniser.Recogniser`; imports nothing heavy before the first request that needs it.
"""

from __future__ import annotations

import argparse
import base64
import faulthandler
import os
import queue
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from diffdesk.core.errors import ImageError, ProtocolError, RecogniserError, UserError
from diffdesk.documents.child_pipe import Frame, read_frame, write_frame

if TYPE_CHECKING:
    from diffdesk.documents.page_reader import TextEngine

_NETWORK = frozenset({"socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"})
_OUT_OF_MEMORY = re.compile(
    r"bad_alloc|bad allocation|failed to allocate|insufficient memory|out of memory", re.IGNORECASE
)


class _Reader:
    """Answers requests; holds the engine once it is loaded."""

    def __init__(self) -> None:
        self._engine: TextEngine | None = None
        self._answers: dict[str, Callable[[Frame], Frame]] = {
            "read": self._read,
            "count": _count,
            "draw": _draw,
            "thumbnail": _thumbnail,
            "versions": _versions,
        }

    def answer(self, request: Frame) -> Frame:
        try:
            return self._answers[str(request["do"])](request)
        except UserError as error:
            return {"error": error.to_wire()}
        except MemoryError:
            return {"error": _out_of_memory(traceback.format_exc()).to_wire()}
        except Exception as error:
            # Native libraries raise types of their own; whatever it is, the next page can be tried.
            report = traceback.format_exc()
            if _OUT_OF_MEMORY.search(str(error)):
                return {"error": _out_of_memory(report).to_wire()}
            return {"error": _failed(request, report).to_wire()}

    def _read(self, request: Frame) -> Frame:
        try:
            from diffdesk.documents import page_reader
            from diffdesk.documents.images import open_image
        except ImportError as error:
            raise RecogniserError(
                "The text recogniser is not installed",
                f"A package that it needs is missing: {error}.",
                "Install it with: pip install rapidocr==3.10.0 onnxruntime opencv-python-headless pillow numpy",
            ) from error
        image = open_image(_path(request))
        if self._engine is None:
            self._engine = page_reader.load_engine()
        return {"page": page_reader.read_page(image, self._engine).to_wire()}


def _count(request: Frame) -> Frame:
    return {"count": _pdf_pages().count_pages(_path(request))}


def _draw(request: Frame) -> Frame:
    try:
        _pdf_pages().write_page(_path(request), _number(request), Path(str(request["target"])))
    except OSError as error:
        raise ImageError(
            "The picture of the page can't be written",
            f"{error.strerror or error}.",
            "Free some space on the drive that holds DiffDesk's data, and try again.",
        ) from error
    return {}


def _thumbnail(request: Frame) -> Frame:
    png = _pdf_pages().page_thumbnail(_path(request), _number(request), int(str(request["box"])))
    return {"png": base64.b64encode(png).decode("ascii")}


def _versions(request: Frame) -> Frame:
    """Each is loaded, for a package that is there may still lack what it is built on."""
    del request
    found: Frame = {"pdf": "", "heic": ""}
    with suppress(ImportError, OSError):
        import pypdfium2

        found["pdf"] = f"pypdfium2 {pypdfium2.PYPDFIUM_INFO}, PDFium {pypdfium2.PDFIUM_INFO}"
    with suppress(ImportError, OSError):
        import pillow_heif

        found["heic"] = f"pillow-heif {pillow_heif.__version__}, libheif {pillow_heif.libheif_version()}"
    return found


def _pdf_pages() -> ModuleType:
    """Loaded only where it is needed, with PDFium in it."""
    try:
        from diffdesk.documents import pdf_pages
    except (ImportError, OSError) as error:
        raise RecogniserError(
            "PDFs can't be opened",
            f"A package that draws them is missing: {error}.",
            "Install it with: pip install pypdfium2",
        ) from error
    return pdf_pages


def _path(request: Frame) -> Path:
    return Path(str(request["path"]))


def _number(request: Frame) -> int:
    return int(str(request["number"]))


def main(arguments: list[str] | None = None) -> None:
    """Serves requests until the input ends or nobody asks for ``--idle-seconds``; then ends the process."""
    parser = argparse.ArgumentParser(prog="recogniser_child", description="Recognises text for DiffDesk.")
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    parser.add_argument("--most-bytes", type=int, default=0)
    given = parser.parse_args(arguments)
    idle_seconds: float = given.idle_seconds
    answers = _own_output()
    faulthandler.enable()
    # Ctrl+C in a terminal reaches every process of it; the client decides what becomes of this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.addaudithook(_refuse_network)
    requests: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    reader = _Reader()
    # The first request is what it was started for; until then only the end of the input ends it.
    patience: float | None = None
    while True:
        try:
            request = requests.get(timeout=patience)
        except queue.Empty:
            _end(0)
        patience = idle_seconds
        try:
            write_frame(answers, reader.answer(request))
        except OSError:
            _end(0)
        if given.most_bytes and requests.empty() and _resident_bytes() > given.most_bytes:
            # Its library keeps what pages of every other size took; a new process begins with little.
            _end(0)


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _own_output() -> BinaryIO:
    """Standard output for frames alone: whatever else prints, native code too, prints to standard error."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


def _listen(stream: BinaryIO, requests: queue.SimpleQueue[Frame]) -> None:
    try:
        while (frame := read_frame(stream)) is not None:
            requests.put(frame)
    except ProtocolError:
        traceback.print_exc()
        _end(1)
    _end(0)


def _end(code: int) -> NoReturn:
    # At once: an orderly end would wait for native threads and for the thread that listens.
    sys.stderr.flush()
    os._exit(code)


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in _NETWORK:
        raise PermissionError(f"the recogniser uses no network ({event})")


def _failed(request: Frame, report: str) -> UserError:
    if request["do"] == "read":
        return RecogniserError(
            "The text of this image could not be recognised",
            "The recogniser failed while it worked on it.",
            "Save the image as a PNG and try again, or type the text.",
            report,
        )
    return ImageError(
        "The page can't be drawn",
        f"What draws pages failed while it worked on {_path(request).name}.",
        "Look at it in a PDF viewer: if it is shown there, print it to a new PDF and add that.",
        report,
    )


def _out_of_memory(report: str) -> RecogniserError:
    return RecogniserError(
        "Not enough memory to recognise text",
        "The recogniser takes up to 1.3 GB, and less is free.",
        "Close other programs, or use a smaller image, and try again.",
        report,
    )


if __name__ == "__main__":
    main()
