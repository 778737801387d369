"""What a packed model needs of a card's memory, decided from sizes before anything is loaded. Imports no model library.

Two ways to lie in memory: whole, and lean for cards of about 18 GB, where the vision tower waits in the main memory
until an image comes, attention and the dense MLP are rounded to 8 bits, and prompts are read in shorter chunks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.packed.layout import VISION
from diffdesk.backends.safetensors_header import TensorEntry

GIB = 1 << 30
USABLE = 0.97  # share of what is free: the driver's own pieces aren't counted
LEAST_CONTEXT, USUAL_CONTEXT = 4096, 32_768
LONGEST_IMAGE = 1120  # soft tokens, the largest budget
CHUNK, LEAN_CHUNK = 1024, 512  # tokens of a prompt that are read in one pass
LOADING = 600 << 20  # room to put one layer's experts in order, and what the libraries take for themselves

_ROUNDED = (".self_attn.", ".mlp.", ".self_conditioning.")


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How a model will lie in memory. All in bytes.

    Attributes:
        is_lean: see the module.
        context: tokens of prompt and canvas together.
        chunk: tokens of a prompt that are read in one pass.
        weights: on the card.
        cache: keys and values, and one snapshot of them.
        work: of a pass.
        in_main_memory: weights that wait there.
    """

    is_lean: bool
    context: int
    chunk: int
    weights: int
    cache: int
    work: int
    in_main_memory: int

    @property
    def needed(self) -> int:
        """On the card, all together."""
        return self.weights + self.cache + self.work

    def describe(self) -> str:
        """One sentence for people."""
        parts = (
            f"{self.needed / GIB:.1f} GiB: {self.weights / GIB:.1f} for weights, {self.cache / GIB:.1f} for a context "
            f"of {self.context:,} tokens, {self.work / GIB:.1f} to work in"
        )
        if not self.is_lean:
            return parts
        return f"{parts}; attention and dense layers in 8 bits, the part that sees waits in the main memory"


def sliding_slots(model: Architecture, context: int, chunk: int) -> int:
    """Slots of a sliding layer: a window, a chunk that may end with a whole image, and a canvas."""
    return min(context, model.window - 1 + chunk + LONGEST_IMAGE + model.canvas_length)


def plan_memory(
    model: Architecture, entries: Mapping[str, TensorEntry], *, is_lean: bool, context: int, width: int = 2
) -> MemoryPlan:
    """The plan for a context of so many tokens; numbers that aren't packed take `width` bytes each."""
    seeing = sum(one.elements * width for name, one in entries.items() if name.startswith(VISION))
    weights = 0
    for name, one in entries.items():
        if name.startswith(VISION):
            continue
        is_rounded = is_lean and len(one.shape) == 2 and any(part in name for part in _ROUNDED)
        is_expert = ".experts." in name
        weights += one.bytes if is_expert else one.elements * (1 if is_rounded else width)
    chunk = LEAN_CHUNK if is_lean else CHUNK
    slots = sliding_slots(model, context, chunk)
    cache = sum(_cache_bytes(model, layer, slots if slides else context, width)
                for layer, slides in enumerate(model.is_sliding))  # fmt: skip
    kept = min(model.window, context)
    cache += sum(_cache_bytes(model, layer, kept, width) for layer, slides in enumerate(model.is_sliding) if slides)
    rows = max(chunk + LONGEST_IMAGE, model.canvas_length) * model.experts_used
    sorted_rows = rows * (2 * model.hidden + 3 * model.expert_width) * width
    logits = model.canvas_length * model.vocab_size * width
    return MemoryPlan(
        is_lean=is_lean,
        context=context,
        chunk=chunk,
        weights=weights + (0 if is_lean else seeing),
        cache=cache,
        work=LOADING + logits + sorted_rows,
        in_main_memory=seeing if is_lean else 0,
    )


def choose_plan(
    model: Architecture, entries: Mapping[str, TensorEntry], free: int, context: int, is_lean: bool | None
) -> MemoryPlan:
    """The roomiest plan that fits `free` bytes, else the smallest there is, which doesn't.

    `context` 0 chooses one; `is_lean` None too: whole is preferred to long, long enough to lean.
    """
    most = model.context_length
    wanted = (
        [min(context, most)] if context else [min(one, most) for one in (USUAL_CONTEXT, 16_384, 8192, LEAST_CONTEXT)]
    )
    ways = (False, True) if is_lean is None else (is_lean,)
    plans = [plan_memory(model, entries, is_lean=way, context=one) for way in ways for one in wanted]
    return next((one for one in plans if one.needed <= free * USABLE), plans[-1])


def _cache_bytes(model: Architecture, layer: int, slots: int, width: int) -> int:
    return 2 * slots * model.kv_heads[layer] * model.head_dim_of(layer) * width
