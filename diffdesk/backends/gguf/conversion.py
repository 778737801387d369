"""A checkpoint folder as GGUF files: the text model in the published layout of DiffusionGemma, and what sees images.

What was cut off goes on where it stopped, when the same conversion is asked for again.

Keys of our own, beside those of the published files: ``diffdesk.profile`` (the text of diffdesk.json),
``diffdesk.tokenizer`` (the text of tokenizer.json, for small vocabularies) and ``diffdesk.end_ids`` (the tokens that
end an answer; the published files name only one of them).
"""

from __future__ import annotations

import json
from pathlib import Path

from diffdesk.backends.gguf.checkpoint_source import CheckpointSource, open_checkpoint
from diffdesk.backends.gguf.conversion_config import model_metadata, sampler_metadata, text_config
from diffdesk.backends.gguf.conversion_names import FileKind, format_of
from diffdesk.backends.gguf.conversion_tokenizer import tokenizer_metadata
from diffdesk.backends.gguf.conversion_vision import vision_output
from diffdesk.backends.gguf.layout import ARCHITECTURE, CAUSAL, END_IDS_KEY, IMAGE_ATTENTION_KEY, PROFILE_KEY
from diffdesk.backends.gguf.native_quantise import native_quantiser
from diffdesk.backends.gguf.quantise import Quantiser, quantise
from diffdesk.backends.gguf.streaming import Output, Progress, check_place, write_files
from diffdesk.backends.gguf.writer import TensorPlan, Value, ValueType
from diffdesk.core.errors import CheckpointError, UserError

PROFILE_FILE = "diffdesk.json"


def convert(
    checkpoint: Path,
    out: Path,
    kind: str,
    progress: Progress,
    *,
    is_forced: bool = False,
    mmproj: Path | None = None,
    mmproj_kind: str = FileKind.F16,
) -> None:
    """Write the text model in the folder `checkpoint` to the file `out`, and what sees images to `mmproj`.

    Args:
        checkpoint: a folder of safetensors files, uncompressed or in NVIDIA's 4-bit layout.
        out: NAME.gguf; NAME.gguf.part and NAME.gguf.part.json beside it hold an unfinished conversion.
        kind: a value of `FileKind`.
        progress: told what is done now and the share of the work that is done, after each block. What it raises
            (`Cancelled`) ends the conversion; what is complete is kept.
        is_forced: replace files that are there.
        mmproj: where the vision tower goes; None to leave it out.
        mmproj_kind: see `conversion_vision.convert_vision`.

    Raises `CheckpointError` where the folder can't be converted, `EngineError` where a library is missing, and
    `UserError` where a file can't be written.
    """
    wanted = FileKind(kind)
    check_place(out, is_forced=is_forced)
    if mmproj is not None:
        check_place(mmproj, is_forced=is_forced)
        if mmproj.resolve() == out.resolve():
            raise UserError("Both files have the same name", f"{out} can't be both of them.", "Choose another name.")
    progress("Checking the model", 0.0)
    quantiser: Quantiser = native_quantiser() if wanted.needs_native else quantise
    outputs = [] if mmproj is None else [vision_output(checkpoint, mmproj, mmproj_kind)]
    write_files([*outputs, _text_output(checkpoint, out, wanted)], quantiser, progress)


def _text_output(checkpoint: Path, out: Path, kind: FileKind) -> Output:
    source = open_checkpoint(checkpoint)
    layers = source.architecture.layers
    plans = [
        TensorPlan(name, format_of(name, shape, kind, layers), shape)
        for name, shape in source.architecture.tensors().items()
    ]

    def stage(name: str) -> str:
        parts = name.split(".")
        return f"Layer {int(parts[1]) + 1} of {layers}" if parts[0] == "blk" else "Embedding"

    return Output(out, _metadata(source, kind), plans, source.sources, source.identity, stage)


def _metadata(source: CheckpointSource, kind: FileKind) -> dict[str, Value]:
    profile = _profile(source.path)
    found = {
        "general.architecture": Value(ValueType.STRING, ARCHITECTURE),
        "general.type": Value(ValueType.STRING, "model"),
        "general.name": Value(ValueType.STRING, _name(source.path, profile)),
        "general.file_type": Value(ValueType.UINT32, kind.file_type),
        "general.quantization_version": Value(ValueType.UINT32, 2),
        **model_metadata(source.architecture),
    }
    if source.defaults is not None:
        found.update(sampler_metadata(source.defaults))
    found[END_IDS_KEY] = Value(ValueType.UINT32, source.end_ids)
    if profile:
        found[PROFILE_KEY] = Value(ValueType.STRING, profile)
    text = text_config(source.config)
    if text.get("use_bidirectional_attention") != "vision":
        found[IMAGE_ATTENTION_KEY] = Value(ValueType.STRING, CAUSAL)
    return {**found, **tokenizer_metadata(source.path, text, source.architecture.vocab_size)}


def _profile(folder: Path) -> str:
    """The text of diffdesk.json, empty where there is none; `CheckpointError` if it is broken."""
    path = folder / PROFILE_FILE
    if not path.is_file():
        return ""
    try:
        text = path.read_bytes().decode("utf-8")
        json.loads(text)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{PROFILE_FILE} is broken", f"It can't be read: {error}.", "Correct or delete that file."
        ) from error
    return text


def _name(folder: Path, profile: str) -> str:
    said = json.loads(profile) if profile else {}
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) and name else folder.resolve().name
