"""Tiny random models twice: by transformers, and as GGUF files in float32 on ggml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.backends.ggml import loading
from diffdesk.backends.ggml.denoiser import GgufDenoiser
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.registry import load
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.denoiser import Prompt, StepResult
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.parity import Ids, Run, follow
from tests.unit.backends.tiny import Shape, save


def silent(_stage: str, _share: float) -> None:
    """Progress that nobody looks at."""


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True)
class Pair:
    """A model by both backends."""

    theirs: TransformersDenoiser
    ours: GgufDenoiser


def open_gguf(file: Path, context: int = 0, cache: TensorType | None = None) -> GgufDenoiser:
    """A file by the loader that a user's file goes through; `cache` is the number format of keys and values."""
    return loading.load(ModelSpec(file, device="cpu", context=context), silent, cache=cache)


def open_folder(folder: Path) -> TransformersDenoiser:
    """A folder by the loader that a user's folder goes through."""
    denoiser = load(ModelSpec(folder, device="cpu", precision="float32"), silent)
    assert isinstance(denoiser, TransformersDenoiser)
    return denoiser


def as_gguf(folder: Path, into: Path, kind: str = "f32", *, sees: bool = False) -> Path:
    """The model in a folder as a file, with the part that sees beside it where it has one."""
    into.mkdir(exist_ok=True)
    file = into / f"model-{kind}.gguf"
    if sees:
        convert(folder, file, kind, silent, mmproj=into / "mmproj-model.gguf", mmproj_kind="f32")
    else:
        convert(folder, file, kind, silent)
    return file


class Opened:
    """Opens tiny models on ggml, each time anew; the files are made once."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._files: dict[str, Path] = {}
        self._open: list[GgufDenoiser] = []

    def __call__(self, shape: Shape, cache: TensorType = TensorType.F32) -> GgufDenoiser:
        if shape.name not in self._files:
            folder = save(shape, self._folders.mktemp(shape.name))
            self._files[shape.name] = as_gguf(folder, self._folders.mktemp(shape.name))
        made = open_gguf(self._files[shape.name], cache=cache)
        self._open.append(made)
        return made

    def close(self) -> None:
        for one in self._open:
            one.close()


class Recorded:
    """A denoiser that notes every canvas which goes into a step; all else is the denoiser's own."""

    def __init__(self, inner: GgufDenoiser) -> None:
        self._inner = inner
        self.fed: list[Ids] = []
        self.capabilities, self.defaults, self.tokenizer = inner.capabilities, inner.defaults, inner.tokenizer
        self.image_tokens, self.prefill, self.start_canvas = inner.image_tokens, inner.prefill, inner.start_canvas
        self.step_rows, self.commit, self.close = inner.step_rows, inner.commit, inner.close

    def step(self, canvas: Ids, temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0) -> StepResult:
        self.fed.append(canvas.copy())
        return self._inner.step(canvas, temperature, uniforms, alternatives)


def run_gguf(denoiser: GgufDenoiser, prompt: Prompt, canvases: int, seed: int) -> Run:
    """DiffDesk's own loop, with whole steps only, to the end of the answer."""
    run, recorded = Run(), Recorded(denoiser)
    follow(recorded, prompt, canvases, seed, run)
    run.going_in = recorded.fed
    return run
