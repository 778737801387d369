"""The generation loop: a prompt, then canvas after canvas, until the answer ends.

A generator of events that ends in exactly one `Finished`. Seed and settings come in, so a run can be repeated; one loop
serves all local backends.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.certainty import HeldTokens
from diffdesk.core.channels import ChannelParser, answer_state
from diffdesk.core.denoiser import Denoiser, Prompt, Tokenizer
from diffdesk.core.denoising import CanvasOutcome, CanvasStart, denoise
from diffdesk.core.errors import Cancelled, UserError
from diffdesk.core.events import Finished, FinishReason, Prefilled, RunEvent, RunStats
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import CanvasClosed, Region

HELD = 0.5  # mean probability from which a token of a stopped canvas counts as text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a run needs besides the model.

    Attributes:
        prompt: what was said so far.
        settings: resolved sampler settings.
        seed: of all randomness.
        canvases: room for the answer.
        canvas_length: positions in a canvas.
        patience: canvases in a row that may end unsettled before the run gives up; 0 never gives up.
        start: how the first canvas begins; None for noise. Its numbers don't count, and where it has noise, that is
            `Draws(seed).noise(canvas_length)`: what is drawn later in the run is then independent of it.
    """

    prompt: Prompt
    settings: SamplerSettings
    seed: int
    canvases: int
    canvas_length: int
    patience: int = 2
    start: CanvasStart | None = None


class _AnswerView:
    """A canvas of an answer: each token reads as itself, channels and end tokens give the regions."""

    def __init__(self, tokenizer: Tokenizer, parser: ChannelParser) -> None:
        self._tokenizer = tokenizer
        self._parser = parser

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """See `CanvasView`."""
        return self._parser.regions(ids)

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        """See `CanvasView`; the position doesn't matter here."""
        return self._tokenizer.pieces(ids.tolist())


@dataclass(slots=True)
class Tally:
    """Counts and times of a run as it goes; `stats` makes the frozen figures."""

    seed: int
    prompt_tokens: int = 0
    reused_tokens: int = 0
    answer_tokens: int = 0
    canvases: int = 0
    steps: int = 0
    unsettled_canvases: int = 0
    prefill_seconds: float = 0.0
    first_canvas_seconds: float = 0.0
    step_seconds: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    def count(self, outcome: CanvasOutcome) -> None:
        """Take a finished or stopped canvas into account."""
        self.steps += outcome.steps
        self.step_seconds += outcome.seconds
        self.canvases += 1
        self.unsettled_canvases += not (outcome.is_settled or outcome.is_cancelled)
        if self.canvases == 1:
            self.first_canvas_seconds = time.perf_counter() - self.began

    def stats(self) -> RunStats:
        """The figures so far."""
        total = time.perf_counter() - self.began
        return RunStats(
            prompt_tokens=self.prompt_tokens,
            reused_tokens=self.reused_tokens,
            answer_tokens=self.answer_tokens,
            canvases=self.canvases,
            steps=self.steps,
            unsettled_canvases=self.unsettled_canvases,
            prefill_seconds=self.prefill_seconds,
            first_canvas_seconds=self.first_canvas_seconds,
            total_seconds=total,
            milliseconds_per_step=1000.0 * self.step_seconds / self.steps if self.steps else 0.0,
            tokens_per_second=self.answer_tokens / total if total > 0 else 0.0,
            seed=self.seed,
        )


def generate(
    denoiser: Denoiser,
    job: Job,
    report: Callable[[Prefilled], None],
    is_cancelled: Callable[[], bool],
    held: HeldTokens | None = None,
) -> Iterator[RunEvent]:
    """Run a job. `report` is called while the prompt is read; every other event is yielded, `Finished` last and once.

    `held`, where given, takes the answer's tokens with the evidence for them, canvas by canvas.
    Errors that the user can act on end the run as `FAILED`; anything else is a bug and is raised.
    """
    tally = Tally(job.seed, prompt_tokens=len(job.prompt.ids))
    parser = ChannelParser.for_tokenizer(denoiser.tokenizer, denoiser.defaults.end_ids)
    try:
        yield _prefill(denoiser, job, tally, report, is_cancelled)
        reason = yield from _canvases(denoiser, job, tally, parser, is_cancelled, held)
    except Cancelled:
        reason = FinishReason.CANCELLED
    except UserError as error:
        log.info("run failed: %s", error.title)
        yield _finished(denoiser, parser, tally, FinishReason.FAILED, error)
        return
    yield _finished(denoiser, parser, tally, reason, None)


def _prefill(
    denoiser: Denoiser,
    job: Job,
    tally: Tally,
    report: Callable[[Prefilled], None],
    is_cancelled: Callable[[], bool],
) -> Prefilled:
    def progress(done: int, total: int) -> None:
        if is_cancelled():
            raise Cancelled
        report(Prefilled(done, total))

    began = time.perf_counter()
    tally.reused_tokens = denoiser.prefill(job.prompt, progress)
    tally.prefill_seconds = time.perf_counter() - began
    return Prefilled(tally.prompt_tokens, tally.prompt_tokens, tally.reused_tokens)


def _canvases(
    denoiser: Denoiser,
    job: Job,
    tally: Tally,
    parser: ChannelParser,
    is_cancelled: Callable[[], bool],
    held: HeldTokens | None,
) -> Generator[RunEvent, None, FinishReason]:
    draws = Draws(job.seed, denoiser.tokenizer.vocab_size)
    view = _AnswerView(denoiser.tokenizer, parser)
    unsettled_in_a_row = 0
    for index in range(job.canvases):
        start = CanvasStart(index, job.canvases, draws.noise(job.canvas_length))
        if job.start is not None and not index:
            start = replace(job.start, index=index, of=job.canvases)
        outcome = yield from denoise(denoiser, start, job.settings, draws, view, is_cancelled)
        tally.count(outcome)
        # Of a stopped canvas only what the model held to is kept: the rest is noise, no text.
        is_kept = outcome.evidence >= HELD if outcome.is_cancelled else np.ones(outcome.ids.shape, np.bool_)
        ids, evidence = outcome.ids[is_kept], outcome.evidence[is_kept]
        if held is not None:
            is_answer = parser.regions(ids) == Region.ANSWER
            held.take(ids[is_answer], evidence[is_answer])
        parser.commit(ids)
        tally.answer_tokens = len(parser.answer_ids) + len(parser.thought_ids)
        if outcome.is_cancelled:
            return FinishReason.CANCELLED
        yield CanvasClosed(
            index,
            outcome.steps,
            outcome.is_settled,
            denoiser.tokenizer.decode(parser.answer_ids),
            denoiser.tokenizer.decode(parser.thought_ids),
        )
        if parser.has_ended:
            return FinishReason.END_TOKEN
        unsettled_in_a_row = 0 if outcome.is_settled else unsettled_in_a_row + 1
        if job.patience and unsettled_in_a_row >= job.patience:
            return FinishReason.NOT_SETTLED
        if index + 1 < job.canvases:
            denoiser.commit(outcome.ids)
    return FinishReason.LENGTH


def _finished(
    denoiser: Denoiser, parser: ChannelParser, tally: Tally, reason: FinishReason, error: UserError | None
) -> Finished:
    answer = denoiser.tokenizer.decode(parser.answer_ids)
    thought = denoiser.tokenizer.decode(parser.thought_ids)
    return Finished(reason, tally.stats(), answer, thought, answer_state(answer, thought), error=error)
