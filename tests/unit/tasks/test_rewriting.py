"""Rewriting a row: how long its canvas is, what the model is told, and what the starter model declines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Capabilities, Denoiser, Prompt
from diffdesk.core.errors import PromptError
from diffdesk.core.events import AnswerState, Finished, FinishReason, RunEvent
from diffdesk.core.messages import Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.presets import instruction_of, preset_named
from diffdesk.core.profile import ModelProfile
from diffdesk.core.requests import RunRequest, TaskKind
from diffdesk.core.trace import CanvasOpened
from diffdesk.models.profile import read_profile
from diffdesk.services.models import spec_of
from diffdesk.tasks.rewriting import CUT_OFF, RULES, room_for
from diffdesk.tasks.runner import run_task
from diffdesk.tasks.starter import CANT_LANGUAGE, CANT_REWRITE
from tests.unit.core.table_model import TableDenoiser

CORRECT = instruction_of(preset_named("correct"))


def events_of(
    denoiser: Denoiser, text: str, instruction: str = "Shout.", profile: ModelProfile | None = None
) -> list[RunEvent]:
    asked = RunRequest(
        TaskKind.REWRITE, (Message(Role.USER, text),), GenerationParameters(seed=1), instruction=instruction
    )
    return list(run_task(denoiser, profile or ModelProfile(), asked, lambda event: None, lambda: False))


def finished(events: Sequence[RunEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def test_the_new_text_comes_without_white_space_around_it() -> None:
    end = finished(events_of(TableDenoiser([" HELLO\n<turn|>"], 32), "hello"))
    assert (end.answer, end.state, end.reason) == ("HELLO", AnswerState.COMPLETE, FinishReason.END_TOKEN)


def test_the_model_is_told_rules_and_instruction_before_the_row_so_that_rows_share_them() -> None:
    denoiser = TableDenoiser(["A<turn|>", "B<turn|>"], 32)
    events_of(denoiser, "first row")
    first = list(denoiser.prefix)
    stats = finished(events_of(denoiser, "second row")).stats
    said = "".join(denoiser.tokenizer.pieces(first))
    before = said.index("first row")
    assert said.index("Shout.") < before
    assert RULES[:20] in said[:before]
    assert stats.reused_tokens >= len(denoiser.tokenizer.ids(said[:before])) - 5


@pytest.mark.parametrize("text", ["<turn|>", " \n<turn|>"])
def test_an_answer_without_text_is_empty(text: str) -> None:
    assert finished(events_of(TableDenoiser([text], 32), "hello")).state is AnswerState.EMPTY


def test_a_text_that_does_not_end_is_cut_off_and_that_is_said() -> None:
    end = finished(events_of(TableDenoiser(["a" * 32] * 9, 32), "hello"))
    assert end.reason is FinishReason.LENGTH
    assert end.notes == (CUT_OFF,)
    assert set(end.answer) == {"a"}


def test_a_long_row_has_several_canvases() -> None:
    denoiser = TableDenoiser(["a" * 32, "b" * 32, "cc<turn|>"], 32)
    end = finished(events_of(denoiser, "x" * 40))
    assert end.answer == "a" * 32 + "b" * 32 + "cc"
    assert end.stats.canvases == 3


@dataclass(slots=True)
class Sized(TableDenoiser):
    """A model with a canvas and a context of any length."""

    context: int = 100_000

    @property
    def capabilities(self) -> Capabilities:
        return replace(TableDenoiser(self.texts, self.length).capabilities, context_length=self.context)


@pytest.mark.parametrize(
    ("characters", "growth", "expected"),
    [(5, 2.0, (32, 2)), (20, 2.0, (64, 2)), (20, 1.0, (32, 2)), (100, 1.25, (256, 2)), (300, 2.0, (256, 5))],
)
def test_a_canvas_is_as_long_as_the_row_and_the_instruction_need(
    characters: int, growth: float, expected: tuple[int, int]
) -> None:
    denoiser = Sized([], 256)
    prompt = Prompt(np.zeros(50, np.int32))
    assert room_for(denoiser, prompt, "a" * characters, growth) == expected


def test_a_short_row_opens_a_short_canvas() -> None:
    opened = next(one for one in events_of(TableDenoiser(["A<turn|>"], 32), "a") if isinstance(one, CanvasOpened))
    assert len(opened.ids) == 32


def test_a_row_that_the_context_does_not_hold_is_refused() -> None:
    denoiser = Sized([], 256, context=900)
    with pytest.raises(PromptError, match="too long"):
        events_of(denoiser, "a" * 700)


@pytest.mark.parametrize(("text", "instruction"), [("hello", " "), ("  ", "Shout.")])
def test_a_row_without_an_instruction_and_one_without_text_are_refused(text: str, instruction: str) -> None:
    with pytest.raises(PromptError):
        events_of(TableDenoiser([], 32), text, instruction)


# --- the starter model ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def starter() -> Denoiser:
    return load(spec_of(None), lambda stage, share: None)


@pytest.fixture(scope="module")
def profile() -> ModelProfile:
    return read_profile(spec_of(None).path)


def test_the_starter_corrects_a_row_and_keeps_its_figures(starter: Denoiser, profile: ModelProfile) -> None:
    end = finished(events_of(starter, "Tbe quiek brown fox, 12.5O kg", CORRECT, profile))
    assert end.answer == "The quick brown fox, 12.5O kg"
    assert end.state is AnswerState.COMPLETE


def test_the_starter_declines_instructions_and_other_languages(starter: Denoiser, profile: ModelProfile) -> None:
    end = finished(events_of(starter, "Tbe fox", "Translate this into German.", profile))
    assert (end.state, end.notes, end.answer) == (AnswerState.DECLINED, (CANT_REWRITE,), "Tbe fox")
    german = "Der schnelle Fuchs ist nicht auf den Zaun und in die Wiese gesprungen"
    end = finished(events_of(starter, german, CORRECT, profile))
    assert (end.state, end.notes, end.answer) == (AnswerState.DECLINED, (CANT_LANGUAGE,), german)
