"""What denoisers of checkpoint folders have in common: the folder's tokenizer, images and settings, and the device."""

from __future__ import annotations

import gc

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.backends.image_patches import ImageReader
from diffdesk.backends.prefix import TokenKeys, cant_see
from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.denoiser import Capabilities
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults


class FolderDenoiser:
    """The part of a `Denoiser` that doesn't depend on how the model is run.

    Args:
        tokenizer, images, defaults: what the folder holds; no images where the model can't see.
        capabilities: what the loaded model can do.
        device: where canvases and prompts go.
    """

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

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        """How many placeholder tokens this image takes; raises `PromptError` or `ImageError`."""
        return self._reader().prepare(image).tokens

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
