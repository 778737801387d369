"""What edits in place share: the span of a text, the work on it, and how it ends.

The new text is the old one outside the span, to the letter, and what the model wrote inside it: it is put together from
these two and never read back from a canvas, so nothing outside can change. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from diffdesk.core.errors import PromptError
from diffdesk.core.events import Finished, FinishReason, Prefilled, RunEvent
from diffdesk.core.generation import Tally
from diffdesk.core.requests import RunRequest
from diffdesk.tasks.endings import run_to_end

LEFT_EMPTY = "The model wrote nothing in this place, so the text is as it was."


@dataclass(frozen=True, slots=True)
class Span:
    """A text, and the part of it that may change: its characters [start, end), which don't begin or end in space."""

    text: str
    start: int
    end: int

    @property
    def part(self) -> str:
        """The characters that may change."""
        return self.text[self.start : self.end]

    @staticmethod
    def of(request: RunRequest) -> Span:
        """The span of a request, white space at its ends left outside; raises `PromptError` if it can't be edited."""
        text, span = request.messages[-1].text, request.span
        if span is None or not 0 <= span[0] <= span[1] <= len(text):
            raise PromptError(
                "The selected part is not in the text",
                "The text may have changed since the part was selected.",
                "Select it again.",
            )
        part = text[span[0] : span[1]]
        if not part.strip():
            raise PromptError(
                "Nothing is selected that could be rewritten",
                "The selected part is empty or holds only white space.",
                "Select at least one word.",
            )
        start = span[0] + len(part) - len(part.lstrip())
        return Span(text, start, start + len(part.strip()))


class SpanWork:
    """One edit as it goes: pieces of the span, one after the other, and what has been written for them."""

    def __init__(self, span: Span, seed: int) -> None:
        self.tally = Tally(seed)
        self.notes: tuple[str, ...] = ()
        self._span = span
        self._done = span.text[: span.start]

    def text(self) -> str:
        """What is done of the text, then the rest of the old one."""
        raise NotImplementedError

    def run(
        self, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, FinishReason]:
        """Work through the pieces; returns why it ended."""
        raise NotImplementedError


def finish(
    work: SpanWork, text: str, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]
) -> Iterator[RunEvent]:
    """Run an edit to its one `Finished`: an edit is made as a whole or not at all."""
    reason, error = yield from run_to_end(work.run(report, is_cancelled))
    answer = work.text() if reason is FinishReason.END_TOKEN else text
    yield Finished(reason, work.tally.stats(), answer, notes=work.notes, error=error)
