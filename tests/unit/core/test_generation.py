"""The loop over canvases, with a small model that computes, against a slow twin."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import Cancelled, EngineError, PromptError, UserError
from diffdesk.core.events import AnswerState, Finished, FinishReason, Prefilled, RunEvent
from diffdesk.core.generation import Job, generate
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import (
    CanvasClosed,
    CanvasFold,
    CanvasFrame,
    CanvasOpened,
    CellState,
    Region,
    StepDelta,
    quantise_entropy,
)
from tests.unit.core.letters import LetterTokenizer
from tests.unit.core.table_model import TableDenoiser, reduce_logits
from tests.unit.core.test_sampler import TwinStop, twin_accept

LENGTH = 24
SETTINGS = SamplerSettings(steps=12, t_max=0.8, t_min=0.4, entropy_bound=0.5, confidence=0.05, stability=1)
VOCABULARY = LetterTokenizer()
PROMPT = Prompt(np.asarray(VOCABULARY.ids("<bos><|turn>user\nHi<turn|>\n<|turn>model\n"), np.int32))
SHORT = ("Hello there.<eos>",)
THREE = ("<|channel>thought\nfirst I", " think.<channel|>Then", " I speak.<turn|>")
E = TypeVar("E")
ENDLESS = ("a" * LENGTH, "b" * LENGTH, "c" * LENGTH)


def job(canvases: int = 4, seed: int = 7, patience: int = 2, sampler: SamplerSettings = SETTINGS) -> Job:
    return Job(PROMPT, sampler, seed, canvases, LENGTH, patience)


def run(
    denoiser: TableDenoiser, one: Job | None = None, is_cancelled: Callable[[], bool] = lambda: False
) -> list[RunEvent]:
    """All events of a run in the order in which they came, the reports of the prefill among them."""
    events: list[RunEvent] = []
    for event in generate(denoiser, one or job(), events.append, is_cancelled):
        events.append(event)
    return events


def finish(events: Sequence[RunEvent]) -> Finished:
    """The one `Finished`, which must be the last event."""
    found = [one for one in events if isinstance(one, Finished)]
    assert len(found) == 1
    assert events[-1] is found[0]
    return found[0]


def of_type(events: Sequence[RunEvent], kind: type[E]) -> list[E]:
    return [one for one in events if isinstance(one, kind)]


# --- the twin ---------------------------------------------------------------------------------------


@dataclass
class TwinRun:
    """What the slow twin says should have happened."""

    steps: list[tuple[int, int, list[int], list[bool]]] = field(default_factory=list)  # canvas, step, argmax, kept
    fed: list[list[int]] = field(default_factory=list)
    canvases: list[list[int]] = field(default_factory=list)
    reason: FinishReason = FinishReason.LENGTH


def twin(texts: Sequence[str], one: Job, sharpness: float) -> TwinRun:
    """The loop of the published description, position by position, with the same model and the same draws."""
    model, told = TableDenoiser(texts, LENGTH, sharpness), TwinRun()
    draws, sampler, ends = Draws(one.seed, VOCABULARY.vocab_size), one.settings, model.defaults.end_ids
    unsettled = 0
    for index in range(one.canvases):
        canvas = draws.noise(LENGTH).tolist()
        stop = TwinStop(sampler.stability, sampler.confidence)
        argmax: list[int] = []
        entropies: list[float] = []
        for left in range(sampler.steps, 0, -1):
            told.fed.append(canvas)
            temperature = sampler.t_min + (sampler.t_max - sampler.t_min) * left / sampler.steps
            given_canvas = np.asarray(canvas, np.int32)
            uniforms = draws.uniforms(LENGTH)
            result = reduce_logits(model.logits(given_canvas, index), given_canvas, temperature, uniforms, 0)
            argmax, entropies = result.argmax.tolist(), result.entropy.tolist()
            kept = twin_accept(entropies, sampler.entropy_bound)
            noise = draws.noise(LENGTH).tolist()
            canvas = [int(result.sampled[at]) if kept[at] else noise[at] for at in range(LENGTH)]
            told.steps.append((index, sampler.steps - left + 1, argmax, kept))
            if stop(argmax, entropies):
                break
        told.canvases.append(argmax)
        end = next((at for at, token in enumerate(argmax) if token in ends), None)
        if end is not None:
            told.reason = FinishReason.END_TOKEN
            return told
        unsettled = unsettled + 1 if sum(entropies) / LENGTH >= 1.0 else 0
        if one.patience and unsettled >= one.patience:
            told.reason = FinishReason.NOT_SETTLED
            return told
    return told


@settings(max_examples=60)
@given(
    texts=st.sampled_from([SHORT, THREE, ENDLESS, ("", "<eos>"), ()]),
    sharpness=st.sampled_from([0.0, 2.0, 3.0, 4.0, 6.0, 12.0]),
    seed=st.integers(0, 2**31 - 1),
    canvases=st.integers(1, 4),
    patience=st.integers(0, 2),
    sampler=st.builds(
        SamplerSettings,
        steps=st.integers(1, 12),
        t_max=st.floats(0.8, 1.5),
        t_min=st.floats(0.1, 0.7),
        entropy_bound=st.sampled_from([0.05, 0.5, 3.0]),
        confidence=st.sampled_from([0.0001, 0.05, 1.0]),
        stability=st.integers(0, 3),
    ),
)
def test_the_loop_equals_its_twin(
    texts: tuple[str, ...], sharpness: float, seed: int, canvases: int, patience: int, sampler: SamplerSettings
) -> None:
    one = job(canvases, seed, patience, sampler)
    model = TableDenoiser(texts, LENGTH, sharpness)
    events = run(model, one)
    told = twin(texts, one, sharpness)
    fold, seen = CanvasFold(), list[tuple[int, int, list[int]]]()
    for event in events:
        if isinstance(event, StepDelta):
            seen.append((event.canvas, event.step, fold.apply(event).ids.tolist()))
        elif isinstance(event, CanvasOpened | CanvasClosed):
            fold.apply(event)
    assert seen == [(canvas, step, argmax) for canvas, step, argmax, _ in told.steps]
    assert [canvas.tolist() for canvas in model.fed] == told.fed
    # Every canvas but the last goes through the encoder, the last one never.
    assert [ids.tolist() for ids in model.committed] == told.canvases[:-1]
    assert finish(events).reason is told.reason


# --- what a run tells -------------------------------------------------------------------------------


def test_an_answer_ends_with_its_end_token() -> None:
    done = finish(run(TableDenoiser(SHORT, LENGTH)))
    assert (done.reason, done.answer, done.thought) == (FinishReason.END_TOKEN, "Hello there.", "")
    assert (done.state, done.error) == (AnswerState.COMPLETE, None)


def test_an_answer_over_several_canvases_is_told_canvas_by_canvas() -> None:
    events = run(TableDenoiser(THREE, LENGTH))
    assert [(one.canvas, one.thought, one.answer) for one in of_type(events, CanvasClosed)] == [
        (0, "first I", ""),
        (1, "first I think.", "Then"),
        (2, "first I think.", "Then I speak."),
    ]
    done = finish(events)
    assert (done.answer, done.thought) == ("Then I speak.", "first I think.")
    assert [(one.canvas, one.canvases) for one in of_type(events, CanvasOpened)] == [(0, 4), (1, 4), (2, 4)]


def test_room_that_is_used_up_ends_the_answer() -> None:
    done = finish(run(TableDenoiser(ENDLESS, LENGTH), job(2)))
    assert (done.reason, done.answer) == (FinishReason.LENGTH, "".join(ENDLESS[:2]))


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        (("<eos>",), AnswerState.EMPTY),
        (("<|channel>thought\nHm.<turn|>",), AnswerState.THOUGHT_ONLY),
        (("<|channel>thought\n" + "m" * (LENGTH - 3), "m" * LENGTH), AnswerState.THOUGHT_ONLY),
    ],
)
def test_an_answer_that_did_not_come_has_a_state(texts: tuple[str, ...], state: AnswerState) -> None:
    done = finish(run(TableDenoiser(texts, LENGTH), job(len(texts))))
    assert (done.state, done.answer) == (state, "")


@pytest.mark.parametrize(("patience", "canvases"), [(1, 1), (2, 2), (3, 3)])
def test_noise_that_never_settles_is_given_up(patience: int, canvases: int) -> None:
    done = finish(run(TableDenoiser((), LENGTH, sharpness=0.0), job(6, patience=patience)))
    assert done.reason is FinishReason.NOT_SETTLED
    assert (done.stats.canvases, done.stats.unsettled_canvases) == (canvases, canvases)


class Moody(TableDenoiser):
    """Never settles on its even canvases, and writes the odd ones at once."""

    def logits(self, canvas: NDArray[np.int32], index: int) -> NDArray[np.float64]:
        return super().logits(canvas, index) * (12.0 if index % 2 else 0.0)


def test_a_canvas_that_settles_restores_patience() -> None:
    events = run(Moody(["x" * LENGTH] * 5, LENGTH), job(5, patience=2))
    assert [one.is_settled for one in of_type(events, CanvasClosed)] == [False, True, False, True, False]
    done = finish(events)
    assert (done.reason, done.stats.unsettled_canvases) == (FinishReason.LENGTH, 3)


def test_without_patience_noise_goes_on_to_the_end() -> None:
    done = finish(run(TableDenoiser((), LENGTH, sharpness=0.0), job(5, patience=0)))
    assert (done.reason, done.stats.canvases) == (FinishReason.LENGTH, 5)


def test_the_same_seed_gives_the_same_run_and_another_one_does_not() -> None:
    def story(seed: int) -> list[tuple[list[int], list[int], list[int]]]:
        events = run(TableDenoiser(THREE, LENGTH, sharpness=4.0), job(seed=seed))
        return [(one.positions.tolist(), one.ids.tolist(), one.entropy.tolist()) for one in of_type(events, StepDelta)]

    assert story(3) == story(3)
    assert story(3) != story(4)


def test_noise_falls_only_on_positions_that_were_not_accepted() -> None:
    model = TableDenoiser(SHORT, LENGTH, sharpness=4.0)
    run(model)
    assert len(model.fed) > 3
    drawn = []
    for result, following in zip(model.results, model.fed[1:], strict=False):
        kept = np.asarray(twin_accept(result.entropy.tolist(), SETTINGS.entropy_bound))
        assert np.array_equal(following[kept], result.sampled[kept])
        drawn += following[~kept].tolist()
    # What is drawn again comes from the whole vocabulary, not from what the model would say.
    assert len(set(drawn)) > VOCABULARY.vocab_size / 2


def test_a_step_tells_entropy_states_regions_and_pieces() -> None:
    model = TableDenoiser(THREE, LENGTH)
    kept_before, visible, opened = np.zeros(LENGTH, np.bool_), np.zeros(LENGTH, np.int32), 0
    for event in run(model):
        if isinstance(event, CanvasOpened):
            kept_before, visible = np.zeros(LENGTH, np.bool_), event.ids
            assert event.pieces == VOCABULARY.pieces(event.ids.tolist())
            assert not event.is_warm
        elif isinstance(event, StepDelta):
            result = model.results[opened]
            opened += 1
            kept = np.asarray(twin_accept(result.entropy.tolist(), SETTINGS.entropy_bound))
            assert np.array_equal(event.entropy, quantise_entropy(result.entropy))
            assert event.pieces == VOCABULARY.pieces(event.ids.tolist())
            assert np.array_equal(event.states == CellState.ACCEPTED, kept & ~kept_before)
            settled = kept & kept_before & (result.argmax == visible)
            assert np.array_equal(event.states == CellState.SETTLED, settled)
            kept_before, visible = kept, result.argmax
    assert opened == len(model.results)


def test_the_last_frame_shows_what_was_committed() -> None:
    model, fold = TableDenoiser(THREE, LENGTH), CanvasFold()
    closed: list[CanvasFrame] = []
    for event in run(model):
        if isinstance(event, CanvasOpened | StepDelta | CanvasClosed):
            frame = fold.apply(event)
            closed += [frame] if isinstance(event, CanvasClosed) else []
    assert [frame.ids.tolist() for frame in closed] == [model.wanted(index).tolist() for index in range(3)]
    assert all(frame.is_closed and frame.is_settled for frame in closed)
    assert [frame.text(Region.ANSWER) for frame in closed] == ["", "Then", " I speak."]
    assert [frame.text(Region.THOUGHT) for frame in closed] == ["first I", " think.", ""]


def test_figures_add_up() -> None:
    model = TableDenoiser(THREE, LENGTH)
    events = run(model)
    stats = finish(events).stats
    assert stats.prompt_tokens == len(PROMPT.ids)
    assert stats.steps == len(of_type(events, StepDelta)) == sum(one.steps for one in of_type(events, CanvasClosed))
    assert stats.canvases == len(of_type(events, CanvasOpened)) == 3
    assert stats.answer_tokens == len(VOCABULARY.encode("first I think.")) + len(VOCABULARY.encode("Then I speak."))
    assert stats.seed == 7
    assert 0.0 <= stats.prefill_seconds <= stats.first_canvas_seconds <= stats.total_seconds
    assert 0.0 <= stats.milliseconds_per_step * stats.steps / 1000 <= stats.total_seconds
    assert stats.tokens_per_second == pytest.approx(stats.answer_tokens / stats.total_seconds)


def test_reading_the_prompt_is_told_and_what_was_read_before_is_reused() -> None:
    model = TableDenoiser(SHORT, LENGTH)
    first = of_type(run(model), Prefilled)
    assert first[-1] == Prefilled(len(PROMPT.ids), len(PROMPT.ids), 0)
    assert [one.done for one in first] == sorted(one.done for one in first)
    model.starts.clear()
    again = run(model)
    assert of_type(again, Prefilled)[-1].reused == len(PROMPT.ids)
    assert finish(again).stats.reused_tokens == len(PROMPT.ids)


# --- every way to end -------------------------------------------------------------------------------


def asked_to_stop_at(number: int) -> Callable[[], bool]:
    """Says yes from its `number`-th asking on."""
    asked = 0

    def is_cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked >= number

    return is_cancelled


def askings() -> int:
    """How often a whole run asks whether it is cancelled."""
    count = 0

    def is_cancelled() -> bool:
        nonlocal count
        count += 1
        return False

    run(TableDenoiser(THREE, LENGTH), is_cancelled=is_cancelled)
    return count


def test_a_run_stopped_at_any_asking_ends_once_and_keeps_what_it_committed() -> None:
    total = askings()
    assert total > 12
    for number in range(1, total + 1):
        model = TableDenoiser(THREE, LENGTH)
        events = run(model, is_cancelled=asked_to_stop_at(number))
        done = finish(events)
        assert done.reason is FinishReason.CANCELLED
        closed = of_type(events, CanvasClosed)
        kept = (closed[-1].thought, closed[-1].answer) if closed else ("", "")
        assert done.thought.startswith(kept[0])
        assert done.answer.startswith(kept[1])
        assert len(model.results) == len(of_type(events, StepDelta)) == done.stats.steps


def test_a_canvas_stopped_before_its_first_step_adds_nothing_to_the_answer() -> None:
    begun = False

    def first_step(work: str) -> None:
        nonlocal begun
        begun = begun or work == "start_canvas"

    done = finish(run(TableDenoiser(ENDLESS, LENGTH, trip=first_step), is_cancelled=lambda: begun))
    assert (done.reason, done.answer, done.stats.steps) == (FinishReason.CANCELLED, "", 0)
    assert done.state is AnswerState.EMPTY


def test_a_run_that_nobody_stops_asks_before_every_step() -> None:
    steps = finish(run(TableDenoiser(THREE, LENGTH))).stats.steps
    assert askings() >= steps


def raising(work: str, turn: int, error: Exception) -> Callable[[str], None]:
    """Raises in the `turn`-th piece of work of that name."""
    done = 0

    def trip(name: str) -> None:
        nonlocal done
        done += name == work
        if name == work and done == turn:
            raise error

    return trip


PLACES = [
    ("prefill", 1),
    ("start_canvas", 1),
    ("step", 1),
    ("step", 2),
    ("step", 9),
    ("commit", 1),
    ("start_canvas", 2),
]


@pytest.mark.parametrize(("work", "turn"), PLACES)
def test_a_backend_that_was_stopped_ends_the_run_as_cancelled(work: str, turn: int) -> None:
    events = run(TableDenoiser(THREE, LENGTH, trip=raising(work, turn, Cancelled())))
    assert finish(events).reason is FinishReason.CANCELLED
    assert finish(events).error is None


@pytest.mark.parametrize(("work", "turn"), PLACES)
@pytest.mark.parametrize("error", [PromptError("Too long", "It is."), EngineError("No memory", "It ran out.")])
def test_a_failing_backend_ends_the_run_as_failed_with_its_error(work: str, turn: int, error: UserError) -> None:
    events = run(TableDenoiser(THREE, LENGTH, trip=raising(work, turn, error)))
    done = finish(events)
    assert (done.reason, done.error) == (FinishReason.FAILED, error)
    closed = of_type(events, CanvasClosed)
    assert (done.thought, done.answer) == ((closed[-1].thought, closed[-1].answer) if closed else ("", ""))


@pytest.mark.parametrize(("work", "turn"), PLACES)
def test_a_bug_is_not_hidden(work: str, turn: int) -> None:
    with pytest.raises(ZeroDivisionError):
        run(TableDenoiser(THREE, LENGTH, trip=raising(work, turn, ZeroDivisionError())))


def test_a_run_can_be_left_at_any_event() -> None:
    for number in range(20):
        model = TableDenoiser(THREE, LENGTH)
        events = generate(model, job(), lambda _: None, lambda: False)
        for _ in range(number):
            next(events)
        left = len(model.results)
        assert isinstance(events, Generator)
        events.close()
        assert len(model.results) == left


def test_a_single_step_is_enough_to_end() -> None:
    done = finish(run(TableDenoiser(SHORT, LENGTH), job(sampler=replace(SETTINGS, steps=1))))
    assert (done.reason, done.stats.steps) == (FinishReason.END_TOKEN, 1)
