"""What a change to a draft needs before it is made: plain numbers and pure functions, the safety of a small model.

Knows nothing of models and canvases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LINE_END = "\n"
_NUMBER = re.compile(r"\S*\d\S*")
_STRAIGHT = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u201a": "'"})


def has_straight_marks(text: str) -> bool:
    """Whether a text writes its quotation marks and apostrophes straight, all of them."""
    return ('"' in text or "'" in text) and text.translate(_STRAIGHT) == text


@dataclass(frozen=True, slots=True)
class Guard:
    """What a change needs.

    Attributes:
        gate: probability that a change needs.
        protects_figures: nothing changes inside words that have at least as many digits as letters, nor between two.
        protects_numbers: the same for every word with a digit in it.
        sure: confidence of the recogniser from which a word is protected; above 1 none is.
        sure_gate: probability that a change inside a protected word needs.
        straightens: quotation marks and apostrophes are written straight, as in the rest of the draft: which kind is
            printed is a matter of type, no error.
    """

    gate: float
    protects_figures: bool = False
    protects_numbers: bool = False
    sure: float = 2.0
    sure_gate: float = 0.97
    straightens: bool = False

    def written(self, piece: str) -> str:
        """What is put into the text where the model says `piece`."""
        return piece.translate(_STRAIGHT) if self.straightens else piece

    def needed(self, draft: str, confidence: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """float32[len(draft)]: the probability that a change of each character needs, infinite where none is allowed.

        Args:
            draft: what was read or typed. A line end never changes.
            confidence: float32[len(draft)], how sure the recogniser was of each character; None if nobody said.
        """
        needed = np.full(len(draft), self.gate, np.float32)
        if confidence is not None:
            needed[confidence >= self.sure] = max(self.gate, self.sure_gate)
        if self.protects_figures or self.protects_numbers:
            end = 0
            for found in _NUMBER.finditer(draft):
                if self.protects_numbers or _is_figures(found[0]):
                    start = end if end and draft[end : found.start()].isspace() else found.start()
                    end = found.end()
                    needed[start:end] = np.inf
        needed[[character == LINE_END for character in draft]] = np.inf
        return needed


def _is_figures(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    return digits >= sum(character.isalpha() for character in word)
