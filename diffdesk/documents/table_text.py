"""Bytes to text and back, so that a text file that nobody changed keeps every byte. Knows nothing of tables."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_KEPT = "surrogateescape"  # bytes that an encoding leaves undefined come back as they were
_LONE = re.compile("[\ud800-\udfff]")
_PROBE = 4096

UNICODE_NOTE = (
    "The new texts have characters that the file's encoding (Windows-1252) lacks, so the new file is written in UTF-8."
)


@dataclass(frozen=True, slots=True)
class TextForm:
    """An encoding and the byte order mark before it."""

    encoding: str
    mark: bytes = b""


def decode(data: bytes) -> tuple[str, TextForm]:
    """The text of a file, and how to make the same bytes of it again.

    UTF-8 and UTF-16 by their marks, UTF-16 also by its zero bytes; otherwise UTF-8, and Windows-1252 for what is none.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], TextForm(encoding, mark))
    probe = data[:_PROBE]
    zeros = (probe[0::2].count(0), probe[1::2].count(0))
    if max(zeros) > len(probe) // 5 and not min(zeros):
        return _decoded(data, TextForm("utf-16-le" if zeros[1] else "utf-16-be"))
    try:
        return data.decode("utf-8"), TextForm("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", _KEPT), TextForm("cp1252")


def _decoded(data: bytes, form: TextForm) -> tuple[str, TextForm]:
    """The text in this form, if it gives the same bytes again; else as Windows-1252, which always does."""
    errors = _KEPT if form.encoding == "utf-8" else "surrogatepass"
    try:
        text = data.decode(form.encoding, errors)
        if text.encode(form.encoding, errors) == data:
            return text, form
    except UnicodeError:
        pass
    return (form.mark + data).decode("cp1252", _KEPT), TextForm("cp1252")


def encode(text: str, form: TextForm) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a text, and what the user should know: an encoding that lacks a character is given up for UTF-8."""
    errors = "surrogatepass" if form.encoding.startswith("utf-16") else _KEPT
    try:
        return form.mark + text.encode(form.encoding, errors), ()
    except UnicodeEncodeError:
        # Programs that took the old file for Windows-1252 without being told know UTF-8 by its mark.
        return codecs.BOM_UTF8 + without_lone(text).encode("utf-8"), (UNICODE_NOTE,)


def without_lone(text: str) -> str:
    """The text with a replacement character for every half of a pair: no other program could take it."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)
