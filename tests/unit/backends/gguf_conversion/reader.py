"""A small reader of GGUF files, written from the format's description and sharing nothing with the program."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Scalar = int | float | bool | str
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 6: (32, 22), 8: (32, 34), 12: (256, 144), 14: (256, 210), 30: (1, 2)}


@dataclass
class Tensor:
    """A tensor of a file; `shape` begins with the length of a row."""

    kind: int
    shape: tuple[int, ...]
    data: bytes

    def values(self) -> NDArray[np.float32]:
        """float32, the length of a row last."""
        return dequantised(self.kind, self.data).reshape(self.shape[::-1])


@dataclass
class File:
    """What a file holds; `types` has the id of each key's type, of an array the type of its items."""

    keys: dict[str, Scalar | list[Scalar]] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)


class _Bytes:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.place = 0

    def number(self, kind: str) -> int:
        return int(self.scalar({value: key for key, value in FORMATS.items()}[kind]))

    def scalar(self, kind: int) -> Scalar:
        if kind == 8:
            size = self.number("Q")
            self.place += size
            return self.raw[self.place - size : self.place].decode()
        (value,) = struct.unpack_from(f"<{FORMATS[kind]}", self.raw, self.place)
        self.place += struct.calcsize(FORMATS[kind])
        assert isinstance(value, int | float | bool)
        return value


def read(path: Path) -> File:
    raw = _Bytes(path.read_bytes())
    assert raw.raw[:4] == b"GGUF"
    raw.place = 4
    assert raw.number("I") == 3
    tensors, keys = raw.number("Q"), raw.number("Q")
    found = File()
    for _ in range(keys):
        key, kind = str(raw.scalar(8)), raw.number("I")
        assert key not in found.keys
        if kind == 9:
            kind, many = raw.number("I"), raw.number("Q")
            found.keys[key] = [raw.scalar(kind) for _ in range(many)]
        else:
            found.keys[key] = raw.scalar(kind)
        found.types[key] = kind
    infos = []
    for _ in range(tensors):
        name = str(raw.scalar(8))
        shape = tuple(raw.number("Q") for _ in range(raw.number("I")))
        infos.append((name, shape, raw.number("I"), raw.number("Q")))
    begin = -(-raw.place // 32) * 32
    end = 0
    for name, shape, kind, offset in infos:
        values, size = BLOCKS[kind]
        assert shape[0] % values == 0
        length = int(np.prod(shape)) // values * size
        assert offset == -(-end // 32) * 32
        assert not any(raw.raw[begin + end : begin + offset])
        found.tensors[name] = Tensor(kind, shape, raw.raw[begin + offset : begin + offset + length])
        end = offset + length
    assert len(raw.raw) == begin + -(-end // 32) * 32
    return found


def dequantised(kind: int, data: bytes) -> NDArray[np.float32]:
    """The values of the simple formats."""
    if kind == 0:
        return np.frombuffer(data, "<f4").astype(np.float32)
    if kind == 1:
        return np.frombuffer(data, "<f2").astype(np.float32)
    if kind == 30:
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCKS[kind][1])
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    if kind == 8:
        return (blocks[:, 2:].view(np.int8) * scale).astype(np.float32).ravel()
    packed = blocks[:, -16:].astype(np.int32)
    levels = np.concatenate([packed & 15, packed >> 4], axis=1)
    half = 8
    if kind == 6:
        high = blocks[:, 2:6].copy().view("<u4").astype(np.int64)
        levels += (((high >> np.arange(32)) & 1) << 4).astype(np.int32)
        half = 16
    return ((levels - half) * scale).astype(np.float32).ravel()


def steps(kind: int, data: bytes) -> NDArray[np.float32]:
    """float32[blocks, 1]: the distance between two neighbouring values of each block of Q8_0, Q5_0 or Q4_0."""
    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCKS[kind][1])
    return np.abs(blocks[:, :2].copy().view("<f2").astype(np.float32))
