"""The matrices that aren't packed in the file: as they are, or, where memory is short, rounded to 8 bits.

Rounded ones have a factor for each row (the largest magnitude of a row becomes 127), activations stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from diffdesk.backends.packed.weights import Matrix

_MOST = 127


class PlainMatrix:
    """A matrix [n, k] as it is."""

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self._weight)


class RoundedMatrix:
    """A matrix in 8 bits that is unpacked for each product."""

    def __init__(self, weight: Tensor) -> None:
        self._rounded, self._factors = rounded(weight)

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self._rounded.to(x.dtype)) * self._factors.to(x.dtype)


def rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """int8[n, k] and float32[n]: weight ≈ the first times the second, row by row."""
    largest = weight.abs().amax(1).float().clamp_min(1e-30)
    factors = largest / _MOST
    return (weight.float() / factors[:, None]).round_().to(torch.int8), factors


def make_matrix(weight: Tensor, *, is_rounded: bool) -> Matrix:
    """A matrix in the form that was asked for."""
    return RoundedMatrix(weight) if is_rounded else PlainMatrix(weight)
