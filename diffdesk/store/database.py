"""The SQLite file itself: opening it safely, transactions, checks, moving a broken one aside.

A commit is on the disk when it returns: WAL with ``synchronous=FULL`` (https://www.sqlite.org/wal.html) and, on macOS,
``fullfsync``. One thread opens the database and is the only one to use it; SQLite's binding refuses any other.
Knows nothing of conversations.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diffdesk.paths import sync_folder
from diffdesk.store.failures import damaged, guarded, newer, not_ours
from diffdesk.store.migrations import APPLICATION_ID, LATEST, migrate

FILE_NAME = "conversations.sqlite3"
ATTACHMENTS = "attachments"
# Up to this size the whole file is checked at each start; above it only after a start that didn't end well.
CHECKED_BYTES = 256 * 2**20
_BESIDE = ("-wal", "-shm", "-journal")


class Database:
    """The one connection to the file; made by `open_database`.

    Attributes:
        directory: the folder that holds the file and the attachments.
        path: the file.
        connection: for statements inside `read` or `write`.
        was_checked: whether the file was read in full when it was opened.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection, was_checked: bool) -> None:
        self.directory = directory
        self.was_checked = was_checked
        self.path = directory / FILE_NAME
        self.connection = connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The connection for queries; SQLite's errors become `StoreError`."""
        with guarded(self.path):
            yield self.connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable when the block is left, undone as a whole when it raises."""
        with guarded(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back by itself after some errors, a full disk among them.
                if self.connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self.connection.execute("ROLLBACK")
                raise

    def integrity(self) -> str:
        """``ok``, or what SQLite's full check of the file and its references finds wrong (slow on large files)."""
        try:
            found = [str(row[0]) for row in self.connection.execute("PRAGMA integrity_check(20)")]
            broken = [tuple(row) for row in self.connection.execute("PRAGMA foreign_key_check")]
        except sqlite3.DatabaseError as error:
            return str(error)
        found += [f"row {row[1]} of {row[0]} refers to nothing in {row[2]}" for row in broken]
        return "ok" if found == ["ok"] else "\n".join(line for line in found if line != "ok")

    def shrink(self) -> None:
        """Give unused room back to the disk and empty the log, which may still hold what was removed."""
        with self.read() as connection:
            connection.execute("PRAGMA incremental_vacuum").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Let go of the file; SQLite folds the write-ahead log into it."""
        self.connection.close()


def open_database(directory: Path, patience: float = 5.0) -> Database:
    """Open or make the database in `directory`, checked, migrated and writable.

    Args:
        directory: made if missing, for this account only.
        patience: seconds to wait for another program that holds a lock.

    Raises:
        StoreError: it can't be used; a `DamagedStoreError` can be moved out of the way with `set_aside`.
    """
    path = directory / FILE_NAME
    with guarded(path):
        was_there = path.exists()
        _make_room(directory, path)
        was_unclean = _size(path.with_name(path.name + "-wal")) > 0
        connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        with guarded(path):
            is_new = _identify(connection, path)
            if is_new and was_there and any((directory / ATTACHMENTS).iterdir()):
                raise damaged(path, "The file is empty, but there are attachments.")
            must_check = not is_new and (was_unclean or _size(path) <= CHECKED_BYTES)
            if must_check:
                _check(connection, path)
            _configure(connection, is_new)
            # A file that can only be read opens without a complaint; asking for the write lock tells.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return Database(directory, connection, must_check)


def set_aside(directory: Path) -> Path:
    """Move the database in `directory` and its attachments into a folder of their own there; that folder.

    Nothing is deleted: the folder can be opened like any other once what was wrong is put right. The store must be
    closed; `open_database` then begins a new file. Raises `StoreError` if something can't be moved.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = directory / f"aside-{stamp}"
    with guarded(directory / FILE_NAME):
        count = 1
        while target.exists():
            count += 1
            target = directory / f"aside-{stamp}-{count}"
        target.mkdir(mode=0o700)
        # The database goes last: until it has gone, a second call moves what is left.
        for name in (*(FILE_NAME + ending for ending in _BESIDE), ATTACHMENTS, FILE_NAME):
            if (directory / name).exists():
                (directory / name).rename(target / name)
        sync_folder(target)
        sync_folder(directory)
    return target


def storable(text: str) -> str:
    """`text` as SQLite can keep it: half surrogates, which have no UTF-8 form, are joined or become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _make_room(directory: Path, path: Path) -> None:
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
        sync_folder(directory.parent)
    (directory / ATTACHMENTS).mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        # What is said here is private; SQLite gives its log the rights of the file.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        sync_folder(directory)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _identify(connection: sqlite3.Connection, path: Path) -> bool:
    """True if the file is empty; raises where it is another program's or of a newer version."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application == 0 and version == 0 and tables == 0:
        return True
    if application != APPLICATION_ID:
        raise not_ours(path, f"application id {application:#x}, version {version}, {tables} tables")
    if version > LATEST:
        raise newer(path, version, LATEST)
    return False


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    if found != ["ok"]:
        raise damaged(path, "\n".join(found))


def _configure(connection: sqlite3.Connection, is_new: bool) -> None:
    if is_new:
        # Only possible before the first table: lets a purge give its room back.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    for line in (
        "synchronous = FULL",
        "fullfsync = ON",
        "checkpoint_fullfsync = ON",
        "foreign_keys = ON",
        "secure_delete = ON",  # what was purged is overwritten
        "journal_size_limit = 16777216",
    ):
        connection.execute(f"PRAGMA {line}")
