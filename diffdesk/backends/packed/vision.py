"""The vision tower of a packed folder: transformers' own modules; where memory is short, away until an image comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from transformers import AutoModel
from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaConfig
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaMultimodalEmbedder

from diffdesk.backends.image_patches import PreparedImage
from diffdesk.backends.safetensors_header import TensorEntry
from diffdesk.core.errors import CheckpointError

ENCODER = "model.encoder."


class VisionTower:
    """Images to soft tokens.

    Args:
        config: the model's.
        entries: the tower's tensors in the weight files, by name.

    Raises `CheckpointError`, which names a tensor, where they aren't those that the configuration asks for.
    """

    def __init__(self, config: DiffusionGemmaConfig, entries: Mapping[str, TensorEntry]) -> None:
        with init_empty_weights(include_buffers=False):
            tower = AutoModel.from_config(config.vision_config)
            projection = DiffusionGemmaMultimodalEmbedder(config.vision_config, config.text_config)
        self._modules = nn.ModuleDict({"vision_tower": tower, "embed_vision": projection})
        expected = {f"{ENCODER}{name}": tuple(one.shape) for name, one in self._modules.state_dict().items()}
        for name in sorted(expected.keys() | entries.keys()):
            found = entries[name].shape if name in entries else None
            if found != expected.get(name):
                raise CheckpointError(
                    "The weights don't fit the model",
                    f"{name}: {_shaped(expected.get(name))} is expected, and {_shaped(found)} is there.",
                    "Download the folder again, or choose another one.",
                )
        self._device, self._stays = torch.device("cpu"), True

    def fill(self, tensors: Mapping[str, Tensor], device: torch.device, *, stays: bool) -> None:
        """Take the weights, by their names in the checkpoint. They stay on `device`, or come for each image only."""
        known = {name.removeprefix(ENCODER): tensor for name, tensor in tensors.items()}
        self._modules.load_state_dict(known, strict=True, assign=True)
        self._modules.eval().requires_grad_(False)
        self._device, self._stays = device, stays
        if stays:
            self._modules.to(device)

    def soft_tokens(self, image: PreparedImage) -> Tensor:
        """[tokens, H] on the device."""
        try:
            if not self._stays:
                self._modules.to(self._device)
            pixels = torch.from_numpy(image.patches)[None].to(self._device)
            positions = torch.from_numpy(image.positions)[None].to(self._device)
            seen = self._modules["vision_tower"](pixel_values=pixels, pixel_position_ids=positions)
            made = self._modules["embed_vision"](inputs_embeds=seen.last_hidden_state)
            return cast(Tensor, made).reshape(-1, made.shape[-1])
        finally:
            if not self._stays:
                self._modules.to("cpu")


def _shaped(shape: tuple[int, ...] | None) -> str:
    return "nothing" if shape is None else f"the shape {list(shape)}"
