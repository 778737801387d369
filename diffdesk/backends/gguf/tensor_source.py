"""The tensors of safetensors files as rows of float32 values, read a block at a time.

Files are read, not mapped: so no more than a block is ever in memory, and a file that is cut off meanwhile is an error
and not a crash. Knows nothing of models; `nvfp4_source` knows a compressed layout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.gguf.quantise import Rows
from diffdesk.backends.safetensors_header import HeaderError, read_header
from diffdesk.core.errors import CheckpointError

AGAIN = "Download the folder again, or choose another one."
_FORMATS = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2", "U8": "u1", "F8_E4M3": "u1"}
NUMBERS = frozenset({"F32", "F16", "BF16", "F64"})  # formats whose values stand for themselves


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies.

    Attributes:
        name: in the file.
        dtype: as the format names it.
        shape: a row's length last.
        path: the file.
        offset: of the first byte in the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int

    def read(self, begin: int, count: int) -> NDArray[np.generic]:
        """Raw values from the flat index `begin` on; `CheckpointError` where the file can't be read or is shorter."""
        kind = np.dtype(_FORMATS[self.dtype])
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.offset + begin * kind.itemsize)
                raw: NDArray[np.generic] = np.fromfile(file, kind, count)
        except OSError as error:
            raise CheckpointError(
                "The model can't be read",
                f"{self.path}: {error.strerror or error}.",
                "Check that the disk is connected and that you may read these files.",
            ) from error
        if len(raw) != count:
            raise CheckpointError("A weight file is damaged", f"{self.path.name} ends inside {self.name}.", AGAIN)
        return raw


class RowSource(Protocol):
    """A tensor as a matrix of float32."""

    @property
    def count(self) -> int:
        """Number of rows."""

    @property
    def length(self) -> int:
        """Values in a row."""

    def rows(self, begin: int, end: int) -> Rows:
        """float32[end − begin, length]; raises `CheckpointError` where they can't be read."""


class PlainRows:
    """A tensor whose values stand for themselves; all axes but the last are rows, a scalar is one row."""

    def __init__(self, stored: StoredTensor) -> None:
        self._stored = stored
        self.length = stored.shape[-1] if stored.shape else 1
        self.count = math.prod(stored.shape[:-1])

    def rows(self, begin: int, end: int) -> Rows:
        raw = self._stored.read(begin * self.length, (end - begin) * self.length)
        if self._stored.dtype == "BF16":
            values: Rows = (raw.astype(np.uint32) << 16).view(np.float32)
        else:
            values = raw.astype(np.float32, copy=False)
        return values.reshape(end - begin, self.length)


class ConstantRows:
    """One row of given values."""

    count = 1

    def __init__(self, values: Sequence[float]) -> None:
        self._values = np.array([values], np.float32)
        self.length = len(values)

    def rows(self, begin: int, end: int) -> Rows:
        return self._values[begin:end]


class StackedRows:
    """Matrices of equal size, one below the other."""

    def __init__(self, parts: Sequence[RowSource]) -> None:
        self._parts = tuple(parts)
        self._each, self.length = parts[0].count, parts[0].length
        if any((one.count, one.length) != (self._each, self.length) for one in parts):
            raise ValueError("parts of different sizes")
        self.count = self._each * len(parts)

    def rows(self, begin: int, end: int) -> Rows:
        pieces = []
        for index in range(begin // self._each, -(-end // self._each)):
            first = index * self._each
            pieces.append(self._parts[index].rows(max(begin - first, 0), min(end - first, self._each)))
        return np.concatenate(pieces) if len(pieces) != 1 else pieces[0]


def read_tensors(folder: Path, shards: Sequence[str]) -> dict[str, StoredTensor]:
    """The tensors of all shards by name, each file checked against its header.

    Raises `CheckpointError` where a file is damaged, `OSError` where it can't be read.
    """
    found: dict[str, StoredTensor] = {}
    for shard in shards:
        path = folder / shard
        try:
            known = read_header(path)
        except HeaderError as error:
            raise CheckpointError("A weight file is damaged", f"{shard} {error}.", AGAIN) from error
        twice = sorted(found.keys() & known.keys())
        if twice:
            raise CheckpointError("A weight file is damaged", f"{shard} repeats {twice[0][:80]}.", AGAIN)
        found |= {name: StoredTensor(name, one.dtype, one.shape, path, one.offset) for name, one in known.items()}
    return found
