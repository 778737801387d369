"""Conversations: making, listing, naming, deleting and bringing back.

A deleted conversation stays in the file, out of sight, until `purge`. Knows nothing of what a message holds.
"""

from __future__ import annotations

import sqlite3
import time
import unicodedata

from diffdesk.core.requests import TaskKind
from diffdesk.store.database import Database, storable
from diffdesk.store.rows import ConversationRow
from diffdesk.store.search import conversation_filter

TITLE_LENGTH = 60


def create(database: Database, place: TaskKind, title: str = "", model: str = "") -> ConversationRow:
    """A new conversation without messages."""
    now = time.time()
    with database.write() as connection:
        cursor = connection.execute(
            "INSERT INTO conversations (title, place, model, created, updated) VALUES (?, ?, ?, ?, ?)",
            (one_line(title), place.value, storable(model), now, now),
        )
        row = connection.execute("SELECT * FROM conversations WHERE id = ?", (cursor.lastrowid,)).fetchone()
    return _row(row)


def listing(
    database: Database, limit: int, offset: int, query: str, is_archived: bool = False
) -> list[ConversationRow]:
    """Pinned ones first, then the newest; with `query` those whose title or messages match it."""
    condition, values = conversation_filter(query)
    with database.read() as connection:
        rows = connection.execute(
            "SELECT * FROM conversations WHERE deleted IS NULL AND archived = ? AND "
            f"{condition} ORDER BY pinned DESC, updated DESC, id DESC LIMIT ? OFFSET ?",
            (is_archived, *values, limit, offset),
        ).fetchall()
    return [_row(row) for row in rows]


def one(database: Database, conversation_id: int) -> ConversationRow:
    """One conversation, a deleted one too; `LookupError` if there is none or it was purged."""
    with database.read() as connection:
        row = connection.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    if row is None:
        raise LookupError(f"no conversation {conversation_id}")
    return _row(row)


def rename(database: Database, conversation_id: int, title: str) -> None:
    """Give a conversation a title, cut to one line."""
    _set(database, conversation_id, "title", one_line(title))


def set_pinned(database: Database, conversation_id: int, is_pinned: bool) -> None:
    """Pin a conversation to the top of the list, or let it go."""
    _set(database, conversation_id, "pinned", int(is_pinned))


def set_archived(database: Database, conversation_id: int, is_archived: bool) -> None:
    """Put a conversation away or take it back into the list."""
    _set(database, conversation_id, "archived", int(is_archived))


def delete(database: Database, conversation_id: int) -> None:
    """Out of the list and the search; `undelete` brings it back until the next purge."""
    _set(database, conversation_id, "deleted", time.time())


def undelete(database: Database, conversation_id: int) -> None:
    """Bring a deleted conversation back."""
    _set(database, conversation_id, "deleted", None)


def purge(database: Database) -> int:
    """Remove deleted conversations for good, with their messages and recordings; how many."""
    with database.write() as connection:
        return connection.execute("DELETE FROM conversations WHERE deleted IS NOT NULL").rowcount


def touch(connection: sqlite3.Connection, conversation_id: int) -> None:
    """The conversation changed just now; part of the caller's transaction."""
    connection.execute("UPDATE conversations SET updated = ? WHERE id = ?", (time.time(), conversation_id))


def title_from(text: str) -> str:
    """A title from a message's words: its first line's worth, cut at a word, with an ellipsis where it is cut."""
    line = one_line(text)
    if len(line) <= TITLE_LENGTH:
        return line
    kept = line[: TITLE_LENGTH - 1]
    head, space, _ = kept.rpartition(" ")
    # A language without spaces, or one long word, is cut where it stands.
    return (head if space and len(head) >= TITLE_LENGTH // 2 else kept).rstrip() + "…"


def one_line(text: str) -> str:
    """`text` without control characters and with every run of white space as one blank, at most 200 characters."""
    printable = (" " if unicodedata.category(c) == "Cc" else c for c in storable(text[:2000]))
    return " ".join("".join(printable).split())[:200]


def _set(database: Database, conversation_id: int, column: str, value: str | float | None) -> None:
    with database.write() as connection:
        cursor = connection.execute(f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, conversation_id))
        if cursor.rowcount == 0:
            raise LookupError(f"no conversation {conversation_id}")


def _row(row: sqlite3.Row) -> ConversationRow:
    return ConversationRow(
        id=row["id"],
        title=row["title"],
        place=TaskKind(row["place"]),
        created=row["created"],
        updated=row["updated"],
        model=row["model"],
        is_pinned=bool(row["pinned"]),
        is_archived=bool(row["archived"]),
        leaf=row["leaf"],
        deleted=row["deleted"],
    )
