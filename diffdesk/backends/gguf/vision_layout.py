"""The layout of a GGUF file with the part of Gemma 4 that sees: llama.cpp's "mmproj" of the type ``gemma4v``.

Names, keys and shapes as llama.cpp's converter writes them (`Gemma4VisionAudioModel` in conversion/gemma.py,
`KEY_…` and `TN_…` in tools/mtmd/clip-impl.h) and as its clip.cpp reads them:

- The kernel of the patch embedding has the shape of a convolution's: columns, rows, colours, width.
- The table of positions holds two tables, for columns and for rows; a patch gets the sum of its two rows.
- ``v.std_bias`` and ``v.std_scale`` are there if soft tokens are standardised: (x − bias) · scale.
- A matrix X.weight may come with X.input_min, X.input_max, X.output_min and X.output_max, one number each: bounds for
  what goes in and comes out. Those that are infinite are left out.
- θ of the rotation (100) has no key there, nor has the preparation of images: keys of our own say them. The norms' ε
  and the pooling are ``clip.vision.attention.layer_norm_epsilon`` and ``clip.vision.projector.scale_factor``.

Shapes are in ggml's order, the length of a row first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from diffdesk.backends.image_patches import STILL_TOKENS, PatchSettings

ARCHITECTURE, PROJECTOR = "clip", "gemma4v"
PATCH_EMBEDDING, POSITIONS, PROJECTION = "v.patch_embd.weight", "v.position_embd.weight", "mm.input_projection.weight"
STANDARD_BIAS, STANDARD_SCALE = "v.std_bias", "v.std_scale"
BOUNDS = ("input_min", "input_max", "output_min", "output_max")
COLOURS = 3
MOST_PATCHES = 10_080  # of an image: 1,120 soft tokens, the largest budget, of 3 × 3 patches

# Keys, without those that every file has.
PROJECTOR_KEYS = ("clip.vision.projector_type", "clip.projector_type")
HAS_VISION_KEY = "clip.has_vision_encoder"
USES_GELU_KEY = "clip.use_gelu"  # GELU by tanh; clip.cpp takes another approximation for files without this key
ROPE_BASE_KEY = "diffdesk.vision.rope_base"
SOFT_TOKENS_KEY = "diffdesk.vision.soft_tokens"
IS_RESIZED_KEY = "diffdesk.vision.is_resized"
ROPE_BASE = 100.0  # of files that don't say it
POOLING = 3


@dataclass(frozen=True, slots=True)
class VisionArchitecture:
    """The hyperparameters of a vision tower, and how it wants its images.

    Attributes:
        layers: number of layers.
        width: of the residual stream.
        heads, kv_heads: query heads, and key/value heads, of every layer.
        head_dim: length of a head, a multiple of 4: one half turns with the column, the other with the row.
        mlp_width: of the gated MLP.
        patch: side of a patch, in pixels.
        pooling: side of the square of patches that becomes one soft token.
        places: columns and rows of patches that there are positions for.
        text_width: width of the text model's residual stream.
        epsilon: of RMS norms.
        rope_base: θ of the rotation.
        is_standardised: soft tokens get a bias and a scale before they are projected.
        bounded: tensors that bound what goes into matrices and comes out of them, by name; most towers have none.
        soft_tokens: most soft tokens of an image.
        is_resized: images are brought to the size that fills their budget.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp_width: int
    patch: int
    pooling: int
    places: int
    text_width: int
    epsilon: float
    rope_base: float = ROPE_BASE
    is_standardised: bool = False
    bounded: frozenset[str] = field(default=frozenset(), repr=False)
    soft_tokens: int = STILL_TOKENS
    is_resized: bool = True

    @property
    def images(self) -> PatchSettings:
        """How images are prepared for it."""
        return PatchSettings(self.patch, self.pooling, self.places, self.soft_tokens, self.is_resized)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor that a file of this architecture holds, by name."""
        shapes: dict[str, tuple[int, ...]] = {
            PATCH_EMBEDDING: (self.patch, self.patch, COLOURS, self.width),
            POSITIONS: (self.width, self.places, 2),
            PROJECTION: (self.width, self.text_width),
        }
        if self.is_standardised:
            shapes |= {STANDARD_BIAS: (self.width,), STANDARD_SCALE: (self.width,)}
        for layer in range(self.layers):
            for name, shape in self._layer().items():
                whole = f"v.blk.{layer}.{name}"
                shapes[whole] = shape
                shapes |= {one: (1,) for one in bounds_of(whole) if one in self.bounded}
        return shapes

    def _layer(self) -> dict[str, tuple[int, ...]]:
        width, queries, keys = self.width, self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "ln1.weight": (width,),
            "attn_q.weight": (width, queries),
            "attn_k.weight": (width, keys),
            "attn_v.weight": (width, keys),
            "attn_out.weight": (queries, width),
            "attn_q_norm.weight": (self.head_dim,),
            "attn_k_norm.weight": (self.head_dim,),
            "attn_post_norm.weight": (width,),
            "ln2.weight": (width,),
            "ffn_gate.weight": (width, self.mlp_width),
            "ffn_up.weight": (width, self.mlp_width),
            "ffn_down.weight": (self.mlp_width, width),
            "ffn_post_norm.weight": (width,),
        }


MATRICES = ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_gate", "ffn_up", "ffn_down")


def bounds_of(name: str) -> Iterator[str]:
    """The names of the bounds that may come with a tensor X.weight of a layer; none for those that are no matrices."""
    stem, _, _ = name.rpartition(".")
    if stem.rpartition(".")[2] in MATRICES:
        yield from (f"{stem}.{one}" for one in BOUNDS)
