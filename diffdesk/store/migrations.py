"""The format of the file, as a list of small named steps; step n makes version n.

A released step is never changed: a new need is a new step at the end. Each step is one transaction with its version
number, so a file is always of one whole version. Before a file with contents is changed, SQLite's own backup call
writes a copy beside it. Knows nothing of what the rows mean.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from diffdesk.store.desk_tables import make_desk_tables
from diffdesk.store.rewrite_tables import make_rewrite_tables

Migration = Callable[[sqlite3.Connection], None]
APPLICATION_ID = 0x44664473  # "DfDs", in the file's header: tells our file from any other SQLite file

# Parents are checked at commit and not by cascade: a cascade along a conversation's chain of parents would pass
# SQLite's limit of 1,000 nested triggers, while the conversation's own cascade removes all its messages at once.
_TABLES = (
    """CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL,
        place TEXT NOT NULL,
        model TEXT NOT NULL,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0,
        deleted REAL,
        leaf INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED
    )""",
    "CREATE INDEX conversations_by_age ON conversations (pinned, updated, id)",
    "CREATE INDEX conversations_by_leaf ON conversations (leaf)",
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        parent_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        thought TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL,
        created REAL NOT NULL,
        model TEXT NOT NULL DEFAULT '',
        note TEXT NOT NULL DEFAULT '',
        draft TEXT NOT NULL DEFAULT '',
        error TEXT,
        stats TEXT,
        parameters TEXT
    )""",
    "CREATE INDEX messages_by_conversation ON messages (conversation_id, parent_id)",
    "CREATE INDEX messages_by_parent ON messages (parent_id)",
    "CREATE INDEX messages_streaming ON messages (id) WHERE state = 'streaming'",
    """CREATE TABLE attachments (
        sha256 TEXT PRIMARY KEY,
        suffix TEXT NOT NULL,
        size INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        created REAL NOT NULL
    )""",
    """CREATE TABLE message_attachments (
        message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        sha256 TEXT NOT NULL REFERENCES attachments (sha256),
        name TEXT NOT NULL,
        PRIMARY KEY (message_id, position)
    )""",
    "CREATE INDEX message_attachments_by_file ON message_attachments (sha256)",
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        message_id INTEGER NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
        canvases INTEGER NOT NULL DEFAULT 0,
        steps INTEGER NOT NULL DEFAULT 0,
        parameters TEXT,
        stats TEXT,
        trace BLOB
    )""",
    """CREATE TABLE run_chunks (
        run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        blob BLOB NOT NULL,
        PRIMARY KEY (run_id, seq)
    )""",
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE drafts (
        slot TEXT PRIMARY KEY,
        conversation_id INTEGER REFERENCES conversations (id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        attachments TEXT NOT NULL
    )""",
    "CREATE INDEX drafts_by_conversation ON drafts (conversation_id)",
)

# An answer is left out of the index until it is finished: saving its progress each second must stay cheap.
_INDEXES = (
    "CREATE VIEW searchable_messages AS SELECT id, text FROM messages WHERE state <> 'streaming'",
    """CREATE VIRTUAL TABLE message_index USING fts5 (
        text, content='searchable_messages', content_rowid='id', prefix='2 3',
        tokenize="unicode61 remove_diacritics 2"
    )""",
    """CREATE TRIGGER message_indexed AFTER INSERT ON messages WHEN new.state <> 'streaming' BEGIN
        INSERT INTO message_index (rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER message_unindexed AFTER DELETE ON messages WHEN old.state <> 'streaming' BEGIN
        INSERT INTO message_index (message_index, rowid, text) VALUES ('delete', old.id, old.text);
    END""",
    # One trigger and not two: the old words must leave the index before the new ones come.
    """CREATE TRIGGER message_changed AFTER UPDATE OF text, state ON messages
    WHEN (old.state <> 'streaming' OR new.state <> 'streaming')
        AND (old.text <> new.text OR (old.state = 'streaming') <> (new.state = 'streaming')) BEGIN
        INSERT INTO message_index (message_index, rowid, text)
            SELECT 'delete', old.id, old.text WHERE old.state <> 'streaming';
        INSERT INTO message_index (rowid, text) SELECT new.id, new.text WHERE new.state <> 'streaming';
    END""",
    """CREATE VIRTUAL TABLE title_index USING fts5 (
        title, content='conversations', content_rowid='id', prefix='2 3',
        tokenize="unicode61 remove_diacritics 2"
    )""",
    """CREATE TRIGGER title_indexed AFTER INSERT ON conversations BEGIN
        INSERT INTO title_index (rowid, title) VALUES (new.id, new.title);
    END""",
    """CREATE TRIGGER title_unindexed AFTER DELETE ON conversations BEGIN
        INSERT INTO title_index (title_index, rowid, title) VALUES ('delete', old.id, old.title);
    END""",
    """CREATE TRIGGER title_changed AFTER UPDATE OF title ON conversations WHEN old.title <> new.title BEGIN
        INSERT INTO title_index (title_index, rowid, title) VALUES ('delete', old.id, old.title);
        INSERT INTO title_index (rowid, title) VALUES (new.id, new.title);
    END""",
)


def make_first_format(connection: sqlite3.Connection) -> None:
    """Version 1: conversations, messages, attachments, runs, settings, drafts and the search index."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in _TABLES + _INDEXES:
        connection.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (make_first_format, make_rewrite_tables, make_desk_tables)
LATEST = len(MIGRATIONS)


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> tuple[str, ...]:
    """Bring the file to the last version; the names of the steps that were taken.

    Each step is a transaction of its own. References are switched off meanwhile, so that a step may build a table
    anew, and checked before each commit. Raises what SQLite raises; the file then is of the version before.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    pending = list(enumerate(migrations, start=1))[version:]
    if not pending:
        return ()
    if version > 0:
        back_up(connection, backup_path(path, version + 1))
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        for number, step in pending:
            _take(connection, number, step)
    finally:
        connection.execute("PRAGMA foreign_keys = ON")
    return tuple(step.__name__ for _, step in pending)


def _take(connection: sqlite3.Connection, number: int, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        step(connection)
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken is not None:
            raise sqlite3.IntegrityError(f"{step.__name__} leaves a reference to nothing in {broken[0]}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def backup_path(path: Path, number: int) -> Path:
    """Where the copy from before step `number` lies."""
    return path.with_name(f"{path.stem}.before-{number}{path.suffix}")


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database to `target`; a file of that name is replaced only by a complete copy."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
