"""Rows that have settled rest: which ones, for how long, and what that does to the work and to the text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.core.denoiser import StepResult
from diffdesk.core.denoising import CanvasOutcome, CanvasStart, denoise
from diffdesk.core.rest import REST_ENTROPY, ROW_STEP, Rest, merged
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import Region
from tests.unit.core.letters import LetterTokenizer
from tests.unit.core.table_model import TableDenoiser

LENGTH = 96
TEXT = "the quick brown fox jumps over the lazy dog while the rain falls on the hills<eos>"
SETTINGS = SamplerSettings(steps=24, t_max=0.8, t_min=0.4, entropy_bound=0.5, confidence=0.05, stability=1)
VOCABULARY = LetterTokenizer()


class View:
    """What follows the end token is padding."""

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        ends = np.flatnonzero(ids == VOCABULARY.ids("<eos>")[0])
        end = ends[0] if ends.size else LENGTH
        return np.where(np.arange(ids.size) <= end, Region.ANSWER, Region.AFTER_END).astype(np.uint8)

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        return ("",) * len(ids)


def run(model: TableDenoiser, refresh: int, start: CanvasStart | None = None) -> CanvasOutcome:
    """A canvas to its end."""
    first = start or CanvasStart(0, 1, Draws(2, VOCABULARY.vocab_size).noise(LENGTH))
    settings = replace(SETTINGS, refresh=refresh)
    running = denoise(model, first, settings, Draws(5, VOCABULARY.vocab_size), View(), lambda: False)
    while True:
        try:
            next(running)
        except StopIteration as stop:
            outcome = stop.value
            assert isinstance(outcome, CanvasOutcome)
            return outcome


def model_of(*, can_step_rows: bool = True) -> TableDenoiser:
    return TableDenoiser([TEXT], LENGTH, sharpness=8.0, can_step_rows=can_step_rows)


def text_of(outcome: CanvasOutcome) -> list[int]:
    ids: list[int] = outcome.ids.tolist()
    return ids[: ids.index(VOCABULARY.ids("<eos>")[0]) + 1]


def test_less_is_computed_for_the_same_text() -> None:
    whole, partial = model_of(), model_of()
    all_rows, some_rows = run(whole, 1), run(partial, 8)
    assert text_of(some_rows) == text_of(all_rows) == VOCABULARY.ids(TEXT)
    assert all(len(one) == LENGTH for one in whole.stepped)
    assert all_rows.row_steps == LENGTH * all_rows.steps
    assert some_rows.row_steps == sum(len(one) for one in partial.stepped) < all_rows.row_steps
    assert some_rows.is_settled


def test_a_full_step_comes_round() -> None:
    model = model_of()
    outcome = run(model, 3)
    assert outcome.steps >= 3
    for index, rows in enumerate(model.stepped):
        if (index + 1) % 3 == 0 or index == 0:
            assert len(rows) == LENGTH
        else:
            assert len(rows) % ROW_STEP == 0


def test_a_backend_that_steps_whole_canvases_only_is_given_whole_canvases() -> None:
    model = model_of(can_step_rows=False)
    run(model, 8)
    assert all(len(one) == LENGTH for one in model.stepped)


def test_a_draft_that_the_first_step_leaves_as_it_is_is_done() -> None:
    ids = VOCABULARY.ids(TEXT)
    draft = np.array(ids + [0] * (LENGTH - len(ids)), np.int32)
    steps = [
        run(
            TableDenoiser([TEXT], LENGTH, sharpness=12.0, can_step_rows=True),
            refresh,
            CanvasStart(0, 1, draft, is_warm=w),
        ).steps
        for refresh, w in ((8, True), (8, False), (1, True))
    ]
    assert steps == [1, 2, 2]


def result_of(entropy: NDArray[np.float32], argmax: NDArray[np.int32]) -> StepResult:
    ones, none = np.ones(len(argmax), np.float32), np.zeros((len(argmax), 0))
    return StepResult(argmax, argmax, entropy, ones, ones, none.astype(np.int32), none.astype(np.float32))


ALL_TEXT = np.full(LENGTH, Region.ANSWER, np.uint8)


def looked(rest: Rest, entropy: NDArray[np.float32], canvas: NDArray[np.int32], regions: NDArray[np.uint8]) -> None:
    result = result_of(entropy, np.arange(LENGTH, dtype=np.int32))
    rest.look(np.arange(LENGTH), canvas, result, np.ones(LENGTH, np.bool_), regions)


def test_what_is_unsure_or_was_changed_is_computed_again_and_the_least_sure_of_the_rest_fill_up() -> None:
    rest, entropy = Rest(LENGTH, 8), np.linspace(0, REST_ENTROPY / 2, LENGTH, dtype=np.float32)
    entropy[7] = REST_ENTROPY * 2
    canvas = np.arange(LENGTH, dtype=np.int32)
    canvas[20] = 5
    looked(rest, entropy, canvas, ALL_TEXT)
    rows = rest.rows(2, entropy)
    assert len(rows) == ROW_STEP
    assert {7, 20} <= set(rows.tolist())
    assert set(rows.tolist()) - {7, 20} == set(range(LENGTH - ROW_STEP + 2, LENGTH))
    before, after = np.arange(LENGTH, dtype=np.int32), np.full(LENGTH, 99, np.int32)
    kept = rest.settle(after, before)
    assert kept[[7, 20]].tolist() == [99, 99]
    assert np.array_equal(np.delete(kept, [7, 20]), np.delete(before, [7, 20]))


def test_padding_rests_once_the_end_before_it_does() -> None:
    regions = np.where(np.arange(LENGTH) < 40, Region.ANSWER, Region.AFTER_END).astype(np.uint8)
    canvas = np.arange(LENGTH, dtype=np.int32)
    for end_entropy, is_small in ((0.0, True), (1.0, False)):
        rest, entropy = Rest(LENGTH, 8), np.zeros(LENGTH, np.float32)
        entropy[40:] = 1.0
        entropy[39] = end_entropy
        entropy[3] = 1.0
        looked(rest, entropy, canvas, regions)
        assert (len(rest.rows(2, entropy)) == ROW_STEP) == is_small


@pytest.mark.parametrize("refresh", [1, 4])
def test_where_nothing_or_everything_rests_the_whole_is_computed(refresh: int) -> None:
    rest, sure = Rest(LENGTH, refresh), np.zeros(LENGTH, np.float32)
    assert len(rest.rows(1, None)) == LENGTH
    looked(rest, sure, np.arange(LENGTH, dtype=np.int32), ALL_TEXT)
    assert len(rest.rows(2, sure)) == LENGTH
    looked(rest, sure + 1, np.arange(LENGTH, dtype=np.int32), ALL_TEXT)
    assert len(rest.rows(2, sure + 1)) == LENGTH


def test_what_was_not_computed_stays_known() -> None:
    old = result_of(np.zeros(4, np.float32), np.arange(4, dtype=np.int32))
    new = result_of(np.ones(2, np.float32), np.array([9, 8], np.int32))
    both = merged(old, np.array([1, 3]), new)
    assert both.argmax.tolist() == [0, 9, 2, 8]
    assert both.entropy.tolist() == [0, 1, 0, 1]
    assert merged(None, np.arange(2), new) is new
