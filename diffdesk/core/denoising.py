"""One canvas from its first content to rest: the inner loop that every task and every local backend shares.

A generator of trace events; what it returns is the outcome. It shows the argmax canvas of each step, as DiffusionGemma
does, and never touches anything of the size of the vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.canvas_states import classify
from diffdesk.core.denoiser import Denoiser, RowDenoiser, StepResult
from diffdesk.core.errors import Cancelled
from diffdesk.core.rest import Rest, merged
from diffdesk.core.sampler import Draws, SamplerSettings, StableAndConfident, accept, temperature_at
from diffdesk.core.trace import CanvasOpened, Region, StepDelta, quantise_entropy

NOISE_ENTROPY = 1.0  # nats: a canvas still above this at its last step, on average, has not become text


class CanvasView(Protocol):
    """How a canvas reads: a task knows what its positions stand for."""

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """What each position of int32[L] belongs to: a `Region`, uint8[L]."""

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        """The text of n tokens int32[n] at their positions int64[n]."""


@dataclass(frozen=True, slots=True)
class CanvasStart:
    """How a canvas begins.

    Attributes:
        index, of: which canvas of how many, `index` from 0.
        ids: int32[L], noise or a draft.
        confidence: float32[L] for self-conditioning on a draft, or None.
        is_warm: the ids are a draft.
        pinned: bool[L], positions that keep their token whatever the model says; None for none.
    """

    index: int
    of: int
    ids: NDArray[np.int32]
    confidence: NDArray[np.float32] | None = None
    is_warm: bool = False
    pinned: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class CanvasOutcome:
    """How a canvas ended.

    Attributes:
        ids: int32[L], the argmax canvas of the last step.
        steps: denoising steps taken.
        is_settled: False if it is still mostly noise.
        is_cancelled: the user stopped it; `ids` is what was visible.
        evidence: float32[L], mean over the steps of the probability (temperature 1) of the token in `ids`, counted
            only in steps whose argmax it was: how steadily the model held to it.
        seconds: wall time of the steps.
        row_steps: rows that were computed, over all steps.
    """

    ids: NDArray[np.int32]
    steps: int
    is_settled: bool
    is_cancelled: bool
    evidence: NDArray[np.float32]
    seconds: float
    row_steps: int = 0


class _Evidence:
    """Keeps argmax and its probability of every step, to say at the end how steadily each token was held."""

    def __init__(self) -> None:
        self._steps: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []

    def add(self, result: StepResult) -> None:
        self._steps.append((result.argmax, result.probability))

    def of(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        total = np.zeros(ids.shape, np.float32)
        for argmax, probability in self._steps:
            total += np.where(argmax == ids, probability, np.float32(0))
        return total / np.float32(max(1, len(self._steps)))


def denoise(
    denoiser: Denoiser,
    start: CanvasStart,
    settings: SamplerSettings,
    draws: Draws,
    view: CanvasView,
    is_cancelled: Callable[[], bool],
) -> Generator[CanvasOpened | StepDelta, None, CanvasOutcome]:
    """Denoise one canvas; yields what becomes visible and returns the outcome.

    A cancel is seen before the next step; `Cancelled` raised inside a backend counts as one.
    """
    visible, canvas = start.ids, start.ids
    evidence, seconds, step, disorder, row_steps = _Evidence(), 0.0, 0, 0.0, 0
    kept_before = np.zeros(canvas.shape, np.bool_)
    rest = Rest(canvas.size, settings.refresh if denoiser.capabilities.can_step_rows else 1)
    # A draft that its first step leaves as it is has been stable since before that step.
    is_done = StableAndConfident(
        settings.stability, settings.confidence, start.ids if _is_trusted(start, rest) else None
    )
    result: StepResult | None = None
    pieces = view.pieces(start.ids, np.arange(start.ids.size))
    yield CanvasOpened(start.index, start.of, settings.steps, start.ids, pieces, is_warm=start.is_warm)
    denoiser.start_canvas(start.ids, start.confidence)
    for step in range(1, settings.steps + 1):
        began, temperature = time.perf_counter(), temperature_at(step, settings)
        rows = rest.rows(step, None if result is None else result.entropy)
        try:
            if is_cancelled():
                raise Cancelled
            stepped = _stepped(denoiser, canvas, rows, temperature, draws.uniforms(canvas.size))
            result = _with_pins(merged(result, rows, stepped), start)
        except Cancelled:
            return CanvasOutcome(visible, step - 1, False, True, evidence.of(visible), seconds, row_steps)
        row_steps += len(rows)
        kept = accept(result.entropy, settings.entropy_bound)
        regions = view.regions(result.argmax)
        rest.look(rows, canvas, result, kept, regions)
        canvas = rest.settle(np.where(kept, result.sampled, draws.noise(canvas.size)), canvas)
        took = time.perf_counter() - began
        seconds += took
        evidence.add(result)
        changed = np.flatnonzero(result.argmax != visible)
        yield StepDelta(
            canvas=start.index,
            step=step,
            temperature=temperature,
            milliseconds=took * 1000.0,
            positions=changed.astype(np.uint16),
            ids=result.argmax[changed],
            pieces=view.pieces(result.argmax[changed], changed),
            entropy=quantise_entropy(result.entropy),
            states=classify(result.argmax, visible, result.entropy, kept, kept_before),
            regions=regions,
        )
        visible, kept_before = result.argmax, kept
        disorder = _mean_before_end(result.entropy, regions, start)
        if is_done(result.argmax, result.entropy, _counting(regions, rest, start)):
            break
    is_settled = disorder < NOISE_ENTROPY
    return CanvasOutcome(visible, step, is_settled, False, evidence.of(visible), seconds, row_steps)


def _with_pins(result: StepResult, start: CanvasStart) -> StepResult:
    """The numbers of a step, in which pinned positions say their own token, and are sure of it."""
    if start.pinned is None:
        return result
    pinned = start.pinned
    return replace(
        result,
        argmax=np.where(pinned, start.ids, result.argmax),
        sampled=np.where(pinned, start.ids, result.sampled),
        entropy=np.where(pinned, np.float32(0), result.entropy),
        probability=np.where(pinned, np.float32(1), result.probability),
        kept_probability=np.where(pinned, np.float32(1), result.kept_probability),
    )


def _is_trusted(start: CanvasStart, rest: Rest) -> bool:
    return start.is_warm and rest.is_active


def _stepped(
    denoiser: Denoiser,
    canvas: NDArray[np.int32],
    rows: NDArray[np.int64],
    temperature: float,
    uniforms: NDArray[np.float64],
) -> StepResult:
    if len(rows) == canvas.size or not isinstance(denoiser, RowDenoiser):
        return denoiser.step(canvas, temperature, uniforms)
    return denoiser.step_rows(canvas, rows, temperature, uniforms[rows])


def _counting(regions: NDArray[np.uint8], rest: Rest, start: CanvasStart) -> NDArray[np.bool_] | None:
    """Which positions tell whether a canvas is done; None for all. Pinned ones tell nothing."""
    if start.pinned is None:
        return regions != Region.AFTER_END if rest.is_active else None
    return ~start.pinned & (regions != Region.AFTER_END) if rest.is_active else ~start.pinned


def _mean_before_end(entropy: NDArray[np.float32], regions: NDArray[np.uint8], start: CanvasStart) -> float:
    counts = regions != Region.AFTER_END
    kept = entropy[counts if start.pinned is None else counts & ~start.pinned]
    return float(kept.mean()) if kept.size else 0.0
