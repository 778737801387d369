"""Which tensor of a checkpoint becomes which tensor of a GGUF file, and in what number format.

Names on the left as in the published GGUF files, on the right as transformers 5.23 writes DiffusionGemma. The choice
of formats follows llama.cpp's `llama_tensor_get_type` for the types offered here. Knows nothing of bytes.
"""

from __future__ import annotations

from enum import StrEnum

from diffdesk.backends.gguf.types import TensorType

ROPE_FACTORS = "rope_freqs.weight"  # made from the configuration, not a tensor of the checkpoint


class FileKind(StrEnum):
    """The types of file that can be made; the value is what people type."""

    Q8_0 = "q8_0"
    Q4_K_M = "q4_k_m"
    BF16 = "bf16"
    F16 = "f16"
    F32 = "f32"

    @property
    def file_type(self) -> int:
        """The value of `general.file_type` (enum llama_ftype)."""
        return {FileKind.F32: 0, FileKind.F16: 1, FileKind.Q8_0: 7, FileKind.Q4_K_M: 15, FileKind.BF16: 32}[self]

    @property
    def needs_native(self) -> bool:
        """Whether ggml itself has to make some of the formats."""
        return self is FileKind.Q4_K_M


_WHOLE = {
    "token_embd.weight": "embed_tokens.weight",
    "output_norm.weight": "norm.weight",
    "self_cond_pre_norm.weight": "self_conditioning.pre_norm.weight",
    "self_cond_gate.weight": "self_conditioning.gate_proj.weight",
    "self_cond_up.weight": "self_conditioning.up_proj.weight",
    "self_cond_down.weight": "self_conditioning.down_proj.weight",
}
_OF_LAYER = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "attn_q_norm.weight": "self_attn.q_norm.weight",
    "attn_k_norm.weight": "self_attn.k_norm.weight",
    "post_attention_norm.weight": "post_attention_layernorm.weight",
    "layer_output_scale.weight": "layer_scalar",
    "ffn_norm.weight": "pre_feedforward_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
    "post_ffw_norm.weight": "post_feedforward_layernorm.weight",
    "post_ffw_norm_1.weight": "post_feedforward_layernorm_1.weight",
    "pre_ffw_norm_2.weight": "pre_feedforward_layernorm_2.weight",
    "post_ffw_norm_2.weight": "post_feedforward_layernorm_2.weight",
    "ffn_gate_inp.weight": "router.proj.weight",
    "ffn_gate_inp.scale": "router.scale",
    "ffn_gate_up_exps.weight": "experts.gate_up_proj",
    "ffn_down_exps.weight": "experts.down_proj",
    "ffn_down_exps.scale": "router.per_expert_scale",
}
_DECODER, _ENCODER = "model.decoder", "model.encoder.language_model"
_MORE_BITS = frozenset({"attn_v.weight", "ffn_down.weight", "ffn_down_exps.weight"})
_WITHOUT_K = {TensorType.Q4_K: TensorType.Q5_0, TensorType.Q6_K: TensorType.Q8_0}


def checkpoint_name(name: str) -> str:
    """The checkpoint's name of a tensor of the published layout, `ROPE_FACTORS` excepted."""
    if name in _WHOLE:
        return f"{_DECODER}.{_WHOLE[name]}"
    _, layer, rest = name.split(".", 2)
    if rest == "enc_layer_output_scale.weight":
        return f"{_ENCODER}.layers.{layer}.layer_scalar"
    return f"{_DECODER}.layers.{layer}.{_OF_LAYER[rest]}"


def is_left_out(name: str) -> bool:
    """Whether a tensor of a checkpoint has no place in a text model's file, and none is needed.

    These are the part that sees images, copies of tied weights, and the activation scales of 4-bit matrices.
    """
    if name.startswith(("model.encoder.vision_tower.", "model.encoder.embed_vision.", f"{_ENCODER}.")):
        return True
    return name == "lm_head.weight" or name.endswith(".input_scale")


def format_of(name: str, shape: tuple[int, ...], kind: FileKind, layers: int) -> TensorType:
    """The number format of a tensor; `shape` begins with the length of a row, `layers` is the model's."""
    is_matrix = len(shape) > 1 and not name.endswith("ffn_gate_inp.weight")
    if not is_matrix or kind is FileKind.F32:
        return TensorType.F32
    if kind is FileKind.F16:
        return TensorType.F16
    if kind is FileKind.BF16:
        return TensorType.BF16
    wanted = TensorType.Q8_0 if kind is FileKind.Q8_0 else _mixed(name, layers)
    for one in (wanted, _WITHOUT_K.get(wanted, wanted)):
        if shape[0] % one.block[0] == 0:
            return one
    return TensorType.F16


def _mixed(name: str, layers: int) -> TensorType:
    """What Q4_K_M gives a matrix: six bits to those that matter most, in the outer eighths of the layers and in every
    third one between.
    """
    if name == "token_embd.weight":
        return TensorType.Q6_K
    parts = name.split(".", 2)
    if len(parts) == 3 and parts[2] in _MORE_BITS:
        layer, eighth = int(parts[1]), layers // 8
        if layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2:
            return TensorType.Q6_K
    return TensorType.Q4_K
