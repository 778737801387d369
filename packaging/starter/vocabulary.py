"""The starter model's own vocabulary: special tokens, a few words, single characters and two-character tokens.

The special tokens carry their Gemma-4 names. A draft is tokenised character by character; the two-character tokens
only ever stand in a canvas, where something was left out of the draft.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.lines import LineTask

SIZE = 1280
SPECIAL = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<mask>",
    "<|turn>",
    "<turn|>",
    "<|channel>",
    "<channel|>",
    "<|think|>",
    "<|image|>",
    "<|image>",
    "<image|>",
)
WORDS = ("system", "user", "model", "Correct", "Read", " this", " text", " line")
PAD, EOS, BOS, UNK, _, TURN, END_OF_TURN, _, _, _, IMAGE, BEGIN_OF_IMAGE, END_OF_IMAGE = range(len(SPECIAL))
_PAIRS = Path(__file__).with_name("pairs.json")

_ASCII = "".join(map(chr, range(32, 127)))
_LATIN = "".join(chr(code) for code in range(0xC0, 0x180) if code not in {0xD7, 0xF7, 0x132, 0x133, 0x149, 0x17F})
_SIGNS = "¡¢£¥§©ª«¬®°±²³µ¶·¹º»¼½¾¿×÷"
_PRINT = "\u2010–—‘’\u201a“”„†‡•…‰\u2032″\u2039\u203a\u2044€₤₹™−≈≠≤≥←→↑↓√∞°✓"
CHARACTERS = "\n" + "".join(dict.fromkeys(_ASCII + _SIGNS + _LATIN + _PRINT))

FIRST_CHARACTER = len(SPECIAL) + len(WORDS)
FIRST_PAIR = FIRST_CHARACTER + len(CHARACTERS)
CHARACTER_IDS = {character: FIRST_CHARACTER + index for index, character in enumerate(CHARACTERS)}
SPACE = CHARACTER_IDS[" "]


def most_frequent_pairs(texts: Iterable[str]) -> list[str]:
    """The pairs of characters that fill the rest of the vocabulary, the most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text[at : at + 2] for at in range(len(text) - 1))
    known = (pair for pair, _ in counts.most_common() if all(one in CHARACTER_IDS for one in pair) and "\n" not in pair)
    return [pair for _, pair in zip(range(SIZE - FIRST_PAIR), known, strict=False)]


def pairs() -> list[str]:
    """The two-character tokens that this model was made with."""
    made: list[str] = json.loads(_PAIRS.read_text(encoding="utf-8"))
    return made


def tokens() -> list[str]:
    """All tokens in the order of their ids."""
    listed = [*SPECIAL, *WORDS, *CHARACTERS, *pairs()]
    return listed + [f"<unused{number}>" for number in range(SIZE - len(listed))]


def encode(text: str) -> NDArray[np.int32]:
    """int32[len(text)]: one token for each character, `UNK` for what the vocabulary lacks."""
    return np.array([CHARACTER_IDS.get(character, UNK) for character in text], np.int32)


def decode(ids: NDArray[np.int32]) -> str:
    """The text of a canvas; blanks and other special tokens are nothing."""
    return "".join(_TEXTS[int(token)] for token in ids)


def prompt_head(task: LineTask) -> list[int]:
    """What stands before the slots."""
    first, this, what = task.value.partition(" this")
    words = [_WORD_IDS[first], _WORD_IDS[this], _WORD_IDS[what]]
    line_end = CHARACTER_IDS["\n"]
    return [BOS, TURN, _WORD_IDS["system"], line_end, *words, END_OF_TURN, line_end, TURN, _WORD_IDS["user"], line_end]


def prompt_foot() -> list[int]:
    """What stands between the slots and the canvas."""
    line_end = CHARACTER_IDS["\n"]
    return [END_OF_TURN, line_end, TURN, _WORD_IDS["model"], line_end]


def pair_table() -> NDArray[np.int32]:
    """int32[FIRST_PAIR, FIRST_PAIR]: the token of two characters by their ids, 0 where there is none."""
    table = np.zeros((FIRST_PAIR, FIRST_PAIR), np.int32)
    for number, pair in enumerate(pairs()):
        table[CHARACTER_IDS[pair[0]], CHARACTER_IDS[pair[1]]] = FIRST_PAIR + number
    return table


_WORD_IDS = {word: len(SPECIAL) + index for index, word in enumerate(WORDS)}
_TEXTS = ["" if index < len(SPECIAL) or token.startswith("<unused") else token for index, token in enumerate(tokens())]
