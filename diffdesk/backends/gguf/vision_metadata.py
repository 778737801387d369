"""The metadata of a file with a vision tower: written for one, and read from any file of that kind.

The keys are listed in `vision_layout`. Knows nothing of where metadata comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diffdesk.backends.gguf.faults import broken_description, shown
from diffdesk.backends.gguf.hyperparameters import LONGEST_HEAD, MOST_HEADS, MOST_LAYERS, WIDEST, Description
from diffdesk.backends.gguf.matching import matched
from diffdesk.backends.gguf.reader import GgufFile, Metadata, StoredArray, StoredTensor
from diffdesk.backends.gguf.vision_layout import (
    ARCHITECTURE,
    HAS_VISION_KEY,
    IS_RESIZED_KEY,
    MOST_PATCHES,
    POOLING,
    POSITIONS,
    PROJECTOR,
    PROJECTOR_KEYS,
    ROPE_BASE,
    ROPE_BASE_KEY,
    SOFT_TOKENS_KEY,
    STANDARD_BIAS,
    STANDARD_SCALE,
    USES_GELU_KEY,
    VisionArchitecture,
    bounds_of,
)
from diffdesk.backends.gguf.writer import Value, ValueType
from diffdesk.backends.image_patches import STILL_TOKENS
from diffdesk.core.errors import CheckpointError

VISION_REMEDY = "Choose the file that was made for this model; diffdesk convert makes one from a checkpoint (--mmproj)."

_IMAGE_SIZE = 224  # means nothing for this kind, but has to be there
_SOUND = ("a.", "mm.a.")  # tensors of a part that hears, which some files hold beside the one that sees


def vision_metadata(of: VisionArchitecture) -> dict[str, Value]:
    """The keys that describe a vision tower, in the order in which they are written."""
    prefix = "clip.vision."
    return {
        HAS_VISION_KEY: Value(ValueType.BOOL, True),
        PROJECTOR_KEYS[0]: Value(ValueType.STRING, PROJECTOR),
        USES_GELU_KEY: Value(ValueType.BOOL, True),
        f"{prefix}projection_dim": _u32(of.text_width),
        f"{prefix}image_size": _u32(_IMAGE_SIZE),
        f"{prefix}patch_size": _u32(of.patch),
        f"{prefix}embedding_length": _u32(of.width),
        f"{prefix}feed_forward_length": _u32(of.mlp_width),
        f"{prefix}block_count": _u32(of.layers),
        f"{prefix}attention.head_count": _u32(of.heads),
        f"{prefix}attention.head_count_kv": _u32(of.kv_heads),
        f"{prefix}attention.head_dim": _u32(of.head_dim),
        f"{prefix}attention.layer_norm_epsilon": Value(ValueType.FLOAT32, of.epsilon),
        f"{prefix}image_mean": Value(ValueType.FLOAT32, [0.0] * 3),
        f"{prefix}image_std": Value(ValueType.FLOAT32, [1.0] * 3),
        f"{prefix}projector.scale_factor": _u32(of.pooling),
        ROPE_BASE_KEY: Value(ValueType.FLOAT32, of.rope_base),
        SOFT_TOKENS_KEY: _u32(of.soft_tokens),
        IS_RESIZED_KEY: Value(ValueType.BOOL, of.is_resized),
    }


def _u32(value: int) -> Value:
    return Value(ValueType.UINT32, value)


def require_vision(path: Path, metadata: Metadata) -> None:
    """Raise `CheckpointError` where the file `path` with these metadata holds no vision tower of this kind."""
    kind = metadata.get("general.architecture")
    if kind != ARCHITECTURE or metadata.get(HAS_VISION_KEY) is not True:
        raise CheckpointError(
            "This is no file for images",
            f"{path.name} holds nothing that sees; it is of the kind {shown(str(kind), 40)}.",
            VISION_REMEDY,
        )
    projector = next((metadata[key] for key in PROJECTOR_KEYS if key in metadata), None)
    if projector != PROJECTOR:
        raise CheckpointError(
            "This file for images is of another kind",
            f"{path.name} is of the kind {shown(str(projector), 40)}; this model takes {PROJECTOR}.",
            VISION_REMEDY,
        )


def read_vision_architecture(metadata: Metadata, tensors: Mapping[str, StoredTensor]) -> VisionArchitecture:
    """The vision tower of a file with these metadata and tensors.

    Raises `CheckpointError` where something is missing, impossible, or would change what is computed.
    """
    said, prefix = Description(metadata), "clip.vision."
    heads = said.whole(f"{prefix}attention.head_count", 1, MOST_HEADS)
    kv_heads = said.whole(f"{prefix}attention.head_count_kv", 1, heads, heads)
    width = said.whole(f"{prefix}embedding_length", 1, WIDEST)
    head_dim = said.whole(f"{prefix}attention.head_dim", 1, LONGEST_HEAD, width // heads)
    if heads % kv_heads or head_dim % 4 or heads * head_dim > WIDEST:
        raise broken_description(f"{heads} heads of {head_dim} values, {kv_heads} of them for keys, can't be")
    pooling = said.whole(f"{prefix}projector.scale_factor", 1, 16, POOLING)
    most_tokens = MOST_PATCHES // pooling**2
    for key, plain in ((f"{prefix}image_mean", 0.0), (f"{prefix}image_std", 1.0)):
        colours = metadata.get(key)
        if colours is not None and (not isinstance(colours, StoredArray) or (colours.numbers() != plain).any()):
            raise broken_description(f"{key} asks for colours that this kind of model doesn't take")
    positions = tensors.get(POSITIONS)
    return VisionArchitecture(
        layers=said.whole(f"{prefix}block_count", 1, MOST_LAYERS),
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        mlp_width=said.whole(f"{prefix}feed_forward_length", 1, 1 << 18),
        patch=said.whole(f"{prefix}patch_size", 1, 256),
        pooling=pooling,
        places=positions.shape[1] if positions is not None and len(positions.shape) > 1 else 1,
        text_width=said.whole(f"{prefix}projection_dim", 1, WIDEST),
        epsilon=said.real(f"{prefix}attention.layer_norm_epsilon", 1e-12, 1),
        rope_base=said.real(ROPE_BASE_KEY, 1, 1e12, ROPE_BASE),
        is_standardised=STANDARD_BIAS in tensors or STANDARD_SCALE in tensors,
        bounded=frozenset(bound for name in tensors for bound in bounds_of(name) if bound in tensors),
        soft_tokens=said.whole(SOFT_TOKENS_KEY, 1, most_tokens, min(STILL_TOKENS, most_tokens)),
        is_resized=metadata.get(IS_RESIZED_KEY, True) is not False,
    )


def vision_tensors(file: GgufFile, of: VisionArchitecture) -> dict[str, StoredTensor]:
    """The tensors of the vision tower in a file, with the architecture's shapes.

    Raises `CheckpointError` where they don't fit, or others are there that would change what is computed.
    """
    path = file.parts[0]
    found = {name: one for name, one in file.tensors.items() if not name.startswith(_SOUND)}
    return matched(
        path,
        found,
        of.tensors(),
        lambda names: CheckpointError(
            "This file for images is of another kind",
            f"{path.name} has parts that are not known here: {names}.",
            VISION_REMEDY,
        ),
    )
