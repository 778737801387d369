"""Draws lines of print as a page reader would cut them out of scans, with the place of every character.

Fast enough to draw while a model is trained (a few milliseconds a line on one core): glyphs are drawn once in a few
sizes and pasted, everything crooked about a line is a matter of where they are pasted, and the drawing is reduced to
the size of the scan at the end. What then happens to ink and paper is in `wear`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffdesk.core.lines import CELL_PIXELS
from diffdesk.documents.line_pictures import line_picture, width_in_picture
from starter.faces import Face, Glyph, faces_in
from starter.wear import Chance, Wear, below, between

_SIZES = (20, 28, 40, 56)  # in which glyphs are drawn, pixels of the em
_LIGATURES = {"fi": "ﬁ", "fl": "ﬂ"}
_FEW = 4
_WIDEST = 3800  # pixels; a longer line is made smaller


@dataclass(frozen=True, slots=True)
class RenderedLine:
    """One line as it would be cut out of a page.

    Attributes:
        image: uint8[h, w], greys.
        centres: float32[characters], where each character stands, in pixels from the left of the image.
        face: the font's file name, and its style if the file has several.
    """

    image: NDArray[np.uint8]
    centres: NDArray[np.float32]
    face: str


@dataclass(slots=True)
class _Run:
    """Glyphs in their places: pens[i] is where glyph i starts, middles[j] is the centre of character j."""

    glyphs: list[Glyph] = field(default_factory=list)
    pens: list[float] = field(default_factory=list)
    middles: list[float] = field(default_factory=list)
    end: float = 0.0


@dataclass(frozen=True, slots=True)
class _Crop:
    """What of the drawing is cut out, in its pixels."""

    left: int
    top: int
    right: int
    bottom: int


class Renderer:
    """Draws lines in all fonts of a folder.

    Raises:
        ValueError: there is none.
    """

    def __init__(self, fonts: Path) -> None:
        self.faces = faces_in(fonts)
        if not self.faces:
            raise ValueError(f"no fonts in {fonts}")
        families: dict[str, list[Face]] = {}
        for face in self.faces:
            families.setdefault(face.family, []).append(face)
        self._families = list(families.values())
        self._wear = Wear()

    def line(self, text: str, rng: Chance, level: float) -> RenderedLine:
        """A line of print, worn.

        Args:
            text: at least one character that has ink.
            rng: draws everything; the same draws give the same line.
            level: 0 clean, 0.5 moderately, 1 badly degraded; up to about 1.3.

        Raises:
            ValueError: no font has one of the characters, or nothing would be seen.
        """
        face, others = self._face_for(text, rng)
        height = _height(rng, level)
        run, size = self._set(text, face, others, height, rng)
        ink, crop, shift = _drawing(run, size, rng, level)
        height = max(8, min(height, int(_WIDEST * ink.shape[0] / ink.shape[1])))
        image = self._wear.print_and_scan(ink, height, level, rng)
        scale = image.shape[1] / ink.shape[1]
        centres = (np.array(run.middles, np.float32) + np.float32(shift - crop.left)) * np.float32(scale)
        return RenderedLine(image, centres, face.name)

    def _face_for(self, text: str, rng: Chance) -> tuple[Face, dict[str, Face]]:
        """A face that has (nearly) all characters, and other faces for those it lacks."""
        characters = set(text)
        best, fewest = None, len(characters) + 1
        for _ in range(2 * _FEW):
            family = self._families[below(rng, len(self._families))]
            face = family[below(rng, len(family))]
            lacks = sum(not face.has(one) for one in characters)
            if lacks < fewest:
                best, fewest = face, lacks
            if not lacks:
                break
        assert best is not None
        return best, {one: self._fallback(one, rng) for one in characters if fewest and not best.has(one)}

    def _fallback(self, character: str, rng: Chance) -> Face:
        start = below(rng, len(self.faces))
        for face in self.faces[start:] + self.faces[:start]:
            if face.has(character):
                return face
        raise ValueError(f"no font has U+{ord(character):04X}")

    def _set(self, text: str, face: Face, others: dict[str, Face], height: int, rng: Chance) -> tuple[_Run, int]:
        """The line's glyphs side by side."""
        em = height / 1.3
        size = next((one for one in _SIZES if one >= (1.25 * em if em < 24 else em)), _SIZES[-1])
        is_kerned = rng.random() < 0.6
        tracking = size * (between(rng, -0.02, 0.08) if rng.random() < 0.3 else 0.0)
        if rng.random() < 0.02:
            tracking = size * between(rng, 0.1, 0.3)
        word_space = between(rng, 0.75, 1.8) if rng.random() < 0.5 else 1.0
        sentence_space = word_space * (between(rng, 1.3, 2.4) if rng.random() < 0.2 else 1.0)
        ligatures = _LIGATURES if tracking == 0 and rng.random() < 0.4 else {}
        run = _Run()
        pen, index = 0.0, 0
        while index < len(text):
            one = text[index]
            joined = ligatures.get(text[index : index + 2])
            if joined is not None and face.has(joined):
                glyph = face.glyph(joined, size)
                advance = glyph.advance
                run.middles += [pen + advance * 0.25, pen + advance * 0.75]
                index += 2
            else:
                glyph = others.get(one, face).glyph(one, size)
                advance = glyph.advance
                if one == " ":
                    advance *= sentence_space if text[index - 1] in ".?!" else word_space
                run.middles.append(pen + advance / 2)
                index += 1
            if glyph.ink.size:
                run.glyphs.append(glyph)
                run.pens.append(pen)
            pen += advance + tracking
            if is_kerned and not others and index < len(text) and glyph.ink.size:
                pen += size * face.kern(text[index - 1 : index + 1])
        if not run.glyphs:
            raise ValueError("a line without ink")
        run.end = pen
        return run, size


def picture(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """(uint8[32, 32 × cells], scale): the line as the model sees it, see `line_picture`.

    A place at x in the image is at x × scale in the picture.

    Raises:
        ValueError: the line is too long.
    """
    height, width = image.shape
    scale = width_in_picture(width, height) / width
    return np.asarray(line_picture(Image.fromarray(image))), scale


def to_height(image: NDArray[np.uint8], height: int, most_width: int) -> NDArray[np.uint8]:
    """uint8[height, w]: resized, in proportion unless it would be wider than `most_width`."""
    width = min(max(1, round(image.shape[1] * height / image.shape[0])), most_width)
    kind = Image.Resampling.BOX if height < image.shape[0] / 2 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize((width, height), kind))


def cells(image: NDArray[np.uint8]) -> int:
    """How many squares the line's picture has."""
    return -(-width_in_picture(image.shape[1], image.shape[0]) // CELL_PIXELS)


def _height(rng: Chance, level: float) -> int:
    """Of the line's box in pixels: scans of 100 to 300 dots an inch, worse ones smaller."""
    middle = 36 - 13 * level
    height = middle * math.exp(between(rng, -0.55, 0.6) + between(rng, -0.15, 0.15))
    return min(max(round(height), 12), 64)


def _drawing(run: _Run, size: int, rng: Chance, level: float) -> tuple[NDArray[np.uint8], _Crop, int]:
    """The ink that a box around the line cuts out, the box, and where the pen started in the drawing."""
    drops = _drops(run, size, rng, level)
    tops = [round(drop) + glyph.top for drop, glyph in zip(drops, run.glyphs, strict=True)]
    bottoms = [top + glyph.ink.shape[0] for top, glyph in zip(tops, run.glyphs, strict=True)]
    room = size
    margin = room - min(tops)
    shift = room + max(0, -min(glyph.left for glyph in run.glyphs))
    width = math.ceil(run.end) + shift + 2 * room
    canvas = np.zeros((max(bottoms) + margin + room, width), np.uint8)
    first, last = width, 0
    blobs = between(rng, 0.02, 0.2) if rng.random() < 0.06 + 0.12 * level else 0.0
    for glyph, pen, top in zip(run.glyphs, run.pens, tops, strict=True):
        left = round(pen) + glyph.left + shift
        down = top + margin
        right = left + glyph.ink.shape[1]
        if left < 0 or right > width:
            continue
        spot = canvas[down : down + glyph.ink.shape[0], left:right]
        np.maximum(spot, _swollen(glyph.ink, size // 14) if blobs and rng.random() < blobs else glyph.ink, out=spot)
        first, last = min(first, left), max(last, right)
    top, bottom = min(tops) + margin, max(bottoms) + margin
    crop = _crop((first, top, last, bottom), margin, size, rng, level)
    _neighbours(canvas, (first, top, last, bottom), size, rng)
    _rules(canvas, crop, (first, last, margin), size, rng)
    _fragments(canvas, (first, last), size, rng)
    return canvas[crop.top : crop.bottom, crop.left : crop.right], crop, shift


def _swollen(ink: NDArray[np.uint8], steps: int) -> NDArray[np.uint8]:
    """A letter that took too much ink: its holes fill up."""
    filled = ink.copy()
    for _ in range(steps):
        before = filled.copy()
        np.maximum(filled[:, 1:], before[:, :-1], out=filled[:, 1:])
        np.maximum(filled[1:], before[:-1], out=filled[1:])
    return filled


def _drops(run: _Run, size: int, rng: Chance, level: float) -> list[float]:
    """How far down each glyph is moved: skewed scans, bent pages, worn type."""
    pens = np.array(run.pens)
    drops = np.zeros(len(pens))
    if rng.random() < 0.25 + 0.2 * level:
        slope = between(rng, -1, 1) * min(math.tan(math.radians(1.5)), 0.4 * size / max(run.end, 1))
        drops += slope * pens
    if rng.random() < 0.05 + 0.1 * level:
        bend = between(rng, -0.2, 0.2) * size
        drops += bend * np.sin(pens / max(run.end, 1) * between(rng, 1, 2.5) + between(rng, 0, 3))
    if rng.random() < 0.05 + 0.15 * level:
        step = max(1.0, between(rng, 0.01, 0.03) * size)
        drops += [step * round(between(rng, -1.2, 1.2)) for _ in run.pens]
    return [float(drop) for drop in drops]


def _crop(box: tuple[int, int, int, int], margin: int, size: int, rng: Chance, level: float) -> _Crop:
    """The box that a detector would draw around ink in `box`; `margin` is the baseline's row."""
    first, top, last, bottom = box
    if rng.random() < 0.5:
        # The room of a whole line, whichever letters it has.
        top, bottom = min(top, margin - round(0.72 * size)), max(bottom, margin + round(0.2 * size))
    tall = bottom - top
    above = between(rng, 0.03, 0.32)
    below_it = between(rng, 0.03, 0.28)
    cut = 0.04 + 0.08 * level
    left = first - (between(rng, -0.12, 0) if rng.random() < cut else between(rng, 0.02, 0.35)) * size
    right = last + (between(rng, -0.12, 0) if rng.random() < cut else between(rng, 0.02, 0.5)) * size
    if rng.random() < cut:
        above = between(rng, -0.06, 0.02)
    if rng.random() < cut:
        below_it = between(rng, -0.08, 0.02)
    high = max(round(top - above * tall), 0)
    return _Crop(max(round(left), 0), high, max(round(right), round(left) + 2), round(bottom + below_it * tall))


def _neighbours(canvas: NDArray[np.uint8], box: tuple[int, int, int, int], size: int, rng: Chance) -> None:
    """Parts of the lines above and below: this line's own letters again, elsewhere."""
    first, top, last, bottom = box
    if rng.random() > 0.45:
        return
    ink = canvas[top:bottom, first:last].copy()
    leading = bottom - top + round(between(rng, -0.12, 0.3) * size)
    tall, wide = ink.shape
    if rng.random() < 0.6:
        rows = min(top, max(tall - (leading - top), 0), tall) if leading < top else min(top, tall)
        gap = max(leading - tall, 0)
        rows = min(rows, top - gap)
        if rows > 0:
            above = np.roll(ink, below(rng, wide), axis=1)[tall - rows :]
            spot = canvas[top - gap - rows : top - gap, first:last]
            np.maximum(spot, above, out=spot)
    if rng.random() < 0.6:
        gap = max(leading - tall, 0)
        rows = min(canvas.shape[0] - bottom - gap, tall)
        if rows > 0:
            under = np.roll(ink, below(rng, wide), axis=1)[:rows]
            spot = canvas[bottom + gap : bottom + gap + rows, first:last]
            np.maximum(spot, under, out=spot)


def _rules(canvas: NDArray[np.uint8], crop: _Crop, line: tuple[int, int, int], size: int, rng: Chance) -> None:
    """Underlines, and the rules of tables and boxes."""
    first, last, margin = line
    thick = max(1, round(between(rng, 0.02, 0.08) * size))
    draw = rng.random()
    if draw < 0.03:
        row = margin + round(between(rng, 0.08, 0.2) * size)
        left, right = first, last
        if rng.random() < 0.5:
            left += below(rng, last - first)
            right = left + below(rng, last - left + 1)
        canvas[row : row + thick, left:right] = 255
    elif draw < 0.07:
        rows = [crop.top + below(rng, 4), crop.bottom - thick - below(rng, 4)]
        for row in rows[below(rng, 2) :]:
            canvas[max(row, 0) : max(row, 0) + thick] = 255
        if rng.random() < 0.5:
            column = crop.left + below(rng, 3) if rng.random() < 0.5 else crop.right - thick - below(rng, 3)
            if column + thick <= first or column >= last:
                canvas[:, max(column, 0) : max(column, 0) + thick] = 255


def _fragments(canvas: NDArray[np.uint8], line: tuple[int, int], size: int, rng: Chance) -> None:
    """Edges of another column beside the line."""
    first, last = line
    if rng.random() > 0.05:
        return
    start = last + round(between(rng, 0.3, 0.6) * size)
    source = first + below(rng, max(last - first - size, 1))
    piece = canvas[:, source : source + size // 3]
    stop = min(start + piece.shape[1], canvas.shape[1])
    if stop > start:
        canvas[:, start:stop] = piece[:, : stop - start].copy()
