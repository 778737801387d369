"""The published layout of a DiffusionGemma GGUF file: hyperparameters and the shape of every tensor.

As in `unsloth/diffusiongemma-26B-A4B-it-GGUF`: 692 tensors for the 26B model. Shapes are in ggml's order, the length of
a row first, so a matrix that maps n to m values has the shape (n, m).
"""

from __future__ import annotations

from dataclasses import dataclass

ARCHITECTURE = "diffusion-gemma"
# Keys of our own: the texts of diffdesk.json and of tokenizer.json, and the tokens that end an answer.
PROFILE_KEY, OWN_TOKENIZER_KEY, END_IDS_KEY = "diffdesk.profile", "diffdesk.tokenizer", "diffdesk.end_ids"
# How pieces of an image attend to each other in a prompt; the published files don't say, and mean both ways.
IMAGE_ATTENTION_KEY, BOTH_WAYS, CAUSAL = "diffdesk.image_attention", "both_ways", "causal"


@dataclass(frozen=True, slots=True)
class Architecture:
    """The hyperparameters of a model.

    Attributes:
        layers: number of layers.
        hidden: width of the residual stream.
        heads: query heads of every layer.
        kv_heads: key/value heads of each layer.
        is_sliding: for each layer whether its attention slides; the others see everything.
        head_dim, head_dim_sliding: of full and of sliding layers.
        values_are_keys: full layers have no value projection, their values are the raw output of the key projection.
        dense_width: of the dense MLP and of the self-conditioning.
        experts, experts_used, expert_width: of the mixture.
        window: of sliding layers; the decoder sees the last `window` − 1 tokens of the prefix.
        rope_base, rope_base_sliding: θ of full and of sliding layers.
        epsilon: of RMS norms.
        softcap: of the logits, 0 for none.
        vocab_size, canvas_length, context_length: in tokens.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: tuple[int, ...]
    is_sliding: tuple[bool, ...]
    head_dim: int
    head_dim_sliding: int
    values_are_keys: bool
    dense_width: int
    experts: int
    experts_used: int
    expert_width: int
    window: int
    rope_base: float
    rope_base_sliding: float
    epsilon: float
    softcap: float
    vocab_size: int
    canvas_length: int
    context_length: int

    def head_dim_of(self, layer: int) -> int:
        """Length of a head in one layer."""
        return self.head_dim_sliding if self.is_sliding[layer] else self.head_dim

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor that a file of this architecture holds, by name."""
        hidden, wide = self.hidden, self.dense_width
        shapes: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (hidden, self.vocab_size),
            "output_norm.weight": (hidden,),
            "rope_freqs.weight": (self.head_dim // 2,),
            "self_cond_pre_norm.weight": (hidden,),
            "self_cond_gate.weight": (hidden, wide),
            "self_cond_up.weight": (hidden, wide),
            "self_cond_down.weight": (wide, hidden),
        }
        for layer in range(self.layers):
            shapes |= {f"blk.{layer}.{name}": shape for name, shape in self._layer(layer).items()}
        return shapes

    def _layer(self, layer: int) -> dict[str, tuple[int, ...]]:
        hidden, wide, narrow, experts = self.hidden, self.dense_width, self.expert_width, self.experts
        head = self.head_dim_of(layer)
        queries, keys = self.heads * head, self.kv_heads[layer] * head
        shapes: dict[str, tuple[int, ...]] = {
            "attn_q.weight": (hidden, queries),
            "attn_k.weight": (hidden, keys),
            "attn_output.weight": (queries, hidden),
            "attn_q_norm.weight": (head,),
            "attn_k_norm.weight": (head,),
            "layer_output_scale.weight": (1,),
            "enc_layer_output_scale.weight": (1,),
            "ffn_gate.weight": (hidden, wide),
            "ffn_up.weight": (hidden, wide),
            "ffn_down.weight": (wide, hidden),
            "ffn_gate_inp.weight": (hidden, experts),
            "ffn_gate_inp.scale": (hidden,),
            "ffn_gate_up_exps.weight": (hidden, 2 * narrow, experts),
            "ffn_down_exps.weight": (narrow, hidden, experts),
            "ffn_down_exps.scale": (experts,),
        }
        if self.is_sliding[layer] or not self.values_are_keys:
            shapes["attn_v.weight"] = (hidden, keys)
        for name in _NORMS:
            shapes[f"{name}.weight"] = (hidden,)
        return shapes


_NORMS = (
    "attn_norm",
    "post_attention_norm",
    "ffn_norm",
    "post_ffw_norm",
    "post_ffw_norm_1",
    "pre_ffw_norm_2",
    "post_ffw_norm_2",
)
