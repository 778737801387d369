"""The small JSON files of a model folder: config.json, generation_config.json and the two keys of diffdesk.json
that say whether the model can see.

Reads and checks; imports no model library and knows nothing of weights.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from diffdesk.core.errors import CheckpointError
from diffdesk.core.parameters import SamplerDefaults

ARCHITECTURE = "DiffusionGemmaForBlockDiffusion"
MODEL_TYPE = "diffusion_gemma"
QUANT_FILE = "hf_quant_config.json"
LARGEST_JSON = 64 * 1024 * 1024  # bytes; an index of 50,000 tensors takes 5 MB
LONGEST_CANVAS = 65_535  # positions; traces number them in 16 bits

_AGAIN = "Download the folder again, or choose another one."


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What config.json says, as far as it matters before loading."""

    architecture: str
    canvas_length: int
    context_length: int
    vocab_size: int
    layers: int
    end_ids: tuple[int, ...]
    is_packed: bool


def read_json(path: Path) -> dict[str, object]:
    """The object in a JSON file; raises `CheckpointError` where it is none, `OSError` where it can't be read."""
    if path.stat().st_size > LARGEST_JSON:
        raise CheckpointError(f"{path.name} is far too large", "It can't be what its name says.", _AGAIN)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is broken", f"It is no valid JSON: {error}.", _AGAIN) from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path.name} is broken", "It should hold an object.", _AGAIN)
    return data


def read_config(path: Path, names: frozenset[str]) -> ModelConfig:
    """Read and check config.json of the folder `path`, which holds `names`."""
    if "config.json" not in names:
        raise CheckpointError(
            "This is not a model folder",
            f"There is no config.json in {path}.",
            "Choose the folder that holds config.json, tokenizer.json and *.safetensors files.",
        )
    config = read_json(path / "config.json")
    _require_architecture(config)
    text = config.get("text_config")
    if not isinstance(text, dict):
        raise CheckpointError("config.json is incomplete", "It does not describe the text model.", _AGAIN)
    _refuse_code(config, text)
    packed = read_packing(path, config, names)
    for key in ("num_experts", "top_k_experts", "moe_intermediate_size"):
        _whole(text, key, 1, 1 << 20)
    if text.get("use_bidirectional_attention") == "all":
        raise CheckpointError(
            "This kind of model can't be used",
            "It reads its whole prompt in both directions; DiffDesk reads prompts piece by piece.",
            "Choose another model.",
        )
    return ModelConfig(
        architecture=ARCHITECTURE,
        canvas_length=_whole(config, "canvas_length", 1, LONGEST_CANVAS, 256),
        context_length=_whole(text, "max_position_embeddings", 1, 1 << 30),
        vocab_size=_whole(text, "vocab_size", 2, 1 << 24),
        layers=_whole(text, "num_hidden_layers", 1, 4096),
        end_ids=_ids(config.get("eos_token_id")) or _ids(text.get("eos_token_id")),
        is_packed=packed,
    )


def _require_architecture(config: Mapping[str, object]) -> None:
    listed = config.get("architectures")
    named = [str(one) for one in listed] if isinstance(listed, list) else []
    kind = config.get("model_type")
    if ARCHITECTURE in named or (not named and kind == MODEL_TYPE):
        return
    found = ", ".join(named) or str(kind or "unnamed")
    raise CheckpointError(
        "This is another kind of model",
        f"It is of the kind {found[:120]}; DiffDesk runs {ARCHITECTURE}.",
        "Choose the folder of a DiffusionGemma model.",
    )


def _refuse_code(config: Mapping[str, object], text: Mapping[str, object]) -> None:
    if "auto_map" in config or "auto_map" in text:
        raise CheckpointError(
            "This model brings its own program code",
            "Its config.json asks to run code from the folder, which DiffDesk never does.",
            "Choose a model that works without its own code.",
        )


def read_packing(folder: Path, config: Mapping[str, object], names: Collection[str]) -> bool:
    """Whether the experts of a folder, which holds `names`, were packed into 4 bits by NVIDIA's ModelOpt (NVFP4).

    Raises `CheckpointError` for every other compressed layout: loaded as it is, most of it would be noise.
    """
    said = config.get("quantization_config")
    if not isinstance(said, dict) and QUANT_FILE in names:
        said = read_json(folder / QUANT_FILE).get("quantization")
    if said is None and QUANT_FILE not in names:
        return False
    parts: list[str] = []
    if isinstance(said, dict):
        by_modelopt = said.get("quant_method", "modelopt") == "modelopt"
        if by_modelopt and said.get("quant_algo") == "NVFP4" and said.get("group_size", 16) == 16:
            return True
        parts = [str(said[key])[:40] for key in ("quant_algo", "quant_method", "format") if said.get(key)]
    kind = ", ".join(parts) or "unnamed"
    raise CheckpointError(
        "Compressed weights can't be loaded",
        f"The weights are compressed ({kind}). Loaded as they are, most of them would be noise.",
        "Use the folder with the uncompressed weights (bfloat16), NVIDIA's own NVFP4 build, or a GGUF file.",
    )


def _whole(data: Mapping[str, object], key: str, low: int, high: int, default: int | None = None) -> int:
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CheckpointError(
            "config.json is incomplete",
            f"{key} should be a number from {low:,} to {high:,}, not {value!r:.60}.",
            _AGAIN,
        )
    return value


def _ids(value: object) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(one for one in listed if isinstance(one, int) and not isinstance(one, bool) and one >= 0)


def read_defaults(path: Path, names: frozenset[str], end_ids: tuple[int, ...]) -> SamplerDefaults:
    """Sampler settings of generation_config.json; where it is silent, `end_ids` and the published values."""
    known = SamplerDefaults()
    if "generation_config.json" not in names:
        return SamplerDefaults(end_ids=end_ids or known.end_ids)
    data = read_json(path / "generation_config.json")
    sampler = data.get("sampler_config")
    bound = sampler.get("entropy_bound") if isinstance(sampler, dict) else None
    made = SamplerDefaults(
        steps=int(_number(data, "max_denoising_steps", 1, 4096, known.steps)),
        t_max=_number(data, "t_max", 0, 100, known.t_max),
        t_min=_number(data, "t_min", 0, 100, known.t_min),
        entropy_bound=_number({"entropy_bound": bound}, "entropy_bound", 0, 1e6, known.entropy_bound),
        confidence=_number(data, "confidence_threshold", 0, 1e6, known.confidence),
        stability=int(_number(data, "stability_threshold", 0, 4096, known.stability)),
        end_ids=_ids(data.get("eos_token_id")) or end_ids or known.end_ids,
        pad_id=int(_number(data, "pad_token_id", 0, 1 << 24, known.pad_id)),
    )
    if made.t_max <= made.t_min:
        raise CheckpointError(
            "generation_config.json is broken",
            f"The first temperature ({made.t_max:g}) must be above the last ({made.t_min:g}).",
            "Correct or delete that file.",
        )
    return made


def _number(data: Mapping[str, object], key: str, low: float, high: float, default: float) -> float:
    value = data.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise CheckpointError(
            "generation_config.json is broken",
            f"{key} should be a number from {low:g} to {high:g}, not {value!r:.60}.",
            "Correct or delete that file.",
        )
    return value
