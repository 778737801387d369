"""The layout of a packed folder: which tensors have to be in it, and that nothing else is.

Of `nvidia/diffusiongemma-26B-A4B-it-NVFP4`, as ModelOpt writes it: the experts are packed, each matrix by itself, all
else is in bfloat16, and the encoder has nothing of its own but a scalar for each layer. For an expert's matrix of n
rows and k columns

    X.weight          U8 (n, k/2)        two values a byte, the even column in the low four bits
    X.weight_scale    F8_E4M3 (n, k/16)  a scale for each 16 values of a row
    X.weight_scale_2  F32 ()             a scale for all
    X.input_scale     F32 ()             of the activations: not needed, since these stay in bfloat16

A value is E2M1 × weight_scale × weight_scale_2. Imports no model library and reads no weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from diffdesk.backends.checkpoint_config import read_json
from diffdesk.backends.gguf.conversion_config import read_architecture
from diffdesk.backends.gguf.conversion_names import ROPE_FACTORS, checkpoint_name
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.safetensors_header import TensorEntry
from diffdesk.core.errors import CheckpointError

GROUP = 16  # values that share a scale
GATE, UP, DOWN = "gate_proj", "up_proj", "down_proj"
PACKED, SCALES, WHOLE, INPUT = "weight", "weight_scale", "weight_scale_2", "input_scale"
VISION = ("model.encoder.vision_tower.", "model.encoder.embed_vision.")
PLAIN_FORMATS = ("BF16", "F16", "F32")

_STACKED = ("ffn_gate_up_exps.weight", "ffn_down_exps.weight")
_FORMATS = {PACKED: "U8", SCALES: "F8_E4M3", WHOLE: "F32", INPUT: "F32"}
_AGAIN = "Download the folder again, or choose another one."


@dataclass(frozen=True, slots=True)
class ExpertPart:
    """A tensor of one expert.

    Attributes:
        layer, expert: counted from 0.
        matrix: `GATE`, `UP` or `DOWN`.
        part: `PACKED`, `SCALES`, `WHOLE` or `INPUT`.
    """

    layer: int
    expert: int
    matrix: str
    part: str

    @property
    def name(self) -> str:
        """The checkpoint's name of it."""
        return f"model.decoder.layers.{self.layer}.experts.{self.expert}.{self.matrix}.{self.part}"


@dataclass(frozen=True, slots=True)
class PackedLayout:
    """What a packed folder holds.

    Attributes:
        architecture: the hyperparameters.
        plain: shape of each tensor that isn't packed and isn't of the vision tower, by the checkpoint's name.
        has_vision: the vision tower is there.
    """

    architecture: Architecture
    plain: Mapping[str, tuple[int, ...]]
    has_vision: bool

    def expert_parts(self) -> Iterator[tuple[ExpertPart, tuple[int, ...]]]:
        """Every tensor of every expert, and its shape."""
        one = self.architecture
        sizes = {
            GATE: (one.expert_width, one.hidden),
            UP: (one.expert_width, one.hidden),
            DOWN: (one.hidden, one.expert_width),
        }
        shapes = {
            matrix: {PACKED: (rows, columns // 2), SCALES: (rows, columns // GROUP), WHOLE: (), INPUT: ()}
            for matrix, (rows, columns) in sizes.items()
        }
        for layer in range(one.layers):
            for expert in range(one.experts):
                for matrix, parts in shapes.items():
                    for part, shape in parts.items():
                        yield ExpertPart(layer, expert, matrix, part), shape


def read_layout(folder: Path, entries: Mapping[str, TensorEntry]) -> PackedLayout:
    """Check that the folder, whose weight files list `entries`, has exactly the tensors of its layout.

    Raises `CheckpointError`, which names a tensor, where one is missing, left over, or of another shape or format.
    """
    architecture = read_architecture(read_json(folder / "config.json"))
    if architecture.hidden % GROUP or architecture.expert_width % GROUP:
        raise _misfit("config.json", f"its experts' sizes are no multiples of {GROUP}")
    if any(
        checkpoint_name(f"blk.{layer}.attn_v.weight") in entries
        for layer, is_sliding in enumerate(architecture.is_sliding)
        if not is_sliding
    ):
        architecture = replace(architecture, values_are_keys=False)
    plain = {
        checkpoint_name(name): shape[::-1]
        for name, shape in architecture.tensors().items()
        if name != ROPE_FACTORS and not name.endswith(_STACKED)
    }
    seeing = {name for name in entries if name.startswith(VISION)}
    layout = PackedLayout(architecture, plain, has_vision=bool(seeing))
    left = set(entries) - seeing
    for part, shape in layout.expert_parts():
        _check(part.name, entries, shape, (_FORMATS[part.part],))
        left.remove(part.name)
    for name, shape in plain.items():
        _check(name, entries, shape, PLAIN_FORMATS)
        left.remove(name)
    for name in seeing:
        _check(name, entries, entries[name].shape, PLAIN_FORMATS)
    if left:
        raise CheckpointError(
            "The weights don't fit the model",
            f"{len(left)} tensors belong to another model, such as {min(left)[:120]}.",
            _AGAIN,
        )
    return layout


def _check(name: str, entries: Mapping[str, TensorEntry], shape: tuple[int, ...], formats: tuple[str, ...]) -> None:
    found = entries.get(name)
    if found is None:
        raise CheckpointError("Weights are missing", f"There is no {name} in the weight files.", _AGAIN)
    # A single number may be stored as one, or as a row of one.
    if found.shape != shape and not (found.elements == 1 and shape in ((), (1,)) and found.shape in ((), (1,))):
        raise _misfit(name, f"it has the shape {list(found.shape)} instead of {list(shape)}")
    if found.dtype not in formats:
        raise _misfit(name, f"it is stored as {found.dtype} instead of {formats[0]}")


def _misfit(name: str, what: str) -> CheckpointError:
    return CheckpointError("The weights don't fit the configuration", f"{name}: {what}.", _AGAIN)
