"""Small random models of the true architecture, saved as folders, for the tests of the backends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import decoders, models, normalizers
from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaConfig
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    DiffusionGemmaGenerationConfig,
    EntropyBoundSamplerConfig,
)
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil
from transformers.utils import logging as transformers_logging

from diffdesk.core.messages import LinePicture

VOCABULARY = 300
CANVAS = 16
END = 1
OPEN_IMAGE, IMAGE, CLOSE_IMAGE = 11, 10, 12
CONTROL = [
    *("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"),
    *("<|image|>", "<|image>", "<image|>"),
]
SLIDING, FULL = "sliding_attention", "full_attention"


@dataclass(frozen=True)
class Shape:
    """What makes one tiny model different from another."""

    name: str
    layers: tuple[str, ...] = (SLIDING, SLIDING, FULL)
    window: int = 64
    experts: int = 4
    top: int = 2
    global_heads: int | None = 1
    rope: Mapping[str, object] | None = None
    sees: bool = False
    patch: int = 8
    scalars_differ: bool = False
    canvas: int = CANVAS
    text: Mapping[str, object] = field(default_factory=dict)
    vision: Mapping[str, object] = field(default_factory=dict)

    @property
    def pooling(self) -> int:
        """Side of the square of patches that becomes one soft token."""
        return int(str(self.vision.get("pooling_kernel_size", 2)))


SHAPES = (
    Shape("plain"),
    Shape("narrow-window", window=8),
    Shape("layer-scalars-differ", scalars_differ=True),
    Shape("one-expert", experts=1, top=1),
    Shape("all-full", layers=(FULL, FULL)),
    Shape(
        "whole-rotation",
        rope={
            SLIDING: {"rope_type": "default", "rope_theta": 200.0},
            FULL: {"rope_type": "default", "rope_theta": 1e4},
        },
    ),
    Shape(
        "all-experts-long",
        layers=(SLIDING, FULL, SLIDING, FULL),
        window=12,
        experts=3,
        top=3,
        global_heads=None,
        canvas=5,
    ),
    Shape("seeing", sees=True),
    Shape("seeing-narrow-window", sees=True, window=24, scalars_differ=True),
    Shape("reading-lines", sees=True, patch=16, text={"use_bidirectional_attention": None}),
)
BY_NAME = {one.name: one for one in SHAPES}


def build(shape: Shape, seed: int = 0) -> DiffusionGemmaForBlockDiffusion:
    """A random model with logits spread widely enough that some positions are sure and others are not."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    text: dict[str, object] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": len(shape.layers),
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "global_head_dim": 32,
        "num_global_key_value_heads": shape.global_heads,
        "layer_types": list(shape.layers),
        "sliding_window": shape.window,
        "num_experts": shape.experts,
        "top_k_experts": shape.top,
        "moe_intermediate_size": 32,
        "max_position_embeddings": 2048,
        "rope_parameters": shape.rope,
        "use_bidirectional_attention": "vision" if shape.sees else None,
        **shape.text,
    }
    vision = {
        "model_type": "gemma4_vision",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2 if shape.sees else 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "global_head_dim": 16,
        "patch_size": shape.patch,
        "pooling_kernel_size": shape.pooling,
        "position_embedding_size": 600,
        **shape.vision,
    }
    config = DiffusionGemmaConfig(
        text_config=text,
        vision_config=vision,
        canvas_length=shape.canvas,
        boi_token_id=OPEN_IMAGE,
        eoi_token_id=CLOSE_IMAGE,
        image_token_id=IMAGE,
    )
    torch.manual_seed(seed)
    model = DiffusionGemmaForBlockDiffusion(config)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "embed_tokens" in name or "position_embedding_table" in name:
                tensor.normal_(0, 0.8 if "embed_tokens" in name else 0.3)
            elif tensor.ndim > 1:
                tensor.normal_(0, tensor.shape[-1] ** -0.5)
            elif name.endswith(("q_norm.weight", "k_norm.weight")):
                tensor.fill_(tensor.shape[0] ** -0.25)
            else:
                tensor.uniform_(0.7, 1.3)
        for name, buffer in model.named_buffers():
            if name.endswith("layer_scalar"):
                buffer.fill_(0.9)
                if shape.scalars_differ:
                    buffer.uniform_(0.6, 1.2)
            elif name.endswith("std_bias"):
                buffer.normal_()
            elif name.endswith("std_scale"):
                buffer.uniform_(0.5, 1.5)
            elif name.endswith((".input_min", ".input_max", ".output_min", ".output_max")):
                buffer.uniform_(-1.5, -0.8) if name.endswith("_min") else buffer.uniform_(0.8, 1.5)
    model.generation_config = DiffusionGemmaGenerationConfig(
        max_denoising_steps=6,
        t_min=0.4,
        t_max=0.8,
        stability_threshold=1,
        confidence_threshold=0.05,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=0.5),
        eos_token_id=[END],
        pad_token_id=0,
    )
    return model.eval()


def tokenizer() -> tokenizers.Tokenizer:
    """Letters, byte fallback and a few pairs, with blanks as ▁; some control tokens are listed as ordinary ones."""
    vocabulary = {name: index for index, name in enumerate(CONTROL)}
    for word in [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", *"abcdefghijklmnop", "\n", "th", "he", "▁a"]:
        vocabulary.setdefault(word, len(vocabulary))
    made = tokenizers.Tokenizer(
        models.BPE(vocabulary, [("▁", "a")], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    for name in CONTROL:
        one = tokenizers.AddedToken(name, special=name in ("<pad>", "<eos>", "<bos>", "<unk>"), normalized=False)
        (made.add_special_tokens if one.special else made.add_tokens)([one])
    return made


def save(shape: Shape, folder: Path, seed: int = 0) -> Path:
    """A model folder as one would download it."""
    build(shape, seed).save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    if shape.sees:
        Gemma4ImageProcessorPil(patch_size=shape.patch, pooling_kernel_size=shape.pooling).save_pretrained(folder)
    return folder


def edit_json(path: Path, **changes: object) -> None:
    """Change or (with `...`) remove top-level keys of a JSON file."""
    data = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not ...}))


def random_ids(length: int, seed: int) -> NDArray[np.int32]:
    """int32[length] of ordinary tokens."""
    return np.random.default_rng(seed).integers(20, VOCABULARY, length, dtype=np.int32)


def line_picture(cells: int, seed: int) -> LinePicture:
    """The picture of a line, of noise."""
    return LinePicture(np.random.default_rng(seed).integers(0, 256, (32, 32 * cells), dtype=np.uint8))


def picture(path: Path, width: int, height: int, seed: int) -> Path:
    """A picture of coloured noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
