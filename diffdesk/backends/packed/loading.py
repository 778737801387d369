"""From a packed folder to a `PackedDenoiser`: checked, planned, streamed to the device, made ready."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaConfig

from diffdesk.backends.checkpoint import TOKENIZER_FILE, CheckpointFacts, reading_explained
from diffdesk.backends.checkpoint_config import read_json
from diffdesk.backends.gguf.conversion_config import rope_factors
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.image_patches import ImageReader
from diffdesk.backends.packed.assembly import Storage
from diffdesk.backends.packed.cache import Room, StaticCache
from diffdesk.backends.packed.denoiser import PackedDenoiser, PackedModel
from diffdesk.backends.packed.layout import VISION, PackedLayout
from diffdesk.backends.packed.network import Frequencies, Network
from diffdesk.backends.packed.operators import Operators, PlainOperators
from diffdesk.backends.packed.placement import PackedPlacement, place_packed
from diffdesk.backends.packed.plan import GIB
from diffdesk.backends.packed.step import Stepper
from diffdesk.backends.packed.streaming import stream
from diffdesk.backends.packed.vision import VisionTower
from diffdesk.backends.transformers_backend.failures import memory_errors_explained
from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.denoiser import Capabilities
from diffdesk.core.requests import ModelSpec

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
ImageReaders = Callable[[DiffusionGemmaConfig], ImageReader | str]

READING, READY = "Reading the weights", "Getting ready"


def load_packed(
    spec: ModelSpec,
    facts: CheckpointFacts,
    layout: PackedLayout,
    images: Callable[[DiffusionGemmaConfig], ImageReader | str],
    progress: Progress,
) -> PackedDenoiser:
    """Load the folder of `facts`, which holds `layout`. `progress(stage, share)` is called often and may stop it.

    `images` gives what prepares images for the tower of a configuration, or why nothing does. Raises what its parts
    raise: `CheckpointError`, `EngineError`, `SettingError`.
    """
    tokenizer = FastTokenizer(facts.path / TOKENIZER_FILE, facts.vocab_size)
    placement = place_packed(spec, facts, layout)
    log.info("memory: %s", placement.plan.describe())
    config = DiffusionGemmaConfig(**_without_packing(read_json(facts.path / "config.json")))
    reader = images(config)
    sees = not isinstance(reader, str)
    seeing = {name: one for name, one in facts.entries.items() if name.startswith(VISION)}
    tower = VisionTower(config, seeing) if sees else None
    with memory_errors_explained("load this model"), torch.inference_mode():
        storage = Storage(layout, facts.entries, placement, sees=sees)
        reading = f"{READING}: {placement.plan.needed / GIB:.1f} GiB in all on {placement.text}"
        with reading_explained(facts.path):
            stream(facts.path, facts.entries, storage.targets, lambda share: progress(reading, share))
        network = _network(layout.architecture, storage, placement, progress)
        frequencies = _frequencies(facts, layout.architecture, placement.device)
        stepper = Stepper(network, frequencies, records=_records(placement, network))
        if tower is not None:
            tower.fill(storage.tower, placement.device, stays=not placement.plan.is_lean)
    model = PackedModel(
        network=network,
        frequencies=frequencies,
        stepper=stepper,
        chunk=placement.plan.chunk,
        tower=tower,
        images=None if isinstance(reader, str) else reader,
        placeholder=int(config.image_token_id),
        sees_both_ways=config.text_config.use_bidirectional_attention == "vision",
        planned=placement.plan.needed,
    )
    denoiser = PackedDenoiser(model, tokenizer, facts.defaults, _capabilities(facts, placement, reader))
    if placement.device.type == "cuda":
        _warm(denoiser, progress)
    progress(READY, 1.0)
    return denoiser


def _without_packing(config: Mapping[str, object]) -> dict[str, object]:
    """config.json as transformers may see it: what it doesn't know of is left out."""
    return {key: value for key, value in config.items() if key != "quantization_config"}


def _network(model: Architecture, storage: Storage, placement: PackedPlacement, progress: Progress) -> Network:
    """The network over what was streamed; its experts are put in order layer by layer."""

    def made(layer: int) -> None:
        progress(READY, layer / (model.layers + 1))

    weights = storage.assemble(made)
    room = Room(placement.plan.context, placement.plan.chunk, placement.snapshot_bytes)
    cache = StaticCache(model, room, placement.dtype, placement.device)
    return Network(model, weights, _operators(model, placement), cache)


def _operators(model: Architecture, placement: PackedPlacement) -> Operators:
    """The fused ones where Triton is, which on Windows is a package of its own."""
    if placement.device.type == "cuda":
        try:
            from diffdesk.backends.packed.fused import FusedOperators
        except ImportError as error:
            log.warning("no fused operators: %s", error)
        else:
            return FusedOperators(model.epsilon, placement.device)
    return PlainOperators(model.epsilon)


def _records(placement: PackedPlacement, network: Network) -> bool:
    """Only what never waits for the device can be recorded."""
    waits = isinstance(network.operators, PlainOperators) or network.weights.layers[0].experts.waits
    return placement.device.type == "cuda" and not waits


def _frequencies(facts: CheckpointFacts, model: Architecture, device: torch.device) -> Frequencies:
    factors = torch.tensor(rope_factors(read_json(facts.path / "config.json"), model), dtype=torch.float64)
    return Frequencies(
        _turns(model.rope_base, model.head_dim, factors).to(device),
        _turns(model.rope_base_sliding, model.head_dim_sliding, torch.ones(1, dtype=torch.float64)).to(device),
    )


def _turns(base: float, width: int, factors: Tensor) -> Tensor:
    """float32[width / 2]: base^(−2i / width), divided by factors."""
    pairs = torch.arange(0, width, 2, dtype=torch.float64)
    return (base ** (-pairs / width) / factors).float()


def _capabilities(facts: CheckpointFacts, placement: PackedPlacement, reader: ImageReader | str) -> Capabilities:
    return Capabilities(
        backend="transformers",
        parameters=facts.parameters,
        canvas_length=facts.canvas_length,
        context_length=placement.plan.context,
        can_see_images=not isinstance(reader, str),
        why_no_images=reader if isinstance(reader, str) else "",
        can_warm_start=True,
        device=placement.text,
        precision="NVFP4, lean" if placement.plan.is_lean else "NVFP4",
    )


def _warm(denoiser: PackedDenoiser, progress: Progress) -> None:
    """Have kernels compiled and a whole canvas's step recorded, so that the first answer doesn't wait for that."""
    progress("Preparing kernels; the first time they are compiled", 0.0)
    denoiser.rehearse()
