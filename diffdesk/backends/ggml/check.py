"""A small product, normalised, rotated and drawn from, computed once before a model is trusted to the library.

Signatures drift between versions of ggml, and a build for another processor computes wrong numbers or dies. Better
here, where a sentence can say so. Knows nothing of models.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.binding import I32
from diffdesk.backends.ggml.compute import Computation, read, write
from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.graph import F32
from diffdesk.core.errors import EngineError

_TOLERANCE = 1e-5


@cache
def check_library() -> None:
    """Raise `EngineError` where ggml does not compute what it should."""
    error = self_test()
    if not error < _TOLERANCE:
        raise EngineError(
            "The library that runs GGUF files computes wrong numbers",
            f"A small test is off by {error:.2g}.",
            "Reinstall llama-cpp-python, built on this computer: pip install --no-cache-dir --force-reinstall "
            "llama-cpp-python==0.3.36",
        )


def self_test() -> float:
    """The largest difference between what ggml and what numpy computes for a small case."""
    random = np.random.default_rng(1)
    weights = random.standard_normal((8, 32)).astype(np.float32)
    rows = random.standard_normal((3, 32)).astype(np.float32)
    device = Device(1)
    try:
        with Computation(device, 64) as computation:
            build = computation.build
            matrix, given = computation.input(F32, 32, 8), computation.input(F32, 32, 3)
            positions = computation.input(I32, 3)
            product = build.matmul(matrix, build.rms_norm(given, 1e-6))
            turned = build.rope(build.reshape(product, 8, 1, 3), positions, 100.0, None)
            made = computation.output(build.softmax(build.gelu_times(build.reshape(turned, 8, 3), product)))
            computation.plan()
            write(matrix, weights)
            write(given, rows)
            write(positions, np.arange(3, dtype=np.int32))
            computation.run()
            found = read(made).reshape(3, 8)
    finally:
        device.close()
    return float(np.abs(found.astype(np.float64) - _expected(weights, rows)).max())


def _expected(weights: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    normed = rows / np.sqrt((rows.astype(np.float64) ** 2).mean(1, keepdims=True) + 1e-6)
    product = normed @ weights.T.astype(np.float64)
    angles = np.arange(3)[:, None] * 100.0 ** (-np.arange(4) / 4)
    first, second = product[:, :4], product[:, 4:]
    turned = np.hstack(
        [first * np.cos(angles) - second * np.sin(angles), first * np.sin(angles) + second * np.cos(angles)]
    )
    gelu = 0.5 * turned * (1 + np.tanh(np.sqrt(2 / np.pi) * (turned + 0.044715 * turned**3)))
    raised = np.exp(gelu * product)
    return np.asarray(raised / raised.sum(1, keepdims=True))
