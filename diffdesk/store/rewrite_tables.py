"""The tables of the bulk rewriter, added to the file by one step of the migrations. Knows nothing of what they mean."""

from __future__ import annotations

import sqlite3

# A table's own file is an attachment: it is written back with columns added even when the user's copy is gone.
_TABLES = (
    """CREATE TABLE rewrite_sheets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        format TEXT NOT NULL,
        path TEXT NOT NULL,
        has_header INTEGER NOT NULL,
        source TEXT NOT NULL REFERENCES attachments (sha256),
        columns TEXT NOT NULL,
        row_count INTEGER NOT NULL,
        chosen TEXT NOT NULL DEFAULT '[]',
        instruction TEXT NOT NULL DEFAULT '',
        preset TEXT NOT NULL DEFAULT '',
        created REAL NOT NULL,
        updated REAL NOT NULL,
        deleted REAL
    )""",
    "CREATE INDEX rewrite_sheets_by_age ON rewrite_sheets (updated, id)",
    "CREATE INDEX rewrite_sheets_by_source ON rewrite_sheets (source)",
    """CREATE TABLE rewrite_rows (
        sheet_id INTEGER NOT NULL REFERENCES rewrite_sheets (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        place INTEGER NOT NULL,
        text TEXT NOT NULL,
        answer TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        error TEXT,
        PRIMARY KEY (sheet_id, number, place)
    ) WITHOUT ROWID""",
    "CREATE TABLE rewrite_presets (name TEXT PRIMARY KEY, instruction TEXT NOT NULL, created REAL NOT NULL)",
)


def make_rewrite_tables(connection: sqlite3.Connection) -> None:
    """Sheets of the bulk rewriter, their rows, and the user's own presets."""
    for statement in _TABLES:
        connection.execute(statement)
