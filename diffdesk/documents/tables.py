"""Tables as files: read with what it takes to give them back exactly, and written with columns added.

What a model wrote must not become a formula: in a workbook it is a string by its type; in CSV and TSV, where a
spreadsheet program decides by the first character, a text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a
carriage return and is no number gets an apostrophe before it, and whoever writes is told of that. Cells of the file
itself are never touched. Plain lines have no columns: their file is written with the new texts in place of the old.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from diffdesk.core.errors import TableError
from diffdesk.documents import delimited, json_lines
from diffdesk.documents.table import LINES_COLUMN, AddedColumn, Table, TableFormat, free_name, unique_names
from diffdesk.documents.table_text import decode, encode, without_lone
from diffdesk.documents.workbooks import SheetContents, read_workbook, write_workbook
from diffdesk.paths import sync_folder

__all__ = [
    "SUFFIXES",
    "AddedColumn",
    "Table",
    "TableFormat",
    "check_target",
    "free_name",
    "read_lines",
    "read_table",
    "table_text",
    "write_table",
]

MOST_BYTES = 300 * 10**6
MOST_ROWS = 1_000_000

SUFFIXES = {
    ".csv": TableFormat.CSV,
    ".tsv": TableFormat.TSV,
    ".tab": TableFormat.TSV,
    ".jsonl": TableFormat.JSONL,
    ".ndjson": TableFormat.JSONL,
    ".json": TableFormat.JSONL,
    ".xlsx": TableFormat.XLSX,
    ".xlsm": TableFormat.XLSX,
}
"""Endings of files by format; other files are plain lines if they are text."""

_ELSEWHERE = {  # beginnings of files that are no text
    b"%PDF-": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"PK\x03\x04": "an archive or an Office document",
    b"\xd0\xcf\x11\xe0": "an old or protected Office document",
    b"\x1f\x8b": "a packed file",
    b"GGUF": "a model",
    b"SQLite format 3": "a database",
    b"\x7fELF": "a program",
    b"MZ\x90\x00": "a program",
}
_CONTROL = bytes(one for one in range(32) if one not in b"\t\n\r\x0b\x0c\x1b\x00")
_TAKE_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_TAKE_OLD_LINES = re.compile(r"[^\r]*\r|[^\r]+")


def read_table(path: Path, *, has_header: bool | None = None, sheet: str = "") -> Table:
    """Read a table; raises `TableError` that says where and what to do.

    Args:
        path: CSV, TSV, JSON lines, a workbook, or a text file whose lines are the rows.
        has_header: whether the first row of CSV, TSV or a workbook names the columns; None guesses.
        sheet: of a workbook; empty for the first.
    """
    data = _contents(path)
    kind = SUFFIXES.get(path.suffix.lower(), TableFormat.LINES)
    if kind is TableFormat.XLSX:
        found = read_workbook(data, sheet, has_header)
        table = Table(
            kind, found.columns, found.rows, path, data, found.has_header, found.sheet, found.first_row, found.width
        )
    else:
        table = _from_text(data, kind, path, has_header)
    if not table.rows or not table.columns:
        raise TableError(
            "There is nothing to work on",
            f"{path.name} has no row of text{' below its header' if table.columns and table.has_header else ''}.",
            "Choose another file.",
        )
    if len(table.rows) > MOST_ROWS:
        raise TableError(
            "The table is too long",
            f"{path.name} has {len(table.rows):,} rows; up to {MOST_ROWS:,} can be opened.",
            "Split it into several files.",
        )
    return table


def read_lines(text: str) -> Table:
    """Pasted lines as a table with one column, blank lines as empty rows."""
    return _from_lines(text.encode("utf-8", "replace"), None)


def write_table(table: Table, added: Sequence[AddedColumn], target: Path) -> tuple[str, ...]:
    """Write the table's file anew with columns added; returns sentences that the user should know.

    The file appears whole or not at all. Names that the table has already get a number. Raises `TableError` where it
    can't be written, or would take the place of the file that the table came from.
    """
    if any(len(one.values) != len(table.rows) for one in added):
        raise ValueError("an added column needs a text for each row")
    check_target(table, target)
    if not added:
        return _written(target, lambda stream: _write_bytes(stream, table.original))
    if table.format is TableFormat.XLSX:
        place = SheetContents((), (), table.has_header, table.sheet, table.first_row, table.width)
        names = _free_names(table.columns, added) if table.has_header else None
        values = [one.values for one in added]
        return _written(target, lambda stream: write_workbook(table.original, place, names, values, stream))
    text, notes = table_text(table, added)
    data, said = encode(text, decode(table.original)[1])
    return (*notes, *said, *_written(target, lambda stream: _write_bytes(stream, data)))


def table_text(table: Table, added: Sequence[AddedColumn]) -> tuple[str, tuple[str, ...]]:
    """The text of the file with columns added, and what the user should know; not for workbooks."""
    text, _ = decode(table.original)
    values = [[without_lone(value) for value in one.values] for one in added]
    if table.format is TableFormat.JSONL:
        return json_lines.with_keys(text, _free_names(json_lines.all_keys(text), added), values), ()
    if table.format is TableFormat.LINES:
        return _lines_with(text, values), ()
    dialect = delimited.find_dialect(text, prefers_tabs=table.format is TableFormat.TSV)
    kept = [[delimited.harmless(value) for value in column] for column in values]
    guarded = sum(
        one != other for column, safe in zip(values, kept, strict=True) for one, other in zip(column, safe, strict=True)
    )
    head = _free_names(table.columns, added) if table.has_header else None
    return delimited.with_columns(text, dialect, table.width, head, kept), _guard_note(guarded)


def check_target(table: Table, target: Path) -> None:
    """Raise `TableError` if the table may not be written there."""
    source = table.source
    if target.is_dir():
        raise TableError("This is no file", f"{target} is a folder.", "Name a file in it.")
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise TableError(
            "The file itself is never overwritten", f"{target} is what the table was read from.", "Choose another name."
        )
    is_book = SUFFIXES.get(target.suffix.lower()) is TableFormat.XLSX
    needed = source.suffix.lower() if source is not None and table.format is TableFormat.XLSX else ""
    if is_book != (table.format is TableFormat.XLSX) or (needed and target.suffix.lower() != needed):
        raise TableError(
            "A table is given back in the format that it came in",
            f"{target.name} has the ending of another one.",
            f"Choose a name that ends in {needed or (source.suffix if source else '.txt') or '.txt'}.",
        )


def _guard_note(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    them = "One new text begins" if count == 1 else f"{count:,} new texts begin"
    return (f"{them} with a sign that spreadsheets take for a formula's, so an apostrophe was put before it.",)


def _lines_with(text: str, values: Sequence[Sequence[str]]) -> str:
    """Lines of new texts in place of the old ones; a line end within a new text becomes a space, to stay one line."""
    pieces: list[str] = []
    for line, *cells in zip(_lines(text), *values, strict=True):
        end = line[len(line.rstrip("\r\n")) :]
        pieces.append("\t".join(" ".join(re.split(r"\s*[\r\n]+\s*", cell.strip("\r\n"))) for cell in cells) + end)
    return "".join(pieces)


def _free_names(taken: Sequence[str] | set[str], added: Sequence[AddedColumn]) -> list[str]:
    names: list[str] = []
    for one in added:
        names.append(free_name(one.name, {*taken, *names}))
    return names


def _from_text(data: bytes, kind: TableFormat, path: Path, has_header: bool | None) -> Table:
    if kind is TableFormat.LINES:
        return _from_lines(data, path)
    text, _ = decode(data)
    if kind is TableFormat.JSONL:
        columns, rows = json_lines.read_json_lines(text)
        return Table(kind, columns, rows, path, data, width=len(columns))
    dialect = delimited.find_dialect(text, prefers_tabs=kind is TableFormat.TSV)
    found = delimited.read_delimited(text, dialect, has_header)
    return Table(kind, found.columns, found.rows, path, data, found.has_header, width=found.width)


def _from_lines(data: bytes, path: Path | None) -> Table:
    text, _ = decode(data)
    rows = tuple((without_lone(line.rstrip("\r\n")),) for line in _lines(text))
    return Table(TableFormat.LINES, unique_names([LINES_COLUMN]), rows, path, data, has_header=False)


def _lines(text: str) -> list[str]:
    """The lines of a text with their ends; a carriage return alone ends one only where there are no line feeds."""
    return (_TAKE_LINES if "\n" in text else _TAKE_OLD_LINES).findall(text)


def _contents(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise TableError("This is no file", f"{path} is a folder or a device.", "Choose a file.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise TableError(
                "The file is too large",
                f"{path.name} has {size / 1e6:,.0f} MB; up to {MOST_BYTES / 1e6:,.0f} MB can be opened.",
                "Split it into several files.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise TableError(
            "The file can't be read", f"{path}: {error.strerror or error}.", "Choose another file.", repr(error)
        ) from error
    if not data.strip(b" \t\r\n\xef\xbb\xbf\xff\xfe\x00"):
        raise TableError("The file is empty", f"{path.name} holds no text.", "Choose another file.")
    _check_kind(data, path)
    return data


def _check_kind(data: bytes, path: Path) -> None:
    """Raise `TableError` for a file that is none of the formats."""
    suffix = path.suffix.lower()
    is_workbook = SUFFIXES.get(suffix) is TableFormat.XLSX
    if is_workbook and data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return
    what = next((kind for beginning, kind in _ELSEWHERE.items() if data.startswith(beginning)), "")
    if suffix in (".xls", ".xlsb", ".ods", ".numbers"):
        what = f"a spreadsheet of another kind ({suffix})"
    probe = data[:4096]
    if not what and len(probe.translate(None, _CONTROL)) < 0.9 * len(probe):
        what = "no text"
    if is_workbook and not what:
        what = "no workbook, whatever its name says"
    if what:
        raise TableError(
            "This is no table",
            f"{path.name} is {what}.",
            "Tables can be CSV, TSV, JSON lines, .xlsx or .xlsm; any other text file is read line by line.",
        )


def _write_bytes(stream: IO[bytes], data: bytes) -> tuple[str, ...]:
    stream.write(data)
    return ()


def _written(target: Path, write: Callable[[IO[bytes]], tuple[str, ...]]) -> tuple[str, ...]:
    try:
        with _replaced(target) as stream:
            return write(stream)
    except OSError as error:
        raise TableError(
            "The table couldn't be saved",
            f"Writing {target} failed: {error.strerror or error}.",
            "Free some space, or choose another place.",
            repr(error),
        ) from error


@contextmanager
def _replaced(target: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `target` once all is written and on the disk."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
        sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)
