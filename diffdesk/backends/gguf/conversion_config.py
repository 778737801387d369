"""What the config.json of a checkpoint says, as the hyperparameters and metadata of a GGUF file.

Absent keys have the values that transformers 5.23 gives them (`configuration_diffusion_gemma.py`); what the GGUF
layout has no place for is refused. Knows nothing of weights.
"""

from __future__ import annotations

from collections.abc import Mapping

from diffdesk.backends.checkpoint_config import ARCHITECTURE as CHECKPOINT_ARCHITECTURE
from diffdesk.backends.checkpoint_config import LONGEST_CANVAS
from diffdesk.backends.gguf.layout import ARCHITECTURE, Architecture
from diffdesk.backends.gguf.writer import Value, ValueType
from diffdesk.core.errors import CheckpointError
from diffdesk.core.parameters import SamplerDefaults

SLIDING, FULL = "sliding_attention", "full_attention"
NEVER_TURNS = 1e30  # divides a rotation's frequency away

_AGAIN = "Download the folder again, or choose another one."
_ROPE = {
    SLIDING: {"rope_type": "default", "rope_theta": 10_000.0},
    FULL: {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1_000_000.0},
}
_ONLY = {  # keys that the layout has no place for, and the values that it stands for
    "attention_bias": False,
    "hidden_activation": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
}


def text_config(config: Mapping[str, object]) -> Mapping[str, object]:
    """The part of config.json on the text model; raises `CheckpointError` where this is another kind of model."""
    listed, text = config.get("architectures"), config.get("text_config")
    if not isinstance(listed, list) or CHECKPOINT_ARCHITECTURE not in listed or not isinstance(text, dict):
        raise CheckpointError(
            "This is another kind of model",
            f"Its config.json does not describe a {CHECKPOINT_ARCHITECTURE}.",
            "Choose the folder of a DiffusionGemma model.",
        )
    for key, value in _ONLY.items():
        for part in (config, text):
            if part.get(key, value) != value:
                raise unknown(f"{key} is {part[key]!r:.60}")
    if text.get("use_bidirectional_attention") == "all":
        raise unknown("it reads its whole prompt in both directions")
    if "auto_map" in config or "auto_map" in text:
        raise unknown("it brings its own program code")
    return text


def read_architecture(config: Mapping[str, object]) -> Architecture:
    """The hyperparameters; full layers are taken to have no value projections, as transformers builds them.

    Raises `CheckpointError` where something is missing, impossible, or has no place in a GGUF file.
    """
    text = text_config(config)
    layers = whole(text, "num_hidden_layers", 30, 4096)
    sliding = _is_sliding(text, layers)
    shapes = [_heads(text, layer, is_sliding) for layer, is_sliding in enumerate(sliding)]
    dims: dict[bool, int] = {}
    for is_sliding, (dim, _) in zip(sliding, shapes, strict=True):
        if dims.setdefault(is_sliding, dim) != dim:
            raise unknown("layers of the same kind have heads of different sizes")
    return Architecture(
        layers=layers,
        hidden=whole(text, "hidden_size", 2304),
        heads=whole(text, "num_attention_heads", 8),
        kv_heads=tuple(heads for _, heads in shapes),
        is_sliding=sliding,
        head_dim=dims[False],
        head_dim_sliding=dims.get(True, dims[False]),
        values_are_keys=True,
        dense_width=whole(text, "intermediate_size", 9216),
        experts=whole(text, "num_experts", None),
        experts_used=whole(text, "top_k_experts", None),
        expert_width=whole(text, "moe_intermediate_size", None),
        window=whole(text, "sliding_window", 512, 1 << 30),
        rope_base=_rope(text, FULL)[0],
        rope_base_sliding=_rope(text, SLIDING)[0],
        epsilon=real(text, "rms_norm_eps", 1e-6),
        softcap=0.0 if text.get("final_logit_softcapping", 0) is None else real(text, "final_logit_softcapping", 30.0),
        vocab_size=whole(text, "vocab_size", 262_144),
        canvas_length=whole(config, "canvas_length", 256, LONGEST_CANVAS),
        context_length=whole(text, "max_position_embeddings", 131_072, 1 << 30),
    )


def rope_factors(config: Mapping[str, object], architecture: Architecture) -> list[float]:
    """What divides the frequency of each pair of a full layer's head: 1, or `NEVER_TURNS` for those that don't turn."""
    pairs = architecture.head_dim // 2
    turning = int(_rope(text_config(config), FULL)[1] * architecture.head_dim // 2)
    return [1.0] * turning + [NEVER_TURNS] * (pairs - turning)


def model_metadata(architecture: Architecture) -> dict[str, Value]:
    """The keys of the published files that describe the model, in their order."""
    one = architecture
    keys: dict[str, Value] = {
        "block_count": _u32(one.layers),
        "context_length": _u32(one.context_length),
        "embedding_length": _u32(one.hidden),
        "feed_forward_length": _u32(one.dense_width),
        "attention.head_count": _u32(one.heads),
        "attention.head_count_kv": Value(ValueType.INT32, one.kv_heads),
        "rope.freq_base": _f32(one.rope_base),
        "rope.freq_base_swa": _f32(one.rope_base_sliding),
        "attention.layer_norm_rms_epsilon": _f32(one.epsilon),
        "expert_count": _u32(one.experts),
        "expert_used_count": _u32(one.experts_used),
        "attention.key_length": _u32(one.head_dim),
        "attention.value_length": _u32(one.head_dim),
        "attention.key_length_swa": _u32(one.head_dim_sliding),
        "attention.value_length_swa": _u32(one.head_dim_sliding),
        "attention.sliding_window": _u32(one.window),
        "attention.sliding_window_pattern": Value(ValueType.BOOL, one.is_sliding),
        "attention.shared_kv_layers": _u32(0),
        "embedding_length_per_layer_input": _u32(0),
        "expert_feed_forward_length": _u32(one.expert_width),
        "rope.dimension_count": _u32(one.head_dim),
        "rope.dimension_count_swa": _u32(one.head_dim_sliding),
        "attention.causal": Value(ValueType.BOOL, False),
        "final_logit_softcapping": _f32(one.softcap),
    }
    prefixed = {f"{ARCHITECTURE}.{key}": value for key, value in keys.items()}
    return {**prefixed, "diffusion.canvas_length": _u32(one.canvas_length)}


def sampler_metadata(defaults: SamplerDefaults) -> dict[str, Value]:
    """The sampler's settings, as the converter of llama.cpp names them."""
    return {
        "diffusion.eb_max_steps": _u32(defaults.steps),
        "diffusion.eb_t_min": _f32(defaults.t_min),
        "diffusion.eb_t_max": _f32(defaults.t_max),
        "diffusion.eb_entropy_bound": _f32(defaults.entropy_bound),
        "diffusion.eb_stability_threshold": _u32(defaults.stability),
        "diffusion.eb_confidence_threshold": _f32(defaults.confidence),
    }


def _u32(value: int) -> Value:
    return Value(ValueType.UINT32, value)


def _f32(value: float) -> Value:
    return Value(ValueType.FLOAT32, value)


def _is_sliding(text: Mapping[str, object], layers: int) -> tuple[bool, ...]:
    """Which layers slide: as listed, else five of six; the last one never does."""
    listed = text.get("layer_types")
    if listed is None:
        listed = [SLIDING if (layer + 1) % 6 else FULL for layer in range(layers)]
    if not isinstance(listed, list) or len(listed) != layers or not all(one in (SLIDING, FULL) for one in listed):
        raise broken("layer_types should name each layer's kind of attention")
    return (*(one == SLIDING for one in listed[:-1]), False)


def _heads(text: Mapping[str, object], layer: int, is_sliding: bool) -> tuple[int, int]:
    """The length of a head and the number of key/value heads of one layer."""
    dim, heads = whole(text, "head_dim", 256), whole(text, "num_key_value_heads", 4)
    by_layer = text.get("per_layer_config")
    if isinstance(by_layer, dict):  # the form in which transformers 5.23 saves them
        # Their numbers have leading zeros, so that they sort.
        numbered = {int(key): one for key, one in by_layer.items() if str(key).isdecimal()}
        said = numbered.get(layer, {})
        if not isinstance(said, dict) or not said.keys() <= {"head_dim", "num_key_value_heads"}:
            raise unknown(f"layer {layer} differs from the others in its own way")
        return whole(said, "head_dim", dim), whole(said, "num_key_value_heads", heads)
    if is_sliding:
        return dim, heads
    if text.get("num_global_key_value_heads") is not None:
        heads = whole(text, "num_global_key_value_heads", None)
    return whole(text, "global_head_dim", 512), heads


def _rope(text: Mapping[str, object], kind: str) -> tuple[float, float]:
    """θ and the share of a head that turns, of sliding or of full layers."""
    said = text.get("rope_parameters")
    one = said.get(kind) if isinstance(said, dict) else _ROPE[kind]
    if not isinstance(one, dict):
        raise broken(f"rope_parameters should describe {kind}")
    share = real(one, "partial_rotary_factor", 1.0)
    is_known = one.get("rope_type", "default") in ("default", "proportional") and one.keys() <= {
        "rope_type",
        "rope_theta",
        "partial_rotary_factor",
    }
    is_plain = kind == FULL and one.get("rope_type") == "proportional"
    if not is_known or not 0 <= share <= 1 or (share != 1 and not is_plain):
        raise unknown(f"its positions are turned in another way ({kind})")
    return real(one, "rope_theta", 10_000.0), share


def whole(data: Mapping[str, object], key: str, default: int | None, most: int = 1 << 24) -> int:
    """A number of config.json from 1 to `most`; `CheckpointError` for anything else, and where there is no default."""
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise broken(f"{key} should be a number from 1 to {most:,}, not {value!r:.60}")
    return value


def real(data: Mapping[str, object], key: str, default: float) -> float:
    """A number of config.json that is not negative; raises `CheckpointError` for anything else."""
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e30:
        raise broken(f"{key} should be a positive number, not {value!r:.60}")
    return float(value)


def broken(what: str) -> CheckpointError:
    """What is said of a configuration that makes no sense."""
    return CheckpointError("config.json is incomplete", f"{what}.", _AGAIN)


def unknown(what: str) -> CheckpointError:
    """What is said of a model that computes something that the layout can't say."""
    return CheckpointError(
        "This model can't be converted", f"A GGUF file has no place for it: {what}.", "Use the folder as it is."
    )
