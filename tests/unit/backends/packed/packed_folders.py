"""Packed folders for these tests, each with a twin whose experts are unpacked; and models loaded from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.packed.denoiser import PackedDenoiser
from diffdesk.backends.registry import load
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.denoiser import Capabilities, Denoiser, Prompt, StepResult, Tokenizer
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults
from diffdesk.core.requests import ModelSpec
from tests.unit.backends import tiny
from tests.unit.backends.gguf_conversion import folders
from tests.unit.backends.tiny import CLOSE_IMAGE, IMAGE, OPEN_IMAGE, random_ids

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Pair:
    """A folder in NVIDIA's layout, and one with the same values, its experts stacked in float32."""

    packed: Path
    twin: Path


class Pairs:
    """Pairs by the name of their shape in `tiny.SHAPES`, made when they are first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, Pair] = {}

    def __call__(self, shape: str) -> Pair:
        """The pair of one shape; nobody may change it."""
        if shape not in self._made:
            self._made[shape] = make_pair(self._root / shape, shape)
        return self._made[shape]


def make_pair(root: Path, shape: str) -> Pair:
    """A new pair in `root`."""
    pair = Pair(root / "packed", root / "twin")
    experts = folders.packed(folders.made(pair.packed, shape))
    shutil.copytree(pair.packed, pair.twin)
    others = {name: one for name, one in folders.weights(pair.packed).items() if ".experts." not in name}
    folders.replace(pair.twin, others | experts)
    tiny.edit_json(pair.twin / "config.json", quantization_config=...)
    return pair


def silent(_stage: str, _share: float) -> None:
    """Progress of loading that nobody looks at."""


def ignore(_done: int, _total: int) -> None:
    """Progress of reading that nobody looks at."""


def load_packed(folder: Path, precision: str = "float32", context: int = 0) -> PackedDenoiser:
    """The packed model of a folder, on the processor."""
    denoiser = load(ModelSpec(folder, device="cpu", precision=precision, context=context), silent)
    assert isinstance(denoiser, PackedDenoiser)
    return denoiser


def load_twin(folder: Path) -> TransformersDenoiser:
    """The model of a twin, in float32 by transformers."""
    denoiser = load(ModelSpec(folder, device="cpu", precision="float32"), silent)
    assert isinstance(denoiser, TransformersDenoiser)
    return denoiser


def with_images(denoiser: Denoiser, images: tuple[ImageRef, ...], after: Ids | None = None) -> Prompt:
    """Words, then the images, with words between and after them."""
    parts: list[int] = random_ids(5, 11).tolist()
    for number, image in enumerate(images):
        parts += [OPEN_IMAGE, *[IMAGE] * denoiser.image_tokens(image), CLOSE_IMAGE]
        parts += random_ids(6, 20 + number).tolist() if after is None else after.tolist()
    return Prompt(np.array(parts, np.int32), images)


@dataclass
class Watched:
    """A denoiser that notes which canvases go into its steps and what comes out."""

    denoiser: Denoiser
    going_in: list[Ids] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return self.denoiser.capabilities

    @property
    def defaults(self) -> SamplerDefaults:
        return self.denoiser.defaults

    @property
    def tokenizer(self) -> Tokenizer:
        return self.denoiser.tokenizer

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        """See `Denoiser`, as all that follows."""
        return self.denoiser.image_tokens(image)

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        return self.denoiser.prefill(prompt, progress)

    def start_canvas(self, ids: Ids, confidence: NDArray[np.float32] | None = None) -> None:
        self.denoiser.start_canvas(ids, confidence)

    def step(self, canvas: Ids, temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0) -> StepResult:
        self.going_in.append(canvas.copy())
        self.results.append(self.denoiser.step(canvas, temperature, uniforms, alternatives))
        return self.results[-1]

    def commit(self, ids: Ids) -> None:
        self.denoiser.commit(ids)

    def close(self) -> None:
        self.denoiser.close()
