"""The process that writes searchable PDFs: ``python -m diffdesk.documents.exports.pdf_child``.

qpdf and the decoders of images are native code that may crash or swell. What to write comes as frames of
`child_pipe` on standard input: ``{"part", "title", "source"}`` first (a source is the PDF to copy; none means that
pages are made of images), then ``{"page", "number", "image"}`` for each page, answered by ``{"pages": so many}``, at
last ``{"finish": true}``, answered by ``{"written": true}``. Anything that goes wrong is answered by ``{"error": …}``
and ends the process. So does the end of its input; then nobody is left to remove the part but the child itself.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from diffdesk.core.errors import ExportError, UserError
from diffdesk.documents.child_pipe import Frame, read_frame, write_frame
from diffdesk.documents.exports.target import not_written
from diffdesk.documents.recognised_page import RecognisedPage, WirePage


class _Document(Protocol):
    """A PDF in the making, of whichever kind."""

    def add(self, page: RecognisedPage, frame: Frame) -> None: ...
    def finish(self) -> None: ...


class _Images:
    """Pages made of images."""

    def __init__(self, file: BinaryIO, title: str) -> None:
        from diffdesk.documents.exports.image_pdf import ImagePdf

        self._pdf = ImagePdf(file, title)

    def add(self, page: RecognisedPage, frame: Frame) -> None:
        self._pdf.add(page, Path(str(frame["image"])))

    def finish(self) -> None:
        self._pdf.finish()


class _Copy:
    """Pages of another PDF."""

    def __init__(self, file: BinaryIO, source: Path) -> None:
        from diffdesk.documents.exports.overlaid_pdf import OverlaidPdf

        self._file = file
        self._pdf = OverlaidPdf(source)

    def add(self, page: RecognisedPage, frame: Frame) -> None:
        self._pdf.add(page, cast("int", frame["number"]))

    def finish(self) -> None:
        self._pdf.write(self._file)
        self._pdf.close()


def main() -> None:
    """Writes one PDF as the frames on standard input say."""
    answers = os.fdopen(os.dup(1), "wb")
    # Standard output is for frames alone: whatever else prints, prints to standard error.
    os.dup2(2, 1)
    faulthandler.enable()
    # Ctrl+C in a terminal reaches every process of it; the client decides what becomes of this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target = Path("PDF")
    try:
        begin = read_frame(sys.stdin.buffer)
        if begin is None:
            return
        target = Path(str(begin["title"]))
        _serve(begin, answers)
    except UserError as error:
        write_frame(answers, {"error": error.to_wire()})
    except OSError as error:
        write_frame(answers, {"error": not_written(error, target).to_wire()})
    except MemoryError:
        failed = ExportError(
            "Not enough memory to write the PDF",
            "A page of it needs more memory than is free.",
            "Close other programs and try again.",
            traceback.format_exc(),
        )
        write_frame(answers, {"error": failed.to_wire()})


def _serve(begin: Frame, answers: BinaryIO) -> None:
    part = Path(str(begin["part"]))
    with part.open("wb") as file:
        source = begin["source"]
        document: _Document = _Images(file, str(begin["title"])) if source is None else _Copy(file, Path(str(source)))
        count = 0
        while (frame := read_frame(sys.stdin.buffer)) is not None:
            if "finish" in frame:
                document.finish()
                # What is still in the buffer may find the disk full.
                file.flush()
                write_frame(answers, {"written": True})
                return
            document.add(RecognisedPage.from_wire(cast("WirePage", frame["page"])), frame)
            count += 1
            write_frame(answers, {"pages": count})
    part.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
