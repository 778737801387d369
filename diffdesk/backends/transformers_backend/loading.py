"""From a folder to a `TransformersDenoiser`: checked, placed, read without network, remote code or pickle."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# These are read when torch and transformers are imported. Nothing in this process ever asks a network.
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
# Pieces of a card's memory that can grow fit together better than ones of fixed size. Not made for Windows.
if os.name != "nt":
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
# Threads that wait for each other spin only briefly. By default they spin for milliseconds, which is no faster on a
# machine at rest and took five times as long for a step (700 against 134 ms) on two cores that others use as well.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaConfig
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion
from transformers.utils import logging as transformers_logging

from diffdesk.backends.checkpoint import TOKENIZER_FILE, CheckpointFacts, inspect_checkpoint
from diffdesk.backends.image_patches import ImageReader, read_settings
from diffdesk.backends.packed.denoiser import PackedDenoiser
from diffdesk.backends.packed.loading import load_packed
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.backends.transformers_backend.failures import is_memory_error, memory_errors_explained
from diffdesk.backends.transformers_backend.placement import Placement, place
from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.denoiser import Capabilities
from diffdesk.core.errors import Cancelled, CheckpointError, UserError
from diffdesk.core.requests import ModelSpec

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]

READING = "Reading the weights"


def load(spec: ModelSpec, progress: Progress) -> TransformersDenoiser | PackedDenoiser:
    """Load the folder `spec.path`. `progress(stage, share)` is called often and may raise `Cancelled`.

    Raises `CheckpointError`, `EngineError` or `SettingError` as the parts that it calls do.
    """
    progress("Checking the folder", 0.0)
    facts = inspect_checkpoint(spec.path)
    if facts.layout is not None:
        return load_packed(spec, facts, facts.layout, lambda config: _image_reader(facts, config), progress)
    tokenizer = FastTokenizer(facts.path / TOKENIZER_FILE, facts.vocab_size)
    placement = place(spec, facts)
    progress(READING, 0.0)
    with memory_errors_explained("load this model"):
        model = read_model(facts.path, placement, progress)
    progress("Getting ready", 0.0)
    images = _image_reader(facts, model.config)
    sees = not isinstance(images, str)
    capabilities = Capabilities(
        backend="transformers",
        parameters=facts.parameters,
        canvas_length=facts.canvas_length,
        context_length=facts.context_length,
        can_see_images=sees,
        why_no_images="" if sees else str(images),
        can_warm_start=True,
        device=placement.text,
        precision=str(placement.dtype).removeprefix("torch."),
    )
    progress("Getting ready", 1.0)
    reader = None if isinstance(images, str) else images
    return TransformersDenoiser(model, tokenizer, reader, facts.defaults, capabilities)


def read_model(path: Path, placement: Placement, progress: Progress) -> DiffusionGemmaForBlockDiffusion:
    """The weights of a checked folder, in evaluation mode; raises `CheckpointError` where they don't fit the model."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with _weights_counted(progress):
            model, found = DiffusionGemmaForBlockDiffusion.from_pretrained(
                str(path),
                local_files_only=True,
                use_safetensors=True,
                dtype=placement.dtype,
                device_map=None if placement.device_map is None else dict(placement.device_map),
                attn_implementation="sdpa",
                # On CPUs 7 times faster than batched_mm and 100 times faster than eager; on an H200 7 and 14 times.
                experts_implementation="grouped_mm",
                output_loading_info=True,
            )
    except (Cancelled, UserError):
        raise
    except Exception as error:  # whatever a wrong configuration makes the library stumble over
        if is_memory_error(error):
            raise
        log.exception("loading %s failed", path)
        raise CheckpointError(
            "The model can't be loaded",
            "Its configuration and its weights don't fit together.",
            "Download the folder again, or choose another one.",
            f"{type(error).__name__}: {error}",
        ) from error
    _require_all(found)
    model.eval()
    model.requires_grad_(False)
    return model


def _require_all(found: Mapping[str, Iterable[str]]) -> None:
    """Raise `CheckpointError` if a tensor was missing (it would be random) or left over (another model's)."""
    for kind, what in (("missing_keys", "are missing"), ("unexpected_keys", "belong to another model")):
        names = sorted(str(one) for one in found.get(kind, ()))
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise CheckpointError(
                "The weights don't fit the model",
                f"{len(names)} tensors {what}: {shown}.",
                "Download the folder again, or choose another one.",
                "\n".join(names),
            )


@contextmanager
def _weights_counted(progress: Progress) -> Iterator[None]:
    """Report how many of the tensors are read, through the hook that transformers has for its progress bar."""

    def hook(factory: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        items = args[0] if args else None
        if kwargs.get("desc") == "Loading weights" and isinstance(items, Iterable):
            return _counted(list(items), progress)
        return factory(*args, **kwargs)

    before = transformers_logging.set_tqdm_hook(hook)
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(before)


def _counted(items: list[object], progress: Progress) -> Iterator[object]:
    every = max(1, len(items) // 100)
    for index, item in enumerate(items):
        if index % every == 0:
            progress(READING, index / len(items))
        yield item
    progress(READING, 1.0)


def _image_reader(facts: CheckpointFacts, config: DiffusionGemmaConfig) -> ImageReader | str:
    """The reader of images, or why there is none."""
    if not facts.can_see_images:
        return facts.why_no_images
    vision = config.vision_config
    try:
        settings = read_settings(facts.path, vision.position_embedding_size)
    except (OSError, CheckpointError) as error:
        log.warning("preparation of images of %s: %s", facts.path, error)
        return "The model's folder describes the preparation of images in a way that is not understood."
    if (settings.patch, settings.pooling) != (vision.patch_size, vision.pooling_kernel_size):
        return "The model's folder describes the preparation of images for another model."
    return ImageReader(settings)
