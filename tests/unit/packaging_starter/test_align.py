"""The alignment of slots and truth against a slow twin, and in the cases that its costs were chosen for."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from starter import vocabulary
from starter.align import BLANK_ID, CELL_ID, LONGEST, AlignmentTables, align, alignment_tables, edit_distance

from diffdesk.core.lines import CELL, lay_out

NONE = np.zeros(0, np.int32)
TABLES = alignment_tables()
LINE = "It was the best of times, it was the worst of times, it was the age of wisdom"


def _targets(draft: str, truth: str, blanks: int = 0) -> tuple[list[str], int]:
    slots = np.concatenate([vocabulary.encode(draft), np.full(blanks, BLANK_ID, np.int32)])
    targets, lost = align(slots, NONE, vocabulary.encode(truth), NONE, TABLES)
    return [vocabulary.decode(targets[at : at + 1]) for at in range(targets.size)], lost


@pytest.mark.parametrize(
    ("draft", "truth", "targets"),
    [
        ("the", "the", ["t", "h", "e"]),
        ("Tbe", "the", ["t", "h", "e"]),
        ("tlie x", "the x", ["t", "h", "", "e", " ", "x"]),
        ("modem x", "modern x", ["m", "o", "d", "e", "rn", " ", "x"]),
        ("corner x", "comer x", ["c", "o", "m", "", "e", "r", " ", "x"]),
        ("thecat", "the cat", ["t", "h", "e", " c", "a", "t"]),
        ("the  cat", "the cat", ["t", "h", "e", " ", "", "c", "a", "t"]),
        ("aab", "ab", ["a", "", "b"]),
        ("lo world", "hello world", ["he", "ll", "o ", "w", "o", "r", "l", "d"]),
        ("", "", []),
        ("abc", "", ["", "", ""]),
    ],
)
def test_each_error_stays_where_it_is(draft: str, truth: str, targets: list[str]) -> None:
    assert _targets(draft, truth) == (targets, 0)


def test_blanks_come_before_pairs() -> None:
    assert _targets("hel", "hello", blanks=3) == (["h", "e", "l", "l", "o", ""], 0)


def test_what_finds_no_place_is_counted() -> None:
    targets, lost = _targets("a", "abcdef")
    assert lost == 4
    assert len(targets[0]) == 2


def test_a_draft_that_breaks_off_is_continued_in_the_blanks() -> None:
    targets, lost = _targets(LINE[:30], LINE, blanks=60)
    assert "".join(targets[:30]) == LINE[:30]
    assert ("".join(targets), lost) == (LINE, 0)


def test_the_targets_spell_the_truth() -> None:
    rng = random.Random(3)
    for _ in range(60):
        draft = list(LINE)
        for _ in range(rng.randrange(8)):
            at = rng.randrange(len(draft))
            draft[at : at + rng.randrange(3)] = rng.choices("aelrnm ,.", k=rng.randrange(3))
        targets, lost = _targets("".join(draft), LINE, blanks=30)
        if not lost:
            assert "".join(targets) == LINE


def test_characters_of_a_picture_go_under_their_own_cells() -> None:
    truth = "one two three"
    cell_of_truth = np.array([0] * 4 + [1] * 4 + [3] * 5, np.int32)
    layout = lay_out(0, 24, cells=4)
    slots = np.where(layout == CELL, CELL_ID, BLANK_ID).astype(np.int32)
    cell_of_slot = (np.cumsum(layout == CELL) - 1).astype(np.int32)
    targets, lost = align(slots, cell_of_slot, vocabulary.encode(truth), cell_of_truth, TABLES)
    assert lost == 0
    assert (targets[slots == CELL_ID] == vocabulary.PAD).all()
    under = [vocabulary.decode(targets[cell_of_slot == cell]) for cell in range(4)]
    assert under == ["one ", "two ", "", "three"]


def test_a_lost_word_goes_into_the_blanks_of_its_cells() -> None:
    truth, draft = "one two six", "one six"
    centres = np.array([4, 12, 20, 28, 68, 76, 84], np.float32)
    layout = lay_out(len(draft), 24, centres, 3)
    slots = np.where(layout == CELL, CELL_ID, BLANK_ID).astype(np.int32)
    slots[layout >= 0] = vocabulary.encode(draft)[layout[layout >= 0]]
    cell_of_slot = (np.cumsum(layout == CELL) - 1).astype(np.int32)
    cell_of_truth = np.array([0] * 4 + [1] * 4 + [2] * 3, np.int32)
    targets, lost = align(slots, cell_of_slot, vocabulary.encode(truth), cell_of_truth, TABLES)
    assert lost == 0
    assert vocabulary.decode(targets[cell_of_slot == 1]) == "two "


def test_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="160"):
        align(np.ones(LONGEST + 1, np.int32), NONE, NONE, NONE, TABLES)


# A vocabulary of a space and three letters, of which the second is the capital of the first, with a few pairs.
_LETTERS = [vocabulary.SPACE, 53, 54, 55]
_PAIRS = {
    vocabulary.FIRST_PAIR + number: (_LETTERS[first], _LETTERS[second])
    for number, (first, second) in enumerate([(0, 1), (1, 1), (1, 2), (2, 3), (3, 0)])
}


def _small_tables() -> AlignmentTables:
    pairs = np.zeros_like(TABLES.pairs)
    for token, pair in _PAIRS.items():
        pairs[pair] = token
    folded = np.arange(TABLES.folded.size, dtype=np.int32)
    folded[_LETTERS[2]] = _LETTERS[1]
    return AlignmentTables(pairs, folded)


def _place_cost(slot: int, taken: tuple[int, ...], folded: NDArray[np.int32]) -> int | None:
    """What a slot that takes these characters costs, without distances; None where it can't."""
    if slot == CELL_ID:
        return None if taken else 0
    if slot == BLANK_ID:
        return (0, 10, 21)[len(taken)]
    if not taken:
        return 10
    each = []
    for true in taken:
        if true == slot:
            each.append(0)
        elif vocabulary.SPACE in (true, slot):
            each.append(17)
        else:
            each.append(6 if folded[true] == folded[slot] else 10)
    return min(each) + 12 * (len(taken) - 1)


def _least(
    slots: list[int], cells: list[int], truth: list[int], places: list[int], tables: AlignmentTables
) -> tuple[int, int]:
    """The least cost and, among its alignments, the least number of changed slots."""

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        if i == len(slots):
            return 60 * (len(truth) - j), 0
        found = []
        if j < len(truth):
            cost, changed = best(i, j + 1)
            found.append((cost + 60, changed))
        for count in range(min(2, len(truth) - j) + 1):
            taken = tuple(truth[j : j + count])
            here = _place_cost(slots[i], taken, tables.folded)
            if here is None or (count == 2 and not tables.pairs[taken]):
                continue
            if places:
                here += sum(4 * abs(places[k] - cells[i]) for k in range(j, j + count))
            is_changed = taken != (slots[i],) and (bool(taken) or slots[i] not in (BLANK_ID, CELL_ID))
            cost, changed = best(i + 1, j + count)
            found.append((cost + here, changed + is_changed))
        return min(found)

    return best(0, 0)


def _cost_of(
    targets: list[int], slots: list[int], cells: list[int], truth: list[int], places: list[int], tables: AlignmentTables
) -> tuple[int, int]:
    """The cost of targets from which nothing was lost, and how many slots they change."""
    cost = changed = at = 0
    for slot, cell, target in zip(slots, cells, targets, strict=True):
        taken = () if target == vocabulary.PAD else _PAIRS.get(target, (target,))
        here = _place_cost(slot, taken, tables.folded)
        assert here is not None
        assert list(taken) == truth[at : at + len(taken)]
        cost += here + sum(4 * abs(one - cell) for one in places[at : at + len(taken)])
        changed += taken != (slot,) and (bool(taken) or slot not in (BLANK_ID, CELL_ID))
        at += len(taken)
    assert at == len(truth)
    return cost, changed


@pytest.mark.parametrize("has_cells", [False, True])
def test_no_alignment_is_cheaper(has_cells: bool) -> None:
    rng = random.Random(5)
    tables = _small_tables()
    compared = 0
    for _ in range(250):
        slots = rng.choices([*_LETTERS, BLANK_ID, *([CELL_ID] if has_cells else [])], k=rng.randrange(9))
        truth = rng.choices(_LETTERS, k=rng.randrange(9))
        cells = sorted(rng.choices(range(4), k=len(slots)))
        places = sorted(rng.choices(range(4), k=len(truth))) if has_cells else []
        targets, lost = align(
            np.array(slots, np.int32),
            np.array(cells if has_cells else [], np.int32),
            np.array(truth, np.int32),
            np.array(places, np.int32),
            tables,
        )
        placed = sum(len(_PAIRS.get(one, (one,))) for one in targets.tolist() if one != vocabulary.PAD)
        assert lost == len(truth) - placed
        if not lost:
            least = _least(slots, cells, truth, places, tables)
            assert _cost_of(targets.tolist(), slots, cells, truth, places, tables) == least
            compared += 1
    assert compared > 100


def test_edit_distance_equals_the_textbook() -> None:
    def slow(a: list[int], b: list[int]) -> int:
        row = list(range(len(b) + 1))
        for i, one in enumerate(a):
            fresh = [i + 1]
            for j, other in enumerate(b):
                fresh.append(min(fresh[-1] + 1, row[j + 1] + 1, row[j] + (one != other)))
            row = fresh
        return row[-1]

    rng = random.Random(7)
    for _ in range(200):
        a, b = (rng.choices(range(3), k=rng.randrange(10)) for _ in range(2))
        assert edit_distance(np.array(a, np.int32), np.array(b, np.int32)) == slow(a, b)
