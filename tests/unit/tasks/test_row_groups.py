"""Rows that share a canvas: none is lost or mixed, and those that can't share stay alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.tasks.row_groups import RowGroup, join_rows, split_answer

rows_of_text = st.lists(st.text(alphabet=st.sampled_from("ab \n\té"), max_size=20), max_size=12)


@given(rows_of_text, st.integers(0, 60))
def test_every_row_is_in_one_group_in_order(rows: list[str], most: int) -> None:
    groups = join_rows(rows, most)
    assert [index for one in groups for index in one.indices] == list(range(len(rows)))
    assert all(one.rows == tuple(rows[index] for index in one.indices) for one in groups)
    assert all(len(one.text) <= most for one in groups if len(one.rows) > 1)
    assert all(split_answer(one, one.text) == one.rows for one in groups)


def test_short_rows_are_put_together_as_far_as_they_fit() -> None:
    groups = join_rows(["one two", "three", "four five", "six"], 16)
    assert [one.text for one in groups] == ["one two\nthree", "four five\nsix"]


@pytest.mark.parametrize(
    "row", ["", " ", " lead", "two  spaces", "two\nlines", "tab\tbed", "le et les est une dans que", "x" * 40]
)
def test_a_row_that_would_be_read_differently_stays_alone(row: str) -> None:
    groups = join_rows(["one", "two", row, "three", "four"], 30)
    assert [one.rows for one in groups] == [("one", "two"), (row,), ("three", "four")]


def test_nothing_is_put_together_where_there_is_no_room() -> None:
    assert [one.rows for one in join_rows(["a", "b"], 0)] == [("a",), ("b",)]


@pytest.mark.parametrize("answer", ["one", "one\ntwo\nthree", "one\n ", ""])
def test_an_answer_with_other_lines_is_not_taken_apart(answer: str) -> None:
    assert split_answer(RowGroup((3, 4), ("eins", "zwei")), answer) is None
    assert split_answer(RowGroup((3,), ("eins",)), answer) == (answer,)
