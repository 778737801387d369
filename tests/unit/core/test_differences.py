"""What changed between two texts, and how much."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core import differences
from diffdesk.core.differences import (
    Change,
    ChangeKind,
    apply,
    changes,
    character_error_rate,
    edit_distance,
    refine,
    right_words,
    share_changed,
    word_error_rate,
)


def told(before: str, after: str) -> list[tuple[str, str, str]]:
    """The changes as plain texts."""
    return [(one.before, one.after, one.kind.value) for one in changes(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", []),
        ("same text", "same text", []),
        ("tbe quiek brown fox", "the quick brown fox", [("tbe", "the", "replaced"), ("quiek", "quick", "replaced")]),
        ("I has went", "I went", [("has ", "", "deleted")]),
        ("I went", "I have went", [("", "have ", "inserted")]),
        ("", "new", [("", "new", "inserted")]),
        ("old text", "", [("old text", "", "deleted")]),
        ("hello World", "Hello world", [("hello", "Hello", "case"), ("World", "world", "case")]),
        ("a  cat", "a cat", [(" ", "", "space")]),
        ("exam ple here", "example here", [("exam ple", "example", "space")]),
        ("t h e cat sat", "the cat sat", [("t h e", "the", "space")]),
        ("inthe house", "in the house", [("inthe", "in the", "space")]),
        ("a cat", "a cat,", [("", ",", "punctuation")]),
        ("It's so", "Its so", [("It's", "Its", "punctuation")]),
        ("don't go", "don\u2019t go", [("don't", "don\u2019t", "punctuation")]),
        ("well known man", "well-known man", [("well known", "well-known", "punctuation")]),
        ("a good-natnred man", "a good-natured man", [("good-natnred", "good-natured", "replaced")]),
        ("exam-\nple here", "example here", [("exam-\nple", "example", "punctuation")]),
        ("it cost 3.14 then", "it cost 3,14 then", [("3.14", "3,14", "punctuation")]),
        ("it cost $5", "it cost £5", [("$", "£", "replaced")]),
        ("the the cat", "the cat", [("the ", "", "deleted")]),
        ("big old house", "enormous house", [("big old", "enormous", "replaced")]),
        (
            "He was glad at home.",
            "They were so unhappy outdoors.",
            [("He was glad at home", "They were so unhappy outdoors", "replaced")],
        ),
        (
            "alpha beta gamna end",
            "delta gamma end",
            [("alpha beta", "delta", "replaced"), ("gamna", "gamma", "replaced")],
        ),
        ("今日は雨です", "今日は雪です", [("雨", "雪", "replaced")]),
        ("cafe\u0301 noir", "cafe noir", [("cafe\u0301", "cafe", "replaced")]),
    ],
)
def test_changes_are_those_that_a_reader_would_mark(
    before: str, after: str, expected: list[tuple[str, str, str]]
) -> None:
    assert told(before, after) == expected


alphabet = st.sampled_from("aab  AB-'.,\n\u00e9\u0301雨1")
texts = st.text(alphabet, max_size=60)
spoken = st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "well-known", "3.14", "Cat", "tlie"])
prose = st.lists(spoken, max_size=40)
sentences = st.builds(lambda words, gap: gap.join(words), prose, st.sampled_from([" ", "  ", ", ", "\n"]))
pairs = st.tuples(texts, texts) | st.tuples(sentences, sentences) | st.tuples(sentences, texts)


@given(pairs, st.data())
def test_all_changes_give_the_new_text_and_none_the_old(pair: tuple[str, str], data: st.DataObject) -> None:
    before, after = pair
    found = changes(before, after)
    assert apply(before, found, set(range(len(found)))) == after
    assert apply(before, found, set()) == before
    assert bool(found) == (before != after)
    accepted = data.draw(st.sets(st.integers(0, max(0, len(found) - 1))))
    assert apply(before, found, accepted) == twin_apply(before, found, accepted)


def twin_apply(before: str, found: Sequence[Change], accepted: set[int]) -> str:
    """From the end backwards, so that places stay true."""
    for index in sorted(accepted & set(range(len(found))), reverse=True):
        before = before[: found[index].before_start] + found[index].after + before[found[index].before_end :]
    return before


@given(pairs)
def test_spans_are_true_in_order_and_apart(pair: tuple[str, str]) -> None:
    before, after = pair
    last_before = last_after = -1
    for one in changes(before, after):
        assert before[one.before_start : one.before_end] == one.before
        assert after[one.after_start : one.after_end] == one.after
        assert one.before != one.after
        assert one.before_start > last_before
        assert one.after_start > last_after
        assert one.before_start - last_before == one.after_start - last_after or last_before < 0
        last_before, last_after = one.before_end, one.after_end


@given(pairs)
def test_single_characters_make_up_the_same_change(pair: tuple[str, str]) -> None:
    before, after = pair
    edits = [edit for one in changes(before, after) for edit in refine(one)]
    assert apply(before, edits, set(range(len(edits)))) == after
    for one in edits:
        assert after[one.after_start : one.after_end] == one.after


def test_a_misspelt_word_is_refined_to_its_wrong_letters() -> None:
    [change] = changes("the modem world", "the modern world")
    assert [(one.before, one.after, one.before_start, one.after_start) for one in refine(change)] == [("m", "rn", 8, 8)]


def test_words_with_nothing_in_common_are_not_refined() -> None:
    [change] = changes("glad", "unhappy")
    assert refine(change) == (change,)


@given(pairs)
def test_the_kinds_that_leave_the_words_do_leave_them(pair: tuple[str, str]) -> None:
    for one in changes(*pair):
        if one.kind is ChangeKind.SPACE:
            assert "".join(one.before.split()) == "".join(one.after.split())
        elif one.kind is ChangeKind.CASE:
            assert one.before.casefold() == one.after.casefold()
        elif one.kind is ChangeKind.INSERTED:
            assert not one.before
        elif one.kind is ChangeKind.DELETED:
            assert not one.after


@pytest.mark.parametrize("accepted", [set(), {0}])
def test_changes_of_another_text_are_refused(accepted: set[int]) -> None:
    found = changes("tbe cat", "the cat")
    with pytest.raises(ValueError, match="change 0"):
        apply("a dog sat", found, accepted)


def noisy(text: str, rate: float, chance: random.Random) -> str:
    return "".join(chance.choice("abcdefgh ") if chance.random() < rate else one for one in text)


WORDS = [a + b + c for a in "bcdfgklm" for b in ("a", "e", "i", "oo") for c in ("n", "rd", "st", "lling", "")]
LONG = " ".join(random.Random(1).choices(WORDS, k=4600))[:20_000]
HOSTILE = {
    "noise": (LONG, noisy(LONG, 0.05, random.Random(2))),
    "another text": (LONG, " ".join(random.Random(3).choices(WORDS, k=4600))[:20_000]),
    "backwards": (LONG, LONG[::-1]),
    "one word over and over": ("a " * 10_000, "b " * 10_000),
    "two changes among equals": ("a " * 10_000, "a " * 3000 + "b " + "a " * 4000 + "c " + "a " * 2998),
    "swapped syllables": ("ab " * 7000, "ba " * 7000),
    "one endless word": ("x" * 20_000, "x" * 10_000 + "y" + "x" * 9000 + "z" + "x" * 999),
    "lines of marks": (".\n" * 10_000, ",\n" * 10_000),
    "everything gone": (LONG, ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_on_long_texts_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = HOSTILE[name]
    cells = 0
    aligned = differences._aligned

    def counted(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
        nonlocal cells
        cells += len(old) * len(new)
        return aligned(old, new)

    monkeypatch.setattr(differences, "_aligned", counted)
    found = changes(before, after)
    assert apply(before, found, set(range(len(found)))) == after
    # A table of at most 2,500 cells covers at least 25 tokens of the two texts together.
    assert cells <= 100 * (len(before) + len(after))


def test_few_changes_in_a_long_text_stay_few() -> None:
    before, after = HOSTILE["two changes among equals"]
    assert len(changes(before, after)) <= 3
    assert share_changed(before, after) < 0.001


@given(pairs)
def test_the_share_that_changed(pair: tuple[str, str]) -> None:
    share = share_changed(*pair)
    assert 0.0 <= share <= 1.0
    assert (share == 0.0) == (pair[0] == pair[1])
    longer = max(len(pair[0]), len(pair[1]))
    assert share * longer >= edit_distance(*pair) - 1e-9 or share == 1.0


def test_shares_one_can_count() -> None:
    assert share_changed("abcd efgh ij", "abxd efgh ij") == pytest.approx(1 / 12)
    assert share_changed("", "abc") == 1.0
    assert share_changed("", "") == 0.0


def twin_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The textbook table."""
    table = [[i + j if i == 0 or j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            swapped = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, swapped)
    return table[-1][-1]


@given(st.text("abc", max_size=14), st.text("abc", max_size=14))
def test_the_edit_distance_equals_its_twin(one: str, other: str) -> None:
    assert edit_distance(one, other) == twin_distance(one, other)


few_words = st.lists(st.sampled_from(["a", "bb", "c"]), max_size=10)


@given(few_words, few_words)
def test_the_distance_of_words_equals_its_twin(one: list[str], other: list[str]) -> None:
    assert edit_distance(one, other) == twin_distance(one, other)


def test_error_rates() -> None:
    assert character_error_rate("tbe cat", "the cat") == pytest.approx(1 / 7)
    assert character_error_rate("the cat", "the cat") == 0.0
    assert character_error_rate("aaaa", "b") == 4.0
    assert character_error_rate("", "abc") == 1.0
    assert character_error_rate("", "") == 0.0
    assert character_error_rate("a", "") == 1.0
    assert word_error_rate("tbe  cat sat", "the cat sat") == pytest.approx(1 / 3)
    assert word_error_rate("the", "the cat") == pytest.approx(1 / 2)
    assert word_error_rate(" \n", "") == 0.0


@pytest.mark.parametrize(
    ("candidate", "right"),
    [
        ("the cat saw the dog", [True, True, True, True, True]),
        ("the  cat\nsaw tbe dog", [True, True, True, False, True]),
        ("cat saw the dog", [False, True, True, True, True]),
        ("the cat saw the the dog", [True, True, True, True, True]),
        ("dog the saw cat the", [True, False, True, True, False]),
        ("", [False] * 5),
    ],
)
def test_right_words_are_those_in_their_place(candidate: str, right: list[bool]) -> None:
    assert list(right_words(candidate, "the cat saw the dog")) == right


def test_of_no_words_none_is_right() -> None:
    assert right_words("the cat", "") == ()
