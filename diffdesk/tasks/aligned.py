"""Correction on a canvas that is aligned with the draft: the starter model's way.

Slot i of the prompt and position i of the canvas belong to character i of the draft. A position holds the character
as it is, a corrected one, a two-character token where something was left out, or a blank (the pad token) where a
character is too many. A line end stands as a space, which the model knows, and is never changed. Each window is one
canvas, warm-started from its draft. A character is changed only where the model held to the change with a probability
above the profile's gate; in a draft that a recogniser read, never inside a word with digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.denoising import CanvasOutcome, CanvasStart, denoise
from diffdesk.core.errors import Cancelled, CheckpointError, UserError
from diffdesk.core.events import Finished, FinishReason, RunEvent
from diffdesk.core.generation import Tally
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import CanvasClosed, Region
from diffdesk.tasks.windows import Window, cut

LINE_END = "\n"
_WORD_WITH_DIGIT = re.compile(r"\S*\d\S*")
EDGE = 8  # characters of a canvas left free: a window of 88 in 96 slots leaves room at its end


class AlignedAlphabet:
    """Characters to tokens and back for the aligned layout: one token for each character of a draft."""

    def __init__(self, denoiser: Denoiser) -> None:
        tokenizer = denoiser.tokenizer
        unknown = tokenizer.unknown_id
        if unknown is None:
            raise CheckpointError(
                "The model's vocabulary doesn't fit",
                "A model that corrects aligned drafts needs a token for unknown characters.",
                "Fetch the model's folder again.",
            )
        self.unknown = unknown
        self.pad = denoiser.defaults.pad_id
        self._tokenizer = tokenizer
        self._ids: dict[str, int] = {}

    def encode(self, draft: str, slots: int) -> NDArray[np.int32]:
        """int32[slots]: a token for each character of `draft`, then pads."""
        ids = np.full(slots, self.pad, np.int32)
        ids[: len(draft)] = [self._id(" " if character == LINE_END else character) for character in draft]
        return ids

    def piece(self, token: int, drafted: str) -> str:
        """The text of a token at the position of the draft's character `drafted` (empty beyond the draft)."""
        if token == self.pad:
            return ""
        if token == self.unknown:
            return drafted
        return self._tokenizer.decode([token])

    def _id(self, character: str) -> int:
        known = self._ids.get(character)
        if known is None:
            ids = self._tokenizer.encode(character)
            known = self._ids[character] = ids[0] if len(ids) == 1 else self.unknown
        return known


@dataclass(frozen=True, slots=True)
class _AlignedView:
    """How an aligned canvas reads: blanks are hidden, what lies beyond the draft is padding."""

    alphabet: AlignedAlphabet
    draft: str

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """See `CanvasView`."""
        regions = np.where(ids == self.alphabet.pad, Region.MARKER, Region.ANSWER)
        is_beyond = (np.arange(ids.size) >= len(self.draft)) & (ids == self.alphabet.pad)
        return np.where(is_beyond, Region.AFTER_END, regions).astype(np.uint8)

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        """See `CanvasView`; an unknown token reads as the draft's character."""
        return tuple(
            self._piece(token, self.draft[position : position + 1])
            for token, position in zip(ids.tolist(), positions.tolist(), strict=True)
        )

    def _piece(self, token: int, drafted: str) -> str:
        return LINE_END if drafted == LINE_END else self.alphabet.piece(token, drafted)


@dataclass(frozen=True, slots=True)
class Guard:
    """What a change needs: a probability, and that it is not inside a word with digits where those are protected."""

    gate: float
    protects_numbers: bool = False

    def allowed(self, draft: str) -> NDArray[np.bool_]:
        """bool[len(draft)]: which characters may be changed at all. A line end never is."""
        allowed = np.array([character != LINE_END for character in draft], np.bool_)
        if self.protects_numbers:
            for word in _WORD_WITH_DIGIT.finditer(draft):
                allowed[word.start() : word.end()] = False
        return allowed


@dataclass(frozen=True, slots=True)
class Draft:
    """A text to be corrected, the slots of a canvas, and what a change needs."""

    text: str
    slots: int
    guard: Guard


def gated_text(
    draft: str, drafted: NDArray[np.int32], outcome: CanvasOutcome, alphabet: AlignedAlphabet, guard: Guard
) -> str:
    """The corrected window: the canvas where the model is sure of a change, the draft elsewhere.

    A character that the vocabulary lacks stays: the model never saw which one it is.
    """
    is_changed = (outcome.ids != drafted) & (outcome.evidence >= guard.gate) & (drafted != alphabet.unknown)
    is_changed[: len(draft)] &= guard.allowed(draft)
    parts: list[str] = []
    for position, token in enumerate(outcome.ids.tolist()):
        original = draft[position : position + 1]
        parts.append(alphabet.piece(token, original) if is_changed[position] else original)
    return "".join(parts)


def correct_aligned(
    denoiser: Denoiser, draft: Draft, settings: SamplerSettings, seed: int, is_cancelled: Callable[[], bool]
) -> Iterator[RunEvent]:
    """Correct a draft window by window; ends in one `Finished`. What was not reached stays as it was drafted."""
    work = _Work(denoiser, draft, settings, Tally(seed))
    reason, error = FinishReason.END_TOKEN, None
    try:
        is_done = yield from work.canvases(is_cancelled)
        reason = FinishReason.END_TOKEN if is_done else FinishReason.CANCELLED
    except Cancelled:
        reason = FinishReason.CANCELLED
    except UserError as failure:
        reason, error = FinishReason.FAILED, failure
    yield Finished(reason, work.tally.stats(), work.text(), error=error)


class _Work:
    """One correction as it goes: what is done, and the rest of the draft."""

    def __init__(self, denoiser: Denoiser, draft: Draft, settings: SamplerSettings, tally: Tally) -> None:
        self.tally = tally
        self._denoiser = denoiser
        self._draft = draft
        self._windows = cut(draft.text, draft.slots - EDGE)
        self._settings = settings
        self._done: list[str] = []
        self._alphabet = AlignedAlphabet(denoiser)
        self._draws = Draws(tally.seed, denoiser.tokenizer.vocab_size)

    def text(self) -> str:
        """Everything: corrected as far as the work has come, then the draft."""
        rest = self._windows[len(self._done) :]
        return "".join(self._done) + "".join(one.text + one.separator for one in rest)

    def canvases(self, is_cancelled: Callable[[], bool]) -> Generator[RunEvent, None, bool]:
        """Work through the windows; returns False if it was stopped."""
        filled = [one for one in self._windows if one.text]
        canvas = 0
        for window in self._windows:
            if not window.text:
                self._done.append(window.separator)
                continue
            if not (yield from self._correct(window, canvas, len(filled), is_cancelled)):
                return False
            canvas += 1
        return True

    def _correct(
        self, window: Window, canvas: int, of: int, is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, bool]:
        ids = self._alphabet.encode(window.text, self._draft.slots)
        prompt = aligned_prompt(self._denoiser, ids)
        self.tally.prompt_tokens += len(prompt.ids)
        self.tally.reused_tokens += self._denoiser.prefill(prompt, lambda done, total: None)
        outcome = yield from denoise(
            self._denoiser,
            CanvasStart(canvas, of, ids, is_warm=True),
            self._settings,
            self._draws,
            _AlignedView(self._alphabet, window.text),
            is_cancelled,
        )
        self.tally.count(outcome)
        if outcome.is_cancelled:
            return False
        self.tally.answer_tokens += len(window.text)
        corrected = gated_text(window.text, ids, outcome, self._alphabet, self._draft.guard)
        self._done.append(corrected + window.separator)
        yield CanvasClosed(canvas, outcome.steps, True, "".join(self._done), "")
        return True


def aligned_prompt(denoiser: Denoiser, slots: NDArray[np.int32]) -> Prompt:
    r"""``<bos><|turn>user\n`` slots ``<turn|>\n<|turn>model\n``, each character of the words one token."""
    tokenizer = denoiser.tokenizer

    def special(name: str) -> int:
        found = tokenizer.special_id(name)
        if found is None:
            raise CheckpointError(
                "The model's vocabulary doesn't fit",
                f"It has no token {name}.",
                "Fetch the model's folder again.",
            )
        return found

    def words(text: str) -> list[int]:
        return [one for character in text for one in tokenizer.encode(character)]

    turn, end = special("<|turn>"), special("<turn|>")
    head = [special("<bos>"), turn, *words("user\n")]
    foot = [end, *words("\n"), turn, *words("model\n")]
    return Prompt(np.array([*head, *slots.tolist(), *foot], np.int32))
