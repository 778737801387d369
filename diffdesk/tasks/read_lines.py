"""The lines of a draft that a recogniser read: found again in the draft, cut to fit a canvas, and their pictures.

A line's picture is cut out of the page by the recogniser's own box, along the line where that slants. Knows layouts
and pages; nothing of models.
"""

from __future__ import annotations

import difflib
import itertools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffdesk.core.errors import ImageError
from diffdesk.core.lines import CELL_PIXELS, slots_needed, spread
from diffdesk.core.messages import LinePicture
from diffdesk.core.requests import ReadLine, ReadWord
from diffdesk.documents.images import open_image
from diffdesk.documents.line_pictures import line_picture, width_in_picture
from diffdesk.documents.pixels import turned_clockwise

_LEAST_RISE = 0.2  # of the height of a line's box; below it, a slant is taken for none
_LEAST_COVERED = 0.8  # of a line's letters must belong to words whose places are known

log = logging.getLogger(__name__)

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class LinePiece:
    """A line, or a part of one, that fits a canvas together with its picture.

    Attributes:
        line: that it belongs to.
        text: its characters.
        separator: the white space after it.
        box: its place in the turned image, as `ReadLine.box`; of a line that slants, once the line has been turned
            level about its middle.
        cells: squares of its picture.
        centres: float32[len(text)], where its characters stand in its picture.
        confidence: float32[len(text)], of the word that a character belongs to; 0 outside of words.
    """

    line: ReadLine
    text: str
    separator: str
    box: Box
    cells: int
    centres: NDArray[np.float32]
    confidence: NDArray[np.float32]


def match_lines(draft: str, lines: Sequence[ReadLine]) -> list[tuple[int, ReadLine]]:
    """Which lines of a draft still are as they were read: (place in the draft, line), in order."""
    drafted = draft.split("\n")
    starts = np.cumsum([0, *(len(one) + 1 for one in drafted)]).tolist()
    matcher = difflib.SequenceMatcher(None, drafted, [one.text for one in lines], autojunk=False)
    return [
        (starts[block.a + step], lines[block.b + step])
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
        if drafted[block.a + step].strip()
    ]


def lost_in_words(names: Sequence[str]) -> tuple[str, ...]:
    """What the user should know of images that were wanted and could not be opened, by their names."""
    if not names:
        return ()
    them = " and ".join(dict.fromkeys(names))
    return (f"{them} can't be opened any more, so what was read from it was corrected without looking at it.",)


def word_confidence(line: ReadLine) -> NDArray[np.float32]:
    """float32[len(line.text)]: of the word that each character belongs to; 0 outside of words."""
    confidence = np.zeros(len(line.text), np.float32)
    for word, start in _places(line):
        confidence[start : start + len(word.text)] = word.confidence
    return confidence


def cut_line(line: ReadLine, slots: int) -> tuple[LinePiece, ...]:
    """A line in as few pieces as fit a canvas each, cut between words; empty where that can't be done.

    ``"".join(piece.text + piece.separator)`` is the line.
    """
    places = _places(line)
    letters = len("".join(line.text.split()))
    if not places or sum(len("".join(word.text.split())) for word, _ in places) < _LEAST_COVERED * letters:
        return ()
    return _cut(line, slots, (0, len(line.text)), _level_box(line)) or ()


def _is_level(line: ReadLine) -> bool:
    """Whether a line sinks or rises by so little that its box is as good as its own place."""
    left, top, right, bottom = line.box
    return abs(math.tan(line.slant)) * (right - left) < _LEAST_RISE * (bottom - top)


def _level_box(line: ReadLine) -> Box:
    """The line's box once it has been turned level about its middle: as high as the line itself.

    An upright box around a line of w × h at an angle is w·cos + h·sin wide and w·sin + h·cos high.
    """
    if _is_level(line):
        return line.box
    left, top, right, bottom = line.box
    sine, cosine = abs(math.sin(line.slant)), math.cos(line.slant)
    height = ((bottom - top) * cosine - (right - left) * sine) / (cosine**2 - sine**2)
    above = round((top + bottom - height) / 2)
    return left, above, right, max(above + round(height), above + 1)


def _places(line: ReadLine) -> list[tuple[ReadWord, int]]:
    """The words of a line with their places in its text, as far as they are found there in order."""
    found: list[tuple[ReadWord, int]] = []
    at = 0
    for word in line.words:
        start = line.text.find(word.text, at)
        if word.text and start >= 0:
            found.append((word, start))
            at = start + len(word.text)
    return found


def _cut(line: ReadLine, slots: int, part: tuple[int, int], box: Box) -> tuple[LinePiece, ...] | None:
    """Pieces of the characters `part` of a line that stand in `box`; None if one of them does not fit."""
    whole = _piece(line, slots, part, box)
    if whole is not None:
        return (whole,)
    start, end = part
    left, top, right, bottom = box
    words = [(word, at) for word, at in _places(line) if start <= at < end]
    gaps = [
        (before.right, after.left, at)
        for (before, _), (after, at) in itertools.pairwise(words)
        if line.text[at - 1].isspace() and left < before.right and after.left < right
    ]
    if not gaps:
        return None
    ends, begins, at = min(gaps, key=lambda gap: abs(gap[0] + gap[1] - left - right))
    # Through the middle of the gap, or of a wide one so much as a space is wide.
    half = min((begins - ends) / 2, (bottom - top) / 2)
    one = _cut(line, slots, (start, at), (left, top, round(ends + half), bottom))
    other = _cut(line, slots, (at, end), (round(begins - half), top, right, bottom))
    return None if one is None or other is None else (*one, *other)


def _piece(line: ReadLine, slots: int, part: tuple[int, int], box: Box) -> LinePiece | None:
    """The characters `part` of a line as one piece; None where that does not fit."""
    start, end = part
    drafted = line.text[start:end]
    text = drafted.rstrip() if end < len(line.text) else drafted
    words = [(word, at - start) for word, at in _places(line) if start <= at < end]
    width, height = box[2] - box[0], box[3] - box[1]
    try:
        width_there = width_in_picture(width, height)
        scale = width_there / width
        centres = spread([(word.text, word.left, word.right) for word, _ in words], text)
    except ValueError:
        return None
    centres = ((centres - box[0]) * scale).astype(np.float32)
    cells = -(-width_there // CELL_PIXELS)
    if slots_needed(len(text), centres, cells) > slots:
        return None
    confidence = np.zeros(len(text), np.float32)
    for word, at in words:
        confidence[at : at + len(word.text)] = word.confidence
    return LinePiece(line, text, drafted[len(text) :], box, cells, centres, confidence)


class Pages:
    """Pages that pictures are cut out of; only the last one is kept open.

    Attributes:
        lost: names of the files that could not be opened any more.
    """

    def __init__(self) -> None:
        self.lost: list[str] = []
        self._open: tuple[Path, int] | None = None
        self._pixels: NDArray[np.uint8] | None = None

    def picture(self, piece: LinePiece) -> LinePicture | None:
        """The picture of a piece; None where its page can't be opened or does not hold it."""
        pixels = self._page(piece.line.image, piece.line.turned)
        if pixels is None:
            return None
        left, top, right, bottom = piece.box if _is_level(piece.line) else piece.line.box
        crop = pixels[max(top, 0) : bottom, max(left, 0) : right]
        if crop.shape != (bottom - top, right - left):
            return None
        cut = Image.fromarray(crop)
        return LinePicture(np.asarray(line_picture(cut if _is_level(piece.line) else _levelled(cut, piece)), np.uint8))

    def _page(self, path: Path, turned: int) -> NDArray[np.uint8] | None:
        if self._open != (path, turned):
            self._open, self._pixels = (path, turned), None
            try:
                self._pixels = np.asarray(turned_clockwise(open_image(path).convert("L"), turned))
            except ImageError as error:
                log.info("a page is gone: %s", error.title)
                self.lost.append(path.name)
        return self._pixels


def _levelled(crop: Image.Image, piece: LinePiece) -> Image.Image:
    """A piece of a line that slants, turned level, out of the box around the whole line."""
    left, top, right, bottom = piece.box
    sine, cosine = math.sin(piece.line.slant), math.cos(piece.line.slant)
    # From the middle of the line, in the picture and in the crop.
    across = left - (piece.line.box[0] + piece.line.box[2]) / 2
    down = top - (piece.line.box[1] + piece.line.box[3]) / 2
    start_x = crop.width / 2 + cosine * across - sine * down
    start_y = crop.height / 2 + sine * across + cosine * down
    return crop.transform(
        (right - left, bottom - top),
        Image.Transform.AFFINE,
        (cosine, -sine, start_x, sine, cosine, start_y),
        Image.Resampling.BICUBIC,
        # What little lies outside has the ground's own grey.
        fillcolor=int(np.median(np.asarray(crop))),
    )
