"""What an answer comes to: changes one by one, what each needs, and lines that stay as they are broken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.proposals import Doubt, Proposal, made_text
from diffdesk.tasks.turn_proposals import (
    READ_GATE,
    SURE_GATE,
    Answer,
    doubts_of,
    has_little_to_do,
    moved,
    moved_doubts,
    read_proposals,
    turns_guard,
    typed_proposals,
)

TEXTS = st.text(alphabet=st.sampled_from("abcB1 .,-\n'”"), max_size=60)
AROUND = " and a long rest of the line that nobody changes"


def answered(text: str, sure: float = 0.9, **words: float) -> Answer:
    certainty = np.full(len(text), sure, np.float32)
    for word, one in words.items():
        at = text.index(word)
        certainty[at : at + len(word)] = one
    return Answer(text, certainty)


def read(draft: str, answer: str | Answer, confidence: float | None = None) -> tuple[Proposal, ...]:
    sure = None if confidence is None else np.full(len(draft), confidence, np.float32)
    one = answered(answer) if isinstance(answer, str) else answer
    return read_proposals(draft, one, sure, turns_guard(draft))


def shown(draft: str, proposals: Sequence[Proposal]) -> list[tuple[str, str, bool]]:
    return [(draft[one.start : one.end], one.text, one.is_made) for one in proposals]


# --- which changes ----------------------------------------------------------------------------------


def test_a_change_is_a_word_without_what_stays_of_it() -> None:
    draft = "tbe rnodern quiek fox" + AROUND
    found = read(draft, "the modern quick fox" + AROUND)
    assert shown(draft, found) == [("b", "h", True), ("rn", "m", True), ("e", "c", True)]
    assert made_text(draft, found) == "the modern quick fox" + AROUND


def test_a_change_is_as_sure_as_the_least_sure_of_its_characters() -> None:
    draft = "thc rnodem fox" + AROUND
    answer = answered("the modern fox" + AROUND)
    answer.certainty[5] = 0.625  # an o that stays
    answer.certainty[9] = 0.75
    assert [one.certainty for one in read(draft, answer)] == pytest.approx([0.9, 0.75])


def test_what_is_taken_away_is_as_sure_as_what_stands_around_it() -> None:
    draft = "the big blackk dog" + AROUND
    answer = answered("the big black dog" + AROUND, k=0.75)
    (found,) = read(draft, answer)
    assert (draft[found.start : found.end], found.text, found.certainty) == ("k", "", 0.75)


@given(TEXTS, TEXTS, st.booleans())
def test_proposals_of_any_two_texts_are_in_order_and_keep_line_breaks(draft: str, answer: str, is_sure: bool) -> None:
    draft, answer = draft.strip(), answer.strip()
    found = read(draft, answered(answer, 1.0 if is_sure else 0.4))
    assert made_text(draft, found).count("\n") == draft.count("\n")
    if not is_sure:
        assert not any(one.is_made for one in found)
    for one in found:
        assert "\n" not in one.text
        assert one.text != draft[one.start : one.end]


@given(TEXTS, TEXTS)
def test_an_answer_to_a_typed_text_stands_as_a_whole(draft: str, answer: str) -> None:
    found = typed_proposals(draft, answered(answer, 0.1))
    assert all(one.is_made for one in found)
    assert made_text(draft, found) == answer


# --- lines ------------------------------------------------------------------------------------------


def test_an_answer_that_breaks_its_lines_otherwise_changes_no_line_break() -> None:
    draft = "tbe quiek brown fox and\nits friend jump over\nthe lazy dog"
    found = read(draft, "the quick brown fox and its friend jump\n\nover the lazy dog")
    assert made_text(draft, found) == "the quick brown fox and\nits friend jump over\nthe lazy dog"
    assert len(found) == 2


@pytest.mark.parametrize(
    ("draft", "answer", "made"),
    [
        ("a line of it\nand more", "a line  of it\n    and more", "a line of it\nand more"),
        ("a line  of it\nand more", "a line of it\n\nand more", "a line  of it\nand more"),
        ("a linc of it\nand more", "   a line of it\nand more", "a line of it\nand more"),
        ("a line ofit\nand mo re", "a line of it\nand more", "a line of it\nand more"),
    ],
)
def test_blanks_change_only_where_words_are_parted_or_joined(draft: str, answer: str, made: str) -> None:
    assert made_text(draft, read(draft, answer)) == made


def test_a_word_that_is_divided_at_the_end_of_a_line_stays_divided() -> None:
    draft = "here we have an exam-\nple of a word that goes on"
    assert read(draft, "here we have an example\nof a word that goes on") == ()


def test_a_change_over_a_line_break_falls_into_one_for_each_word() -> None:
    draft = "and so it was that xqz\nvvk was a word" + AROUND
    found = read(draft, "and so it was that the\ncat was a word" + AROUND)
    assert shown(draft, found) == [("xqz", "the", True), ("vvk", "cat", True)]


def test_where_that_can_not_be_told_the_change_is_offered_and_not_made() -> None:
    draft = "and so it was that xqz\nvvk ww was a word" + AROUND
    (found,) = read(draft, "and so it was that the\ncat was a word" + AROUND)
    assert "\n" in draft[found.start : found.end]
    assert not found.is_made


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        ("a first line of text here now\nand the second", "a first line of text here now\nand the second"),
        ("a first line of text here\nnow and the second", "a first line of text here\nnow and the second"),
    ],
)
def test_what_is_put_in_beside_a_line_break_stands_in_the_line_that_the_answer_has_it_in(
    answer: str, made: str
) -> None:
    draft = "a first line of text here\nand the second"
    assert made_text(draft, read(draft, answer)) == made


def test_a_line_that_would_change_too_much_is_left_to_the_user() -> None:
    draft = "tbe quiek brovvn fax\njumps over the Iazy dog"
    found = read(draft, "a swift red vixen\njumps over the lazy dog")
    assert made_text(draft, found) == "tbe quiek brovvn fax\njumps over the lazy dog"
    assert [one.is_held for one in found] == [True, False]


# --- what a change needs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draft", "answer"),
    [
        ("paid 12.50 in all", "paid 12.60 in all"),
        ("on 3 Apri1 1912 we", "on 3 April 1912 we"),
        ("part no AB1-x of it", "part no AB7-x of it"),
        ("there were 12 of them", "there were 120 of them"),
        ("there were 12 000 of them", "there were 12000 of them"),
    ],
)
def test_numbers_dates_amounts_and_codes_are_offered_and_not_made(draft: str, answer: str) -> None:
    found = read(draft + AROUND, answered(answer + AROUND, 1.0))
    assert len(found) == 1
    assert not found[0].is_made


@pytest.mark.parametrize(
    ("draft", "answer", "confidence"),
    [
        ("we met Mr Srnith there", "we met Mr Smith there", 0.9),  # a name
        ("a word of the XMI kind", "a word of the XML kind", 0.9),  # a code
        ("a sure wold of it", "a sure word of it", 0.995),  # the recogniser was sure
        ("well that is it", "well, that is it", 0.9),  # a mark alone
        ("there were lO of them", "there were 10 of them", 0.9),  # a number that was none
    ],
)
def test_some_changes_need_more(draft: str, answer: str, confidence: float) -> None:
    for sure, is_made in ((SURE_GATE - 0.01, False), (SURE_GATE + 0.01, True)):
        (found,) = read(draft + AROUND, answered(answer + AROUND, sure), confidence)
        assert found.is_made is is_made


def test_a_common_word_that_the_recogniser_was_not_sure_of_needs_the_gate() -> None:
    for sure, is_made in ((READ_GATE - 0.01, False), (READ_GATE + 0.01, True)):
        (found,) = read("a plain wold" + AROUND, answered("a plain word" + AROUND, sure), 0.9)
        assert found.is_made is is_made


def test_what_is_put_in_beside_a_sure_word_needs_as_much_as_the_word() -> None:
    draft = "a plain word" + AROUND
    (found,) = read(draft, answered("a plain words" + AROUND, SURE_GATE - 0.01), 0.995)
    assert not found.is_made


def test_marks_of_another_type_are_no_change() -> None:
    draft = "it's 'fine' here" + AROUND
    assert read(draft, draft.replace("'", "’")) == ()


# --- answers that are none --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draft", "answer", "is_other"),
    [
        ("Tbe harbour was quiet that rnorning", "The harbour was quiet that morning", False),
        ("Tbe harbour was quiet that rnorning", "I'm sorry, but I can't help with that.", True),
        ("Tbe harbour was quiet that rnorning", "", True),
        ("Tbe harbour was quiet that rnorning", " \n", True),
        ("teh", "the", False),
        ("teh", "I'm sorry, but I can't help with that.", True),
        ("", "", False),
    ],
)
def test_an_answer_that_has_little_to_do_with_the_draft(draft: str, answer: str, is_other: bool) -> None:
    assert has_little_to_do(draft, answer) is is_other


# --- doubts -----------------------------------------------------------------------------------------


def test_words_that_were_kept_without_evidence_are_doubtful_and_neighbours_are_one() -> None:
    draft = "one two three\nfour five six seven"
    answer = answered("one two three\nfour five sax seven", two=0.25, three=0.375, four=0.375, sax=0.125, seven=0.75)
    assert doubts_of(draft, answer) == (Doubt(4, 13, 0.25), Doubt(14, 18, 0.375))


def test_doubts_are_found_behind_changes_that_move_what_follows() -> None:
    draft = "the rnodern and the old way"
    answer = answered("the modern and the old way", old=0.25)
    assert [draft[one.start : one.end] for one in doubts_of(draft, answer)] == ["old"]
    assert doubts_of(draft, answered("the modern\nand the\nold way", old=0.25)) == doubts_of(draft, answer)


@given(TEXTS, TEXTS)
def test_doubts_of_any_two_texts_are_words_of_the_draft(draft: str, answer: str) -> None:
    found = doubts_of(draft, answered(answer, 0.1))
    assert all(draft[one.start : one.end].split() and "\n" not in draft[one.start : one.end] for one in found)
    assert [one.start for one in found] == sorted(one.start for one in found)


def test_a_pieces_places_become_those_of_the_draft() -> None:
    assert moved((Proposal(1, 2, "x", 0.5, is_made=True),), 10) == (Proposal(11, 12, "x", 0.5, is_made=True),)
    assert moved_doubts((Doubt(1, 2, 0.25),), 10) == (Doubt(11, 12, 0.25),)


def test_an_answer_loses_the_white_space_at_its_ends_and_the_numbers_for_it() -> None:
    answer = Answer(" \nab ", np.arange(5, dtype=np.float32)).stripped()
    assert (answer.text, answer.certainty.tolist()) == ("ab", [2, 3])
    assert Answer(" \n", np.zeros(2, np.float32)).stripped().text == ""
