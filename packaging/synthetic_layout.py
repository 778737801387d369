"""The published checkpoints of DiffusionGemma 26B without their weights: the configuration, the name, number format
and shape of every tensor, how tensors are spread over files, and the small files that lie beside them.

Two layouts are known: `bf16` is Google's, `nvfp4` NVIDIA's with experts of four bits. A full-size `nvfp4` folder
has weight files of the published sizes, to the byte. Knows nothing of values; `make_synthetic` does.
"""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffdesk.backends.gguf.conversion_config import FULL, SLIDING, broken, read_architecture, text_config, whole
from diffdesk.backends.gguf.conversion_names import ROPE_FACTORS, checkpoint_name
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.safetensors_header import BITS

NVFP4, BF16 = "nvfp4", "bf16"
LAYOUTS = (NVFP4, BF16)
GROUP = 16  # four-bit values that share a scale
LARGEST_SHARD = 10_000_000_000  # bytes of tensors, as published

Config = Mapping[str, Any]

PUBLISHED: Config = {
    "architectures": ["DiffusionGemmaForBlockDiffusion"],
    "model_type": "diffusion_gemma",
    "dtype": "bfloat16",
    "canvas_length": 256,
    "boi_token_id": 255_999,
    "eoi_token_id": 258_882,
    "image_token_id": 258_880,
    "eos_token_id": [1, 106],
    "initializer_range": 0.02,
    "tie_word_embeddings": True,
    "vision_soft_tokens_per_image": 280,
    "text_config": {
        "model_type": "diffusion_gemma_text",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "dtype": "bfloat16",
        "final_logit_softcapping": 30.0,
        "global_head_dim": 512,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 2816,
        "initializer_range": 0.02,
        "intermediate_size": 2112,
        "layer_types": [*[SLIDING] * 5, FULL] * 5,
        "max_position_embeddings": 262_144,
        "moe_intermediate_size": 704,
        "num_attention_heads": 16,
        "num_experts": 128,
        "num_global_key_value_heads": 2,
        "num_hidden_layers": 30,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-06,
        "rope_parameters": {
            FULL: {"partial_rotary_factor": 0.25, "rope_theta": 1_000_000.0, "rope_type": "proportional"},
            SLIDING: {"rope_theta": 10_000.0, "rope_type": "default"},
        },
        "sliding_window": 1024,
        "tie_word_embeddings": True,
        "top_k_experts": 8,
        "use_bidirectional_attention": "vision",
        "vocab_size": 262_144,
    },
    "vision_config": {
        "model_type": "gemma4_vision",
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 72,
        "global_head_dim": 72,
        "patch_size": 16,
        "pooling_kernel_size": 3,
        "position_embedding_size": 10_240,
        "rms_norm_eps": 1e-06,
        "standardize": True,
        "use_clipped_linears": False,
        "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"},
    },
}


def cut(config: Config, layers: int) -> Config:
    """The model of `config` with its last `layers` layers only, so that the last one is a full one as before."""
    architecture, text = read_architecture(config), text_config(config)
    dropped = architecture.layers - layers
    if layers < 1 or dropped < 0:
        raise broken(f"{layers} of {architecture.layers} layers can't be taken")
    kinds = [SLIDING if one else FULL for one in architecture.is_sliding[dropped:]]
    fewer = {**text, "num_hidden_layers": layers, "layer_types": kinds}
    by_layer = text.get("per_layer_config")
    if isinstance(by_layer, dict):
        numbered = {int(key) - dropped: one for key, one in by_layer.items()}
        fewer["per_layer_config"] = {f"{layer:02d}": one for layer, one in numbered.items() if layer >= 0}
    return {**config, "text_config": fewer}


# --- tensors --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's name, its number format as safetensors names it, and its shape with a row's length last."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its size."""
        return math.prod(self.shape) * BITS[self.dtype] // 8


def tensors(config: Config, layout: str) -> list[Tensor]:
    """Every tensor of a checkpoint in the order in which transformers holds them, which decides what goes where.

    Raises `CheckpointError` for configurations that make no sense or have parts that are not made here.
    """
    architecture = read_architecture(config)
    names = [(checkpoint_name(name), shape) for name, shape in architecture.tensors().items() if name != ROPE_FACTORS]
    plain = [Tensor(name, "BF16", shape[::-1]) for name, shape in names]
    made: list[Tensor] = []
    for one in sorted(plain, key=_place):
        if layout == NVFP4 and one.name.endswith(".experts.gate_up_proj"):
            made += _packed_experts(one.name.removesuffix(".gate_up_proj"), architecture)
        elif layout == BF16 or not one.name.endswith(".experts.down_proj"):
            made.append(one)
    if isinstance(config.get("vision_config"), dict):
        made += [Tensor(name, "BF16", shape) for name, shape in _vision(config["vision_config"], architecture.hidden)]
    return made


def _place(tensor: Tensor) -> tuple[bool, float, int]:
    """Where transformers has a tensor of the text model: decoder before encoder, layer by layer."""
    name = tensor.name
    is_encoder = name.startswith("model.encoder.")
    if name.endswith("embed_tokens.weight"):
        return is_encoder, -1, 0
    _, found, rest = name.partition(".layers.")
    if not found:
        return is_encoder, math.inf, 0
    part = 2 if name.endswith(_AFTER_EXPERTS) else 1 if ".experts." in name else 0
    return is_encoder, int(rest.partition(".")[0]), part


_AFTER_EXPERTS = (
    "post_feedforward_layernorm_1.weight",
    "post_feedforward_layernorm_2.weight",
    "pre_feedforward_layernorm_2.weight",
)


def _packed_experts(name: str, of: Architecture) -> Iterator[Tensor]:
    """NVIDIA's four tensors for each matrix of each expert of one layer."""
    if of.hidden % GROUP or of.expert_width % GROUP:
        raise broken(f"experts of {of.hidden} × {of.expert_width} don't divide into groups of {GROUP}")
    up, down = (of.expert_width, of.hidden), (of.hidden, of.expert_width)
    for expert in range(of.experts):
        for part, (rows, columns) in (("gate_proj", up), ("up_proj", up), ("down_proj", down)):
            stem = f"{name}.{expert}.{part}"
            yield Tensor(f"{stem}.weight", "U8", (rows, columns // 2))
            yield Tensor(f"{stem}.weight_scale", "F8_E4M3", (rows, columns // GROUP))
            yield Tensor(f"{stem}.weight_scale_2", "F32", ())
            yield Tensor(f"{stem}.input_scale", "F32", ())


def _vision(vision: Config, text_width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the vision tower and of what brings its output to the width of the text model."""
    if vision.get("use_clipped_linears"):
        raise broken("bounded matrices (use_clipped_linears) are not made here; use_clipped_linears should be false")
    width, wide, head = (whole(vision, key, None) for key in ("hidden_size", "intermediate_size", "head_dim"))
    queries, keys = (whole(vision, f"num_{kind}_heads", None) * head for kind in ("attention", "key_value"))
    patch, places = whole(vision, "patch_size", None), whole(vision, "position_embedding_size", None)
    tower = "model.encoder.vision_tower"
    if vision.get("standardize"):
        yield from ((f"{tower}.{name}", (width,)) for name in ("std_bias", "std_scale"))
    yield f"{tower}.patch_embedder.position_embedding_table", (2, places, width)
    yield f"{tower}.patch_embedder.input_proj.weight", (width, 3 * patch**2)
    of_layer: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj.linear": (queries, width),
        "self_attn.k_proj.linear": (keys, width),
        "self_attn.v_proj.linear": (keys, width),
        "self_attn.o_proj.linear": (width, queries),
        "self_attn.q_norm": (head,),
        "self_attn.k_norm": (head,),
        "mlp.gate_proj.linear": (wide, width),
        "mlp.up_proj.linear": (wide, width),
        "mlp.down_proj.linear": (width, wide),
        "input_layernorm": (width,),
        "post_attention_layernorm": (width,),
        "pre_feedforward_layernorm": (width,),
        "post_feedforward_layernorm": (width,),
    }
    for layer in range(whole(vision, "num_hidden_layers", None)):
        yield from ((f"{tower}.encoder.layers.{layer}.{name}.weight", shape) for name, shape in of_layer.items())
    yield "model.encoder.embed_vision.embedding_projection.weight", (text_width, width)


# --- files of weights -----------------------------------------------------------------------------


def spread(listed: Sequence[Tensor], shards: int | None = None) -> dict[str, list[Tensor]]:
    """The tensors of each weight file by its name: in at most `shards` files of about the same size, or in files of
    `LARGEST_SHARD`. Inside a file they lie as the safetensors library puts them, larger numbers first, then by name.
    """
    parts: list[list[Tensor]] = [[]]
    total, before, held, here = sum(one.bytes for one in listed), 0, 0, 0
    for one in listed:
        # By its first byte each tensor belongs to one of the files, all of which cover equal lengths.
        wanted = here + (held + one.bytes > LARGEST_SHARD) if shards is None else before * shards // total
        if wanted > here and parts[-1]:
            parts.append([])
            held = 0
        here = wanted
        parts[-1].append(one)
        before, held = before + one.bytes, held + one.bytes
    many = len(parts)
    names = [f"model-{number:05d}-of-{many:05d}.safetensors" for number in range(1, many + 1)]
    order = ("F32", "BF16", "F8_E4M3", "U8")
    return {
        name: sorted(part, key=lambda one: (order.index(one.dtype), one.name))
        for name, part in zip(names if many > 1 else ["model.safetensors"], parts, strict=True)
    }


def index(files: Mapping[str, Sequence[Tensor]]) -> dict[str, object]:
    """What model.safetensors.index.json says."""
    where = {one.name: name for name, listed in files.items() for one in listed}
    total = sum(one.bytes for listed in files.values() for one in listed)
    return {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}


# --- the small files ------------------------------------------------------------------------------


def small_files(config: Config, layout: str) -> dict[str, object]:
    """The contents of all other files, by name; config.json is the last."""
    made: dict[str, object] = {
        "generation_config.json": _generation(config),
        "tokenizer.json": tokenizer_json(config),
    }
    if isinstance(config.get("vision_config"), dict):
        made["processor_config.json"] = _processor(config)
    said = dict(config)
    if layout == NVFP4:
        producer, left = {"name": "modelopt", "version": "0.47.0"}, _not_packed(read_architecture(config).layers)
        quantization = {"quant_algo": "NVFP4", "kv_cache_quant_algo": None, "group_size": GROUP}
        made["hf_quant_config.json"] = {
            "producer": producer,
            "quantization": {**quantization, "exclude_modules": left},
        }
        four_bits = {"dynamic": False, "num_bits": 4, "type": "float", "group_size": GROUP}
        said["quantization_config"] = {
            "config_groups": {
                "group_0": {"input_activations": four_bits, "weights": four_bits, "targets": ["Linear"]},
            },
            "ignore": left,
            "quant_algo": "NVFP4",
            "producer": producer,
            "quant_method": "modelopt",
        }
    return {**made, "config.json": said}


def _not_packed(layers: int) -> list[str]:
    """Patterns of the modules whose weights stay as they are: all but the experts."""
    parts = ("self_attn", "mlp", "router")
    inside = [f"model.decoder.layers.{layer}.{part}*" for layer in range(layers) for part in parts]
    return ["lm_head", "model.decoder.embed_tokens", "model.decoder.self_conditioning*", *inside, "model.encoder*"]


def _generation(config: Config) -> dict[str, object]:
    """The published settings; transformers wants to be told the sampler's class."""
    size = read_architecture(config).vocab_size
    return {
        "max_denoising_steps": 48,
        "max_new_tokens": 256,
        "t_max": 0.8,
        "t_min": 0.4,
        "sampler_config": {"_cls_name": "EntropyBoundSamplerConfig", "entropy_bound": 0.1},
        "confidence_threshold": 0.005,
        "stability_threshold": 1,
        "bos_token_id": 2,
        "eos_token_id": [one for one in (1, 106, 50) if one < size],
        "pad_token_id": 0,
    }


def _processor(config: Config) -> dict[str, object]:
    """How images are prepared, as transformers writes it for Gemma 4."""
    vision, tokens = config["vision_config"], config.get("vision_soft_tokens_per_image", 280)
    images = {
        "do_convert_rgb": True,
        "do_normalize": False,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.0, 0.0, 0.0],
        "image_processor_type": "Gemma4ImageProcessor",
        "image_std": [1.0, 1.0, 1.0],
        "max_soft_tokens": tokens,
        "patch_size": vision["patch_size"],
        "pooling_kernel_size": whole(vision, "pooling_kernel_size", 3),
        "resample": 3,
        "rescale_factor": 1 / 255,
    }
    return {"image_processor": images, "image_seq_length": tokens, "processor_class": "Gemma4Processor"}


_CONTROL = {
    "<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "<mask>": 4, "<|tool>": 46, "<tool|>": 47, "<|tool_call>": 48,
    "<tool_call|>": 49, "<|tool_response>": 50, "<tool_response|>": 51, '<|"|>': 52, "<|think|>": 98,
    "<|channel>": 100, "<channel|>": 101, "<|turn>": 105, "<turn|>": 106,
}  # fmt: skip
_IMAGE = {"<|image>": "boi_token_id", "<|image|>": "image_token_id", "<image|>": "eoi_token_id"}
_FIRST_BYTE = 238  # in Gemma's vocabulary


def tokenizer_json(config: Config) -> dict[str, object]:
    """A tokenizer of Gemma's rules: its control tokens and bytes at their ids, letters and a few hundred merges, and
    then words that are only ever read, so that every id has a text. Control tokens that don't fit are left out.
    """
    size = read_architecture(config).vocab_size
    control = _CONTROL | {name: whole(config, key, PUBLISHED[key]) for name, key in _IMAGE.items()}
    tokens = {number: name for name, number in control.items() if number < size}
    begin = _FIRST_BYTE if size > _FIRST_BYTE + 512 else 0
    free = (one for one in (*range(begin, size), *range(begin)) if one not in tokens)
    vocabulary, merges = {name: number for number, name in tokens.items()}, []
    for number, (word, halves) in zip(free, _words(), strict=False):
        vocabulary[word] = number
        merges += [halves] if halves else []
    blank = {"String": " "}
    rules = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": tokens[number], **rules} for number in sorted(tokens)],
        "normalizer": {"type": "Replace", "pattern": blank, "content": "▁"},
        "pre_tokenizer": {"type": "Split", "pattern": blank, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": dict(sorted(vocabulary.items(), key=lambda one: one[1])),
            "merges": merges,
        },
    }


def _words() -> Iterator[tuple[str, tuple[str, str] | None]]:
    """Bytes, letters, pairs of letters with the merge that makes each, and made-up words, half of which follow a
    blank: more than any vocabulary takes.
    """
    yield from ((f"<0x{value:02X}>", None) for value in range(256))
    yield from ((letter, None) for letter in "▁\n" + string.ascii_letters + string.digits + string.punctuation)
    for left in "▁" + string.ascii_lowercase:
        yield from ((left + right, (left, right)) for right in string.ascii_lowercase)
    syllables = ["".join(pair) for pair in itertools.product("bcdfghjklmnpqrstvwxyz", "aeiou")]
    for length in (2, 3, 4):
        for number, word in enumerate(itertools.product(syllables, repeat=length)):
            yield "▁" * (number % 2) + "".join(word), None
