"""What denoisers of checkpoint folders have in common: how a prompt gets into the KV cache, and their folder."""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.backends.image_patches import ImageReader, PreparedImage
from diffdesk.backends.prefix import TokenKeys, cant_see, common_prefix, lay_out, require_ids, require_room
from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.denoiser import Capabilities, Prompt
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults

PlacedImages = Sequence[tuple[PreparedImage, NDArray[np.int64]]]
"""Images, each with int64[tokens], where its tokens stand in the chunk of a prompt that is read."""


class PrefixKeeper(Protocol):
    """A KV cache that can go back to an earlier length."""

    def take_back(self, length: int) -> int:
        """Shorten the cache to at most `length` tokens, as near to it as can be; returns the new length."""

    def remember(self) -> None:
        """Make the present length one that can be gone back to."""

    def clear(self) -> None:
        """Forget everything."""


class FolderDenoiser(ABC):
    """The part of a `Denoiser` that doesn't depend on how the model is run.

    Args:
        tokenizer, images, defaults: what the folder holds; no images where the model can't see.
        capabilities: what the loaded model can do.
        device: where canvases and prompts go.

    Attributes:
        chunk: tokens of a prompt that are read in one pass, between two looks at the stop button; set by who derives.
    """

    chunk: int

    def __init__(
        self,
        tokenizer: FastTokenizer,
        images: ImageReader | None,
        defaults: SamplerDefaults,
        capabilities: Capabilities,
        device: torch.device,
    ) -> None:
        self._tokenizer = tokenizer
        self._images = images
        self._defaults = defaults
        self._capabilities = capabilities
        self._device = device
        self._held = TokenKeys.of_text(np.zeros(0, np.int32))  # what the cache holds

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    @property
    def defaults(self) -> SamplerDefaults:
        """The sampler settings that came with the folder."""
        return self._defaults

    @property
    def tokenizer(self) -> FastTokenizer:
        """Its vocabulary."""
        return self._tokenizer

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        """Bring the KV cache to exactly `prompt`; see `Denoiser.prefill`."""
        total = len(prompt.ids)
        tokens, prepared = lay_out(
            prompt,
            self._capabilities,
            self._tokenizer.vocab_size,
            self._placeholder,
            lambda image: self._reader().prepare(image),
        )
        self._end_canvas()
        reused = self._prefix.take_back(common_prefix(self._held, tokens))
        self._held = tokens.head(reused)
        progress(reused, total)
        for end in tokens.chunk_ends(reused, self.chunk):
            begin = len(self._held)
            images = [(one, at - begin) for one, at in prepared if begin <= at[0] < end]
            self._append(prompt.ids[begin:end], tokens.head(end), images)
            progress(end, total)
        self._prefix.remember()
        return reused

    def commit(self, ids: NDArray[np.int32]) -> None:
        """Send committed tokens through the encoder; see `Denoiser.commit`."""
        require_room(len(self._held) + len(ids), self._capabilities)
        require_ids(ids, self._tokenizer.vocab_size)
        self._end_canvas()
        self._append(ids, self._held.followed_by(ids), [])
        self._prefix.remember()

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        """How many placeholder tokens this image takes; raises `PromptError` or `ImageError`."""
        return self._reader().prepare(image).tokens

    @property
    @abstractmethod
    def _prefix(self) -> PrefixKeeper:
        """The KV cache."""

    @property
    @abstractmethod
    def _placeholder(self) -> int:
        """The token that stands for a piece of an image."""

    @abstractmethod
    def _end_canvas(self) -> None:
        """Let the canvas that was begun go."""

    @abstractmethod
    def _encode(self, ids: NDArray[np.int32], seen: TokenKeys, images: PlacedImages) -> None:
        """Append tokens int32[T] and the images among them to the KV cache, which then holds `seen`."""

    def _append(self, ids: NDArray[np.int32], seen: TokenKeys, images: PlacedImages) -> None:
        """`_encode`; if that fails, the cache is empty afterwards."""
        try:
            self._encode(ids, seen, images)
        except BaseException:
            # Some layers may have the new tokens and others not.
            self._prefix.clear()
            self._held = self._held.head(0)
            raise
        self._held = seen

    def _reader(self) -> ImageReader:
        if self._images is None:
            raise cant_see(self._capabilities)
        return self._images

    def _to_device(self, ids: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(ids.astype(np.int64)).to(self._device)

    def _forget(self) -> None:
        """Nothing is held any more; memory that nothing refers to is given back."""
        self._held = self._held.head(0)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
