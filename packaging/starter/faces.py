"""The fonts that lines are drawn in: which characters each has, and their drawings.

Glyphs are drawn once in each size and kept; advances are measured in a large size, because small sizes round them.
Knows nothing of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".pfb"})
_NO_CHARACTER = "\U0010fffe"
_EXACT = 160  # the size in which advances are measured
_PROBE = 32  # the size in which a missing glyph is looked for


@dataclass(frozen=True, slots=True)
class Glyph:
    """A drawn character: its ink, where that lies from the pen and the baseline, and how far the pen moves."""

    ink: NDArray[np.uint8]
    left: int
    top: int
    advance: float


class Face:
    """One style of one font, with its glyphs in the sizes they were asked for.

    Attributes:
        name: the file's, and the weight of a font that has several.
        family: what the styles of one design share.
    """

    def __init__(self, path: Path, axes: tuple[float, ...] = (), name: str = "") -> None:
        self.name = name or path.name
        self.family = re.split(r"[-_[]", path.stem)[0]
        self._path = path
        self._axes = list(axes)
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._glyphs: dict[tuple[str, int], Glyph] = {}
        self._advances: dict[str, float] = {}
        self._kerns: dict[str, float] = {}
        self._has: dict[str, bool] = {" ": True}
        self._nothing = self._probe(_NO_CHARACTER)

    def has(self, character: str) -> bool:
        """Whether the font has this character; one that looks like its sign for unknown ones counts as missing."""
        known = self._has.get(character)
        if known is None:
            known = self._has[character] = self._probe(character) != self._nothing
        return known

    @property
    def is_readable(self) -> bool:
        """Whether it tells small letters from capitals: a face of small capitals has no p that goes down."""
        glyph = self._drawn("p", _PROBE)
        tall: int = glyph.ink.shape[0]
        return glyph.top + tall > _PROBE // 10

    def glyph(self, character: str, size: int) -> Glyph:
        """The character's drawing."""
        known = self._glyphs.get((character, size))
        if known is None:
            known = self._glyphs[character, size] = self._drawn(character, size)
        return known

    def kern(self, pair: str) -> float:
        """How much closer (negative) two neighbours stand, in parts of the em."""
        known = self._kerns.get(pair)
        if known is None:
            both = self._font(_EXACT).getlength(pair) / _EXACT
            known = self._kerns[pair] = both - self._advance(pair[0]) - self._advance(pair[1])
        return known

    def _advance(self, character: str) -> float:
        """How far the pen moves, in parts of the em; measured large, for small sizes are rounded to pixels."""
        known = self._advances.get(character)
        if known is None:
            known = self._advances[character] = self._font(_EXACT).getlength(character) / _EXACT
        return known

    def _font(self, size: int) -> ImageFont.FreeTypeFont:
        font = self._fonts.get(size)
        if font is None:
            font = ImageFont.truetype(self._path, size, layout_engine=ImageFont.Layout.BASIC)
            if self._axes:
                font.set_variation_by_axes(self._axes)
            self._fonts[size] = font
        return font

    def _drawn(self, character: str, size: int) -> Glyph:
        font = self._font(size)
        left, top, right, bottom = (round(edge) for edge in font.getbbox(character, anchor="ls"))
        image = Image.new("L", (max(right - left, 0), max(bottom - top, 0)))
        if image.width and image.height:
            ImageDraw.Draw(image).text((-left, -top), character, 255, font, anchor="ls")
        return Glyph(np.array(image), left, top, self._advance(character) * size)

    def _probe(self, character: str) -> tuple[bytes, float]:
        glyph = self._drawn(character, _PROBE)
        return glyph.ink.tobytes(), glyph.advance


def _faces(path: Path) -> list[Face]:
    """The styles of a font file: one, or for a font with axes up to three along its weight."""
    font = ImageFont.truetype(path, _PROBE, layout_engine=ImageFont.Layout.BASIC)
    try:
        axes = font.get_variation_axes()
    except OSError:
        return [Face(path)]
    usual = [float(axis["default"] or 0) for axis in axes]
    found = [Face(path, tuple(usual))]
    for index, axis in enumerate(axes):
        if bytes(axis["name"] or b"").lower() == b"weight":
            for weight in (600.0, 800.0):
                if usual[index] < weight <= float(axis["maximum"] or 0):
                    styled = (*usual[:index], weight, *usual[index + 1 :])
                    found.append(Face(path, styled, f"{path.name} {weight:.0f}"))
    return found


def faces_in(folder: Path) -> list[Face]:
    """Every style of every font in a folder that tells small letters from capitals."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES]
    return [face for path in paths for face in _faces(path) if face.is_readable]
