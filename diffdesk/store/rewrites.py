"""Sheets of the bulk rewriter: their rows, what became of each, and the user's own presets.

Whatever a method wrote is on the disk when it returns. Knows nothing of files' formats or of models.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence

from diffdesk.core.errors import UserError
from diffdesk.store.database import Database, storable
from diffdesk.store.rewrite_rows import NewSheet, OwnPreset, RewriteRow, RowState, SheetRow

# Rows of columns that are no longer chosen stay in the file, and count for nothing.
_COUNTED = """SELECT s.*,
    count(r.state) AS total,
    coalesce(sum(r.state = 'waiting'), 0) AS waiting,
    coalesce(sum(r.state = 'done'), 0) AS undecided,
    coalesce(sum(r.state = 'failed'), 0) AS failed
    FROM rewrite_sheets s LEFT JOIN rewrite_rows r
        ON r.sheet_id = s.id AND r.place IN (SELECT value FROM json_each(s.chosen))"""


class Rewrites:
    """The part of a `Store` that holds the bulk rewriter; see there for threads and errors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Sheets

    def create(self, new: NewSheet) -> SheetRow:
        """A new sheet without texts; `LookupError` if its source is no attachment."""
        now = time.time()
        columns = json.dumps([storable(one) for one in new.columns])
        with self._database.write() as connection:
            known = connection.execute("SELECT 1 FROM attachments WHERE sha256 = ?", (new.source,)).fetchone()
            if known is None:
                raise LookupError(f"no attachment {new.source}")
            cursor = connection.execute(
                "INSERT INTO rewrite_sheets"
                " (name, format, path, has_header, source, columns, row_count, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(storable(new.name), new.format, storable(new.path), new.has_header, new.source),
                    *(columns, new.row_count, now, now),
                ),
            )
        return self.sheet(int(cursor.lastrowid or 0))

    def sheets(self, limit: int = 100) -> list[SheetRow]:
        """Those that are not deleted, the one that was worked on last first."""
        query = f"{_COUNTED} WHERE s.deleted IS NULL GROUP BY s.id ORDER BY s.updated DESC, s.id DESC LIMIT ?"
        with self._database.read() as connection:
            return [_sheet(row) for row in connection.execute(query, (limit,))]

    def sheet(self, sheet_id: int) -> SheetRow:
        """One sheet, a deleted one too; `LookupError` if there is none."""
        with self._database.read() as connection:
            row = connection.execute(f"{_COUNTED} WHERE s.id = ? GROUP BY s.id", (sheet_id,)).fetchone()
        if row is None:
            raise LookupError(f"no sheet {sheet_id}")
        return _sheet(row)

    def set_task(self, sheet_id: int, instruction: str, preset: str) -> None:
        """What to do with each text of a sheet."""
        with self._database.write() as connection:
            _touch(connection, sheet_id)
            connection.execute(
                "UPDATE rewrite_sheets SET instruction = ?, preset = ? WHERE id = ?",
                (storable(instruction), storable(preset), sheet_id),
            )

    def choose(self, sheet_id: int, chosen: Sequence[int], rows: Iterable[RewriteRow]) -> SheetRow:
        """Rewrite these columns, whose texts are `rows`; those that were there before stay as they are."""
        with self._database.write() as connection:
            _touch(connection, sheet_id)
            connection.execute(
                "UPDATE rewrite_sheets SET chosen = ? WHERE id = ?", (json.dumps(list(chosen)), sheet_id)
            )
            connection.executemany(
                "INSERT INTO rewrite_rows (sheet_id, number, place, text, answer, state, note, error)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                ((sheet_id, *row.key, storable(row.text), *_outcome(row)) for row in rows),
            )
        return self.sheet(sheet_id)

    def delete(self, sheet_id: int) -> None:
        """Out of the list; `undelete` brings it back until `purge`."""
        self._set_deleted(sheet_id, time.time())

    def undelete(self, sheet_id: int) -> None:
        """Bring a deleted sheet back."""
        self._set_deleted(sheet_id, None)

    def purge(self) -> int:
        """Remove deleted sheets for good; how many."""
        with self._database.write() as connection:
            return connection.execute("DELETE FROM rewrite_sheets WHERE deleted IS NOT NULL").rowcount

    def files(self) -> set[str]:
        """The attachments that sheets hold."""
        with self._database.read() as connection:
            return {str(row[0]) for row in connection.execute("SELECT source FROM rewrite_sheets")}

    # Rows

    def rows(self, sheet_id: int) -> list[RewriteRow]:
        """The texts of the chosen columns, in the order of the file."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT r.* FROM rewrite_rows r JOIN rewrite_sheets s ON s.id = r.sheet_id"
                " WHERE s.id = ? AND r.place IN (SELECT value FROM json_each(s.chosen)) ORDER BY r.number, r.place",
                (sheet_id,),
            ).fetchall()
        return [_row(row) for row in rows]

    def save(self, sheet_id: int, rows: Sequence[RewriteRow]) -> None:
        """Keep what became of these texts, in one transaction; `LookupError` if one isn't there."""
        values = [(*_outcome(row), sheet_id, *row.key) for row in rows]
        with self._database.write() as connection:
            _touch(connection, sheet_id)
            changed = connection.executemany(
                "UPDATE rewrite_rows SET answer = ?, state = ?, note = ?, error = ?"
                " WHERE sheet_id = ? AND number = ? AND place = ?",
                values,
            ).rowcount
            if rows and changed != len(rows):
                raise LookupError(f"{len(rows) - changed} texts are not in sheet {sheet_id}")

    # Presets of the user's own

    def presets(self) -> list[OwnPreset]:
        """The oldest first."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT name, instruction FROM rewrite_presets ORDER BY created, name").fetchall()
        return [OwnPreset(row["name"], row["instruction"]) for row in rows]

    def save_preset(self, name: str, instruction: str) -> None:
        """Keep an instruction under a name; one of that name is replaced."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO rewrite_presets (name, instruction, created) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET instruction = excluded.instruction",
                (storable(name), storable(instruction), time.time()),
            )

    def delete_preset(self, name: str) -> None:
        """Forget a preset."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM rewrite_presets WHERE name = ?", (storable(name),))

    def _set_deleted(self, sheet_id: int, when: float | None) -> None:
        with self._database.write() as connection:
            connection.execute("UPDATE rewrite_sheets SET deleted = ? WHERE id = ?", (when, sheet_id))


def _touch(connection: sqlite3.Connection, sheet_id: int) -> None:
    cursor = connection.execute("UPDATE rewrite_sheets SET updated = ? WHERE id = ?", (time.time(), sheet_id))
    if not cursor.rowcount:
        raise LookupError(f"no sheet {sheet_id}")


def _outcome(row: RewriteRow) -> tuple[str, str, str, str | None]:
    error = None if row.error is None else json.dumps(row.error.to_wire())
    return storable(row.answer), row.state.value, storable(row.note), error


def _sheet(row: sqlite3.Row) -> SheetRow:
    return SheetRow(
        id=row["id"],
        name=row["name"],
        format=row["format"],
        source=row["source"],
        columns=tuple(str(one) for one in json.loads(row["columns"])),
        row_count=row["row_count"],
        path=row["path"],
        has_header=bool(row["has_header"]),
        chosen=tuple(int(one) for one in json.loads(row["chosen"])),
        instruction=row["instruction"],
        preset=row["preset"],
        created=row["created"],
        updated=row["updated"],
        total=row["total"],
        waiting=row["waiting"],
        undecided=row["undecided"],
        failed=row["failed"],
    )


def _row(row: sqlite3.Row) -> RewriteRow:
    error = row["error"]
    return RewriteRow(
        number=row["number"],
        place=row["place"],
        text=row["text"],
        answer=row["answer"],
        state=RowState(row["state"]),
        note=row["note"],
        error=None if error is None else UserError.from_wire({k: str(v) for k, v in json.loads(error).items()}),
    )
