"""What the desk says in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from diffdesk.ui.desk import walking, words
from diffdesk.ui.desk.desk_keys import LETTERS, MOVES
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import PieceState, QueueStatus
from tests.gui.desk.samples import AGAIN, AT, CLOCK, COME, TRUST, TURNED, decided, page, rows


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (QueueStatus(), "No pages"),
        (QueueStatus(12, 300, 2, True, False, 250), "12 of 300 · about 4 min left · 2 with errors"),
        (QueueStatus(12, 300, 0, True, False, None), "12 of 300"),
        (QueueStatus(12, 300, 0, False, True, 250), "12 of 300 · paused"),
        (QueueStatus(298, 300, 2), "298 of 300 · done · 2 with errors"),
        (QueueStatus(3000, 3000), "3,000 of 3,000 · all corrected"),
    ],
)
def test_progress_is_said_in_a_line(status: QueueStatus, said: str) -> None:
    assert words.progress(status) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (20, "less than a minute left"),
        (60, "about 1 min left"),
        (3540, "about 59 min left"),
        (7200, "about 2 h left"),
        (9000, "about 2 h 30 min left"),
    ],
)
def test_time_left_is_rough(seconds: float, said: str) -> None:
    assert words.time_left(seconds) == said


def test_a_certainty_is_never_rounded_up_to_full() -> None:
    assert words.sureness(0.9999) == "almost sure, 99 %"
    assert words.sureness(1.0) == "almost sure, 100 %"
    assert words.sureness(0.29) == "a guess, 29 %"


def test_pieces_are_described_for_those_who_cannot_see_the_marks() -> None:
    pieces = page().pieces
    assert words.described(pieces[TURNED]) == "Changed from “tumed” to “turned”. Almost sure, 97 %."
    assert words.described(pieces[AGAIN]) == "“again.” might be “again,”. Not sure, 62 %."
    assert words.HELD.capitalize() in words.described(pieces[AT])
    assert words.described(pieces[CLOCK]) == "“clock”. The recogniser was 52 % sure."
    assert words.described(pieces[0]) == ""


def test_the_review_stands_in_a_line() -> None:
    view = page()
    assert words.standing(view.pieces) == "3 of 4 changes to decide · 2 uncertain words"
    for index in (TURNED, AGAIN, AT):
        view = decided(view, index, is_accepted=True)
    assert words.standing(view.pieces).startswith("All 4 changes decided")
    plain = [replace(one, state=PieceState.PLAIN, doubt=0.0) for one in view.pieces]
    assert words.standing(plain) == "No changes"


def test_the_queue_is_summed_up() -> None:
    assert words.queue_summary(rows(12)) == "12 pages · 2 to review · 1 with errors"


def test_one_walks_from_change_to_change_and_stops_at_the_ends() -> None:
    pieces = page().pieces
    way = [TURNED, AGAIN, AT, COME]
    place, seen = -1, []
    while (place := walking.step(pieces, place, 1, words.is_change)) >= 0:
        seen.append(place)
    assert seen == way
    assert walking.step(pieces, -1, -1, words.is_change) == COME
    assert walking.step(pieces, TURNED, -1, words.is_change) == -1
    assert walking.step(pieces, CLOCK, 1, words.is_doubtful) == TRUST


def test_the_next_open_change_is_looked_for_from_the_beginning_again() -> None:
    view = decided(page(), AT, is_accepted=True)
    assert walking.next_undecided(view.pieces, AGAIN) == TURNED
    assert walking.next_undecided(decided(view, TURNED, is_accepted=True).pieces, AGAIN) == -1


def test_places_are_counted_among_their_own_kind() -> None:
    pieces = page().pieces
    assert walking.position(pieces, AT) == "Change 3 of 4"
    assert walking.position(pieces, TRUST) == "Uncertain word 2 of 2"
    assert walking.position(pieces, 0) == walking.position(pieces, -1) == ""


def test_every_key_of_the_table_does_something(desk: DeskView) -> None:
    assert set(LETTERS.values()) | set(MOVES.values()) <= set(desk._actions)
