"""The rules by which a tokenizer.json cuts text: those that are known here, and a refusal of all others.

A GGUF file has no place for rules: whoever reads its lists of tokens and merges takes Gemma's. So the converter asks
here too, and no text is ever cut otherwise than a model was taught. Knows nothing of tokens.

Keys as `tokenizers` 0.23 writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diffdesk.core.errors import CheckpointError

Json = Mapping[str, object]

_BLANK = "▁"
_NORMALIZER = {"type": "Replace", "pattern": {"String": " "}, "content": _BLANK}
_PRE_TOKENIZER = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
_BLANK_DECODER = {"type": "Replace", "pattern": {"String": _BLANK}, "content": " "}
_BYTE_DECODER, _FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
_UNUSED = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of byte pair encoding over the whole text.

    Attributes:
        blank: what stands for a blank in tokens; empty where blanks are themselves.
        has_bytes: a character that nothing spells is spelled by tokens for its bytes, like ``<0xE2>``.
        fuses_unknown: several characters in a row that nothing spells become one unknown token.
    """

    blank: str
    has_bytes: bool
    fuses_unknown: bool


GEMMA_RULES = Rules(blank=_BLANK, has_bytes=True, fuses_unknown=True)


def read_rules(data: Json, model: Json) -> Rules:
    """The rules of a tokenizer.json whose part `model` is; raises `CheckpointError` where they are not known here."""
    if model.get("type") != "BPE":
        raise unknown_rules(f"is {str(model.get('type'))[:40]} instead of BPE")
    for key in _UNUSED:
        if model.get(key):
            raise unknown_rules(f"uses {key}")
    normalizer = data.get("normalizer")
    if normalizer not in (None, _NORMALIZER):
        raise unknown_rules("changes text in another way")
    blank = _BLANK if normalizer else ""
    # Where blanks have been replaced there are none left to cut at.
    if data.get("pre_tokenizer") not in ((None, _PRE_TOKENIZER) if blank else (None,)):
        raise unknown_rules("cuts text in another way")
    has_bytes = model.get("byte_fallback") is True
    steps = [*([_BLANK_DECODER] if blank else []), *([_BYTE_DECODER] if has_bytes else []), _FUSE]
    decoder = data.get("decoder")
    said = decoder.get("decoders") if isinstance(decoder, dict) and decoder.get("type") == "Sequence" else [decoder]
    if said != steps:
        raise unknown_rules("puts text together in another way")
    return Rules(blank, has_bytes, model.get("fuse_unk") is True)


def unknown_rules(how: str) -> CheckpointError:
    """A tokenizer that can't be used here; `how` fits after "The tokenizer"."""
    return CheckpointError(
        "This kind of tokenizer is not known here",
        f"The tokenizer of this model {how}.",
        "Update DiffDesk, or choose another model.",
    )
