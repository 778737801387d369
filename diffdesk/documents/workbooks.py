"""Excel workbooks: cells read as their values, columns added to one sheet with everything else of the file untouched.

Cells are added to the sheet's own XML, so that charts, pictures, macros and formats stay, which a library that reads a
workbook and writes it anew would lose in part. Added texts are written as strings, never as formulas. Sources: ECMA-376
part 1, 18.3.1 (sheets) and part 2 (packages). Knows nothing of other formats.
"""

from __future__ import annotations

import io
import posixpath
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import IO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from diffdesk.core.errors import TableError
from diffdesk.documents.table import is_header, unique_names

MOST_UNPACKED = 1 << 30
MOST_COLUMNS = 16_384  # of a sheet, as Excel has them
MOST_CHARACTERS = 32_767  # of a cell, as Excel has them
LONG_NOTE = f"A cell of a workbook holds {MOST_CHARACTERS:,} characters: longer new texts were cut."

_CONTAINER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # of old Excel files, and of encrypted new ones
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ROW = re.compile(rb"<((?:[\w.-]+:)?)row\b([^<>]*?)(/?)>")
_NUMBER = re.compile(rb'\br="(\d+)"')
_SPANS = re.compile(rb'\s+spans="[^"]*"')
_STYLE = re.compile(rb'<(?:[\w.-]+:)?c\b[^<>]*?\bs="(\d+)"')
_DIMENSION = re.compile(rb'(<(?:[\w.-]+:)?dimension\b[^<>]*?\bref=")([A-Z]+)(\d+)(?::([A-Z]+)(\d+))?(")')
_SHEET_DATA_END = re.compile(rb"</((?:[\w.-]+:)?)sheetData\s*>")


@dataclass(frozen=True, slots=True)
class SheetContents:
    """What was read of a sheet; the attributes are those of `Table`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    has_header: bool
    sheet: str
    first_row: int
    width: int


def read_workbook(data: bytes, sheet: str, has_header: bool | None) -> SheetContents:
    """The cells of a sheet as texts; an empty name means the first. Raises `TableError` where it can't be read."""
    name = _sheets(data, sheet)[0]
    rows = _trimmed(list(_cells(data, name)))
    start = next((at for at, row in enumerate(rows) if any(row)), None)
    if start is None:
        raise TableError("The sheet is empty", f"“{name}” has no cell with text.", "Choose another file or sheet.")
    width = max(len(row) for row in rows)
    first, rest = rows[start], rows[start + 1 :]
    if has_header is None:
        has_header = is_header(first, rest[:200])
    head = first if has_header else ()
    columns = unique_names([*head, *[""] * (width - len(head))])
    padding = ("",) * width
    kept = rest if has_header else rows[start:]
    return SheetContents(
        columns, tuple((*row, *padding[len(row) :]) for row in kept), has_header, name, start + 1 + has_header, width
    )


def write_workbook(
    data: bytes, place: SheetContents, names: Sequence[str] | None, added: Sequence[Sequence[str]], target: IO[bytes]
) -> tuple[str, ...]:
    """Write the workbook with columns added to a sheet; returns what the user should know.

    Args:
        data: of the workbook.
        place: the sheet, its first row and width; columns and rows don't matter.
        names: of the columns, for the row before the first; None where the sheet has no header.
        added: for each column a text for each row.
        target: where the file goes.
    """
    if place.width + len(added) > MOST_COLUMNS:
        raise TableError("The sheet has no room", "It has as many columns as a sheet may have.", "Remove some.")
    part = _sheets(data, place.sheet)[1]
    header = place.first_row - 1
    texts = {place.first_row + at: row for at, row in enumerate(zip(*added, strict=True)) if any(row)}
    if names is not None:
        texts[header] = tuple(names)
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, _with_cells(content, place.width, texts, header) if entry.filename == part else content)
    return (LONG_NOTE,) if any(len(cell) > MOST_CHARACTERS for row in texts.values() for cell in row) else ()


def _with_cells(xml: bytes, width: int, texts: dict[int, tuple[str, ...]], header: int) -> bytes:
    """A sheet's XML with cells for the rows in `texts` (by their number from 1), from column `width` (from 0) on."""
    pieces: list[bytes] = []
    waiting = sorted(texts, reverse=True)
    done = number = 0
    for match in _ROW.finditer(xml):
        prefix, attributes, closed = match.groups()
        said = _NUMBER.search(attributes)
        number = int(said[1]) if said else number + 1
        pieces.append(xml[done : match.start()])
        while waiting and waiting[-1] < number:
            pieces.append(_new_row(prefix, waiting[-1], texts[waiting.pop()], width))
        done = match.start()
        if not waiting or waiting[-1] != number:
            continue
        closing = b"</" + prefix + b"row>"
        done = match.end() if closed else xml.index(closing, match.end()) + len(closing)
        inside = b"" if closed else xml[match.end() : done - len(closing)]
        # A header goes on in the style of its last cell.
        styles = _STYLE.findall(inside) if number == header else []
        cells = _cell_tags(prefix, number, texts[waiting.pop()], width, styles[-1] if styles else None)
        opening = b"<" + prefix + b"row" + _SPANS.sub(b"", attributes).rstrip() + b">"
        pieces += [opening, inside, cells, closing]
    rest = _with_rows(xml[done:], waiting[::-1], texts, width)
    columns = width + max((len(row) for row in texts.values()), default=0)
    whole = b"".join([*pieces, rest])
    return _DIMENSION.sub(lambda one: _widened(one, columns, max(texts, default=1)), whole, count=1)


def _with_rows(rest: bytes, missing: Sequence[int], texts: dict[int, tuple[str, ...]], width: int) -> bytes:
    """The end of a sheet's XML with rows that it has not got."""
    closing = _SHEET_DATA_END.search(rest)
    if not missing or closing is None:
        return rest
    prefix = closing[1]
    made = b"".join(_new_row(prefix, one, texts[one], width) for one in missing)
    return rest[: closing.start()] + made + rest[closing.start() :]


def _widened(match: re.Match[bytes], columns: int, last_row: int) -> bytes:
    opening, left, top, _, bottom, closing = match.groups()
    below = max(int(bottom or top), last_row)
    return b"%s%s%s:%s%d%s" % (opening, left, top, _column_letters(columns).encode(), below, closing)


def _new_row(prefix: bytes, number: int, row: Sequence[str], width: int) -> bytes:
    cells = _cell_tags(prefix, number, row, width, None)
    return b'<%srow r="%d">%s</%srow>' % (prefix, number, cells, prefix)


def _cell_tags(prefix: bytes, number: int, row: Sequence[str], width: int, style: bytes | None) -> bytes:
    look = b"" if style is None else b' s="%s"' % style
    tags: list[bytes] = []
    for at, cell in enumerate(row):
        if cell:
            place = f"{_column_letters(width + at + 1)}{number}".encode()
            text = b'<%st xml:space="preserve">%s</%st>' % (prefix, _escaped(cell), prefix)
            tags.append(
                b'<%sc r="%s"%s t="inlineStr"><%sis>%s</%sis></%sc>'
                % (prefix, place, look, prefix, text, prefix, prefix)
            )
    return b"".join(tags)


def _column_letters(number: int) -> str:
    """The name of a column from its number from 1: A … Z, AA …"""
    letters = ""
    while number:
        number, at = divmod(number - 1, 26)
        letters = chr(ord("A") + at) + letters
    return letters


def _escaped(text: str) -> bytes:
    """A text as the contents of a cell: what XML can't hold is left out, and `_x0041_` stays what it is."""
    kept = _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:MOST_CHARACTERS]
    return escape(_LOOKS_ESCAPED.sub("_x005F_", kept)).encode("utf-8")


def _trimmed(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows without empty ones at the end: sheets are often formatted far beyond what is filled in."""
    while rows and not any(rows[-1]):
        rows.pop()
    return rows


def _cells(data: bytes, sheet: str) -> Iterator[tuple[str, ...]]:
    """The rows of a sheet as texts, from its first row on."""
    from openpyxl import load_workbook  # a fifth of a second that only workbooks need

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts of the file that openpyxl knows nothing of
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            try:
                page = book[sheet]
                page.reset_dimensions()  # what the file says of its size is often wrong
                for row in page.iter_rows(values_only=True):
                    yield tuple(map(_text, row))
            finally:
                book.close()
    except Exception as error:  # whatever is wrong inside: the library raises nearly anything
        raise _unreadable(error) from error


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date | time) else _unescaped(str(value))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda one: chr(int(one[1], 16)), text)


def _sheets(data: bytes, wanted: str) -> tuple[str, str]:
    """Name and part of a sheet, the first one without a name; raises `TableError`."""
    if data.startswith(_CONTAINER):
        raise _container_error(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            if sum(entry.file_size for entry in package.infolist()) > MOST_UNPACKED:
                raise TableError(
                    "The workbook is too large",
                    f"Unpacked it has more than {MOST_UNPACKED >> 30} GB.",
                    "Save the sheet as CSV, or split it.",
                )
            book, sheets = _parts(package)
    except TableError:
        raise
    except Exception as error:  # a broken archive or broken XML, which raise nearly anything
        raise _unreadable(error) from error
    for name, part in sheets:
        if wanted in ("", name):
            return name, part
    if wanted:
        names = ", ".join(f"“{name}”" for name, _ in sheets)
        raise TableError(f"There is no sheet “{wanted}”", f"The workbook has: {names}.", "Choose one of these.")
    raise TableError("The workbook has no sheet", f"{book} names none.", "Choose another file.")


def _parts(package: zipfile.ZipFile) -> tuple[str, list[tuple[str, str]]]:
    """The workbook's own part, and (name, part) of each sheet with cells, in order."""
    book = next(target for kind, target in _relations(package, "").values() if kind == "officeDocument")
    related = _relations(package, book)
    sheets = []
    for one in ElementTree.fromstring(package.read(book)).findall("{*}sheets/{*}sheet"):
        reference = next(value for key, value in one.attrib.items() if key.endswith("}id"))
        kind, part = related[reference]
        if kind == "worksheet":
            sheets.append((one.attrib["name"], part))
    return book, sheets


def _relations(package: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """What a part of a package points at, by reference: the last word of the relation's kind, and the part."""
    folder, name = posixpath.split(part)
    root = ElementTree.fromstring(package.read(posixpath.join(folder, "_rels", f"{name}.rels")))
    return {
        one.attrib["Id"]: (
            posixpath.basename(one.attrib["Type"]),
            posixpath.normpath(posixpath.join("/", folder, one.attrib["Target"])).lstrip("/"),
        )
        for one in root
    }


def _container_error(data: bytes) -> TableError:
    if _ENCRYPTED in data:
        return TableError(
            "The workbook is protected by a password",
            "It is encrypted as a whole, so nothing of it can be read.",
            "Open it with its password, save it without one, and open that.",
        )
    return TableError(
        "Old Excel files can't be read",
        "This is a workbook in the format of Excel 2003 and before, or another old Office file.",
        "Save it as .xlsx, or as CSV.",
    )


def _unreadable(error: Exception) -> TableError:
    return TableError(
        "The workbook can't be read",
        "It is damaged, or no workbook at all.",
        "Open it with a spreadsheet program and save it anew as .xlsx.",
        repr(error),
    )
