"""Files that hang on messages, named by the SHA-256 of their contents: ``attachments/ab/abcd….png``.

A file is whole and on the disk before any row names it; the same contents are kept once. Knows nothing of what the
bytes mean.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from diffdesk.paths import sync_folder
from diffdesk.store.database import ATTACHMENTS, Database, storable
from diffdesk.store.failures import guarded
from diffdesk.store.rows import AttachmentRow

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = ".part"
_AT_ONCE = 500  # values in one statement; SQLite before 3.32 allows 999


def add(
    database: Database,
    data: bytes,
    suffix: str,
    *,
    width: int = 0,
    height: int = 0,
    kind: str = "image",
    name: str = "",
) -> AttachmentRow:
    """Keep `data`; on the disk when this returns. The same contents again give the row that is there.

    A suffix that isn't a dot with up to eight letters or digits is left out.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    lower = suffix.lower()
    values = (
        sha256,
        lower if _SUFFIX.fullmatch(lower) else "",
        len(data),
        width,
        height,
        storable(kind),
        storable(name),
        time.time(),
    )
    known = _find(database, sha256)
    path = _path(database, sha256, values[1]) if known is None else known.path
    with guarded(path):
        _write_once(path, data)
    if known is not None:
        return known
    with database.write() as connection:
        connection.execute(
            "INSERT INTO attachments (sha256, suffix, size, width, height, kind, name, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
    return one(database, sha256)


def one(database: Database, sha256: str) -> AttachmentRow:
    """The attachment with these contents; `LookupError` if there is none."""
    row = _find(database, sha256)
    if row is None:
        raise LookupError(f"no attachment {sha256}")
    return row


def of_messages(
    database: Database, connection: sqlite3.Connection, message_ids: Sequence[int]
) -> dict[int, tuple[AttachmentRow, ...]]:
    """The attachments of each message that has some, in their order, under the names they have there."""
    found: dict[int, tuple[AttachmentRow, ...]] = {}
    for start in range(0, len(message_ids), _AT_ONCE):
        part = message_ids[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        rows = connection.execute(
            "SELECT u.message_id, u.name AS given, a.* FROM message_attachments u JOIN attachments a"
            f" ON a.sha256 = u.sha256 WHERE u.message_id IN ({marks}) ORDER BY u.message_id, u.position",
            tuple(part),
        )
        for row in rows:
            found[row["message_id"]] = (*found.get(row["message_id"], ()), _row(database, row, row["given"]))
    return found


def remove_unused(database: Database, kept: Collection[str]) -> int:
    """Remove the attachments that no message has and that aren't in `kept`, and files that no row names; how many.

    Rows go first: what a kill leaves behind is a file too many, which the next call finds.
    """
    with database.write() as connection:
        unused = connection.execute(
            "SELECT sha256 FROM attachments WHERE sha256 NOT IN (SELECT sha256 FROM message_attachments)"
        ).fetchall()
        gone = [str(row[0]) for row in unused if row[0] not in kept]
        connection.executemany("DELETE FROM attachments WHERE sha256 = ?", [(one,) for one in gone])
        rows = connection.execute("SELECT * FROM attachments").fetchall()
    named = {_row(database, row, "").path for row in rows}
    with guarded(database.path):
        for path in (database.directory / ATTACHMENTS).glob("??/*"):
            if path not in named and (path.suffix == _PART or _SHA256.fullmatch(path.stem)):
                path.unlink(missing_ok=True)
    return len(gone)


def _write_once(path: Path, data: bytes) -> None:
    if path.exists() and path.read_bytes() == data:
        return
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
        sync_folder(path.parent.parent)
    descriptor, name = tempfile.mkstemp(suffix=_PART, dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _path(database: Database, sha256: str, suffix: str) -> Path:
    return database.directory / ATTACHMENTS / sha256[:2] / (sha256 + suffix)


def _find(database: Database, sha256: str) -> AttachmentRow | None:
    with database.read() as connection:
        row = connection.execute("SELECT * FROM attachments WHERE sha256 = ?", (sha256,)).fetchone()
    return None if row is None else _row(database, row, row["name"])


def _row(database: Database, row: sqlite3.Row, name: str) -> AttachmentRow:
    return AttachmentRow(
        sha256=row["sha256"],
        suffix=row["suffix"],
        size=row["size"],
        width=row["width"],
        height=row["height"],
        kind=row["kind"],
        name=name,
        path=_path(database, row["sha256"], row["suffix"]),
    )
