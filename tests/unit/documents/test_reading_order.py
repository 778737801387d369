"""Boxes in any order become lines in the order of a reader; columns don't interleave, tables stay rows."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.documents.reading_order import Corners, Fragment, Mark, in_reading_order
from diffdesk.documents.recognised_page import RecognisedPage

HEIGHT = 20
LETTER = 10


def corners(left: float, top: float, right: float, bottom: float, degrees: float = 0.0) -> Corners:
    turn = math.radians(degrees)

    def turned(across: float, down: float) -> tuple[float, float]:
        return across * math.cos(turn) - down * math.sin(turn), across * math.sin(turn) + down * math.cos(turn)

    return turned(left, top), turned(right, top), turned(right, bottom), turned(left, bottom)


def piece(text: str, left: float, top: float, height: float = HEIGHT, degrees: float = 0.0) -> Fragment:
    right = left + len(text) * LETTER * height / HEIGHT
    return Fragment(Mark(text, corners(left, top, right, top + height, degrees), 0.9))


def column(name: str, left: float, top: float, lines: int, degrees: float = 0.0) -> list[Fragment]:
    return [piece(f"{name} line {n:02} of its text", left, top + n * 24, degrees=degrees) for n in range(lines)]


def named(name: str, lines: int) -> list[str]:
    return [f"{name} line {n:02} of its text" for n in range(lines)]


def read(fragments: Sequence[Fragment]) -> list[str]:
    mixed = list(fragments)
    random.Random(5).shuffle(mixed)
    return [line.text for line in in_reading_order(mixed)]


def text_of(fragments: Sequence[Fragment]) -> str:
    return RecognisedPage(2000, 2000, in_reading_order(fragments)).text


def test_nothing_gives_nothing() -> None:
    assert in_reading_order([]) == ()
    assert in_reading_order([piece("  ", 0, 0)]) == ()


def test_two_columns_do_not_interleave() -> None:
    page = column("left", 0, 0, 8) + column("right", 260, 0, 8)
    assert read(page) == named("left", 8) + named("right", 8)


def test_three_columns_of_different_length() -> None:
    page = column("one", 0, 0, 9) + column("two", 260, 0, 6) + column("three", 520, 0, 4)
    assert read(page) == named("one", 9) + named("two", 6) + named("three", 4)


def test_columns_that_are_offset_by_half_a_line() -> None:
    page = column("left", 0, 0, 8) + column("right", 260, 12, 8)
    assert read(page) == named("left", 8) + named("right", 8)


def test_a_headline_and_a_line_between_divide_the_columns() -> None:
    page = [
        piece("A headline over both of the columns of it", 20, 0, 24),
        *column("left", 0, 40, 5),
        *column("right", 260, 40, 5),
        piece("A second headline in the middle of the page", 20, 190, 24),
        *column("lower left", 0, 240, 5),
        *column("lower right", 320, 240, 5),
    ]
    assert read(page) == [
        "A headline over both of the columns of it",
        *named("left", 5),
        *named("right", 5),
        "A second headline in the middle of the page",
        *named("lower left", 5),
        *named("lower right", 5),
    ]


def test_a_caption_between_columns_does_not_cut_them() -> None:
    beside = [piece(f"caption {n}", 210, 150 + n * 24) for n in range(3)]
    left = [piece(f"left text {n:02}", 0, n * 24) for n in range(14)]
    right = [piece(f"right words {n:02}", 320, n * 24) for n in range(14)]
    # Above and below the caption the columns are wider, and their gutter runs through the caption.
    left[:5] = [piece(f"left text {n:02} is wider here", 0, n * 24) for n in range(5)]
    right[:5] = [piece(f"right words {n:02}", 290, n * 24) for n in range(5)]
    lines = read(left + right + beside)
    assert [line[:5] for line in lines] == ["left "] * 14 + ["right"] * 14 + ["capti"] * 3
    assert lines == sorted(lines[:14]) + sorted(lines[14:28]) + sorted(lines[28:])


def test_a_running_head_and_a_page_number_stay_outside_the_columns() -> None:
    page = [
        piece("Chapter II", 0, 0),
        *column("left", 0, 60, 8),
        *column("right", 260, 60, 8),
        piece("- 17 -", 420, 310),
    ]
    assert read(page) == ["Chapter II", *named("left", 8), *named("right", 8), "- 17 -"]


def test_a_table_is_read_row_by_row() -> None:
    rows = [("Apples and pears", "2", "3.40"), ("Bread from rye", "1", "2.90"), ("Butter, salted", "4", "11.20")] * 2
    page = [
        piece(cell, left, n * 24) for n, row in enumerate(rows) for cell, left in zip(row, (0, 300, 400), strict=True)
    ]
    assert read(page) == [" ".join(row) for row in rows]


def test_labels_and_values_stay_together() -> None:
    pairs = [("Invoice", "CR 1803/0064 of March"), ("Date", "2018-03-01 17:23:26"), ("Cashier", "not named here")] * 2
    page = [
        piece(text, left, n * 24) for n, pair in enumerate(pairs) for text, left in zip(pair, (0, 160), strict=True)
    ]
    assert read(page) == [" ".join(pair) for pair in pairs]


def test_a_piece_over_both_columns_is_cut_at_its_wide_gap() -> None:
    texts = ("left line 99 of its text", "right line 99 of its text")
    words = []
    for text, start in zip(texts, (0, 260), strict=True):
        left = start
        for word in text.split():
            words.append(Mark(word, corners(left, 192, left + len(word) * LETTER, 192 + HEIGHT), 0.8))
            left += (len(word) + 1) * LETTER
    over = Fragment(Mark(" ".join(texts), corners(0, 192, 510, 192 + HEIGHT), 0.8), tuple(words))
    page = [*column("left", 0, 0, 8), *column("right", 260, 0, 8), over]
    assert read(page) == [*named("left", 8), texts[0], *named("right", 8), texts[1]]


def test_a_headline_with_even_spaces_is_not_cut() -> None:
    text = "one two tree four five six even"
    words = tuple(
        Mark(word, corners(n * 75, 0, n * 75 + len(word) * 15, 30), 0.8) for n, word in enumerate(text.split())
    )
    headline = Fragment(Mark(text, corners(0, 0, 510, 30), 0.8), words)
    page = [headline, *column("left", 0, 50, 8), *column("right", 260, 50, 8)]
    assert read(page) == [text, *named("left", 8), *named("right", 8)]


@pytest.mark.parametrize("degrees", [-4.0, 2.0, 5.0])
def test_a_slanting_page_is_read_like_a_straight_one(degrees: float) -> None:
    straight = column("left", 0, 0, 8) + column("right", 260, 0, 8)
    slanting = column("left", 0, 0, 8, degrees) + column("right", 260, 0, 8, degrees)
    assert read(slanting) == read(straight)


def test_pieces_of_one_line_are_joined_from_left_to_right() -> None:
    line = in_reading_order([piece("world", 100, 2), piece("Hello", 0, 0)])[0]
    assert line.text == "Hello world"
    assert line.box == (0, 0, 150, 22)
    assert [word.text for word in line.words] == ["Hello", "world"]
    assert line.confidence == pytest.approx(0.9)


def test_a_wider_distance_begins_a_block() -> None:
    page = [piece(f"line {n}", 0, n * 24 + (20 if n > 2 else 0)) for n in range(6)]
    assert text_of(page) == "line 0\nline 1\nline 2\n\nline 3\nline 4\nline 5"


def test_columns_are_blocks_of_their_own() -> None:
    page = column("left", 0, 0, 4) + column("right", 260, 0, 4)
    assert text_of(page) == "\n".join(named("left", 4)) + "\n\n" + "\n".join(named("right", 4))


def test_a_drop_initial_is_read_with_the_first_line() -> None:
    page = [piece("S", 0, 0, 66), *(piece(f"word of line {n}", 45, n * 24) for n in range(5))]
    assert read(page)[:2] == ["S word of line 0", "word of line 1"]


boxes = st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(1, 400), st.integers(1, 60))


@given(st.lists(boxes, max_size=40))
def test_every_piece_is_read_exactly_once(places: list[tuple[int, int, int, int]]) -> None:
    page = [
        Fragment(Mark(f"<{n}>", corners(left, top, left + width, top + height), 0.5))
        for n, (left, top, width, height) in enumerate(places)
    ]
    lines = in_reading_order(page)
    assert sorted(" ".join(line.text for line in lines).split()) == sorted(one.mark.text for one in page)
    blocks = [line.block for line in lines]
    assert blocks == sorted(blocks)
    assert set(blocks) == set(range(len(set(blocks))))


def test_each_line_tells_its_own_slant_and_short_ones_that_of_the_page() -> None:
    lines = in_reading_order([piece("a line of text", 0, 0, degrees=2), piece("another line", 0, 30, degrees=1)])
    assert [line.slant for line in lines] == [pytest.approx(math.radians(2)), pytest.approx(math.radians(1))]
    page = [*column("left", 0, 0, 4, degrees=-3), piece("a", 0, 96, degrees=20)]
    assert {round(math.degrees(line.slant), 6) for line in in_reading_order(page)} == {-3}
