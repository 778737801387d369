"""What a model folder holds, found out without any model library, and every reason why it can't be used.

The window checks a folder with this before it starts a process, `doctor` lists with it, and the loaders begin with it.
Nothing here runs code from the folder or trusts a size that a file claims.
"""

from __future__ import annotations

import errno
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from diffdesk.backends.checkpoint_config import read_config, read_defaults, read_json
from diffdesk.backends.packed.layout import PackedLayout, read_layout
from diffdesk.backends.safetensors_header import BITS, HeaderError, TensorEntry, read_header
from diffdesk.core.errors import CheckpointError
from diffdesk.core.parameters import SamplerDefaults

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
TOKENIZER_FILE = "tokenizer.json"
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
PRECISIONS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}

_AGAIN = "Download the folder again, or choose another one."
_CHOOSE = (
    "Choose a GGUF file of DiffusionGemma, or a folder that holds the model as config.json, tokenizer.json and "
    "*.safetensors files."
)


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What a usable folder holds.

    Attributes:
        path: the folder.
        name: of the folder, for people.
        architecture: as config.json names it.
        canvas_length, context_length, vocab_size: in tokens.
        layers: number of transformer layers.
        parameters: number of weights in the files; tied ones are stored once.
        bytes: of all tensors.
        precision: number format of most of the weights.
        has_vision: the files hold a vision tower.
        why_no_images: one sentence where images can't be read; empty where they can.
        shards: the weight files, in order.
        defaults: sampler settings of generation_config.json.
        problems: sentences on what is odd but does no harm.
        layout: where the experts are packed into 4 bits by ModelOpt (NVFP4), what the files hold; else None.
        entries: every tensor of the files, by name.
    """

    path: Path
    name: str
    architecture: str
    canvas_length: int
    context_length: int
    vocab_size: int
    layers: int
    parameters: int
    bytes: int
    precision: str
    has_vision: bool
    why_no_images: str
    shards: tuple[str, ...]
    entries: Mapping[str, TensorEntry] = field(repr=False)
    defaults: SamplerDefaults = field(default_factory=SamplerDefaults)
    problems: tuple[str, ...] = ()
    layout: PackedLayout | None = field(default=None, repr=False)

    @property
    def is_packed(self) -> bool:
        """Whether the experts are packed into 4 bits."""
        return self.layout is not None

    @property
    def can_see_images(self) -> bool:
        """Whether prompts may hold images."""
        return not self.why_no_images


@contextmanager
def reading_explained(path: Path) -> Iterator[None]:
    """Turn failures to read the folder `path` into `CheckpointError`."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            "The model can't be read",
            f"{error.filename or path}: {error.strerror or error}.",
            "Check that the disk is connected and that you may read these files.",
        ) from error


def inspect_checkpoint(path: Path) -> CheckpointFacts:
    """Read what the folder `path` says of itself and check it.

    Only configuration files and the headers of the weight files are read. Raises `CheckpointError` with the reason
    and a remedy where the folder can't be used.
    """
    with reading_explained(path):
        names = _listing(path)
        config = read_config(path, names)
        shards = _shards(path, names)
        entries = _entries(path, shards)
        layout = read_layout(path, entries) if config.is_packed else None
        if layout is None:
            _refuse_quantised(entries)
        _require_tokenizer(path, names)
        defaults = read_defaults(path, names, config.end_ids)
        why_no_images = _why_no_images(names, entries)
    return CheckpointFacts(
        path=path,
        name=path.resolve().name,
        architecture=config.architecture,
        canvas_length=config.canvas_length,
        context_length=config.context_length,
        vocab_size=config.vocab_size,
        layers=config.layers,
        parameters=_parameters(entries, config.is_packed),
        bytes=sum(one.bytes for one in entries.values()),
        precision="NVFP4" if config.is_packed else _precision(entries),
        has_vision=_has_vision(entries),
        why_no_images=why_no_images,
        shards=shards,
        entries=entries,
        defaults=defaults,
        problems=_oddities(names),
        layout=layout,
    )


def _parameters(entries: Mapping[str, TensorEntry], is_packed: bool) -> int:
    """Weights in the files; of packed ones two lie in a byte, and their scales are none."""
    if not is_packed:
        return sum(one.elements for one in entries.values())
    plain = sum(one.elements for name, one in entries.items() if ".experts." not in name)
    return plain + sum(2 * one.elements for one in entries.values() if one.dtype == "U8")


def _precision(entries: Mapping[str, TensorEntry]) -> str:
    by_format: Counter[str] = Counter()
    for entry in entries.values():
        by_format[PRECISIONS.get(entry.dtype, "mixed")] += entry.bytes
    return by_format.most_common(1)[0][0]


def _oddities(names: frozenset[str]) -> tuple[str, ...]:
    found = []
    if "generation_config.json" not in names:
        found.append("There is no generation_config.json; the published sampler settings are used.")
    ignored = sorted(one for one in names if Path(one).suffix.lower() in PICKLE_SUFFIXES)
    if ignored:
        found.append(f"Ignored, because such files can run code: {_few(ignored)}.")
    return tuple(found)


def _listing(path: Path) -> frozenset[str]:
    """Names in the folder; raises `CheckpointError` where there is no folder or nothing in it."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise CheckpointError(
                "The model folder leads in a circle",
                f"{path} is a link that points back to itself.",
                "Choose the folder where the files really are.",
            ) from error
        if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
            raise CheckpointError("There is no such folder", f"{path} does not exist.", _CHOOSE) from error
        raise
    if not is_folder:
        raise _file_instead_of_folder(path)
    names = frozenset(one.name for one in path.iterdir())
    if not names:
        raise CheckpointError("The folder is empty", f"There is nothing in {path}.", _CHOOSE)
    return names


def _file_instead_of_folder(path: Path) -> CheckpointError:
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        return CheckpointError(
            "A folder is wanted here",
            f"{path.name} is a GGUF file, which is run as it is; only a folder of safetensors files will do here.",
            "Choose the folder of the original model, or open the GGUF file without naming a backend.",
        )
    if suffix in PICKLE_SUFFIXES:
        return _pickle_error([path.name])
    if suffix == ".safetensors":
        return CheckpointError(
            "This is a single file", f"{path.name} is one part of a model.", f"Choose the folder {path.parent}."
        )
    return CheckpointError("This is a file, not a folder", f"{path.name} is no model.", _CHOOSE)


def _pickle_error(names: list[str]) -> CheckpointError:
    return CheckpointError(
        "This kind of weight file is not opened",
        f"{_few(names)}: files of this kind can run any code when they are opened.",
        "Choose a folder with *.safetensors files; most models are offered in both forms.",
    )


def _shards(path: Path, names: frozenset[str]) -> tuple[str, ...]:
    """The weight files, in order."""
    if SINGLE_FILE in names:
        return (SINGLE_FILE,)
    if INDEX_FILE in names:
        return _indexed_shards(path, names)
    tensors = sorted(one for one in names if one.endswith(".safetensors"))
    if tensors:
        raise CheckpointError(
            "The list of weight files is missing",
            f"There is {_few(tensors)}, but neither {SINGLE_FILE} nor {INDEX_FILE}.",
            _AGAIN,
        )
    pickles = sorted(one for one in names if Path(one).suffix.lower() in PICKLE_SUFFIXES)
    if pickles:
        raise _pickle_error(pickles)
    raise CheckpointError("The weights are missing", f"There is no *.safetensors file in {path}.", _AGAIN)


def _indexed_shards(path: Path, names: frozenset[str]) -> tuple[str, ...]:
    weights = read_json(path / INDEX_FILE).get("weight_map")
    if not isinstance(weights, dict) or not weights or not all(isinstance(one, str) for one in weights.values()):
        raise CheckpointError("The list of weight files is broken", f"{INDEX_FILE} names no files.", _AGAIN)
    shards = sorted({str(one) for one in weights.values()})
    if any(Path(one).name != one or not one.endswith(".safetensors") for one in shards):
        raise CheckpointError(
            "The list of weight files is not trusted",
            f"{INDEX_FILE} names files outside the folder or of another kind.",
            "Don't use this folder; get the model from its publisher.",
        )
    missing = [one for one in shards if one not in names]
    if missing:
        raise CheckpointError(
            "Weight files are missing", f"{len(missing)} of {len(shards)} files: {_few(missing)}.", _AGAIN
        )
    return tuple(shards)


def _entries(path: Path, shards: tuple[str, ...]) -> dict[str, TensorEntry]:
    """The tensors of all shards, each file checked against its header."""
    entries: dict[str, TensorEntry] = {}
    for shard in shards:
        try:
            found = read_header(path / shard)
        except HeaderError as error:
            raise CheckpointError("A weight file is damaged", f"{shard} {error}.", _AGAIN) from error
        twice = entries.keys() & found.keys()
        if twice:
            raise CheckpointError("A weight file is damaged", f"{shard} repeats {_few(sorted(twice))}.", _AGAIN)
        entries.update(found)
    if not entries:
        raise CheckpointError("The weights are missing", f"{_few(list(shards))} is empty.", _AGAIN)
    return entries


def _refuse_quantised(entries: Mapping[str, TensorEntry]) -> None:
    odd = sorted(name for name, entry in entries.items() if BITS[entry.dtype] <= 8)
    if odd:
        raise CheckpointError(
            "Compressed weights can't be loaded",
            f"{len(odd)} tensors are stored in a compressed form, such as {odd[0]} ({entries[odd[0]].dtype}).",
            "Use the folder with the uncompressed weights (bfloat16).",
        )


def _require_tokenizer(path: Path, names: frozenset[str]) -> None:
    if TOKENIZER_FILE not in names:
        others = sorted(one for one in names if one.startswith("tokenizer") or one.endswith(".model"))
        there = f" {_few(others)} alone is not enough." if others else ""
        raise CheckpointError(
            "The tokenizer is missing", f"There is no {TOKENIZER_FILE} in {path}.{there}", "Add that file. " + _AGAIN
        )
    if not (path / TOKENIZER_FILE).stat().st_size:
        raise CheckpointError("The tokenizer is missing", f"{TOKENIZER_FILE} is empty.", _AGAIN)


def _has_vision(entries: Mapping[str, TensorEntry]) -> bool:
    return any(".vision_tower." in name for name in entries)


def _why_no_images(names: frozenset[str], entries: Mapping[str, TensorEntry]) -> str:
    if not _has_vision(entries):
        return "This model was made without the part that sees images."
    if not any(one in names for one in PROCESSOR_FILES):
        return f"The model's folder does not say how images are prepared ({' or '.join(PROCESSOR_FILES)} is missing)."
    return ""


def _few(names: list[str], most: int = 3) -> str:
    shown = ", ".join(one[:80] for one in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
