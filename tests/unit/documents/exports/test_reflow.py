"""Lines joined to paragraphs, and words that the end of a line divided."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.documents.exports.export_page import TextOptions
from diffdesk.documents.exports.placing import page_of_text
from diffdesk.documents.exports.reflow import Layout, in_one_line, joint, parted, text_of, whole_words, written_words
from diffdesk.documents.recognised_page import RecognisedLine
from tests.unit.documents.exports.pages import line_of, page_of

FLOWED = TextOptions(keep_lines=False, join_hyphens=True)


def joined(*lines: str, elsewhere: str = "") -> str:
    return in_one_line(lines, written_words([*lines, elsewhere]), join_hyphens=True)


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("an exam-", "ple of it", "an example of it"),
        ("an exam\u00ad", "ple", "an example"),
        ("an exam¬", "ple", "an example"),
        ("Louis¬", "XIV", "LouisXIV"),
        ("the Anglo-", "Saxon kings", "the Anglo-Saxon kings"),
        ("from 1914-", "1918", "from 1914-1918"),
        ("a 20-", "year loan", "a 20-year loan"),
        ("BENJAMIN FRANK-", "LIN, PRINTER", "BENJAMIN FRANKLIN, PRINTER"),
        ("his mother-in-", "law", "his mother-in-law"),
        ("a self-exam-", "ination", "a self-examination"),
        ("Vor-", "und Nachteile", "Vor- und Nachteile"),
        ("pre-", "and post-war", "pre- and post-war"),
        ("he said -", "and left", "he said - and left"),
        ("he said—", "and left", "he said—and left"),
        ("no hyphen", "here", "no hyphen here"),
        ("exam-", '"ple', 'exam- "ple'),
        ("彼は新聞を", "読む。", "彼は新聞を読む。"),
    ],
)
def test_two_lines_are_joined(first: str, second: str, whole: str) -> None:
    assert joined(first, second) == whole


def test_a_compound_that_is_written_so_elsewhere_keeps_its_hyphen() -> None:
    assert joined("he is well-", "known here", elsewhere="a Well-known man") == "he is well-known here"
    assert joined("he is well-", "known here") == "he is wellknown here"


def test_the_more_frequent_way_of_writing_wins() -> None:
    assert joined("by e-", "mail", elsewhere="email, email, e-mail") == "by email"


def test_a_divided_word_says_nothing_of_how_it_is_written() -> None:
    assert "ex-ample" not in written_words(["an ex-", "ample"])
    assert written_words(["an ex-"])["ex"] == 0


def test_hyphens_that_are_not_joined_leave_no_space_in_the_word() -> None:
    assert in_one_line(["an exam-", "ple"], {}, join_hyphens=False) == "an exam-ple"


def test_where_lines_are_kept_the_second_half_moves_up() -> None:
    assert whole_words(["an exam-", "ple, and", "more"], {}) == ["an example,", "and", "more"]
    assert whole_words(["exam-", "ple", "more"], {}) == ["example", "more"]
    assert whole_words(["Anglo-", "Saxon"], {}) == ["Anglo-", "Saxon"]


def test_a_joint_is_none_where_no_word_is_divided() -> None:
    assert joint("end.", "New", {}) is None
    assert joint("- ", "New", {}) is None


# --- paragraphs -------------------------------------------------------------------------------------


def texts(paragraphs: list[list[RecognisedLine]]) -> list[list[str]]:
    return [[line.text for line in paragraph] for paragraph in paragraphs]


LONG = "words that fill a line to its end"


def test_an_indented_line_begins_a_paragraph() -> None:
    block = [line_of(f"{LONG} {at}", 90 if at in {0, 3} else 50, 40 * at) for at in range(6)]
    assert [len(part) for part in parted(block)] == [3, 3]


def test_in_a_list_of_books_the_line_that_stands_out_begins_an_entry() -> None:
    block = [line_of(f"{LONG} {at}", 50 if at in {0, 3} else 90, 40 * at) for at in range(6)]
    assert [len(part) for part in parted(block)] == [3, 3]


def test_a_line_that_ends_early_ends_a_paragraph() -> None:
    block = [line_of(LONG, 50, 0), line_of("ends here.", 50, 40), line_of(LONG.capitalize(), 50, 80)]
    assert texts(parted(block)) == [[LONG, "ends here."], [LONG.capitalize()]]


def test_ragged_lines_are_one_paragraph() -> None:
    block = [
        line_of(LONG, 50, 0),
        line_of("words that fill a line to", 50, 40),
        line_of("endlessness, said he", 50, 80),
    ]
    assert len(parted(block)) == 1


def test_a_divided_word_never_ends_a_paragraph() -> None:
    block = [line_of(LONG, 50, 0), line_of("ends ex-", 50, 40), line_of("Ample words of a line", 50, 80)]
    assert len(parted(block)) == 1


def test_a_slanting_page_has_no_indented_lines() -> None:
    block = [line_of(LONG, 50 + 6 * at, 40 * at) for at in range(20)]
    assert len(parted(block)) == 1


def test_a_text_without_places_is_parted_by_its_short_lines() -> None:
    page = page_of_text(f"{LONG}\nends here.\n{LONG.capitalize()}\n{LONG}")
    assert Layout(FLOWED).paragraphs(page) == [[f"{LONG} ends here."], [f"{LONG.capitalize()} {LONG}"]]


def test_a_word_that_a_column_divides_is_joined() -> None:
    page = page_of([[LONG, "and some exam-"], ["ple text that", "goes on"], ["Next"]])
    assert text_of([page], FLOWED) == f"{LONG} and some example text that goes on\n\nNext"


def test_lines_are_kept_where_they_are_asked_for() -> None:
    page = page_of([["one exam-", "ple", "two"], ["three"]])
    assert text_of([page], TextOptions(keep_lines=True, join_hyphens=False)) == page.text
    assert text_of([page], TextOptions(keep_lines=True, join_hyphens=True)) == "one example\ntwo\n\nthree"


def test_pages_are_parted_by_an_empty_line_and_empty_pages_leave_no_trace() -> None:
    pages = [page_of([["one"]]), page_of([]), page_of([["two"]])]
    assert text_of(pages, FLOWED) == "one\n\ntwo"


def test_what_one_page_writes_with_a_hyphen_the_next_one_keeps() -> None:
    pages = [page_of([["a well-known man"]]), page_of([["he is well-", "known"]])]
    assert text_of(pages, FLOWED).endswith("he is well-known")


@given(st.lists(st.lists(st.text(alphabet="ab-. \u00ad¬漢A1", min_size=1, max_size=12), min_size=1), max_size=4))
def test_no_letter_is_lost_or_made(blocks: list[list[str]]) -> None:
    page = page_of_text("\n\n".join("\n".join(block) for block in blocks))
    for keeps in (True, False):
        text = text_of([page], TextOptions(keep_lines=keeps, join_hyphens=True))
        assert [one for one in text if one.isalnum()] == [one for one in page.text if one.isalnum()]
