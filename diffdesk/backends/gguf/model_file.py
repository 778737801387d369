"""What a GGUF file says of the model in it, found out without any model library, and every reason why it can't be used.

The twin of `backends.checkpoint` for files: the window and `doctor` look at a file with this before a process starts,
and the loader begins with it. Nothing is mapped into memory, and no size that a file claims is trusted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diffdesk.backends.gguf.conversion_names import ROPE_FACTORS
from diffdesk.backends.gguf.faults import damaged, shown
from diffdesk.backends.gguf.hyperparameters import Description, read_hyperparameters, read_sampler
from diffdesk.backends.gguf.layout import ARCHITECTURE, END_IDS_KEY, PROFILE_KEY, Architecture
from diffdesk.backends.gguf.matching import matched
from diffdesk.backends.gguf.reader import GgufFile, Metadata, StoredArray, StoredTensor, read_gguf, whole_name
from diffdesk.backends.gguf.types import FILE_TYPES
from diffdesk.backends.gguf.vocabulary import TOKENS_KEY, check_vocabulary
from diffdesk.core.errors import CheckpointError
from diffdesk.core.parameters import SamplerDefaults

_END_TOKENS = ("<turn|>", "<|tool_response>")  # what ends an answer beside the file's own end token
_PICK = "Pick a file whose name contains diffusiongemma."
_OTHER_DIFFUSION = frozenset({"dream", "llada", "llada-moe", "rnd1"})
_PICTURES = frozenset({"flux", "sd1", "sdxl", "sd3", "hidream", "lumina2", "wan", "ltxv", "hyvid", "qwen_image"})


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """What a usable file holds.

    Attributes:
        path: the file that was opened; of a split one any part.
        name: of the model, for people.
        file: its parts and metadata.
        architecture: the hyperparameters.
        tensors: exactly those of the architecture, with its shapes, in the file's order.
        parameters: number of weights.
        bytes: of all tensors.
        precision: number format, for people: "Q4_K_M", "Q8_0", …
        defaults: sampler settings.
        profile_text: the text of the model's diffdesk.json; empty if it has none.
        projector: the file beside it that sees images; None if there is none.
        problems: sentences on what is odd but does no harm.
    """

    path: Path
    name: str
    file: GgufFile
    architecture: Architecture
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    parameters: int
    bytes: int
    precision: str
    defaults: SamplerDefaults
    profile_text: str = ""
    projector: Path | None = None
    problems: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Path, ...]:
        """The files, in order."""
        return self.file.parts

    @property
    def metadata(self) -> Metadata:
        """All keys of the file."""
        return self.file.metadata

    @property
    def canvas_length(self) -> int:
        """Positions in a canvas."""
        return self.architecture.canvas_length

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and answer together."""
        return self.architecture.context_length

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self.architecture.vocab_size


def inspect_gguf(path: Path) -> GgufFacts:
    """Read what the file `path` says of itself and check it, together with its other parts if it is split.

    Only headers are read. Raises `CheckpointError` with the reason and a remedy where the file can't be used.
    """
    file = read_gguf(path, _refuse_others)
    architecture = read_hyperparameters(file.metadata, file.tensors)
    tensors = matched(
        path,
        file.tensors,
        architecture.tensors(),
        lambda names: CheckpointError(
            "This is another kind of model", f"{path.name} has weights that no DiffusionGemma has: {names}.", _PICK
        ),
        lambda name: name.endswith("ffn_gate_inp.weight"),
    )
    check_vocabulary(file.metadata, architecture.vocab_size)
    said = Description(file.metadata)
    projector, problems = _projector(path, architecture.hidden)
    if not any(key.startswith("diffusion.eb_") for key in file.metadata):
        problems = ("The file names no sampler settings; the published ones are used.", *problems)
    return GgufFacts(
        path=path,
        name=shown(said.text("general.name").strip()) or whole_name(path),
        file=file,
        architecture=architecture,
        tensors=tensors,
        parameters=sum(math.prod(one.shape) for name, one in tensors.items() if name != ROPE_FACTORS),
        bytes=sum(one.bytes for one in tensors.values()),
        precision=_precision(file.metadata, tensors),
        defaults=read_sampler(file.metadata, _end_ids(file.metadata, architecture.vocab_size), architecture.vocab_size),
        profile_text=said.text(PROFILE_KEY),
        projector=projector,
        problems=problems,
    )


# --- other files ----------------------------------------------------------------------------------


def _refuse_others(path: Path, metadata: Metadata, tensors: int) -> None:
    """Refuse what is a GGUF file, but no model that runs here."""
    kind, architecture = metadata.get("general.type"), metadata.get("general.architecture")
    if kind == "imatrix" or "imatrix.datasets" in metadata:
        raise CheckpointError(
            "This is no model", f"{path.name} is an importance matrix, a help for making smaller models.", _PICK
        )
    if kind == "adapter" or "adapter.type" in metadata:
        raise CheckpointError(
            "This is a part of a model",
            f"{path.name} is an adapter (LoRA), which changes another model and can't answer by itself.",
            _PICK,
        )
    if architecture == "clip" or kind == "mmproj":
        raise CheckpointError(
            "This is a part of a model",
            f"{path.name} is the part that sees images.",
            "Open the model's own file; this one is found by itself when it lies beside it.",
        )
    if not isinstance(architecture, str):
        raise damaged(path, "does not say what kind of model it holds")
    if architecture != ARCHITECTURE:
        raise _other_model(path, architecture)
    if not tensors:
        raise CheckpointError("The weights are missing", f"{path.name} holds only a vocabulary.", _PICK)


def _other_model(path: Path, architecture: str) -> CheckpointError:
    named = f"{path.name} is of the kind {shown(architecture, 40)}"
    if architecture in _OTHER_DIFFUSION:
        why = "another model that writes by denoising. DiffDesk runs DiffusionGemma only"
    elif architecture in _PICTURES:
        why = "a model that paints pictures. DiffDesk runs DiffusionGemma, which writes"
    else:
        why = (
            "made for autoregressive models, which write one word after the other. DiffDesk runs DiffusionGemma, which "
            "writes all words of a canvas together"
        )
    return CheckpointError("This is another kind of model", f"{named}, {why}.", _PICK)


def _precision(metadata: Metadata, tensors: Mapping[str, StoredTensor]) -> str:
    said = metadata.get("general.file_type")
    if isinstance(said, int) and said in FILE_TYPES:
        return FILE_TYPES[said]
    by_format: Counter[str] = Counter()
    for one in tensors.values():
        by_format[one.kind.name] += one.bytes
    return by_format.most_common(1)[0][0]


# --- tokens and images ----------------------------------------------------------------------------


def _end_ids(metadata: Metadata, vocab_size: int) -> tuple[int, ...]:
    """The tokens that end an answer: as our own files say, else as generation_config.json of the published model."""
    said = Description(metadata)
    own = said.ids(END_IDS_KEY, vocab_size - 1)
    if own:
        return own
    tokens = metadata[TOKENS_KEY]
    places = tokens.places(_END_TOKENS) if isinstance(tokens, StoredArray) else {}
    named = [places[one] for one in _END_TOKENS if one in places]
    return tuple(dict.fromkeys([*said.ids("tokenizer.ggml.eos_token_id", vocab_size - 1), *named]))


def _projector(path: Path, hidden: int) -> tuple[Path | None, tuple[str, ...]]:
    """The file in the same folder that sees images for this model, and sentences on such that can't be used."""
    try:
        near = [one for one in path.parent.iterdir() if "mmproj" in one.name.lower() and one.suffix.lower() == ".gguf"]
    except OSError:
        return None, ()
    words = _words(path)
    problems: list[str] = []
    for one in sorted(near, key=lambda one: (-len(words & _words(one)), one.name)):
        try:
            metadata = read_gguf(one).metadata
        except CheckpointError as error:
            problems.append(f"{one.name} is not used for images: {error.text}")
            continue
        if metadata.get("general.architecture") == "clip" and metadata.get(_PROJECTED, hidden) == hidden:
            return one, tuple(problems)
        problems.append(f"{one.name} is not used for images: it belongs to another model.")
    return None, tuple(problems)


_PROJECTED = "clip.vision.projection_dim"


def _words(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", whole_name(path).lower()))
