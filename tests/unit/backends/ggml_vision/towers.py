"""Small random vision towers of different shapes: as checkpoint folders, as files, and in transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.vision import VisionTower, open_vision
from diffdesk.backends.gguf.conversion_vision import convert_vision
from diffdesk.backends.image_patches import FRAME_TOKENS, STILL_TOKENS
from diffdesk.core.messages import ImageRef, LinePicture
from tests.unit.backends import tiny

Array = NDArray[np.float32]
HIDDEN = 64  # of the tiny text models

SHAPES = (
    tiny.Shape(
        "pooling-three",
        sees=True,
        patch=4,
        vision={
            "hidden_size": 36,
            "num_attention_heads": 3,
            "num_key_value_heads": 3,
            "head_dim": 12,
            "pooling_kernel_size": 3,
            "standardize": True,
        },
    ),
    tiny.Shape(
        "grouped-and-bounded",
        sees=True,
        vision={
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "use_clipped_linears": True,
            "rope_parameters": {"rope_type": "axial", "rope_theta": 50.0},
            "rms_norm_eps": 1e-3,
        },
    ),
    tiny.Shape(
        "narrow-heads", sees=True, patch=16, vision={"hidden_size": 64, "num_hidden_layers": 3, "standardize": True}
    ),
)
BY_NAME = {one.name: one for one in SHAPES}


def opened(folder: Path, kind: str = "f32", hidden: int = HIDDEN) -> VisionTower:
    """A folder's tower, converted and loaded."""
    path = folder.with_name(f"{folder.name}-{kind}-mmproj.gguf")
    if not path.exists():
        convert_vision(folder, path, kind, lambda _stage, _share: None)
    return open_vision(Device(1), path, hidden)


def loaded(folder: Path) -> DiffusionGemmaForBlockDiffusion:
    """The same folder in transformers, in float32."""
    model = DiffusionGemmaForBlockDiffusion.from_pretrained(str(folder), local_files_only=True, dtype=torch.float32)
    return model.eval()


def prepared(folder: Path, image: ImageRef | LinePicture) -> dict[str, torch.Tensor]:
    """What transformers' own processor makes of an image: padded to its budget."""
    processor = Gemma4ImageProcessorPil.from_pretrained(str(folder), local_files_only=True)
    if isinstance(image, LinePicture):
        picture, options = Image.fromarray(image.pixels), {"do_resize": False, "max_soft_tokens": FRAME_TOKENS}
    else:
        with Image.open(image.path) as file:
            picture, options = file.copy(), {"max_soft_tokens": FRAME_TOKENS if image.is_frame else STILL_TOKENS}
    made = processor(picture.convert("RGB"), return_tensors="pt", **options)
    return {"pixel_values": made["pixel_values"], "image_position_ids": made["image_position_ids"]}


def features(model: DiffusionGemmaForBlockDiffusion, inputs: dict[str, torch.Tensor]) -> Array:
    """float32[tokens, hidden]: what the encoder puts in the place of an image's placeholders."""
    with torch.inference_mode():
        made = model.model.encoder.get_image_features(**inputs, return_dict=True).pooler_output
    found: Array = made.numpy()
    return found


def relative_error(found: Array, expected: Array) -> float:
    """Largest difference, in parts of the largest expected value."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
