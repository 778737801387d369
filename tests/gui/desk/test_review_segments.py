"""From pieces to what is shown, and back to the text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import Piece, PieceState
from diffdesk.ui.desk.review_segments import Look, PieceMap, segments_of, units
from tests.gui.desk.samples import AT, TURNED, decided, page


def shown(piece: Piece) -> str:
    return "".join(one.shown for one in segments_of(piece)).replace("\u2009", "|")


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        (Piece(0, "word"), "word"),
        (Piece(0, "new", "old", state=PieceState.MADE), "old|new"),
        (Piece(0, "new", "", state=PieceState.MADE), "new"),
        (Piece(0, "", "old", state=PieceState.MADE), "old"),
        (Piece(0, "-\n", "", state=PieceState.MADE), "-↵\n"),
        (Piece(0, " ", "\n", state=PieceState.MADE), "↵|␣"),
        (Piece(0, "old", offer="new", state=PieceState.OFFERED), "old|[new]"),
        (Piece(0, "old", offer="", state=PieceState.OFFERED), "old|[remove]"),
        (Piece(0, "", offer="new", state=PieceState.OFFERED), "[add: new]"),
        (Piece(0, "old", offer="new", state=PieceState.REJECTED), "old"),
        (Piece(0, "", offer="new", state=PieceState.REJECTED), "[new]"),
        (Piece(0, "mine", "old", state=PieceState.EDITED), "mine"),
        (Piece(0, "", "old", state=PieceState.EDITED), "old"),
    ],
)
def test_every_state_is_shown_so_that_one_can_come_back_to_it(piece: Piece, text: str) -> None:
    assert shown(piece) == text


def test_a_held_line_says_so_once_where_it_ends() -> None:
    pieces = page().pieces
    held = PieceMap(pieces)
    remarks = [place for place, parts in enumerate(held.shown) if any(one.look is Look.REMARK for one in parts)]
    assert remarks == [pieces.index(next(one for one in pieces[AT:] if one.text == "\n"))]
    last = PieceMap(pieces[: AT + 1])
    assert [one.shown.strip() for one in last.end_segments()] == [words.HELD]


def test_the_text_is_what_stands_and_nothing_else() -> None:
    made = PieceMap(page().pieces)
    assert made.text_between(0, made.starts[-1]) == "The turned again. clock\nAt trust\ncome end"


def test_a_map_that_follows_another_tells_what_differs() -> None:
    view = page()
    old = PieceMap(view.pieces)
    after = decided(view, TURNED, is_accepted=True)
    assert old.differences(PieceMap(after.pieces, old)) == [TURNED]
    # The held line's remark goes with the decision, so its line break is shown otherwise.
    assert old.differences(PieceMap(decided(view, AT, is_accepted=True).pieces, old)) == [AT, AT + 3]
    assert old.differences(PieceMap(view.pieces[:-1], old)) is None


PIECES = st.builds(
    Piece,
    index=st.just(0),
    text=st.text("ab \n😀-", max_size=4),
    before=st.text("ab \n😀", max_size=3),
    offer=st.text("ab \n😀", max_size=3),
    state=st.sampled_from(list(PieceState)),
    is_held=st.booleans(),
)


@given(st.lists(PIECES, max_size=12), st.integers(0, 60), st.integers(0, 60))
def test_copying_any_part_and_the_rest_gives_the_whole(parts: list[Piece], first: int, last: int) -> None:
    made = PieceMap([replace(part, index=place) for place, part in enumerate(parts)])
    end = made.starts[-1]
    assert made.text_between(0, end) == "".join(part.text for part in parts)
    assert end == sum(units(one.shown) for segments in made.shown for one in segments)
    low, high = sorted((min(first, end), min(last, end)))
    parts_of_it = (made.text_between(0, low), made.text_between(low, high), made.text_between(high, end))
    if "�" not in "".join(parts_of_it):  # a cut through a pair of surrogates, which Qt doesn't make
        assert "".join(parts_of_it) == "".join(part.text for part in parts)
    for place in range(end):
        index = made.at(place)
        assert made.starts[index] <= place < made.starts[index + 1]
