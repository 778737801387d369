"""The header of a safetensors file, read and checked without any library.

A header is 8 bytes (its length, little-endian) and so many bytes of JSON: for each tensor its number format, its shape
and where its bytes lie after the header (https://github.com/huggingface/safetensors, "Format"). Everything in it is
checked against the file's true size, so that a cut-off or hostile file is found before a library maps it into memory.
Knows nothing of models.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F4": 4,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
}


class HeaderError(Exception):
    """The file breaks the format; the text says how, in words that fit after "the file …"."""


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of a file.

    Attributes:
        dtype: number format, as safetensors names it.
        shape: a row's length last; () for a single number.
        file: the name of the file that it lies in.
        offset: of its first byte there.
        bytes: how many.
    """

    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int
    bytes: int

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, TensorEntry]:
    """The tensors of a file by name.

    Raises `HeaderError` where the header is broken or doesn't fit the file's size, `OSError` where the file can't
    be read.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        prefix = file.read(8)
        if len(prefix) < 8:
            raise HeaderError(f"is only {size} bytes long")
        length = int.from_bytes(prefix, "little")
        if length > LONGEST_HEADER:
            raise HeaderError("does not begin like a safetensors file")
        if length > size - 8:
            raise HeaderError(f"is cut off: it ends after {size:,} bytes, inside its table of contents")
        raw = file.read(length)
    try:
        table = json.loads(raw, object_pairs_hook=_unrepeated)
    except HeaderError:
        raise
    except (ValueError, RecursionError):
        raise HeaderError("has a broken table of contents") from None
    if not isinstance(table, dict):
        raise HeaderError("has a broken table of contents")
    spans: list[tuple[int, int]] = []
    entries: dict[str, TensorEntry] = {}
    for name, entry in table.items():
        if name == "__metadata__":
            continue
        dtype, shape, begin, end = _entry(name, entry)
        spans.append((begin, end))
        entries[name] = TensorEntry(dtype, shape, path.name, 8 + length + begin, end - begin)
    _check_spans(sorted(spans), size - 8 - length)
    return entries


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of the table; JSON's own reading would silently keep the last of two entries of one name."""
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise HeaderError(f"lists {twice[:80]} twice")
    return made


def _entry(name: str, entry: object) -> tuple[str, tuple[int, ...], int, int]:
    if not isinstance(entry, dict):
        raise HeaderError(f"describes the tensor {name[:80]} wrongly")
    dtype, shape, offsets = entry.get("dtype"), _sizes(entry.get("shape")), _sizes(entry.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None or len(offsets) != 2:
        raise HeaderError(f"describes the tensor {name[:80]} wrongly")
    if dtype not in BITS:
        raise HeaderError(f"uses a number format that is not known here ({dtype[:20]})")
    begin, end = offsets
    if (end - begin) * 8 != math.prod(shape) * BITS[dtype]:
        raise HeaderError(f"describes the tensor {name[:80]} wrongly: its size and its place disagree")
    return dtype, tuple(shape), begin, end


def _sizes(value: object) -> list[int] | None:
    if not isinstance(value, list):
        return None
    are_sizes = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in value)
    return value if are_sizes else None


def _check_spans(spans: list[tuple[int, int]], available: int) -> None:
    place = 0
    for begin, end in spans:
        if begin != place:
            raise HeaderError("has tensors that overlap or leave gaps")
        place = end
    if place > available:
        raise HeaderError(f"is cut off: {available:,} of {place:,} bytes of its tensors are there")
    if place < available:
        raise HeaderError("is longer than its table of contents says")
