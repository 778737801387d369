"""Editing in place: only the span changes, whatever the model says; the rest is pinned in the canvas as well."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import PromptError
from diffdesk.core.events import AnswerState, Finished, FinishReason, RunEvent
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import ModelSpec, RunRequest, TaskKind
from diffdesk.core.trace import CanvasClosed, CanvasFold, CanvasOpened, Region, StepDelta
from diffdesk.models.profile import read_profile
from diffdesk.paths import starter_dir
from diffdesk.tasks import starter
from diffdesk.tasks.aligned_editing import span_windows
from diffdesk.tasks.runner import run_task
from diffdesk.tasks.spans import Span
from tests.unit.backends import tiny
from tests.unit.core.table_model import TableDenoiser
from tests.unit.tasks.scripted import ScriptedDenoiser, keep

ALIGNED = ModelProfile("Starter", Layout.ALIGNED, 128, gate=0.9, can_chat=False)
LONG = "the cat sat on the mat and looked at the old man by the door " * 12


def request(
    text: str,
    span: tuple[int, int] | None,
    instruction: str = "",
    earlier: Sequence[Message] = (),
    seed: int = 1,
    steps: int | None = None,
) -> RunRequest:
    return RunRequest(
        TaskKind.EDIT,
        (*earlier, Message(Role.ASSISTANT, text)),
        GenerationParameters(seed=seed, steps=steps),
        instruction=instruction,
        span=span,
    )


def run(
    denoiser: Denoiser,
    asked: RunRequest,
    profile: ModelProfile | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> tuple[list[RunEvent], Finished]:
    events = list(run_task(denoiser, profile or ModelProfile(), asked, lambda _: None, is_cancelled))
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert sum(isinstance(one, Finished) for one in events) == 1
    return events, finished


def is_kept_outside(text: str, span: tuple[int, int], answer: str) -> bool:
    start, end = span
    return answer.startswith(text[:start]) and answer.endswith(text[end:]) and len(answer) >= len(text) - (end - start)


def capitals(slots: Sequence[str]) -> list[str]:
    return [one.upper() for one in keep(slots)]


@st.composite
def spans(draw: st.DrawFn, letters: str = "abcde \n") -> tuple[str, tuple[int, int]]:
    text = draw(st.text(alphabet=st.sampled_from(letters), min_size=1, max_size=300).filter(str.strip))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text, (start, end)


# what can be edited


@pytest.mark.parametrize("profile", [ModelProfile(), ALIGNED])
@pytest.mark.parametrize("span", [None, (-1, 2), (3, 2), (2, 9), (9, 12)])
def test_a_span_that_is_not_in_the_text_is_refused(profile: ModelProfile, span: tuple[int, int] | None) -> None:
    with pytest.raises(PromptError) as caught:
        run_task(ScriptedDenoiser(), profile, request("the cat", span), lambda _: None, lambda: False)
    assert caught.value.remedy


@pytest.mark.parametrize("span", [(3, 3), (3, 4)])
def test_a_span_of_nothing_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(PromptError, match="Nothing is selected"):
        run_task(ScriptedDenoiser(), ALIGNED, request("the cat", span), lambda _: None, lambda: False)


def test_white_space_at_the_ends_of_a_span_stays_outside_of_it() -> None:
    span = Span.of(request("the  cat\nsat", (3, 9)))
    assert (span.part, span.start, span.end) == ("cat", 5, 8)


# a model that is aligned with its draft


@settings(max_examples=60, deadline=None)
@given(spans("abcde \n1é"))
def test_an_aligned_model_changes_the_span_alone(chosen: tuple[str, tuple[int, int]]) -> None:
    text, (start, end) = chosen
    if not text[start:end].strip():
        return
    _, finished = run(ScriptedDenoiser(capitals, sure=0.1), request(text, (start, end)), ALIGNED)
    wanted = "".join(one.upper() if one in "abcde" else one for one in text[start:end])
    assert finished.answer == text[:start] + wanted + text[end:]


def test_a_word_is_seen_with_all_that_fits_around_it_and_that_is_pinned() -> None:
    start = LONG.index("old man", 300)
    denoiser = ScriptedDenoiser(capitals)
    events, finished = run(denoiser, request(LONG, (start, start + 3)), ALIGNED)
    assert finished.answer == LONG[:start] + "OLD" + LONG[start + 3 :]
    (shown,) = denoiser.drafts
    assert len(shown.rstrip("_")) > 90
    (opened,) = (one for one in events if isinstance(one, CanvasOpened))
    assert opened.is_warm
    slot = shown.index("old", 40)  # in the middle of what is shown
    differs = np.flatnonzero(opened.ids != np.array([denoiser.tokenizer.ids(one)[0] for one in as_pads(shown)]))
    assert set(differs.tolist()) <= {slot, slot + 1, slot + 2}
    for step in (one for one in events if isinstance(one, StepDelta)):
        assert set(np.flatnonzero(step.regions == Region.ANSWER).tolist()) <= {slot, slot + 1, slot + 2}


def as_pads(shown: str) -> list[str]:
    return ["<pad>" if one == "_" else one for one in shown.replace("?", "x")]


def test_a_span_longer_than_a_window_goes_window_by_window() -> None:
    span = (13, len(LONG) - 20)
    events, finished = run(ScriptedDenoiser(capitals), request(LONG, span), ALIGNED)
    assert finished.answer == LONG[:13] + LONG[13:-20].upper() + LONG[-20:]
    opened = [one for one in events if isinstance(one, CanvasOpened)]
    closed = [one for one in events if isinstance(one, CanvasClosed)]
    assert len(opened) == opened[0].canvases == len(closed) > 5
    for before, after in itertools.pairwise([one.answer for one in closed]):
        assert after.startswith(before)
    assert closed[-1].answer == finished.answer


@settings(max_examples=100, deadline=None)
@given(spans())
def test_windows_hold_the_span_and_nothing_but_white_space_lies_between(chosen: tuple[str, tuple[int, int]]) -> None:
    text, chars = chosen
    if not text[slice(*chars)].strip():
        return
    span = Span.of(request(text, chars))
    at = span.start
    for start, window in span_windows(span, 64):
        assert not text[at:start].strip()
        assert window.core == text[start : start + len(window.core)]
        assert len(window.text) <= 64
        at = start + len(window.core)
    assert at == span.end


def test_a_stopped_edit_gives_the_old_text() -> None:
    stops = iter([False] * 3 + [True] * 100)
    _, finished = run(
        ScriptedDenoiser(capitals), request(LONG, (0, len(LONG))), ALIGNED, is_cancelled=lambda: next(stops)
    )
    assert finished.reason is FinishReason.CANCELLED
    assert finished.answer == LONG


def test_a_place_that_was_left_empty_stays_as_it_was() -> None:
    denoiser = ScriptedDenoiser(lambda slots: ["" for _ in slots])
    _, finished = run(denoiser, request("the cat sat", (4, 7)), ALIGNED)
    assert finished.answer == "the cat sat"
    assert finished.notes


def test_a_model_for_corrections_declines_instructions_and_other_languages() -> None:
    for asked, sentence in (
        (request("the cat sat", (4, 7), "say dog"), starter.CANT_FOLLOW),
        (request("Быстрая лиса", (0, 7)), starter.CANT_LANGUAGE),
    ):
        _, finished = run(ScriptedDenoiser(capitals), asked, ALIGNED)
        assert finished.state is AnswerState.DECLINED
        assert finished.answer == asked.messages[-1].text
        assert finished.notes == (sentence,)


@pytest.fixture(scope="module")
def shipped() -> tuple[Denoiser, ModelProfile]:
    path = starter_dir() / "starter-q8_0.gguf"
    return load(ModelSpec(path), lambda stage, share: None), read_profile(path)


def test_the_starter_model_repairs_the_selected_word_and_no_other(shipped: tuple[Denoiser, ModelProfile]) -> None:
    denoiser, profile = shipped
    text = "Tbe quick brown f0x jumps ovcr the lazy d0g while tlie rnoon rises."
    for word, right in (("ovcr", "over"), ("rnoon", "moon"), ("Tbe", "The")):
        start = text.index(word)
        asked = request(text, (start, start + len(word)))
        events, finished = run(denoiser, asked, profile)
        assert finished.answer == text.replace(word, right)
        assert run(denoiser, asked, profile)[1].answer == finished.answer, "the same seed gives the same"
        fold = CanvasFold()
        for event in events[:-1]:
            if isinstance(event, CanvasOpened | StepDelta):
                fold.apply(event)
        assert fold.frame is not None
        assert fold.frame.text() == right


def test_the_starter_model_writes_a_word_otherwise_that_it_would_leave(shipped: tuple[Denoiser, ModelProfile]) -> None:
    denoiser, profile = shipped
    text = "We looked at the ships, which were laden with grian and wine."
    start = text.index("grian")
    events, finished = run(denoiser, request(text, (start, start + 5)), profile)
    assert finished.answer != text
    assert is_kept_outside(text, (start, start + 5), finished.answer)
    opened = [one for one in events if isinstance(one, CanvasOpened)]
    closed = [one for one in events if isinstance(one, CanvasClosed)]
    assert [one.canvas for one in opened] == [one.canvas for one in closed] == [0, 1]
    assert closed[-1].answer == finished.answer
    sentence = "The ships were laden with wine and wood, and the men were glad of it."
    _, whole = run(denoiser, request(sentence, (0, len(sentence))), profile)
    assert whole.answer == sentence, "a whole sentence without a fault is left alone"


# a chat model


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Denoiser:
    folder = tiny.save(tiny.BY_NAME["plain"], tmp_path_factory.mktemp("models") / "plain")
    return load(ModelSpec(folder), lambda stage, share: None)


@settings(max_examples=25, deadline=None)
@given(spans("abcdeho \né😀"), st.sampled_from(["", "say it in a better way"]), st.integers(0, 99))
def test_a_random_chat_model_changes_nothing_outside(
    chatty: Denoiser, chosen: tuple[str, tuple[int, int]], instruction: str, seed: int
) -> None:
    text, span = chosen
    if not text[slice(*span)].strip():
        return
    events, finished = run(chatty, request(text, span, instruction, seed=seed, steps=3))
    assert is_kept_outside(text, span, finished.answer)
    if finished.reason is not FinishReason.END_TOKEN:
        assert finished.answer == text
    closed = [one for one in events if isinstance(one, CanvasClosed)]
    if closed and finished.reason is FinishReason.END_TOKEN:
        assert closed[-1].answer == finished.answer


def test_the_text_before_and_after_is_pinned_and_the_prompt_asks_for_the_part() -> None:
    wanted = "the cat sat on a mat.<turn|>"
    denoiser = TableDenoiser([wanted], 32)
    start = "the dog sat on a mat.".index("dog")
    events, finished = run(denoiser, request("the dog sat on a mat.", (start, start + 3)))
    # the table's whole text is what it wants where the canvas begins: after the last tokens before the span
    (opened,) = (one for one in events if isinstance(one, CanvasOpened))
    shown = "".join(opened.pieces)
    assert shown.startswith("the")
    assert " sat on a mat.<turn|><pad>" in shown
    assert is_kept_outside("the dog sat on a mat.", (start, start + 3), finished.answer)
    prompt = "".join(denoiser.tokenizer.pieces(denoiser.prefix))
    assert "dog" in prompt
    assert prompt.endswith("<|turn>model\n")


def test_an_instruction_lets_the_model_find_the_length() -> None:
    old, new = "a dog sat on a mat.", "a long grey cat sat on a mat."
    denoiser = TableDenoiser([f"{new}<turn|>"] * 2, 64, sharpness=9.0)
    events, finished = run(denoiser, request(old, (2, 5), "a long grey cat"))
    assert finished.answer == new
    first, second = (one for one in events if isinstance(one, CanvasOpened))
    assert (first.canvases, second.canvases) == (2, 2)
    assert " sat on a mat." not in "".join(first.pieces)
    assert "long grey cat sat on a mat.<turn|><pad>" in "".join(second.pieces)
    assert [one.answer for one in events if isinstance(one, CanvasClosed)] == ["a ", new]


def test_the_part_at_the_end_of_a_text_may_grow_too() -> None:
    denoiser = TableDenoiser(["a cat sat here and there.<turn|>"] * 2, 64, sharpness=9.0)
    _, finished = run(denoiser, request("a cat sat.", (6, 10), "longer"))
    assert finished.answer == "a cat sat here and there."


def test_a_model_that_never_comes_back_to_the_text_writes_as_much_as_there_was() -> None:
    denoiser = TableDenoiser(["a zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "a cow sat on.<turn|>"], 32, sharpness=9.0)
    _, finished = run(denoiser, request("a dog sat on.", (2, 5), "another animal"))
    assert finished.answer == "a cow sat on."


def test_what_does_not_settle_is_not_written_into_the_text() -> None:
    denoiser = TableDenoiser(["a cat"], 32, sharpness=0.0)
    _, finished = run(denoiser, request("a dog sat on.", (2, 5), steps=2))
    assert finished.reason is FinishReason.NOT_SETTLED
    assert finished.answer == "a dog sat on."


def test_a_stopped_edit_of_a_chat_model_gives_the_old_text() -> None:
    denoiser = TableDenoiser([], 64, sharpness=1.0)
    asked = request(LONG, (200, 210), steps=9)
    events, finished = run(denoiser, asked, is_cancelled=lambda: len(denoiser.fed) == 2)
    assert finished.reason is FinishReason.CANCELLED
    assert finished.answer == LONG
    assert sum(isinstance(one, StepDelta) for one in events) == 2


def test_the_conversation_goes_along_without_its_pictures() -> None:
    denoiser = TableDenoiser([], 64)
    earlier = [Message(Role.USER, "what is in it?", (ImageRef(Path("nowhere.png")),))]
    run(denoiser, request("a dog sat on.", (2, 5), earlier=earlier, steps=1))
    prompt = "".join(denoiser.tokenizer.pieces(denoiser.prefix))
    assert "what is in it?<turn|>\n<|turn>model\na dog sat on.<turn|>" in prompt


def test_a_text_longer_than_the_context_is_edited_by_what_stands_around_the_span(chatty: Denoiser) -> None:
    text = "abc def gh " * 600
    start = text.index("def", 3000)
    _, finished = run(chatty, request(text, (start, start + 3), "ab", steps=2))
    assert finished.error is None
    assert is_kept_outside(text, (start, start + 3), finished.answer)
    assert finished.stats.prompt_tokens <= chatty.capabilities.context_length


def test_a_span_that_fits_no_canvas_is_refused_as_a_whole(chatty: Denoiser) -> None:
    _, finished = run(chatty, request("a" * 60, (0, 60)))
    assert finished.reason is FinishReason.FAILED
    assert finished.answer == "a" * 60
    assert finished.error is not None
    assert finished.error.remedy == "Select less."
