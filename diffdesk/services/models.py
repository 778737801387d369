"""Which model to use, and whether it can be used at all, before anything is loaded. Knows nothing of torch."""

from __future__ import annotations

from pathlib import Path

from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.core.errors import CheckpointError, UserError
from diffdesk.core.requests import ModelSpec
from diffdesk.models.profile import read_profile
from diffdesk.paths import starter_dir

_HEADROOM = 1.25  # a loaded model takes its weights, and working memory beside them


def spec_of(path: Path | None, *, device: str = "auto", precision: str = "auto") -> ModelSpec:
    """How to load a folder, None meaning the starter model; raises `CheckpointError` if it can't be loaded."""
    folder = starter_dir() if path is None else path.expanduser().absolute()
    inspect_checkpoint(folder)
    read_profile(folder)
    return ModelSpec(folder, device=device, precision=precision)


def name_of(path: Path | None) -> str:
    """What to call a model before it is loaded."""
    if path is None:
        return "Starter"
    try:
        return read_profile(path).name or path.name
    except UserError:
        return path.name


def memory_warning(path: Path) -> CheckpointError | None:
    """A warning where the weights alone are larger than the memory that is free; None where they fit."""
    import psutil  # 40 ms that the window's start does not have to wait for

    facts = inspect_checkpoint(path)
    free = psutil.virtual_memory().available
    needed = int(facts.bytes * _HEADROOM)
    if needed <= free:
        return None
    return CheckpointError(
        "This model may not fit the memory",
        f"It needs about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free.",
        "Close other programs, or choose a smaller model. A large graphics card may still hold it.",
    )
