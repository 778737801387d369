"""The header of one GGUF file: its metadata and where its tensors lie, read and checked without any library.

Nothing that a file claims is believed before it is held against the file's true size: no memory is taken for a length
that can't be there. Arrays stay in the file until they are asked for; a vocabulary's are walked over, not kept. The
file is read, not mapped, so that one which shrinks meanwhile is an error and no crash. Knows nothing of models.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.gguf.faults import broken_description, changed, cut_off, damaged, few, shown, unreadable
from diffdesk.backends.gguf.foreign import HEAD_BYTES, refuse_foreign
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import ALIGNMENT
from diffdesk.core.errors import CheckpointError

VERSIONS = (2, 3)
WINDOW = 1 << 20  # bytes that are read at a time; the published files' headers, vocabulary included, have 16 MB
MOST_TEXT = 16 << 20  # bytes of names and texts in a header that are kept; chat templates have 20 kB
MOST_KEYS, MOST_TENSORS = 1 << 16, 1 << 16
MOST_ITEMS = 1 << 24  # of all arrays of texts together
LONGEST_NAME = 63  # bytes of a tensor's name, ggml's own limit
MOST_DIMENSIONS = 4

_BOOL, _STRING, _ARRAY = 7, 8, 9
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_KNOWN_ELSEWHERE = {9: "Q8_1", 15: "Q8_K", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0"}
_LEAST_KEY, _LEAST_TENSOR = 8 + 4 + 1, 8 + 4 + 8 + 4 + 8  # bytes that one takes at least
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array of the metadata that is left in its file.

    Attributes:
        path: the file.
        key: its name, for messages.
        kind: the type of its items, by its id in files.
        count: number of items.
        offset: where the first one begins in the file.
        size: of all, in bytes.
    """

    path: Path
    key: str
    kind: int
    count: int
    offset: int
    size: int

    @property
    def is_text(self) -> bool:
        """Whether its items are texts; else they are numbers or truth values."""
        return self.kind == _STRING

    def strings(self) -> list[str]:
        """The items of an array of texts; `CheckpointError` where it is none or a text is no UTF-8."""
        raw = self._raw(is_text=True)
        found: list[str] = []
        try:
            for begin, end in self._spans(raw):
                found.append(raw[begin:end].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise damaged(self.path, f"has no valid text at place {len(found):,} of {shown(self.key)}") from error
        return found

    def places(self, wanted: Collection[str]) -> dict[str, int]:
        """At which index of an array of texts each of a few texts stands, the first time; absent ones are left out."""
        raw = self._raw(is_text=True)
        sought = {one.encode("utf-8"): one for one in wanted}
        lengths = {len(one) for one in sought}
        found: dict[str, int] = {}
        for index, (begin, end) in enumerate(self._spans(raw)):
            if end - begin in lengths and (text := raw[begin:end]) in sought:
                found.setdefault(sought[text], index)
        return found

    def numbers(self) -> NDArray[np.generic]:
        """The items of an array of numbers or truth values; `CheckpointError` where it holds texts."""
        raw = self._raw(is_text=False)
        if self.kind == _BOOL:
            return np.frombuffer(raw, np.uint8).astype(np.bool_)
        return np.frombuffer(raw, np.dtype(_FORMATS[self.kind]).newbyteorder("<"))

    def _raw(self, *, is_text: bool) -> bytes:
        if self.is_text != is_text:
            raise broken_description(f"{shown(self.key)} should list {'texts' if is_text else 'numbers'}")
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                raw = file.read(self.size)
        except OSError as error:
            raise unreadable(self.path, error) from error
        if len(raw) != self.size:
            raise changed(self.path)
        return raw

    def _spans(self, raw: bytes) -> Iterator[tuple[int, int]]:
        """Begin and end of each text; the file may be another one by now, so that they are checked again."""
        end, unpack = 0, _LENGTH.unpack_from
        for _ in range(self.count):
            begin = end + 8
            if begin > self.size:
                raise changed(self.path)
            end = begin + unpack(raw, begin - 8)[0]
            if end > self.size:
                raise changed(self.path)
            yield begin, end


Value = bool | int | float | str | StoredArray


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a header says of a tensor: its format by its id, a row's length first, its place after the header."""

    name: str
    kind: int
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one file.

    Attributes:
        path, size: of the file, in bytes.
        metadata: by key, in their order; arrays are left in the file.
        tensors: in their order, as claimed; `placed` checks them.
        data: where the tensors' bytes begin.
        alignment: of each tensor, in bytes.
    """

    path: Path
    size: int
    metadata: Mapping[str, Value]
    tensors: tuple[TensorInfo, ...]
    data: int
    alignment: int

    def placed(self) -> dict[str, tuple[TensorType, int]]:
        """Format and place in the file of each tensor by name.

        Raises `CheckpointError` where a format is unknown, rows don't divide into its blocks, or tensors overlap, are
        not aligned or lie outside of the file.
        """
        spans: list[tuple[int, int, str]] = []
        found: dict[str, tuple[TensorType, int]] = {}
        for one in self.tensors:
            kind = _known_format(self.path, one)
            try:
                size = kind.bytes_of(one.shape)
            except ValueError as error:
                raise damaged(self.path, f"has a wrong tensor {shown(one.name)} ({kind.name}): {error}") from error
            if one.offset % self.alignment:
                raise damaged(self.path, f"has a tensor {shown(one.name)} at a place that is not aligned")
            begin = self.data + one.offset
            spans.append((begin, begin + size, one.name))
            found[one.name] = kind, begin
        end = max((end for _, end, _ in spans), default=0)
        if end > self.size:
            raise cut_off(self.path, self.size, end - self.size)
        spans.sort()
        for (_, end, before), (begin, _, name) in pairwise(spans):
            if begin < end:
                raise damaged(self.path, f"has tensors that overlap: {few([before, name])}")
        return found


def _known_format(path: Path, one: TensorInfo) -> TensorType:
    try:
        return TensorType(one.kind)
    except ValueError:
        named = f" ({_KNOWN_ELSEWHERE[one.kind]})" if one.kind in _KNOWN_ELSEWHERE else ""
        raise CheckpointError(
            "This number format is not known here",
            f"{shown(one.name)} in {path.name} is of type {one.kind}{named}.",
            "Choose a file of another type, such as Q4_K_M or Q8_0.",
        ) from None


def read_header(path: Path) -> Header:
    """Read the header of the file `path`.

    Raises `CheckpointError` where it is no GGUF file, of a version that isn't read here, cut off or damaged, `OSError`
    where it can't be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        cursor = _Cursor(file, path, size)
        refuse_foreign(path, cursor.peek(HEAD_BYTES), size)
        cursor.place = 4
        _require_version(path, int(cursor.scalar("I")))
        tensors, keys = int(cursor.scalar("Q")), int(cursor.scalar("Q"))
        cursor.require_count("metadata", keys, MOST_KEYS, _LEAST_KEY)
        metadata: dict[str, Value] = {}
        for _ in range(keys):
            key = cursor.text("a key")
            if not key or key in metadata:
                raise damaged(path, f"has the key {shown(key)} twice" if key else "has a key without a name")
            metadata[key] = cursor.value(key)
        alignment = _alignment(path, metadata)
        cursor.require_count("tensors", tensors, MOST_TENSORS, _LEAST_TENSOR)
        found: dict[str, TensorInfo] = {}
        for _ in range(tensors):
            one = cursor.tensor()
            if one.name in found:
                raise damaged(path, f"has the tensor {shown(one.name)} twice")
            found[one.name] = one
        data = -(-cursor.place // alignment) * alignment
    return Header(path, size, metadata, tuple(found.values()), data, alignment)


def _require_version(path: Path, version: int) -> None:
    if version in VERSIONS:
        return
    if not version & 0xFFFF and version:
        raise CheckpointError(
            "This file is made for other machines",
            f"{path.name} has its numbers in big-endian order.",
            "Download the usual, little-endian file.",
        )
    if version == 1:
        raise CheckpointError("This file is too old", f"{path.name} is GGUF of version 1.", "Download a newer one.")
    raise CheckpointError(
        "This version of the file format is not known here",
        f"{path.name} is GGUF of version {version:,}; DiffDesk reads versions 2 and 3.",
        "Update DiffDesk, or download the file again if it should be of version 3.",
    )


def _alignment(path: Path, metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment", ALIGNMENT)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 31 or value & (value - 1):
        raise damaged(path, f"should align its tensors by a power of two, not by {value!r:.40}")
    return value


class _Cursor:
    """A place in a file that moves on. Only a window of the file is in memory; what is passed over isn't read."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self._file = file
        self._path = path
        self._size = size
        self._window, self._begin = b"", 0
        self._text_left = MOST_TEXT
        self._items_left = MOST_ITEMS
        self.place = 0

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer where the file ends."""
        count = min(count, self._size - self.place)
        self._need(count)
        return self._window[self.place - self._begin :][:count]

    def _require(self, end: int) -> None:
        if end > self._size:
            raise cut_off(self._path, self._size, end - self._size, ", inside its table of contents")

    def _need(self, count: int) -> None:
        """Have the next `count` bytes in the window."""
        if self._begin <= self.place and self.place + count <= self._begin + len(self._window):
            return
        self._require(self.place + count)
        self._file.seek(self.place)
        self._window, self._begin = self._file.read(max(count, WINDOW)), self.place
        if len(self._window) < count:
            raise changed(self._path)

    def require_count(self, what: str, count: int, most: int, least: int) -> None:
        """Refuse a claimed number of entries that the rest of the file has no room for, or that is not sane."""
        if count > most or count * least > self._size - self.place:
            raise damaged(self._path, f"claims {count:,} entries of {what}, which can't be")

    def scalar(self, kind: str) -> int | float | bool:
        """One number of a `struct` format."""
        size = struct.calcsize(f"<{kind}")
        self._need(size)
        (value,) = struct.unpack_from(f"<{kind}", self._window, self.place - self._begin)
        self.place += size
        made: int | float | bool = value
        return made

    def text(self, what: str) -> str:
        """A text, kept; `what` names it."""
        length = int(self.scalar("Q"))
        self._require(self.place + length)
        self._text_left -= length
        if self._text_left < 0:
            raise damaged(self._path, "has far too much text in its table of contents")
        raw = self.peek(length)
        self.place += length
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise damaged(self._path, f"has no valid text for {what}") from error

    def value(self, key: str) -> Value:
        """The value of a key."""
        kind = int(self.scalar("I"))
        if kind == _STRING:
            return self.text(shown(key))
        if kind == _ARRAY:
            return self._array(key)
        if kind not in _FORMATS:
            raise damaged(self._path, f"has a value of the unknown type {kind:,} for {shown(key)}")
        return self.scalar(_FORMATS[kind])

    def _array(self, key: str) -> StoredArray:
        kind, count = int(self.scalar("I")), int(self.scalar("Q"))
        begin = self.place
        if kind == _STRING:
            self._pass_texts(key, count)
        elif kind in _FORMATS:
            self.place += count * struct.calcsize(f"<{_FORMATS[kind]}")
        else:
            how = "lists inside a list" if kind == _ARRAY else f"values of the unknown type {kind:,}"
            raise damaged(self._path, f"has {how} for {shown(key)}")
        self._require(self.place)
        return StoredArray(self._path, key, kind, count, begin, self.place - begin)

    def _pass_texts(self, key: str, count: int) -> None:
        self._items_left -= count
        if self._items_left < 0 or count * 8 > self._size - self.place:
            raise damaged(self._path, f"claims {count:,} texts for {shown(key)}, which can't be")
        window, unpack = self._window, _LENGTH.unpack_from
        at, end = self.place - self._begin, len(self._window) - 8
        for _ in range(count):
            if at > end:
                self.place = self._begin + at
                self._need(8)
                window, at, end = self._window, self.place - self._begin, len(self._window) - 8
            at += 8 + unpack(window, at)[0]
        self.place = self._begin + at

    def tensor(self) -> TensorInfo:
        """The description of a tensor."""
        name = self.text("a tensor's name")
        if not name or len(name.encode()) > LONGEST_NAME:
            raise damaged(self._path, f"has a tensor whose name is too {'long' if name else 'short'}: {shown(name)}")
        dimensions = int(self.scalar("I"))
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise damaged(self._path, f"has a tensor {shown(name)} of {dimensions:,} dimensions")
        shape = tuple(int(self.scalar("Q")) for _ in range(dimensions))
        if min(shape) < 1 or math.prod(shape) >= 1 << 63:
            raise damaged(self._path, f"has a tensor {shown(name)} of an impossible shape")
        return TensorInfo(name, int(self.scalar("I")), shape, int(self.scalar("Q")))
