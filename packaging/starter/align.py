"""Which token belongs into each slot of a canvas, given the truth: an alignment of slots and characters.

Knows tokens and slots, nothing of pictures and of how drafts come about. The work is compiled by numba where it is
installed; without it the same functions run as plain Python, some thousand times slower.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from starter.vocabulary import CHARACTER_IDS, FIRST_PAIR, IMAGE, PAD, SPACE, pair_table

BLANK_ID = PAD  # a slot without a character of the draft
CELL_ID = IMAGE  # a slot that shows a square of the picture
LONGEST = 160  # slots, and characters of the truth

# Costs; the reasons stand at `align`.
_MATCH, _OTHER_CASE, _SUBSTITUTION, _SPACE_FOR_LETTER, _NOTHING = 0, 6, 10, 17, 10
_SECOND_CHARACTER = 12
_BLANK_ONE, _BLANK_TWO = 10, 21
_DROPPED = 60
_EACH_CELL_AWAY = 4
# In the table a cost stands over eight bits for the number of changed slots and two bits for what the slot does: the
# least number is then the cheapest way, among those the one that changes fewest slots, then the one preferred.
_UNIT, _CHANGE = 1 << 10, 1 << 2
_TAKES_ONE, _TAKES_TWO, _TAKES_NOTHING, _DROPS = 0, 1, 2, 3
_HUGE = 1 << 29
_BAND = 40

_Ints: TypeAlias = NDArray[np.int32]
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function as machine code, kept on disk for the next process, where numba is installed."""
    if importlib.util.find_spec("numba") is None:
        return function
    fast: Callable[_P, _R] = importlib.import_module("numba").njit(function, cache=True)
    return fast


@dataclass(frozen=True)
class AlignmentTables:
    """What an alignment needs of the vocabulary."""

    pairs: NDArray[np.int32]  # [characters, characters]: the token of two characters, 0 where there is none
    folded: NDArray[np.int32]  # [characters]: the id of the same character in lower case


def alignment_tables() -> AlignmentTables:
    """The tables of the starter's own vocabulary."""
    folded = np.arange(FIRST_PAIR, dtype=np.int32)
    for character, number in CHARACTER_IDS.items():
        folded[number] = CHARACTER_IDS.get(character.lower(), number)
    return AlignmentTables(pair_table(), folded)


def align(
    slots: NDArray[np.int32],
    cell_of_slot: NDArray[np.int32],
    truth: NDArray[np.int32],
    cell_of_truth: NDArray[np.int32],
    tables: AlignmentTables,
) -> tuple[NDArray[np.int32], int]:
    """The target token of each slot (int32[n], the pad where nothing stands) and how many characters found no place.

    The cheapest way to hand all characters of the truth, in order, to the slots; each slot takes none, one or two, two
    only where the vocabulary has a token for the pair. What it costs:

    - A draft's character: itself 0; in the other case 6 (one letter read in the wrong case is likelier than two
      unrelated errors); another character 10; a space for a letter or the reverse 17 (nearly a deletion and an
      insertion: words stay over words); nothing 10. Two characters cost what the better of them costs alone and 12:
      a little more than a substitution, so that a substitution beside a match is never read as two insertions and
      deletions, and a little more than a blank, so that blanks that stand nearby are used first.
    - A blank: nothing 0, one character 10, two 21 (two blanks at 20 come first).
    - A cell shows the picture and takes nothing.
    - Where the cells of both sides are known, each character placed under another cell costs 4 for each cell it is
      away: less than any error for one cell (centres are not exact), more than a substitution from three cells on.
    - A character that is dropped costs 60, more than any way to keep it nearby.

    Among equally cheap ways: fewer changed slots (`m` for `rn` is one pair, not a substitution and a pair); then exact
    matches as early as possible, single characters before pairs, pairs before nothing.

    Args:
        slots: int32[n], n <= 160; ids of characters, `BLANK_ID` or `CELL_ID`.
        cell_of_slot: int32[n], or empty where there is no picture.
        truth: int32[m], m <= 160; ids of characters.
        cell_of_truth: int32[m], or empty where the places of the truth's characters are not known.
        tables: of the vocabulary.

    Raises:
        ValueError: more than 160 slots or characters.
    """
    if max(slots.size, truth.size) > LONGEST:
        raise ValueError(f"at most {LONGEST} slots and characters")
    return _align(slots, cell_of_slot, truth, cell_of_truth, tables.pairs, tables.folded)


def edit_distance(a: NDArray[np.int32], b: NDArray[np.int32]) -> int:
    """The least number of insertions, deletions and substitutions that make `b` of `a`."""
    return int(_edit_distance(a, b))


@_compiled
def _place_costs(
    slot: int, letter: int, truth: _Ints, letters: _Ints, pair_of: _Ints, costs: tuple[_Ints, _Ints]
) -> None:
    """What it costs to put each one, or each two, of the truth's characters into a slot."""
    one, two = costs[0][: truth.size], costs[1][: truth.size]
    for j in range(truth.size):
        cost = _OTHER_CASE if letters[j] == letter else _SUBSTITUTION
        cost = _SPACE_FOR_LETTER if (truth[j] == SPACE) != (slot == SPACE) else cost
        cost = _BLANK_ONE if slot == BLANK_ID else cost
        one[j] = _MATCH if truth[j] == slot else cost * _UNIT + _CHANGE
    following = one[1:]
    for j in range(following.size):
        cost = (min(one[j], following[j]) & -_UNIT) + _SECOND_CHARACTER * _UNIT
        cost = _BLANK_TWO * _UNIT if slot == BLANK_ID else cost
        two[j] = cost + _CHANGE if pair_of[j] else _HUGE


@_compiled
def _add_distances(cell: int, cell_of_truth: _Ints, costs: tuple[_Ints, _Ints]) -> None:
    """Each character that would stand under another cell than its own costs more."""
    one, two = costs[0][: cell_of_truth.size], costs[1][: cell_of_truth.size]
    for j in range(one.size):
        away = abs(cell_of_truth[j] - cell) * (_EACH_CELL_AWAY * _UNIT)
        one[j] += away
        two[j] += away
    following = cell_of_truth[1:]
    for j in range(following.size):
        two[j] += abs(following[j] - cell) * (_EACH_CELL_AWAY * _UNIT)


@_compiled
def _fill_row(nothing: int, costs: tuple[_Ints, _Ints], after: _Ints, row: _Ints, choice: NDArray[np.uint8]) -> None:
    """The least cost from a slot and each character of a band on, and what the slot does there.

    `row`, `choice` and the costs are of the band; `after`, of the next slot, reaches two characters further.
    """
    size = row.size
    one, two = costs
    from_next, from_second = after[1:], after[2:]
    for j in range(size):
        takes = min(from_next[j] + one[j] + _TAKES_ONE, from_second[j] + two[j] + _TAKES_TWO)
        row[j] = min(takes, after[j] + nothing + _TAKES_NOTHING)
    best = _HUGE
    for j in range(size - 1, -1, -1):
        best = min(row[j], best + _DROPPED * _UNIT + _DROPS)
        choice[j] = best & 3
        best &= -4
        row[j] = best


@_compiled
def _align(
    slots: _Ints, cell_of_slot: _Ints, truth: _Ints, cell_of_truth: _Ints, pairs: _Ints, folded: _Ints
) -> tuple[_Ints, int]:
    n, m = slots.size, truth.size
    has_cells = cell_of_slot.size > 0 and cell_of_truth.size > 0
    characters = np.sum((slots != BLANK_ID) & (slots != CELL_ID))
    letters = folded[truth]
    pair_of = np.zeros(m, np.int32)
    for j in range(m - 1):
        pair_of[j] = pairs[truth[j], truth[j + 1]]
    choice = np.full((n + 1, m + 1), _DROPS, np.uint8)
    row, after = np.full(m + 3, _HUGE, np.int32), np.full(m + 3, _HUGE, np.int32)
    for j in range(m + 1):
        after[j] = (m - j) * _DROPPED * _UNIT
    one, two = np.full(m + 1, _HUGE, np.int32), np.full(m + 1, _HUGE, np.int32)
    before = characters
    for i in range(n - 1, -1, -1):
        slot = slots[i]
        nothing = 0
        if slot not in (BLANK_ID, CELL_ID):
            before -= 1
            nothing = _NOTHING * _UNIT + _CHANGE
        if slot == CELL_ID:
            one[:] = _HUGE
            two[:] = _HUGE
        else:
            _place_costs(slot, folded[slot], truth, letters, pair_of, (one, two))
            if has_cells:
                _add_distances(cell_of_slot[i], cell_of_truth, (one, two))
        # A draft may lack its beginning or its end: the band spans both ways to count.
        low = max(0, min(before, before + m - characters) - _BAND)
        high = min(m, max(before, before + m - characters) + _BAND)
        row[:] = _HUGE
        band = slice(low, high + 1)
        _fill_row(nothing, (one[band], two[band]), after[low : high + 3], row[band], choice[i, band])
        row, after = after, row
    return _follow(choice, truth, pair_of)


@_compiled
def _follow(choice: NDArray[np.uint8], truth: _Ints, pair_of: _Ints) -> tuple[_Ints, int]:
    """Read the cheapest way off the table."""
    targets = np.full(choice.shape[0] - 1, PAD, np.int32)
    i = j = lost = 0
    while i < targets.size or j < truth.size:
        what = choice[i, j]
        if what == _DROPS:
            lost += 1
            j += 1
            continue
        if what == _TAKES_ONE:
            targets[i] = truth[j]
            j += 1
        elif what == _TAKES_TWO:
            targets[i] = pair_of[j]
            j += 2
        i += 1
    return targets, lost


@_compiled
def _edit_distance(a: _Ints, b: _Ints) -> int:
    start, shorter = 0, min(a.size, b.size)
    while start < shorter and a[start] == b[start]:
        start += 1
    a, b, shorter = a[start:], b[start:], shorter - start
    end = 0
    while end < shorter and a[a.size - 1 - end] == b[b.size - 1 - end]:
        end += 1
    a, b = a[: a.size - end], b[: b.size - end]
    row = np.arange(1, b.size + 1)
    left = b.size
    for i in range(a.size):
        diagonal, left = i, i + 1
        for j in range(b.size):
            above = row[j]
            left = min(min(left, above) + 1, diagonal + (a[i] != b[j]))
            row[j] = left
            diagonal = above
    return int(left)
