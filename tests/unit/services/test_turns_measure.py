"""Measuring chat models on pages: tiny random ones of the true architecture, as GGUF files and as folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Denoiser
from diffdesk.core.events import Finished
from diffdesk.core.messages import Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.profile import ModelProfile
from diffdesk.core.requests import ModelSpec, ReadLine, ReadWord, RunRequest, TaskKind
from diffdesk.core.sampler import Draws, SamplerSettings, temperature_at
from diffdesk.core.trace import CanvasOpened, StepDelta
from diffdesk.documents.recogniser import Recogniser
from diffdesk.services.models import starter_model
from diffdesk.services.page_figures import page_figures_of
from diffdesk.services.page_measure import TruePage, measure_page, open_page_bench
from diffdesk.services.starter_measure import SEED, StarterBench
from diffdesk.services.turns_measure import TurnsBench
from diffdesk.tasks.chat import build_prompt
from diffdesk.tasks.correction import INSTRUCTION, correct_in_turns
from diffdesk.tasks.draft_start import draft_start
from diffdesk.tasks.read_lines import word_confidence
from diffdesk.tasks.task_run import TaskRun
from tests.unit.backends import tiny
from tests.unit.backends.ggml.models import as_gguf
from tests.unit.documents import drawing

TEXT = "a bad cab, a lab and a fog"
LENGTH = 64


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random chat model as a GGUF file, with canvases that hold a line."""
    folder = tmp_path_factory.mktemp("chat")
    shape = replace(tiny.BY_NAME["plain"], canvas=LENGTH)
    return as_gguf(tiny.save(shape, folder / "folder"), folder / "gguf")


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random chat model that sees, as a folder."""
    shape = replace(tiny.BY_NAME["seeing"], canvas=LENGTH)
    folder = tiny.save(shape, tmp_path_factory.mktemp("chat") / "seeing")
    tiny.edit_json(folder / "preprocessor_config.json", max_soft_tokens=70)
    return folder


@pytest.fixture
def page(tmp_path: Path) -> TruePage:
    drawing.paragraph().save(tmp_path / "page.png")
    return TruePage(tmp_path / "page.png", "\n".join(drawing.LEFT_COLUMN))


@pytest.fixture(scope="module")
def recogniser() -> Iterator[Recogniser]:
    made = Recogniser()
    yield made
    made.close()


def lines(page: Path) -> tuple[ReadLine, ...]:
    words = tuple(ReadWord(word, 0, 1, 0.3 if word == "lab" else 0.9) for word in TEXT.split())
    return (ReadLine(TEXT, page, 0, (0, 0, 100, 20), words),)


@pytest.mark.parametrize(("model", "is_warm"), [("file", False), ("file", True), ("seeing", True)])
def test_a_random_chat_model_does_a_page_no_harm(
    model: str, is_warm: bool, page: TruePage, recogniser: Recogniser, request: pytest.FixtureRequest
) -> None:
    bench = open_page_bench(ModelSpec(request.getfixturevalue(model), device="cpu"), is_warm=is_warm)
    assert isinstance(bench, TurnsBench)
    assert bench.is_warm is is_warm
    try:
        result = measure_page(bench, recogniser, page)
    finally:
        bench.close()
    assert result.corrected == result.draft == result.cold
    assert len(result.steps_warm) >= 6 <= len(result.steps_cold)
    figures = page_figures_of([result])
    assert figures.cer_corrected == figures.cer_draft < 0.1
    assert figures.over_correction == 0
    assert min(figures.steps_warm, figures.steps_cold) >= 1
    assert set(figures.to_json()) >= {"cer_cold", "cer_no_gate", "wer_draft", "wer_corrected", "seconds_per_page"}


def test_a_blank_page_is_no_work_for_a_model(file: Path, tmp_path: Path, recogniser: Recogniser) -> None:
    drawing.blank(200, 200).save(tmp_path / "blank.png")
    bench = open_page_bench(ModelSpec(file, device="cpu"), is_warm=False)
    try:
        result = measure_page(bench, recogniser, TruePage(tmp_path / "blank.png", ""))
    finally:
        bench.close()
    assert (result.draft, result.corrected, result.steps_cold) == ("", "", ())


def test_the_starter_is_measured_as_before() -> None:
    bench = open_page_bench(ModelSpec(starter_model()), is_warm=True)
    try:
        assert isinstance(bench, StarterBench)
    finally:
        bench.close()


# --- a draft as the start of a real canvas ----------------------------------------------------------


@pytest.fixture(scope="module")
def denoiser(file: Path) -> Iterator[Denoiser]:
    made = load(ModelSpec(file, device="cpu"), lambda stage, share: None)
    yield made
    made.close()


def test_draft_and_confidence_reach_the_model_and_steps_are_counted(denoiser: Denoiser) -> None:
    page = Path("page.png")
    request = RunRequest(TaskKind.CORRECT, (Message(Role.USER, TEXT),), read_lines=lines(page))
    settings = SamplerSettings.resolve(GenerationParameters(), denoiser.defaults)
    run = TaskRun(denoiser, request, settings, SEED, lambda _: None, lambda: False)
    events = list(correct_in_turns(run, is_warm=True))
    opened = [one for one in events if isinstance(one, CanvasOpened)]
    deltas = [one for one in events if isinstance(one, StepDelta)]
    assert opened[0].is_warm
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.stats.steps == len(deltas)
    start = draft_start(denoiser, TEXT, word_confidence(lines(page)[0]), LENGTH, SEED)
    assert start is not None
    assert start.confidence is not None
    assert np.array_equal(opened[0].ids, start.ids)
    # The same step by hand, after the same prompt.
    prompt = build_prompt(denoiser, [Message(Role.USER, TEXT)], system=INSTRUCTION, thinking=False)
    denoiser.prefill(prompt, lambda done, of: None)
    first = deltas[0]
    shown = start.ids.copy()
    shown[first.positions] = first.ids
    draws = Draws(SEED, denoiser.tokenizer.vocab_size)
    draws.noise(LENGTH)
    uniforms = draws.uniforms(LENGTH)
    by_hand = {}
    for name, sure in (("told", start.confidence), ("untold", None)):
        denoiser.start_canvas(start.ids, sure)
        by_hand[name] = denoiser.step(start.ids, temperature_at(1, settings), uniforms).argmax
    assert np.array_equal(shown, by_hand["told"])
    assert not np.array_equal(shown, by_hand["untold"])


def test_a_profile_that_says_so_begins_with_the_draft(denoiser: Denoiser) -> None:
    bench = TurnsBench(denoiser, ModelProfile(is_warm_started=True), is_warm=True)
    warm = bench.correct(TEXT, Path("page.png"), lines(Path("page.png")), is_warm=True)
    cold = bench.correct(TEXT, Path("page.png"), lines(Path("page.png")), is_warm=False)
    assert sum(warm.steps) > 0 < sum(cold.steps)
    assert warm.corrected == cold.corrected == TEXT
