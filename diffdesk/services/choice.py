"""Which form of the model to use on which machine, in words; and whether a packed folder fits a card. Loads nothing."""

from __future__ import annotations

from collections.abc import Sequence

from diffdesk.backends.checkpoint import CheckpointFacts
from diffdesk.backends.packed.layout import PackedLayout
from diffdesk.backends.packed.plan import GIB, USABLE, choose_plan, plan_memory
from diffdesk.core.errors import CheckpointError
from diffdesk.models.hardware import GraphicsCard

# Bytes of a card from which the packed (NVFP4) folder is the best choice, whole and lean; cards sold with so much may
# say a little less.
WHOLE_CARD, LEAN_CARD = 24 * 10**9, 18 * 10**9
PLAIN_CARD = 64 * 10**9  # from which, over all cards, the uncompressed folder fits
NEARLY = 0.95
ADD_TORCH = "pip install 'diffdesk[gpu]'"

_GGUF = (
    "a GGUF file runs on ggml, which reads its weights where they lie in the file: the full model as Q4_K_M takes "
    "about 19 GB of memory"
)
_OTHERWISE = (
    "What is opened decides: any form can be opened on any machine, and --device and --precision of the command line "
    "choose where it runs."
)


def describe_choice(cards: Sequence[GraphicsCard], *, has_torch: bool) -> str:
    """One paragraph: which form of the full model is best on a machine with these NVIDIA cards, and why."""
    best = max(cards, key=lambda card: card.memory, default=None)
    torch = "" if has_torch else f" (needs torch, which is not installed: {ADD_TORCH})"
    if best is not None and best.memory >= NEARLY * LEAN_CARD:
        lean = best.memory < NEARLY * WHOLE_CARD
        how = (
            "lean: attention and dense layers in 8 bits and the part that sees images in main memory until one comes, "
            "about 17 GiB"
            if lean
            else "about 19 GiB with a context of 8,192 tokens; --precision int8 makes do with 17"
        )
        plain = ""
        if sum(card.memory for card in cards) >= NEARLY * PLAIN_CARD:
            plain = (
                " The uncompressed folder (bfloat16, 52 GB) fits as well; it is several times slower and a little "
                "more exact."
            )
        return (
            f"The NVFP4 folder{torch}, for {best.name} has {best.memory / GIB:.0f} GiB. DiffDesk multiplies by its "
            f"4-bit weights as they are, {how}: the fastest way to run the full model on one card.{plain} Where no "
            f"folder is at hand, {_GGUF}. {_OTHERWISE}"
        )
    small = "its NVIDIA card has less than 18 GB" if best is not None else "it has no NVIDIA card"
    return (
        f"GGUF, for this machine has only a processor to rely on: {small}. There {_GGUF}, a third of what it takes in "
        f"bfloat16; a build of llama-cpp-python for a card puts as much of it there as fits. {_OTHERWISE}"
    )


def packed_warning(
    facts: CheckpointFacts, layout: PackedLayout, cards: Sequence[GraphicsCard], free_memory: int
) -> CheckpointError | None:
    """A warning where a packed folder won't run well on this machine; None where it will. Memory in bytes."""
    model, entries = layout.architecture, facts.entries
    best = max(cards, key=lambda card: card.free, default=None)
    if best is None:
        plan = plan_memory(model, entries, is_lean=False, context=min(4096, model.context_length), width=4)
        if plan.needed <= free_memory // 8:  # a toy, which is quick anywhere
            return None
        return CheckpointError(
            "This model wants a graphics card",
            "Its weights are packed for NVIDIA cards of 18 GB and more, and none was found. On the processor it takes "
            f"{plan.needed / GIB:.1f} GiB of memory ({free_memory / GIB:.1f} are free) and minutes for each step.",
            "Choose the GGUF file of this model, which is made for processors and small cards.",
        )
    plan = choose_plan(model, entries, best.free, 0, None)
    if plan.needed <= best.free * USABLE:
        return None
    return CheckpointError(
        "This model may not fit the graphics card",
        f"At the least it takes {plan.describe()}. {best.free / GIB:.1f} GiB are free on {best.name}.",
        "Close other programs that use the card, or choose the GGUF file of this model.",
    )
