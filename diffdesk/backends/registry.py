"""Backends by name. Each is imported only when a model is loaded with it.

The module itself imports no model library, so a window or a command line may ask it for names and for a choice.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

from diffdesk.backends.checkpoint import CheckpointFacts, inspect_checkpoint
from diffdesk.backends.gguf.model_file import GgufFacts, inspect_gguf
from diffdesk.backends.model_location import is_gguf, locate_model
from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import CheckpointError, EngineError
from diffdesk.core.requests import ModelSpec

Progress = Callable[[str, float], None]

ModelFacts = CheckpointFacts | GgufFacts
TRANSFORMERS, GGUF = "transformers", "gguf"


@dataclass(frozen=True, slots=True)
class _Backend:
    """Where a backend is, the libraries it can't do without, and how they are installed."""

    loader: str
    libraries: tuple[str, ...]
    remedy: str


_BACKENDS: Mapping[str, _Backend] = {
    GGUF: _Backend(
        "diffdesk.backends.ggml.loading", ("llama_cpp",), "Install it with: pip install llama-cpp-python==0.3.36."
    ),
    TRANSFORMERS: _Backend(
        "diffdesk.backends.transformers_backend.loading",
        ("torch", "transformers", "safetensors", "accelerate"),
        "Install it with: pip install 'diffdesk[gpu]', or choose a GGUF file, which needs nothing more.",
    ),
}


class _Loader(Protocol):
    """What the module of a backend offers."""

    def load(self, spec: ModelSpec, progress: Progress) -> Denoiser: ...


def names() -> tuple[str, ...]:
    """The backends there are."""
    return tuple(_BACKENDS)


def is_installed(name: str) -> bool:
    """Whether the libraries of a backend can be found; they are not imported."""
    return all(importlib.util.find_spec(one) is not None for one in _BACKENDS[name].libraries)


def inspect_model(path: Path) -> ModelFacts:
    """Read what the folder or file at `path` says of itself; raises `CheckpointError` where it can't be used."""
    found = locate_model(path)
    return inspect_gguf(found) if is_gguf(found) else inspect_checkpoint(found)


def choose(spec: ModelSpec) -> str:
    """The backend for a model: the one asked for, else the one that fits what lies at its path.

    Raises `CheckpointError` where there is none of that name or nothing here can load the path.
    """
    if spec.backend:
        if spec.backend not in _BACKENDS:
            raise CheckpointError(
                f"There is no backend called “{spec.backend}”",
                f"This version has: {', '.join(_BACKENDS)}.",
                "Leave the backend empty to let DiffDesk choose.",
            )
        return spec.backend
    return GGUF if isinstance(inspect_model(spec.path), GgufFacts) else TRANSFORMERS


def load(spec: ModelSpec, progress: Progress) -> Denoiser:
    """Load a model. `progress(stage, share)` says in a few words what is done, and how much of that, 0…1.

    Raises `CheckpointError` where the model can't be used and `EngineError` where the machine can't run it.
    """
    backend = _BACKENDS[choose(spec)]
    progress("Starting the model library", 0.0)
    try:
        module = cast(_Loader, importlib.import_module(backend.loader))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "diffdesk":
            raise
        raise EngineError(
            "The model library is not installed",
            f"This installation of DiffDesk lacks {error.name}.",
            backend.remedy,
        ) from error
    return module.load(replace(spec, path=locate_model(spec.path)), progress)
