"""Where the words of a corrected text stand: in the place of what they came from, or beside their neighbours."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from diffdesk.documents.exports.gaps import union
from diffdesk.documents.exports.placing import as_printed, page_of_text, placed
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord
from tests.unit.documents.exports.pages import boxes_of, page_of

BLOCKS = (("The quiek brown fox", "jumps ovcr the lazy", "dog, and sleeps."), ("A second para-", "graph of it."))
PAGE = page_of(BLOCKS)
BOXES = dict(boxes_of(PAGE))
WORDS = ("the", "quick", "dog", "fox,", "12.50", "exam-", "–", "été", "漢字", "שלום", "🙂", "a")


def words_of(page: RecognisedPage) -> dict[str, RecognisedWord]:
    return {word.text: word for line in page.lines for word in line.words}


def changed(old: str, new: str, page: RecognisedPage = PAGE) -> RecognisedPage:
    assert page.text.count(old) == 1
    return placed(page, page.text.replace(old, new))


def assert_others_stay(after: RecognisedPage, *gone: str, before: RecognisedPage = PAGE) -> None:
    """All words of the page but these stand, unchanged, in their order in the new page."""
    kept = [word for line in before.lines for word in line.words if word.text not in gone]
    found = [word for line in after.lines for word in line.words]
    assert [word for word in found if word in kept] == kept


def test_the_same_text_gives_the_same_page() -> None:
    assert placed(PAGE, PAGE.text) == PAGE


def test_a_corrected_word_takes_the_place_of_the_wrong_one() -> None:
    after = changed("quiek", "quick")
    assert words_of(after)["quick"].box == BOXES["quiek"]
    assert words_of(after)["quick"].confidence == 1.0
    assert_others_stay(after, "quiek")
    assert [line.box for line in after.lines] == [line.box for line in PAGE.lines]


def test_a_word_that_loses_a_mark_keeps_the_whole_place() -> None:
    after = changed("dog,", "dog")
    assert words_of(after)["dog"].box == BOXES["dog,"]


def test_joined_words_take_both_places() -> None:
    after = changed("the lazy", "thelazy")
    assert words_of(after)["thelazy"].box == union([BOXES["the"], BOXES["lazy"]])
    assert_others_stay(after, "the", "lazy")


def test_a_split_word_is_divided_by_the_widths_of_its_letters() -> None:
    after = changed("sleeps.", "sle eps.")
    left, right = words_of(after)["sle"].box, words_of(after)["eps."].box
    whole = BOXES["sleeps."]
    assert (left[0], right[2]) == (whole[0], whole[2])
    assert left[0] < left[2] <= right[0] < right[2]
    # s, l and e are a little narrower than e, p, s and the point.
    assert 0.3 < (left[2] - left[0]) / (whole[2] - whole[0]) < 0.5


def test_words_that_have_nothing_in_common_share_the_place() -> None:
    after = changed("brown fox", "red old hen")
    boxes = [words_of(after)[word].box for word in ("red", "old", "hen")]
    assert boxes[0][0] == BOXES["brown"][0]
    assert boxes[2][2] == BOXES["fox"][2]
    assert boxes[0][2] <= boxes[1][2] <= boxes[2][2]
    assert_others_stay(after, "brown", "fox")


def test_a_word_that_is_put_in_stands_between_its_neighbours() -> None:
    after = changed("brown fox", "brown shy fox")
    box = words_of(after)["shy"].box
    assert BOXES["brown"][2] - 2 <= box[0] < box[2] <= BOXES["fox"][0] + 2
    assert_others_stay(after)


def test_a_word_at_the_end_of_a_line_stands_after_it_and_on_the_page() -> None:
    after = changed("fox", "fox trot")
    box = words_of(after)["trot"].box
    assert box[0] >= BOXES["fox"][2]
    assert box[1::2] == BOXES["fox"][1::2]
    wide = page_of([["i" * 60 + " end"]], size=(900, 100))
    full = replace(wide, width=words_of(wide)["end"].box[2])
    more = placed(full, full.text + " more")
    assert words_of(more)["more"].box[2] <= full.width


def test_a_word_before_a_line_stands_left_of_it() -> None:
    box = words_of(changed("jumps", "it jumps"))["it"].box
    assert 0 <= box[0] < box[2] <= BOXES["jumps"][0]


def test_a_word_that_was_joined_over_the_end_of_a_line_stands_where_most_of_it_stood() -> None:
    after = changed("para-\ngraph", "paragraph")
    box = words_of(after)["paragraph"].box
    assert box[1] in {BOXES["para-"][1], BOXES["graph"][1]}
    assert box[3] - box[1] == 30
    assert_others_stay(after, "para-", "graph")


def test_a_line_that_was_put_in_stands_between_its_neighbours() -> None:
    after = changed("jumps", "and then it\njumps")
    added = after.lines[1]
    assert added.text == "and then it"
    assert PAGE.lines[0].box[1] < added.box[1] < added.box[3] < PAGE.lines[1].box[3]
    assert [word.text for word in added.words] == ["and", "then", "it"]
    assert_others_stay(after)


def test_a_line_at_the_end_stands_below_the_last() -> None:
    after = placed(PAGE, PAGE.text + "\n\nThe end.")
    assert after.lines[-1].box[1] >= PAGE.lines[-1].box[3]
    assert after.lines[-1].block == 2


def test_a_removed_line_takes_nothing_else_away() -> None:
    after = changed("jumps ovcr the lazy\n", "")
    assert_others_stay(after, "jumps", "ovcr", "the", "lazy")
    assert len(after.lines) == 4


def test_a_moved_end_of_a_line_moves_no_word() -> None:
    after = changed("fox\njumps", "fox jumps")
    assert_others_stay(after)
    assert [word.text for word in after.lines[0].words][-4:] == ["jumps", "ovcr", "the", "lazy"]


def test_a_line_without_words_gets_them_spread_over_its_box() -> None:
    page = RecognisedPage(400, 100, (RecognisedLine("left right", (10, 10, 210, 40), 0.8),))
    words = placed(page, page.text).lines[0].words
    assert [word.text for word in words] == ["left", "right"]
    assert (words[0].box[0], words[1].box[2]) == (10, 210)
    assert words[0].box[2] < words[1].box[0]
    assert words[0].confidence == 0.8


def test_characters_of_a_script_without_spaces_stay_words_of_their_own() -> None:
    words = tuple(RecognisedWord(one, (10 + 20 * at, 0, 28 + 20 * at, 20), 0.9) for at, one in enumerate("新開を読む"))
    page = RecognisedPage(300, 40, (RecognisedLine("新開を読む", (10, 0, 108, 20), 0.9, words),))
    after = placed(page, "新聞を読む")
    assert [word.text for word in after.lines[0].words] == list("新聞を読む")
    assert [word.box for word in after.lines[0].words] == [word.box for word in words]


def test_what_is_put_into_a_line_from_right_to_left_stands_between_its_neighbours() -> None:
    words = (RecognisedWord("שלום", (200, 0, 260, 20), 0.9), RecognisedWord("עולם", (100, 0, 160, 20), 0.9))
    page = RecognisedPage(300, 40, (RecognisedLine("שלום עולם", (100, 0, 260, 20), 0.9, words),))
    box = words_of(placed(page, "שלום לך עולם"))["לך"].box
    assert 158 <= box[0] < box[2] <= 202


def test_a_page_on_which_nothing_was_found_takes_a_text() -> None:
    after = placed(RecognisedPage(200, 100, ()), "one two\nthree\n\nfour")
    assert after.text == "one two\nthree\n\nfour"
    assert_inside(after)


def test_a_page_whose_text_is_deleted_has_no_lines() -> None:
    assert placed(PAGE, "\n ").lines == ()


def test_a_text_without_an_image_has_lines_and_blocks() -> None:
    page = page_of_text("one\ntwo\n\n\nthree\n")
    assert page.text == "one\ntwo\n\nthree"
    assert placed(page, "one\n\nthree").text == "one\n\nthree"


def test_lines_that_were_joined_in_the_text_are_rows_where_they_are_printed() -> None:
    joined = placed(PAGE, PAGE.text.replace("\n\n", "#").replace("\n", " ").replace("#", "\n\n"))
    assert [line.text for line in joined.lines] == [" ".join(block) for block in BLOCKS]
    printed = as_printed(joined)
    assert [line.text for line in printed.lines] == [text for block in BLOCKS for text in block]
    assert [line.box for line in printed.lines] == [line.box for line in PAGE.lines]
    assert [line.block for line in printed.lines] == [line.block for line in PAGE.lines]


def test_a_small_mark_beside_tall_words_is_no_row_of_its_own() -> None:
    words = (
        RecognisedWord("Tall", (10, 10, 60, 50), 0.9),
        RecognisedWord("-", (65, 36, 75, 38), 0.9),
        RecognisedWord("'", (80, 10, 84, 16), 0.9),
        RecognisedWord("word", (90, 20, 140, 50), 0.9),
    )
    page = RecognisedPage(200, 100, (RecognisedLine("Tall - ' word", (10, 10, 140, 50), 0.9, words),))
    assert as_printed(page) == page


def test_rows_from_right_to_left_begin_at_the_right() -> None:
    words = tuple(
        RecognisedWord(text, box, 0.9)
        for text, box in (
            ("שלום", (200, 0, 260, 20)),
            ("לך", (100, 0, 160, 20)),
            ("עולם", (200, 40, 260, 60)),
        )
    )
    page = RecognisedPage(300, 80, (RecognisedLine("שלום לך עולם", (100, 0, 260, 60), 0.9, words),))
    assert [line.text for line in as_printed(page).lines] == ["שלום לך", "עולם"]


# --- for any text -----------------------------------------------------------------------------------


def assert_inside(page: RecognisedPage) -> None:
    for box in [line.box for line in page.lines] + [word.box for line in page.lines for word in line.words]:
        assert 0 <= box[0] < box[2] <= page.width
        assert 0 <= box[1] < box[3] <= page.height


texts = st.lists(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), min_size=1, max_size=3), max_size=3)


def text_from(blocks: list[list[list[str]]]) -> str:
    return "\n\n".join("\n".join(" ".join(line) for line in block) for block in blocks)


@st.composite
def drafts_and_finals(draw: st.DrawFn) -> tuple[RecognisedPage, str]:
    blocks = draw(texts)
    page = page_of([[" ".join(line) for line in block] for block in blocks])
    text = page.text
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 8))
        put = draw(st.one_of(st.sampled_from(["", " ", "\n", "x", " new words ", "\n\n"]), st.text(max_size=6)))
        text = text[:at] + put + text[at + length :]
    return page, text


@settings(max_examples=150, deadline=None)
@given(drafts_and_finals())
def test_whatever_was_edited_is_read_back_and_lies_on_the_page(case: tuple[RecognisedPage, str]) -> None:
    page, text = case
    after = placed(page, text)
    assert after.text.split() == text.split()
    assert "".join(word.text for line in after.lines for word in line.words) == "".join(text.split())
    for line in after.lines:
        assert "".join(word.text for word in line.words) == "".join(line.text.split())
    assert_inside(after)


@settings(max_examples=100, deadline=None)
@given(texts.filter(bool), st.data())
def test_a_new_word_in_any_place_moves_no_other_word(blocks: list[list[list[str]]], data: st.DataObject) -> None:
    page = page_of([[" ".join(line) for line in block] for block in blocks])
    words = boxes_of(page)
    spaces = [at for at, one in enumerate(page.text) if one == " "]
    if not spaces:
        return
    at = data.draw(st.sampled_from(spaces))
    after = boxes_of(placed(page, page.text[:at] + " Unheard" + page.text[at:]))
    assert [one for one in after if one[0] != "Unheard"] == words


@settings(max_examples=100, deadline=None)
@given(texts.filter(bool), st.data())
def test_whatever_words_are_corrected_the_others_stay_where_they_are(
    blocks: list[list[list[str]]], data: st.DataObject
) -> None:
    numbers = iter(range(1000))
    # Words of their own, so that it is known which is which.
    named = [[" ".join(f"{word}{next(numbers)}x" for word in line) for line in block] for block in blocks]
    page = page_of(named)
    words = page.text.split()
    chosen = data.draw(st.sets(st.sampled_from(words)))
    corrected = {word: data.draw(st.sampled_from([f"Zq{word}", f"{word}.", word[:-1], "Unheard"])) for word in chosen}
    text = re.sub(r"\S+", lambda one: corrected.get(one[0], one[0]), page.text)
    after = placed(page, text)
    kept = [one for one in boxes_of(page) if one[0] not in chosen]
    assert [one for one in boxes_of(after) if one[0] in set(words) - chosen] == kept
    assert [word for word, _ in boxes_of(after)] == text.split()
    assert [line.box for line in after.lines] == [line.box for line in page.lines]
