"""Room on a page for what the draft did not have: words between words, lines between lines.

Boxes made here are narrow where there is little room, but never empty and never outside of the page. Knows nothing
of what was changed and why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from diffdesk.core.lines import character_widths
from diffdesk.documents.recognised_page import Box

_FONT_HEIGHT = 0.75  # size of the font by the height of a line's box
_MARGIN = 0.05  # of a page on which nothing is known to stand


def words_in(text: str) -> list[tuple[int, int]]:
    """Start and end of each run without white space."""
    return [match.span() for match in re.finditer(r"\S+", text)]


def is_right_to_left(text: str) -> bool:
    """Whether the first letter with a direction is of a script written from right to left."""
    for one in text:
        direction = unicodedata.bidirectional(one)
        if direction in {"L", "R", "AL"}:
            return direction != "L"
    return False


def union(boxes: Iterable[Box]) -> Box:
    """The smallest box around boxes; at least one is needed."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def inside(box: Box, size: tuple[int, int]) -> Box:
    """The box moved and cut so that it lies on a page of this size and has at least one pixel."""
    width, height = size
    left = min(max(box[0], 0), width - 1)
    top = min(max(box[1], 0), height - 1)
    return left, top, min(max(box[2], left + 1), width), min(max(box[3], top + 1), height)


def part_of(box: Box, start: float, end: float, *, from_right: bool = False) -> Box:
    """A part of a box between two shares (0 to 1) of its width, counted from the side where reading begins."""
    left, top, right, bottom = box
    if from_right:
        start, end = 1 - end, 1 - start
    width = right - left
    first = min(left + round(start * width), max(right - 1, left))
    return first, top, max(left + round(end * width), first + 1), bottom


def spread_words(text: str, spans: Sequence[tuple[int, int]], box: Box) -> list[Box]:
    """A box for each word of a line of which only the whole is known, by the widths of its characters."""
    ends = np.concatenate(([0.0], np.cumsum(character_widths(text))))
    shares = ends / ends[-1] if ends[-1] else ends
    mirrored = is_right_to_left(text)
    return [part_of(box, float(shares[a]), float(shares[b]), from_right=mirrored) for a, b in spans]


def width_of(text: str, line_height: float) -> float:
    """About how wide a text is in print, in pixels, on a line that is this high."""
    return float(character_widths(text).sum()) / 100 * _FONT_HEIGHT * line_height


def between_words(words: Sequence[str], before: Box | None, after: Box | None, size: tuple[int, int]) -> list[Box]:
    """Boxes of words that stand between two others of a line, of which one may be missing.

    Args:
        words: in the order of reading.
        before: the neighbour that is read before them.
        after: the one that is read after them; one of the two may be None.
        size: width and height of the page.
    """
    text = " ".join(words)
    mirrored = is_right_to_left(text)
    known = [box for box in (before, after) if box is not None]
    _, top, _, bottom = union(known)
    height = max(bottom - top, 1)
    wide, blank = width_of(text, height), width_of(" ", height)
    if before is not None and after is not None:
        edges = (before[2], after[0]) if before[0] <= after[0] else (after[2], before[0])
        left, right = float(edges[0]), float(edges[1])
        if right - left > wide + 2 * blank:
            # Where there is more room than needed, it stands where it follows.
            left, right = (right - blank - wide, right - blank) if mirrored else (left + blank, left + blank + wide)
    else:
        grows_right = (after is None) != mirrored
        edge = known[0][2] + blank if grows_right else known[0][0] - blank
        left, right = (edge, edge + wide) if grows_right else (edge - wide, edge)
    left, right = min(max(left, 0.0), float(size[0])), min(max(right, 0.0), float(size[0]))
    if right - left < len(words):
        # No room: as many pixels as words, over the place where they belong.
        middle = min(max((left + right) / 2, len(words) / 2), size[0] - len(words) / 2)
        left, right = middle - len(words) / 2, middle + len(words) / 2
    box = inside((round(left), top, round(right), bottom), size)
    return [inside(one, size) for one in spread_words(text, words_in(text), box)]


def between_lines(texts: Sequence[str], before: Box | None, after: Box | None, size: tuple[int, int]) -> list[Box]:
    """Boxes of lines that stand between two others of a page, of which one or both may be missing."""
    width, height = size
    if before is None and after is None:
        edge = _MARGIN * min(size)
        pitch = min((height - 2 * edge) / len(texts), 0.03 * height)
        left, right, top = edge, width - edge, edge
    else:
        model = before or after or (0, 0, width, height)
        left, right = model[0], model[2]
        usual = max(model[3] - model[1], 1)
        if before is None:
            bottom = float(after[1]) if after is not None else float(height)
            pitch = min(usual, bottom / len(texts))
            top = bottom - pitch * len(texts)
        elif after is not None and after[1] >= (before[1] + before[3]) / 2:
            # They share what lies between; where that is nothing, they lie over both edges.
            room = max(after[1] - before[3], usual / 2)
            top = (before[3] + after[1] - room) / 2
            pitch = room / len(texts)
        else:
            # The end of the page or of a column.
            top = float(before[3])
            pitch = min(usual, max((height - top) / len(texts), 1.0))
    boxes = []
    for number, text in enumerate(texts):
        wide = width_of(text, pitch)
        low, high = round(top + number * pitch), round(top + (number + 1) * pitch)
        low = min(low, height - 1)
        boxes.append(inside((round(left), low, round(min(left + wide, right)), high), size))
    return boxes
