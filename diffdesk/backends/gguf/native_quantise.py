"""Rows of float32 values as the bytes of ggml's number formats, made by ggml itself.

For the K formats, whose search for the best scales would take hours in Python. The library is loaded only when a
quantiser is asked for. A wrong number of values would end the process there, so it is checked here. Knows nothing of
files or models.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.binding import PACKAGE, load
from diffdesk.backends.gguf.quantise import Quantiser, Rows, quantise
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import EngineError

_MADE_HERE = frozenset({TensorType.F32, TensorType.F16, TensorType.BF16})
_NEEDS_IMPORTANCE = frozenset({TensorType.IQ2_XXS, TensorType.IQ2_XS, TensorType.IQ1_S, TensorType.IQ1_M})
_FEWEST = 1 << 16  # values worth a thread of their own

_Chunk = Callable[..., int]


def native_quantiser(threads: int = 0) -> Quantiser:
    """A quantiser for every number format that needs no importance matrix, on so many threads (0: one a core).

    Raises `EngineError` where llama-cpp-python is missing or can't be used.
    """
    chunk = _load()
    many = threads or min(16, os.cpu_count() or 1)

    def made(kind: TensorType, rows: Rows) -> bytes:
        if kind in _MADE_HERE:
            return quantise(kind, rows)
        if kind in _NEEDS_IMPORTANCE:
            raise ValueError(f"{kind.name} needs an importance matrix")
        rows = np.ascontiguousarray(rows, np.float32)
        out = np.empty((len(rows), kind.bytes_of((rows.shape[1],))), np.uint8)
        parts = max(1, min(many, len(rows), rows.size // _FEWEST))
        edges = [len(rows) * part // parts for part in range(parts + 1)]
        spans = list(pairwise(edges))
        if parts == 1:
            _fill(chunk, kind, rows, out)
        else:
            with ThreadPoolExecutor(parts) as pool:
                list(pool.map(lambda span: _fill(chunk, kind, rows[slice(*span)], out[slice(*span)]), spans))
        return out.tobytes()

    return made


def _fill(chunk: _Chunk, kind: TensorType, rows: Rows, out: NDArray[np.uint8]) -> None:
    """Quantise rows into `out`, both contiguous. ctypes lets go of the interpreter meanwhile."""
    count, length = rows.shape
    if count and chunk(int(kind), rows.ctypes.data, out.ctypes.data, 0, count, length, None) != out.nbytes:
        raise ValueError(f"ggml makes another number of bytes for {kind.name}")


def _load() -> _Chunk:
    try:
        chunk: _Chunk = load().quantize_chunk
    except EngineError as error:
        raise EngineError(
            "This kind of file can't be made here",
            f"It takes {PACKAGE}, which is missing or damaged: {error.text}",
            f"{error.remedy} Or choose another type, such as q8_0.",
            error.details,
        ) from error
    return chunk
