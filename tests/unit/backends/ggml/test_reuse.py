"""What the cache keeps between turns, what a stop leaves behind, and rows that are stepped by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.backends.ggml.denoiser import GgufDenoiser
from diffdesk.backends.ggml.plans import MOST_GRAPHS
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import Cancelled, PromptError
from tests.unit.backends.ggml.models import Opened, ignore
from tests.unit.backends.tiny import BY_NAME, FULL, SLIDING, Shape, random_ids

Ids = NDArray[np.int32]
CANVAS = 16
WIDE = Shape("wide-heads", layers=(SLIDING, FULL), window=12, text={"head_dim": 32})


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    made = Opened(tmp_path_factory)
    yield made
    made.close()


def logits_after(denoiser: GgufDenoiser, ids: Ids) -> NDArray[np.float32]:
    denoiser.prefill(Prompt(ids), ignore)
    canvas = random_ids(denoiser.capabilities.canvas_length, 5)
    denoiser.start_canvas(canvas)
    return denoiser.all_logits(canvas)


def assert_close(one: NDArray[np.float32], other: NDArray[np.float32], within: float = 1e-5) -> None:
    assert float(np.abs(one - other).max() / np.abs(other).max()) < within


@pytest.mark.parametrize("name", ["plain", "narrow-window", "all-full"])
def test_a_longer_prompt_reads_only_what_is_new(opened: Opened, name: str) -> None:
    denoiser, fresh = opened(BY_NAME[name]), opened(BY_NAME[name])
    first, more = random_ids(40, 1), random_ids(25, 2)
    assert denoiser.prefill(Prompt(first), ignore) == 0
    both = np.concatenate([first, more])
    assert denoiser.prefill(Prompt(both), ignore) == len(first)
    assert_close(logits_after(denoiser, both), logits_after(fresh, both))
    assert denoiser.prefill(Prompt(both), ignore) == len(both)


@pytest.mark.parametrize("name", ["plain", "narrow-window"])
def test_a_thought_is_dropped_without_reading_the_prompt_again(opened: Opened, name: str) -> None:
    """What follows a committed canvas may be taken back to the end of the prompt, window or no window."""
    denoiser, fresh = opened(BY_NAME[name]), opened(BY_NAME[name])
    prompt, answer = random_ids(40, 1), random_ids(9, 3)
    denoiser.prefill(Prompt(prompt), ignore)
    denoiser.commit(random_ids(CANVAS, 7))
    denoiser.commit(random_ids(CANVAS, 8))
    both = np.concatenate([prompt, answer])
    assert denoiser.prefill(Prompt(both), ignore) == len(prompt)
    assert_close(logits_after(denoiser, both), logits_after(fresh, both))


def test_what_a_window_has_forgotten_is_read_again(opened: Opened) -> None:
    denoiser, fresh = opened(BY_NAME["narrow-window"]), opened(BY_NAME["narrow-window"])
    denoiser.chunk = fresh.chunk = 16
    denoiser.prefill(Prompt(random_ids(700, 1)), ignore)
    changed = random_ids(700, 1)
    changed[20:] = random_ids(680, 4)
    assert denoiser.prefill(Prompt(changed), ignore) == 0
    assert_close(logits_after(denoiser, changed), logits_after(fresh, changed))


def test_a_ring_that_has_gone_round_holds_what_a_window_needs(opened: Opened) -> None:
    shape = BY_NAME["narrow-window"]
    by_pieces, at_once = opened(shape), opened(shape)
    prompt = random_ids(900, 6)
    by_pieces.chunk, at_once.chunk = 7, 1000
    assert by_pieces.memory.sliding.slots < 900
    assert_close(logits_after(by_pieces, prompt), logits_after(at_once, prompt))


@pytest.mark.parametrize("kind", [TensorType.F16, TensorType.Q8_0])
def test_a_coarser_cache_says_nearly_the_same(opened: Opened, kind: TensorType) -> None:
    exact, coarse = opened(WIDE), opened(WIDE, kind)
    prompt = random_ids(60, 2)
    exact_logits, coarse_logits = logits_after(exact, prompt), logits_after(coarse, prompt)
    assert coarse.memory.bytes < 0.6 * exact.memory.bytes
    assert_close(coarse_logits, exact_logits, 0.01 if kind is TensorType.F16 else 0.15)
    assert not np.array_equal(coarse_logits, exact_logits)


def test_a_prompt_that_is_stopped_leaves_what_was_read(opened: Opened) -> None:
    denoiser, fresh = opened(BY_NAME["narrow-window"]), opened(BY_NAME["narrow-window"])
    denoiser.chunk = 10
    prompt = random_ids(64, 2)

    def stop(done: int, _total: int) -> None:
        if done >= 30:
            raise Cancelled

    with pytest.raises(Cancelled):
        denoiser.prefill(Prompt(prompt), stop)
    assert denoiser.prefill(Prompt(prompt), ignore) == 30
    assert_close(logits_after(denoiser, prompt), logits_after(fresh, prompt))


def after(calls: int) -> Callable[[], bool]:
    """Says stop when it has been asked so often."""
    left = iter(range(calls))
    return lambda: next(left, None) is None


@pytest.mark.parametrize("calls", [0, 1, 20, 60])
def test_a_step_that_is_stopped_half_way_can_be_done_again(opened: Opened, calls: int) -> None:
    denoiser = opened(BY_NAME["plain"])
    canvas, uniforms = random_ids(CANVAS, 5), np.random.default_rng(1).random(CANVAS)
    denoiser.prefill(Prompt(random_ids(30, 2)), ignore)
    denoiser.start_canvas(canvas)
    expected = denoiser.step(canvas, 0.7, uniforms)
    denoiser.start_canvas(canvas)
    denoiser.stop_when(after(calls))
    with pytest.raises(Cancelled):
        denoiser.step(canvas, 0.7, uniforms)
    denoiser.stop_when(lambda: False)
    again = denoiser.step(canvas, 0.7, uniforms)
    for field in ("argmax", "sampled", "entropy", "probability"):
        assert np.array_equal(getattr(again, field), getattr(expected, field)), field


def test_reading_that_is_stopped_half_way_leaves_the_cache_usable(opened: Opened) -> None:
    denoiser, fresh = opened(BY_NAME["narrow-window"]), opened(BY_NAME["narrow-window"])
    denoiser.chunk = 16
    first, more = random_ids(40, 1), random_ids(30, 2)
    both = np.concatenate([first, more])
    denoiser.prefill(Prompt(first), ignore)
    denoiser.stop_when(after(10))
    with pytest.raises(Cancelled):
        denoiser.prefill(Prompt(both), ignore)
    denoiser.stop_when(lambda: False)
    assert denoiser.prefill(Prompt(both), ignore) == len(first)
    assert_close(logits_after(denoiser, both), logits_after(fresh, both))


# --- rows by themselves ---------------------------------------------------------------------------


def begun(denoiser: GgufDenoiser, canvas: Ids, uniforms: NDArray[np.float64]) -> None:
    denoiser.prefill(Prompt(random_ids(30, 2)), ignore)
    denoiser.start_canvas(canvas)
    denoiser.step(canvas, 0.7, uniforms)


@pytest.mark.parametrize("name", ["plain", "narrow-window"])
def test_rows_see_the_others_as_they_were_computed(opened: Opened, name: str) -> None:
    denoiser = opened(BY_NAME[name])
    canvas, uniforms = random_ids(CANVAS, 5), np.random.default_rng(1).random(CANVAS)
    rows = np.array([2, 5, 6, 11])
    begun(denoiser, canvas, uniforms)
    partial = denoiser.step_rows(canvas, rows, 0.7, uniforms[rows])

    lied = canvas.copy()
    lied[0] = (canvas[0] + 1 - 20) % 200 + 20
    begun(denoiser, canvas, uniforms)
    same = denoiser.step_rows(lied, rows, 0.7, uniforms[rows])
    assert np.array_equal(same.entropy, partial.entropy), "a row that was not computed was read from the canvas"

    begun(denoiser, lied, uniforms)
    other = denoiser.step_rows(lied, rows, 0.7, uniforms[rows])
    assert not np.array_equal(other.entropy, partial.entropy), "rows don't see the others at all"


def test_all_rows_by_themselves_are_a_step(opened: Opened) -> None:
    denoiser = opened(BY_NAME["plain"])
    canvas, uniforms = random_ids(CANVAS, 5), np.random.default_rng(1).random(CANVAS)
    begun(denoiser, canvas, uniforms)
    whole = denoiser.step(canvas, 0.6, uniforms)
    begun(denoiser, canvas, uniforms)
    by_rows = denoiser.step_rows(canvas, np.arange(CANVAS), 0.6, uniforms)
    for field in ("argmax", "sampled", "entropy", "kept_probability"):
        assert np.array_equal(getattr(whole, field), getattr(by_rows, field)), field


def test_a_row_carries_its_own_conditioning_on(opened: Opened) -> None:
    """What was not computed keeps the soft embedding of its last step; what was computed gets a new one."""
    denoiser = opened(BY_NAME["plain"])
    canvas, uniforms = random_ids(CANVAS, 5), np.random.default_rng(1).random(CANVAS)
    begun(denoiser, canvas, uniforms)
    before = denoiser.soft_embeddings()
    rows, others = np.array([0, 3, 9]), np.delete(np.arange(CANVAS), [0, 3, 9])
    denoiser.step_rows(canvas, rows, 0.7, uniforms[rows])
    after = denoiser.soft_embeddings()
    assert np.array_equal(after[others], before[others])
    assert (np.abs(after[rows] - before[rows]).max(axis=1) > 0).all()
    denoiser.start_canvas(canvas)
    assert not denoiser.soft_embeddings().any(), "a canvas begins without self-conditioning"


def test_graphs_are_kept_but_not_all_of_them(opened: Opened) -> None:
    denoiser = opened(Shape("long-canvas", layers=(SLIDING, FULL), window=10, canvas=40))
    canvas = random_ids(40, 5)
    begun(denoiser, canvas, np.full(40, 0.5))
    for count in range(1, 40):
        rows = np.arange(count)
        denoiser.step_rows(canvas, rows, 0.7, np.full(count, 0.5))
    assert denoiser.graphs <= MOST_GRAPHS + 3


# --- what is refused ------------------------------------------------------------------------------


def test_what_would_end_the_process_in_the_library_is_refused_before(opened: Opened) -> None:
    denoiser = opened(BY_NAME["plain"])
    canvas = random_ids(CANVAS, 5)
    with pytest.raises(PromptError):
        denoiser.prefill(Prompt(np.zeros(0, np.int32)), ignore)
    for bad in (-1, 300, 2**31 - 1):
        with pytest.raises(ValueError, match="vocabulary"):
            denoiser.prefill(Prompt(np.array([5, bad], np.int32)), ignore)
    denoiser.prefill(Prompt(random_ids(10, 1)), ignore)
    for wrong in (np.zeros(0, np.int32), random_ids(CANVAS + 1, 1), np.full(CANVAS, 300, np.int32)):
        with pytest.raises(ValueError):
            denoiser.start_canvas(wrong)
    denoiser.start_canvas(canvas)
    with pytest.raises(ValueError, match="vocabulary"):
        denoiser.step(np.full(CANVAS, 300, np.int32), 0.7, np.full(CANVAS, 0.5))
    with pytest.raises(RuntimeError):
        denoiser.step(canvas[:4], 0.7, np.full(4, 0.5))
    with pytest.raises(PromptError, match="too long"):
        denoiser.prefill(Prompt(random_ids(denoiser.capabilities.context_length, 1)), ignore)


def test_a_shorter_canvas_is_a_canvas(opened: Opened) -> None:
    denoiser = opened(BY_NAME["plain"])
    short = random_ids(6, 5)
    denoiser.prefill(Prompt(random_ids(30, 2)), ignore)
    denoiser.start_canvas(random_ids(CANVAS, 9))
    denoiser.step(random_ids(CANVAS, 9), 0.7, np.full(CANVAS, 0.5))
    denoiser.start_canvas(short)
    first = denoiser.step(short, 0.7, np.full(6, 0.5))
    denoiser.prefill(Prompt(random_ids(30, 3)), ignore)
    denoiser.prefill(Prompt(random_ids(30, 2)), ignore)
    denoiser.start_canvas(short)
    again = denoiser.step(short, 0.7, np.full(6, 0.5))
    assert np.allclose(first.entropy, again.entropy, atol=1e-5), "what a longer canvas left behind was seen"
