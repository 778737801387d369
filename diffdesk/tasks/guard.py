"""What a change to a draft needs before it is made: plain numbers and pure functions, the safety of a small model.

Knows nothing of models and canvases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LINE_END = "\n"
_NUMBER = re.compile(r"\S*\d\S*")
_NUMBERING = re.compile(r"(?<!\S)\d+[.,:;)\]]+\S?")
_LINE = re.compile(r"[^\n]+")
_WORD = re.compile(r"\S+")
_SENTENCE_ENDS = ".!?:"
_AROUND_WORDS = "\"'“”„‘’«»()[]*_"
_MOSTLY_FIGURES = 0.6  # share of letters below which a line is figures and signs for the most part
_LISTED_CAPITALS = 0.3  # share of letters in capitals above which a page is a list …
_LISTED_LINES = 0.25  # … or share of its lines that say little
_TOO_FEW = 5  # letters: a line with fewer says nothing
_STRAIGHT = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u201a": "'"})


def writes_straight(text: str) -> bool:
    """Whether a text has quotation marks or apostrophes, and most of them are straight."""
    straight, all_marks = text.count('"') + text.count("'"), text.translate(_STRAIGHT)
    return straight > 0 and 2 * straight >= all_marks.count('"') + all_marks.count("'")


@dataclass(frozen=True, slots=True)
class Guard:
    """What a change needs.

    Attributes:
        gate: probability that a change needs.
        protects_figures: nothing changes inside words that have at least as many digits as letters, nor between two,
            nor in a number with a point at the start of a word and the letter after it; in a line of hardly any
            letters, or mostly of figures and signs as in a table or a receipt, all else needs `figures_gate`: there is
            little to tell a misprint by.
        protects_numbers: the same, and nothing changes in any word with a digit in it.
        sure: confidence of the recogniser from which a word is protected; above 1 none is.
        sure_gate: probability that a change inside such a word needs.
        figures_gate: probability that a change in such a line needs.
        marks_gate: probability that a change of punctuation alone needs: a speck on paper looks like a point.
        names_gate: probability that a change inside a name or a code needs, see `looks_like_name`.
        straightens: new quotation marks and apostrophes are written straight, as most in the draft are.
    """

    gate: float
    protects_figures: bool = False
    protects_numbers: bool = False
    sure: float = 2.0
    sure_gate: float = 0.97
    figures_gate: float = 0.97
    marks_gate: float = 0.0
    names_gate: float = 0.0
    straightens: bool = False

    def written(self, piece: str, original: str) -> str:
        """What stands in the text where the model says `piece` for `original`.

        Marks that differ in kind only, straight or curly, stay as they are: that is a matter of type, no error.
        """
        straight = piece.translate(_STRAIGHT)
        if straight == original.translate(_STRAIGHT):
            return original
        return straight if self.straightens else piece

    def needed_for(self, original: str, piece: str) -> float:
        """The probability that `piece` for `original` needs wherever it stands."""
        return max(self.gate, self.marks_gate) if _differ_in_marks(original, piece) else self.gate

    def needed(self, draft: str, confidence: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """float32[len(draft)]: the probability that a change of each character needs, infinite where none is allowed.

        Args:
            draft: what was read or typed. A line end never changes.
            confidence: float32[len(draft)], how sure the recogniser was of each character; None if nobody said.
        """
        needed = np.full(len(draft), self.gate, np.float32)
        if confidence is not None:
            needed[confidence >= self.sure] = max(self.gate, self.sure_gate)
        if self.names_gate > self.gate:
            for start, end in _names(draft):
                inside = needed[start:end]
                np.maximum(inside, self.names_gate, out=inside)
        if self.protects_figures or self.protects_numbers:
            for line in _LINE.finditer(draft):
                if _says_little(line[0]):
                    inside = needed[line.start() : line.end()]
                    np.maximum(inside, self.figures_gate, out=inside)
            for found in _NUMBERING.finditer(draft):
                needed[found.start() : found.end()] = np.inf
            end = 0
            for found in _NUMBER.finditer(draft):
                if self.protects_numbers or _is_figures(found[0]):
                    start = end if end and draft[end : found.start()].isspace() else found.start()
                    end = found.end()
                    needed[start:end] = np.inf
        needed[[character == LINE_END for character in draft]] = np.inf
        return needed


def looks_like_name(word: str, before: str) -> bool:
    """Whether a word may be a name or a code: capitals inside, or at its start where no sentence begins.

    `before` is the word that stands before it, empty where there is none. German nouns count as well: a dictionary
    would tell them from names, capitals can't.
    """
    bare = word.strip(_AROUND_WORDS)
    if any(character.isupper() for character in bare[1:]):
        return True
    begins = not before or before.rstrip(_AROUND_WORDS).endswith(tuple(_SENTENCE_ENDS))
    return bare[:1].isupper() and len(bare) > 1 and not begins


def _names(draft: str) -> Iterator[tuple[int, int]]:
    before, end = "", 0
    for found in _WORD.finditer(draft):
        if draft.count(LINE_END, end, found.start()) > 1:
            before = ""  # a paragraph begins
        if looks_like_name(found[0], before):
            yield found.span()
        before, end = found[0], found.end()


def is_listing(text: str) -> bool:
    """Whether a text that was read is mostly figures, capitals and single words, as a receipt is, and not prose.

    Of 23 pages measured, the four receipts have 41 % of their letters in capitals and 29 % of lines that say little, or
    more; pages of prose 8 % and 12 % at most.
    """
    letters = [one for one in text if one.isalpha()]
    lines = [line for line in text.split(LINE_END) if line.strip()]
    capitals = sum(one.isupper() for one in letters)
    little = sum(_says_little(line) for line in lines)
    return capitals + little > 0 and (
        capitals > _LISTED_CAPITALS * len(letters) or little > _LISTED_LINES * max(1, len(lines))
    )


def _says_little(line: str) -> bool:
    letters = sum(character.isalpha() for character in line)
    has_figures = any(character.isdigit() for character in line)
    is_mostly_figures = has_figures and letters < _MOSTLY_FIGURES * sum(not character.isspace() for character in line)
    return is_mostly_figures or letters < _TOO_FEW


def _differ_in_marks(one: str, other: str) -> bool:
    """Whether two texts have the same letters and digits, and other marks; spaces don't matter."""
    texts = ("".join(one.split()), "".join(other.split()))
    letters = ["".join(filter(str.isalnum, text)) for text in texts]
    return letters[0] == letters[1] and texts[0] != texts[1]


def _is_figures(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    return digits >= sum(character.isalpha() for character in word)
