"""Files that stand in for the published ones: the same keys, names, types and shapes, without their weights.

`write_sparse` makes a file of the full size whose tensors are holes, to be opened; `write_random` one with random
values of sane size, to be run, which is what `cut` layouts are for.

What is known of the published Q4_K_M file: its size of 16.8 GB, 44 keys, 692 tensors with their names and shapes, all
hyperparameters, the numbers of tokens and merges, the ids of the control tokens and of bytes, that token_embd is Q6_K,
that vectors and routers are F32, and that rows of 704 and 2112 are Q5_0 or Q8_0. What is guessed: which other matrices
are Q4_K and which Q6_K (the rule of llama.cpp, as in `conversion_names`; it gives the known size), the 44th key
(`general.finetune`, which files of the same family have), the order of tensors, and all words and merges.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.gguf.conversion_config import NEVER_TURNS, model_metadata
from diffdesk.backends.gguf.conversion_names import ROPE_FACTORS, FileKind, format_of
from diffdesk.backends.gguf.conversion_tokenizer import BYTE, CONTROL, NORMAL, USER_DEFINED, VISIBLE
from diffdesk.backends.gguf.layout import ARCHITECTURE, Architecture
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import GgufWriter, TensorPlan, Value, ValueType, header_bytes, padded

PUBLISHED = Architecture(
    layers=30,
    hidden=2816,
    heads=16,
    kv_heads=(8, 8, 8, 8, 8, 2) * 5,
    is_sliding=(True, True, True, True, True, False) * 5,
    head_dim=512,
    head_dim_sliding=256,
    values_are_keys=True,
    dense_width=2112,
    experts=128,
    experts_used=8,
    expert_width=704,
    window=1024,
    rope_base=1e6,
    rope_base_sliding=1e4,
    epsilon=1e-6,
    softcap=30.0,
    vocab_size=262_144,
    canvas_length=256,
    context_length=262_144,
)
PUBLISHED_MERGES = 514_906
PUBLISHED_BYTES = 16_800_000_000  # of the Q4_K_M file, as its page says, rounded

TURNING_SHARE = 0.25  # of the pairs of a full layer's head
_SPREAD = 0.02  # standard deviation of a matrix's values
_CHUNK = 1 << 16  # blocks of a tensor that are made at a time


def cut(layers: int, **changes: Any) -> Architecture:
    """The published model with fewer layers, the last of which is a full one, and whatever else is changed."""
    kept = slice(PUBLISHED.layers - layers, PUBLISHED.layers)
    fewer = {"layers": layers, "kv_heads": PUBLISHED.kv_heads[kept], "is_sliding": PUBLISHED.is_sliding[kept]}
    return replace(PUBLISHED, **{**fewer, **changes})


# --- vocabulary -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class StandIn:
    """A vocabulary: the name and kind of each token, and merges of which all halves and wholes are tokens."""

    tokens: list[str]
    kinds: list[int]
    merges: list[str]


NAMED = {
    0: "<pad>", 1: "<eos>", 2: "<bos>", 3: "<unk>", 4: "<mask>", 46: "<|tool>", 47: "<tool|>", 48: "<|tool_call>",
    49: "<tool_call|>", 50: "<|tool_response>", 51: "<tool_response|>", 52: '<|"|>', 98: "<|think|>",
    100: "<|channel>", 101: "<channel|>", 105: "<|turn>", 106: "<turn|>", 255_999: "<|image>", 256_000: "<|audio>",
    258_880: "<|image|>", 258_881: "<|audio|>", 258_882: "<image|>", 258_883: "<audio|>", 258_884: "<|video|>",
}  # fmt: skip
_ODD = {5: "[multimodal]"}  # which the published vocabulary lists as an ordinary token
_UNUSED = [*range(6, 46), *range(53, 98), 99, *range(102, 105), *range(256_001, 258_880), *range(258_885, 262_144)]
_LINES, _BLANKS, _BYTES = 107, 138, 238  # ids of runs of line ends and of blanks, and of the first byte
_LONGEST_RUN = 31
_LETTERS = "абвгдежзийклмнопрстуфхцчшщ"
_SIGNS = (range(0x4E00, 0xA000), range(0xAC00, 0xD7A4), range(0x3400, 0x4DC0), range(0x20000, 0x2A6E0))


def vocabulary(size: int = PUBLISHED.vocab_size, most_merges: int = PUBLISHED_MERGES) -> StandIn:
    """Control tokens, runs of line ends and blanks, and bytes where Gemma has them, then words of up to four letters
    with every merge that makes them, as long as there may be more, then single signs. `size` is at least 600.
    """
    tokens: dict[int, str] = {index: name for index, name in (NAMED | _ODD).items() if index < size}
    tokens |= {index: f"<unused{number}>" for number, index in enumerate(_UNUSED) if index < size}
    tokens |= {_LINES + length - 1: "\n" * length for length in range(1, _LONGEST_RUN + 1)}
    tokens |= {_BLANKS + length - 2: "▁" * length for length in range(2, _LONGEST_RUN + 1)}
    tokens |= {_BYTES + value: f"<0x{value:02X}>" for value in range(256)}
    merges = [f"{sign * left} {sign * (length - left)}" for sign in "\n▁" for length in range(2, _LONGEST_RUN + 1)
              for left in range(1, length)]  # fmt: skip
    free = iter([index for index in range(size) if index not in tokens])
    words = _words(most_merges - len(merges))
    for index, (word, made) in zip(free, itertools.chain([("▁", [])], words, _signs()), strict=False):
        tokens[index] = word
        merges += made
    listed = [tokens[index] for index in range(size)]
    return StandIn(listed, [_kind(index, one) for index, one in enumerate(listed)], merges)


def _words(most_merges: int) -> Iterator[tuple[str, list[str]]]:
    """Words, shortest first, each with the merges that make it, as long as some are left."""
    for length in range(1, 5):
        for letters in itertools.product(_LETTERS, repeat=length):
            word = "".join(letters)
            made = [f"{word[:place]} {word[place:]}" for place in range(1, length)][:most_merges]
            if length > 1 and not made:
                return
            most_merges -= len(made)
            yield word, made


def _signs() -> Iterator[tuple[str, list[str]]]:
    for code in itertools.chain.from_iterable(_SIGNS):
        yield chr(code), []


def _kind(index: int, token: str) -> int:
    """As in the published files, where free places are ordinary tokens."""
    if _BYTES <= index < _BYTES + 256:
        return BYTE
    if token in VISIBLE:
        return USER_DEFINED
    return CONTROL if index in NAMED else NORMAL


# --- files ----------------------------------------------------------------------------------------


def metadata(architecture: Architecture, kind: FileKind, words: StandIn) -> dict[str, Value]:
    """The 44 keys of the published files; they name no sampler settings."""

    def text(value: str) -> Value:
        return Value(ValueType.STRING, value)

    special = {"bos": 2, "eos": 1, "unknown": 3, "padding": 0, "mask": 4}
    return {
        "general.architecture": text(ARCHITECTURE),
        "general.type": text("model"),
        "general.name": text("Diffusiongemma-26B-A4B-It"),
        "general.finetune": text("it"),
        "general.file_type": Value(ValueType.UINT32, kind.file_type),
        "general.quantization_version": Value(ValueType.UINT32, 2),
        **model_metadata(architecture),
        "tokenizer.ggml.model": text("gemma4"),
        "tokenizer.ggml.tokens": Value(ValueType.STRING, words.tokens),
        "tokenizer.ggml.scores": Value(ValueType.FLOAT32, [-1000.0] * len(words.tokens)),
        "tokenizer.ggml.token_type": Value(ValueType.INT32, words.kinds),
        "tokenizer.ggml.merges": Value(ValueType.STRING, words.merges),
        **{f"tokenizer.ggml.{name}_token_id": Value(ValueType.UINT32, index) for name, index in special.items()},
        "tokenizer.ggml.add_space_prefix": Value(ValueType.BOOL, False),
        "tokenizer.ggml.add_bos_token": Value(ValueType.BOOL, True),
        "tokenizer.chat_template": text("{{ bos_token }}"),
    }


def plans(architecture: Architecture, kind: FileKind) -> list[TensorPlan]:
    """Name, type and shape of every tensor."""
    shapes = architecture.tensors()
    return [
        TensorPlan(name, format_of(name, shape, kind, architecture.layers), shape) for name, shape in shapes.items()
    ]


def write_sparse(
    path: Path, architecture: Architecture = PUBLISHED, kind: FileKind = FileKind.Q4_K_M, words: StandIn | None = None
) -> None:
    """Write a file of the full size that holds only its header; the rest is a hole, which reads as zeros.

    Raises `OSError` where the file system has no holes and no room.
    """
    tensors = plans(architecture, kind)
    header = header_bytes(metadata(architecture, kind, words or vocabulary(architecture.vocab_size)), tensors)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + sum(padded(one.bytes) for one in tensors))


def write_random(
    path: Path,
    architecture: Architecture,
    kind: FileKind = FileKind.Q4_K_M,
    seed: int = 0,
    words: StandIn | None = None,
) -> None:
    """Write a file with random values: matrices of the spread of trained ones, vectors around one."""
    keys = metadata(architecture, kind, words or vocabulary(architecture.vocab_size))
    write_tensors(path, keys, plans(architecture, kind), seed)


def write_tensors(path: Path, keys: Mapping[str, Value], tensors: Sequence[TensorPlan], seed: int = 0) -> None:
    """Write a file of these keys and tensors with random values."""
    rng = np.random.default_rng(seed)
    with GgufWriter(path, keys, tensors, f"random {seed}") as made:
        for plan in tensors[made.complete :]:
            made.write_next(_values(plan, rng))
        made.finish()


def _values(plan: TensorPlan, rng: np.random.Generator) -> Iterator[bytes]:
    if plan.name == ROPE_FACTORS:
        turning = round(TURNING_SHARE * plan.shape[0])
        yield np.array([1.0] * turning + [NEVER_TURNS] * (plan.shape[0] - turning), np.float32).tobytes()
    elif len(plan.shape) == 1 and plan.kind is TensorType.F32:
        yield rng.uniform(0.7, 1.3, plan.shape[0]).astype(np.float32).tobytes()
    else:
        count = plan.bytes // plan.kind.block[1]
        for begin in range(0, count, _CHUNK):
            yield _blocks(plan.kind, min(_CHUNK, count - begin), rng)


# Of each block format: where its scales lie (float16), and what they are for values of `_SPREAD` when all other bytes
# are random. Sources: the structs in ggml-common.h. A second scale is subtracted, so that the mean is zero.
_SCALES: dict[TensorType, tuple[tuple[int, float], ...]] = {
    TensorType.Q8_0: ((0, _SPREAD / 73.9),),
    TensorType.Q5_0: ((0, _SPREAD / 9.23),),
    TensorType.Q4_K: ((0, _SPREAD / 258), (2, 7.5 * _SPREAD / 258)),
    TensorType.Q5_K: ((0, _SPREAD / 533), (2, 15.5 * _SPREAD / 533)),
    TensorType.Q6_K: ((208, _SPREAD / 1365),),
}


def _blocks(kind: TensorType, count: int, rng: np.random.Generator) -> bytes:
    """So many blocks of a format, as they lie in a file."""
    if kind in (TensorType.F32, TensorType.F16, TensorType.BF16):
        wide: NDArray[np.float32] = rng.standard_normal(count, np.float32) * np.float32(_SPREAD)
        if kind is TensorType.BF16:
            return (wide.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        return wide.astype(np.float32 if kind is TensorType.F32 else np.float16).tobytes()
    blocks = rng.integers(0, 256, (count, kind.block[1]), np.uint8)
    for place, scale in _SCALES[kind]:
        blocks[:, place : place + 2] = np.array([scale], "<f2").view(np.uint8)
    return blocks.tobytes()
