"""Turns trained weights into the folder that ships: what transformers loads as it is, and the program's own profile."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models

from diffdesk.backends.gguf.conversion import convert
from diffdesk.core.lines import CELL_PIXELS
from diffdesk.services.models import STARTER_FILE
from starter import vocabulary
from starter.checkpoints import read_checkpoint
from starter.network import Shape, Weights

LARGEST = 32_000_000  # bytes of the whole folder
STEPS = 4
PROJECTOR_FILE = "mmproj-starter-f16.gguf"

# A turn is rendered as Gemma 4 does it; a user's text is filled up to the slots of the canvas, for each of its
# characters is one token and belongs to the canvas position of the same number.
_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}"
    "{{ message['content'] }}"
    "{% if message['role'] == 'user' %}"
    "{% for slot in range(message['content'] | length, SLOTS) %}{{ '<pad>' }}{% endfor %}"
    "{% endif %}{{ '<turn|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\\n' }}{% endif %}"
)


def export(weights: Weights, shape: Shape, profile: dict[str, Any], folder: Path) -> int:
    """Write the folder; returns its size in bytes.

    Args:
        weights: as `network` names them, any precision; stored as float16.
        shape: their sizes.
        profile: what ``diffdesk.json`` says beyond what follows from the weights: gates and name.
        folder: created if need be; files in it are replaced.

    Raises:
        ValueError: the folder would be larger than what may ship, or a weight is not finite in float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Encoder and decoder share all weights but these, which are not trained.
    parts = ("model.encoder.language_model", "model.decoder")
    scalars = {f"{part}.layers.{one}.layer_scalar": torch.ones(1) for part in parts for one in range(shape.layers)}
    halves = {name: weight.to(torch.float16).contiguous() for name, weight in (weights | scalars).items()}
    for name, weight in halves.items():
        if not torch.isfinite(weight).all():
            raise ValueError(f"{name} does not fit float16")
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", _config(shape))
    _write(folder / "generation_config.json", _generation(shape))
    _write(folder / "preprocessor_config.json", _processor(shape))
    _write(folder / "tokenizer_config.json", _tokenizer_settings())
    (folder / "chat_template.jinja").write_text(_TEMPLATE.replace("SLOTS", str(shape.slots)), encoding="utf-8")
    _tokenizer().save(str(folder / "tokenizer.json"))
    count = sum(weight.numel() for weight in halves.values())
    _write(folder / "diffdesk.json", {"layout": "aligned", "slots": shape.slots, "parameters": count, **profile})
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    if size > LARGEST:
        raise ValueError(f"the folder has {size:,} bytes, {size - LARGEST:,} too many")
    return size


def export_gguf(folder: Path) -> int:
    """Write the same model beside the checkpoint as the program's default form: two GGUF files; returns their bytes."""
    made = folder / STARTER_FILE, folder / PROJECTOR_FILE
    convert(folder, made[0], "q8_0", lambda _stage, _share: None, is_forced=True, mmproj=made[1], mmproj_kind="f16")
    return sum(file.stat().st_size for file in made)


def _config(shape: Shape) -> dict[str, Any]:
    return {
        "architectures": ["DiffusionGemmaForBlockDiffusion"],
        "model_type": "diffusion_gemma",
        "dtype": "float16",
        "tie_word_embeddings": True,
        **shape.config(),
    }


def _generation(shape: Shape) -> dict[str, Any]:
    return {
        "bos_token_id": vocabulary.BOS,
        "eos_token_id": [vocabulary.EOS],
        "pad_token_id": vocabulary.PAD,
        "max_new_tokens": shape.slots,
        "max_denoising_steps": STEPS,
        "sampler_config": {"_cls_name": "EntropyBoundSamplerConfig", "entropy_bound": 0.1},
        "t_max": 0.8,
        "t_min": 0.4,
        "stability_threshold": 1,
        "confidence_threshold": 0.005,
        "return_dict_in_generate": True,
    }


def _processor(shape: Shape) -> dict[str, Any]:
    """A line's picture is cut into patches as it is: it already has the right height, see `diffdesk.core.lines`."""
    return {
        "image_processor_type": "Gemma4ImageProcessor",
        "do_resize": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": False,
        "do_convert_rgb": True,
        "patch_size": shape.patch,
        "pooling_kernel_size": CELL_PIXELS // shape.patch,
        "max_soft_tokens": 70,
    }


def _tokenizer_settings() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
    }


def _tokenizer() -> Tokenizer:
    listed = {token: number for number, token in enumerate(vocabulary.tokens())}
    tokenizer = Tokenizer(models.BPE(vocab=listed, merges=[], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in vocabulary.SPECIAL])
    tokenizer.add_tokens([AddedToken(word, special=False, normalized=False) for word in vocabulary.WORDS])
    return tokenizer


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """``kit.py export CHECKPOINT FOLDER``: CHECKPOINT without its ``_a.safetensors``."""
    parser = argparse.ArgumentParser(prog="kit.py export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    profile = json.loads(Path(__file__).with_name("profile.json").read_text(encoding="utf-8"))
    size = export(read_checkpoint(chosen.checkpoint), Shape(), profile, chosen.folder)
    gguf = export_gguf(chosen.folder)
    print(f"{size:,} bytes in {chosen.folder}, and {gguf:,} as GGUF files beside them")
