"""Messages: a tree for each conversation, so that editing or asking again keeps the earlier versions.

Knows nothing of how a run is recorded or of what a file holds.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diffdesk.core.errors import SettingError, UserError
from diffdesk.core.events import RunStats
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.store.attachments import of_messages
from diffdesk.store.conversations import title_from, touch
from diffdesk.store.database import Database, storable
from diffdesk.store.rows import AttachmentRow, MessageRow

_VERSIONED = """SELECT m.*,
    (SELECT count(*) FROM messages s WHERE s.conversation_id = m.conversation_id
        AND s.parent_id IS m.parent_id AND s.id <= m.id) AS version,
    (SELECT count(*) FROM messages s WHERE s.conversation_id = m.conversation_id
        AND s.parent_id IS m.parent_id) AS versions
    FROM messages m"""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that is to be added; see `MessageRow`. `attachments` are pairs of sha256 and name, in order."""

    conversation_id: int
    role: Role
    text: str
    parent_id: int | None
    attachments: Sequence[tuple[str, str]] = ()
    state: MessageState = MessageState.SENT
    model: str = ""
    draft: str = ""
    parameters: GenerationParameters | None = None


def add(database: Database, new: NewMessage) -> MessageRow:
    """Add a message as the new leaf, in one transaction that is on the disk when this returns.

    The conversation's `updated` and `model` follow it; a first message of the user gives it a title where it has none.
    Raises `LookupError` for a conversation, a parent in it, or an attachment that doesn't exist.
    """
    with database.write() as connection:
        _check_references(connection, new)
        cursor = connection.execute(
            "INSERT INTO messages (conversation_id, parent_id, role, text, state, created, model, draft, parameters)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.conversation_id,
                new.parent_id,
                new.role.value,
                storable(new.text),
                new.state.value,
                time.time(),
                storable(new.model),
                storable(new.draft),
                None if new.parameters is None else json.dumps(new.parameters.to_json()),
            ),
        )
        message_id = int(cursor.lastrowid or 0)
        connection.executemany(
            "INSERT INTO message_attachments (message_id, position, sha256, name) VALUES (?, ?, ?, ?)",
            [(message_id, at, sha256, storable(name)) for at, (sha256, name) in enumerate(new.attachments)],
        )
        _lead(connection, new, message_id)
        rows = _rows(database, connection, f"{_VERSIONED} WHERE m.id = ?", (message_id,))
    return rows[0]


def one(database: Database, message_id: int) -> MessageRow:
    """One message; `LookupError` if there is none."""
    with database.read() as connection:
        rows = _rows(database, connection, f"{_VERSIONED} WHERE m.id = ?", (message_id,))
    if not rows:
        raise LookupError(f"no message {message_id}")
    return rows[0]


def branch(database: Database, conversation_id: int) -> list[MessageRow]:
    """The messages in view: from the first one down to the conversation's leaf."""
    path = """WITH RECURSIVE path (id, parent_id, depth) AS (
        SELECT m.id, m.parent_id, 0 FROM messages m JOIN conversations c ON m.id = c.leaf WHERE c.id = ?
        UNION ALL
        SELECT m.id, m.parent_id, path.depth + 1 FROM messages m JOIN path ON m.id = path.parent_id
    ) """
    query = f"{path}{_VERSIONED} JOIN path ON path.id = m.id ORDER BY path.depth DESC"
    with database.read() as connection:
        return _rows(database, connection, query, (conversation_id,))


def siblings(database: Database, message_id: int) -> list[MessageRow]:
    """All versions of a message, itself among them, oldest first."""
    query = f"""{_VERSIONED} JOIN messages o ON o.conversation_id = m.conversation_id
        AND o.parent_id IS m.parent_id WHERE o.id = ? ORDER BY m.id"""
    with database.read() as connection:
        return _rows(database, connection, query, (message_id,))


def tip(database: Database, message_id: int) -> int:
    """The end of the branch that was last continued below a message; the message itself where nothing follows."""
    with database.read() as connection:
        row = connection.execute(
            """WITH RECURSIVE below (id) AS (
                SELECT id FROM messages WHERE id = ?
                UNION ALL SELECT m.id FROM messages m JOIN below ON m.parent_id = below.id
            ) SELECT max(id) FROM below""",
            (message_id,),
        ).fetchone()
    if row[0] is None:
        raise LookupError(f"no message {message_id}")
    return int(row[0])


def set_leaf(database: Database, conversation_id: int, message_id: int) -> None:
    """Show the branch that ends in a message; `LookupError` if it isn't one of the conversation."""
    with database.write() as connection:
        _require(connection, conversation_id, message_id)
        connection.execute("UPDATE conversations SET leaf = ? WHERE id = ?", (message_id, conversation_id))


@dataclass(frozen=True, slots=True)
class Change:
    """New values for a message; None leaves the old one."""

    text: str | None = None
    thought: str | None = None
    state: MessageState | None = None
    note: str | None = None
    error: UserError | None = None
    stats: RunStats | None = None
    draft: str | None = None


def update(database: Database, message_id: int, change: Change) -> MessageRow:
    """Change a message; `LookupError` if there is none."""
    with database.write() as connection:
        apply(connection, message_id, change)
    return one(database, message_id)


def apply(connection: sqlite3.Connection, message_id: int, change: Change) -> None:
    """`update` as a part of the caller's transaction."""
    values: dict[str, str] = {}
    texts = {"text": change.text, "thought": change.thought, "note": change.note, "draft": change.draft}
    for column, text in texts.items():
        if text is not None:
            values[column] = storable(text)
    if change.state is not None:
        values["state"] = change.state.value
    if change.error is not None:
        values["error"] = json.dumps(change.error.to_wire())
    if change.stats is not None:
        values["stats"] = json.dumps(change.stats.to_json())
    row = connection.execute("SELECT conversation_id FROM messages WHERE id = ?", (message_id,)).fetchone()
    if row is None:
        raise LookupError(f"no message {message_id}")
    if values:
        assignments = ", ".join(f"{column} = ?" for column in values)
        connection.execute(f"UPDATE messages SET {assignments} WHERE id = ?", (*values.values(), message_id))
        touch(connection, row[0])


def read_stats(text: str | None) -> RunStats | None:
    """Figures from their column."""
    return None if text is None else RunStats.from_json(_mapping(text))


def read_parameters(text: str | None) -> GenerationParameters | None:
    """Parameters from their column; None where a value no longer fits its range, which must not hide a message."""
    if text is None:
        return None
    try:
        return GenerationParameters.from_json(_mapping(text))
    except SettingError:
        return None


def _mapping(text: str) -> Mapping[str, object]:
    data: object = json.loads(text)
    return {str(key): value for key, value in data.items()} if isinstance(data, dict) else {}


def _check_references(connection: sqlite3.Connection, new: NewMessage) -> None:
    if new.parent_id is not None:
        _require(connection, new.conversation_id, new.parent_id)
    elif not _exists(connection, "SELECT 1 FROM conversations WHERE id = ?", new.conversation_id):
        raise LookupError(f"no conversation {new.conversation_id}")
    for sha256, _ in new.attachments:
        if not _exists(connection, "SELECT 1 FROM attachments WHERE sha256 = ?", sha256):
            raise LookupError(f"no attachment {sha256}")


def _require(connection: sqlite3.Connection, conversation_id: int, message_id: int) -> None:
    if not _exists(
        connection, "SELECT 1 FROM messages WHERE id = ? AND conversation_id = ?", message_id, conversation_id
    ):
        raise LookupError(f"no message {message_id} in conversation {conversation_id}")


def _exists(connection: sqlite3.Connection, query: str, *values: int | str) -> bool:
    return connection.execute(query, values).fetchone() is not None


def _lead(connection: sqlite3.Connection, new: NewMessage, message_id: int) -> None:
    """Let the conversation follow its new message."""
    touch(connection, new.conversation_id)
    connection.execute("UPDATE conversations SET leaf = ? WHERE id = ?", (message_id, new.conversation_id))
    if new.model:
        model = storable(new.model)
        connection.execute("UPDATE conversations SET model = ? WHERE id = ?", (model, new.conversation_id))
    if new.role is Role.USER:
        title = title_from(new.text) or title_from(new.attachments[0][1] if new.attachments else "")
        connection.execute(
            "UPDATE conversations SET title = ? WHERE id = ? AND title = ''", (title, new.conversation_id)
        )


def _rows(database: Database, connection: sqlite3.Connection, query: str, values: tuple[int, ...]) -> list[MessageRow]:
    rows = connection.execute(query, values).fetchall()
    files = of_messages(database, connection, [row["id"] for row in rows])
    return [_row(row, files.get(row["id"], ())) for row in rows]


def _row(row: sqlite3.Row, attachments: tuple[AttachmentRow, ...]) -> MessageRow:
    error = row["error"]
    return MessageRow(
        id=row["id"],
        conversation_id=row["conversation_id"],
        parent_id=row["parent_id"],
        role=Role(row["role"]),
        text=row["text"],
        thought=row["thought"],
        state=MessageState(row["state"]),
        created=row["created"],
        model=row["model"],
        note=row["note"],
        draft=row["draft"],
        version=row["version"],
        versions=row["versions"],
        attachments=attachments,
        stats=read_stats(row["stats"]),
        parameters=read_parameters(row["parameters"]),
        error=None if error is None else UserError.from_wire({k: str(v) for k, v in _mapping(error).items()}),
    )
