"""The KV cache: keys and values of every layer in slots, which of them hold which place of the text, and masks.

The first slots are a canvas's own. After them full-attention layers have one slot for each place of the text. Sliding
layers have a ring: place p lies in slot p modulo its size, so a place is forgotten when the one that comes a ring
later is written. Attention doesn't care for the order of slots: places are in the keys' rotation.

Knows nothing of graphs' operators and of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.compute import Buffer, read_bytes, write_bytes
from diffdesk.backends.ggml.devices import HOST, Device
from diffdesk.backends.ggml.graph import Node, Tensors
from diffdesk.backends.ggml.network import LayerMemory
from diffdesk.backends.gguf.layout import Architecture

STEP = 256  # slots are looked at in multiples of this, so that a graph serves many lengths
MOST_SNAPSHOTS = 8
MOST_SNAPSHOT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class View:
    """What rows see in layers of one kind.

    Attributes:
        slots: int64[rows], where they write.
        reach: slots from the first on that they look at.
        mask: float32[rows, reach], 0 or −∞.
    """

    slots: NDArray[np.int64]
    reach: int
    mask: NDArray[np.float32]


class Ring:
    """Which place of the text each slot of one kind of layers holds.

    Args:
        own: slots at the beginning for a canvas.
        size: slots after them.
        window: a row at place p sees places above p − window; None for all.
    """

    def __init__(self, own: int, size: int, window: int | None) -> None:
        self._own, self._size, self._window = own, size, window
        self._places = np.full(size, -1, np.int64)

    @property
    def slots(self) -> int:
        """All of them."""
        return self._own + self._size

    def forget(self, length: int) -> None:
        """Forget places from `length` on."""
        self._places[self._places >= length] = -1

    def holds(self, length: int) -> bool:
        """Whether all that a text of `length` places needs is there."""
        begin = 0 if self._window is None else max(0, length - self._window + 1)
        wanted = np.arange(begin, length)
        return bool(np.array_equal(self._places[wanted % self._size], wanted))

    def _reach(self, length: int) -> int:
        used = self._own + min(length, self._size)
        return min(self.slots, -(-used // STEP) * STEP)

    def text(self, begin: int, count: int, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> View:
        """For places `begin` … that are appended; each sees what lies before it, itself, and its own picture.

        starts, ends: int64[count], the first place and the end of the picture that a place belongs to, or its own.
        Raises `ValueError` where they are more than the ring has room for beside a window.
        """
        if begin + count > self._size and (self._window is None or count > self._size - self._window + 1):
            raise ValueError(f"{count} places at once: some would be written over before they are seen")
        places = np.arange(begin, begin + count)
        self._places[places % self._size] = places
        reach = self._reach(begin + count)
        held = np.full(reach, -1, np.int64)
        held[self._own :] = self._places[: reach - self._own]
        sees = held[None] <= places[:, None]
        if self._window is not None:
            sees &= held[None] > places[:, None] - self._window
        sees |= (held[None] >= starts[:, None]) & (held[None] < ends[:, None])
        sees &= held[None] >= 0
        return View(self._own + places % self._size, reach, _masked(sees))

    def canvas(self, length: int, size: int, rows: NDArray[np.int64]) -> View:
        """For int64[n] rows of a canvas of `size` after `length` places: each sees it all and the text's last ones."""
        reach = self._reach(length)
        held = np.full(reach, -1, np.int64)
        held[self._own :] = self._places[: reach - self._own]
        sees = held >= (0 if self._window is None else max(0, length - self._window + 1))
        sees[:size] = True
        return View(rows, reach, _masked(np.broadcast_to(sees, (len(rows), reach))))

    def places(self) -> NDArray[np.int64]:
        """What each slot of the text holds; for snapshots."""
        return self._places.copy()

    def set_places(self, places: NDArray[np.int64]) -> None:
        """Take back what `places` gave."""
        self._places = places.copy()


def _masked(sees: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(sees, np.float32(0), np.float32(-np.inf))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    length: int
    places: NDArray[np.int64]
    contents: tuple[NDArray[np.uint8], ...]

    @property
    def bytes(self) -> int:
        return sum(one.nbytes for one in self.contents)


class Memory:
    """The cache of a model.

    Args:
        kind: number format of keys and values, a `TensorType`.
        context: most places of a text.
        chunk: most places that are appended at once.
        places: of each layer's keys and values; main memory where none are given.
    """

    def __init__(
        self, of: Architecture, device: Device, kind: int, context: int, chunk: int, places: Sequence[int] = ()
    ) -> None:
        self.full = Ring(of.canvas_length, context, None)
        self.sliding = Ring(of.canvas_length, min(context, of.window - 1 + chunk), of.window)
        wanted = places or (HOST,) * of.layers
        self._contexts = {place: Tensors(4 * of.layers + 1) for place in sorted(set(wanted))}
        layers = []
        for layer, place in enumerate(wanted):
            slots = (self.sliding if of.is_sliding[layer] else self.full).slots
            wide = of.head_dim_of(layer) * of.kv_heads[layer]
            made = self._contexts[place]
            layers.append(LayerMemory(made.tensor(kind, wide, slots), made.tensor(kind, wide, slots)))
        self.layers = tuple(layers)
        self._buffers = [Buffer(context, device, place) for place, context in self._contexts.items()]
        for buffer in self._buffers:
            buffer.clear()  # a slot that is looked at but masked must hold numbers
        self._sliding = [one for layer in range(of.layers) if of.is_sliding[layer] for one in _pair(layers[layer])]
        self._snapshots: list[_Snapshot] = []
        self.length = 0

    @property
    def bytes(self) -> int:
        """Its size."""
        return sum(one.bytes for one in self._buffers)

    def clear(self) -> None:
        """Forget everything."""
        self._snapshots.clear()
        self.full.forget(0)
        self.sliding.forget(0)
        self.length = 0

    def remember(self) -> None:
        """Make it possible to come back to the present length, whatever is appended later."""
        if not self._sliding or not self.length or any(one.length == self.length for one in self._snapshots):
            return
        contents = tuple(read_bytes(one) for one in self._sliding)
        self._snapshots.append(_Snapshot(self.length, self.sliding.places(), contents))
        while len(self._snapshots) > 1 and (
            len(self._snapshots) > MOST_SNAPSHOTS or sum(one.bytes for one in self._snapshots) > MOST_SNAPSHOT_BYTES
        ):
            self._snapshots.pop(0)

    def take_back(self, length: int) -> int:
        """Shorten the text to at most `length` places, as near to it as can be; returns the new length."""
        length = min(length, self.length)
        if not self.sliding.holds(length):
            length = self._return_to_snapshot(length)
        self.full.forget(length)
        self.sliding.forget(length)
        self._snapshots = [one for one in self._snapshots if one.length <= length]
        self.length = length
        return length

    def _return_to_snapshot(self, length: int) -> int:
        for one in reversed(self._snapshots):
            if one.length <= length:
                self.sliding.set_places(one.places)
                for node, contents in zip(self._sliding, one.contents, strict=True):
                    write_bytes(node, contents)
                return one.length
        return 0

    def close(self) -> None:
        """Free it."""
        self._snapshots.clear()
        for buffer in self._buffers:
            buffer.close()
        for context in self._contexts.values():
            context.close()
        self._buffers.clear()
        self._contexts.clear()


def _pair(memory: LayerMemory) -> tuple[Node, Node]:
    return memory.keys, memory.values
