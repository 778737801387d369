"""Turns what SQLite and the file system say into errors that the user can act on.

What isn't listed here (a wrong statement, a violated constraint) is a bug and passes through unchanged.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from diffdesk.core.errors import StoreError

OTHER_FOLDER = "start DiffDesk with --data-dir and another folder"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DamagedStoreError(StoreError):
    """The file can't be read as what it is; `set_aside` moves it out of the way without losing it."""

    kind = "store_damaged"


class NewerStoreError(StoreError):
    """The file was written by a newer version of the program."""

    kind = "store_newer"


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Errors of SQLite and the file system inside, as `StoreError`s that name `path`."""
    try:
        yield
    except sqlite3.Error as error:
        known = _from_sqlite(error, path)
        if known is None:
            raise
        raise known from error
    except OSError as error:
        raise _from_system(error, path) from error


def damaged(path: Path, details: str) -> DamagedStoreError:
    """The error for a file whose contents are broken."""
    return DamagedStoreError(
        "The file of conversations is damaged",
        f"{path} can't be read in full. It was not changed.",
        f"Move it aside and begin a new one (the old file is kept), put back a backup, or {OTHER_FOLDER}.",
        details,
    )


def not_ours(path: Path, details: str) -> DamagedStoreError:
    """The error for a file that isn't DiffDesk's at all."""
    return DamagedStoreError(
        "The file of conversations is something else",
        f"{path} is not a file of DiffDesk's conversations. It was not changed.",
        f"Move it aside and begin a new one (the old file is kept), or {OTHER_FOLDER}.",
        details,
    )


def newer(path: Path, found: int, known: int) -> NewerStoreError:
    """The error for a file of a later format."""
    return NewerStoreError(
        "These conversations are from a newer DiffDesk",
        f"{path} has format {found}; this version reads formats up to {known}. It was not changed.",
        f"Install the newer version again, or {OTHER_FOLDER}.",
    )


def _from_sqlite(error: sqlite3.Error, path: Path) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return None
    make = _BY_CODE.get(code & 0xFF)  # the low byte is the primary code
    return None if make is None else make(path, f"SQLite {sqlite3.sqlite_version}, code {code}: {error}")


def _from_system(error: OSError, path: Path) -> StoreError:
    details = str(error)
    if error.errno in _FULL:
        return _full(path, details)
    if error.errno == errno.EIO:
        return _disk_error(path, details)
    return _not_writable(path, details)


def _full(path: Path, details: str) -> StoreError:
    return StoreError(
        "The disk is full",
        f"There was no room for the last change in {path.parent}. What was saved before is safe.",
        "Free some space on that disk and try again.",
        details,
    )


def _not_writable(path: Path, details: str) -> StoreError:
    return StoreError(
        "Conversations can't be saved here",
        f"{path} can't be opened for writing.",
        f"Make it writable for your account, or {OTHER_FOLDER}.",
        details,
    )


def _in_use(path: Path, details: str) -> StoreError:
    return StoreError(
        "The file of conversations is in use",
        f"Another program keeps {path} locked. Nothing was changed.",
        "Close that program (a second DiffDesk, a backup or a database tool) and try again.",
        details,
    )


def _disk_error(path: Path, details: str) -> StoreError:
    return StoreError(
        "The disk could not be read or written",
        f"The system reported an error for {path}. What was saved before is kept.",
        f"Check the disk or its connection and try again, or {OTHER_FOLDER}.",
        details,
    )


def _too_large(path: Path, details: str) -> StoreError:
    return StoreError(
        "This is too large to keep",
        f"A single text or file in {path} can have at most 1 GB. Nothing was changed.",
        "Split it into parts.",
        details,
    )


_BY_CODE: dict[int, Callable[[Path, str], StoreError]] = {
    sqlite3.SQLITE_CORRUPT: damaged,
    sqlite3.SQLITE_NOTADB: not_ours,
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_READONLY: _not_writable,
    sqlite3.SQLITE_CANTOPEN: _not_writable,
    sqlite3.SQLITE_PERM: _not_writable,
    sqlite3.SQLITE_AUTH: _not_writable,
    sqlite3.SQLITE_BUSY: _in_use,
    sqlite3.SQLITE_LOCKED: _in_use,
    sqlite3.SQLITE_PROTOCOL: _in_use,
    sqlite3.SQLITE_IOERR: _disk_error,
    sqlite3.SQLITE_TOOBIG: _too_large,
}
