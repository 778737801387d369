"""Graphs of the two things a model does, reading and denoising, built once for each size and used again.

A graph is fixed in its number of rows and in how many slots of the cache they look at, so the sizes are few. Knows
nothing of prompts, settings and files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.binding import I32, I64
from diffdesk.backends.ggml.compute import Buffer, Computation, read, write
from diffdesk.backends.ggml.devices import HOST, Device
from diffdesk.backends.ggml.graph import F32, Node, Product, Tensors
from diffdesk.backends.ggml.memory import Memory, View
from diffdesk.backends.ggml.network import DECODER_SCALAR, EMBEDDING_ROWS, ENCODER_SCALAR, Network, Rows, Sight
from diffdesk.backends.ggml.tail import Tail, TailInputs, block_of, tail
from diffdesk.backends.ggml.turned import TurnedEmbedding
from diffdesk.backends.ggml.weights import Weights
from diffdesk.backends.gguf.layout import Architecture

MOST_GRAPHS = 12  # of each kind …
MOST_GRAPH_BYTES = 1 << 30  # … while the older ones of a kind work in no more than this: each has memory of its own


@dataclass(frozen=True, slots=True)
class Sights:
    """What the rows of one computation see in sliding and in full layers."""

    sliding: View
    full: View

    @property
    def reach(self) -> tuple[int, int]:
        """Slots that are looked at in layers of either kind."""
        return self.sliding.reach, self.full.reach


class _Graph:
    """A computation over some rows, and the inputs that every one has."""

    def __init__(self, of: Architecture, device: Device, rows: int, reach: tuple[int, int], scalar: str) -> None:
        self._computation = Computation(device)
        self.count = rows
        self.ids = self._computation.input(I32, rows)
        self._positions = self._computation.input(I32, rows)
        self._has_sliding = any(of.is_sliding)
        self._full = self._sight(rows, reach[1])
        self._sliding = self._sight(rows, reach[0]) if self._has_sliding else self._full
        self.rows = Rows(rows, self._positions, self._sliding, self._full, scalar)

    @property
    def build_bytes(self) -> int:
        """Memory that it works in."""
        return self._computation.bytes

    @property
    def products(self) -> tuple[Product, ...]:
        """What it multiplies."""
        return tuple(self._computation.build.products)

    @property
    def splits(self) -> int:
        """See `Computation.splits`."""
        return self._computation.splits

    def _sight(self, rows: int, reach: int) -> Sight:
        given = self._computation.input
        return Sight(given(I64, rows), reach, given(F32, reach, rows))

    def _fill(self, ids: NDArray[np.int32], positions: NDArray[np.int32], sights: Sights) -> None:
        self._computation.plan()
        write(self.ids, ids)
        write(self._positions, positions)
        pairs = [(self._full, sights.full)]
        if self._has_sliding:
            pairs.append((self._sliding, sights.sliding))
        for sight, view in pairs:
            write(sight.slots, view.slots)
            write(sight.mask, view.mask)

    def close(self) -> None:
        self._computation.close()


_G = TypeVar("_G", bound=_Graph)


class ReadingGraph(_Graph):
    """Reads tokens into the cache; `sees` where soft tokens of images stand among them."""

    def __init__(self, parts: Parts, rows: int, reach: tuple[int, int], *, sees: bool) -> None:
        super().__init__(parts.of, parts.device, rows, reach, ENCODER_SCALAR)
        network = parts.network(self._computation)
        hidden = network.embedded(self.ids)
        self._is_word: Node | None = None
        self._features: Node | None = None
        if sees:
            self._is_word = self._computation.input(F32, 1, rows)
            self._features = self._computation.input(F32, parts.of.hidden, rows)
            build = self._computation.build
            hidden = build.add(build.mul(hidden, self._is_word), self._features)
        _, written = network.through(hidden, self.rows)
        for one in written:
            self._computation.need(one)

    def run(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        sights: Sights,
        features: NDArray[np.float32] | None = None,
        is_image: NDArray[np.bool_] | None = None,
    ) -> None:
        """Read int32[rows] ids; features float32[rows, hidden] stand where bool[rows] `is_image` says."""
        self._fill(ids, positions, sights)
        if self._is_word is not None and self._features is not None:
            if features is None or is_image is None:
                raise ValueError("images without features")
            write(self._is_word, np.where(is_image, np.float32(0), np.float32(1)))
            write(self._features, features)
        self._computation.run()


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What a step says of its rows: see `StepResult`; `drawn` may lie behind the vocabulary, see `Tail`."""

    argmax: NDArray[np.int32]
    drawn: NDArray[np.int64]
    entropy: NDArray[np.float32]
    probability: NDArray[np.float32]
    kept_probability: NDArray[np.float32]
    alternatives: NDArray[np.int32]
    alternative_probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StepWish:
    """What a step is to do and to tell.

    Attributes:
        alternatives: how many of the most probable tokens are told.
        top: tokens that self-conditioning counts for each position, 0 for all.
        tells_logits: the logits are kept as well, for comparisons.
    """

    alternatives: int = 0
    top: int = 0
    tells_logits: bool = False


class StepGraph(_Graph):
    """A denoising step over some rows of a canvas."""

    def __init__(self, parts: Parts, rows: int, reach: tuple[int, int], wish: StepWish) -> None:
        super().__init__(parts.of, parts.device, rows, reach, DECODER_SCALAR)
        computation, build = self._computation, self._computation.build
        network, soft = parts.network(computation), parts.state.soft
        self._at = computation.input(I32, rows)
        self._to = computation.input(I64, rows)
        self._coldness = computation.input(F32, parts.of.vocab_size)
        self._uniforms = computation.input(F32, 1, rows)
        before = build.rows(soft, self._at)
        hidden, _ = network.through(network.conditioned(network.embedded(self.ids), before), self.rows)
        self._ones = computation.input(F32, block_of(parts.of.vocab_size))
        given = TailInputs(self.ids, self._coldness, self._uniforms, self._ones)
        self._logits = network.logits(hidden)
        if wish.tells_logits:
            computation.output(self._logits)
        self._tail: Tail = tail(build, self._logits, given, wish.alternatives)
        for one in self._told():
            computation.output(one)
        made = network.soft_embedding(self._tail.processed, wish.top)
        computation.need(build.with_rows(soft, made, self._to))

    def logits(self) -> NDArray[np.float32]:
        """float32[rows, vocabulary] of the last run, before the temperature; only where they were asked for."""
        return read(self._logits).reshape(self.count, -1).astype(np.float32)

    def _told(self) -> list[Node]:
        said = self._tail
        told = [said.argmax, said.block, said.within, said.entropy, said.probability, said.kept_probability]
        return told + [one for one in (said.alternatives, said.alternative_probabilities) if one is not None]

    def run(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        sights: Sights,
        at: NDArray[np.int64],
        temperature: float,
        uniforms: NDArray[np.float64],
    ) -> StepOutput:
        """Step the rows at int64[rows] places of the canvas, which hold int32[rows] ids."""
        self._fill(ids, positions, sights)
        write(self._at, at.astype(np.int32))
        write(self._to, at)
        write(self._coldness, np.full(self._coldness.shape[0], 1.0 / temperature, np.float32))
        write(self._ones, np.ones(self._ones.shape[0], np.float32))
        write(self._uniforms, uniforms.astype(np.float32))
        self._computation.run()
        argmax, block, within, entropy, probability, kept, *others = [
            read(one).reshape(self.count, -1) for one in self._told()
        ]
        none = np.zeros((self.count, 0))
        return StepOutput(
            argmax[:, 0].astype(np.int32),
            (block[:, 0].astype(np.int64) * self._ones.shape[0] + within[:, 0].astype(np.int64)),
            entropy[:, 0].astype(np.float32),
            probability[:, 0].astype(np.float32),
            kept[:, 0].astype(np.float32),
            (others[0] if others else none).astype(np.int32),
            (others[1] if others else none).astype(np.float32),
        )


class State:
    """What lies on the device between two steps: each position's soft embedding.

    Attributes:
        soft: float32 (hidden, canvas).
        counting: see `Network`.
    """

    def __init__(self, of: Architecture, device: Device, place: int = HOST) -> None:
        self._context = Tensors(3)
        self.soft = self._context.tensor(F32, of.hidden, of.canvas_length)
        many = min(EMBEDDING_ROWS, of.vocab_size)
        self.counting = self._context.tensor(I32, many)
        self._buffer = Buffer(self._context, device, place)
        write(self.counting, np.arange(many, dtype=np.int32))
        self.set_soft(np.zeros((0, of.hidden), np.float32))

    def set_soft(self, values: NDArray[np.float32]) -> None:
        """Begin a canvas with float32[L, hidden] soft embeddings, zeros after them."""
        whole = np.zeros(self.soft.shape[1::-1], np.float32)
        whole[: len(values)] = values
        write(self.soft, whole)

    @property
    def bytes(self) -> int:
        """Its size."""
        return self._buffer.bytes

    def close(self) -> None:
        """Free it."""
        self._buffer.close()
        self._context.close()


@dataclass(frozen=True, slots=True)
class Parts:
    """What graphs are made of."""

    of: Architecture
    device: Device
    weights: Weights
    memory: Memory
    state: State
    turned: TurnedEmbedding | None = None

    @property
    def nodes(self) -> dict[str, Node]:
        """All weights by name, the turned embedding among them."""
        return self.weights.nodes if self.turned is None else {**self.weights.nodes, **self.turned.nodes}

    def network(self, computation: Computation) -> Network:
        """The model's operators in a graph."""
        counting = self.state.counting if self.device.has_card else None
        return Network(self.of, self.nodes, self.memory.layers, computation.build, counting)

    def close(self) -> None:
        """Free everything but the mapped files."""
        if self.turned is not None:
            self.turned.close()
        self.state.close()
        self.memory.close()
        self.weights.close()
        self.device.close()


class Plans:
    """The graphs of a loaded model, the last few of each size kept."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reading: OrderedDict[tuple[object, ...], ReadingGraph] = OrderedDict()
        self._steps: OrderedDict[tuple[object, ...], StepGraph] = OrderedDict()

    def reading(self, rows: int, reach: tuple[int, int], *, sees: bool) -> ReadingGraph:
        """A graph that reads `rows` tokens."""
        key = (rows, reach, sees)
        return _kept(self._reading, key, lambda: ReadingGraph(self._parts, rows, reach, sees=sees))

    def step(self, rows: int, reach: tuple[int, int], wish: StepWish) -> StepGraph:
        """A graph that steps `rows` rows of a canvas."""
        return _kept(self._steps, (rows, reach, wish), lambda: StepGraph(self._parts, rows, reach, wish))

    @property
    def graphs(self) -> int:
        """How many there are."""
        return len(self._reading) + len(self._steps)

    @property
    def splits(self) -> int:
        """In how many parts the graph of the last step is computed: see `Computation.splits`."""
        return next(reversed(self._steps.values())).splits if self._steps else 0

    @property
    def bytes(self) -> int:
        """Memory that the graphs work in."""
        graphs: list[_Graph] = [*self._reading.values(), *self._steps.values()]
        return sum(one.build_bytes for one in graphs)

    def close(self) -> None:
        """Free everything."""
        for one in (*self._reading.values(), *self._steps.values()):
            one.close()
        self._reading.clear()
        self._steps.clear()


def _kept(graphs: OrderedDict[tuple[object, ...], _G], key: tuple[object, ...], make: Callable[[], _G]) -> _G:
    """The graph of a size, made if there is none; those that were not used for longest are freed first."""
    if key not in graphs:
        while graphs and (
            len(graphs) >= MOST_GRAPHS or sum(one.build_bytes for one in graphs.values()) > MOST_GRAPH_BYTES
        ):
            graphs.popitem(last=False)[1].close()
        graphs[key] = make()
    graphs.move_to_end(key)
    return graphs[key]
