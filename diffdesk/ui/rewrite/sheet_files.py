"""A table on its way in and out: from a file or pasted lines into the store, and back into a file with columns added.

Plain functions that block; they are called on the pool and on the store's thread. Knows no widget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diffdesk.core.errors import TableError
from diffdesk.documents.tables import AddedColumn, Table, TableFormat, read_lines, read_table, write_table
from diffdesk.store import NewSheet, RewriteRow, RowState, SheetRow, Store
from diffdesk.ui.rewrite.rewrite_views import Key

PASTED = "Pasted lines.txt"
_PROBED = 200  # rows from which the column is guessed that is most likely meant
SETTLED = (RowState.DONE, RowState.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A table that was read: what to call it, and the ending of its file."""

    table: Table
    name: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A sheet with the texts that are rewritten."""

    sheet: SheetRow
    rows: list[RewriteRow]


def read_file(path: Path) -> Incoming:
    """Read a table's file; raises `TableError`."""
    return Incoming(read_table(path), path.name, path.suffix)


def take_lines(text: str) -> Incoming:
    """Pasted lines; blank ones at the end are none. Raises `TableError` where there is no text."""
    table = read_lines(text.rstrip() + "\n")
    if not text.strip():
        raise TableError("There is nothing to work on", "No line has any text.", "Copy some lines first.")
    return Incoming(table, PASTED, ".txt")


def keep(store: Store, incoming: Incoming) -> Opened:
    """Put a table into the store, with the column chosen that is most likely meant."""
    table = incoming.table
    file = store.add_attachment(table.original, incoming.suffix, kind="table", name=incoming.name)
    path = "" if table.source is None else str(table.source.absolute())
    new = NewSheet(
        incoming.name, table.format.value, file.sha256, table.columns, len(table.rows), path, table.has_header
    )
    sheet = store.rewrites.create(new)
    return choose(store, sheet, (likely_column(table),), table)


def choose(store: Store, sheet: SheetRow, places: Sequence[int], table: Table) -> Opened:
    """Rewrite these columns of a sheet."""
    rows = (row for place in places for row in texts_of(table, place))
    chosen = store.rewrites.choose(sheet.id, places, rows)
    return Opened(chosen, store.rewrites.rows(sheet.id))


def load(store: Store, sheet_id: int) -> Opened:
    """A sheet as it was left."""
    return Opened(store.rewrites.sheet(sheet_id), store.rewrites.rows(sheet_id))


def texts_of(table: Table, place: int) -> Iterable[RewriteRow]:
    """The texts of a column; where there is none, there is nothing to do."""
    for number, cells in enumerate(table.rows):
        text = cells[place]
        state = RowState.WAITING if text.strip() else RowState.ACCEPTED
        yield RewriteRow(number, place, text, "" if text.strip() else text, state)


def likely_column(table: Table) -> int:
    """The column with the most letters in running text: numbers, dates and codes are rarely what is to be rewritten."""
    probed = table.rows[:_PROBED]

    def letters(place: int) -> int:
        texts = (row[place] for row in probed)
        return sum(sum(map(str.isalpha, text)) * (1 + (" " in text)) for text in texts)

    return max(range(len(table.columns)), key=lambda place: (letters(place), -place))


def read_again(sheet: SheetRow, kept: Path) -> Table:
    """The table of a sheet from the copy in the store."""
    table = read_table(kept, has_header=sheet.has_header)
    if len(table.rows) != sheet.row_count or table.columns != sheet.columns:
        raise TableError(
            "The table can't be read as before",
            f"The copy of {sheet.name} gives {len(table.rows):,} rows, and there were {sheet.row_count:,}.",
            "Open the file again as a new table.",
        )
    return replace(table, source=Path(sheet.path) if sheet.path else None)


def with_header(sheet: SheetRow, kept: Path, has_header: bool) -> Incoming:
    """The table of a sheet, with its first row taken for names of columns or for a row like any other."""
    table = replace(read_table(kept, has_header=has_header), source=Path(sheet.path) if sheet.path else None)
    return Incoming(table, sheet.name, kept.suffix)


def keep_instead(store: Store, sheet: SheetRow, incoming: Incoming) -> Opened:
    """Put a table into the store in place of a sheet, with the same instruction; one that was worked on stays, too."""
    if sheet.total == sheet.waiting:
        store.rewrites.delete(sheet.id)
    opened = keep(store, incoming)
    store.rewrites.set_task(opened.sheet.id, sheet.instruction, sheet.preset)
    return load(store, opened.sheet.id)


def export(sheet: SheetRow, rows: Mapping[Key, RewriteRow], kept: Path, target: Path) -> tuple[str, ...]:
    """Write the table with the new texts; sentences that the user should know. Raises `TableError`.

    A rejected row keeps its text. One that was not rewritten is left empty in an added column; among plain lines, which
    have no columns, its line stays as it was.
    """
    table = read_again(sheet, kept)
    is_lines = table.format is TableFormat.LINES
    added = [
        AddedColumn(
            f"{table.columns[place]} (rewritten)",
            [_exported(rows[number, place], is_lines) for number in range(len(table.rows))],
        )
        for place in sheet.chosen
    ]
    notes = write_table(table, added, target)
    missing = sum(row.state in (RowState.WAITING, RowState.FAILED) for row in rows.values())
    undecided = sum(row.state is RowState.DONE for row in rows.values())
    said = []
    if missing:
        left = "left as they were" if is_lines else "left empty in the new column"
        said.append(f"Not rewritten yet, and {left}: {missing:,}.")
    if undecided:
        rows_are = "1 row is" if undecided == 1 else f"{undecided:,} rows are"
        said.append(f"{rows_are} not decided yet and written as the model made {'it' if undecided == 1 else 'them'}.")
    return (*said, *notes)


def _exported(row: RewriteRow, is_lines: bool) -> str:
    if row.state in SETTLED:
        return row.answer
    return row.text if row.state is RowState.REJECTED or is_lines else ""
