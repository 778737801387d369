"""Cutting a draft into pieces: they join to the text, fit where they can, and know their place on the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.requests import ReadLine, ReadWord, RunRequest, TaskKind
from diffdesk.tasks.draft_pieces import pieces_of, split_lines, split_text

TEXTS = st.text(alphabet=st.sampled_from("ab. \n!"), max_size=200)
PAGE = Path("page.png")


def _fits(text: str) -> bool:
    return len(text) <= 30


@given(TEXTS)
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(piece + gap for piece, gap in split_text(text, _fits)) == text
    assert "".join(piece + gap for piece, gap in split_lines(text, _fits, {7, 12})) == text


def test_paragraphs_are_put_together_while_they_fit() -> None:
    pieces = split_text("One.\n\nTwo.\n\nThree is a good deal longer than two.", _fits)
    assert [piece for piece, _ in pieces] == ["One.\n\nTwo.", "Three is a good deal longer than two."]


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    pieces = split_text("First sentence is here. Second one is here. Third.", _fits)
    assert [piece for piece, _ in pieces] == ["First sentence is here.", "Second one is here. Third."]


def test_lines_are_put_together_while_they_fit_and_stay_whole() -> None:
    text = "One. Two.\nThree.\n\nA line. That is longer than fits.\nLast"
    assert split_lines(text, _fits) == (
        ("One. Two.\nThree.", "\n\n"),
        ("A line. That is longer than fits.", "\n"),
        ("Last", ""),
    )
    assert split_lines(text, _fits, {10})[:2] == (("One. Two.", "\n"), ("Three.", "\n\n"))


def lines_of(count: int) -> tuple[ReadLine, ...]:
    return tuple(
        ReadLine(f"line {at}", PAGE, 0, (0, 40 * at, 200, 40 * at + 30), (ReadWord("line", 0, 90, 0.9),))
        for at in range(count)
    )


def asked(text: str, lines: tuple[ReadLine, ...] = (), *images: ImageRef) -> RunRequest:
    return RunRequest(TaskKind.CORRECT, (Message(Role.USER, text, images),), read_lines=lines)


@given(TEXTS, st.booleans())
def test_the_ends_and_starts_of_pieces_join_and_only_white_space_stands_between_them(text: str, is_read: bool) -> None:
    pieces = pieces_of(asked(text, lines_of(1) if is_read else ()), _fits)
    done = 0
    for one in pieces:
        assert text[done : one.start].strip() == ""
        assert text[one.start : one.start + len(one.text)] == one.text == one.text.strip()
        assert one.start + len(one.text) <= one.end
        done = one.end
    assert done == len(text)


def test_each_piece_knows_how_sure_the_recogniser_was() -> None:
    first, second = pieces_of(asked("edited\nline 0\nline 1", lines_of(2)), lambda text: len(text) < 15)
    assert first.confidence is not None
    assert np.isnan(first.confidence[:7]).all()
    assert first.confidence[7:].tolist() == pytest.approx([0.9] * 4 + [0] * 2)
    assert second.text == "line 1"
    (typed,) = pieces_of(asked("line 0"), _fits)
    assert typed.confidence is None


def test_pieces_go_with_the_part_of_the_page_that_they_stand_in() -> None:
    image = ImageRef(PAGE, "page")
    lines = lines_of(30)
    text = "\n".join(one.text for one in lines)
    pieces = pieces_of(asked(text, lines, image), lambda text: text.count("\n") < 10)
    assert [one.text.count("\n") + 1 for one in pieces] == [10, 5, 10, 5]
    boxes = [one.band.box for one in pieces if one.band]
    assert boxes[0] == boxes[1] == (-15, -15, 215, 14 * 40 + 45)
    assert boxes[2] == boxes[3] == (-15, 15 * 40 - 15, 215, 29 * 40 + 45)
    assert all(one.images == () for one in pieces)


def test_where_no_place_is_known_every_piece_goes_with_the_images_of_the_message() -> None:
    image = ImageRef(PAGE, "page")
    other = ImageRef(Path("other.png"), "other")
    for request in (asked("One.\n\nTwo.", (), image, other), asked("line 0\nline 1", lines_of(2), other)):
        pieces = pieces_of(request, lambda text: len(text) < 8)
        assert len(pieces) == 2
        assert {one.images for one in pieces} == {request.messages[0].images}
        assert {one.band for one in pieces} == {None}
