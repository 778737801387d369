"""What changed between two texts: whole words for the eye, single characters where wanted, and error rates.

Words are aligned by a weighted edit distance in which similar words attract each other, so that "tbe quiek"
against "the quick" is two changed words. Long texts are first cut at words that occur once in both (patience
diff, Bram Cohen), so time grows about linearly. Knows nothing of models, documents or widgets.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_PUNCTUATION = (
    r"!-/:-@\[-^`{-~¡-©«-±\u00b4\u00b6-\u00b8»¿\u2010-\u2027\u2030-\u205e\u3001-\u303f\uff01-\uff0f\uff1a-\uff20"
)
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff"  # kana and Han, written without spaces: each character is a word
_LETTERS = rf"[^\s{_PUNCTUATION}{_UNSPACED}]+"
# A word keeps its inner hyphens and apostrophes, a number its points and commas.
_TOKEN = re.compile(
    rf"\s+|[{_UNSPACED}]|{_LETTERS}(?:[-'\u2019\u2010\u2011]{_LETTERS}|(?<=\d)[.,](?=\d){_LETTERS})*|.", re.DOTALL
)
_IS_PUNCTUATION = re.compile(rf"[{_PUNCTUATION}]+")

_MOST_CELLS = 2500  # of one alignment table: about 50 tokens against 50, some milliseconds
_MOST_REFINED = 40_000  # before × after in characters: longer changes of other words stay whole
_LONGEST_REJOINED = 80  # characters: a word that was split, however badly
_ALIKE = 0.3  # similarity from which one word counts as a spelling of the other
_EQUAL, _SWAPPED, _DELETED, _INSERTED = 1, 2, 4, 8  # steps of an alignment, as bits: several may be equally good


class ChangeKind(StrEnum):
    """What a change amounts to; the last three leave the words as they are."""

    REPLACED = "replaced"
    INSERTED = "inserted"
    DELETED = "deleted"
    CASE = "case"
    SPACE = "space"
    PUNCTUATION = "punctuation"  # and white space


@dataclass(frozen=True, slots=True)
class Change:
    """One place where two texts differ: characters [start, end) of each, and what stands there."""

    before_start: int
    before_end: int
    after_start: int
    after_end: int
    before: str
    after: str
    kind: ChangeKind


def changes(before: str, after: str) -> tuple[Change, ...]:
    """The differences in reading order, of whole words, not touching each other; empty for equal texts.

    Neighbours that only make sense together are one change: words that were joined or split, and a passage of
    words that have nothing in common with what replaced them.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    return _merged(_between(before, after, old, new), before, after)


def refine(change: Change) -> tuple[Change, ...]:
    """The same change as its single characters, with spans in the whole texts.

    A change of words that share less than half of their characters stays as it is: what they share is chance.
    """
    old, new = change.before, change.after
    if len(old) * len(new) > _MOST_REFINED and not _is_spelling(change):
        return (change,)
    parts = _between(old, new, list(old), list(new))
    shared = 2 * (len(old) - sum(len(one.before) for one in parts))
    if shared * 2 < len(old) + len(new) and change.kind not in _WORDS_STAY:
        return (change,)
    a, b = change.before_start, change.after_start
    return tuple(
        replace(
            one,
            before_start=a + one.before_start,
            before_end=a + one.before_end,
            after_start=b + one.after_start,
            after_end=b + one.after_end,
        )
        for one in parts
    )


def apply(before: str, found: Sequence[Change], accepted: Collection[int]) -> str:
    """`before` with those changes made whose index is in `accepted`: all give `after`, none gives `before`.

    Raises `ValueError` if the changes are not those of this text.
    """
    pieces, done = [], 0
    for index, one in enumerate(found):
        if one.before_start < done or before[one.before_start : one.before_end] != one.before:
            raise ValueError(f"change {index} does not belong to this text")
        pieces += [before[done : one.before_start], one.after if index in accepted else one.before]
        done = one.before_end
    return "".join([*pieces, before[done:]])


def share_changed(before: str, after: str) -> float:
    """The share of characters that changed, 0 … 1, of the longer text; see `refine`."""
    length = max(len(before), len(after))
    edits = (edit for one in changes(before, after) for edit in refine(one))
    changed = sum(max(len(one.before), len(one.after)) for one in edits)
    return min(1.0, changed / length) if length else 0.0


def character_error_rate(candidate: str, truth: str) -> float:
    """Edit distance in characters over the length of `truth`; may exceed 1. An empty truth gives 0 or 1."""
    return _error_rate(list(candidate), list(truth))


def word_error_rate(candidate: str, truth: str) -> float:
    """Edit distance in words (split at white space) over the words of `truth`; may exceed 1."""
    return _error_rate(candidate.split(), truth.split())


def right_words(candidate: str, truth: str) -> tuple[bool, ...]:
    """For each word of `truth` (split at white space) whether `candidate` has it, in its place among the others."""
    words = truth.split()
    found = {place for _, place in _matches(candidate.split(), words)}
    return tuple(place in found for place in range(len(words)))


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein distance of two sequences. Time grows with the product of what is left between common ends."""
    start, end = _common_ends(one, other)
    one, other = one[start : len(one) - end], other[start : len(other) - end]
    if len(one) < len(other):
        one, other = other, one
    numbers = {item: number for number, item in enumerate(dict.fromkeys([*one, *other]))}
    columns: NDArray[np.int64] = np.asarray([numbers[item] for item in other], np.int64)
    positions = np.arange(len(other) + 1)
    row = positions.copy()
    for done, item in enumerate(one, 1):
        swapped = row[:-1] + (columns != numbers[item])
        row = np.concatenate(([done], np.minimum(row[1:] + 1, swapped)))
        # A run of insertions: row[j] = min over k ≤ j of row[k] + (j − k), all at once.
        row = np.minimum.accumulate(row - positions) + positions
    return int(row[-1])


def _error_rate(candidate: Sequence[str], truth: Sequence[str]) -> float:
    if not truth:
        return float(bool(candidate))
    return edit_distance(candidate, truth) / len(truth)


# --- from tokens to changes ---------------------------------------------------------------------------


def _between(before: str, after: str, old: list[str], new: list[str]) -> list[Change]:
    """A change for each gap between matched tokens. `old` and `new` are the texts cut into tokens."""
    old_at, new_at = _offsets(old), _offsets(new)
    found, i, j = [], 0, 0
    for next_i, next_j in [*_matches(old, new), (len(old), len(new))]:
        if next_i > i or next_j > j:
            found.append(_change(before, after, (old_at[i], old_at[next_i]), (new_at[j], new_at[next_j])))
        i, j = next_i + 1, next_j + 1
    return found


def _offsets(tokens: list[str]) -> list[int]:
    offsets = [0]
    for one in tokens:
        offsets.append(offsets[-1] + len(one))
    return offsets


def _change(before: str, after: str, span: tuple[int, int], new_span: tuple[int, int]) -> Change:
    old, new = before[slice(*span)], after[slice(*new_span)]
    return Change(*span, *new_span, old, new, _kind(old, new))


def _kind(old: str, new: str) -> ChangeKind:
    if "".join(old.split()) == "".join(new.split()):
        return ChangeKind.SPACE
    if old.casefold() == new.casefold():
        return ChangeKind.CASE
    if _bare(old) == _bare(new):
        return ChangeKind.PUNCTUATION
    if not old:
        return ChangeKind.INSERTED
    return ChangeKind.REPLACED if new else ChangeKind.DELETED


def _bare(text: str) -> str:
    """The text without white space, punctuation and stray accents (categories P and Sk)."""
    return "".join(
        one for one in text if not one.isspace() and unicodedata.category(one) not in _PUNCTUATION_CATEGORIES
    )


_PUNCTUATION_CATEGORIES = frozenset({"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sk"})
_WORDS_STAY = frozenset({ChangeKind.CASE, ChangeKind.SPACE, ChangeKind.PUNCTUATION})


def _merged(found: list[Change], before: str, after: str) -> tuple[Change, ...]:
    """Neighbours joined where only a little equal text stands between them and they belong together."""
    merged: list[Change] = []
    for one in found:
        merged.append(_without_blank_ends(one, before, after))
        while len(merged) > 1 and (joined := _rejoined(merged[-2], merged[-1], before, after)):
            merged[-2:] = [joined]
    return _passages(merged, before, after)


def _rejoined(left: Change, right: Change, before: str, after: str) -> Change | None:
    """Two changes as one, if it only joins or splits words or moves their marks, as neither of them alone does."""
    if not _is_near(left, right, before) or right.before_end - left.before_start > _LONGEST_REJOINED:
        return None
    if left.kind in _WORDS_STAY and right.kind in _WORDS_STAY:
        return None
    joined = _spanning(left, right, before, after)
    return _without_blank_ends(joined, before, after) if joined.kind in _WORDS_STAY else None


def _passages(found: list[Change], before: str, after: str) -> tuple[Change, ...]:
    """Runs of changes that are no spellings of each other, with nothing but blanks between them, as one each."""
    runs: list[tuple[Change, Change]] = []
    was_rewritten = False
    for one in found:
        is_rewritten = not _is_spelling(one)
        last = runs[-1][1] if runs else one
        is_blank = before[last.before_end : one.before_start].isspace()
        if is_rewritten and was_rewritten and is_blank and _is_near(last, one, before):
            runs[-1] = (runs[-1][0], one)
        else:
            runs.append((one, one))
        was_rewritten = is_rewritten
    return tuple(first if first is last else _spanning(first, last, before, after) for first, last in runs)


def _is_near(left: Change, right: Change, before: str) -> bool:
    """Whether at most two blanks or marks stand between two changes."""
    between = before[left.before_end : right.before_start]
    return len(between) <= 2 and (between.isspace() or _IS_PUNCTUATION.fullmatch(between) is not None)


def _spanning(first: Change, last: Change, before: str, after: str) -> Change:
    span, new_span = (first.before_start, last.before_end), (first.after_start, last.after_end)
    return _change(before, after, span, new_span)


def _is_spelling(change: Change) -> bool:
    """Whether the words before and after are the same or alike."""
    return change.kind in _WORDS_STAY or _similarity(change.before, change.after) >= _ALIKE


def _without_blank_ends(change: Change, before: str, after: str) -> Change:
    """The change without white space that both sides begin or end with."""
    start, end = _common_ends(change.before, change.after)
    while start and not change.before[:start].isspace():
        start -= 1
    while end and not change.before[len(change.before) - end :].isspace():
        end -= 1
    span = (change.before_start + start, change.before_end - end)
    return _change(before, after, span, (change.after_start + start, change.after_end - end))


# --- alignment ----------------------------------------------------------------------------------------


def _matches(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of indices of equal tokens, ascending in both."""
    found: list[tuple[int, int]] = []
    open_ranges = [(0, len(old), 0, len(new))]
    while open_ranges:
        i, i_end, j, j_end = open_ranges.pop()
        start, end = _common_ends(old[i:i_end], new[j:j_end])
        found += [(i + one, j + one) for one in range(start)]
        found += [(i_end - one, j_end - one) for one in range(1, end + 1)]
        i, i_end, j, j_end = i + start, i_end - end, j + start, j_end - end
        if i == i_end or j == j_end:
            continue
        if (i_end - i) * (j_end - j) <= _MOST_CELLS:
            found += [(i + a, j + b) for a, b in _aligned(old[i:i_end], new[j:j_end])]
            continue
        cuts = [(i + a, j + b) for a, b in _anchors(old[i:i_end], new[j:j_end])]
        corners = [(i, j), *(cuts or [((i + i_end) // 2, (j + j_end) // 2)]), (i_end, j_end)]
        open_ranges += [(*a, *b) for a, b in _ranges(corners)]
    return sorted(found)


def _ranges(corners: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for (i, j), (next_i, next_j) in pairwise(corners):
        yield (i, next_i), (j, next_j)


def _common_ends(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """How many items are equal at the start, and how many of the rest at the end."""
    shorter = min(len(one), len(other))
    start = 0
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return start, end


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Words that occur once on each side, the longest ascending run of them: places to cut a long comparison."""
    once_old, once_new = _once(old), _once(new)
    pairs = [(place, once_new[word]) for word, place in once_old.items() if word in once_new]
    ends: list[int] = []  # ends[k]: the smallest last `j` of an ascending run of length k + 1
    at: list[int] = []  # which pair that is
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(at[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        at[length : length + 1] = [index]
    run: list[tuple[int, int]] = []
    index = at[-1] if at else -1
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]


def _once(tokens: Sequence[str]) -> dict[str, int]:
    counts = Counter(tokens)
    return {one: place for place, one in enumerate(tokens) if counts[one] == 1 and _weight(one) >= _WORD}


_SPACE, _MARK, _WORD = 200, 500, 1000  # what it costs to leave a token unmatched, in thousandths


def _weight(token: str) -> int:
    if token.isspace():
        return _SPACE
    return _MARK if _IS_PUNCTUATION.fullmatch(token) else _WORD + 100 * min(len(token), 10)


def _similarity(one: str, other: str) -> float:
    """0 … 1: the share of characters in the common start and end, upper and lower case alike."""
    one, other = one.casefold(), other.casefold()
    start, end = _common_ends(one, other)
    return 2 * (start + end) / (len(one) + len(other)) if one or other else 1.0


def _swap_cost(one: str, weight: int, other: str, other_weight: int) -> int:
    """What it costs to let one token stand for another: less than dropping both if they are alike."""
    cost = weight + other_weight
    if (weight < _WORD) != (other_weight < _WORD):
        return cost
    if weight < _WORD:
        return cost // 2 if weight == other_weight else cost
    similarity = _similarity(one, other)
    return round(cost * (1 - similarity)) if similarity >= _ALIKE else cost


def _aligned(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Equal tokens of the cheapest alignment of two short sequences (weighted Needleman–Wunsch)."""
    old_weights, new_weights = [_weight(one) for one in old], [_weight(one) for one in new]
    row = [0]
    for weight in new_weights:
        row.append(row[-1] + weight)
    steps = [bytes([0, *[_INSERTED] * len(new)])]
    for one, weight in zip(old, old_weights, strict=True):
        last, row = row, [row[0] + weight]
        moves = bytearray([_DELETED])
        for j, (other, other_weight) in enumerate(zip(new, new_weights, strict=True)):
            is_equal = one == other
            through = last[j] + (0 if is_equal else _swap_cost(one, weight, other, other_weight))
            deleted, inserted = last[j + 1] + weight, row[j] + other_weight
            cheapest = min(through, deleted, inserted)
            row.append(cheapest)
            move = (_EQUAL if is_equal else _SWAPPED) if through == cheapest else 0
            moves.append(move | (_DELETED if deleted == cheapest else 0) | (_INSERTED if inserted == cheapest else 0))
        steps.append(bytes(moves))
    return _walked_back(steps, len(old), len(new))


def _walked_back(steps: list[bytes], i: int, j: int) -> list[tuple[int, int]]:
    """The equal pairs of one cheapest path; where several are, the one with the fewest and longest gaps."""
    found: list[tuple[int, int]] = []
    is_in_gap = False
    while i or j:
        possible = steps[i][j]
        in_gap = possible & (_SWAPPED | _DELETED | _INSERTED)
        if possible & _EQUAL and not (is_in_gap and in_gap):
            i, j, is_in_gap = i - 1, j - 1, False
            found.append((i, j))
            continue
        is_in_gap = True
        if in_gap & _SWAPPED:
            i, j = i - 1, j - 1
        elif in_gap & _DELETED:
            i -= 1
        else:
            j -= 1
    return found
