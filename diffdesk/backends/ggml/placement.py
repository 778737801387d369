"""Where a GGUF model's parts go: main memory, or a graphics card as far as they fit; and how long a text it may hold.

Decides from sizes alone, before anything is loaded, so that too little memory is said at once and not after minutes.
Everything that every position uses goes to a card first, the experts after it: they are most of the bytes and a part of
the work. What does not fit stays in main memory, in the mapped file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diffdesk.backends.ggml.devices import CARD, HOST, Card
from diffdesk.backends.ggml.network import EMBEDDING_ROWS
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import EngineError

GIB = 1 << 30
CHUNK = 256  # tokens of a prompt that are read at once on the CPU
CARD_CHUNK = 512
MOST_CONTEXT = 32_768  # tokens, unless more is asked for: the cache is set aside when a model is loaded
CRAMPED_CONTEXT = 8_192  # where memory is short of the weights already
LEAST_CONTEXT = 2_048
PICTURE = 280  # places that a picture usually takes at most; a chunk never ends inside one
_USABLE = 0.9  # share of the free memory that is taken
_SAMPLING = 4  # tensors of (vocabulary × canvas) that a step works with
_FIXED = 256 << 20
_EXPERTS = "_exps.weight"


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to run a model on. Memory in bytes."""

    free_memory: int
    threads: int
    card: Card | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model runs.

    Attributes:
        layers: `HOST` or `CARD` for each layer's attention, dense part and cache.
        experts: the same for each layer's experts.
        ends: the same for the embedding, the last norm and self-conditioning.
        context: tokens of prompt and answer that the cache holds.
        cache: number format of keys and values.
        chunk: tokens of a prompt that are read at once.
        turns: there is room for a turned copy of the embedding, see `turned`.
        text: for people.
    """

    layers: tuple[int, ...]
    experts: tuple[int, ...]
    ends: int
    context: int
    cache: TensorType
    chunk: int
    turns: bool
    text: str

    @property
    def uses_card(self) -> bool:
        """Whether anything lies on a card."""
        return CARD in (self.ends, *self.layers, *self.experts)

    def of(self, name: str) -> int:
        """The place of a tensor."""
        parts = name.split(".")
        if parts[0] != "blk":
            # The rotation's factors are needed in every layer; the scheduler copies these few numbers.
            return HOST if name.startswith("rope_freqs") else self.ends
        return (self.experts if name.endswith(_EXPERTS) else self.layers)[int(parts[1])]


def place(
    of: Architecture, sizes: Mapping[str, int], machine: Machine, *, context: int = 0, cache: TensorType | None = None
) -> Placement:
    """Choose places, context and number format of the cache.

    Args:
        of: the model.
        sizes: bytes of each tensor.
        machine: what there is.
        context: tokens that are asked for; 0 takes what fits, up to `MOST_CONTEXT`.
        cache: number format that is asked for; None takes float16, or q8_0 where memory is short.

    Raises `EngineError` where there is too little memory even for `LEAST_CONTEXT` tokens.
    """
    weights = sum(sizes.values())
    on_card = _Budget(of, sizes, machine.card) if machine.card is not None else None
    budget = int(machine.free_memory * _USABLE) - work_bytes(of)
    if on_card is None or not on_card.is_useful(context or LEAST_CONTEXT):
        kind, tokens = _cache(of, _host_room(of, budget, weights, is_asked=context > 0), context, cache)
        everywhere = (HOST,) * of.layers
        text = f"CPU, {machine.threads} thread{'s' if machine.threads > 1 else ''}"
        turns = _turns(of, budget - weights - _all_caches(of, kind, tokens))
        return Placement(everywhere, everywhere, HOST, tokens, kind, CHUNK, turns, text)
    kind, tokens = on_card.cache(context, cache)
    return on_card.placed(kind, tokens)


def _host_room(of: Architecture, budget: int, weights: int, *, is_asked: bool) -> int:
    """Bytes for the cache in main memory.

    The mapped weights need no memory of their own, but each page that the cache takes from them is read from the disk
    again in every step. So where they don't fit, the cache is kept small, unless more was asked for.
    """
    left = budget - weights
    if left >= _all_caches(of, TensorType.F16, LEAST_CONTEXT):
        return left
    return budget // 2 if is_asked else min(budget // 2, _all_caches(of, TensorType.F16, CRAMPED_CONTEXT))


def work_bytes(of: Architecture) -> int:
    """Memory of a step besides weights and cache."""
    return _SAMPLING * of.canvas_length * of.vocab_size * 4 + _FIXED


def cache_bytes(of: Architecture, kind: TensorType, context: int, layer: int) -> int:
    """Memory of one layer's keys and values, and of what attention over them works with."""
    slots = of.canvas_length + (min(context, of.window + CHUNK + PICTURE) if of.is_sliding[layer] else context)
    return 2 * slots * kind.bytes_of((of.head_dim_of(layer) * of.kv_heads[layer],))


def _all_caches(of: Architecture, kind: TensorType, context: int) -> int:
    return _scores(of, context) + sum(cache_bytes(of, kind, context, layer) for layer in range(of.layers))


def _scores(of: Architecture, context: int) -> int:
    """Memory of one layer's attention scores; the others use the same."""
    return 2 * of.heads * of.canvas_length * context * 4


def _cache(of: Architecture, room: int, asked: int, kind: TensorType | None) -> tuple[TensorType, int]:
    """The number format of the cache and the tokens that it holds in `room` bytes."""
    wanted = min(asked or MOST_CONTEXT, of.context_length)
    least = wanted if asked else min(wanted, LEAST_CONTEXT)
    usual = TensorType.F16 if kind is None else kind
    tokens = _tokens(of, usual, room, wanted)
    enough = wanted if asked else min(wanted, CRAMPED_CONTEXT)
    if tokens >= enough:
        return usual, tokens
    last = TensorType.Q8_0 if kind is None and _fits_rows(of, TensorType.Q8_0) else usual
    low = _tokens(of, last, room, enough)
    if low < least:
        raise EngineError(
            "There is not enough memory for this model",
            f"Its memory for {least:,} tokens takes {_all_caches(of, last, least) / GIB:.1f} GiB, and "
            f"{max(0, room) / GIB:.1f} GiB are left beside its weights and work.",
            "Close other programs, ask for a shorter context, or choose a smaller model.",
        )
    return last, low


def _turns(of: Architecture, room: int) -> bool:
    """Whether a turned embedding pays and leaves room enough; small vocabularies are turned in no time."""
    return of.vocab_size > EMBEDDING_ROWS and room > TensorType.F16.bytes_of((of.vocab_size, of.hidden)) + GIB


def _tokens(of: Architecture, kind: TensorType, room: int, most: int) -> int:
    """How many tokens, up to `most`, a cache of that format holds in `room` bytes; a few less where not all fit."""
    if _all_caches(of, kind, most) <= room:
        return most
    low, high = 0, most
    while high - low > 256:
        middle = (low + high) // 2
        low, high = (middle, high) if _all_caches(of, kind, middle) <= room else (low, middle)
    return low


def _fits_rows(of: Architecture, kind: TensorType) -> bool:
    """Whether a head is a whole number of the format's blocks."""
    return all(of.head_dim_of(layer) % kind.block[0] == 0 for layer in range(of.layers))


class _Budget:
    """What fits on a card."""

    def __init__(self, of: Architecture, sizes: Mapping[str, int], card: Card) -> None:
        self._of = of
        self._card = card
        self._room = int(card.free * _USABLE) - work_bytes(of)
        self._dense, self._experts, self._ends = [0] * of.layers, [0] * of.layers, 0
        for name, size in sizes.items():
            parts = name.split(".")
            if parts[0] != "blk":
                self._ends += size
            elif name.endswith(_EXPERTS):
                self._experts[int(parts[1])] += size
            else:
                self._dense[int(parts[1])] += size

    def is_useful(self, context: int) -> bool:
        """Whether a quarter of the layers fits with the cache for a text of that length."""
        few = range(max(1, self._of.layers // 4))
        cache = sum(cache_bytes(self._of, TensorType.F16, context, layer) for layer in few)
        needed = self._ends + sum(self._dense[layer] for layer in few) + cache + _scores(self._of, context)
        return self._room > needed

    def cache(self, asked: int, kind: TensorType | None) -> tuple[TensorType, int]:
        """Number format and tokens of the cache: what is asked for, else what the weights leave or a part of that."""
        if asked:
            return TensorType.F16 if kind is None else kind, min(asked, self._of.context_length)
        without_experts = max(self._room - self._ends - sum(self._dense), self._room // 3)
        left = self._room - self._ends - sum(self._dense) - sum(self._experts)
        room, usual = max(left, without_experts // 3), TensorType.F16 if kind is None else kind
        least = min(LEAST_CONTEXT, self._of.context_length)
        if _all_caches(self._of, usual, least) > room:
            return usual, least  # some layers' part of it will lie in main memory
        return _cache(self._of, room, 0, kind)

    def placed(self, cache: TensorType, context: int) -> Placement:
        """Layers first, in order, then their experts."""
        of, room = self._of, self._room - self._ends
        room -= _scores(of, context)
        layers, experts = [HOST] * of.layers, [HOST] * of.layers
        for layer in range(of.layers):
            needed = self._dense[layer] + cache_bytes(of, cache, context, layer)
            if needed > room:
                break
            layers[layer], room = CARD, room - needed
        for layer in range(of.layers):
            if layers[layer] == CARD and self._experts[layer] <= room:
                experts[layer], room = CARD, room - self._experts[layer]
        chunk = CARD_CHUNK if HOST not in experts else CHUNK
        text = self._text(layers, experts)
        return Placement(tuple(layers), tuple(experts), CARD, context, cache, chunk, _turns(of, room), text)

    def _text(self, layers: list[int], experts: list[int]) -> str:
        name = self._card.name
        if HOST not in layers + experts:
            return name
        if HOST not in layers:
            return f"{name}; experts of {experts.count(HOST)} of {self._of.layers} layers on the CPU"
        return f"{name} for {layers.count(CARD)} of {self._of.layers} layers, CPU for the others"
