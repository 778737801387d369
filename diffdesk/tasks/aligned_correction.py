"""Correction by a model that is aligned with its draft: the starter model's way.

A text goes window by window, each with a little of what stands around it. A line that a recogniser read, and that
nobody has changed since, goes with its picture where the model sees. Only what the guards let through is changed;
whatever was not reached, or can't be worked on, stays to the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Denoiser
from diffdesk.core.differences import changes
from diffdesk.core.events import Finished, FinishReason, RunEvent
from diffdesk.core.generation import Tally
from diffdesk.core.lines import slots_needed
from diffdesk.core.profile import ModelProfile
from diffdesk.core.proposals import Doubt, Proposal, made_text, with_lines_held
from diffdesk.core.requests import ReadLine
from diffdesk.core.sampler import SamplerSettings
from diffdesk.core.trace import CanvasClosed
from diffdesk.tasks.aligned import (
    AlignedModel,
    AlignedWindow,
    WindowOutcome,
    doubts_of,
    line_window,
    picture_window,
    proposals_of,
    read_text,
    text_window,
)
from diffdesk.tasks.endings import run_to_end
from diffdesk.tasks.guard import Guard, is_listing, writes_straight
from diffdesk.tasks.read_lines import LinePiece, Pages, cut_line, lost_in_words, match_lines, word_confidence
from diffdesk.tasks.windows import Window, cut

EDGE = 6  # slots of a text's canvas left free for what its end lacks
LEFT_ALONE = (
    "This page is mostly figures and capitals, where the starter model breaks about as much as it mends: it is left as "
    "it was read, and what the model would change is marked."
)
HOPELESS = 0.5  # confidence of the recogniser under which a line may be read from its picture alone


@dataclass(frozen=True, slots=True)
class Guards:
    """What changes need.

    Attributes:
        text: where the model sees the text only.
        line: where it sees the line's picture as well.
        picture: mean probability from which it is believed what it reads from a picture alone; None never asks it.
        held: share of a line's characters that may change; from there on all of its changes are left to the user. 0 for
            pages on which the model does not earn its place, see `is_listing`.
    """

    text: Guard
    line: Guard
    picture: float | None = None
    held: float = 1.0

    @staticmethod
    def of(profile: ModelProfile, text: str, *, is_read: bool) -> Guards:
        """The guards of a model for a text that was typed, or one that a recogniser read."""
        straightens = writes_straight(text)
        typed = Guard(profile.gate, protects_figures=True, straightens=straightens)
        read = Guard(
            profile.read_gate,
            protects_numbers=True,
            sure=profile.sure,
            sure_gate=profile.sure_gate,
            marks_gate=profile.sure_gate,
            straightens=straightens,
        )
        line = replace(read, gate=profile.line_gate)
        held = 0.0 if is_listing(text) else profile.held_share
        return Guards(read if is_read else typed, line, profile.picture_gate, held if is_read else 1.0)


@dataclass(frozen=True, slots=True)
class Draft:
    """A text to be corrected, the slots of a canvas, what a change needs, and lines of it that a recogniser read."""

    text: str
    slots: int
    guards: Guards
    read_lines: tuple[ReadLine, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TextPart:
    """A window of the draft, with the recogniser's confidence in each character of it, if there is one."""

    window: Window
    confidence: NDArray[np.float32] | None


Part = TextPart | LinePiece


def parts_of(draft: Draft, *, with_pictures: bool) -> list[Part]:
    """The draft cut into what fits a canvas; texts and separators of all parts join to the draft."""
    confidence = np.zeros(len(draft.text), np.float32) if draft.read_lines else None
    parts: list[Part] = []
    done = 0
    matched = match_lines(draft.text, draft.read_lines)
    if confidence is not None:
        for start, line in matched:
            confidence[start : start + len(line.text)] = word_confidence(line)
    for start, line in matched if with_pictures else []:
        pieces = cut_line(line, draft.slots)
        if pieces:
            parts += _text_parts(draft, confidence, done, start)
            parts += pieces
            done = start + len(line.text)
    return _with_spaces_joined(parts + _text_parts(draft, confidence, done, len(draft.text)))


def _with_spaces_joined(parts: list[Part]) -> list[Part]:
    """The parts, with white space between them as part of the separator before it: it is shown with that part."""
    joined: list[Part] = []
    for part in parts:
        if joined and not _text_of(part):
            before = joined[-1]
            separator = _separator_of(before) + _separator_of(part)
            if isinstance(before, TextPart):
                joined[-1] = replace(before, window=replace(before.window, separator=separator))
            else:
                joined[-1] = replace(before, separator=separator)
        else:
            joined.append(part)
    return joined


def _text_parts(draft: Draft, confidence: NDArray[np.float32] | None, start: int, end: int) -> list[Part]:
    parts: list[Part] = []
    for window in cut(draft.text, draft.slots - EDGE, start, end):
        stop = start + len(window.text)
        parts.append(TextPart(window, None if confidence is None else confidence[start:stop]))
        start = stop + len(window.separator)
    return parts


def part_window(part: Part, slots: int, pages: Pages) -> AlignedWindow:
    """What a canvas is asked of a part; without its picture where that can't be had."""
    if isinstance(part, TextPart):
        one = part.window
        return text_window(one.text, slots, one.before, one.after, part.confidence)
    picture = pages.picture(part)
    if picture is None:
        return text_window(part.text, slots, confidence=part.confidence)
    return line_window(part.text, part.centres, picture, slots, part.confidence)


def is_hopeless(part: Part, draft: Draft) -> bool:
    """Whether a line should be read from its picture alone first: the recogniser had no idea, and it fits."""
    return (
        draft.guards.picture is not None
        and isinstance(part, LinePiece)
        and part.line.confidence < HOPELESS
        and slots_needed(0, None, part.cells) <= draft.slots
    )


def window_without_draft(part: Part, draft: Draft, window: AlignedWindow) -> AlignedWindow | None:
    """What is asked of a hopeless line before `window`, if its picture can be had; None for other parts."""
    if window.picture is None or not is_hopeless(part, draft):
        return None
    return picture_window(window.picture, draft.slots)


def believed_proposals(done: WindowOutcome, drafted: str, guards: Guards) -> tuple[Proposal, ...] | None:
    """The changes that make a line's draft what was read from its picture alone; None where that is not believed."""
    text, certainty = read_text(done)
    if not text or guards.picture is None or certainty < guards.picture:
        return None
    return tuple(
        Proposal(one.before_start, one.before_end, one.after, certainty, True) for one in changes(drafted, text)
    )


def correct_aligned(
    denoiser: Denoiser, draft: Draft, settings: SamplerSettings, seed: int, is_cancelled: Callable[[], bool]
) -> Iterator[RunEvent]:
    """Correct a draft part by part; ends in one `Finished`. What was not reached stays as it was drafted."""
    work = _Work(denoiser, draft, settings, Tally(seed))
    reason, error = yield from run_to_end(work.canvases(is_cancelled))
    proposals = work.proposals()
    yield Finished(
        reason,
        work.tally.stats(),
        made_text(draft.text, proposals),
        notes=work.notes(),
        error=error,
        proposals=proposals,
        doubts=tuple(work.doubts),
    )


class _Work:
    """One correction as it goes: the changes found so far, in characters of the whole draft."""

    def __init__(self, denoiser: Denoiser, draft: Draft, settings: SamplerSettings, tally: Tally) -> None:
        self.tally = tally
        self.doubts: list[Doubt] = []
        self._draft = draft
        self._model = AlignedModel(denoiser, settings, tally.seed)
        self._parts = parts_of(draft, with_pictures=self._model.can_see)
        self._pages = Pages()
        self._proposals: list[Proposal] = []
        self._reached = 0  # characters of the draft
        self._canvas = 0
        self._canvases = sum(bool(_text_of(one)) + is_hopeless(one, draft) for one in self._parts)

    def proposals(self) -> tuple[Proposal, ...]:
        """What would change as far as the work has come; a line that was read and would change too much is held."""
        return with_lines_held(self._draft.text, self._proposals, self._draft.guards.held)

    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        left = (LEFT_ALONE,) if self._draft.guards.held == 0 and self._proposals else ()
        return (*left, *lost_in_words(self._pages.lost))

    def canvases(self, is_cancelled: Callable[[], bool]) -> Generator[RunEvent, None, FinishReason]:
        """Work through the parts; returns why it ended."""
        for part in self._parts:
            text = _text_of(part)
            if text:
                found = yield from self._correct(part, is_cancelled)
                if found is None:
                    return FinishReason.CANCELLED
                self._proposals += (
                    replace(one, start=one.start + self._reached, end=one.end + self._reached) for one in found
                )
                self.tally.answer_tokens += len(text)
            self._reached += len(text) + len(_separator_of(part))
            if text:
                yield self._closed()
        return FinishReason.END_TOKEN

    def _correct(
        self, part: Part, is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, tuple[Proposal, ...] | None]:
        """What would change in a part, in its own characters; None if it was stopped."""
        window = part_window(part, self._draft.slots, self._pages)
        guards = self._draft.guards
        alone = window_without_draft(part, self._draft, window)
        if alone is not None:
            read = yield from self._run(alone, is_cancelled)
            if read.canvas.is_cancelled:
                return None
            believed = believed_proposals(read, _text_of(part), guards)
            if believed is not None:
                return believed
            yield self._closed()
        done = yield from self._run(window, is_cancelled)
        if done.canvas.is_cancelled:
            return None
        self.doubts += (
            replace(one, start=one.start + self._reached, end=one.end + self._reached) for one in doubts_of(done)
        )
        return proposals_of(done, guards.text if window.picture is None else guards.line)

    def _run(self, window: AlignedWindow, is_cancelled: Callable[[], bool]) -> Generator[RunEvent, None, WindowOutcome]:
        done = yield from self._model.run(window, is_cancelled, self._canvas, self._canvases)
        self._steps = done.canvas.steps
        self._canvas += 1
        self.tally.count(done.canvas)
        self.tally.prompt_tokens += done.prompt_tokens
        self.tally.reused_tokens += done.reused_tokens
        self.tally.prefill_seconds += done.prefill_seconds
        return done

    def _closed(self) -> CanvasClosed:
        """The canvas that was run last is committed, with all that is done."""
        done = made_text(self._draft.text[: self._reached], self._proposals)
        return CanvasClosed(self._canvas - 1, self._steps, True, done, "")


def _text_of(part: Part) -> str:
    return part.window.text if isinstance(part, TextPart) else part.text


def _separator_of(part: Part) -> str:
    return part.window.separator if isinstance(part, TextPart) else part.separator
