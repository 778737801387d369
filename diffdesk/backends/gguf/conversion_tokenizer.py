"""The tokenizer of a checkpoint as metadata of a GGUF file.

The keys are those of the published files (`tokenizer.ggml.…`, model ``gemma4``), made as llama.cpp's converter makes
them. Small vocabularies are not always like Gemma's: their whole tokenizer.json goes along under a key of our own.
Knows nothing of weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from diffdesk.backends.checkpoint import TOKENIZER_FILE
from diffdesk.backends.checkpoint_config import read_json
from diffdesk.backends.gguf.layout import OWN_TOKENIZER_KEY
from diffdesk.backends.gguf.tokenizer_rules import GEMMA_RULES, read_rules, unknown_rules
from diffdesk.backends.gguf.writer import Value, ValueType
from diffdesk.core.errors import CheckpointError

MOST_OWN_TOKENS = 20_000  # vocabularies up to this size bring their tokenizer.json along
TEMPLATE_FILE = "chat_template.jinja"

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
# Part of the text that a program gets to see, in the published files: else it couldn't tell thoughts from answers.
VISIBLE = frozenset(
    {"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>'}
)
_SCORE = -1000.0  # of every token in the published files: merges decide
_BYTE = re.compile("<0x[0-9A-Fa-f]{2}>")
_BLANK = chr(ord(" ") + 256)  # stands for a blank inside one half of a merge, as in llama.cpp
_AGAIN = "Download the folder again, or choose another one."


def tokenizer_metadata(folder: Path, text: Mapping[str, object], vocab_size: int) -> dict[str, Value]:
    """The keys for the tokenizer in `folder`; `text` is the text model's part of config.json.

    Raises `CheckpointError` where tokenizer.json is broken, larger than the vocabulary, or of rules that whoever reads
    the file would not know.
    """
    data = read_json(folder / TOKENIZER_FILE)
    model = data.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(model, dict) or model.get("type") != "BPE" or not isinstance(vocabulary, dict):
        raise _broken("It should hold a byte pair encoding (BPE).")
    unknown = model.get("unk_token")
    tokens, kinds = _tokens(vocabulary, _added(data), unknown, vocab_size)
    ids = {token: index for index, token in enumerate(tokens)}
    found: dict[str, Value] = {
        "tokenizer.ggml.model": _text("gemma4"),
        "tokenizer.ggml.tokens": Value(ValueType.STRING, tokens),
        "tokenizer.ggml.scores": Value(ValueType.FLOAT32, [_SCORE] * vocab_size),
        "tokenizer.ggml.token_type": Value(ValueType.INT32, kinds),
        "tokenizer.ggml.merges": Value(ValueType.STRING, _merges(model.get("merges"))),
    }
    special = {
        "bos": _first_id(text, "bos_token_id", 2),
        "eos": _first_id(text, "eos_token_id", 1),
        "unknown": ids.get(str(unknown)),
        "padding": _first_id(text, "pad_token_id", 0),
        "mask": ids.get("<mask>"),
    }
    for name, index in special.items():
        if index is not None and index < vocab_size:
            found[f"tokenizer.ggml.{name}_token_id"] = Value(ValueType.UINT32, index)
    found["tokenizer.ggml.add_space_prefix"] = Value(ValueType.BOOL, False)
    found["tokenizer.ggml.add_bos_token"] = Value(ValueType.BOOL, True)
    if (folder / TEMPLATE_FILE).is_file():
        found["tokenizer.chat_template"] = _text(_read(folder / TEMPLATE_FILE))
    rules = read_rules(data, model)
    if vocab_size <= MOST_OWN_TOKENS:
        found[OWN_TOKENIZER_KEY] = _text(_read(folder / TOKENIZER_FILE))
    elif rules != GEMMA_RULES:
        raise unknown_rules("has other rules than Gemma's")
    return found


def _text(text: str) -> Value:
    return Value(ValueType.STRING, text)


def _read(path: Path) -> str:
    """A text file as it is, its line ends too."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path.name} is broken", "It is no UTF-8 text.", _AGAIN) from error


def _added(data: Mapping[str, object]) -> dict[str, tuple[int, bool]]:
    """Id of each added token, and whether it is a control token."""
    listed = data.get("added_tokens", [])
    found: dict[str, tuple[int, bool]] = {}
    for one in listed if isinstance(listed, list) else []:
        if not isinstance(one, dict) or not isinstance(one.get("content"), str):
            raise _broken("It describes an added token wrongly.")
        found[one["content"]] = (one.get("id", -1), one.get("special") is True)
    return found


def _tokens(
    vocabulary: Mapping[str, object], added: Mapping[str, tuple[int, bool]], unknown: object, size: int
) -> tuple[list[str], list[int]]:
    """Every token and its kind, by id; ids that nothing has get a name and are unused."""
    tokens, kinds = [f"[PAD{index}]" for index in range(size)], [UNUSED] * size
    for token, index in [*vocabulary.items(), *((token, index) for token, (index, _) in added.items())]:
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < size:
            raise _broken(f"The token {token!r:.40} has the id {index!r:.20}, the model has {size:,} tokens.")
        if kinds[index] != UNUSED and tokens[index] != token:
            raise _broken(f"The tokens {token!r:.40} and {tokens[index]!r:.40} have the same id.")
        tokens[index] = token
        kinds[index] = _kind(token, added.get(token), unknown)
    return tokens, kinds


def _kind(token: str, added: tuple[int, bool] | None, unknown: object) -> int:
    if token == unknown:
        return UNKNOWN
    if _BYTE.fullmatch(token):
        return BYTE
    if token in VISIBLE:
        return USER_DEFINED
    if added is not None:
        return CONTROL if added[1] else USER_DEFINED
    return NORMAL


def _merges(listed: object) -> list[str]:
    """Merges as llama.cpp wants them: two halves and a blank between; older files have them so already."""
    made: list[str] = []
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, str):
            made.append(one)
        elif isinstance(one, list) and len(one) == 2 and all(isinstance(half, str) for half in one):
            made.append(" ".join(half.replace(" ", _BLANK) for half in one))
        else:
            raise _broken("It describes a merge wrongly.")
    return made


def _first_id(text: Mapping[str, object], key: str, default: int) -> int | None:
    value = text.get(key, default)
    if isinstance(value, Sequence) and value and not isinstance(value, str):
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _broken(what: str) -> CheckpointError:
    return CheckpointError(f"{TOKENIZER_FILE} is broken", what, _AGAIN)
