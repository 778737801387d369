"""Splitting for the correction task: pieces join to the text and fit where they can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diffdesk.tasks.correction import split_text


def _fits(text: str) -> bool:
    return len(text) <= 30


@given(st.text(alphabet=st.sampled_from("ab. \n!"), max_size=200))
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(piece + gap for piece, gap in split_text(text, _fits)) == text


def test_paragraphs_are_put_together_while_they_fit() -> None:
    pieces = split_text("One.\n\nTwo.\n\nThree is a good deal longer than two.", _fits)
    assert [piece for piece, _ in pieces] == ["One.\n\nTwo.", "Three is a good deal longer than two."]


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    pieces = split_text("First sentence is here. Second one is here. Third.", _fits)
    assert [piece for piece, _ in pieces] == ["First sentence is here.", "Second one is here. Third."]
