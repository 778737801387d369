"""Backends by name. Each is imported only when a model is loaded with it.

The module itself imports no model library, so a window or a command line may ask it for names and for a choice.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import CheckpointError, EngineError
from diffdesk.core.requests import ModelSpec

Progress = Callable[[str, float], None]

_LOADERS: Mapping[str, str] = {"transformers": "diffdesk.backends.transformers_backend.loading"}


class _Loader(Protocol):
    """What the module of a backend offers."""

    def load(self, spec: ModelSpec, progress: Progress) -> Denoiser: ...


def names() -> tuple[str, ...]:
    """The backends there are."""
    return tuple(_LOADERS)


def choose(spec: ModelSpec) -> str:
    """The backend for a model: the one asked for, else the one that fits what lies at its path.

    Raises `CheckpointError` where there is none of that name or nothing here can load the path.
    """
    if spec.backend:
        if spec.backend not in _LOADERS:
            raise CheckpointError(
                f"There is no backend called “{spec.backend}”",
                f"This version has: {', '.join(_LOADERS)}.",
                "Leave the backend empty to let DiffDesk choose.",
            )
        return spec.backend
    inspect_checkpoint(spec.path)
    return "transformers"


def load(spec: ModelSpec, progress: Progress) -> Denoiser:
    """Load a model. `progress(stage, share)` says in a few words what is done, and how much of that, 0…1.

    Raises `CheckpointError` where the model can't be used and `EngineError` where the machine can't run it.
    """
    chosen = choose(spec)
    progress("Starting the model library", 0.0)
    try:
        module = cast(_Loader, importlib.import_module(_LOADERS[chosen]))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "diffdesk":
            raise
        raise EngineError(
            "The model library is not installed",
            f"This installation of DiffDesk lacks {error.name}.",
            "Install it with: pip install 'diffdesk[gpu]'.",
        ) from error
    return module.load(spec, progress)
