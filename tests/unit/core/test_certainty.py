"""Evidence for tokens as certainty of characters: bytes of one character, thoughts, stopped canvases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.certainty import HeldTokens, token_spans
from diffdesk.core.denoising import CanvasStart
from diffdesk.core.events import Finished, FinishReason
from diffdesk.core.generation import Job, generate
from diffdesk.core.sampler import Draws
from diffdesk.core.trace import CanvasOpened, StepDelta
from tests.unit.backends import tiny
from tests.unit.core.letters import LetterTokenizer
from tests.unit.core.table_model import TableDenoiser
from tests.unit.core.test_generation import LENGTH, PROMPT, SETTINGS, THREE

LETTERS = LetterTokenizer()


@pytest.fixture(scope="module")
def fallback(tmp_path_factory: pytest.TempPathFactory) -> FastTokenizer:
    """Letters a to p, everything else as bytes."""
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tiny.tokenizer().save(str(path))
    return FastTokenizer(path, tiny.VOCABULARY)


def held(ids: list[int], evidence: list[float]) -> HeldTokens:
    made = HeldTokens()
    made.take(np.array(ids, np.int32), np.array(evidence, np.float32))
    return made


def test_a_token_of_several_characters_gives_each_its_evidence() -> None:
    ids = LETTERS.encode("the cat")  # "th" is one token
    assert token_spans(LETTERS, ids)[1][:3] == [(0, 2), (2, 3), (3, 4)]
    certainty = held(ids, [0.25, *[0.75] * (len(ids) - 1)]).certainty(LETTERS)
    assert certainty.tolist() == [0.25, 0.25, *[0.75] * 5]


def test_a_character_of_several_bytes_is_as_sure_as_the_least_sure_of_them(fallback: FastTokenizer) -> None:
    text = "aé😀b€"
    ids = fallback.encode(text)
    assert len(ids) == 1 + 2 + 4 + 1 + 3
    evidence = [0.5, 0.75, 0.25, 1.0, 1.0, 0.125, 1.0, 0.5, 1.0, 1.0, 0.75]
    assert held(ids, evidence).certainty(fallback).tolist() == [0.5, 0.25, 0.125, 0.5, 0.75]


def test_bytes_that_are_no_character_stand_for_themselves(fallback: FastTokenizer) -> None:
    ids = [*fallback.encode("a"), *fallback.encode("é")[:1], *fallback.encode("b")]
    assert held(ids, [0.5, 0.25, 0.75]).certainty(fallback).tolist() == [0.5, 0.25, 0.75]


@given(st.lists(st.integers(min_value=13, max_value=tiny.VOCABULARY - 12), max_size=24))
def test_every_character_has_a_certainty_whatever_the_tokens_are(fallback: FastTokenizer, ids: list[int]) -> None:
    text, spans = token_spans(fallback, ids)
    assert text == fallback.decode(ids)
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)
    assert len(held(ids, [0.5] * len(ids)).certainty(fallback)) == len(text)


# --- of a run ---------------------------------------------------------------------------------------


def job(start: CanvasStart | None = None) -> Job:
    return Job(PROMPT, SETTINGS, 7, 4, LENGTH, start=start)


def test_an_answer_over_several_canvases_comes_with_the_evidence_for_each_token() -> None:
    model, tokens = TableDenoiser(THREE, LENGTH), HeldTokens()
    steps: dict[int, int] = {}
    for event in generate(model, job(), lambda _: None, lambda: False, tokens):
        if isinstance(event, StepDelta):
            steps[event.canvas] = event.step
        elif isinstance(event, Finished):
            assert model.tokenizer.decode(tokens.ids) == event.answer == "Then I speak."
    # The first canvas is all thought; of the second the answer begins after the thought's end.
    expected: list[float] = []
    done = 0
    for canvas, count in steps.items():
        results = model.results[done : done + count]
        done += count
        final = results[-1].argmax
        evidence = np.mean([np.where(one.argmax == final, one.probability, 0) for one in results], axis=0)
        said = model.tokenizer.pieces(final.tolist())
        first = [len(said), said.index("<channel|>") + 1 if canvas == 1 else 0, 0][canvas]
        expected += [float(evidence[at]) for at in range(first, len(said)) if not said[at].startswith("<")]
    assert tokens.evidence == pytest.approx(expected, abs=1e-6)
    assert len(tokens.certainty(model.tokenizer)) == len("Then I speak.")


def test_the_first_canvas_begins_as_it_is_told_and_the_next_with_noise() -> None:
    text = "first I thimk"
    ids = np.array(LETTERS.ids(text) + [0] * (LENGTH - len(LETTERS.ids(text))), np.int32)
    confidence = np.linspace(0, 1, LENGTH, dtype=np.float32)
    pinned = np.arange(LENGTH) == LENGTH - 1
    start = CanvasStart(5, 9, ids, confidence, is_warm=True, pinned=pinned)
    model = TableDenoiser(("hello " * 2, "there<turn|>"), LENGTH)
    events = list(generate(model, job(start=start), lambda _: None, lambda: False))
    opened = [one for one in events if isinstance(one, CanvasOpened)]
    assert [(one.canvas, one.canvases, one.is_warm) for one in opened] == [(0, 4, True), (1, 4, False)]
    assert np.array_equal(model.starts[0][0], ids)
    assert [one is confidence for _, one in model.starts] == [True, False]
    assert model.starts[1][1] is None
    assert np.array_equal(model.fed[0], ids)
    assert model.committed[0][-1] == ids[-1]  # pinned
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.stats.steps == sum(isinstance(one, StepDelta) for one in events)


def test_noise_of_a_start_is_the_noise_that_the_run_would_have_begun_with() -> None:
    cold, warm = TableDenoiser(THREE, LENGTH), TableDenoiser(THREE, LENGTH)
    noise = Draws(7, LETTERS.vocab_size).noise(LENGTH)
    list(generate(cold, job(), lambda _: None, lambda: False))
    list(generate(warm, job(start=CanvasStart(0, 1, noise)), lambda _: None, lambda: False))
    assert [one.tolist() for one in warm.fed] == [one.tolist() for one in cold.fed]


def test_of_a_stopped_canvas_what_was_held_to_is_kept_with_its_evidence() -> None:
    model, tokens = TableDenoiser(("hello there",), LENGTH), HeldTokens()
    events = list(generate(model, job(), lambda _: None, lambda: len(model.results) == 5, tokens))
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.CANCELLED
    assert model.tokenizer.decode(tokens.ids) == finished.answer != ""
    assert all(one >= 0.5 for one in tokens.evidence)
