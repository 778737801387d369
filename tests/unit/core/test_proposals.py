"""What a correction proposes: the text it makes, and lines that are left to the user."""

from __future__ import annotations

import pytest

from diffdesk.core.proposals import Doubt, Proposal, made_text, with_lines_held

DRAFT = "tbe cat\nsat on tne mat"
FOUND = (
    Proposal(1, 2, "h", 0.9, True),
    Proposal(8, 8, "it ", 0.4, False),
    Proposal(16, 17, "h", 0.8, True),
)


def test_only_what_is_made_is_in_the_text() -> None:
    assert made_text(DRAFT, FOUND) == "the cat\nsat on the mat"
    assert made_text(DRAFT, ()) == DRAFT


@pytest.mark.parametrize("wrong", [(5, 3), (0, 99), (-1, 2)])
def test_a_change_that_lies_outside_is_refused(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        made_text(DRAFT, [Proposal(*wrong, "x", 1.0, True)])


def test_changes_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        made_text(DRAFT, [Proposal(0, 4, "x", 1.0, True), Proposal(3, 5, "y", 1.0, True)])


def test_a_line_of_which_too_much_would_change_is_held_as_a_whole() -> None:
    held = with_lines_held(DRAFT, FOUND, 0.1)
    assert [one.is_held for one in held] == [True, False, False]
    assert made_text(DRAFT, held) == "tbe cat\nsat on the mat"
    assert with_lines_held(DRAFT, FOUND, 0.2) == FOUND


def test_both_have_a_json_form() -> None:
    assert [Proposal.from_json(one.to_json()) for one in FOUND] == list(FOUND)
    assert Doubt.from_json(Doubt(1, 4, 0.3).to_json()) == Doubt(1, 4, 0.3)
