"""What a change needs: the gate, more in words that the recogniser was sure of, and nothing changes in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.tasks.guard import Guard, has_straight_marks


def test_each_character_needs_the_gate_and_a_line_end_never_changes() -> None:
    assert Guard(0.5).needed("a1\nb").tolist() == [0.5, 0.5, np.inf, 0.5]


def test_numbers_and_the_spaces_between_them_are_protected() -> None:
    needed = Guard(0.5, protects_numbers=True).needed("no 12 000-kg, or")
    assert "".join("x" if one == np.inf else "." for one in needed) == "...xxxxxxxxxx..."


def test_a_word_with_a_misread_digit_can_be_mended_where_only_figures_are_protected() -> None:
    needed = Guard(0.5, protects_figures=True).needed("he1p 1 of 1a, no")
    assert "".join("x" if one == np.inf else "." for one in needed) == ".....x....xxx..."


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
    [("it's", True), ('"no"', True), ("it’s", False), ("“no” it's", False), ("plain", False), ("", False)],
)
def test_a_text_without_typographic_marks_keeps_straight_ones(text: str, is_straight: bool) -> None:
    assert has_straight_marks(text) is is_straight


def test_marks_are_straightened_where_the_draft_has_straight_ones() -> None:
    assert Guard(0.5, straightens=True).written("“s’") == "\"s'"
    assert Guard(0.5).written("“s’") == "“s’"
