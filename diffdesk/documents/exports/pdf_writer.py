"""Writes a new PDF object by object, so that what was written need not be kept: 300 pages take no more memory than one.

As little of PDF as pages of images need (PDF 32000-1:2008, 7.5): numbered objects, a table of where they lie, a
trailer. Knows nothing of pages.
"""

from __future__ import annotations

import secrets
from typing import BinaryIO


class PdfWriter:
    """A PDF in the making.

    Args:
        file: open for writing, and empty.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[int, int] = {}
        self._count = 0
        # The second line tells programs that the file is binary.
        file.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self) -> int:
        """The number of an object that will be written later."""
        self._count += 1
        return self._count

    def add(self, body: str, number: int | None = None) -> int:
        """Writes an object, and gives its number."""
        return self._add(body.encode("ascii"), number)

    def add_stream(self, entries: str, data: bytes, number: int | None = None) -> int:
        """Writes a stream with the entries of its dictionary (but Length), and gives its number."""
        head = f"<< {entries} /Length {len(data)} >>\nstream\n".encode("ascii")
        return self._add(head + data + b"\nendstream", number)

    def finish(self, catalog: int, info: int) -> None:
        """Writes the table of objects and the trailer."""
        start = self._file.tell()
        rows = [b"0000000000 65535 f \n"]
        rows += [f"{self._places[number]:010d} 00000 n \n".encode("ascii") for number in range(1, self._count + 1)]
        name = secrets.token_hex(16)
        trailer = f"/Size {self._count + 1} /Root {catalog} 0 R /Info {info} 0 R /ID [<{name}> <{name}>]"
        self._file.write(f"xref\n0 {self._count + 1}\n".encode("ascii") + b"".join(rows))
        self._file.write(f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode("ascii"))

    def _add(self, body: bytes, number: int | None) -> int:
        number = self.reserve() if number is None else number
        self._places[number] = self._file.tell()
        self._file.write(f"{number} 0 obj\n".encode("ascii") + body + b"\nendobj\n")
        return number


def text_string(text: str) -> str:
    """A text as PDF writes it where people read it: UTF-16 as hexadecimal digits."""
    data = ("\ufeff" + text).encode("utf-16-be", "replace")
    return f"<{data.hex().upper()}>"
