"""One canvas by itself: begun from a draft, stopped, and what it says of itself at the end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.core.denoising import CanvasOutcome, CanvasStart, denoise
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import CanvasFold, CanvasOpened, CellState, Region, StepDelta
from tests.unit.core.letters import LetterTokenizer
from tests.unit.core.table_model import TableDenoiser

LENGTH = 24
SETTINGS = SamplerSettings(steps=12, t_max=0.8, t_min=0.4, entropy_bound=0.5, confidence=0.05, stability=1)
VOCABULARY = LetterTokenizer()
TEXT = "the quick brown fox<eos>"


class PlainView:
    """Every position is answer; `ended_from` on, padding."""

    def __init__(self, ended_from: int = LENGTH) -> None:
        self.ended_from = ended_from

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        return np.where(np.arange(ids.size) < self.ended_from, Region.ANSWER, Region.AFTER_END).astype(np.uint8)

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        return tuple(f"{at}:{token}" for at, token in zip(positions.tolist(), ids.tolist(), strict=True))


def collect(
    model: TableDenoiser,
    start: CanvasStart,
    settings: SamplerSettings = SETTINGS,
    is_cancelled: Callable[[], bool] = lambda: False,
    view: PlainView | None = None,
) -> tuple[list[CanvasOpened | StepDelta], CanvasOutcome]:
    """The events of a canvas and its outcome."""
    running = denoise(model, start, settings, Draws(5, VOCABULARY.vocab_size), view or PlainView(), is_cancelled)
    events: list[CanvasOpened | StepDelta] = []
    while True:
        try:
            events.append(next(running))
        except StopIteration as stop:
            outcome = stop.value
            assert isinstance(outcome, CanvasOutcome)
            return events, outcome


def draft(text: str = "tbe quiek brown fox<eos>") -> NDArray[np.int32]:
    ids = VOCABULARY.ids(text)
    return np.asarray(ids + [0] * (LENGTH - len(ids)), np.int32)


def test_a_warm_start_begins_with_the_draft_and_its_confidence() -> None:
    model, confidence = TableDenoiser([TEXT], LENGTH), np.linspace(0, 1, LENGTH, dtype=np.float32)
    events, outcome = collect(model, CanvasStart(0, 1, draft(), confidence, is_warm=True))
    opened = events[0]
    assert isinstance(opened, CanvasOpened)
    assert opened.is_warm
    assert opened.ids.tolist() == model.fed[0].tolist() == draft().tolist()
    [(ids, given_confidence)] = model.starts
    assert ids.tolist() == draft().tolist()
    assert given_confidence is confidence
    assert outcome.ids.tolist() == model.wanted(0).tolist()
    assert CanvasFold().apply(opened).states.tolist() == [CellState.SETTLED] * LENGTH


def test_a_good_draft_is_held_more_steadily_than_noise() -> None:
    warm, cold = TableDenoiser([TEXT], LENGTH), TableDenoiser([TEXT], LENGTH)
    _, from_draft = collect(warm, CanvasStart(0, 1, draft(), is_warm=True))
    _, from_noise = collect(cold, CanvasStart(0, 1, Draws(1, VOCABULARY.vocab_size).noise(LENGTH)))
    assert from_draft.evidence.mean() > from_noise.evidence.mean()
    assert cold.starts[0][1] is None


def test_pieces_come_with_their_positions() -> None:
    events, _ = collect(TableDenoiser([TEXT], LENGTH), CanvasStart(0, 1, draft(), is_warm=True))
    for event in events:
        if isinstance(event, StepDelta):
            places = zip(event.positions.tolist(), event.ids.tolist(), strict=True)
            assert event.pieces == tuple(f"{at}:{token}" for at, token in places)


def test_evidence_is_the_mean_probability_of_what_stands_there_at_the_end() -> None:
    model = TableDenoiser([TEXT], LENGTH, sharpness=4.0)
    _, outcome = collect(model, CanvasStart(0, 1, Draws(2, VOCABULARY.vocab_size).noise(LENGTH)))
    assert outcome.steps == len(model.results) > 2
    for at, token in enumerate(outcome.ids.tolist()):
        held = [float(one.probability[at]) for one in model.results if one.argmax[at] == token]
        assert outcome.evidence[at] == pytest.approx(sum(held) / len(model.results), rel=1e-5)


@pytest.mark.parametrize("steps", range(5))
def test_a_stopped_canvas_gives_what_was_visible(steps: int) -> None:
    model = TableDenoiser([TEXT], LENGTH, sharpness=4.0)
    start = CanvasStart(0, 1, Draws(2, VOCABULARY.vocab_size).noise(LENGTH))
    events, outcome = collect(model, start, is_cancelled=lambda: len(model.results) == steps)
    assert outcome.is_cancelled
    assert not outcome.is_settled
    assert outcome.steps == len(model.results) == len(events) - 1 == steps
    assert outcome.ids.tolist() == (model.results[-1].argmax if steps else start.ids).tolist()


def test_only_what_stands_before_the_end_decides_whether_a_canvas_settled() -> None:
    class HalfNoise(TableDenoiser):
        def logits(self, canvas: NDArray[np.int32], index: int) -> NDArray[np.float64]:
            table = super().logits(canvas, index)
            table[LENGTH // 2 :] = 0.0
            return table

    for ended_from, is_settled in ((LENGTH // 2, True), (LENGTH, False), (0, True)):
        model = HalfNoise([TEXT], LENGTH, sharpness=12.0)
        start = CanvasStart(0, 1, draft(TEXT), is_warm=True)
        _, outcome = collect(model, start, view=PlainView(ended_from))
        assert outcome.is_settled is is_settled


def test_pinned_positions_keep_their_token() -> None:
    """Whatever the model says of them: in what goes in, in what is shown, and in what comes out."""
    pinned = np.zeros(LENGTH, np.bool_)
    pinned[4:9] = True  # of "tbe quiek brown fox" the misspelt "quiek", which the model would mend
    model = TableDenoiser([TEXT], LENGTH)
    events, outcome = collect(model, CanvasStart(0, 1, draft(), is_warm=True, pinned=pinned))
    assert all(fed[pinned].tolist() == draft()[pinned].tolist() for fed in model.fed)
    assert outcome.ids[pinned].tolist() == draft()[pinned].tolist()
    assert outcome.ids[~pinned].tolist() == model.wanted(0)[~pinned].tolist()
    assert outcome.evidence[pinned].tolist() == [1.0] * 5
    assert outcome.is_settled
    assert not any(np.isin(one.positions, np.flatnonzero(pinned)).any() for one in events if isinstance(one, StepDelta))


def test_pinned_positions_do_not_end_a_canvas_early() -> None:
    """They are sure of themselves, which says nothing of the others."""
    start = Draws(1, VOCABULARY.vocab_size).noise(LENGTH)
    pinned = np.arange(LENGTH) != 3
    start[pinned] = TableDenoiser([TEXT], LENGTH).wanted(0)[pinned]
    _, free = collect(TableDenoiser([TEXT], LENGTH), CanvasStart(0, 1, start))
    _, held = collect(TableDenoiser([TEXT], LENGTH), CanvasStart(0, 1, start, pinned=pinned))
    assert held.ids.tolist() == free.ids.tolist()
    assert held.steps > 1
