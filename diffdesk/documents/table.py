"""A table as the rewriter knows it: columns, rows of texts, and the file that they came from, to give it back exactly.

Knows nothing of the formats' details and of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from diffdesk.core.errors import TableError

LINES_COLUMN = "text"
"""Name of the only column of plain lines."""


class TableFormat(StrEnum):
    """How a table is written down."""

    LINES = "lines"
    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, and the bytes that they were read from.

    Attributes:
        format: of the file.
        columns: unique names, those that hold text.
        rows: a text for each column, empty where a row has none.
        source: the file; None for pasted lines.
        original: the file's bytes. Whatever happens to the file, what is written later is made of these.
        has_header: whether the first row of the file names the columns.
        sheet: name of the sheet of a workbook.
        first_row: number of the sheet's row (from 1) that `rows` begins with.
        width: cells that the file's longest row has; added columns come after them.
    """

    format: TableFormat
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    source: Path | None = None
    original: bytes = field(default=b"", repr=False)
    has_header: bool = True
    sheet: str = ""
    first_row: int = 1
    width: int = 1

    def named(self, wanted: str) -> str:
        """The name of a column from its name or its number from 1; raises `TableError` where there is none."""
        if wanted in self.columns:
            return wanted
        if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= len(self.columns):
            return self.columns[int(wanted) - 1]
        raise TableError(
            f"There is no column “{wanted}”",
            f"There are: {', '.join(f'“{one}”' for one in self.columns[:20])}"
            f"{' and more' if len(self.columns) > 20 else ''}.",
            "Choose one of these. If the first row is text as well, say that there is no header.",
        )

    def column(self, name: str) -> tuple[str, ...]:
        """The texts of a column; raises `TableError` where there is none of that name or number."""
        at = self.columns.index(self.named(name))
        return tuple(row[at] for row in self.rows)


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A column to be written after the file's own, with a text for each row."""

    name: str
    values: Sequence[str]


def unique_names(cells: Iterable[str]) -> tuple[str, ...]:
    """Names for columns from the cells of a header: none empty, none twice."""
    names: list[str] = []
    taken: set[str] = set()
    for number, cell in enumerate(cells, start=1):
        name = free_name(cell.strip() or f"column {number}", taken)
        names.append(name)
        taken.add(name)
    return tuple(names)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or with the first number after it that makes it a name of its own: “text (2)”."""
    others = set(taken)
    if wanted not in others:
        return wanted
    number = 2
    while f"{wanted} ({number})" in others:
        number += 1
    return f"{wanted} ({number})"


def is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first row looks like names of columns: short, distinct, no figures, no sentences, not met again."""
    cells = [cell.strip() for cell in first]
    named = [cell for cell in cells if cell]
    if not named or len(set(named)) < len(named):
        return False
    for at, cell in enumerate(cells):
        is_name = len(cell) <= 60 and len(cell.split()) <= 6 and cell[-1:] not in tuple(".,;!") and cell[:1] != "{"
        digits = sum(character.isdigit() for character in cell)
        if not is_name or 2 * digits >= len(cell) > 0:
            return False
        if cell and any(len(row) > at and row[at].strip() == cell for row in rows):
            return False
    return True
