"""The KV cache that lives between turns: what it holds, and how far it can be taken back.

Full-attention layers keep every token, so they can be cut anywhere. Sliding layers keep the last W − 1 tokens only and
forget the rest; once something is forgotten they can only return to a length at which a snapshot was taken. A snapshot
is a reference to the sliding layers' tensors, which are never written in place, so it costs memory but no copying.

Knows the cache classes of transformers; knows nothing of models, texts or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache
from transformers.configuration_utils import PreTrainedConfig

MOST_SNAPSHOTS = 8
MOST_SNAPSHOT_BYTES = 1 << 30


class _Layer(Protocol):
    """The part of a dynamic cache layer that is used here."""

    keys: Tensor
    values: Tensor
    cumulative_length: int


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The sliding layers' keys and values when the cache held `length` tokens."""

    length: int
    tensors: tuple[tuple[Tensor, Tensor], ...]

    @property
    def bytes(self) -> int:
        return sum(one.numel() * one.element_size() for pair in self.tensors for one in pair)


class PrefixCache:
    """A KV cache of a known number of tokens that can be taken back.

    Args:
        config: the text model's configuration: which layers slide, and how wide their window is.
    """

    def __init__(self, config: PreTrainedConfig, most_snapshots: int = MOST_SNAPSHOTS) -> None:
        self._config = config
        self._most_snapshots = most_snapshots
        self._snapshots: list[_Snapshot] = []
        self.cache: Cache = DynamicCache(config=config)
        slides = list(self.cache.is_sliding)
        self._sliding = [index for index, is_sliding in enumerate(slides) if is_sliding]
        self._full = [index for index, is_sliding in enumerate(slides) if not is_sliding]
        self._kept = int(config.sliding_window) - 1  # tokens that a sliding layer remembers

    @property
    def length(self) -> int:
        """Tokens in the cache."""
        return int(self.cache.get_seq_length())

    @property
    def snapshot_lengths(self) -> tuple[int, ...]:
        """Lengths to which it can return, in ascending order, besides what can simply be cut."""
        return tuple(one.length for one in self._snapshots)

    def clear(self) -> None:
        """Forget everything."""
        self._snapshots.clear()
        self.cache = DynamicCache(config=self._config)

    def remember(self) -> None:
        """Take a snapshot at the present length."""
        length = self.length
        if not self._sliding or not length or length in self.snapshot_lengths:
            return
        for layer in self._layers(self._sliding):
            layer.keys, layer.values = _compact(layer.keys), _compact(layer.values)
        tensors = tuple((one.keys, one.values) for one in self._layers(self._sliding))
        self._snapshots.append(_Snapshot(length, tensors))
        while len(self._snapshots) > 1 and (
            len(self._snapshots) > self._most_snapshots
            or sum(one.bytes for one in self._snapshots) > MOST_SNAPSHOT_BYTES
        ):
            self._snapshots.pop(0)

    def take_back(self, length: int) -> int:
        """Shorten the cache to at most `length` tokens, as near to it as can be; returns the new length."""
        if length >= self.length:
            return self.length
        if self._sliding and self.length > self._kept:
            reached = self._return_to_snapshot(length)
        else:
            reached = length
            for layer in self._layers(self._sliding):
                _cut(layer, length)
        if not reached:
            self.clear()
            return 0
        for layer in self._layers(self._full):
            layer.keys, layer.values = layer.keys[..., :reached, :], layer.values[..., :reached, :]
        self._snapshots = [one for one in self._snapshots if one.length <= reached]
        return reached

    def _return_to_snapshot(self, length: int) -> int:
        best, reached = None, 0
        for one in self._snapshots:
            # A snapshot that had forgotten nothing can be cut further.
            possible = min(one.length, length) if one.length <= self._kept else one.length
            if reached < possible <= length:
                best, reached = one, possible
        if best is not None:
            for layer, (keys, values) in zip(self._layers(self._sliding), best.tensors, strict=True):
                layer.keys, layer.values = keys, values
                _cut(layer, reached)
        return reached

    def _layers(self, indices: Sequence[int]) -> list[_Layer]:
        return [cast(_Layer, self.cache.layers[index]) for index in indices]


def _cut(layer: _Layer, length: int) -> None:
    """Bring a sliding layer to `length` tokens; longer tensors must hold all tokens from the first on."""
    layer.keys, layer.values = layer.keys[..., :length, :], layer.values[..., :length, :]
    layer.cumulative_length = length


def _compact(tensor: Tensor) -> Tensor:
    """The tensor without the longer storage that it may be a window of."""
    used = tensor.numel() * tensor.element_size()
    return tensor.clone(memory_format=torch.contiguous_format) if tensor.untyped_storage().nbytes() > used else tensor
