"""What a change needs: the gate, more in words that the recogniser was sure of, and nothing changes in numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.tasks.guard import Guard, writes_straight


def test_each_character_needs_the_gate_and_a_line_end_never_changes() -> None:
    assert Guard(0.5).needed("a1\nb").tolist() == [0.5, 0.5, np.inf, 0.5]


def test_numbers_and_the_spaces_between_them_are_protected() -> None:
    needed = Guard(0.5, protects_numbers=True).needed("no 12 000-kg, or")
    assert "".join("x" if one == np.inf else "." for one in needed) == "...xxxxxxxxxx..."


def test_a_word_with_a_misread_digit_can_be_mended_where_only_figures_are_protected() -> None:
    needed = Guard(0.5, protects_figures=True).needed("he1p 1 of 1a, no")
    assert "".join("x" if one == np.inf else "." for one in needed) == ".....x....xxx..."


def test_a_number_with_a_point_at_the_start_of_a_word_stays() -> None:
    needed = Guard(0.5, protects_figures=True).needed("1.The cat, 2nd) b. 3a")
    assert "".join("x" if one == np.inf else "." for one in needed) == "xxx................xx"


@pytest.mark.parametrize(
    "guard",
    [
        Guard(0.5, protects_figures=True, figures_gate=0.75),
        Guard(0.5, protects_numbers=True, figures_gate=0.75),
    ],
)
def test_a_line_of_figures_or_of_a_few_letters_says_little(guard: Guard) -> None:
    assert guard.needed("a cat, a\nkWh 1.25 £8\n!?")[:13].tolist() == [0.5] * 8 + [np.inf] + [0.75] * 4
    assert guard.needed("to a bee\nto be?").tolist() == [0.5] * 8 + [np.inf] + [0.75] * 6
    assert Guard(0.5).needed("kWh 1.25").tolist() == [0.5] * 8


def test_a_change_of_marks_alone_needs_more() -> None:
    guard = Guard(0.5, marks_gate=0.75)
    assert [guard.needed_for(*change) for change in (("", ","), (". ", ", "), ("a.", "a"), (" ", " - "))] == [0.75] * 4
    assert [guard.needed_for(*change) for change in (("", " "), ("rn", "m"), ("a,", "an"), ("1", ","))] == [0.5] * 4
    assert Guard(0.5, marks_gate=0.25).needed_for("", ",") == 0.5


def test_a_word_that_the_recogniser_was_sure_of_needs_more() -> None:
    confidence = np.array([0.99, 0.99, 0, 0.5, 0.5], np.float32)
    guard = Guard(0.75, sure=0.98, sure_gate=0.875)
    assert guard.needed("ab cd", confidence).tolist() == [0.875, 0.875, 0.75, 0.75, 0.75]
    assert Guard(0.75).needed("ab cd", confidence).tolist() == [0.75] * 5
    assert guard.needed("ab cd").tolist() == [0.75] * 5


@given(st.text(max_size=40), st.floats(0, 1), st.booleans())
def test_nothing_needs_less_than_the_gate(text: str, gate: float, protects: bool) -> None:
    needed = Guard(gate, protects_numbers=protects).needed(text)
    assert len(needed) == len(text)
    assert np.all(needed >= np.float32(gate))


@pytest.mark.parametrize(
    ("text", "is_straight"),
    [("it's", True), ('"no" it’s', True), ("it’s", False), ("“no” it's", False), ("plain", False), ("", False)],
)
def test_most_marks_say_how_a_text_writes_them(text: str, is_straight: bool) -> None:
    assert writes_straight(text) is is_straight


def test_new_marks_are_written_as_most_in_the_draft() -> None:
    assert Guard(0.5, straightens=True).written("“s’", "") == "\"s'"
    assert Guard(0.5).written("“s’", "s") == "“s’"


@pytest.mark.parametrize("straightens", [False, True])
def test_the_kind_of_a_mark_is_no_error(straightens: bool) -> None:
    guard = Guard(0.5, straightens=straightens)
    assert [guard.written(*one) for one in (("’", "'"), ("'", "’"), ('"', "“"))] == ["'", "’", "“"]


def test_names_and_codes_need_more_and_the_first_word_of_a_sentence_does_not() -> None:
    draft = 'The man, Mr Smith of "York".\nHe said: Well, XQ-b is McLeod\nand so\n\nThen I went. So'
    needed = Guard(0.5, names_gate=0.75).needed(draft)
    words = [
        draft[found.start() : found.end()] for found in re.finditer(r"\S+", draft) if needed[found.start()] == 0.75
    ]
    assert words == ["Mr", "Smith", '"York".', "XQ-b", "McLeod"]
