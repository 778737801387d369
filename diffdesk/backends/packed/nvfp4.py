"""NVFP4 as NVIDIA's ModelOpt writes it: packed matrices, and their values.

A value is E2M1 × an E4M3 scale for each 16 values of a row × a float32 for the matrix; of a byte's two values the even
column is in the low four bits, and of four bits the highest is the sign. Products of the first two are exact in
bfloat16 (their significands have 2 and 4 bits), so only the last factor rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffdesk.backends.packed.layout import GROUP

_VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)


@dataclass(slots=True)
class PackedMatrices:
    """One matrix of every expert of a layer, or several of the same width one below the other.

    Attributes:
        packed: uint8[E, n, k/2].
        scales: float8_e4m3fn[E, n, k/16].
        wholes: float32[E, m], a factor for each of the m matrices that an expert's n rows are made of.
    """

    packed: Tensor
    scales: Tensor
    wholes: Tensor

    def values(self, begin: int, end: int, dtype: torch.dtype) -> Tensor:
        """[end − begin, n, k], the matrices of some experts."""
        made = unpacked(self.packed[begin:end], self.scales[begin:end], torch.float32)
        rows = self.packed.shape[1] // self.wholes.shape[1]
        factors = self.wholes[begin:end].repeat_interleave(rows, 1)
        return made.mul_(factors[..., None]).to(dtype)


def unpacked(packed: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """[…, k] values without the matrix's factor, from uint8[…, k/2] and float8_e4m3fn[…, k/16]."""
    table = torch.tensor(_VALUES, dtype=dtype, device=packed.device)
    pairs = torch.stack([packed & 15, packed >> 4], -1)
    values = table[pairs.int()].flatten(-2)
    grouped = values.view(*scales.shape, GROUP)
    return grouped.mul_(scales.to(dtype)[..., None]).flatten(-2)
