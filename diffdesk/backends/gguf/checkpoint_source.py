"""A checkpoint to be converted: its configuration, and each tensor of the published GGUF layout as rows of float32.

Takes the folders that the loaders take, and NVIDIA's 4-bit ones, which are checked here; everything else is refused
with a reason. Knows nothing of how files are written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from diffdesk.backends.checkpoint import (
    INDEX_FILE,
    SINGLE_FILE,
    TOKENIZER_FILE,
    inspect_checkpoint,
    reading_explained,
)
from diffdesk.backends.checkpoint_config import read_defaults, read_json, read_packing
from diffdesk.backends.gguf.conversion_config import read_architecture, rope_factors, text_config
from diffdesk.backends.gguf.conversion_names import ROPE_FACTORS, checkpoint_name, is_left_out
from diffdesk.backends.gguf.layout import Architecture
from diffdesk.backends.gguf.nvfp4_source import stacked_experts
from diffdesk.backends.gguf.tensor_source import (
    AGAIN,
    NUMBERS,
    ConstantRows,
    PlainRows,
    RowSource,
    StoredTensor,
    read_tensors,
)
from diffdesk.core.errors import CheckpointError
from diffdesk.core.parameters import SamplerDefaults

_PACKED = (".weight", ".weight_scale", ".weight_scale_2")


@dataclass(frozen=True, slots=True)
class CheckpointSource:
    """A checkpoint that can be converted.

    Attributes:
        path: the folder.
        config: config.json.
        architecture: the hyperparameters.
        defaults: sampler settings; None where the folder has none.
        end_ids: tokens that end an answer.
        sources: the values of each tensor of the GGUF layout, in the layout's order.
        identity: changes when a weight file does.
    """

    path: Path
    config: Mapping[str, object]
    architecture: Architecture
    defaults: SamplerDefaults | None
    end_ids: tuple[int, ...]
    sources: Mapping[str, RowSource] = field(repr=False)
    identity: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Folder:
    """A checked folder with weights.

    Attributes:
        path: where it is.
        config: config.json.
        tensors: where each tensor of the weight files lies, by name.
        is_packed: its experts are in NVIDIA's 4-bit layout.
        identity: changes when a weight file does.
    """

    path: Path
    config: Mapping[str, object]
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    is_packed: bool
    identity: str = field(repr=False)


def open_folder(path: Path) -> Folder:
    """Check the folder `path`; raises `CheckpointError` where no model can be read from it, and `OSError`."""
    names = frozenset(one.name for one in path.iterdir()) if path.is_dir() else frozenset()
    is_packed = "config.json" in names and read_packing(path, read_json(path / "config.json"), names)
    shards = _packed_shards(path) if is_packed else inspect_checkpoint(path).shards
    stamps = [(shard, (path / shard).stat()) for shard in shards]
    return Folder(
        path=path,
        config=read_json(path / "config.json"),
        tensors=read_tensors(path, shards),
        is_packed=is_packed,
        identity=repr([(str(path.resolve()), shard, stat.st_size, stat.st_mtime_ns) for shard, stat in stamps]),
    )


def open_checkpoint(path: Path) -> CheckpointSource:
    """Check the folder `path` and find every tensor; raises `CheckpointError` where it can't be converted."""
    with reading_explained(path):
        folder = open_folder(path)
        architecture = read_architecture(folder.config)
        if _has_values(architecture, folder.tensors):
            architecture = replace(architecture, values_are_keys=False)
        sources = _sources(folder, architecture)
        names = frozenset(one.name for one in path.iterdir())
        defaults = read_defaults(path, names, _config_ends(folder.config))
    return CheckpointSource(
        path=path,
        config=folder.config,
        architecture=architecture,
        defaults=defaults if "generation_config.json" in names else None,
        end_ids=defaults.end_ids,
        sources=sources,
        identity=folder.identity,
    )


def _config_ends(config: Mapping[str, object]) -> tuple[int, ...]:
    for part in (config, text_config(config)):
        said = part.get("eos_token_id")
        found = tuple(one for one in (said if isinstance(said, list) else [said]) if isinstance(one, int))
        if found:
            return found
    return ()


def _packed_shards(path: Path) -> tuple[str, ...]:
    """The weight files of a 4-bit folder, which the loaders' own check refuses."""
    if not (path / TOKENIZER_FILE).is_file():
        raise CheckpointError("The tokenizer is missing", f"There is no {TOKENIZER_FILE} in {path}.", AGAIN)
    if (path / SINGLE_FILE).is_file():
        return (SINGLE_FILE,)
    if not (path / INDEX_FILE).is_file():
        raise CheckpointError("The weights are missing", f"There is no {INDEX_FILE} in {path}.", AGAIN)
    listed = read_json(path / INDEX_FILE).get("weight_map")
    shards = sorted({str(one) for one in listed.values()}) if isinstance(listed, dict) else []
    if not shards or any(Path(one).name != one or not one.endswith(".safetensors") for one in shards):
        raise CheckpointError("The list of weight files is broken", f"{INDEX_FILE} names no weight files.", AGAIN)
    missing = [one for one in shards if not (path / one).is_file()]
    if missing:
        raise CheckpointError(
            "Weight files are missing", f"{len(missing)} of {len(shards)} files, such as {missing[0]}.", AGAIN
        )
    return tuple(shards)


def _has_values(architecture: Architecture, tensors: Collection[str]) -> bool:
    """Whether any full layer has a value projection of its own."""
    full = [layer for layer, is_sliding in enumerate(architecture.is_sliding) if not is_sliding]
    return any(checkpoint_name(f"blk.{layer}.attn_v.weight") in tensors for layer in full)


def _sources(folder: Folder, architecture: Architecture) -> dict[str, RowSource]:
    tensors = folder.tensors
    packed: dict[str, RowSource] = {}
    parts: set[str] = set()
    if folder.is_packed:
        for layer in range(architecture.layers):
            name = f"model.decoder.layers.{layer}"
            packed.update(stacked_experts(tensors, name, architecture.experts))
            parts |= {
                f"{name}.experts.{expert}.{part}{suffix}"
                for expert in range(architecture.experts)
                for part in ("gate_proj", "up_proj", "down_proj")
                for suffix in _PACKED
            }
    layout = {name: shape for name, shape in architecture.tensors().items() if name != ROPE_FACTORS}
    plain = {name: checkpoint_name(name) for name in layout if checkpoint_name(name) not in packed}
    check_sizes(tensors, {source: layout[name][::-1] for name, source in plain.items()})
    refuse_others(tensors, frozenset(plain.values()), lambda name: name in parts or is_left_out(name))
    found: dict[str, RowSource] = {}
    for name, shape in architecture.tensors().items():
        if name == ROPE_FACTORS:
            found[name] = ConstantRows(rope_factors(folder.config, architecture))
        else:
            source = checkpoint_name(name)
            found[name] = packed[source] if source in packed else PlainRows(tensors[source])
        if (found[name].length, found[name].count) != (shape[0], math.prod(shape[1:])):
            raise CheckpointError(
                "The weights don't fit the configuration", f"The experts behind {name} have another size.", AGAIN
            )
    return found


def check_sizes(tensors: Mapping[str, StoredTensor], expected: Mapping[str, Sequence[int]]) -> None:
    """Compare the weights' shapes, a row's length last, with those that the configuration asks for.

    Raises `CheckpointError` where one is missing or has another shape.
    """
    for name, shape in expected.items():
        if name not in tensors:
            raise CheckpointError("Weights are missing", f"There is no {name} in the weight files.", AGAIN)
        found = tensors[name].shape or (1,)
        if found != tuple(shape):
            raise CheckpointError(
                "The weights don't fit the configuration",
                f"{name} has the shape {list(found)}; it should be {list(shape)}.",
                AGAIN,
            )


def refuse_others(
    tensors: Mapping[str, StoredTensor], plain: Collection[str], is_left_out: Callable[[str], bool]
) -> None:
    """Raise `CheckpointError` for number formats not known here and for parts that the file has no place for.

    `plain` are the tensors that are written, `is_left_out` tells of a tensor that it isn't needed.
    """
    for name, one in sorted(tensors.items()):
        if name in plain and one.dtype not in NUMBERS:
            raise CheckpointError(
                "Compressed weights can't be converted",
                f"{name} is stored in a form that is not known here ({one.dtype}).",
                "Use the folder with the uncompressed weights (bfloat16).",
            )
        if name not in plain and not is_left_out(name):
            raise CheckpointError(
                "This model can't be converted",
                f"A GGUF file has no place for one of its parts: {name[:120]}.",
                "Use the folder as it is.",
            )
