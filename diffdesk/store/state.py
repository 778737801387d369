"""Small things the program remembers: values by key, and what was typed but not sent.

Knows nothing of what they mean. The user's preferences are not here: this is what lets a window look as it was left.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TypeVar

from diffdesk.core.requests import TaskKind
from diffdesk.store.database import Database, storable
from diffdesk.store.rows import DraftRow

Value = TypeVar("Value")
Slot = int | TaskKind


def value(database: Database, key: str, default: Value) -> Value:
    """What was set for `key`, if it is of the type of `default`; else `default`."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    if row is None:
        return default
    found: object = json.loads(row[0])
    # A value of another type was written by another version: the caller couldn't use it.
    return found if isinstance(found, type(default)) else default


def set_value(database: Database, key: str, new: object) -> None:
    """Remember `new` (anything with a JSON form) for `key`."""
    with database.write() as connection:
        connection.execute(
            "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, json.dumps(new)),
        )


def draft(database: Database, slot: Slot) -> DraftRow:
    """What was typed in a conversation, or in a place for a conversation that isn't there yet."""
    with database.read() as connection:
        row = connection.execute("SELECT text, attachments FROM drafts WHERE slot = ?", (str(slot),)).fetchone()
    return DraftRow() if row is None else DraftRow(row["text"], tuple(_files(row)))


def save_draft(database: Database, slot: Slot, text: str, attachments: Sequence[tuple[str, str]] = ()) -> None:
    """Keep what was typed; nothing typed removes the draft. A conversation that is gone is passed over."""
    with database.write() as connection:
        connection.execute("DELETE FROM drafts WHERE slot = ?", (str(slot),))
        conversation_id = slot if isinstance(slot, int) else None
        if not text and not attachments:
            return
        files = json.dumps([[sha256, name] for sha256, name in attachments])
        connection.execute(
            "INSERT INTO drafts (slot, conversation_id, text, attachments) SELECT ?, ?, ?, ?"
            " WHERE ? IS NULL OR EXISTS (SELECT 1 FROM conversations WHERE id = ?)",
            (str(slot), conversation_id, storable(text), files, conversation_id, conversation_id),
        )


def draft_files(database: Database) -> set[str]:
    """The attachments that unsent drafts hold."""
    with database.read() as connection:
        rows = connection.execute("SELECT attachments FROM drafts").fetchall()
    return {sha256 for row in rows for sha256, _ in _files(row)}


def _files(row: sqlite3.Row) -> Iterable[tuple[str, str]]:
    return ((str(sha256), str(name)) for sha256, name in json.loads(row["attachments"]))
