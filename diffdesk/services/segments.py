"""A draft cut into the segments that are decided on: words, white space, and whatever a proposal touches.

Each tells what was read, what the model made of it, where it stands on the page and how doubtful it is. Knows nothing
of decisions.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from diffdesk.core.proposals import Doubt, Proposal, made_text
from diffdesk.documents.recognised_page import Box, RecognisedLine, RecognisedPage

UNSURE = 0.8
"""Confidence of the recogniser under which a word is uncertain."""

_TOKEN = re.compile(r"\n|[^\S\n]+|\S+")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the draft that is decided as one.

    Attributes:
        start, end: its characters in the draft.
        drafted: what was read.
        made: with the changes that the guard let through.
        wanted: with all changes that the model would make; the same as `drafted` where it would make none.
        certainty: of the least certain of its changes; 1 without any.
        is_held: a change was not made because its line would have changed too much.
        doubt: 0 for a sure word, 1 for a hopeless one, from 0.5 on it is uncertain.
        why: of the doubt, a clause; empty without one.
        line: of the page, from 0; -1 if it is in none.
        box: where it stands in the page's image.
    """

    start: int
    end: int
    drafted: str
    made: str
    wanted: str
    certainty: float = 1.0
    is_held: bool = False
    doubt: float = 0.0
    why: str = ""
    line: int = -1
    box: Box | None = None

    @property
    def is_change(self) -> bool:
        """Whether the model would change it."""
        return self.wanted != self.drafted


@dataclass(frozen=True, slots=True)
class _Place:
    """A recognised word in the draft."""

    start: int
    end: int
    line: int
    box: Box
    confidence: float


def segments_of(
    draft: str, proposals: Sequence[Proposal], doubts: Sequence[Doubt], page: RecognisedPage | None
) -> tuple[Segment, ...]:
    """The segments, in reading order; they join to the draft. Raises `ValueError` for proposals of another text."""
    made_text(draft, proposals)  # refuses what doesn't belong to the draft
    starts = _line_starts(draft, page) if page is not None else []
    places = _places(starts, page) if page is not None else []
    found: list[Segment] = []
    for (start, end), inside in _groups(draft, proposals):
        words = _overlapping(places, start, end)
        line = words[0].line if words else bisect_right(starts, start) - 1
        moved = [replace(one, start=one.start - start, end=one.end - start) for one in inside]
        segment = Segment(
            start,
            end,
            draft[start:end],
            made_text(draft[start:end], moved),
            made_text(draft[start:end], [replace(one, is_made=True) for one in moved]),
            min((one.certainty for one in inside), default=1.0),
            any(one.is_held for one in inside),
            line=line,
            box=_union([one.box for one in words if one.line == line]),
        )
        doubt, why = _doubt(segment, words, _overlapping(doubts, start, end))
        found.append(replace(segment, doubt=doubt, why=why))
    return tuple(found)


def _groups(draft: str, proposals: Sequence[Proposal]) -> list[tuple[tuple[int, int], list[Proposal]]]:
    """Words, blanks and line ends as spans of the draft, each with the proposals that touch it; those together that
    one proposal touches.
    """
    spans = [(one.start(), one.end()) for one in _TOKEN.finditer(draft)] or [(0, 0)]
    ranges = [_touched(draft, spans, one) for one in proposals]
    is_glued = [False] * len(spans)  # to the span before it
    for first, last in ranges:
        is_glued[first + 1 : last + 1] = [True] * (last - first)
    groups: list[tuple[tuple[int, int], list[Proposal]]] = []
    group_of: list[int] = []
    for (start, end), glued in zip(spans, is_glued, strict=True):
        if glued:
            groups[-1] = ((groups[-1][0][0], end), [])
        else:
            groups.append(((start, end), []))
        group_of.append(len(groups) - 1)
    for (first, _), proposal in zip(ranges, proposals, strict=True):
        groups[group_of[first]][1].append(proposal)
    return groups


def _touched(draft: str, spans: Sequence[tuple[int, int]], proposal: Proposal) -> tuple[int, int]:
    """The first and the last span that a proposal is a matter of.

    What is put in belongs to the word beside it, rather to the one before; a change of a blank is one of the words on
    both sides of it.
    """
    last = max(0, bisect_left(spans, (max(proposal.end, proposal.start + 1), 0)) - 1)
    if proposal.start == proposal.end:
        before = max(0, bisect_left(spans, (proposal.start, 0)) - 1)
        at = next((one for one in (before, last) if not draft[slice(*spans[one])].isspace()), last)
        return at, at
    first = bisect_right(spans, (proposal.start, len(draft))) - 1
    if first and _is_blank(draft, spans[first]):
        first -= 1
    if last + 1 < len(spans) and _is_blank(draft, spans[last]):
        last += 1
    return first, last


def _is_blank(draft: str, span: tuple[int, int]) -> bool:
    text = draft[slice(*span)]
    return text.isspace() and "\n" not in text


class _Spanned(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


_S = TypeVar("_S", bound=_Spanned)


def _overlapping(found: Sequence[_S], start: int, end: int) -> Sequence[_S]:
    """Those of ascending spans that share a character with [start, end)."""
    first = bisect_right(found, start, key=lambda one: one.end)
    return found[first : bisect_left(found, end, key=lambda one: one.start)]


def _doubt(segment: Segment, words: Sequence[_Place], kept: Sequence[Doubt]) -> tuple[float, str]:
    """How doubtful a word is and why: by the recogniser, by the model, or because the two disagree."""
    if not segment.drafted.strip():
        return 0.0, ""
    reasons: list[tuple[float, str]] = []
    if segment.made != segment.wanted:
        reasons.append((0.5 + segment.certainty / 2, f"the model would write “{segment.wanted.strip()}”"))
    sure = min((one.confidence for one in words), default=1.0)
    if sure < UNSURE:
        reasons.append((1 - sure / (2 * UNSURE), f"the recogniser was {100 * sure:.0f} % sure"))
    if kept:
        reasons.append((1 - min(one.certainty for one in kept) / 2, "the model kept it without being sure"))
    if not reasons:
        return 0.0, ""
    return max(doubt for doubt, _ in reasons), ", ".join(why for _, why in reasons)


def _union(boxes: Sequence[Box]) -> Box | None:
    if not boxes:
        return None
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _line_starts(draft: str, page: RecognisedPage) -> list[int]:
    """Where each line of the page begins in the draft, as far as they stand there."""
    starts: list[int] = []
    at = 0
    for line in page.lines:
        found = draft.find(line.text, at)
        if found < 0:
            break
        starts.append(found)
        at = found + len(line.text)
    return starts


def _places(starts: Sequence[int], page: RecognisedPage) -> list[_Place]:
    return [
        place
        for number, (start, line) in enumerate(zip(starts, page.lines, strict=False))
        for place in _places_in_line(number, start, line)
    ]


def _places_in_line(number: int, start: int, line: RecognisedLine) -> Iterable[_Place]:
    if not line.words:
        yield _Place(start, start + len(line.text), number, line.box, line.confidence)
    at = 0
    for word in line.words:
        found = line.text.find(word.text, at)
        if word.text and found >= 0:
            at = found + len(word.text)
            yield _Place(start + found, start + at, number, word.box, word.confidence)
