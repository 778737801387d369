"""How sure a model was of an answer, character by character: the evidence for its tokens, spread over their text.

A token may be a part of a character (a byte of it), and what a run of bytes reads as is known of the run as a whole.
Stays inside the process that holds the model. Knows nothing of tasks.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Tokenizer

_HALF = "\N{REPLACEMENT CHARACTER}"  # how a token reads that is no whole character


@dataclass(slots=True)
class HeldTokens:
    """The tokens of an answer, without thoughts and markers, and how steadily the model held to each.

    Attributes:
        ids: in order, as they were committed.
        evidence: of each, see `CanvasOutcome.evidence`.
    """

    ids: list[int] = field(default_factory=list)
    evidence: list[float] = field(default_factory=list)

    def take(self, ids: NDArray[np.int32], evidence: NDArray[np.float32]) -> None:
        """Add the tokens int32[n] of a committed canvas, with the evidence float32[n] for them."""
        self.ids += ids.tolist()
        self.evidence += evidence.tolist()

    def certainty(self, tokenizer: Tokenizer) -> NDArray[np.float32]:
        """float32[n], for each character of ``tokenizer.decode(ids)`` the lowest evidence for a token that it has."""
        text, spans = token_spans(tokenizer, self.ids)
        lowest = np.full(len(text), np.inf, np.float32)
        for (start, end), evidence in zip(spans, self.evidence, strict=True):
            lowest[start:end] = np.minimum(lowest[start:end], np.float32(evidence))
        lowest[np.isinf(lowest)] = 0
        return lowest


def token_spans(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text of `ids`, and for each of them the characters [start, end) that it is, or is a part of."""
    pieces = tokenizer.pieces(ids)
    text, spans, made = tokenizer.decode(ids), list[tuple[int, int]](), ""
    for is_torn, run in groupby(range(len(ids)), key=lambda at: _HALF in pieces[at]):
        numbers = list(run)
        texts = [tokenizer.decode([ids[at] for at in numbers])] if is_torn else [pieces[at] for at in numbers]
        spans += _spans_of_bytes(texts[0], len(numbers), len(made)) if is_torn else _spans_of(texts, len(made))
        made += "".join(texts)
    if made == text:
        return text, spans
    # A vocabulary that reads a token otherwise in the midst of others: by what both readings share.
    there = _places(made, text)
    return text, [(there[start], there[end]) for start, end in spans]


def _spans_of(texts: Sequence[str], start: int) -> Iterator[tuple[int, int]]:
    for text in texts:
        yield start, start + len(text)
        start += len(text)


def _spans_of_bytes(text: str, count: int, start: int) -> list[tuple[int, int]]:
    """The spans of `count` tokens that only together read as `text`: a byte each, or anything else."""
    if len(text) == count:  # no whole character among them
        return [(start + at, start + at + 1) for at in range(count)]
    owners = [start + at for at, character in enumerate(text) for _ in character.encode("utf-8", "replace")]
    if len(owners) == count:
        return [(at, at + 1) for at in owners]
    return [(start, start + len(text))] * count


def _places(made: str, text: str) -> list[int]:
    """For each border between characters of `made` the border of `text` that it stands for, ascending."""
    there = np.zeros(len(made) + 1, np.int64)
    for block in difflib.SequenceMatcher(None, made, text, autojunk=False).get_matching_blocks():
        there[block.a : block.a + block.size + 1] = np.arange(block.b, block.b + block.size + 1)
    there[-1] = len(text)
    return [int(one) for one in np.maximum.accumulate(there)]
