"""The KV cache of a packed model: tensors of a fixed size, written in place, that can be taken back.

Full-attention layers have a slot for each place of the text. Sliding layers have room for a window, a chunk of a prompt
and a canvas; their slot 0 holds the place `base`, and when the room is used up what the window still reaches is moved
to the front. A canvas's keys and values stand after the text's and are written over by whatever comes next.

Sliding layers can be taken back as long as a whole window before the new end is still there, otherwise to where a
snapshot was taken. Knows nothing of tokens and of products.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.packed.operators import LayerCache
from diffdesk.backends.packed.plan import sliding_slots

MOST_SNAPSHOTS = 8


@dataclass(frozen=True, slots=True)
class Room:
    """How large a cache is.

    Attributes:
        context: places of the text and a canvas together.
        chunk: most tokens that are read in one pass.
        snapshot_bytes: of all snapshots together; the last one is always kept.
    """

    context: int
    chunk: int
    snapshot_bytes: int = 1 << 29


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Keys and values of the sliding layers for the places from `begin` to `end`."""

    begin: int
    end: int
    tensors: list[LayerCache]

    @property
    def bytes(self) -> int:
        return sum(one.keys.nbytes + one.values.nbytes for one in self.tensors)


class StaticCache:
    """The cache; see the module."""

    def __init__(self, model: Architecture, room: Room, dtype: torch.dtype, device: torch.device) -> None:
        self._kept = model.window - 1  # places before its own that a row of a sliding layer sees at most
        self._slots = sliding_slots(model, room.context, room.chunk)
        self._room = room
        self._sliding = [layer for layer, slides in enumerate(model.is_sliding) if slides]
        self.layers: list[LayerCache] = []
        for layer in range(model.layers):
            slots = self._slots if model.is_sliding[layer] else room.context
            shape = (slots, model.kv_heads[layer], model.head_dim_of(layer))
            keys, values = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
            self.layers.append(LayerCache(keys, values))
        self._snapshots: list[_Snapshot] = []
        self.length = 0
        self.base = 0

    @property
    def snapshot_lengths(self) -> tuple[int, ...]:
        """Where snapshots were taken, in ascending order."""
        return tuple(one.end for one in self._snapshots)

    def clear(self) -> None:
        """Forget everything."""
        self._snapshots.clear()
        self.length = self.base = 0

    def make_room(self, rows: int) -> None:
        """Let sliding layers have slots for so many more rows."""
        if self.length - self.base + rows <= self._slots:
            return
        begin = max(self.base, self.length - self._kept)
        old, new = slice(begin - self.base, self.length - self.base), slice(0, self.length - begin)
        for layer in self._sliding:
            for tensor in (self.layers[layer].keys, self.layers[layer].values):
                tensor[new] = tensor[old].clone()
        self.base = begin

    def remember(self) -> None:
        """Take a snapshot at the present length."""
        if not self._sliding or not self.length or self.length in self.snapshot_lengths:
            return
        begin = max(self.base, self.length - self._kept)
        here = slice(begin - self.base, self.length - self.base)
        tensors = [
            LayerCache(self.layers[layer].keys[here].clone(), self.layers[layer].values[here].clone())
            for layer in self._sliding
        ]
        self._snapshots.append(_Snapshot(begin, self.length, tensors))
        while len(self._snapshots) > 1 and (
            len(self._snapshots) > MOST_SNAPSHOTS
            or sum(one.bytes for one in self._snapshots) > self._room.snapshot_bytes
        ):
            self._snapshots.pop(0)

    def take_back(self, length: int) -> int:
        """Shorten the cache to at most `length` places, as near to it as can be; returns the new length."""
        if length < self.length:
            is_there = not self._sliding or self.base == 0 or length - self.base >= self._kept
            reached = length if is_there else self._return_to_snapshot(length)
            if not reached:
                self.clear()
            self.length = reached
            self._snapshots = [one for one in self._snapshots if one.end <= reached]
        return self.length

    def _return_to_snapshot(self, length: int) -> int:
        best, reached = None, 0
        for one in self._snapshots:
            # A snapshot that had forgotten nothing can be cut further.
            possible = min(one.end, length) if one.begin == 0 else one.end
            if reached < possible <= length:
                best, reached = one, possible
        if best is not None:
            for layer, saved in zip(self._sliding, best.tensors, strict=True):
                self.layers[layer].keys[: len(saved.keys)] = saved.keys
                self.layers[layer].values[: len(saved.values)] = saved.values
            self.base = best.begin
        return reached
