"""The `Denoiser` over a DiffusionGemma model of transformers: prompt in, a few numbers for each canvas position out.

Logits, KV cache and self-conditioning stay on the device. Knows nothing of turns, sampling decisions or files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion

from diffdesk.backends.image_patches import ImageReader, PreparedImage
from diffdesk.backends.prefix import TokenKeys
from diffdesk.backends.transformers_backend.cache import PrefixCache
from diffdesk.backends.transformers_backend.failures import memory_errors_explained
from diffdesk.backends.transformers_backend.folder_denoiser import FolderDenoiser, PlacedImages
from diffdesk.backends.transformers_backend.reduction import StepInputs, peaked_logits, reduce_logits
from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.denoiser import Capabilities, StepResult
from diffdesk.core.parameters import SamplerDefaults

CPU_CHUNK, GPU_CHUNK = 256, 2048  # see `FolderDenoiser.chunk`


class TransformersDenoiser(FolderDenoiser):
    """A loaded model. One request at a time, from one thread."""

    def __init__(
        self,
        model: DiffusionGemmaForBlockDiffusion,
        tokenizer: FastTokenizer,
        images: ImageReader | None,
        defaults: SamplerDefaults,
        capabilities: Capabilities,
    ) -> None:
        device: torch.device = model.model.decoder.embed_tokens.weight.device
        super().__init__(tokenizer, images, defaults, capabilities, device)
        self._loaded: DiffusionGemmaForBlockDiffusion | None = model
        self._image_token = int(model.config.image_token_id)
        self._dtype: torch.dtype = model.model.decoder.embed_tokens.weight.dtype
        self.chunk = GPU_CHUNK if self._device.type == "cuda" else CPU_CHUNK
        self._cache = PrefixCache(model.config.text_config)
        self._positions: Tensor | None = None
        self._conditioning: Tensor | None = None

    @property
    def model(self) -> DiffusionGemmaForBlockDiffusion:
        """What runs underneath; for measurements and comparisons."""
        if self._loaded is None:
            raise RuntimeError("the model is closed")
        return self._loaded

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        """Begin a canvas after the cached prefix; see `Denoiser.start_canvas`."""
        begin = len(self._held)
        if not begin:
            raise RuntimeError("a canvas needs a prompt before it")
        self._end_canvas()
        with torch.inference_mode(), memory_errors_explained("begin an answer"):
            self._positions = torch.arange(begin, begin + len(ids), device=self._device).unsqueeze(0)
            if confidence is not None:
                sure = torch.from_numpy(confidence).to(self._device)
                self._conditioning = peaked_logits(self._to_device(ids), sure, self._vocab_size, self._dtype)

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        """One denoising step; see `Denoiser.step`. Raises `EngineError` where memory runs out or numbers overflow."""
        if self._positions is None or self._positions.shape[1] != len(canvas):
            raise RuntimeError("the canvas was not started, or with another length")
        with torch.inference_mode(), memory_errors_explained("compute the next step"):
            tokens = self._to_device(canvas)
            logits = self.logits(tokens)
            self._conditioning = None
            drawn = torch.from_numpy(np.ascontiguousarray(uniforms)).to(self._device)
            result = reduce_logits(logits[0], StepInputs(tokens, temperature, drawn, alternatives))
            # `logits` now are the processed ones, which transformers hands to the next step in the weights' format.
            self._conditioning = logits.to(self._dtype)
        return result

    def logits(self, tokens: Tensor) -> Tensor:
        """float32[1, L, V] of the canvas int64[L] with the present self-conditioning; before the temperature."""
        model = self.model
        hidden = model.model(
            past_key_values=self._cache.cache,
            decoder_input_ids=tokens.unsqueeze(0),
            decoder_position_ids=self._positions,
            self_conditioning_logits=self._conditioning,
        ).last_hidden_state
        logits: Tensor = model.lm_head(hidden).to(torch.float32)
        cap = float(model.final_logit_softcapping)
        return logits.div_(cap).tanh_().mul_(cap)  # in place: each copy would be 256 MiB

    def all_logits(self, canvas: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[L, V] of the canvas int32[L], on the host; for comparisons."""
        with torch.inference_mode(), memory_errors_explained("compute the next step"):
            return np.asarray(self.logits(self._to_device(canvas))[0].cpu().numpy(), np.float32)

    def close(self) -> None:
        """Free the memory."""
        self._end_canvas()
        self._cache.clear()
        self._loaded = None
        self._forget()

    @property
    def _prefix(self) -> PrefixCache:
        return self._cache

    @property
    def _placeholder(self) -> int:
        return self._image_token

    def _end_canvas(self) -> None:
        self._positions = self._conditioning = None

    @property
    def _vocab_size(self) -> int:
        return self._tokenizer.vocab_size

    def _encode(self, ids: NDArray[np.int32], seen: TokenKeys, images: PlacedImages) -> None:
        begin, count = len(self._held), len(ids)
        with torch.inference_mode(), memory_errors_explained("read the prompt"):
            encoder = self.model.model.encoder
            positions = torch.arange(begin, begin + count, device=self._device).unsqueeze(0)
            features = self._features([one for one, _ in images])
            # Masks as `generate` makes them. It numbers tokens from the cache's first on, so the kinds (1 = image)
            # of all tokens seen so far are given, not only those of this chunk.
            kinds = torch.from_numpy((seen.keys < 0).astype(np.int32)).unsqueeze(0).to(self._device)
            masks = encoder.create_masks_for_generate(
                config=self.model.config,
                inputs_embeds=torch.empty((1, count, 0), dtype=self._dtype, device=self._device),
                attention_mask=None,
                past_key_values=self._cache.cache,
                position_ids=positions,
                mm_token_type_ids=None if features is None else kinds,
            )
            encoder(
                input_ids=self._to_device(ids).unsqueeze(0),
                attention_mask=masks,
                position_ids=positions,
                past_key_values=self._cache.cache,
                mm_encoder_outputs=None if features is None else {"image": features},
            )

    def _features(self, images: Sequence[PreparedImage]) -> BaseModelOutputWithPooling | None:
        """The soft tokens of images, in their order; None where there are none."""
        if not images:
            return None
        encoder = self.model.model.encoder
        made: dict[int, Tensor] = {}
        for one in images:
            if one.key not in made:
                pixels, positions = torch.from_numpy(one.patches)[None], torch.from_numpy(one.positions)[None]
                made[one.key] = encoder.get_image_features(
                    pixels.to(self._device), positions.to(self._device), return_dict=True
                ).pooler_output
        return BaseModelOutputWithPooling(pooler_output=torch.cat([made[one.key] for one in images]))
