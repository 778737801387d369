"""Puts pieces of recognised text in the order in which a reader reads them.

The recogniser gives boxes in no useful order: sorted from top to bottom, two columns interleave line by line.
Here a page is cut at its gutters, as in the recursive X-Y cut of Nagy and Seth (1984), but from the boxes and
with two changes: lines that cross a gutter (a headline, a caption) divide the columns instead of hiding them,
and what only looks like columns (a table, a receipt) is read row by row. Knows nothing of images and of the
recogniser; all lengths are pixels, and the rules are multiples of the text's height.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from diffdesk.documents.recognised_page import Box, RecognisedLine, RecognisedWord

Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]
"""Top left, top right, bottom right, bottom left of a piece of text, as it is read."""

# All in heights of the text.
_GUTTER_WIDTH = 0.4  # boxes reach a little beyond their letters, so a gutter looks narrower than it is
_CROSSING = 0.6  # how far a piece reaches over a gutter's middle to count as crossing it
_PROSE_WIDTH = 6.0  # lines of a column are at least this wide, cells of a table seldom are
_BLANK_BAND = 0.4  # space over the full width where columns may end
_LONELY_GAP = 0.8  # space that sets a page number or a running head apart

_STANDS_BESIDE = 0.3  # overlap, in heights of the less tall piece; boxes of neighbouring lines overlap by less
_MOST_CUTS = 6  # bands that are tried
_LEAST_LINES = 3  # in each of two columns
_BLOCK_PITCH = 1.4  # distance of two lines, in usual distances, that parts two blocks
_WIDE_SPACE = 1.6  # a gap inside a piece, in its usual gaps between words, that may be a gutter


@dataclass(frozen=True, slots=True)
class Mark:
    """A word, or a whole piece of text, with its corners and its confidence (0 to 1)."""

    text: str
    corners: Corners
    confidence: float


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text as it was found: at most one line, and its words if they are known."""

    mark: Mark
    words: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A fragment with its extent on the page once the page's slant is taken out."""

    fragment: Fragment
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class _Split:
    """Pieces beside a gutter, and those that cross it."""

    left: list[_Piece]
    right: list[_Piece]
    crossing: list[_Piece]

    @property
    def weight(self) -> int:
        """How much speaks for the gutter: lines on its weaker side, less those that deny it."""
        return min(_count_rows(self.left), _count_rows(self.right)) - len(self.crossing)


def in_reading_order(fragments: Sequence[Fragment]) -> tuple[RecognisedLine, ...]:
    """Lines in reading order with their blocks.

    Args:
        fragments: pieces of text in any order, upright to within some degrees.
    """
    found = [fragment for fragment in fragments if fragment.mark.text.strip()]
    if not found:
        return ()
    slant = _slant(found)
    pieces = [_piece(fragment, slant) for fragment in found]
    height = median(piece.height for piece in pieces)
    pieces = [_without_drop(piece, height) for piece in pieces]
    lines: list[RecognisedLine] = []
    block = 0
    for region in _regions(pieces, height, slant):
        for rows in _blocks(_rows(region), height):
            lines.extend(_line(row, block, slant) for row in rows)
            block += 1
    return tuple(lines)


def bounds(points: Iterable[Point]) -> Box:
    """The smallest box of whole pixels around points."""
    across, down = zip(*points, strict=True)
    return math.floor(min(across)), math.floor(min(down)), math.ceil(max(across)), math.ceil(max(down))


# --- slant ------------------------------------------------------------------------------------------


def _slant(fragments: Sequence[Fragment], otherwise: float = 0.0) -> float:
    """The slant in radians: the median over the upper edges of the longer pieces, if there are any."""
    angles = []
    for fragment in fragments:
        (x0, y0), (x1, y1), _, (x3, y3) = fragment.mark.corners
        if math.hypot(x1 - x0, y1 - y0) > 3 * math.hypot(x3 - x0, y3 - y0):
            angles.append(math.atan2(y1 - y0, x1 - x0))
    return median(angles) if angles else otherwise


def _level(point: Point, slant: float) -> Point:
    across, down = point
    return (
        across * math.cos(slant) + down * math.sin(slant),
        down * math.cos(slant) - across * math.sin(slant),
    )


def _piece(fragment: Fragment, slant: float) -> _Piece:
    down = [_level(point, slant)[1] for point in fragment.mark.corners]
    # Words end where their letters end; the box of the whole piece often reaches into a gutter.
    marks = fragment.words or (fragment.mark,)
    across = [_level(point, slant)[0] for mark in marks for point in mark.corners]
    # The mean of two corners, for a slanting box is higher than its text.
    top, bottom = (down[0] + down[1]) / 2, (down[2] + down[3]) / 2
    return _Piece(fragment, min(across), top, max(across), max(bottom, top + 1.0))


def _without_drop(piece: _Piece, height: float) -> _Piece:
    """A drop initial stands over several lines but is read with the first."""
    if len(piece.fragment.mark.text.strip()) <= 2 and piece.height > 1.8 * height:
        return replace(piece, bottom=piece.top + height)
    return piece


# --- columns ----------------------------------------------------------------------------------------


def _regions(pieces: list[_Piece], height: float, slant: float) -> list[list[_Piece]]:
    """Cuts a page into regions that have no columns, in reading order."""
    split = _best_split(pieces, height, slant)
    if split is None:
        for upper, lower in _cuts(pieces, height):
            # Columns may stand elsewhere in the lower half of a page than in the upper.
            if _best_split(upper, height, slant) or _best_split(lower, height, slant):
                return [*_regions(upper, height, slant), *_regions(lower, height, slant)]
        return [pieces]
    regions: list[list[_Piece]] = []
    for part in _bands(split):
        if not part.left or not part.right:
            # A part with nothing on one side may still have columns of its own: a smaller problem of the same kind.
            rest = part.left + part.right + part.crossing
            regions.extend(_regions(rest, height, slant))
            continue
        head, body, foot = _peeled(part, height)
        regions.extend([head] if head else [])
        for side in (body.left, body.right, body.crossing):
            if side:
                regions.extend(_regions(side, height, slant))
        regions.extend([foot] if foot else [])
    return regions


def _best_split(pieces: list[_Piece], height: float, slant: float) -> _Split | None:
    best: _Split | None = None
    for gutter in _gutters(pieces, height):
        split = _split_at(pieces, gutter, height, slant)
        if _has_columns(split, height) and (best is None or split.weight > best.weight):
            best = split
    return best


def _cuts(pieces: Sequence[_Piece], height: float) -> list[tuple[list[_Piece], list[_Piece]]]:
    """Ways to cut a region in two at a blank band of its full width, the widest bands first."""
    falling = sorted(pieces, key=lambda piece: piece.top)
    bottom = falling[0].bottom
    bands: list[tuple[float, int]] = []
    for at, piece in enumerate(falling[1:], start=1):
        if piece.top - bottom > _BLANK_BAND * height:
            bands.append((piece.top - bottom, at))
        bottom = max(bottom, piece.bottom)
    widest = sorted(bands, reverse=True)[:_MOST_CUTS]
    return [(falling[:at], falling[at:]) for _, at in widest]


def _gutters(pieces: Sequence[_Piece], height: float) -> list[float]:
    """Middles of the vertical strips that few pieces cross."""
    start = min(piece.left for piece in pieces)
    grain = max(height / 4, 1.0)
    cover = [0] * (int((max(piece.right for piece in pieces) - start) / grain) + 1)
    for piece in pieces:
        for cell in range(int((piece.left - start) / grain), int((piece.right - start) / grain) + 1):
            cover[cell] += 1
    most = max(cover) * 0.25
    middles: list[float] = []
    cell = 0
    while cell < len(cover):
        end = cell
        while end < len(cover) and cover[end] == cover[cell]:
            end += 1
        is_valley = cell > 0 and end < len(cover) and cover[cell - 1] > cover[cell] < cover[end]
        if is_valley and cover[cell] <= most and (end - cell) * grain >= _GUTTER_WIDTH * height:
            middles.append(start + (cell + end) / 2 * grain)
        cell = end
    return middles


def _split_at(pieces: Sequence[_Piece], gutter: float, height: float, slant: float) -> _Split:
    split = _Split([], [], [])
    for piece in pieces:
        is_crossing = piece.left < gutter - _CROSSING * height and piece.right > gutter + _CROSSING * height
        halves = _halved(piece, gutter, slant) if is_crossing else None
        if halves is not None:
            split.left.append(halves[0])
            split.right.append(halves[1])
        elif is_crossing:
            split.crossing.append(piece)
        elif (piece.left + piece.right) / 2 < gutter:
            split.left.append(piece)
        else:
            split.right.append(piece)
    return split


def _halved(piece: _Piece, gutter: float, slant: float) -> tuple[_Piece, _Piece] | None:
    """A piece that the recogniser drew over two columns, cut at the gutter; None if no wide gap is there."""
    words = piece.fragment.words
    tokens = piece.fragment.mark.text.split()
    if len(words) < 4 or len(tokens) != len(words):
        return None
    spans = [_piece(Fragment(word), slant) for word in words]
    gaps = [after.left - before.right for before, after in pairwise(spans)]
    for at, gap in enumerate(gaps, start=1):
        # The edges of words are known to a sixth of the height only.
        slack = piece.height / 6
        if spans[at - 1].right <= gutter + slack and spans[at].left >= gutter - slack:
            others = gaps[: at - 1] + gaps[at:]
            if gap < max(_WIDE_SPACE * median(others), _GUTTER_WIDTH * piece.height):
                return None
            return _part(piece, words[:at], tokens[:at], slant), _part(piece, words[at:], tokens[at:], slant)
    return None


def _part(piece: _Piece, words: tuple[Mark, ...], tokens: list[str], slant: float) -> _Piece:
    first, last = words[0].corners, words[-1].corners
    confidence = sum(word.confidence for word in words) / len(words)
    corners = (first[0], last[1], last[2], first[3])
    part = _piece(Fragment(Mark(" ".join(tokens), corners, confidence), words), slant)
    return replace(part, top=piece.top, bottom=piece.bottom)


def _has_columns(split: _Split, height: float) -> bool:
    """Whether both sides are columns of running text that stand beside each other."""
    top = max(min((piece.top for piece in side), default=math.inf) for side in (split.left, split.right))
    bottom = min(max((piece.bottom for piece in side), default=-math.inf) for side in (split.left, split.right))
    for side in (split.left, split.right):
        beside = [piece for piece in side if top <= piece.middle <= bottom]
        if _count_rows(beside) < _LEAST_LINES or median(piece.width for piece in beside) < _PROSE_WIDTH * height:
            return False
    return split.weight > 0


def _bands(split: _Split) -> list[_Split]:
    """Cuts columns where a line of the full width stands between them.

    A crossing line with text of a column beside it is an inset (a caption between the columns): it cuts nothing
    and is read after them.
    """
    beside = split.left + split.right
    dividers = [piece for piece in split.crossing if not any(_overlaps(piece, other) for other in beside)]
    events = sorted([*beside, *split.crossing], key=lambda piece: piece.middle)
    bands: list[_Split] = []
    last_was_divider: bool | None = None
    for piece in events:
        is_divider = piece in dividers
        if is_divider != last_was_divider:
            bands.append(_Split([], [], []))
            last_was_divider = is_divider
        if piece in split.crossing:
            bands[-1].crossing.append(piece)
        elif piece in split.left:
            bands[-1].left.append(piece)
        else:
            bands[-1].right.append(piece)
    return bands


def _peeled(part: _Split, height: float) -> tuple[list[_Piece], _Split, list[_Piece]]:
    """Takes a lonely first and last row (running head, page number) out of columns: head, columns, foot."""
    head = _lonely_row(part, height, from_top=True)
    rest = _without(part, head)
    foot = _lonely_row(rest, height, from_top=False)
    return head, _without(rest, foot), foot


def _lonely_row(part: _Split, height: float, *, from_top: bool) -> list[_Piece]:
    rows = _rows(part.left + part.right + part.crossing)
    if len(rows) <= 2 * _LEAST_LINES:
        return []
    row, next_row = (rows[0], rows[1]) if from_top else (rows[-1], rows[-2])
    sides = [side for side in (part.left, part.right) if any(piece in side for piece in row)]
    if len(sides) != 1:
        return []
    own = _rows(sides[0])
    own = own[1:] if from_top else own[:-1]
    gaps = [_gap(upper, lower) for upper, lower in pairwise(own)]
    gap = _gap(row, next_row) if from_top else _gap(next_row, row)
    return row if gap > max([_LONELY_GAP * height, *(1.5 * other for other in gaps)]) else []


def _without(part: _Split, taken: list[_Piece]) -> _Split:
    left, right, crossing = (
        [piece for piece in side if piece not in taken] for side in (part.left, part.right, part.crossing)
    )
    return _Split(left, right, crossing)


# --- rows and blocks --------------------------------------------------------------------------------


def _shares_row(one: _Piece, other: _Piece) -> bool:
    return abs(one.middle - other.middle) < 0.5 * min(one.height, other.height)


def _overlaps(one: _Piece, other: _Piece) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared > _STANDS_BESIDE * min(one.height, other.height)


def _rows(pieces: Iterable[_Piece]) -> list[list[_Piece]]:
    """Pieces grouped into rows from top to bottom, each from left to right."""
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.middle):
        # The piece just above is compared too: over a wide row small slants add up.
        if rows and (_shares_row(rows[-1][0], piece) or _continues(rows[-1], piece)):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=lambda piece: piece.left) for row in rows]


def _continues(row: list[_Piece], piece: _Piece) -> bool:
    """Whether a piece stands on a row that sinks: beside all of it, and level with its last piece."""
    is_beside = all(piece.left >= other.right or piece.right <= other.left for other in row)
    return is_beside and _shares_row(row[-1], piece)


def _count_rows(pieces: Iterable[_Piece]) -> int:
    return len(_rows(pieces))


def _gap(upper: list[_Piece], lower: list[_Piece]) -> float:
    return min(piece.top for piece in lower) - max(piece.bottom for piece in upper)


def _blocks(rows: list[list[_Piece]], height: float) -> list[list[list[_Piece]]]:
    """Rows grouped into blocks: a new one begins where the distance is larger than is usual here."""
    middles = [sum(piece.middle for piece in row) / len(row) for row in rows]
    pitches = [lower - upper for upper, lower in pairwise(middles)]
    usual = median(pitches) if len(pitches) >= _LEAST_LINES else 1.3 * height
    blocks = [[rows[0]]]
    for row, pitch in zip(rows[1:], pitches, strict=True):
        if pitch > _BLOCK_PITCH * max(usual, 0.8 * height):
            blocks.append([])
        blocks[-1].append(row)
    return blocks


def _line(row: list[_Piece], block: int, slant: float) -> RecognisedLine:
    marks = [piece.fragment.mark for piece in row]
    count = sum(len(mark.text) for mark in marks)
    words = (word for piece in row for word in piece.fragment.words or (piece.fragment.mark,))
    return RecognisedLine(
        text=" ".join(mark.text.strip() for mark in marks),
        box=bounds(point for mark in marks for point in mark.corners),
        confidence=sum(mark.confidence * len(mark.text) for mark in marks) / count,
        words=tuple(RecognisedWord(word.text, bounds(word.corners), word.confidence) for word in words),
        block=block,
        # On a photo of an open book lines slant each in its own way.
        slant=_slant([piece.fragment for piece in row], slant),
    )
