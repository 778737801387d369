"""Windows join to the text that was cut, whatever it is, fit what was asked, and know what stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.tasks.windows import cut

texts = st.text(alphabet=st.sampled_from("ab \n\t\r—é"), max_size=300)


@given(texts, st.integers(4, 130))
def test_joining_gives_the_text_back(text: str, room: int) -> None:
    windows = cut(text, room)
    assert "".join(one.text + one.separator for one in windows) == text
    assert all(len(one.before + one.text + one.after) <= room for one in windows)
    assert all("\n\n" not in one.text and "  " not in one.text and "\r" not in one.text for one in windows)
    assert all(one.text == one.text.strip() for one in windows)


@given(texts, st.integers(20, 130))
def test_context_is_the_text_around_with_single_spaces(text: str, room: int) -> None:
    position = 0
    for one in cut(text, room):
        end = position + len(one.text)
        if one.text:
            assert " ".join(text[:position].split()).endswith(one.before.strip())
            assert " ".join(text[end:].split()).startswith(one.after.strip())
            assert not one.before or one.before.endswith(" ") == text[position - 1].isspace()
            assert not one.after or one.after.startswith(" ") == text[end].isspace()
        position = end + len(one.separator)


@given(texts, st.integers(0, 150), st.integers(0, 150), st.integers(10, 60))
def test_a_part_of_a_text_is_cut_alone(text: str, start: int, length: int, room: int) -> None:
    part = text[start : start + length]
    assert "".join(one.text + one.separator for one in cut(text, room, start, start + length)) == part


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("", []),
        ("one", [("one", "")]),
        ("one two three", [("one two", " "), ("three", "")]),
        ("one\ntwo", [("one\ntwo", "")]),
        ("one\n\ntwo", [("one", "\n\n"), ("two", "")]),
        ("abcdefghijkl", [("abcdefgh", ""), ("ijkl", "")]),
        ("  lead", [("", "  "), ("lead", "")]),
        ("tail \n", [("tail", " \n")]),
    ],
)
def test_cuts_at_spaces_and_keeps_line_breaks(text: str, windows: list[tuple[str, str]]) -> None:
    assert [(one.text, one.separator) for one in cut(text, 8)] == windows


def test_fills_windows_as_far_as_they_go() -> None:
    windows = cut("word " * 100, 122)
    assert all(90 <= len(one.text) <= 96 for one in windows[:-1])
    assert all(len(one.before) > 5 for one in windows[1:])
    assert all(len(one.after) > 5 for one in windows[:-2])


def test_what_fits_one_window_is_not_cut() -> None:
    text = "word " * 23 + "words"
    assert [(one.text, one.before, one.after) for one in cut(text, 122)] == [(text, "", "")]


def test_context_ends_at_words_and_at_blank_lines() -> None:
    text = "The old keeper of the lighthouse wound\nthe  clock.\n\nHe slept and slept until the morning came again."
    first, second, third = cut(text, 50)[:3]
    assert (first.before, first.text, first.separator) == ("", "The old keeper of the lighthouse wound\nthe", "  ")
    assert first.after == " clock."
    assert (second.before, second.text, second.after) == ("wound the ", "clock.", "")
    assert third.before == ""


def test_a_long_word_is_context_in_part() -> None:
    windows = cut("a" * 100, 45)
    assert windows[1].before == "a" * len(windows[1].before)
    assert windows[1].before
