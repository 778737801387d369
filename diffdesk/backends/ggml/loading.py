"""From a GGUF file to a `GgufDenoiser`: checked, placed, mapped; nothing is converted, and no network is asked."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import psutil

# Read when the library is loaded. Threads that wait for each other spin only briefly: see the Transformers backend.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from diffdesk.backends.ggml.check import check_library
from diffdesk.backends.ggml.denoiser import GgufDenoiser, Manner
from diffdesk.backends.ggml.devices import Card, Device, find_cards
from diffdesk.backends.ggml.memory import Memory
from diffdesk.backends.ggml.placement import GIB, PICTURE, Machine, Placement, place
from diffdesk.backends.ggml.plans import Parts, Plans, State
from diffdesk.backends.ggml.soft_tokens import ImageTokens
from diffdesk.backends.ggml.tokenizer import GgufTokenizer, load_tokenizer
from diffdesk.backends.ggml.turned import TurnedEmbedding
from diffdesk.backends.ggml.vision import open_vision
from diffdesk.backends.ggml.weights import Weights
from diffdesk.backends.gguf.layout import BOTH_WAYS, IMAGE_ATTENTION_KEY
from diffdesk.backends.gguf.model_file import GgufFacts, inspect_gguf
from diffdesk.backends.gguf.reader import map_parts
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.threads import asked_threads, free_threads, usable_cores
from diffdesk.core.denoiser import Capabilities
from diffdesk.core.errors import EngineError, SettingError, UserError
from diffdesk.core.requests import ModelSpec

log = logging.getLogger(__name__)

CARD_VARIABLE = "DIFFDESK_CARD_GIB"  # most memory that is taken of a graphics card
CPU_REFRESH = 8  # full steps on a processor: see tests/bench/NOTES.md
NO_PROJECTOR = (
    "This file can't see images. A GGUF model sees with a second file, whose name begins with mmproj; none lies "
    "beside this one."
)

Progress = Callable[[str, float], None]


def load(spec: ModelSpec, progress: Progress, *, cache: TensorType | None = None) -> GgufDenoiser:
    """Load the file `spec.path`. `progress(stage, share)` is called often and may raise `Cancelled`.

    `cache` is the number format of keys and values; None chooses, see `placement.place`.
    Raises `CheckpointError`, `EngineError` or `SettingError` as the parts that it calls do.
    """
    if spec.precision != "auto":
        raise SettingError(
            f"Precision can't be “{spec.precision}”", "A GGUF file has its number format already.", "Leave it at auto."
        )
    for name, number in (("Context", spec.context), ("Self-conditioning", spec.conditioning)):
        if number < 0:
            raise SettingError(f"{name} can't be {number}", "It is a number of tokens, 0 for all.", "Leave it out.")
    progress("Checking the file", 0.0)
    facts = inspect_gguf(spec.path)
    check_library()
    progress("Reading the vocabulary", 0.0)
    tokenizer = load_tokenizer(facts)
    placement, device = _placed(spec, facts, cache)
    progress("Getting ready", 0.0)
    mapped = map_parts(facts.file)
    opened: list[Callable[[], None]] = [device.close]
    try:
        weights = Weights(
            device, facts.tensors, mapped, placement.of, partial(progress, "Copying to the graphics card")
        )
        opened.append(weights.close)
        images, why_not = _eyes(facts, device)
        if images is not None:
            opened.append(images.close)
        memory = Memory(
            facts.architecture,
            device,
            int(placement.cache),
            placement.context,
            placement.chunk + (0 if images is None else max(PICTURE, images.most_tokens)),
            placement.layers,
        )
        opened.append(memory.close)
        state = State(facts.architecture, device, placement.ends)
        opened.append(state.close)
        parts = Parts(facts.architecture, device, weights, memory, state)
        if placement.turns:
            told = partial(progress, "Turning the embedding")
            turned = TurnedEmbedding(facts.architecture, device, parts.network, placement.ends, told)
            opened.append(turned.close)
            parts = replace(parts, turned=turned)
    except BaseException:
        for close in reversed(opened):
            close()
        raise
    able = Capabilities(
        backend="gguf",
        parameters=facts.parameters,
        canvas_length=facts.canvas_length,
        context_length=placement.context,
        can_see_images=images is not None,
        why_no_images=why_not,
        can_warm_start=True,
        device=placement.text,
        precision=facts.precision,
        can_step_rows=True,
    )
    progress("Getting ready", 1.0)
    manner = _manner(facts, placement, able, tokenizer)
    return GgufDenoiser(parts, Plans(parts), tokenizer, images, replace(manner, top=spec.conditioning))


def _placed(spec: ModelSpec, facts: GgufFacts, cache: TensorType | None) -> tuple[Placement, Device]:
    card = _card(spec.device)
    machine = Machine(psutil.virtual_memory().available, asked_threads() or usable_cores(), card)
    sizes: Mapping[str, int] = {name: one.bytes for name, one in facts.tensors.items()}
    # Whoever keeps a file in float32 wants to compare numbers.
    if cache is None and all(one.kind is TensorType.F32 for one in facts.tensors.values()):
        cache = TensorType.F32
    placement = place(facts.architecture, sizes, machine, context=spec.context, cache=cache)
    return placement, Device(free_threads(), card if placement.uses_card else None)


def _card(wanted: str) -> Card | None:
    """The card to use: the one with the most free memory, None for the processor alone."""
    if wanted not in ("auto", "cpu", "gpu", "cuda"):
        raise SettingError(f"Device can't be “{wanted}”", "It is auto, cpu or gpu for a GGUF file.", "Choose one.")
    if wanted == "cpu":
        return None
    cards = [_limited(one) for one in find_cards()]
    if not cards and wanted != "auto":
        raise EngineError(
            "No graphics card can be used",
            "llama-cpp-python as it is installed here was built for the processor alone, or found no card.",
            "Choose the device “auto” or “cpu”, or build it for your card (CUDA, Vulkan or Metal).",
        )
    return max(cards, key=lambda one: one.free, default=None)


def _limited(card: Card) -> Card:
    """The card, with no more memory than `CARD_VARIABLE` leaves to it."""
    asked = os.environ.get(CARD_VARIABLE, "")
    try:
        return replace(card, free=min(card.free, int(float(asked) * GIB))) if asked else card
    except ValueError:
        raise SettingError(
            f"{CARD_VARIABLE} can't be “{asked}”", "It is a number of GiB, such as 6.", "Correct or unset it."
        ) from None


def _eyes(facts: GgufFacts, device: Device) -> tuple[ImageTokens | None, str]:
    """What reads images, or why nothing does."""
    if facts.projector is None:
        return None, NO_PROJECTOR
    try:
        return ImageTokens(open_vision(device, facts.projector, facts.architecture.hidden)), ""
    except UserError as error:
        log.warning("%s: %s", facts.projector, error)
        return None, f"This model can't see images here: {error.text}"


def _manner(facts: GgufFacts, placement: Placement, able: Capabilities, tokenizer: GgufTokenizer) -> Manner:
    placeholder = tokenizer.special_id("<|image|>")
    refresh = 1 if placement.uses_card else CPU_REFRESH
    return Manner(
        capabilities=able,
        defaults=replace(facts.defaults, refresh=refresh),
        chunk=placement.chunk,
        placeholder=-1 if placeholder is None else placeholder,
        sees_both_ways=facts.metadata.get(IMAGE_ATTENTION_KEY, BOTH_WAYS) == BOTH_WAYS,
    )
