"""The queue of the correction desk: pages, what was read and proposed on each, and what the user decided.

Whatever a method wrote is on the disk when it returns. Knows nothing of images, models and widgets.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from diffdesk.core.errors import UserError
from diffdesk.core.proposals import Doubt, Proposal
from diffdesk.store import attachments
from diffdesk.store.database import Database, storable
from diffdesk.store.desk_rows import Corrected, DeskContent, DeskRow, DeskState, NewPage, Outcome

_LIGHT = (
    "id, kind, path, file, number, of_pages, name, state, note, undecided, draft IS NOT NULL AS is_read, seconds, error"
)


class Desk:
    """The part of a `Store` that holds the correction desk; see there for threads and errors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # The queue

    def add(self, pages: Sequence[NewPage]) -> list[DeskRow]:
        """Put pages at the end of the queue."""
        now = time.time()
        added: list[int] = []
        with self._database.write() as connection:
            last = int(connection.execute("SELECT coalesce(max(rank), 0) FROM desk_pages").fetchone()[0])
            for rank, one in enumerate(pages, start=last + 1):
                draft = None if one.draft is None else storable(one.draft)
                cursor = connection.execute(
                    "INSERT INTO desk_pages (rank, kind, path, number, of_pages, file, name, state, draft, created)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)",
                    (
                        *(rank, one.kind, storable(one.path), one.number, one.of),
                        *(one.file or None, storable(one.name), draft, now),
                    ),
                )
                added.append(int(cursor.lastrowid or 0))
        return [self.page(one) for one in added]

    def pages(self) -> list[DeskRow]:
        """The queue in its order."""
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {_LIGHT} FROM desk_pages WHERE deleted IS NULL ORDER BY rank, id")
            return [self._row(one) for one in rows.fetchall()]

    def page(self, page_id: int) -> DeskRow:
        """One page, a removed one too; `LookupError` if there is none."""
        return self._row(self._one(page_id, _LIGHT))

    def move(self, page_id: int, before: int | None) -> None:
        """Put a page in front of another one, or at the end."""
        with self._database.write() as connection:
            order = [int(row[0]) for row in connection.execute("SELECT id FROM desk_pages ORDER BY rank, id")]
            order.remove(page_id)
            order.insert(len(order) if before is None else order.index(before), page_id)
            connection.executemany("UPDATE desk_pages SET rank = ? WHERE id = ?", list(enumerate(order, start=1)))

    def remove(self, page_ids: Sequence[int]) -> None:
        """Out of the queue; `restore` brings them back until `purge`. Their files are not touched."""
        self._set_deleted(page_ids, time.time())

    def restore(self, page_ids: Sequence[int]) -> None:
        """Bring removed pages back to their places."""
        self._set_deleted(page_ids, None)

    def retry(self, page_ids: Sequence[int]) -> None:
        """Let pages that failed wait again."""
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE desk_pages SET state = 'waiting', error = NULL, note = '' WHERE id = ? AND state = 'failed'",
                [(one,) for one in page_ids],
            )

    def purge(self) -> int:
        """Remove pages for good that were removed from the queue; how many."""
        with self._database.write() as connection:
            return connection.execute("DELETE FROM desk_pages WHERE deleted IS NOT NULL").rowcount

    def files(self) -> set[str]:
        """The attachments that pages of the queue are taken from."""
        with self._database.read() as connection:
            return {str(row[0]) for row in connection.execute("SELECT file FROM desk_pages WHERE file IS NOT NULL")}

    # One page

    def content(self, page_id: int) -> DeskContent | None:
        """What a page holds; None before it was read."""
        row = self._one(page_id, "page, draft, proposals, doubts, notes, review")
        if row["draft"] is None:
            return None
        return DeskContent(
            page=row["page"] or "",
            draft=row["draft"],
            proposals=tuple(Proposal.from_json(one) for one in json.loads(row["proposals"] or "[]")),
            doubts=tuple(Doubt.from_json(one) for one in json.loads(row["doubts"] or "[]")),
            notes=tuple(str(one) for one in json.loads(row["notes"])),
            review=row["review"],
        )

    def save_read(self, page_id: int, page: str, draft: str, seconds: float) -> None:
        """Keep what was read; the page still waits for its correction."""
        self._update(page_id, "page = ?, draft = ?, seconds = ?", (storable(page), storable(draft), seconds))

    def save_corrected(self, page_id: int, corrected: Corrected, outcome: Outcome, seconds: float) -> DeskRow:
        """Keep what a correction gave, and that the page is done."""
        found = json.dumps([one.to_json() for one in corrected.proposals])
        doubted = json.dumps([one.to_json() for one in corrected.doubts])
        notes = json.dumps([storable(one) for one in corrected.notes])
        self._update(
            page_id,
            "proposals = ?, doubts = ?, notes = ?, review = '', error = NULL, state = ?, note = ?, undecided = ?,"
            " seconds = seconds + ?",
            (found, doubted, notes, *_values(outcome), seconds),
        )
        return self.page(page_id)

    def save_review(self, page_id: int, review: str, outcome: Outcome) -> DeskRow:
        """Keep the user's decisions on a page."""
        self._update(page_id, "review = ?, state = ?, note = ?, undecided = ?", (storable(review), *_values(outcome)))
        return self.page(page_id)

    def fail(self, page_id: int, error: UserError) -> DeskRow:
        """Note why a page can't be read or corrected."""
        self._update(page_id, "state = 'failed', error = ?", (storable(json.dumps(error.to_wire())),))
        return self.page(page_id)

    def _one(self, page_id: int, columns: str) -> sqlite3.Row:
        with self._database.read() as connection:
            row = connection.execute(f"SELECT {columns} FROM desk_pages WHERE id = ?", (page_id,)).fetchone()
        if not isinstance(row, sqlite3.Row):
            raise LookupError(f"no page {page_id} on the desk")
        return row

    def _row(self, row: sqlite3.Row) -> DeskRow:
        # An attachment lies where the store lies now, wherever that was when the page came.
        path = attachments.one(self._database, row["file"]).path if row["file"] else Path(row["path"])
        error = json.loads(row["error"]) if row["error"] else None
        return DeskRow(
            id=row["id"],
            kind=row["kind"],
            path=path,
            number=row["number"],
            of=row["of_pages"],
            name=row["name"],
            state=DeskState(row["state"]),
            note=row["note"],
            undecided=row["undecided"],
            is_read=bool(row["is_read"]),
            is_kept=row["file"] is not None,
            seconds=row["seconds"],
            error=None if error is None else UserError.from_wire(error),
        )

    def _update(self, page_id: int, changes: str, values: tuple[str | int | float, ...]) -> None:
        with self._database.write() as connection:
            done = connection.execute(f"UPDATE desk_pages SET {changes} WHERE id = ?", (*values, page_id))
            if done.rowcount == 0:
                raise LookupError(f"no page {page_id} on the desk")

    def _set_deleted(self, page_ids: Sequence[int], when: float | None) -> None:
        with self._database.write() as connection:
            connection.executemany("UPDATE desk_pages SET deleted = ? WHERE id = ?", [(when, one) for one in page_ids])


def _values(outcome: Outcome) -> tuple[str, str, int]:
    return outcome.state.value, storable(outcome.note), outcome.undecided
