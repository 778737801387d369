"""Small GGUF files for the tests of reading: sound ones, and a list of the places where one can be harmed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.backends.gguf.writer import TensorPlan, Value
from tests.bench import synthetic

SMALL = synthetic.cut(
    2,
    hidden=64,
    heads=2,
    kv_heads=(2, 1),
    head_dim=32,
    head_dim_sliding=16,
    dense_width=64,
    experts=2,
    experts_used=1,
    expert_width=32,
    window=8,
    vocab_size=600,
    canvas_length=16,
    context_length=256,
)
WORDS = synthetic.vocabulary(SMALL.vocab_size)

Tensors = list[TensorPlan]


def keys(changes: Mapping[str, Value | None] | None = None, kind: FileKind = FileKind.Q8_0) -> dict[str, Value]:
    """The metadata of a small model; None takes a key away."""
    found = {**synthetic.metadata(SMALL, kind, WORDS), **(changes or {})}
    return {key: value for key, value in found.items() if value is not None}


def small(
    path: Path,
    changes: Mapping[str, Value | None] | None = None,
    tensors: Callable[[Tensors], Tensors] = list,
    kind: FileKind = FileKind.Q8_0,
) -> Path:
    """Write a small model with other keys and other tensors."""
    synthetic.write_tensors(path, keys(changes, kind), tensors(synthetic.plans(SMALL, kind)))
    return path


def changed(name: str, **changes: Any) -> Callable[[Tensors], Tensors]:
    """What gives one tensor another name, type or shape."""

    def change(tensors: Tensors) -> Tensors:
        assert any(one.name == name for one in tensors)
        return [replace(one, **changes) if one.name == name else one for one in tensors]

    return change


# --- places in a header ---------------------------------------------------------------------------

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


@dataclass(frozen=True)
class Field:
    """A length, count, type, size or place in a header: what it is, where, and its `struct` format."""

    name: str
    place: int
    form: str


def fields(raw: bytes) -> list[Field]:
    """Every such place of a sound file, in order; of long arrays the first and last item's."""
    found: list[Field] = []
    place = 4

    def take(name: str, form: str) -> int:
        nonlocal place
        found.append(Field(name, place, form))
        (value,) = struct.unpack_from(f"<{form}", raw, place)
        place += struct.calcsize(form)
        return int(value)

    def text(name: str) -> str:
        nonlocal place
        length = take(f"{name}: length", "Q")
        place += length
        return raw[place - length : place].decode()

    take("version", "I")
    tensors, count = take("number of tensors", "Q"), take("number of keys", "Q")
    for index in range(count):
        key = text(f"key {index}")
        kind = take(f"{key}: type", "I")
        if kind == 9:
            kind, many = take(f"{key}: type of items", "I"), take(f"{key}: count", "Q")
            begin = len(found)
            for item in range(many):
                if kind == 8:
                    text(f"{key}: item {item}")
                else:
                    place += _SIZES[kind]
            found[begin + 1 : -1] = []
        elif kind == 8:
            text(key)
        else:
            take(f"{key}: value", {1: "B", 4: "I", 8: "Q"}[_SIZES[kind]])
    for index in range(tensors):
        name = text(f"tensor {index}")
        dimensions = take(f"{name}: dimensions", "I")
        for axis in range(dimensions):
            take(f"{name}: size {axis}", "Q")
        take(f"{name}: type", "I")
        take(f"{name}: offset", "Q")
    return found


def patch(path: Path, name: str, value: int) -> None:
    """Write another number into one place of a file's header."""
    raw = bytearray(path.read_bytes())
    (one,) = (field for field in fields(bytes(raw)) if field.name == name)
    struct.pack_into(f"<{one.form}", raw, one.place, value)
    path.write_bytes(raw)


def hostile(field: Field, size: int) -> Iterator[int]:
    """Numbers that a place of a file of `size` bytes might claim, all of which its format can hold."""
    most = 1 << (8 * struct.calcsize(field.form))
    for one in (0, 1, 5, 7, 9, 0xFF, size - 1, size, size + 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
                1 << 40, (1 << 61) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 8, (1 << 64) - 1):  # fmt: skip
        if one < most:
            yield one
