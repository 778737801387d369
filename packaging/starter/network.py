"""DiffusionGemma as plain functions over a table of weights: what training needs, on any device, with torch alone.

The weights carry the names that transformers' `DiffusionGemmaForBlockDiffusion` gives them (its text layers once,
under ``model.decoder``, since encoder and decoder share them), and the functions compute what it computes for a
prompt of fixed length, all experts active and no bidirectional mask in the encoder. `tests/unit/packaging_starter`
compares the two. Written from ``diffusion_gemma`` and ``gemma4`` of transformers 5.23.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from diffdesk.core.lines import CELL_PIXELS, MOST_CELLS
from starter import vocabulary

EPSILON = 1e-6
TEXT_THETA = 200.0  # wavelengths of the rotary positions fit a canvas
VISION_THETA = 100.0
SOFTCAP = 30.0

Weights = dict[str, Tensor]
Cache = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Shape:
    """Sizes of the network.

    Attributes:
        hidden: of the text layers; `heads` × `head` of them.
        dense, expert: widths of the dense feed-forward layer and of each of `experts`, all of which are active.
        slots: positions of the canvas, and of the prompt between its head and foot.
        sight, sight_layers, sight_dense: the same for the vision tower.
        patch: pixels; 2 × 2 patches are pooled to one image token.
    """

    hidden: int = 320
    layers: int = 8
    heads: int = 5
    head: int = 64
    dense: int = 640
    experts: int = 4
    expert: int = 128
    slots: int = 128
    sight: int = 256
    sight_layers: int = 4
    sight_heads: int = 4
    sight_dense: int = 384
    patch: int = 16

    def config(self) -> dict[str, Any]:
        """The ``config.json`` of transformers."""
        rope = {kind: {"rope_type": "default", "rope_theta": TEXT_THETA} for kind in _KINDS}
        text = {
            "vocab_size": vocabulary.SIZE,
            "hidden_size": self.hidden,
            "intermediate_size": self.dense,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "num_global_key_value_heads": self.heads,
            "head_dim": self.head,
            "global_head_dim": self.head,
            "sliding_window": 512,
            "num_experts": self.experts,
            "top_k_experts": self.experts,
            "moe_intermediate_size": self.expert,
            "layer_types": [_KINDS[0]] * (self.layers - 1) + [_KINDS[1]],
            "rope_parameters": rope,
            "max_position_embeddings": 2048,
            "pad_token_id": vocabulary.PAD,
            "eos_token_id": vocabulary.EOS,
            "bos_token_id": vocabulary.BOS,
            "use_bidirectional_attention": None,
        }
        vision = {
            "hidden_size": self.sight,
            "intermediate_size": self.sight_dense,
            "num_hidden_layers": self.sight_layers,
            "num_attention_heads": self.sight_heads,
            "num_key_value_heads": self.sight_heads,
            "head_dim": self.sight // self.sight_heads,
            "patch_size": self.patch,
            "pooling_kernel_size": CELL_PIXELS // self.patch,
            "position_embedding_size": MOST_CELLS * CELL_PIXELS // self.patch,
            "rope_parameters": {"rope_type": "axial", "rope_theta": VISION_THETA},
        }
        return {
            "text_config": text,
            "vision_config": vision,
            "canvas_length": self.slots,
            "boi_token_id": vocabulary.BEGIN_OF_IMAGE,
            "eoi_token_id": vocabulary.END_OF_IMAGE,
            "image_token_id": vocabulary.IMAGE,
        }


_KINDS = ("sliding_attention", "full_attention")
_DECODER = "model.decoder"
_VISION = "model.encoder.vision_tower"
_EMBEDDING = f"{_DECODER}.embed_tokens.weight"
_PATCHES = f"{_VISION}.patch_embedder.input_proj.weight"
_PLACES = f"{_VISION}.patch_embedder.position_embedding_table"
_PROJECTION = "model.encoder.embed_vision.embedding_projection.weight"


def initial_weights(shape: Shape, seed: int) -> Weights:
    """float32 weights to begin from.

    Queries and keys are normalised and attention is not scaled, so norms of 1 would begin saturated: they start at
    ``head ** -0.25``. The router starts wide enough to tell experts apart.
    """
    random = torch.Generator().manual_seed(seed)

    def normal(*sizes: int, deviation: float = 0.02) -> Tensor:
        return torch.randn(*sizes, generator=random) * deviation

    hidden, wide = shape.hidden, shape.heads * shape.head
    weights: Weights = {
        _EMBEDDING: normal(vocabulary.SIZE, hidden),
        f"{_DECODER}.norm.weight": torch.ones(hidden),
        f"{_DECODER}.self_conditioning.pre_norm.weight": torch.ones(hidden),
        f"{_DECODER}.self_conditioning.gate_proj.weight": normal(shape.dense, hidden),
        f"{_DECODER}.self_conditioning.up_proj.weight": normal(shape.dense, hidden),
        f"{_DECODER}.self_conditioning.down_proj.weight": normal(hidden, shape.dense),
        _PATCHES: normal(shape.sight, 3 * shape.patch**2),
        _PLACES: normal(2, MOST_CELLS * CELL_PIXELS // shape.patch, shape.sight),
        _PROJECTION: normal(hidden, shape.sight),
    }
    for number in range(shape.layers):
        layer = {
            "self_attn.q_proj.weight": normal(wide, hidden),
            "self_attn.k_proj.weight": normal(wide, hidden),
            "self_attn.v_proj.weight": normal(wide, hidden),
            "self_attn.o_proj.weight": normal(hidden, wide),
            "self_attn.q_norm.weight": torch.full((shape.head,), shape.head**-0.25),
            "self_attn.k_norm.weight": torch.full((shape.head,), shape.head**-0.25),
            "mlp.gate_proj.weight": normal(shape.dense, hidden),
            "mlp.up_proj.weight": normal(shape.dense, hidden),
            "mlp.down_proj.weight": normal(hidden, shape.dense),
            "input_layernorm.weight": torch.ones(hidden),
            "post_attention_layernorm.weight": torch.full((hidden,), 0.5),
            "pre_feedforward_layernorm.weight": torch.ones(hidden),
            "post_feedforward_layernorm.weight": torch.full((hidden,), 0.5),
            "pre_feedforward_layernorm_2.weight": torch.ones(hidden),
            "post_feedforward_layernorm_1.weight": torch.ones(hidden),
            "post_feedforward_layernorm_2.weight": torch.ones(hidden),
            "router.scale": torch.ones(hidden),
            "router.proj.weight": normal(shape.experts, hidden, deviation=0.1),
            "router.per_expert_scale": torch.ones(shape.experts),
            "experts.gate_up_proj": normal(shape.experts, 2 * shape.expert, hidden),
            "experts.down_proj": normal(shape.experts, hidden, shape.expert),
        }
        if number == shape.layers - 1:
            del layer["self_attn.v_proj.weight"]  # a full layer's values are its keys before norm and rotation
        weights |= {f"{_DECODER}.layers.{number}.{name}": weight for name, weight in layer.items()}
    sight, sight_head = shape.sight, shape.sight // shape.sight_heads
    for number in range(shape.sight_layers):
        layer = {
            **{f"self_attn.{one}_proj.linear.weight": normal(sight, sight) for one in "qkvo"},
            "self_attn.q_norm.weight": torch.full((sight_head,), sight_head**-0.25),
            "self_attn.k_norm.weight": torch.full((sight_head,), sight_head**-0.25),
            "mlp.gate_proj.linear.weight": normal(shape.sight_dense, sight),
            "mlp.up_proj.linear.weight": normal(shape.sight_dense, sight),
            "mlp.down_proj.linear.weight": normal(sight, shape.sight_dense),
            "input_layernorm.weight": torch.ones(sight),
            "post_attention_layernorm.weight": torch.full((sight,), 0.5),
            "pre_feedforward_layernorm.weight": torch.ones(sight),
            "post_feedforward_layernorm.weight": torch.full((sight,), 0.5),
        }
        weights |= {f"{_VISION}.encoder.layers.{number}.{name}": weight for name, weight in layer.items()}
    return weights


def normed(x: Tensor, weight: Tensor | None = None) -> Tensor:
    """float32: `x` over its root mean square."""
    y = x.float()
    y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + EPSILON)
    return y if weight is None else y * weight.float()


def gated(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """The gated feed-forward layer."""
    return functional.linear(
        functional.gelu(functional.linear(x, gate), approximate="tanh") * functional.linear(x, up), down
    )


def rotated(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """`x` with rotary positions; the last axis is rotated as one."""
    first, second = x.chunk(2, -1)
    return x * cosines + torch.cat((-second, first), -1) * sines


def text_layer(
    x: Tensor, cosines: Tensor, sines: Tensor, past: tuple[Tensor, Tensor] | None, weights: list[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """One text layer: causal without a `past`, else a canvas that sees the past and all of itself.

    Shapes: x [B, T, H]; past keys and values [B, heads, P, head]; returns x and its own keys and values.
    """
    # fmt: off
    (before, query_norm, key_norm, wq, wk, wv, wo, after, before_dense, gate, up, down, router_scale, router,
     expert_scale, before_experts, experts_in, experts_out, after_dense, after_experts, after_all) = weights
    # fmt: on
    batch, length, hidden = x.shape
    head = query_norm.shape[0]
    kind = x.dtype
    h = normed(x, before).to(kind)
    query = functional.linear(h, wq).view(batch, length, -1, head)
    key = functional.linear(h, wk).view(batch, length, -1, head)
    value = key if wv.numel() == 0 else functional.linear(h, wv).view(batch, length, -1, head)
    query = rotated(normed(query, query_norm), cosines, sines).to(kind).transpose(1, 2)
    values = normed(value).to(kind).transpose(1, 2)
    keys = rotated(normed(key, key_norm), cosines, sines).to(kind).transpose(1, 2)
    if past is None:
        seen = functional.scaled_dot_product_attention(query, keys, values, is_causal=True, scale=1.0)
    else:
        every_key, every_value = torch.cat((past[0], keys), 2), torch.cat((past[1], values), 2)
        seen = functional.scaled_dot_product_attention(query, every_key, every_value, scale=1.0)
    x = x + normed(functional.linear(seen.transpose(1, 2).reshape(batch, length, -1), wo), after).to(kind)
    dense = normed(gated(normed(x, before_dense).to(kind), gate, up, down), after_dense)
    routed = functional.linear(normed(x) * router_scale * hidden**-0.5, router).float().softmax(-1) * expert_scale
    count, width = experts_in.shape[0], experts_in.shape[1] // 2
    halves = functional.linear(normed(x, before_experts).to(kind), experts_in.reshape(count * 2 * width, hidden))
    halves = halves.view(batch, length, count, 2, width)
    active = (
        functional.gelu(halves[..., 0, :], approximate="tanh") * halves[..., 1, :] * routed.to(halves.dtype)[..., None]
    )
    mixed = functional.linear(
        active.reshape(batch, length, count * width), experts_out.permute(1, 0, 2).reshape(hidden, count * width)
    )
    x = x + normed(dense + normed(mixed, after_experts), after_all).to(kind)
    return x, keys, values


def vision_layer(x: Tensor, cosines: Tensor, sines: Tensor, seen: Tensor, heads: int, weights: list[Tensor]) -> Tensor:
    """One layer of the vision tower. Shapes: x [B, P, S], seen bool[B, 1, 1, P]: patches that are there."""
    before, query_norm, key_norm, wq, wk, wv, wo, after, before_dense, gate, up, down, after_dense = weights
    batch, patches, _ = x.shape
    kind = x.dtype
    h = normed(x, before).to(kind)

    def turned(y: Tensor) -> Tensor:
        across, along = y.chunk(2, -1)
        cos_across, cos_along = cosines.chunk(2, -1)
        sin_across, sin_along = sines.chunk(2, -1)
        return torch.cat((rotated(across, cos_across, sin_across), rotated(along, cos_along, sin_along)), -1)

    query = functional.linear(h, wq).view(batch, patches, heads, -1)
    key = functional.linear(h, wk).view(batch, patches, heads, -1)
    value = functional.linear(h, wv).view(batch, patches, heads, -1)
    query = turned(normed(query, query_norm)).to(kind).transpose(1, 2)
    key = turned(normed(key, key_norm)).to(kind).transpose(1, 2)
    value = normed(value).to(kind).transpose(1, 2)
    attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=1.0)
    x = x + normed(functional.linear(attended.transpose(1, 2).reshape(batch, patches, -1), wo), after).to(kind)
    return x + normed(gated(normed(x, before_dense).to(kind), gate, up, down), after_dense).to(kind)


def smooth_loss(x: Tensor, embedding: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
    """The mean cross-entropy of capped logits, each position by its share. Shapes [B, T, H], [V, H], [B, T], [B, T]."""
    logits = torch.tanh(functional.linear(x, embedding).float() / SOFTCAP) * SOFTCAP
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    return (losses * shares).sum() / shares.sum()


_TEXT_NAMES = (
    "input_layernorm.weight",
    "self_attn.q_norm.weight",
    "self_attn.k_norm.weight",
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "post_attention_layernorm.weight",
    "pre_feedforward_layernorm.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
    "router.scale",
    "router.proj.weight",
    "router.per_expert_scale",
    "pre_feedforward_layernorm_2.weight",
    "experts.gate_up_proj",
    "experts.down_proj",
    "post_feedforward_layernorm_1.weight",
    "post_feedforward_layernorm_2.weight",
    "post_feedforward_layernorm.weight",
)
_VISION_NAMES = (
    "input_layernorm.weight",
    "self_attn.q_norm.weight",
    "self_attn.k_norm.weight",
    "self_attn.q_proj.linear.weight",
    "self_attn.k_proj.linear.weight",
    "self_attn.v_proj.linear.weight",
    "self_attn.o_proj.linear.weight",
    "post_attention_layernorm.weight",
    "pre_feedforward_layernorm.weight",
    "mlp.gate_proj.linear.weight",
    "mlp.up_proj.linear.weight",
    "mlp.down_proj.linear.weight",
    "post_feedforward_layernorm.weight",
)


class Network:
    """The forward passes over a table of weights.

    Args:
        weights: as `initial_weights` makes them; used in place, so an optimiser may change them between calls.
        shape: their sizes.
        kind: in which numbers activations are kept; norms and losses are float32 in any case.
        is_compiled: whether torch compiles the layers, once for each batch size.
    """

    def __init__(
        self, weights: Weights, shape: Shape, kind: torch.dtype = torch.float32, *, is_compiled: bool = False
    ) -> None:
        self.weights = weights
        self.shape = shape
        self._kind = kind
        nothing = torch.zeros(0, device=self.embedding.device)
        self._text = [
            [weights.get(f"{_DECODER}.layers.{number}.{name}", nothing) for name in _TEXT_NAMES]
            for number in range(shape.layers)
        ]
        self._vision = [
            [weights[f"{_VISION}.encoder.layers.{number}.{name}"] for name in _VISION_NAMES]
            for number in range(shape.sight_layers)
        ]
        self._text_layer, self._vision_layer, self._loss = text_layer, vision_layer, smooth_loss
        if is_compiled:
            self._text_layer = torch.compile(text_layer, dynamic=False)
            self._vision_layer = torch.compile(vision_layer, dynamic=False)
            self._loss = torch.compile(smooth_loss, dynamic=False)
        self._turns: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    @property
    def embedding(self) -> Tensor:
        """float32[V, H]."""
        return self.weights[_EMBEDDING]

    def see(self, pictures: Tensor, cells: Tensor) -> Tensor:
        """The image tokens of pictures.

        Args:
            pictures: uint8[B, 32, 32·M], each padded to the same number M of cells.
            cells: int64[B], how many of them are there.

        Returns:
            [B, M, H]; what lies beyond `cells` means nothing.
        """
        patch, device = self.shape.patch, pictures.device
        batch, height, width = pictures.shape
        rows, columns = height // patch, width // patch
        pixels = 2 * (pictures.to(torch.float32) / 255 - 0.5)
        patches = pixels.view(batch, rows, patch, columns, patch).permute(0, 1, 3, 2, 4)
        # Three equal channels, the last axis of a patch in transformers.
        grey = self.weights[_PATCHES].view(-1, patch, patch, 3).sum(-1).flatten(1)
        x = functional.linear(patches.reshape(batch, rows * columns, patch * patch).to(self._kind), grey)
        along = torch.arange(columns, device=device).repeat(rows)
        down = torch.arange(rows, device=device).repeat_interleave(columns)
        table = self.weights[_PLACES]
        x = x + (table[0][along] + table[1][down]).to(x.dtype)
        seen = (along[None] < cells[:, None] * (CELL_PIXELS // patch))[:, None, None, :]
        cosines, sines = _axial(along, down, self.shape.sight // self.shape.sight_heads)
        x = x.to(self._kind)
        for weights in self._vision:
            x = self._vision_layer(x, cosines, sines, seen, self.shape.sight_heads, weights)
        side = CELL_PIXELS // patch
        pooled = x.float().view(batch, rows // side, side, columns // side, side, -1).mean((2, 4)).flatten(1, 2)
        return functional.linear(normed(pooled * math.sqrt(self.shape.sight)).to(self._kind), self.weights[_PROJECTION])

    def encode(self, ids: Tensor, features: Tensor | None = None) -> tuple[Tensor, Cache]:
        """Read prompts int64[B, T]; image tokens in them stand for `features` in their order.

        Returns:
            The normed last hidden states [B, T, H] and the keys and values of each layer.
        """
        x = functional.embedding(ids, self.embedding) * self.shape.hidden**0.5
        if features is not None:
            is_cell = ids == vocabulary.IMAGE
            number = (is_cell.cumsum(1) - 1).clamp(0)
            placed = features.gather(1, number[..., None].expand(-1, -1, features.shape[-1]))
            x = torch.where(is_cell[..., None], placed.to(x.dtype), x)
        x = x.to(self._kind)
        cosines, sines = self._rotation(0, ids.shape[1])
        cache: Cache = []
        for weights in self._text:
            x, keys, values = self._text_layer(x, cosines, sines, None, weights)
            cache.append((keys, values))
        return normed(x, self.weights[f"{_DECODER}.norm.weight"]), cache

    def decode(self, canvas: Tensor, cache: Cache, conditioning: Tensor | None = None) -> Tensor:
        """One look at canvases int64[B, L] after a prompt; hidden states [B, L, H] for `logits` or `loss`.

        `conditioning` [B, L, V] are the processed logits of the step before.
        """
        x = functional.embedding(canvas, self.embedding) * self.shape.hidden**0.5
        if conditioning is not None:
            part = f"{_DECODER}.self_conditioning"
            soft = (conditioning.float().softmax(-1) @ self.embedding.float()) * self.shape.hidden**0.5
            soft = normed(soft, self.weights[f"{part}.pre_norm.weight"]).to(self._kind)
            names = ("gate_proj", "up_proj", "down_proj")
            x = x + gated(soft, *(self.weights[f"{part}.{name}.weight"] for name in names)).to(x.dtype)
        x = normed(x).to(self._kind)
        cosines, sines = self._rotation(cache[0][0].shape[2], canvas.shape[1])
        for weights, past in zip(self._text, cache, strict=True):
            x, _, _ = self._text_layer(x, cosines, sines, past, weights)
        return normed(x, self.weights[f"{_DECODER}.norm.weight"])

    def logits(self, x: Tensor) -> Tensor:
        """float32[B, L, V], capped."""
        return torch.tanh(functional.linear(x, self.embedding).float() / SOFTCAP) * SOFTCAP

    def loss(self, x: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
        """See `smooth_loss`."""
        return self._loss(x, self.embedding, targets, shares)

    def _rotation(self, begin: int, length: int) -> tuple[Tensor, Tensor]:
        known = self._turns.get((begin, length))
        if known is None:
            device = self.embedding.device
            half = self.shape.head // 2
            speeds = TEXT_THETA ** -(torch.arange(half, device=device, dtype=torch.float32) / half)
            angles = (begin + torch.arange(length, device=device, dtype=torch.float32))[:, None] * speeds
            angles = torch.cat((angles, angles), -1)[None, :, None]
            known = self._turns[begin, length] = (angles.cos(), angles.sin())
        return known


def _axial(along: Tensor, down: Tensor, head: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines [1, P, 1, head]: the first half of a head turns with the column, the second with the row."""
    speeds = VISION_THETA ** -(torch.arange(0, head // 2, 2, device=along.device, dtype=torch.float32) / (head // 2))
    parts = [torch.cat([place[:, None] * speeds] * 2, -1) for place in (along, down)]
    angles = torch.cat(parts, -1)[None, :, None]
    return angles.cos(), angles.sin()
