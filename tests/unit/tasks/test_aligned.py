"""One aligned canvas: its prompt, what it starts from, how it reads while it runs, and the text that comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.errors import CheckpointError
from diffdesk.core.lines import LineTask
from diffdesk.core.messages import LinePicture
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.sampler import SamplerSettings
from diffdesk.core.trace import CanvasFold, Region
from diffdesk.tasks.aligned import (
    AlignedModel,
    AlignedWindow,
    WindowOutcome,
    gated_text,
    line_window,
    picture_window,
    read_text,
    text_window,
)
from diffdesk.tasks.guard import Guard
from tests.unit.core.letters import LetterTokenizer
from tests.unit.tasks.scripted import WORDS, ScriptedDenoiser

SLOTS = 128
LETTERS = "abc XYZ\n9"


def work_of(denoiser: ScriptedDenoiser, refresh: int = 1) -> AlignedModel:
    settings = SamplerSettings.resolve(GenerationParameters(refresh=refresh), denoiser.defaults)
    return AlignedModel(denoiser, settings, 1)


def finish(denoiser: ScriptedDenoiser, window: AlignedWindow) -> WindowOutcome:
    return work_of(denoiser).finish(window)


def picture(cells: int) -> LinePicture:
    return LinePicture(np.zeros((32, 32 * cells), np.uint8))


def upper(slots: Sequence[str]) -> list[str]:
    """Every small letter becomes a capital."""
    return [one.upper() if len(one) == 1 and one not in "_▢" else "" for one in slots]


def fill(letter: str) -> ScriptedDenoiser:
    """Keeps every character, and writes `letter` into every blank."""
    return ScriptedDenoiser(lambda slots: ["" if one == "▢" else letter if one == "_" else one for one in slots])


def test_a_text_stands_in_the_users_turn_after_the_task() -> None:
    denoiser = ScriptedDenoiser()
    finish(denoiser, text_window("cat\non", SLOTS, "the ", " it"))
    head = "<bos><|turn>system\nCorrect this text<turn|>\n<|turn>user\n"
    foot = "<turn|>\n<|turn>model\n"
    assert denoiser.prompts == [head + "the cat on it" + "<pad>" * (SLOTS - 13) + foot]
    assert denoiser.images == [()]


def test_a_line_stands_between_the_squares_of_its_picture() -> None:
    denoiser = ScriptedDenoiser(sees=True)
    shown = picture(3)
    finish(denoiser, line_window("cat on", np.array([5, 20, 40, 45, 50, 90], np.float32), shown, SLOTS))
    assert "Correct this line" in denoiser.prompts[0]
    assert denoiser.drafts[0].startswith("▢ca▢t o▢n__")
    assert denoiser.images == [(shown,)]
    start = denoiser.tokenizer.pieces(denoiser.starts[0].tolist())
    assert "".join(start).startswith("<pad>ca<pad>t o<pad>n<pad>")


def test_a_picture_alone_starts_cold_with_four_blanks_for_each_square() -> None:
    denoiser = ScriptedDenoiser(sees=True)
    done = finish(denoiser, picture_window(picture(2), SLOTS))
    assert done.window.task is LineTask.PICTURE
    assert "Read this line" in denoiser.prompts[0]
    assert denoiser.drafts[0].startswith("▢____▢____")
    assert len(set(denoiser.starts[0].tolist())) > 10
    with pytest.raises(ValueError, match="does not fit"):
        picture_window(picture(26), SLOTS)


def test_what_was_read_from_a_picture_comes_with_its_mean_probability() -> None:
    answer = [*"▢hi___▢_ you__", *"_" * (SLOTS - 14)]
    denoiser = ScriptedDenoiser(lambda _: ["" if one in "_▢" else one for one in answer], sure=0.5, sees=True)
    text, probability = read_text(finish(denoiser, picture_window(picture(2), SLOTS)))
    assert text == "hi you"
    assert probability == pytest.approx(0.5)
    assert read_text(finish(ScriptedDenoiser(sees=True), picture_window(picture(2), SLOTS))) == ("", 0.0)


@given(st.text(LETTERS, max_size=20), st.text(LETTERS, min_size=1, max_size=60), st.text(LETTERS, max_size=20))
def test_a_model_that_changes_nothing_gives_the_core_back(before: str, core: str, after: str) -> None:
    done = finish(ScriptedDenoiser(), text_window(core, SLOTS, before, after))
    assert gated_text(done, Guard(0.0)) == core


@given(st.text("abc ", min_size=1, max_size=30), st.integers(1, 20), st.data())
def test_a_line_that_the_model_keeps_comes_back_whole(text: str, cells: int, data: st.DataObject) -> None:
    centres = sorted(data.draw(st.lists(st.floats(0, 700), min_size=len(text), max_size=len(text))))
    window = line_window(text, np.array(centres, np.float32), picture(cells), SLOTS)
    assert gated_text(finish(ScriptedDenoiser(sees=True), window), Guard(0.0)) == text


def test_one_run_is_read_through_many_guards() -> None:
    done = finish(ScriptedDenoiser(upper, sure=0.75), text_window("cat 1a\nonce", SLOTS, "the ", " it"))
    assert gated_text(done, Guard(0.7)) == "CAT 1A\nONCE"
    assert gated_text(done, Guard(0.8)) == "cat 1a\nonce"
    assert gated_text(done, Guard(0.7, protects_numbers=True)) == "CAT 1a\nONCE"


def test_the_gate_decides_for_changes_side_by_side_together() -> None:
    def gated(text: str, *sure: float) -> str:
        done = finish(ScriptedDenoiser(upper, sure=0.9), text_window(text, SLOTS))
        evidence = done.canvas.evidence.copy()
        evidence[: len(sure)] = sure
        return gated_text(replace(done, canvas=replace(done.canvas, evidence=evidence)), Guard(0.7))

    assert gated("cat", 0.9, 0.6, 0.9) == "CAT"
    assert gated("cat", 0.9, 0.2, 0.9) == "cat"
    assert gated("c-t", 0.9, 0.9, 0.6) == "C-t"


def test_a_word_that_the_recogniser_was_sure_of_needs_more() -> None:
    confidence = np.array([0.99, 0.99, 0.0, 0.5, 0.5], np.float32)
    done = finish(ScriptedDenoiser(upper, sure=0.8), text_window("ab cd", SLOTS, "x ", confidence=confidence))
    assert gated_text(done, Guard(0.7, sure=0.9, sure_gate=0.95)) == "ab CD"
    assert gated_text(done, Guard(0.7)) == "AB CD"


def test_a_change_of_marks_alone_needs_more_than_one_of_letters() -> None:
    def pointed(slots: Sequence[str]) -> list[str]:
        return ["" if one == "_" else {"b": "d", ",": "."}.get(one, one) for one in slots]

    done = finish(ScriptedDenoiser(pointed, sure=0.8), text_window("ab c, b,", SLOTS))
    assert gated_text(done, Guard(0.7, marks_gate=0.9)) == "ad c, d."
    assert gated_text(done, Guard(0.7, marks_gate=0.8)) == "ad c. d."


def test_quotation_marks_are_written_as_in_the_rest_of_the_draft() -> None:
    def dressed(slots: Sequence[str]) -> list[str]:
        return ["" if one == "_" else {"'": "’", "x": "”", "c": "a"}.get(one, one) for one in slots]

    done = finish(ScriptedDenoiser(dressed), text_window("b'c 9x", SLOTS))
    assert gated_text(done, Guard(0.5)) == "b'a 9”"
    assert gated_text(done, Guard(0.5, straightens=True)) == "b'a 9\""


def test_only_blanks_after_the_end_of_a_text_take_insertions() -> None:
    assert gated_text(finish(fill("!"), text_window("ab", SLOTS)), Guard(0.5)) == "ab" + "!" * (SLOTS - 2)
    assert gated_text(finish(fill("!"), text_window("ab", SLOTS, "x ", " y")), Guard(0.5)) == "ab"


def test_a_blank_inside_a_line_takes_what_was_left_out_but_not_beside_a_number() -> None:
    centres = np.array([5, 6, 40, 41, 70, 71], np.float32)
    window = line_window("ab 1cd", centres, picture(4), 14)
    done = finish(fill("x"), window)
    assert gated_text(done, Guard(0.5)) == "ab 1cdxxxx"
    assert gated_text(done, Guard(0.5, protects_numbers=True)) == "ab 1cd"
    one = line_window("ab", np.array([5, 40], np.float32), picture(2), 6)
    assert gated_text(finish(fill("x"), one), Guard(0.5)) == "axbx"


def test_characters_that_the_vocabulary_lacks_stay() -> None:
    done = finish(ScriptedDenoiser(lambda slots: ["a"] * len(slots)), text_window("日本", 4))
    assert gated_text(done, Guard(0.5)) == "日本aa"


def test_a_control_token_changes_nothing() -> None:
    done = finish(ScriptedDenoiser(lambda slots: ["<|turn>"] * len(slots)), text_window("ab", 4))
    assert gated_text(done, Guard(0.5)) == "ab"


def test_the_canvas_shows_the_core_alone() -> None:
    denoiser = ScriptedDenoiser(upper)
    fold, texts, regions = CanvasFold(), [], np.zeros(0, np.uint8)
    for event in work_of(denoiser).run(text_window("cat\non", SLOTS, "the ", " it"), lambda: False):
        frame = fold.apply(event)
        texts.append("".join(frame.pieces))
        regions = frame.regions
    assert texts[0] == "cat\non"
    assert texts[-1] == "CAT\nON"
    assert regions[:13].tolist() == [Region.MARKER] * 4 + [Region.ANSWER] * 6 + [Region.MARKER] * 3
    assert set(regions[13:].tolist()) == {Region.AFTER_END}


def test_a_canvas_shows_nothing_at_the_squares_of_a_picture() -> None:
    window = line_window("ab", np.array([5, 40], np.float32), picture(2), 8)
    fold = CanvasFold()
    frames = [fold.apply(event) for event in work_of(fill("x")).run(window, lambda: False)]
    assert frames[0].pieces == ("", "a", "", "", "b", "", "", "")
    assert frames[-1].pieces == ("", "a", "x", "", "b", "x", "x", "x")
    assert frames[-1].regions.tolist() == [2, 0, 0, 2, 0, 0, 0, 0]


def test_a_vocabulary_without_what_is_needed_is_refused() -> None:
    without = [one for one in LetterTokenizer().pieces(range(12)) if one not in ("<unk>", "<|turn>")]
    blind = ScriptedDenoiser(tokenizer=LetterTokenizer(without, WORDS))
    with pytest.raises(CheckpointError, match="vocabulary"):
        finish(blind, text_window("ab", SLOTS))
    turnless = ScriptedDenoiser(tokenizer=LetterTokenizer([*without, "<unk>"], WORDS))
    with pytest.raises(CheckpointError, match="vocabulary"):
        finish(turnless, text_window("ab", SLOTS))


@pytest.mark.parametrize(
    ("window", "length"),
    [
        (text_window("a cat", SLOTS), 32),
        (text_window("a cat sat on the mat on the r", SLOTS), 64),
        (text_window("ab " * 42, SLOTS), 128),
        (picture_window(picture(6), SLOTS), 32),
    ],
)
def test_where_work_is_to_be_saved_a_canvas_is_as_long_as_it_has_to_be(window: AlignedWindow, length: int) -> None:
    short, whole = ScriptedDenoiser(upper, sure=0.75), ScriptedDenoiser(upper, sure=0.75)
    saved, usual = work_of(short, refresh=8).finish(window), work_of(whole).finish(window)
    assert len(short.starts[0]) == length
    assert len(whole.starts[0]) == SLOTS
    assert short.prompts == whole.prompts
    assert len(saved.canvas.ids) == len(saved.canvas.evidence) == SLOTS
    assert gated_text(saved, Guard(0.7)) == gated_text(usual, Guard(0.7))
