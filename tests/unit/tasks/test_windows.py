"""Windows join to the text that was cut, whatever it is, and fit what was asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.tasks.windows import cut


@given(st.text(alphabet=st.sampled_from("ab \n\t\r—é"), max_size=300), st.integers(4, 40))
def test_joining_gives_the_text_back(text: str, limit: int) -> None:
    windows = cut(text, limit)
    assert "".join(one.text + one.separator for one in windows) == text
    assert all(len(one.text) <= limit for one in windows)
    assert all("\n\n" not in one.text and "  " not in one.text and "\r" not in one.text for one in windows)
    assert all(one.text == one.text.strip() for one in windows)


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
    text = "word " * 100
    assert all(len(one.text) > 80 for one in cut(text, 88)[:-1])
