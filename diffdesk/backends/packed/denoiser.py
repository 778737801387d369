"""The `Denoiser` over a packed model: prompt in, a few numbers for each canvas position out.

Logits, KV cache and self-conditioning stay on the device. Knows nothing of turns, sampling decisions or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.backends.image_patches import ImageReader
from diffdesk.backends.packed.cache import StaticCache
from diffdesk.backends.packed.network import Frequencies, Network, Window, tables
from diffdesk.backends.packed.operators import Places
from diffdesk.backends.packed.step import Stepper
from diffdesk.backends.packed.vision import VisionTower
from diffdesk.backends.prefix import TokenKeys
from diffdesk.backends.transformers_backend.failures import memory_errors_explained
from diffdesk.backends.transformers_backend.folder_denoiser import FolderDenoiser, PlacedImages
from diffdesk.backends.transformers_backend.reduction import as_result
from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.denoiser import Capabilities, Prompt, StepResult
from diffdesk.core.parameters import SamplerDefaults


@dataclass(slots=True)
class PackedModel:
    """Everything that was loaded.

    Attributes:
        network, frequencies, stepper: the text model.
        chunk: tokens of a prompt that are read in one pass.
        tower, images: what sees, and prepares images for it; None where the model can't.
        placeholder: the token that stands for a piece of an image.
        sees_both_ways: pieces of an image attend to each other in both directions.
        planned: bytes on the device, as was planned.
    """

    network: Network
    frequencies: Frequencies
    stepper: Stepper
    chunk: int
    tower: VisionTower | None
    images: ImageReader | None
    placeholder: int
    sees_both_ways: bool
    planned: int


class PackedDenoiser(FolderDenoiser):
    """A loaded model. One request at a time, from one thread."""

    def __init__(
        self, model: PackedModel, tokenizer: FastTokenizer, defaults: SamplerDefaults, capabilities: Capabilities
    ) -> None:
        device = model.network.weights.embedding.device
        super().__init__(tokenizer, model.images, defaults, capabilities, device)
        self._loaded: PackedModel | None = model
        self.chunk = model.chunk
        self._canvas = 0  # positions of the canvas that was begun

    @property
    def model(self) -> PackedModel:
        """What runs underneath; for measurements and comparisons."""
        if self._loaded is None:
            raise RuntimeError("the model is closed")
        return self._loaded

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        """Begin a canvas after the cached prefix; see `Denoiser.start_canvas`."""
        if not len(self._held):
            raise RuntimeError("a canvas needs a prompt before it")
        with torch.inference_mode(), memory_errors_explained("begin an answer"):
            sure = None if confidence is None else torch.from_numpy(confidence).to(self._device)
            self.model.stepper.begin(self._to_device(ids), sure)
        self._canvas = len(ids)

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        """One denoising step; see `Denoiser.step`. Raises `EngineError` where memory runs out or numbers overflow."""
        if not self._canvas or self._canvas != len(canvas):
            raise RuntimeError("the canvas was not started, or with another length")
        with torch.inference_mode(), memory_errors_explained("compute the next step", self._let_go):
            return as_result(self.model.stepper.step(canvas, temperature, uniforms, alternatives))

    def rehearse(self) -> None:
        """Read prompts and denoise a canvas twice, so that kernels are compiled and the step is recorded.

        Kernels are compiled anew for numbers that are multiples of 16 and for those that aren't, and for few rows.
        """
        length, room = self._capabilities.canvas_length, self._capabilities.context_length
        for count in (17, 64, self.chunk):
            ids = np.arange(min(count, room - length)).astype(np.int32) % self._tokenizer.vocab_size
            self.prefill(Prompt(ids[::-1].copy()), lambda _done, _total: None)
        ids = np.zeros(length, np.int32)
        self.start_canvas(ids)
        for _ in range(2):
            self.step(ids, 1.0, np.zeros(length))
        self.model.network.cache.clear()
        self._held = self._held.head(0)
        self._canvas = 0
        torch.cuda.empty_cache()  # what loading took besides

    def close(self) -> None:
        """Free the memory."""
        self._canvas = 0
        self._loaded = None
        self._forget()

    @property
    def _prefix(self) -> StaticCache:
        return self.model.network.cache

    @property
    def _placeholder(self) -> int:
        return self.model.placeholder

    def _end_canvas(self) -> None:
        self._canvas = 0

    def _let_go(self) -> None:
        """Free what a failed step may have taken."""
        self._canvas = 0
        self.model.stepper.forget()

    def _encode(self, ids: NDArray[np.int32], seen: TokenKeys, images: PlacedImages) -> None:
        model, network = self.model, self.model.network
        with torch.inference_mode(), memory_errors_explained("read the prompt", self._let_go):
            embedded = network.embed(self._to_device(ids))
            for image, at in images:
                if model.tower is not None:
                    embedded[torch.from_numpy(at).to(self._device)] = model.tower.soft_tokens(image).to(embedded.dtype)
            network.cache.make_room(len(ids) + network.model.canvas_length)
            network.encode(embedded, self._window(len(ids), seen))
            network.cache.length += len(ids)

    def _window(self, count: int, seen: TokenKeys) -> Window:
        """Where the last `count` tokens of `seen` stand: each sees what comes before it, or its whole image."""
        model, cache = self.model.network.model, self.model.network.cache
        begin = len(seen) - count
        at = np.arange(begin, len(seen))
        firsts, lasts = at.copy(), at.copy()
        if self.model.sees_both_ways:
            starts, ends = image_runs(seen.keys < 0)
            firsts, lasts = starts[begin:], ends[begin:]
        places = torch.from_numpy(at).to(self._device)

        def kind(frequencies: Tensor, base: int, first: NDArray[np.int64]) -> Places:
            cosines, sines = tables(frequencies, places)
            bounds = np.stack([np.maximum(np.minimum(first, firsts) - base, 0), lasts - base]).astype(np.int32)
            on_device = torch.from_numpy(bounds).to(self._device)
            slot = torch.tensor([begin - base], dtype=torch.int32, device=self._device)
            return Places(cosines, sines, slot, on_device[0].contiguous(), on_device[1].contiguous())

        frequencies = self.model.frequencies
        return Window(
            kind(frequencies.full, 0, np.zeros_like(at)),
            kind(frequencies.sliding, cache.base, at - model.window + 1),
        )


def image_runs(is_image: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each token the first and the last place of the run of image tokens that it is in; its own where in none."""
    places = np.arange(len(is_image))
    joined = np.concatenate([[False], is_image[1:] & is_image[:-1]]) if len(is_image) else is_image
    starts = np.maximum.accumulate(np.where(joined, 0, places)) if len(is_image) else places
    continues = np.concatenate([joined[1:], [False]]) if len(is_image) else joined
    ends = np.minimum.accumulate(np.where(continues, len(is_image), places)[::-1])[::-1] if len(is_image) else places
    return starts, ends
