"""Gives the words of a corrected text their places on the page.

A draft knows where each of its words stands; the final text was made from it by replacing, inserting, deleting,
splitting and joining words and lines. Both are aligned character by character, and each word of the final text takes
the place of what it came from. Knows nothing of formats and files.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.differences import Change, changes, refine
from diffdesk.core.lines import character_widths
from diffdesk.documents.exports.gaps import (
    between_lines,
    between_words,
    inside,
    is_right_to_left,
    part_of,
    spread_words,
    union,
    words_in,
)
from diffdesk.documents.exports.line_words import has_all_words, in_rows, word_spans
from diffdesk.documents.recognised_page import Box, RecognisedLine, RecognisedPage, RecognisedWord

_DECIDED = 1.0  # the confidence of a word that somebody changed or accepted
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")  # kana and Han: a recogniser gives one word for each character
_CHANCE = 0.3  # less than this share of a word, beside another word that a token covers, is inexact arithmetic


def placed(page: RecognisedPage, text: str) -> RecognisedPage:
    """The page with its final text: every word of it stands in a line and has a box inside the page.

    Words that are as they were keep their boxes and confidences, others have a confidence of 1. A line whose words
    were not known gets them spread over its box.

    Args:
        page: the draft.
        text: what became of ``page.text``; a line feed ends a line, an empty line a block.
    """
    if page.width < 1 or page.height < 1:
        return page_of_text(text)
    known = with_all_words(page)
    return known if text == page.text else _Placing(known, text).page()


def with_all_words(page: RecognisedPage) -> RecognisedPage:
    """The page with all words of its lines: those of a line that lacks some are spread over its box."""
    return replace(page, lines=tuple(_with_words(line) for line in page.lines))


def as_printed(page: RecognisedPage) -> RecognisedPage:
    """The page with all words of its lines, and with lines that were joined in its text as the rows they stand in."""
    lines = (row for line in with_all_words(page).lines for row in in_rows(line))
    return replace(page, lines=tuple(lines))


def page_of_text(text: str) -> RecognisedPage:
    """A page for a text that comes without an image: it has no size, and its lines have no places."""
    lines = tuple(
        RecognisedLine(line, (0, 0, 0, 0), _DECIDED, block=block) for line, _, block in _lines_of(text) if line
    )
    return RecognisedPage(0, 0, lines)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A word of the draft: characters [start, end) of its text, and the line it stands in."""

    start: int
    end: int
    line: int
    word: RecognisedWord


@dataclass(slots=True)
class _Token:
    """A word of the final text: characters [start, end) of it, and its place once it is known.

    Attributes:
        source: the draft's line it comes from; None for an inserted one.
    """

    start: int
    end: int
    text: str
    word: RecognisedWord | None = None
    source: int | None = None


@dataclass(slots=True)
class _FinalLine:
    text: str
    start: int
    block: int
    tokens: list[_Token]
    made: RecognisedLine | None = None


class _Placing:
    """One alignment of a page with its final text.

    The draft's words are laid end to end on a *path*, each as long as its box is wide; every character of the final
    text that comes from the draft covers a piece of it.
    """

    def __init__(self, page: RecognisedPage, text: str) -> None:
        self._page, self._size = page, (page.width, page.height)
        before = page.text
        self._units = list(_units(page))
        self._path = _path(before, self._units)
        self._starts = [float(self._path[unit.start]) for unit in self._units]
        self._unit_at = {unit.start: unit for unit in self._units}
        edits = [edit for change in changes(before, text) for edit in refine(change)]
        self._origin, self._low, self._high = _followed(before, text, edits, self._path)
        cuts = self._cuts(text)
        self._lines = [
            _FinalLine(line, start, block, list(_tokens(line, start, cuts)))
            for line, start, block in _lines_of(text)
            if line
        ]

    def page(self) -> RecognisedPage:
        self._place_known()
        for line in self._lines:
            if any(token.word for token in line.tokens):
                self._fill(line.tokens)
        sources = Counter(source for line in self._lines for source in _sources(line))
        for line in self._lines:
            if _sources(line):
                line.made = self._line(line, sources)
        self._add_lines()
        return replace(self._page, lines=tuple(line.made for line in self._lines if line.made is not None))

    # --- alignment ----------------------------------------------------------------------------------

    def _cuts(self, text: str) -> set[int]:
        """Places in the final text where one word ends and another begins without a space between them."""
        ends = {unit.end for unit in self._units}
        inner = {unit.start for unit in self._units if unit.start in ends}
        cuts: set[int] = set()
        for at, origin in enumerate(self._origin.tolist()):
            if origin >= 0:
                cuts.update({at} if origin in inner else ())
                cuts.update({at + 1} if origin + 1 in inner else ())
            elif _UNSPACED.match(text, at):
                cuts.update({at, at + 1})
        return cuts

    def _place_known(self) -> None:
        """Gives a word to every token that comes from the draft."""
        touched: list[tuple[_Token, dict[int, tuple[float, float]]]] = []
        touches: Counter[int] = Counter()
        for token in (token for line in self._lines for token in line.tokens):
            unit = self._unchanged(token)
            if unit is not None:
                token.word, token.source = unit.word, unit.line
                touches[unit.start] += 1
                continue
            pieces = self._pieces(token)
            touches.update(self._units[index].start for index in pieces)
            touched.append((token, pieces))
        for token, pieces in touched:
            if not pieces:
                continue
            shares: defaultdict[int, float] = defaultdict(float)
            for index, (low, high) in pieces.items():
                shares[self._units[index].line] += high - low
            # A word that was joined over the end of a line stands where most of it stood.
            token.source = max(shares, key=lambda line: shares[line])
            boxes = [
                self._piece_box(self._units[index], piece, is_sole=touches[self._units[index].start] == 1)
                for index, piece in pieces.items()
                if self._units[index].line == token.source
            ]
            token.word = RecognisedWord(token.text, inside(union(boxes), self._size), _DECIDED)

    def _unchanged(self, token: _Token) -> _Unit | None:
        origin = self._origin[token.start : token.end]
        unit = self._unit_at.get(int(origin[0]))
        is_same = unit is not None and unit.end - unit.start == len(origin)
        return unit if is_same and bool((np.diff(origin) == 1).all()) else None

    def _pieces(self, token: _Token) -> dict[int, tuple[float, float]]:
        """Which units a token covers, by index, and from where to where on the path."""
        pieces: dict[int, tuple[float, float]] = {}
        for at in range(token.start, token.end):
            low, high = float(self._low[at]), float(self._high[at])
            index = bisect_right(self._starts, low) - 1
            while high > low and 0 <= index < len(self._units) and self._starts[index] < high:
                unit = self._units[index]
                a, b = max(low, self._starts[index]), min(high, float(self._path[unit.end]))
                if b > a:
                    pieces[index] = (min(a, pieces.get(index, (a, b))[0]), b)
                index += 1
        total = sum(high - low for low, high in pieces.values())
        return {
            index: (low, high)
            for index, (low, high) in pieces.items()
            if high - low > _CHANCE * self._length(index) or high - low > total / 2
        }

    def _length(self, index: int) -> float:
        unit = self._units[index]
        return float(self._path[unit.end] - self._path[unit.start])

    def _piece_box(self, unit: _Unit, piece: tuple[float, float], *, is_sole: bool) -> Box:
        if is_sole:
            return unit.word.box
        start = float(self._path[unit.start])
        length = float(self._path[unit.end]) - start
        low, high = ((at - start) / length for at in piece)
        return part_of(unit.word.box, low, high, from_right=is_right_to_left(unit.word.text))

    # --- what is new --------------------------------------------------------------------------------

    def _fill(self, tokens: Sequence[_Token]) -> None:
        """Gives a word to the tokens of a line that nothing in the draft corresponds to."""
        before: Box | None = None
        runs = [(has_word, list(run)) for has_word, run in groupby(tokens, key=lambda token: token.word is not None)]
        for number, (has_word, run) in enumerate(runs):
            if has_word:
                before = run[-1].word.box if run[-1].word else None
                continue
            following = runs[number + 1][1][0].word if number + 1 < len(runs) else None
            after = following.box if following else None
            boxes = between_words([token.text for token in run], before, after, self._size)
            for token, box in zip(run, boxes, strict=True):
                token.word = RecognisedWord(token.text, box, _DECIDED)

    def _line(self, line: _FinalLine, sources: Counter[int]) -> RecognisedLine:
        words = tuple(token.word for token in line.tokens if token.word is not None)
        own = _sources(line)
        box = union(word.box for word in words)
        if len(own) == 1:
            (number,) = own
            source = self._page.lines[number]
            if source.words == words and source.text == line.text:
                return replace(source, block=line.block)
            if sources[number] == 1:
                box = union((box, source.box))
        count = sum(len(word.text) for word in words)
        confidence = sum(word.confidence * len(word.text) for word in words) / count
        return RecognisedLine(line.text, box, confidence, words, line.block)

    def _add_lines(self) -> None:
        """Places the lines of which no word comes from the draft."""
        before: Box | None = None
        runs = [(is_made, list(run)) for is_made, run in groupby(self._lines, key=lambda line: line.made is not None)]
        for number, (is_made, run) in enumerate(runs):
            if is_made:
                before = run[-1].made.box if run[-1].made else None
                continue
            following = runs[number + 1][1][0].made if number + 1 < len(runs) else None
            boxes = between_lines([line.text for line in run], before, following.box if following else None, self._size)
            for line, box in zip(run, boxes, strict=True):
                made = RecognisedLine(line.text, box, _DECIDED, block=line.block)
                spans = [(token.start - line.start, token.end - line.start) for token in line.tokens]
                line.made = replace(made, words=_spread(made, spans))


def _sources(line: _FinalLine) -> set[int]:
    return {token.source for token in line.tokens if token.source is not None}


# --- the draft as characters ------------------------------------------------------------------------


def _with_words(line: RecognisedLine) -> RecognisedLine:
    return line if has_all_words(line) else replace(line, words=_spread(line, words_in(line.text)))


def _spread(line: RecognisedLine, spans: Sequence[tuple[int, int]]) -> tuple[RecognisedWord, ...]:
    boxes = spread_words(line.text, spans, line.box)
    pieces = zip(spans, boxes, strict=True)
    return tuple(RecognisedWord(line.text[a:b], box, line.confidence) for (a, b), box in pieces)


def _units(page: RecognisedPage) -> Iterator[_Unit]:
    at, block = 0, page.lines[0].block if page.lines else 0
    for number, line in enumerate(page.lines):
        if number:
            at += 2 if line.block != block else 1
        block = line.block
        for word, (start, end) in zip(line.words, word_spans(line), strict=True):
            yield _Unit(at + start, at + end, number, word)
        at += len(line.text)


def _path(text: str, units: Sequence[_Unit]) -> NDArray[np.float64]:
    """float64[len(text) + 1]: where each character begins on the path; what is between words has no length."""
    lengths = np.zeros(len(text) + 1)
    for unit in units:
        widths = character_widths(unit.word.text)
        lengths[unit.start + 1 : unit.end + 1] = widths / widths.sum() * max(unit.word.box[2] - unit.word.box[0], 1)
    path: NDArray[np.float64] = np.cumsum(lengths)
    return path


def _followed(
    before: str, after: str, edits: Sequence[Change], path: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """For each character of `after` the one of `before` that it is (or -1), and the piece of the path it covers."""
    origin = np.full(len(after), -1, np.int64)
    low, high = np.zeros(len(after)), np.zeros(len(after))
    done = shift = 0
    for edit in edits:
        origin[done : edit.after_start] = np.arange(done, edit.after_start) + shift
        start, length = path[edit.before_start], path[edit.before_end] - path[edit.before_start]
        if edit.after and length > 0:
            # Several words for several: the blanks are left out of both, so that equal widths fall on equal boxes.
            has_blanks = any(one.isspace() for one in edit.before)
            widths = character_widths(edit.after)
            blank = np.array([one.isspace() for one in edit.after])
            widths = np.where(blank & (has_blanks or bool(blank.all())), 0.0, widths)
            ends = np.concatenate(([0.0], np.cumsum(widths)))
            ends = start + length * ends / max(float(ends[-1]), 1.0)
            low[edit.after_start : edit.after_end], high[edit.after_start : edit.after_end] = ends[:-1], ends[1:]
        done, shift = edit.after_end, edit.before_end - edit.after_end
    origin[done:] = np.arange(done, len(after)) + shift
    kept = origin >= 0
    low[kept], high[kept] = path[origin[kept]], path[origin[kept] + 1]
    return origin, low, high


# --- the final text as words ------------------------------------------------------------------------


def _lines_of(text: str) -> Iterator[tuple[str, int, int]]:
    """Each line without blanks around it, where it starts, and its block; blank lines come as empty ones."""
    at, block, is_first = 0, 0, True
    was_blank = False
    for raw in text.split("\n"):
        line = raw.strip()
        if line and was_blank and not is_first:
            block += 1
        if line:
            is_first = False
        was_blank = not line
        yield line, at + len(raw) - len(raw.lstrip()), block
        at += len(raw) + 1


def _tokens(line: str, offset: int, cuts: set[int]) -> Iterator[_Token]:
    for start, end in words_in(line):
        edges = [start, *(at for at in range(start + 1, end) if offset + at in cuts), end]
        for a, b in pairwise(edges):
            yield _Token(offset + a, offset + b, line[a:b])
