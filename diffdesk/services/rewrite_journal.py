"""What a rewriting job has done so far, in a file beside its output, so that a job that was cut off goes on.

One JSON object a line: first what the job is, then a row each, appended as rows are done. A line that was cut off in
the middle is left out. Knows nothing of tables and engines.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from diffdesk.core.errors import TableError, UserError
from diffdesk.services.rewriting import RowResult

_VERSION = 1
_SYNC_SECONDS = 1.0  # rows that a power cut may take; what has left the process survives its end in any case


def job_key(data: bytes, *what: object) -> str:
    """A name for a job: a hash of its input and of everything that decides what is made of it."""
    digest = hashlib.sha256(data)
    digest.update(json.dumps(what, sort_keys=True, default=str).encode())
    return digest.hexdigest()


class RewriteJournal:
    """An open journal.

    Attributes:
        done: what an earlier run of the same job has done, by index.
        was_other: the file held another job, which was given up.
    """

    def __init__(self, path: Path, key: str, texts: Sequence[str]) -> None:
        """Go on with the journal at `path`, or begin it anew; raises `TableError` where it can't be written."""
        self._path = path
        self.done: dict[int, RowResult] = {}
        self.was_other = False
        size = self._read(key, texts)
        try:
            self._stream: IO[bytes] = path.open("r+b" if size else "wb")
            self._stream.truncate(size)
            self._stream.seek(size)
            self._synced = 0.0
            if not size:
                self._append({"version": _VERSION, "job": key})
        except OSError as error:
            raise _unwritable(path, error) from error

    def __enter__(self) -> RewriteJournal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()

    def add(self, result: RowResult) -> None:
        """Keep a row; raises `TableError` where that fails."""
        error = None if result.error is None else result.error.to_wire()
        row = {"row": result.index, "answer": result.answer, "error": error, "seconds": round(result.seconds, 3)}
        try:
            self._append(row)
        except OSError as failure:
            raise _unwritable(self._path, failure) from failure
        self.done[result.index] = result

    def remove(self) -> None:
        """Close and delete it: the job's output is there."""
        self._stream.close()
        self._path.unlink(missing_ok=True)

    def _append(self, data: object) -> None:
        self._stream.write(json.dumps(data).encode() + b"\n")
        self._stream.flush()
        if time.monotonic() - self._synced >= _SYNC_SECONDS:
            os.fsync(self._stream.fileno())
            self._synced = time.monotonic()

    def _read(self, key: str, texts: Sequence[str]) -> int:
        """Take in what is there; returns the bytes up to the last whole line of this job."""
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _unwritable(self._path, error) from error
        if not lines or _parsed(lines[0]) != {"version": _VERSION, "job": key}:
            self.was_other = any(line.strip() for line in lines)
            return 0
        size = len(lines[0])
        for line in lines[1:]:
            result = _result(_parsed(line), texts)
            if result is None:
                break
            self.done[result.index] = result
            size += len(line)
        return size


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


def _result(data: object, texts: Sequence[str]) -> RowResult | None:
    if not isinstance(data, dict):
        return None
    try:
        index, error = int(data["row"]), data["error"]
        wire = None if error is None else UserError.from_wire(error)
        return RowResult(index, texts[index], str(data["answer"]), wire, float(data["seconds"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def _unwritable(path: Path, error: OSError) -> TableError:
    return TableError(
        "The rows that are done can't be kept",
        f"Writing {path} failed: {error.strerror or error}.",
        "Free some space, or choose another place with --out.",
        repr(error),
    )
