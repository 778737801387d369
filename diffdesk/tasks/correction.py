"""Correction by an ordinary chat model: the draft goes in piece by piece with an instruction, the answer is the text.

Knows nothing of images' contents: where a model can see, the images of the message go along with its first piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import Cancelled, UserError
from diffdesk.core.events import Finished, FinishReason, Prefilled, RunEvent
from diffdesk.core.generation import Job, Tally, generate
from diffdesk.core.messages import Message, Role
from diffdesk.core.requests import RunRequest
from diffdesk.core.sampler import SamplerSettings
from diffdesk.core.trace import CanvasClosed, CanvasOpened, StepDelta
from diffdesk.tasks.chat import build_prompt, fitting_canvases

INSTRUCTION = (
    "You correct text that was read from an image by a machine. Repair letters that were misread, words that were "
    "split or joined, and missing or doubled characters. Keep the wording, the spelling of its time, names, numbers "
    "and line breaks. Answer with the corrected text only."
)
_TOKENS_A_PIECE = 0.6  # share of a canvas that a piece of the draft may fill, so that its correction fits one canvas
_LENGTHS = (32, 64, 128, 256)  # of canvases, where work is to be saved
_GROWTH = 1.25  # a correction may have so many times the draft's tokens …
_ENDING = 8  # … and every answer these for the end of the turn
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")


def correct_in_turns(
    denoiser: Denoiser,
    request: RunRequest,
    settings: SamplerSettings,
    seed: int,
    report: Callable[[Prefilled], None],
    is_cancelled: Callable[[], bool],
) -> Iterator[RunEvent]:
    """Correct the last message's text; ends in one `Finished`. Pieces that were not reached stay as drafted."""
    message = request.messages[-1]
    most = int(denoiser.capabilities.canvas_length * _TOKENS_A_PIECE)
    pieces = split_text(message.text, lambda text: len(denoiser.tokenizer.encode(text)) <= most)
    work = _Pieces(denoiser, request, settings, pieces, Tally(seed))
    reason, error = FinishReason.END_TOKEN, None
    try:
        reason = yield from work.run(report, is_cancelled)
    except Cancelled:
        reason = FinishReason.CANCELLED
    except UserError as failure:
        reason, error = FinishReason.FAILED, failure
    yield Finished(reason, work.tally.stats(), work.text(), error=error)


class _Pieces:
    """One correction as it goes, piece after piece, each a run of its own."""

    def __init__(
        self,
        denoiser: Denoiser,
        request: RunRequest,
        settings: SamplerSettings,
        pieces: tuple[tuple[str, str], ...],
        tally: Tally,
    ) -> None:
        self.tally = tally
        self._denoiser = denoiser
        self._request = request
        self._settings = settings
        self._pieces = pieces
        self._done: list[str] = []

    def text(self) -> str:
        """Corrected as far as the work has come, then the draft."""
        return "".join(self._done) + "".join(text + gap for text, gap in self._pieces[len(self._done) :])

    def run(
        self, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, FinishReason]:
        """Work through the pieces; returns why it ended."""
        for index, (text, gap) in enumerate(self._pieces):
            job = self._job(text, is_first=index == 0)
            finished = None
            for event in generate(self._denoiser, job, report, is_cancelled):
                if isinstance(event, Finished):
                    finished = event
                else:
                    yield self._renumbered(event, index, job.canvases)
            if finished is None or finished.error is not None:
                raise finished.error if finished and finished.error else Cancelled
            self._count(finished)
            if finished.reason is FinishReason.CANCELLED:
                return FinishReason.CANCELLED
            self._done.append((finished.answer.strip() or text) + gap)
        return FinishReason.END_TOKEN

    def _job(self, text: str, *, is_first: bool) -> Job:
        message = self._request.messages[-1]
        turn = Message(Role.USER, text, message.images if is_first else ())
        prompt = build_prompt(self._denoiser, [turn], system=INSTRUCTION, thinking=False)
        canvases = fitting_canvases(self._denoiser, len(prompt.ids), 2)
        length = self._denoiser.capabilities.canvas_length
        if self._settings.refresh > 1:
            length = fitting_length(len(self._denoiser.tokenizer.encode(text)), length)
        return Job(prompt, self._settings, self.tally.seed, canvases, length)

    def _renumbered(self, event: RunEvent, piece: int, room: int) -> RunEvent:
        """Canvases are counted over the whole text, and what is committed includes the earlier pieces."""
        if isinstance(event, CanvasOpened):
            return replace(event, canvas=piece * room + event.canvas, canvases=len(self._pieces) * room)
        if isinstance(event, StepDelta):
            return replace(event, canvas=piece * room + event.canvas)
        if isinstance(event, CanvasClosed):
            answer = "".join(self._done) + event.answer
            return replace(event, canvas=piece * room + event.canvas, answer=answer)
        return event

    def _count(self, finished: Finished) -> None:
        stats = finished.stats
        self.tally.prompt_tokens += stats.prompt_tokens
        self.tally.reused_tokens += stats.reused_tokens
        self.tally.answer_tokens += stats.answer_tokens
        self.tally.canvases += stats.canvases
        self.tally.steps += stats.steps
        self.tally.unsettled_canvases += stats.unsettled_canvases
        self.tally.step_seconds += stats.milliseconds_per_step * stats.steps / 1000.0
        self.tally.prefill_seconds += stats.prefill_seconds
        self.tally.first_canvas_seconds = self.tally.first_canvas_seconds or stats.first_canvas_seconds


def fitting_length(tokens: int, most: int, growth: float = _GROWTH) -> int:
    """Positions of a canvas for a text of so many tokens that may grow: no more work than it is worth, up to `most`."""
    needed = int(tokens * growth) + _ENDING
    return next((length for length in _LENGTHS if needed <= length < most), most)


def split_text(text: str, fits: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
    """(piece, gap) pairs that join to `text`: paragraphs put together while they fit, long ones cut at sentences.

    A single sentence that doesn't fit stays whole: it takes a second canvas rather than lose its sense.
    """
    units = _units(text, _PARAGRAPH)
    fine: list[tuple[str, str]] = []
    for unit, gap in units:
        parts = [(unit, gap)] if fits(unit) else _units(unit, _SENTENCE)
        fine.extend(parts[:-1])
        fine.append((parts[-1][0], parts[-1][1] or gap))
    joined: list[tuple[str, str]] = []
    for unit, gap in fine:
        if joined and fits(joined[-1][0] + joined[-1][1] + unit):
            joined[-1] = (joined[-1][0] + joined[-1][1] + unit, gap)
        else:
            joined.append((unit, gap))
    return tuple(joined)


def _units(text: str, separator: re.Pattern[str]) -> list[tuple[str, str]]:
    units: list[tuple[str, str]] = []
    start = 0
    for match in separator.finditer(text):
        if match.end() == match.start():
            continue
        units.append((text[start : match.start()], match.group()))
        start = match.end()
    units.append((text[start:], ""))
    return units
