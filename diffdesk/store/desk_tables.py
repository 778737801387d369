"""The table of the correction desk, added to the file by one step of the migrations. Knows nothing of what it means."""

from __future__ import annotations

import sqlite3

_TABLES = (
    # `rank` is the place in the queue; what a page holds is read only when it is opened.
    """CREATE TABLE desk_pages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        rank INTEGER NOT NULL,
        kind TEXT NOT NULL,
        path TEXT NOT NULL,
        number INTEGER NOT NULL,
        of_pages INTEGER NOT NULL,
        file TEXT REFERENCES attachments (sha256),
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        undecided INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        page TEXT,
        draft TEXT,
        proposals TEXT,
        doubts TEXT,
        notes TEXT NOT NULL DEFAULT '[]',
        review TEXT NOT NULL DEFAULT '',
        seconds REAL NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        deleted REAL
    )""",
    "CREATE INDEX desk_pages_by_rank ON desk_pages (rank, id)",
    "CREATE INDEX desk_pages_by_file ON desk_pages (file)",
)


def make_desk_tables(connection: sqlite3.Connection) -> None:
    """The queue of the correction desk."""
    for statement in _TABLES:
        connection.execute(statement)
