"""Editing in place by a model that is aligned with its draft: the starter model's way.

It takes no instruction. The slots of the span are free, all others pinned, and the guard that holds a correction back
is lifted: the user has pointed at the place. The span begins as noise: on eight sentences with ordinary misreadings,
and with random errors in 12 and 25 % of the letters, word by word and three words at a time, that gave exactly as many
right words as beginning with the draft, for 0.1 to 0.6 of a step more, and now and then other words for another seed.
The model looks at the draft in its prompt all the same. So where it would leave a few words as they are, which are not
what the user wants, the likeliest of its second choices for a single character is pinned and the span denoises once
more around it: of 42 wrong words (errors in 12 % of the letters) it repairs 28 at once and leaves 5 as they are, and
each of these became another word, one of them the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from diffdesk.core.events import FinishReason, Prefilled, RunEvent
from diffdesk.core.trace import CanvasClosed
from diffdesk.tasks.aligned import AlignedModel, AlignedWindow, WindowOutcome, gated_text, text_window
from diffdesk.tasks.guard import Guard, writes_straight
from diffdesk.tasks.spans import LEFT_EMPTY, Span, SpanWork, finish
from diffdesk.tasks.task_run import TaskRun
from diffdesk.tasks.windows import cut

_FEW = 3  # words of a span that is written otherwise if the model would leave it as it is
_EDGE = 6  # slots of an aligned canvas left free for what its end lacks


def edit_aligned(run: TaskRun, slots: int) -> Iterator[RunEvent]:
    """Denoise the span of the last message's text anew by an aligned model; ends as `edit_in_turns` does."""
    span = Span.of(run.request)
    work = _AlignedWork(AlignedModel(run.denoiser, run.settings, run.seed), span, slots, run.seed)
    return finish(work, span.text, lambda _: None, run.is_cancelled)


class _AlignedWork(SpanWork):
    """An edit by a model that is aligned with its draft, window by window."""

    def __init__(self, model: AlignedModel, span: Span, slots: int, seed: int) -> None:
        super().__init__(span, seed)
        self._model = model
        self._windows = span_windows(span, slots)
        self._guard = Guard(0.0, straightens=writes_straight(span.text))
        self._reached = span.start
        self._canvas = 0  # how many were run

    def text(self) -> str:
        """See `SpanWork`."""
        return self._done + self._span.text[self._reached :]

    def run(
        self, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, FinishReason]:
        """See `SpanWork`."""
        for number, (start, window) in enumerate(self._windows):
            done = yield from self._model.run(window, is_cancelled, number, len(self._windows))
            self._count(done)
            new = gated_text(done, self._guard)
            if new == window.core and self._is_short() and not done.canvas.is_cancelled:
                yield self._closed(done, self._done)
                other = yield from self._model.run_otherwise(done, is_cancelled, self._canvas, self._canvas + 1)
                if other is not None:
                    done = replace(other, prompt_tokens=0, reused_tokens=0, prefill_seconds=0.0)
                    self._count(done)
                    new = gated_text(done, self._guard)
            if done.canvas.is_cancelled:
                return FinishReason.CANCELLED
            if window.core.strip() and not new.strip():
                new, self.notes = window.core, (LEFT_EMPTY,)
            self.tally.answer_tokens += len(window.core)
            self._done += self._span.text[self._reached : start] + new
            self._reached = start + len(window.core)
            yield self._closed(done, self.text() if number + 1 == len(self._windows) else self._done)
        return FinishReason.END_TOKEN

    def _closed(self, done: WindowOutcome, answer: str) -> CanvasClosed:
        """The canvas that was run last is committed."""
        return CanvasClosed(self._canvas - 1, done.canvas.steps, done.canvas.is_settled, answer, "")

    def _is_short(self) -> bool:
        """Whether the user wants other words, not none to be wrong: a few words are selected for what they are."""
        return len(self._windows) == 1 and len(self._span.part.split()) <= _FEW

    def _count(self, done: WindowOutcome) -> None:
        self._canvas += 1
        self.tally.count(done.canvas)
        self.tally.prompt_tokens += done.prompt_tokens
        self.tally.reused_tokens += done.reused_tokens
        self.tally.prefill_seconds += done.prefill_seconds


def span_windows(span: Span, slots: int) -> list[tuple[int, AlignedWindow]]:
    """Windows that hold a span, each with where the part of the span in it begins, with as much around it as fits.

    What lies between two windows is white space.
    """
    room = slots - _EDGE
    around = max(0, room - (span.end - span.start)) // 2
    first = max(0, span.start - around)
    while 0 < first < span.start and not span.text[first - 1].isspace():
        first += 1
    last = min(len(span.text), span.end + room)
    while span.end < last < len(span.text) and not span.text[last - 1].isspace():
        last -= 1
    found: list[tuple[int, AlignedWindow]] = []
    at = first
    for one in cut(span.text, room, first, last):
        start, end = max(at, span.start), min(at + len(one.text), span.end)
        if start < end:
            left, right = one.text[: start - at], one.text[end - at :]
            core = one.text[start - at : end - at]
            window = text_window(core, slots, one.before + left, right + one.after)
            found.append((start, replace(window, is_edit=True)))
        at += len(one.text) + len(one.separator)
    return found
