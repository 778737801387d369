"""The experts of NVIDIA's 4-bit checkpoints as rows of float32.

The layout of `nvidia/diffusiongemma-26B-A4B-it-NVFP4` (written by nvidia-modelopt): only the experts are compressed,
each of them with a matrix of its own. For a matrix (n, k):

    X.weight          U8 (n, k/2)        two values a byte, the even column in the low four bits
    X.weight_scale    F8_E4M3 (n, k/16)  a scale for each 16 values of a row
    X.weight_scale_2  F32 ()             a scale for all
    X.input_scale     F32 ()             of the activations: not needed

A value is E2M1 × weight_scale × weight_scale_2; of the four bits the highest is the sign.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from diffdesk.backends.gguf.quantise import Rows
from diffdesk.backends.gguf.tensor_source import AGAIN, StackedRows, StoredTensor
from diffdesk.core.errors import CheckpointError

GROUP = 16  # values that share a scale

_MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_NIBBLES = np.array([*_MAGNITUDES, *(-one for one in _MAGNITUDES)], np.float32)
_PAIRS = np.stack([_NIBBLES[np.arange(256) & 15], _NIBBLES[np.arange(256) >> 4]], axis=1)  # float32[byte, 2]


def _e4m3() -> Rows:
    """float32[256]: the value of each byte; 4 bits of exponent biased by 7, 3 of mantissa, no infinities."""
    byte = np.arange(256)
    exponent, mantissa = (byte >> 3) & 15, byte & 7
    size = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    size[byte & 127 == 127] = np.nan
    return np.where(byte > 127, -size, size).astype(np.float32)


_SCALES = _e4m3()


class Nvfp4Rows:
    """One compressed matrix; raises `CheckpointError` where its parts don't fit each other."""

    def __init__(self, tensors: Mapping[str, StoredTensor], name: str) -> None:
        self._packed = _part(tensors, f"{name}.weight", "U8", 2)
        self._scales = _part(tensors, f"{name}.weight_scale", "F8_E4M3", 2)
        self.count, self.length = self._packed.shape[0], 2 * self._packed.shape[1]
        if self._scales.shape != (self.count, self.length // GROUP) or self.length % GROUP:
            raise _odd(f"{name}.weight_scale")
        self._whole = float(_part(tensors, f"{name}.weight_scale_2", "F32", 0).read(0, 1).astype(np.float32)[0])

    def rows(self, begin: int, end: int) -> Rows:
        many = end - begin
        packed = self._packed.read(begin * self.length // 2, many * self.length // 2)
        scales = self._scales.read(begin * self.length // GROUP, many * self.length // GROUP)
        values = _PAIRS[packed.astype(np.intp)].reshape(-1, GROUP)
        with np.errstate(over="ignore", invalid="ignore"):  # damaged scales are found out in the values
            values *= _SCALES[scales.astype(np.intp)][:, None]
            values *= np.float32(self._whole)
        return values.reshape(many, self.length)


def stacked_experts(tensors: Mapping[str, StoredTensor], layer: str, experts: int) -> Mapping[str, StackedRows]:
    """The experts under `layer` (such as ``model.decoder.layers.0``) as transformers stacks them.

    ``experts.gate_up_proj`` has for each expert its gate rows and then its up rows, ``experts.down_proj`` its own.
    """
    try:
        return {
            f"{layer}.experts.gate_up_proj": StackedRows(
                [
                    Nvfp4Rows(tensors, f"{layer}.experts.{expert}.{part}")
                    for expert in range(experts)
                    for part in ("gate_proj", "up_proj")
                ]
            ),
            f"{layer}.experts.down_proj": StackedRows(
                [Nvfp4Rows(tensors, f"{layer}.experts.{expert}.down_proj") for expert in range(experts)]
            ),
        }
    except ValueError as error:
        raise CheckpointError(
            "The weights don't fit the configuration", f"The experts of {layer} have different sizes.", AGAIN
        ) from error


def _part(tensors: Mapping[str, StoredTensor], name: str, dtype: str, axes: int) -> StoredTensor:
    found = tensors.get(name)
    if found is None:
        raise CheckpointError("Weights are missing", f"There is no {name} in the weight files.", AGAIN)
    if found.dtype != dtype or len(found.shape) != axes:
        raise _odd(name)
    return found


def _odd(name: str) -> CheckpointError:
    return CheckpointError("The weights don't fit the configuration", f"{name} is not laid out as expected.", AGAIN)
