"""How a chat model's canvas begins from a draft instead of noise: which tokens, and how sure of each.

The canvas holds the draft, the end of the turn, and padding. What is sure begins as it is, with self-conditioning
peaked on it; words that the recogniser was not sure of begin as noise without any.

A canvas of tokens has no blanks: where a correction takes one token more or less than the draft, all that follows has
to move by one place. Noise put in between would only force such a move where none is needed. So room is made in two
other ways. Every unsure stretch may change its length, which makes the *places* of all tokens after it less sure, and
their confidence goes down with each: they still begin as the draft, for a model to copy from a place beside, but
nothing holds them where they are. And after the end of the turn a tenth of the draft's length begins as noise, before
the padding, so that the end can move back. Unproven on the real model, see `ModelProfile.is_warm_started`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.certainty import token_spans
from diffdesk.core.denoiser import Denoiser, Tokenizer
from diffdesk.core.denoising import CanvasStart
from diffdesk.core.sampler import Draws
from diffdesk.core.turns import TURN_CLOSES

UNSURE = 0.8  # confidence of the recogniser below which a word begins as noise
TYPED = 0.7  # confidence in a token that nobody said anything about: typed, or edited since it was read
SUREST = 0.95  # confidence in a token at most, as well in line breaks: anything may be wrong
PLACE = 0.9  # what each unsure stretch leaves of the confidence in all that follows it
ROOM = 0.1  # share of the draft's tokens that begin as noise after its end …
LEAST_ROOM = 4  # … and how many at least


def draft_start(
    denoiser: Denoiser, text: str, confidence: NDArray[np.float32] | None, length: int, seed: int
) -> CanvasStart | None:
    """The start of a canvas of `length` positions that may hold `text` corrected; None where it can't begin so.

    Args:
        denoiser: the model.
        text: the draft.
        confidence: float32[len(text)] of the recogniser, not a number where it said nothing; None for typed text.
        length: of the canvas.
        seed: of the run, see `Job.start`.
    """
    tokenizer = denoiser.tokenizer
    tokens = tokenizer.encode(text)
    end = tokenizer.special_id(TURN_CLOSES)
    used = len(tokens) + 1
    if not denoiser.capabilities.can_warm_start or end is None or used > length:
        return None
    sure, place = _with_places(token_confidence(tokenizer, tokens, confidence))
    ids = np.full(length, denoiser.defaults.pad_id, np.int32)
    ids[:used] = [*tokens, end]
    trusted = np.full(length, SUREST * place, np.float32)
    trusted[: len(tokens)] = sure
    trusted[used : used + max(LEAST_ROOM, round(ROOM * len(tokens)))] = 0
    noise = Draws(seed, tokenizer.vocab_size).noise(length)
    return CanvasStart(0, 1, np.where(trusted > 0, ids, noise).astype(np.int32), trusted, is_warm=True)


def token_confidence(
    tokenizer: Tokenizer, tokens: list[int], confidence: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """float32[n]: how sure of each token of a draft, 0 where it should begin as noise."""
    text, spans = token_spans(tokenizer, tokens)
    sure = np.full(len(tokens), TYPED, np.float32)
    if confidence is None or len(confidence) != len(text):
        return sure
    said = np.where(np.isnan(confidence), np.float32(TYPED), np.where(confidence < UNSURE, 0, confidence))
    for at, (start, end) in enumerate(spans):
        # Blanks belong to no word; a line break stands where it was seen.
        letters = [place for place in range(start, end) if not text[place].isspace()]
        sure[at] = min(SUREST, float(said[letters].min())) if letters else SUREST
    return sure


def _with_places(sure: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The confidence in tokens at their places, and that in the place of what follows them all."""
    is_unsure = sure == 0
    # A stretch counts for what comes after its end.
    ends = np.append(is_unsure, False)[:-1] & ~np.append(is_unsure, False)[1:]
    before = np.cumsum(np.append(False, ends))
    return (sure * np.float32(PLACE) ** before[:-1]).astype(np.float32), float(PLACE ** before[-1])
