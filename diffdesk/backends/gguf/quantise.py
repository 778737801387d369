"""Rows of float32 values as the bytes of ggml's number formats, with NumPy alone.

The simple formats only, bit for bit as ggml's reference code makes them (`quantize_row_*_ref` in ggml-quants.c of
ggml 0.25). The K formats are made by ggml itself: see `native_quantise`. Knows nothing of files or models.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.gguf.types import TensorType

Rows = NDArray[np.float32]
_BLOCK = 32
_LEAST = np.float32(3e-39)  # scales below have no inverse in float32, and are 0 in the float16 that is stored


class Quantiser(Protocol):
    """Makes the bytes of rows, float32[rows, n], in a number format. Raises `ValueError` where it can't."""

    def __call__(self, kind: TensorType, rows: Rows) -> bytes: ...


def quantise(kind: TensorType, rows: Rows) -> bytes:
    """Rows, float32[rows, n], as bytes. Raises `ValueError` for a format that is not made here."""
    kind.bytes_of((rows.shape[-1],))  # refuses rows that don't divide
    if kind is TensorType.F32:
        return rows.astype("<f4", copy=False).tobytes()
    if kind is TensorType.F16:
        with np.errstate(over="ignore"):
            return rows.astype("<f2").tobytes()
    if kind is TensorType.BF16:
        return _bfloat16(rows)
    blocks = np.ascontiguousarray(rows, np.float32).reshape(-1, _BLOCK)
    if kind is TensorType.Q8_0:
        return _q8_0(blocks)
    if kind is TensorType.Q5_0:
        return _q5_0(blocks)
    if kind is TensorType.Q4_0:
        return _q4_0(blocks)
    raise ValueError(f"{kind.name} is not made here")


def _bfloat16(rows: Rows) -> bytes:
    """Rounded to the nearest, halves to even; a NaN stays one."""
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32)
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype("<u2")
    quiet = ((bits >> 16) | 64).astype("<u2")
    return np.where((bits & 0x7FFFFFFF) > 0x7F800000, quiet, rounded).tobytes()


def _inverse(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """1/scale, 0 where it is (nearly) 0."""
    return np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=np.abs(scale) > _LEAST)


def _half(scale: NDArray[np.float32]) -> NDArray[np.uint8]:
    """float32[blocks] as the two bytes of float16, uint8[blocks, 2]."""
    with np.errstate(over="ignore"):
        return scale.astype("<f2").view(np.uint8).reshape(-1, 2)


def _q8_0(blocks: Rows) -> bytes:
    """A block: float16 scale, 32 signed bytes; rounded to the nearest, halves away from zero."""
    size = np.abs(blocks)
    scale = size.max(axis=1) / np.float32(127)
    size *= _inverse(scale)[:, None]
    whole = np.floor(size)
    whole += size - whole >= 0.5
    out = np.empty((len(blocks), 34), np.uint8)
    out[:, :2] = _half(scale)
    out[:, 2:] = np.copysign(whole, blocks, out=whole).astype(np.int8).view(np.uint8)
    return out.tobytes()


def _levels(blocks: Rows, half: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Scales and unsigned levels: the value that is largest in size, with its sign, becomes the level 0."""
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)[:, 0]
    scale = (largest + np.float32(0)) / np.float32(-half)  # the sum turns −0 into 0, where the reference begins
    levels = blocks * _inverse(scale)[:, None]
    levels += np.float32(half + 0.5)
    return scale, np.minimum(levels.astype(np.int8), 2 * half - 1).view(np.uint8)


def _q4_0(blocks: Rows) -> bytes:
    """A block: float16 scale, 16 bytes; byte j holds value j in its low and value j + 16 in its high four bits."""
    scale, levels = _levels(blocks, 8)
    out = np.empty((len(blocks), 18), np.uint8)
    out[:, :2] = _half(scale)
    out[:, 2:] = levels[:, :16] | (levels[:, 16:] << 4)
    return out.tobytes()


def _q5_0(blocks: Rows) -> bytes:
    """A block: float16 scale, the fifth bits of all values in 4 bytes, then as in Q4_0."""
    scale, levels = _levels(blocks, 16)
    out = np.empty((len(blocks), 22), np.uint8)
    out[:, :2] = _half(scale)
    out[:, 2:6] = np.packbits(levels >> 4, axis=1, bitorder="little")
    out[:, 6:] = (levels[:, :16] & 15) | ((levels[:, 16:] & 15) << 4)
    return out.tobytes()
