"""Writes GGUF files of version 3, tensor after tensor, and goes on where it was cut off.

The file grows beside its final name as NAME.part, with a journal NAME.part.json of how many tensors are complete and
safely on the disk; at the end it takes its name in one step. Nothing but the bytes that are handed over is held in
memory. Knows nothing of models or of where values come from.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType

from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import UserError
from diffdesk.paths import sync_folder

MAGIC = b"GGUF"
VERSION = 3
ALIGNMENT = 32  # of tensors, in bytes: what a file without `general.alignment` has
SYNC_EVERY = 64 << 20  # bytes after which what is written is made safe

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class ValueType(IntEnum):
    """What a metadata value is; the value is its id in files."""

    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    UINT64 = 10


_ARRAY = 9
_FORMATS = {
    ValueType.UINT32: "I",
    ValueType.INT32: "i",
    ValueType.FLOAT32: "f",
    ValueType.BOOL: "?",
    ValueType.UINT64: "Q",
}

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Value:
    """A metadata value: one scalar, or a sequence of scalars of one type (written as an array)."""

    kind: ValueType
    data: Scalar | Sequence[Scalar]


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """A tensor that the file will hold; `shape` begins with the length of a row."""

    name: str
    kind: TensorType
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its size without padding."""
        return self.kind.bytes_of(self.shape)


def _string(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Value) -> bytes:
    if isinstance(value.data, str) or not isinstance(value.data, Sequence):
        return struct.pack("<I", value.kind) + _scalars(value.kind, [value.data])
    return struct.pack("<IIQ", _ARRAY, value.kind, len(value.data)) + _scalars(value.kind, value.data)


def _scalars(kind: ValueType, items: Sequence[Scalar]) -> bytes:
    if kind is ValueType.STRING:
        return b"".join(_string(str(one)) for one in items)
    return struct.pack(f"<{len(items)}{_FORMATS[kind]}", *items)


def padded(size: int) -> int:
    """The next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def header_bytes(metadata: Mapping[str, Value], tensors: Sequence[TensorPlan]) -> bytes:
    """Everything before the first tensor's bytes, padded."""
    parts = [MAGIC, struct.pack("<IQQ", VERSION, len(tensors), len(metadata))]
    parts += [_string(key) + _value(value) for key, value in metadata.items()]
    offset = 0
    for one in tensors:
        shape = struct.pack(f"<I{len(one.shape)}Q", len(one.shape), *one.shape)
        parts.append(_string(one.name) + shape + struct.pack("<IQ", one.kind, offset))
        offset += padded(one.bytes)
    raw = b"".join(parts)
    return raw.ljust(padded(len(raw)), b"\0")


class GgufWriter:
    """A file in the making; a context manager that keeps what is complete however it is left.

    Args:
        path: the file's final name; NAME.part and NAME.part.json beside it are this class's own.
        metadata: in the order in which it is written.
        tensors: in the order in which they will be written.
        source: says what the values come from; an earlier attempt is continued only if it had the same source and
            would have the same header.

    Raises `UserError` where the disk is full or can't be written to, or where another process writes the same file.
    """

    def __init__(
        self, path: Path, metadata: Mapping[str, Value], tensors: Sequence[TensorPlan], source: str = ""
    ) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._journal = path.with_name(path.name + ".part.json")
        self._tensors = tuple(tensors)
        header = header_bytes(metadata, tensors)
        self._identity = hashlib.sha256(source.encode() + b"\0" + header).hexdigest()
        self._ends = [len(header)]
        for one in tensors:
            self._ends.append(self._ends[-1] + padded(one.bytes))
        self._synced = 0
        self._is_unsafe = False
        with self._explained():
            self._file = self._part.open("r+b" if self._part.exists() else "x+b", buffering=0)
        try:
            with self._explained():
                self._lock()
                self.complete = self._continued(header)
                self._begin(header)
        except BaseException:
            self._file.close()
            raise

    @property
    def total_bytes(self) -> int:
        """The size of the finished file."""
        return self._ends[-1]

    @property
    def written_bytes(self) -> int:
        """The header's and all complete tensors' bytes."""
        return self._ends[self.complete]

    def __enter__(self) -> GgufWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; where the file isn't finished, keep what is complete for the next attempt."""
        if self._file.closed:
            return
        try:
            # After a failed fsync the next one may say "fine" of data that is lost.
            if not self._is_unsafe:
                with self._explained() if error is None else suppress(OSError):
                    self._make_safe()
        finally:
            self._file.close()

    def write_next(self, chunks: Iterable[bytes]) -> None:
        """Write the first tensor that is not complete; `chunks` are its bytes, in order.

        Raises `ValueError` where they are too many or too few; what `chunks` raises comes through.
        """
        plan = self._tensors[self.complete]
        left = plan.bytes
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise ValueError(f"more bytes than {plan.name} has")
            self._append(chunk)
        if left:
            raise ValueError(f"{left} bytes of {plan.name} are missing")
        self._append(bytes(padded(plan.bytes) - plan.bytes))
        self.complete += 1
        if self.written_bytes - self._synced >= SYNC_EVERY:
            with self._explained():
                self._make_safe()

    def finish(self) -> None:
        """Give the file its name, replacing one that has it. Raises `ValueError` where tensors are missing."""
        if self.complete < len(self._tensors):
            raise ValueError(f"{len(self._tensors) - self.complete} tensors are missing")
        with self._explained():
            self._make_safe()
            self._file.close()
            self._part.replace(self._path)
            self._journal.unlink(missing_ok=True)
            sync_folder(self._path.parent)

    def _lock(self) -> None:
        if sys.platform == "win32":
            return  # an open file can't be renamed there: of two writers one fails at its end, the file stays whole
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                "This file is being written already",
                f"Another process is writing {self._part}.",
                "Wait until it is done, or choose another name.",
            ) from error
        except OSError:
            return  # some network disks know no locks

    def _continued(self, header: bytes) -> int:
        """How many tensors of an earlier attempt can be kept."""
        try:
            data = json.loads(self._journal.read_bytes())
            identity, complete = data["identity"], data["complete"]
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return 0
        if identity != self._identity or not isinstance(complete, int) or not 0 < complete <= len(self._tensors):
            return 0
        is_long_enough = self._part.stat().st_size >= self._ends[complete]
        return complete if is_long_enough and self._file.read(len(header)) == header else 0

    def _begin(self, header: bytes) -> None:
        self._file.truncate(self.written_bytes if self.complete else 0)
        self._require_room()
        if not self.complete:
            self._journal.unlink(missing_ok=True)
            self._file.seek(0)
            self._append(header)
        self._file.seek(self.written_bytes)
        self._synced = self.written_bytes

    def _require_room(self) -> None:
        missing = self.total_bytes - (self.written_bytes if self.complete else 0)
        free = shutil.disk_usage(self._part.parent).free
        if free < missing:
            self._file.close()
            if not self.complete:
                self._part.unlink()
            raise UserError(
                "There is not enough room on the disk",
                f"{missing / 1e9:,.1f} GB are needed at {self._path.parent}, {free / 1e9:,.1f} GB are free.",
                "Free some space there, or choose another place.",
            )

    def _append(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        with self._explained():
            while view:
                view = view[self._file.write(view) :]

    def _make_safe(self) -> None:
        """Put what is written on the disk, and only then say so in the journal."""
        self._is_unsafe = True
        os.fsync(self._file.fileno())
        self._is_unsafe = False
        told = json.dumps({"identity": self._identity, "complete": self.complete})
        part = self._journal.with_name(self._journal.name + ".new")
        part.write_text(told, encoding="utf-8")
        part.replace(self._journal)
        self._synced = self.written_bytes

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._explanation(error) from error

    def _explanation(self, error: OSError) -> UserError:
        place = self._path.parent
        if error.errno in _FULL:
            left = (self.total_bytes - self._synced) / 1e9
            return UserError(
                "The disk is full",
                f"{self._path.name} needs {left:,.1f} GB more in {place}. What is written so far is kept.",
                "Free some space and run the same command again: it goes on where it stopped.",
                repr(error),
            )
        if error.errno in _FORBIDDEN:
            return UserError(
                "The file can't be written",
                f"Writing in {place} is not allowed.",
                "Choose a place where you may write.",
                repr(error),
            )
        return UserError(
            "The file can't be written",
            f"{self._part}: {error.strerror or error}.",
            "Check that the folder exists and that its disk is connected.",
            repr(error),
        )
