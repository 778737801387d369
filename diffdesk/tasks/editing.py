"""Editing in place by a chat model: one span of a text denoises anew while all around it is pinned.

The model is asked to write the text once more with one part changed. Its answer is given to it up to the span, as text
that stands in the prompt and, the last of it, as pinned positions of the canvas. How long the new part is to be is not
known beforehand, and a pinned text after it has to stand somewhere: so with an instruction the model first writes on
freely, and where it comes back to the old text tells the length. Then the text after the part is pinned there, what
was found is the draft, and the part denoises between the two. Without an instruction the part keeps its number of
tokens and begins as noise. Positions of the part that end up as padding or another special token are empty. None of
this has been tried with the weights of DiffusionGemma yet: that it comes back to the old text when asked to repeat it
is likely; that it keeps a part fluent between pins is likely for a model that sees both sides; that it would leave a
position in the middle empty is not, and nothing here depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Prompt, Tokenizer
from diffdesk.core.denoising import CanvasOutcome, CanvasStart, denoise
from diffdesk.core.errors import Cancelled, PromptError
from diffdesk.core.events import FinishReason, Prefilled, RunEvent
from diffdesk.core.messages import Message, Role
from diffdesk.core.sampler import Draws
from diffdesk.core.trace import CanvasClosed, Region
from diffdesk.tasks.chat import build_prompt, fitting_canvases
from diffdesk.tasks.correction import fitting_length
from diffdesk.tasks.draft_pieces import split_text
from diffdesk.tasks.spans import LEFT_EMPTY, Span, SpanWork, finish
from diffdesk.tasks.task_run import TaskRun

_OPENS, _CLOSES = "⟦", "⟧"
_PART = 3  # a piece of the span takes at most one part in so many of a canvas …
_BEFORE = 4  # … and the pinned text before it one in so many
_AROUND = 80  # characters on either side that tell the model where the part stands
_EXCERPT = 4  # characters a position of the canvas, on either side, where the whole text does not fit
_ANCHOR = 6  # tokens of the text after the part by which it is found again
_ALIKE = 0.5  # share of these that must be the same


def edit_in_turns(run: TaskRun) -> Iterator[RunEvent]:
    """Edit the span of the last message's text by a chat model; raises `PromptError` for a span that can't be edited.

    Ends in one `Finished` whose answer is the whole text: the old one where the edit was stopped or did not settle.
    """
    span = Span.of(run.request)
    return finish(_TurnsWork(run, span), span.text, run.report, run.is_cancelled)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a piece is written: tokens of the canvas before and after it, which are pinned, and of the old piece.

    `ends` says that the text ends with `after`, so that the end of the turn and padding stand behind it.
    """

    before: list[int]
    old: list[int]
    after: list[int]
    ends: bool


class _TurnsWork(SpanWork):
    """An edit by a chat model."""

    def __init__(self, run: TaskRun, span: Span) -> None:
        super().__init__(span, run.seed)
        self._denoiser = run.denoiser
        self._request = run.request
        self._settings = run.settings
        self._draws = Draws(run.seed, self._denoiser.tokenizer.vocab_size)
        self._most = self._denoiser.capabilities.canvas_length
        self._pieces = split_text(span.part, self._fits)
        self._left = 0  # characters of the span that are done
        self._canvas = 0
        self._canvases = len(self._pieces) * (2 if self._request.instruction.strip() else 1)

    def text(self) -> str:
        """See `SpanWork`."""
        return self._done + self._span.text[self._span.start + self._left :]

    def run(
        self, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, FinishReason]:
        """See `SpanWork`."""
        for piece, gap in self._pieces:
            if piece.strip():
                new = yield from self._write(piece, report, is_cancelled)
                if isinstance(new, FinishReason):
                    return new
            else:
                new = piece
            self._done += new + gap
            self._left += len(piece) + len(gap)
        return FinishReason.END_TOKEN

    def _fits(self, text: str) -> bool:
        return len(self._denoiser.tokenizer.encode(text)) <= max(1, self._most // _PART)

    def _write(
        self, piece: str, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, str | FinishReason]:
        """What the model writes for a piece, or why there is nothing to be had from it."""
        tokenizer = self._denoiser.tokenizer
        place, prompt = self._place(piece)
        yield self._read(prompt, report, is_cancelled)
        draft: list[int] | None = None
        if self._request.instruction.strip():
            free = yield from self._run(place, None, is_cancelled)
            if free.is_cancelled:
                return FinishReason.CANCELLED
            draft = self._found(place, free) if free.is_settled else None
            yield self._closed(free, self._done)
        outcome = yield from self._run(place, draft or place.old, is_cancelled, is_draft=bool(draft))
        if outcome.is_cancelled:
            return FinishReason.CANCELLED
        if not outcome.is_settled:
            return FinishReason.NOT_SETTLED
        start = len(place.before)
        ids = outcome.ids[start : start + len(draft or place.old)]
        new = tokenizer.decode(ids.tolist()).strip()
        if not new:
            self.notes = (LEFT_EMPTY,)
        self.tally.answer_tokens += len(ids)
        rest = self._span.text[self._span.start + self._left + len(piece) :]
        is_last = self._canvas == self._canvases
        yield self._closed(outcome, self._done + (new or piece) + (rest if is_last else ""))
        return new or piece

    # what is asked

    def _place(self, piece: str) -> tuple[_Place, Prompt]:
        """The canvas of a piece, and the prompt before it. A space before the piece goes with the piece's first word.

        Raises `PromptError` where the text or the piece does not fit.
        """
        encode = self._denoiser.tokenizer.encode
        written = self._done
        rest = self._span.text[self._span.start + self._left + len(piece) :]
        lead = " " if written.endswith(" ") and written[:-1].strip() else ""
        old = encode(lead + piece)
        whole = encode(written[: len(written) - len(lead)])
        count = min(len(whole), self._most // _BEFORE)
        before = whole[len(whole) - count :]
        if len(old) > self._most // 2:
            raise PromptError(
                "The selected part is too long for this model",
                f"A sentence of it has {len(old):,} tokens, and there is room for {self._most // 2:,} at once.",
                "Select less.",
            )
        near = rest[: 8 * self._most]
        after = encode(near)
        place = _Place(before, old, after, ends=len(near) == len(rest))
        prompt = self._prompt(piece)
        room = self._denoiser.capabilities.context_length - len(prompt.ids) - self._most
        earlier = whole[: len(whole) - count]
        kept = earlier[max(0, len(earlier) - max(0, room)) :]
        return place, replace(prompt, ids=np.append(prompt.ids, np.asarray(kept, np.int32)))

    def _prompt(self, piece: str) -> Prompt:
        """What the model is asked: with the conversation and the whole text where they fit, else with less."""
        at = len(self._done)
        text = self.text()
        left = max(0, at - _EXCERPT * self._most)
        excerpt = text[left : at + len(piece) + _EXCERPT * self._most]
        earlier = tuple(replace(one, images=()) for one in self._request.messages[:-1])
        asked = self._asked(text, at, piece)
        prompt = self._built(_asking(earlier, text, asked))
        for shorter in (text, excerpt):
            if len(prompt.ids) + self._most <= self._denoiser.capabilities.context_length:
                break
            prompt = self._built(_asking((), shorter, asked))
        fitting_canvases(self._denoiser, len(prompt.ids), 1)
        return prompt

    def _built(self, messages: Sequence[Message]) -> Prompt:
        return build_prompt(self._denoiser, messages, system=self._request.parameters.system, thinking=False)

    def _asked(self, text: str, at: int, piece: str) -> str:
        end = at + len(piece)
        shown = f"{text[max(0, at - _AROUND) : at]}{_OPENS}{piece}{_CLOSES}{text[end : end + _AROUND]}"
        wish = self._request.instruction.strip()
        what = f"Change that part like this: {wish}" if wish else "Put that part into other words that fit there."
        return (
            f"Write this text once more, the same to the letter but for one part of it. The part stands between "
            f"{_OPENS} and {_CLOSES} here:\n{shown}\n{what}\nAnswer with the whole text and nothing else, without the "
            f"signs {_OPENS} and {_CLOSES}."
        )

    # what is run

    def _read(self, prompt: Prompt, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]) -> Prefilled:
        def progress(done: int, total: int) -> None:
            if is_cancelled():
                raise Cancelled
            report(Prefilled(done, total))

        began = time.perf_counter()
        reused = self._denoiser.prefill(prompt, progress)
        self.tally.prefill_seconds += time.perf_counter() - began
        self.tally.prompt_tokens += len(prompt.ids)
        self.tally.reused_tokens += reused
        return Prefilled(len(prompt.ids), len(prompt.ids), reused)

    def _run(
        self, place: _Place, part: list[int] | None, is_cancelled: Callable[[], bool], *, is_draft: bool = False
    ) -> Generator[RunEvent, None, CanvasOutcome]:
        """Denoise a canvas: between pins where `part` gives the length, and perhaps a draft; else free to its end."""
        length = self._length(place)
        start = len(place.before)
        ids = self._draws.noise(length)
        ids[:start] = place.before
        stop = length
        if part is not None:
            stop = start + len(part)
            if is_draft:
                ids[start:stop] = part
            behind = np.full(length - stop, self._denoiser.defaults.pad_id, np.int32)
            after = place.after[: behind.size]
            behind[: len(after)] = after
            if place.ends and len(after) < behind.size:
                behind[len(after)] = self._end_id()
            ids[stop:] = behind
        is_free = np.zeros(length, np.bool_)
        is_free[start:stop] = True
        view = _SpanView(self._denoiser.tokenizer, is_free, self._denoiser.defaults.end_ids if part is None else ())
        opening = CanvasStart(self._canvas, self._canvases, ids, is_warm=True, pinned=~is_free)
        outcome = yield from denoise(self._denoiser, opening, self._settings, self._draws, view, is_cancelled)
        self._canvas += 1
        self.tally.count(outcome)
        return outcome

    def _length(self, place: _Place) -> int:
        """Positions of the canvas: all there are, or, where work is to be saved, as many as the text may need."""
        if self._settings.refresh == 1:
            return self._most
        return fitting_length(len(place.before) + 2 * len(place.old) + len(place.after), self._most)

    def _end_id(self) -> int:
        closing = self._denoiser.tokenizer.special_id("<turn|>")
        return self._denoiser.defaults.pad_id if closing is None else closing

    def _found(self, place: _Place, free: CanvasOutcome) -> list[int] | None:
        """What a free canvas has for the part: all up to where the old text goes on; None if it never does.

        Where several places look alike, the nearest to the old length counts.
        """
        written = free.ids[len(place.before) :].tolist()
        ends = [at for at, token in enumerate(written) if token in self._denoiser.defaults.end_ids]
        written = written[: ends[0]] if ends else written
        anchor = place.after[:_ANCHOR]
        if not anchor:
            return written if ends and len(written) <= self._most // 2 else None
        best, length = _ALIKE, None
        for at in sorted(range(1, len(written)), key=lambda at: abs(at - len(place.old))):
            alike = sum(one == other for one, other in zip(written[at:], anchor, strict=False)) / len(anchor)
            if alike > best or (length is None and alike == best):
                best, length = alike, at
        return None if length is None else written[:length]

    def _closed(self, outcome: CanvasOutcome, answer: str) -> CanvasClosed:
        return CanvasClosed(self._canvas - 1, outcome.steps, outcome.is_settled, answer, "")


def _asking(earlier: Sequence[Message], text: str, asked: str) -> list[Message]:
    """The messages that ask for an edit: as a wish about one's last answer where there is a conversation."""
    if earlier:
        return [*earlier, Message(Role.ASSISTANT, text), Message(Role.USER, asked)]
    return [Message(Role.USER, f"The text:\n\n{text}\n\n{asked}")]


class _SpanView:
    """A canvas of which only the free positions are text; all else is pinned. `ends` end the text of a free canvas."""

    def __init__(self, tokenizer: Tokenizer, is_free: NDArray[np.bool_], ends: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._is_free = is_free
        self._ends = ends
        self._silent: dict[int, bool] = {}

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """See `CanvasView`."""
        is_text = self._is_free & ~np.array([self._is_silent(one) for one in ids.tolist()], np.bool_)
        regions = np.where(is_text, Region.ANSWER, Region.MARKER).astype(np.uint8)
        ends = np.flatnonzero(np.isin(ids, self._ends) & self._is_free)
        if ends.size:
            regions[ends[0] + 1 :] = Region.AFTER_END
        return regions

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        """See `CanvasView`; the position doesn't matter here."""
        return self._tokenizer.pieces(ids.tolist())

    def _is_silent(self, token: int) -> bool:
        if token not in self._silent:
            self._silent[token] = not self._tokenizer.decode([token])
        return self._silent[token]
