"""Training samples: what they show is the draft, what they ask for is the truth, and processes make them."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from starter import noise, vocabulary
from starter.align import edit_distance
from starter.data import Layouter, Pool, Sample, Sources, drafted_reading, open_workshop

from diffdesk.core.lines import CELL_PIXELS, MOST_CELLS
from tests.unit.packaging_starter.fetched import write_data

TRUTHS = (
    "The morning was clear and still, and the whole of the valley lay before us;",
    "“for seven years,” he said, I've waited here without a letter or a word",
    "In 1874 the price had fallen to 12 shillings, and nobody would buy.",
)
CELLS = 24


@pytest.fixture(scope="module")
def layouter() -> Layouter:
    return Layouter()


def drafts(seed: int) -> list[tuple[str, str]]:
    """Truths, and drafts of them that are as in training."""
    rng = random.Random(seed)
    return [(truth, noise.draft(truth, rng, 110)) for truth in TRUTHS for _ in range(4)]


def shown(sample: Sample) -> str:
    return vocabulary.decode(sample.slots.astype(np.int32))


def wanted(sample: Sample) -> str:
    return vocabulary.decode(sample.targets.astype(np.int32))


def centres(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.linspace(10, CELLS * CELL_PIXELS - 12, len(text), dtype=np.float32)


def check(sample: Sample, truth: str) -> bool:
    """Whether the canvas holds all of the truth; a few characters may have found no place, never others instead."""
    text = wanted(sample)
    lost = len(truth) - len(text)
    assert 0 <= lost <= 3
    assert edit_distance(vocabulary.encode(text), vocabulary.encode(truth)) == lost
    return lost == 0


def test_a_window_of_text_leads_from_the_draft_to_the_truth(layouter: Layouter) -> None:
    whole = 0
    for truth, draft in drafts(1):
        sample = layouter.text(truth, draft)
        assert sample is not None
        assert shown(sample) == draft
        whole += check(sample, truth)
    assert whole >= 11


def test_a_line_leads_from_its_cells_and_its_draft_to_the_truth(layouter: Layouter) -> None:
    picture = np.full((CELL_PIXELS, CELLS * CELL_PIXELS), 255, np.uint8)
    rng = random.Random(3)
    whole = made = 0
    for truth, draft in drafts(2):
        sample = layouter.spoiled_line(truth, draft, centres(truth), picture, rng)
        if sample is None:
            continue
        made += 1
        is_cell = sample.slots == vocabulary.IMAGE
        assert np.count_nonzero(is_cell) == CELLS
        assert (sample.targets[is_cell] == vocabulary.PAD).all()
        assert shown(sample) == draft
        whole += check(sample, truth)
    assert whole >= made - 1 >= 8


def test_a_line_without_a_draft_is_spread_over_its_cells(layouter: Layouter) -> None:
    truth = TRUTHS[2][:48]
    sample = layouter.line(truth, centres(truth), "", None, CELLS)
    assert sample is not None
    assert shown(sample) == ""
    assert check(sample, truth)


def test_what_does_not_fit_is_no_sample(layouter: Layouter) -> None:
    assert layouter.text("a", "") is None
    assert layouter.text("a" * 120, "a" * 125) is None
    assert layouter.text("All of the beginning is missing here", "here") is None
    assert layouter.line("a", np.zeros(1, np.float32), "a", np.zeros(1, np.float32), MOST_CELLS + 1) is None


def test_a_reading_is_placed_in_the_picture() -> None:
    drafted = drafted_reading(" two  words ", (("two", 10.0, 40.0), ("words", 50.0, 100.0)), 2.0)
    assert drafted is not None
    assert drafted[0] == "two words"
    assert 20 < drafted[1][0] < drafted[1][2] < 80 < drafted[1][3] < 100 < drafted[1][4]
    assert drafted_reading("", (("two", 10.0, 40.0),), 2.0) is None
    assert drafted_reading("", (), 2.0) is None
    assert drafted_reading("words two", (("two", 10.0, 40.0), ("words", 50.0, 100.0)), 2.0) is None


def test_a_pool_keeps_each_worker_s_latest(layouter: Layouter) -> None:
    pool = Pool(6, 2, has_pictures=True)
    samples = [layouter.text(text, text) for text in "abcde"]
    for sample in samples:
        assert sample is not None
        pool.put(1, sample, np.zeros((CELL_PIXELS, 2 * CELL_PIXELS), np.uint8))
    assert pool.made.tolist() == [0, 5]
    places = pool.draw(50, np.random.default_rng(1))
    assert set(places.tolist()) == {3, 4, 5}
    assert {vocabulary.decode(pool.slots[place].astype(np.int32)) for place in places} == set("cde")
    assert (pool.pictures[3, :, : 2 * CELL_PIXELS] == 0).all()
    assert (pool.pictures[3, :, 2 * CELL_PIXELS :] == 255).all()


@pytest.mark.skipif(sys.platform != "linux", reason="the workers are forked")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_fill_both_pools_until_they_are_stopped(tmp_path: Path) -> None:
    write_data(tmp_path)
    workshop = open_workshop(Sources(tmp_path), text_workers=1, line_workers=1, texts=8, lines=4, device="cpu", seed=1)
    try:
        workshop.wait(3)
        rng = np.random.default_rng(1)
        for pool in (workshop.texts, workshop.lines):
            assert all(vocabulary.decode(one.astype(np.int32)) for one in pool.targets[pool.draw(6, rng)])
        assert (workshop.lines.pictures[workshop.lines.draw(6, rng)] < 128).any((1, 2)).all()
        workshop.processes[0].kill()
        with pytest.raises(RuntimeError, match="ended"):
            workshop.wait(10**9)
    finally:
        workshop.stop()
    assert not any(one.is_alive() for one in workshop.processes)
