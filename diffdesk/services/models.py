"""Which model to use, and whether it can be used at all, before anything is loaded. Imports no model library."""

from __future__ import annotations

from pathlib import Path

from diffdesk.backends import registry
from diffdesk.backends.checkpoint import SINGLE_FILE
from diffdesk.backends.ggml.placement import LEAST_CONTEXT, cache_bytes, work_bytes
from diffdesk.backends.gguf.model_file import GgufFacts
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.model_location import locate_model, plain_name
from diffdesk.core.errors import CheckpointError, UserError
from diffdesk.core.requests import ModelSpec
from diffdesk.models.hardware import look_at_hardware
from diffdesk.models.profile import read_profile
from diffdesk.paths import starter_dir
from diffdesk.services.choice import packed_warning

STARTER_FILE = "starter-q8_0.gguf"
_HEADROOM = 1.25  # a loaded model takes its weights, and working memory beside them


def starter_model() -> Path:
    """The starter model: its GGUF file, or its folder where only the library for that is here."""
    folder = starter_dir()
    file = folder / STARTER_FILE
    runs_folder = registry.is_installed(registry.TRANSFORMERS) and (folder / SINGLE_FILE).is_file()
    return file if file.is_file() and (registry.is_installed(registry.GGUF) or not runs_folder) else folder


def spec_of(path: Path | None) -> ModelSpec:
    """How to load a folder or a GGUF file, None meaning the starter model.

    Raises `CheckpointError` if it can't be loaded.
    """
    found = locate_model(starter_model() if path is None else path.expanduser().absolute())
    registry.inspect_model(found)
    read_profile(found)
    return ModelSpec(found)


def name_of(path: Path | None) -> str:
    """What to call a model before it is loaded: reads a few bytes at most, so that a window may ask."""
    if path is None:
        return "Starter"
    try:
        return (read_profile(path).name if path.is_dir() else "") or plain_name(path)
    except UserError:
        return plain_name(path)


def memory_warning(path: Path) -> CheckpointError | None:
    """A warning where a model needs more memory than is free; None where it fits."""
    import psutil  # 40 ms that the window's start does not have to wait for

    facts = registry.inspect_model(path)
    free = psutil.virtual_memory().available
    if isinstance(facts, GgufFacts):
        return _mapped_warning(facts, free)
    if facts.layout is not None:
        return packed_warning(facts, facts.layout, look_at_hardware().cards, free)
    needed = int(facts.bytes * _HEADROOM)
    if needed <= free:
        return None
    return CheckpointError(
        "This model may not fit the memory",
        f"It needs about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free.",
        "Close other programs, or choose a smaller model. A large graphics card may still hold it.",
    )


def _mapped_warning(facts: GgufFacts, free: int) -> CheckpointError | None:
    """The weights of a GGUF file stay in it and take memory as they are used; the rest is needed in any case."""
    model = facts.architecture
    caches = sum(cache_bytes(model, TensorType.F16, LEAST_CONTEXT, layer) for layer in range(model.layers))
    needed = facts.bytes + work_bytes(model) + caches
    if needed <= free:
        return None
    return CheckpointError(
        "This model may not fit the memory",
        f"It needs about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free. Its weights stay in the file, "
        "so it may open, but what has no room in memory is read from the disk again for every step, which is slow.",
        "Close other programs, or choose a smaller file of the model.",
    )
