"""The vision tower of a checkpoint folder as a GGUF file of its own, which llama.cpp's tools can read as well.

Takes what `conversion` takes. Only matrices change their number format; the patch embedding and the table of positions
get those that llama.cpp wants. Knows nothing of the text model but its width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from diffdesk.backends.checkpoint import PROCESSOR_FILES, reading_explained
from diffdesk.backends.gguf.checkpoint_source import (
    Folder,
    check_sizes,
    open_folder,
    refuse_others,
)
from diffdesk.backends.gguf.conversion_config import broken, real, text_config, unknown, whole
from diffdesk.backends.gguf.conversion_names import FileKind, format_of
from diffdesk.backends.gguf.hyperparameters import MOST_LAYERS
from diffdesk.backends.gguf.quantise import Rows, quantise
from diffdesk.backends.gguf.streaming import Output, Progress, check_place, write_files
from diffdesk.backends.gguf.tensor_source import AGAIN, ConstantRows, PlainRows, RowSource, StoredTensor
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.vision_layout import (
    ARCHITECTURE,
    BOUNDS,
    COLOURS,
    MATRICES,
    MOST_PATCHES,
    PATCH_EMBEDDING,
    POSITIONS,
    PROJECTION,
    ROPE_BASE,
    STANDARD_BIAS,
    STANDARD_SCALE,
    VisionArchitecture,
)
from diffdesk.backends.gguf.vision_metadata import vision_metadata
from diffdesk.backends.gguf.writer import TensorPlan, Value, ValueType
from diffdesk.backends.image_patches import PatchSettings, read_settings
from diffdesk.core.errors import CheckpointError

KINDS = (FileKind.F16, FileKind.BF16, FileKind.F32, FileKind.Q8_0)

_TOWER, _PROJECTOR = "model.encoder.vision_tower", "model.encoder.embed_vision"
_WHOLE = {
    PATCH_EMBEDDING: f"{_TOWER}.patch_embedder.input_proj.weight",
    POSITIONS: f"{_TOWER}.patch_embedder.position_embedding_table",
    PROJECTION: f"{_PROJECTOR}.embedding_projection.weight",
    STANDARD_BIAS: f"{_TOWER}.std_bias",
    STANDARD_SCALE: f"{_TOWER}.std_scale",
}
_OF_LAYER = {
    "ln1": "input_layernorm",
    "attn_q": "self_attn.q_proj.linear",
    "attn_k": "self_attn.k_proj.linear",
    "attn_v": "self_attn.v_proj.linear",
    "attn_out": "self_attn.o_proj.linear",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_post_norm": "post_attention_layernorm",
    "ln2": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj.linear",
    "ffn_up": "mlp.up_proj.linear",
    "ffn_down": "mlp.down_proj.linear",
    "ffn_post_norm": "post_feedforward_layernorm",
}


def convert_vision(checkpoint: Path, out: Path, kind: str, progress: Progress, *, is_forced: bool = False) -> None:
    """Write the vision tower in the folder `checkpoint` to the file `out`; see `conversion.convert`.

    `kind` is one of `KINDS`; others raise `ValueError`. Raises `CheckpointError` too where there is no vision tower.
    """
    check_place(out, is_forced=is_forced)
    progress("Checking the model", 0.0)
    write_files([vision_output(checkpoint, out, kind)], quantise, progress)


def vision_output(checkpoint: Path, out: Path, kind: str) -> Output:
    """What `convert_vision` writes, checked as far as it can be without reading the weights."""
    wanted = FileKind(kind)
    if wanted not in KINDS:
        raise ValueError(f"no vision tower is written as {kind}")
    with reading_explained(checkpoint):
        folder = open_folder(checkpoint)
        _require_vision(folder)
        settings = _settings(folder)
    of = _architecture(folder, settings)
    bounds = _bounds(folder, of)
    of = replace(of, bounded=frozenset(name for name, value in bounds.items() if math.isfinite(value)))
    sources = _sources(folder, of, bounds)
    metadata = {
        "general.architecture": Value(ValueType.STRING, ARCHITECTURE),
        "general.type": Value(ValueType.STRING, "mmproj"),
        "general.name": Value(ValueType.STRING, checkpoint.resolve().name),
        "general.file_type": Value(ValueType.UINT32, wanted.file_type),
        "general.quantization_version": Value(ValueType.UINT32, 2),
        **vision_metadata(of),
    }
    plans = [TensorPlan(name, vision_format_of(name, shape, wanted), shape) for name, shape in of.tensors().items()]

    def stage(name: str) -> str:
        parts = name.split(".")
        return f"Images, layer {int(parts[2]) + 1} of {of.layers}" if parts[1] == "blk" else "Images"

    return Output(out, metadata, plans, sources, folder.identity, stage)


def vision_format_of(name: str, shape: tuple[int, ...], kind: FileKind) -> TensorType:
    """The number format of a tensor; llama.cpp reads positions and the convolution in few formats only."""
    if name == POSITIONS or (name == PATCH_EMBEDDING and kind is not FileKind.F16):
        return TensorType.F32
    return format_of(name, shape, kind, 0)


def checkpoint_name(name: str) -> str:
    """The checkpoint's name of a tensor of the layout."""
    if name in _WHOLE:
        return _WHOLE[name]
    _, _, layer, part, kind = name.split(".")
    source = f"{_TOWER}.encoder.layers.{layer}.{_OF_LAYER[part]}"
    return f"{source.removesuffix('.linear')}.{kind}" if kind in BOUNDS else f"{source}.{kind}"


def _require_vision(folder: Folder) -> None:
    if not any(name.startswith(f"{_TOWER}.") for name in folder.tensors):
        raise CheckpointError(
            "This model can't see images",
            "It was made without the part that sees images: there is nothing to write into that file.",
            "Leave --mmproj out.",
        )
    if not any((folder.path / one).is_file() for one in PROCESSOR_FILES):
        raise CheckpointError(
            "The preparation of images is missing",
            f"There is no {' and no '.join(PROCESSOR_FILES)} in {folder.path}.",
            AGAIN,
        )


def _vision_config(folder: Folder) -> Mapping[str, object]:
    vision = folder.config.get("vision_config")
    if not isinstance(vision, dict):
        raise broken("vision_config should describe the part that sees images")
    if vision.get("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
        raise unknown(f"hidden_activation is {vision['hidden_activation']!r:.60}")
    if vision.get("attention_bias"):
        raise unknown("attention_bias of the vision tower is set")
    return vision


def _settings(folder: Folder) -> PatchSettings:
    vision = _vision_config(folder)
    found = read_settings(folder.path, whole(vision, "position_embedding_size", 10_240))
    if (found.patch, found.pooling) != (whole(vision, "patch_size", 16), whole(vision, "pooling_kernel_size", 3)):
        raise CheckpointError(
            "The preparation of images doesn't fit the model",
            "The files in the folder speak of different sizes of patches.",
            AGAIN,
        )
    return found


def _architecture(folder: Folder, settings: PatchSettings) -> VisionArchitecture:
    """The hyperparameters; absent keys have the values of `Gemma4VisionConfig` in transformers 5.23."""
    vision = _vision_config(folder)
    rope = vision.get("rope_parameters") or {}
    if not isinstance(rope, dict) or rope.get("rope_type", "axial") not in ("axial", "default"):
        raise unknown("its positions are turned in another way (images)")
    heads, kv_heads = whole(vision, "num_attention_heads", 12), whole(vision, "num_key_value_heads", 12)
    head_dim = whole(vision, "head_dim", 64)
    if heads % kv_heads or head_dim % 4:
        raise broken(f"{heads} heads of {head_dim} values with {kv_heads} for keys can't be (images)")
    if settings.soft_tokens * settings.pooling**2 > MOST_PATCHES:
        raise unknown(f"images become more than {MOST_PATCHES:,} patches")
    return VisionArchitecture(
        layers=whole(vision, "num_hidden_layers", 16, MOST_LAYERS),
        width=whole(vision, "hidden_size", 768),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        mlp_width=whole(vision, "intermediate_size", 3072),
        patch=settings.patch,
        pooling=settings.pooling,
        places=settings.places,
        text_width=whole(text_config(folder.config), "hidden_size", 2304),
        epsilon=real(vision, "rms_norm_eps", 1e-6),
        rope_base=real(rope, "rope_theta", ROPE_BASE),
        is_standardised=vision.get("standardize") is True,
        soft_tokens=settings.soft_tokens,
        is_resized=settings.is_resized,
    )


def _bounds(folder: Folder, of: VisionArchitecture) -> dict[str, float]:
    """What bounds the matrices, by the layout's names; infinite where there is no bound."""
    if _vision_config(folder).get("use_clipped_linears") is not True:
        return {}
    names = [f"v.blk.{layer}.{matrix}.{bound}" for layer in range(of.layers) for matrix in MATRICES for bound in BOUNDS]
    check_sizes(folder.tensors, {checkpoint_name(name): (1,) for name in names})
    refuse_others(folder.tensors, frozenset(checkpoint_name(name) for name in names), lambda _: True)
    found = {name: float(PlainRows(folder.tensors[checkpoint_name(name)]).rows(0, 1)[0, 0]) for name in names}
    if any(math.isnan(value) for value in found.values()):
        raise CheckpointError("The weights are damaged", "A bound of a matrix is no number.", AGAIN)
    return found


class _KernelRows:
    """The patch embedding, whose rows go by pixels and then colours, as rows that go by colours and then pixels."""

    def __init__(self, stored: StoredTensor) -> None:
        self._plain = PlainRows(stored)
        self.count, self.length = self._plain.count, self._plain.length

    def rows(self, begin: int, end: int) -> Rows:
        pixels = self._plain.rows(begin, end).reshape(end - begin, -1, COLOURS)
        return pixels.transpose(0, 2, 1).reshape(end - begin, self.length)


def _sources(folder: Folder, of: VisionArchitecture, bounds: Mapping[str, float]) -> dict[str, RowSource]:
    shapes = {name: shape[::-1] for name, shape in of.tensors().items() if name not in bounds}
    shapes[PATCH_EMBEDDING] = (of.width, COLOURS * of.patch**2)
    check_sizes(folder.tensors, {checkpoint_name(name): shape for name, shape in shapes.items()})
    known = {checkpoint_name(name) for name in [*shapes, *bounds]}
    refuse_others(folder.tensors, known, lambda name: not name.startswith((f"{_TOWER}.", f"{_PROJECTOR}.")))
    found: dict[str, RowSource] = {}
    for name in of.tensors():
        stored = folder.tensors[checkpoint_name(name)]
        if name in bounds:
            found[name] = ConstantRows([bounds[name]])
        else:
            found[name] = _KernelRows(stored) if name == PATCH_EMBEDDING else PlainRows(stored)
    return found
