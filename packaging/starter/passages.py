"""Lines of clean text as they stand on pages and in messages: windows out of corpora, and lines made here.

Most are ordinary English; about a quarter is none (tables, code, other languages, old spelling), so that a model
learns to leave alone what it cannot know. Knows nothing of noise and of slots.
"""

from __future__ import annotations

import random
import re
import string
from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from starter.invented import one_of
from starter.made_lines import MADE, old_spelling, tokenised
from starter.vocabulary import CHARACTERS

# Shares of all passages. A kind is what the corpora call it, a key of `MADE`, or one of those below.
_SHARES = {
    "prose": 0.58,
    "reference": 0.07,
    "manual": 0.07,
    "code": 0.024,
    "other-language": 0.036,
    "tokenised": 0.024,
    "heading": 0.010,
    "old-spelling": 0.030,
    "numbers": 0.042,
    "receipt": 0.024,
    "date": 0.012,
    "name": 0.034,
    "link": 0.012,
    "abbreviation": 0.006,
    "formula": 0.012,
    "contents": 0.008,
    "citation": 0.008,
    "garbage": 0.004,
    "latin": 0.002,
}
# How often a kind is to be left as it is; 1 where nothing is said, 0 for ordinary English.
_KEPT = {
    "prose": 0.0,
    "reference": 0.0,
    "manual": 0.0,
    "heading": 0.4,
    "date": 0.7,
    "contents": 0.7,
    "tokenised": 0.85,
}
_EXACT = frozenset(
    ("code", "other-language", "old-spelling", "link", "formula", "garbage", "latin", "abbreviation", "name")
)
_FROM_CORPORA = frozenset(("reference", "manual", "code", "other-language"))
_KINDS = list(_SHARES)
# What is printed and read is more often no prose than what is typed, and a picture tells what it is.
_PRINTED = {"numbers": 2.0, "receipt": 3.0, "name": 1.5, "date": 2.0, "heading": 2.0, "contents": 1.5}
_OFTEN_CAPITALS = {"receipt": 0.35, "numbers": 0.2, "name": 0.15, "date": 0.15}

_NEARLY_FULL, _MIDDLE = 0.60, 0.60 + 0.30
_AT_PARAGRAPH, _INSIDE_WORD = 0.12, 0.12 + 0.04
_FAR = 2000  # characters to look ahead for an edge
_INSIDE = re.compile(r"(?<=[a-z]{2})(?=[a-z]{3})")
_KNOWN = frozenset(CHARACTERS)
_SPACES = "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"
_UNSEEN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬆ": "st"}
_SIGNS = {"\u2010": "-", "\u2011": "-", "\u2012": "–", "\u2015": "—", "\u201b": "‘", "\u02bc": "’"}
_OBVIOUS = str.maketrans(dict.fromkeys(_SPACES, " ") | dict.fromkeys(_UNSEEN, "") | _LIGATURES | _SIGNS)
_OPENING_DOUBLE, _OPENING_SINGLE = re.compile(r'(?<![^\s(\[—–-])"'), re.compile(r"(?<![^\s(\[—–“\"-])'")
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})
_DASH = re.compile(r"\s?—\s?|\s?--\s?|\s–\s")


@dataclass(frozen=True, slots=True)
class Passage:
    """One line of clean text.

    Attributes:
        keep: it is no ordinary prose; a draft of it is the text itself, or has slips in words of letters only. Such a
            line may have runs of spaces, as tables do, unless it is for print.
    """

    text: str
    kind: str
    keep: bool

    @property
    def is_exact(self) -> bool:
        """Nobody could tell a slip in it from what is right: a draft of it is the text itself."""
        return self.kind in _EXACT


class Passages:
    """An endless supply of passages.

    Args:
        texts: corpora by kind (`prose`, `reference`, `manual`, `code`, `other-language`, `old-spelling`), each one
            text with a paragraph in each line; a kind that is missing is drawn as prose, old spelling is made as well.
        seed: of the draws.
        is_printed: for lines that are printed and read back: more tables, receipts and headings, and all spaces single,
            since nobody can tell from a gap in a picture how many there were.

    Raises:
        ValueError: there is no prose.
    """

    def __init__(self, texts: Mapping[str, str], seed: int, *, is_printed: bool = False) -> None:
        if len(texts.get("prose", "")) < _FAR:
            raise ValueError("passages need prose")
        self._texts = texts
        self._rng = random.Random(seed)
        self._is_printed = is_printed
        more = _PRINTED if is_printed else {}
        self._cumulated = list(accumulate(share * more.get(kind, 1.0) for kind, share in _SHARES.items()))
        self._special: dict[str, Callable[[int], str]] = {
            "code": self._code,
            "tokenised": self._tokenised,
            "heading": self._heading,
            "old-spelling": self._old_spelling,
        }

    def next(self, limit: int) -> Passage:
        """A passage of 2 to `limit` characters (16 at least), all of the vocabulary."""
        while True:
            kind = _KINDS[bisect(self._cumulated, self._rng.random() * self._cumulated[-1], hi=len(_KINDS) - 1)]
            if kind in _FROM_CORPORA and kind not in self._texts:
                kind = "prose"
            text = self._text(kind, limit)
            if self._is_printed:
                text = " ".join(text.split())
            if 2 <= len(text) <= limit and _KNOWN.issuperset(text):
                return Passage(text, kind, self._rng.random() < _KEPT.get(kind, 1.0))

    def _text(self, kind: str, limit: int) -> str:
        made = MADE.get(kind)
        if made is not None:
            text = _shortened(made(self._rng), limit)
            return text.upper() if self._rng.random() < _OFTEN_CAPITALS.get(kind, 0.0) else text
        special = self._special.get(kind)
        if special is not None:
            return special(limit)
        text = self._window(kind, self._length(limit))
        return text if kind == "other-language" else self._varied(text)

    def _length(self, limit: int) -> int:
        draw = self._rng.random()
        if draw < _NEARLY_FULL:
            return self._rng.randint(limit * 4 // 5, limit)
        return self._rng.randint(limit // 4, limit * 4 // 5) if draw < _MIDDLE else self._rng.randint(2, limit // 4)

    def _window(self, kind: str, length: int) -> str:
        """A stretch of a corpus between edges of words, spaces single; empty where none was found."""
        source, rng = self._texts[kind], self._rng
        at, draw = int(rng.random() * len(source)), rng.random()
        if draw < _AT_PARAGRAPH:
            start = source.find("\n", at, at + _FAR) + 1
        elif draw < _INSIDE_WORD:
            inside = _INSIDE.search(source, at, at + _FAR)
            start = inside.start() if inside else 0
        else:
            start = source.find(" ", at, at + _FAR) + 1
        if not start:
            return ""
        piece = source[start : start + length + 1]
        paragraph = piece.find("\n")
        if paragraph >= 0 and rng.random() < 0.4:
            piece = piece[:paragraph]
        if len(piece) > length:
            piece = self._ended(piece.replace("\n", " "), length)
        return " ".join(piece.translate(_OBVIOUS).split())

    def _ended(self, piece: str, length: int) -> str:
        """A stretch that is one character too long, ended at a word's edge or with a hyphen in the word.

        Empty where there is no edge: part of a word alone is no passage.
        """
        if piece[length - 4 : length + 1].isalpha() and self._rng.random() < 0.2:
            return piece[: length - 1] + "-"
        return piece[: max(0, piece.rfind(" "))]

    def _varied(self, text: str) -> str:
        """The same words in another typographic dress."""
        rng = self._rng
        draw = rng.random()
        if draw < 0.30:
            if '"' in text:
                text = _OPENING_DOUBLE.sub("“", text).replace('"', "”")
            if "'" in text:
                text = _OPENING_SINGLE.sub("‘", text).replace("'", "’")
        elif draw < 0.70:
            text = text.translate(_STRAIGHT)
        if rng.random() < 0.3 and ("—" in text or "--" in text or " – " in text):
            text = _DASH.sub(one_of((" - ", "-", " — ", "--", " – ", "—"), rng), text).strip()
        draw = rng.random()
        if draw < 0.04:
            return text.upper()
        return string.capwords(text) if draw < 0.055 else text

    def _code(self, limit: int) -> str:
        source = self._texts["code"]
        start = source.find("\n", int(self._rng.random() * len(source))) + 1
        line = source[start : start + 2 * limit].partition("\n")[0]
        return _shortened(line.translate(_OBVIOUS), limit)

    def _tokenised(self, limit: int) -> str:
        return _shortened(tokenised(self._window("prose", self._length(limit)), self._rng), limit)

    def _heading(self, limit: int) -> str:
        words = self._window("prose", self._rng.randint(8, min(60, limit))).strip(".,;:'\"-—").upper()
        number = self._rng.randint(1, 40)
        first = one_of(("", "", "", f"CHAPTER {number}. ", f"{number}. ", "PART TWO: ", "APPENDIX A "), self._rng)
        return _shortened(first + words, limit)

    def _old_spelling(self, limit: int) -> str:
        if "old-spelling" in self._texts and self._rng.random() < 0.6:
            return self._window("old-spelling", self._length(limit))
        return _shortened(old_spelling(self._window("prose", self._length(limit)), self._rng), limit)


def _shortened(line: str, limit: int) -> str:
    """At most `limit` characters of a line, ended at a word's edge if there is one."""
    if len(line) > limit:
        edge = line.rfind(" ", 0, limit + 1)
        line = line[:edge] if edge > 0 else line[:limit]
    return line.strip()
