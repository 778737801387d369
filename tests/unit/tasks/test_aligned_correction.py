"""Correction over an aligned canvas: every part finds its way back, lines go with their pictures, guards decide."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from diffdesk.core.events import AnswerState, Finished, FinishReason, RunEvent
from diffdesk.core.lines import slots_needed
from diffdesk.core.messages import ImageRef, LinePicture, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.proposals import made_text
from diffdesk.core.requests import ReadLine, ReadWord, RunRequest, TaskKind
from diffdesk.core.trace import CanvasClosed, CanvasOpened
from diffdesk.tasks import starter
from diffdesk.tasks.aligned_correction import Draft, Guards, parts_of
from diffdesk.tasks.guard import Guard
from diffdesk.tasks.read_lines import LinePiece, Pages, cut_line, match_lines
from diffdesk.tasks.runner import run_task
from tests.unit.tasks.scripted import ScriptedDenoiser, keep

SLOTS = 128
PROFILE = ModelProfile(
    "Starter", Layout.ALIGNED, SLOTS, gate=0.5, read_gate=0.6, line_gate=0.7, held_share=1.0, can_chat=False
)
GUARDS = Guards(Guard(0.5), Guard(0.5))


def read_line(text: str, image: Path = Path("page.png"), top: int = 10, **changes: float) -> ReadLine:
    """A line whose characters are ten pixels wide, in a box twenty pixels high."""
    words: list[ReadWord] = []
    end = 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        words.append(ReadWord(word, 20 + 10 * start, 20 + 10 * end, changes.get("sure", 0.5)))
    box = (20, top, 20 + 10 * len(text), top + 20)
    return ReadLine(text, image, int(changes.get("turned", 0)), box, tuple(words), changes.get("confidence", 0.9))


def request(text: str, lines: Sequence[ReadLine] = (), *images: ImageRef) -> RunRequest:
    return RunRequest(TaskKind.CORRECT, (Message(Role.USER, text, images),), GenerationParameters(seed=1), tuple(lines))


def run(
    denoiser: ScriptedDenoiser,
    asked: RunRequest,
    profile: ModelProfile = PROFILE,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> tuple[list[RunEvent], Finished]:
    events = list(run_task(denoiser, profile, asked, lambda _: None, is_cancelled))
    finished = events[-1]
    assert isinstance(finished, Finished)
    return events, finished


def answer(denoiser: ScriptedDenoiser, asked: RunRequest, profile: ModelProfile = PROFILE) -> str:
    return run(denoiser, asked, profile)[1].answer


def capitals(slots: Sequence[str]) -> list[str]:
    return [one.upper() for one in keep(slots)]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page whose rows get darker from top to bottom, with marks."""
    image = Image.new("L", (900, 200), 255)
    pen = ImageDraw.Draw(image)
    for row in range(0, 200, 40):
        pen.rectangle((20, row + 10, 20 + 5 * (row + 10), row + 25), fill=30)
    image.save(tmp_path / "page.png")
    return tmp_path / "page.png"


# text


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=st.sampled_from("abcde \n\t\r—é1"), max_size=400))
def test_a_model_that_changes_nothing_gives_the_text_back(text: str) -> None:
    if text.strip():
        assert answer(ScriptedDenoiser(), request(text)) == text


def test_only_the_core_of_each_window_is_taken_and_line_ends_stay() -> None:
    text = "\n\n".join(["the cat sat on\nthe mat and looked at the old man " * 6] * 2)
    denoiser = ScriptedDenoiser(capitals)
    events, finished = run(denoiser, request(text))
    assert finished.answer == text.upper()
    assert finished.reason is FinishReason.END_TOKEN
    assert all(one.rstrip("_").count(" ") > 3 and len(one) == SLOTS for one in denoiser.drafts)
    opened = [one for one in events if isinstance(one, CanvasOpened)]
    closed = [one for one in events if isinstance(one, CanvasClosed)]
    assert [one.canvas for one in opened] == [one.canvas for one in closed] == list(range(opened[0].canvases))
    for before, after in itertools.pairwise([one.answer for one in closed]):
        assert after.startswith(before)
    assert all(finished.answer.startswith(one.answer) for one in closed)
    assert all(one.is_warm for one in opened)


def test_windows_know_the_words_around_them() -> None:
    denoiser = ScriptedDenoiser()
    run(denoiser, request("one two three four five six seven eight nine ten " * 6))
    assert all(len(one.rstrip("_")) > 100 for one in denoiser.drafts[:-1])


def test_what_was_not_reached_stays_as_it_was() -> None:
    text = "the cat sat on the mat " * 20
    stops = iter([False] * 5 + [True] * 100)
    _, finished = run(ScriptedDenoiser(capitals), request(text), is_cancelled=lambda: next(stops))
    assert finished.reason is FinishReason.CANCELLED
    assert finished.answer.upper() == text.upper()
    assert finished.answer.endswith("cat sat on the mat ")
    assert finished.answer.startswith("THE CAT")


def test_a_recognisers_text_has_a_gate_of_its_own_and_keeps_its_numbers() -> None:
    text = "the cat\nhas 9lives"
    lines = [read_line("the cat"), read_line("has 9lives")]
    assert answer(ScriptedDenoiser(capitals, sure=0.55), request(text, lines)) == text
    assert answer(ScriptedDenoiser(capitals, sure=0.65), request(text, lines)) == "THE CAT\nHAS 9lives"
    assert answer(ScriptedDenoiser(capitals, sure=0.55), request(text)) == "THE CAT\nHAS 9LIVES"


def test_words_that_the_recogniser_was_sure_of_are_protected_on_request() -> None:
    careful = replace(PROFILE, sure=0.95)
    lines = [read_line("the cat", sure=0.99), read_line("sat here", sure=0.5)]
    text = "the cat\nsat here"
    assert answer(ScriptedDenoiser(capitals, sure=0.8), request(text, lines), careful) == "the cat\nSAT HERE"
    assert answer(ScriptedDenoiser(capitals, sure=0.8), request(text, lines)) == "THE CAT\nSAT HERE"


# lines with their pictures


def test_each_line_goes_with_its_own_picture(page: Path) -> None:
    lines = [read_line("the cat", page, 10), read_line("sat on the mat", page, 50)]
    denoiser = ScriptedDenoiser(capitals, sees=True)
    events, finished = run(denoiser, request("the cat\nsat on the mat\n", lines))
    assert finished.answer == "THE CAT\nSAT ON THE MAT\n"
    assert [one.count("▢") for one in denoiser.drafts] == [4, 7]
    first, second = (images[0] for images in denoiser.images)
    assert isinstance(first, LinePicture)
    assert isinstance(second, LinePicture)
    assert (first.cells, second.cells) == (4, 7)
    assert all("Correct this line" in one for one in denoiser.prompts)
    assert [one.canvases for one in events if isinstance(one, CanvasOpened)] == [2, 2]
    closed = [one.answer for one in events if isinstance(one, CanvasClosed)]
    assert closed == ["THE CAT\n", finished.answer], "the next line is shown below what is done"


def test_a_line_needs_the_gate_of_lines(page: Path) -> None:
    lines = [read_line("the cat", page)]
    assert answer(ScriptedDenoiser(capitals, sure=0.65, sees=True), request("the cat", lines)) == "the cat"
    assert answer(ScriptedDenoiser(capitals, sure=0.75, sees=True), request("the cat", lines)) == "THE CAT"


def test_lines_that_were_edited_go_as_text(page: Path) -> None:
    lines = [read_line(one, page, 10) for one in ("the cat", "sat on the mat", "and looked")]
    denoiser = ScriptedDenoiser(capitals, sees=True)
    assert answer(denoiser, request("the cat\nlay on a mat\nand looked", lines)) == "THE CAT\nLAY ON A MAT\nAND LOOKED"
    tasks = [one.partition("Correct this ")[2][:4] for one in denoiser.prompts]
    assert tasks == ["line", "text", "line"]
    assert denoiser.drafts[1].startswith("the cat lay on a mat and looked_")


def test_a_model_that_is_blind_gets_the_text_alone(page: Path) -> None:
    denoiser = ScriptedDenoiser(capitals)
    assert answer(denoiser, request("the cat", [read_line("the cat", page)])) == "THE CAT"
    assert denoiser.images == [()]


def test_a_page_that_is_gone_leaves_the_text_and_a_note(page: Path) -> None:
    lines = [read_line("the cat", page), read_line("sat on", page.with_name("gone.png")), read_line("the mat", page)]
    denoiser = ScriptedDenoiser(capitals, sees=True)
    _, finished = run(denoiser, request("the cat\nsat on\nthe mat", lines))
    assert finished.answer == "THE CAT\nSAT ON\nTHE MAT"
    assert finished.error is None
    assert "gone.png can't be opened" in finished.notes[0]
    assert [len(one) for one in denoiser.images] == [1, 0, 1]


def test_a_place_outside_the_page_leaves_the_text(page: Path) -> None:
    denoiser = ScriptedDenoiser(capitals, sees=True)
    assert answer(denoiser, request("the cat", [read_line("the cat", page, top=190)])) == "THE CAT"
    assert denoiser.images == [()]


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_turned_page_is_turned_before_it_is_cut(tmp_path: Path, turned: int) -> None:
    upright = Image.new("L", (300, 100), 255)
    ImageDraw.Draw(upright).rectangle((20, 12, 50, 28), fill=0)
    path = tmp_path / "page.png"
    upright.rotate(turned, expand=True).save(path)  # against the clock, so it must be turned with it
    line = read_line("the cat", path, turned=turned)
    pictures = [Pages().picture(piece) for piece in cut_line(line, SLOTS)]
    assert pictures[0] is not None
    dark = pictures[0].pixels < 128
    assert dark[:, :40].mean() > 0.5
    assert not dark[:, 60:].any()


# lines: cutting and matching


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=60))
def test_a_long_line_is_cut_between_words_into_pieces_that_fit(words: list[str]) -> None:
    line = read_line(" ".join(words))
    pieces = cut_line(line, SLOTS)
    assert "".join(one.text + one.separator for one in pieces) == line.text
    lefts = [one.box[0] for one in pieces]
    assert lefts == sorted(lefts)
    for one in pieces:
        assert one.box[0] < one.box[2]
        assert slots_needed(len(one.text), one.centres, one.cells) <= SLOTS
        assert np.all(np.diff(one.centres) >= 0)
        assert one.centres.min() >= 0
        assert one.centres.max() <= 32 * one.cells


def test_a_wide_gap_is_left_out_of_both_pictures() -> None:
    words = (ReadWord("Date", 20, 60, 1.0), ReadWord("Balance", 1700, 1770, 1.0))
    line = ReadLine("Date Balance", Path("page.png"), 0, (20, 10, 1770, 30), words)
    assert [(one.text, one.separator, one.box) for one in cut_line(line, SLOTS)] == [
        ("Date", " ", (20, 10, 70, 30)),
        ("Balance", "", (1690, 10, 1770, 30)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        ReadLine("the cat", Path("page.png"), 0, (20, 10, 90, 30)),
        ReadLine("the cat", Path("page.png"), 0, (20, 10, 90, 30), (ReadWord("the", 20, 50, 1.0),)),
        ReadLine("x" * 200, Path("page.png"), 0, (20, 10, 2020, 30), (ReadWord("x" * 200, 20, 2020, 1.0),)),
    ],
)
def test_a_line_whose_places_are_not_known_or_that_cant_be_cut_has_no_pieces(line: ReadLine) -> None:
    assert cut_line(line, SLOTS) == ()


def test_lines_are_found_again_in_order() -> None:
    lines = [read_line(one) for one in ("the cat", "sat", "the cat", "ran")]
    draft = "A title\nthe cat\nsat there\nthe cat\n\nran"
    assert [(start, lines.index(line), draft[start:][:3]) for start, line in match_lines(draft, lines)] == [
        (8, 0, "the"),
        (26, 0, "the"),
        (35, 3, "ran"),
    ]
    assert match_lines("", lines) == []
    assert match_lines("the cat", ()) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["the cat", "sat on the mat", "", "it " * 60 + "end", "  ", "99"]), max_size=8), st.data()
)
def test_all_parts_join_to_the_draft(read: list[str], data: st.DataObject) -> None:
    lines = [read_line(one) for one in read if one.strip()]
    drafted = [data.draw(st.sampled_from([one, one, one + "x"])) for one in read]
    text = "\n".join(drafted)
    parts = parts_of(Draft(text, SLOTS, GUARDS, tuple(lines)), with_pictures=True)
    joined = [
        (one.text, one.separator) if isinstance(one, LinePiece) else (one.window.text, one.window.separator)
        for one in parts
    ]
    assert "".join(core + separator for core, separator in joined) == text


# a picture alone


def reads(slots: Sequence[str]) -> list[str]:
    """Reads "dog" from every picture that comes alone, and otherwise keeps what is there."""
    is_alone = "▢" in slots and all(one in "▢_" for one in slots)
    return ["", *"dog", *[""] * (len(slots) - 4)] if is_alone else keep(slots)


def test_a_hopeless_line_is_read_from_its_picture_if_the_model_is_sure(page: Path) -> None:
    asks = replace(PROFILE, picture_gate=0.8)
    lines = [read_line("the cat", page), read_line("tbc ct", page, confidence=0.3)]
    asked = request("the cat\ntbc ct\n", lines)
    sure = ScriptedDenoiser(reads, sure=0.9, sees=True)
    events, finished = run(sure, asked, asks)
    assert finished.answer == "the cat\ndog\n"
    assert [one.canvas for one in events if isinstance(one, CanvasClosed)] == [0, 1]
    unsure = ScriptedDenoiser(reads, sure=0.7, sees=True)
    events, finished = run(unsure, asked, asks)
    assert finished.answer == "the cat\ntbc ct\n"
    assert [one.canvas for one in events if isinstance(one, CanvasClosed)] == [0, 1, 2]
    assert len(unsure.prompts) == 3
    never = ScriptedDenoiser(reads, sure=0.9, sees=True)
    assert answer(never, asked) == "the cat\ntbc ct\n"


# what it is not asked


def test_other_things_end_in_a_friendly_sentence(page: Path) -> None:
    denoiser = ScriptedDenoiser(capitals, sees=True)
    chat = RunRequest(TaskKind.CHAT, (Message(Role.USER, "What is this?", (ImageRef(page),)),))
    for asked, sentence in (
        (chat, starter.CANT_CHAT),
        (request("", (), ImageRef(page)), starter.CANT_LOOK),
        (request("Der Fuchs ist nicht auf der Wiese und das ist gut"), starter.CANT_LANGUAGE),
    ):
        _, finished = run(denoiser, asked)
        assert finished.state is AnswerState.DECLINED
        assert finished.notes == (sentence,)
    assert denoiser.prompts == []


# what is proposed


def test_every_change_is_proposed_and_those_that_are_made_give_the_answer() -> None:
    text = "the cat\nhas 9lives"
    lines = [read_line("the cat"), read_line("has 9lives")]
    _, finished = run(ScriptedDenoiser(capitals, sure=0.65), request(text, lines))
    assert made_text(text, finished.proposals) == finished.answer == "THE CAT\nHAS 9lives"
    wanted = made_text(text, [replace(one, is_made=True) for one in finished.proposals])
    assert wanted == text.upper()
    assert {round(one.certainty, 2) for one in finished.proposals} == {0.65}


def test_a_line_that_would_change_too_much_is_left_to_the_user() -> None:
    text = "the cat\nsat on the mat, and 1 of 2 looked"
    lines = [read_line(one) for one in text.split("\n")]
    careful = replace(PROFILE, held_share=0.3)
    _, finished = run(
        ScriptedDenoiser(lambda slots: [one.replace("a", "A") for one in keep(slots)]), request(text, lines), careful
    )
    assert finished.answer == "the cAt\nsAt on the mAt, And 1 of 2 looked"
    _, finished = run(ScriptedDenoiser(capitals), request(text, lines), careful)
    assert finished.answer == text
    assert all(one.is_held and not one.is_made for one in finished.proposals if one.certainty > 0.7)


def test_words_that_the_model_keeps_without_being_sure_are_doubts() -> None:
    text = "the cat sat"
    _, finished = run(ScriptedDenoiser(sure=0.55), request(text))
    assert [text[one.start : one.end] for one in finished.doubts] == ["the", "cat", "sat"]
    _, finished = run(ScriptedDenoiser(sure=0.95), request(text))
    assert finished.doubts == ()
