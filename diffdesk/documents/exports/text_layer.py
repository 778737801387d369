"""The invisible text of one PDF page, and the font it is written in.

Each word is drawn unseen (text render mode 3) at its box, stretched to the box's width, with a space up to the next
word, so that selecting, copying and searching work in any viewer. A code stands for one Unicode character;
the PDF's own ToUnicode table says which (PDF 32000-1:2008, 9.7 and 9.10.3). Knows nothing of
PDF files and of images.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from diffdesk.core.lines import character_widths
from diffdesk.documents.exports.gaps import is_right_to_left
from diffdesk.documents.exports.line_words import spaced_words
from diffdesk.documents.exports.xml_text import clean
from diffdesk.documents.recognised_page import Box, RecognisedLine, RecognisedPage

Matrix = tuple[float, float, float, float, float, float]
"""a b c d e f of PDF: x' = a·x + c·y + e, y' = b·x + d·y + f."""

ASCENT, DESCENT = 800, -200
"""How far the font reaches above and below the base line, in thousandths: together one font size."""

FONT_NAME = "DiffDeskInvisible"

GLYPH_WIDTHS = (500, 0, 250, 280, 350, 440, 680, 840, 1000)
"""The width of each of the font's glyphs, in thousandths; the first is for characters that are unknown."""

_SPACE_WIDTH = 250
_WIDE_WIDTH = 1000  # Han, kana and the like
_EVEN = 1.3  # words of a line whose heights differ by more are boxes of letters, not of lines
_NEAR = 0.6  # of the height: words that stand further apart may be of different sizes
_STEADY = 2  # pixels by which an edge may move so that the words of a block are of one size
_LEAST_GAP = 0.04  # of the size: pdftotext takes what is closer (than 0.03) for one word
_MOST_CUT = 2.5  # pixels by which a word may end earlier or later for that
_MOST_CODES = 0xFFFE
_REPLACEMENT = "\ufffd"
_MAPPED_AT_ONCE = 100  # entries of one bfchar list


@dataclass(frozen=True, slots=True)
class FontTables:
    """What a PDF must say of the font once all text is written.

    Attributes:
        to_unicode: the CMap.
        glyph_of: the CIDToGIDMap: for each code the glyph that is as wide.
        widths: the entries of the font's W array, from code 1 on.
    """

    to_unicode: bytes
    glyph_of: bytes
    widths: list[int]


class Codes:
    """Gives each character a code of two bytes, the first time it is needed."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def of(self, text: str) -> str:
        """The text as hexadecimal codes."""
        return "".join(f"{self._of(one):04X}" for one in text)

    def tables(self) -> FontTables:
        """The tables for all characters so far."""
        entries = [f"<{code:04X}> <{one.encode('utf-16-be').hex().upper()}>" for one, code in self._codes.items()]
        lists = []
        for start in range(0, len(entries), _MAPPED_AT_ONCE):
            some = entries[start : start + _MAPPED_AT_ONCE]
            lists.append("\n".join([f"{len(some)} beginbfchar", *some, "endbfchar"]))
        cmap = _CMAP.format(lists="\n".join(lists)).encode("ascii")
        widths = [advance(one) for one in self._codes]
        glyphs = [0, *(GLYPH_WIDTHS.index(width) for width in widths)]
        return FontTables(cmap, struct.pack(f">{len(glyphs)}H", *glyphs), widths)

    def _of(self, character: str) -> int:
        code = self._codes.get(character)
        if code is None:
            # Nobody's document has 65,534 different characters; one made to is still written.
            if len(self._codes) >= _MOST_CODES - 1 and character != _REPLACEMENT:
                return self._of(_REPLACEMENT)
            code = self._codes[character] = len(self._codes) + 1
        return code


_CMAP = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
{lists}
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


def advance(character: str) -> int:
    """How wide a character is, in thousandths of the font size."""
    if character == " ":
        return _SPACE_WIDTH
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return _WIDE_WIDTH
    width = 10 * float(character_widths(character)[0])
    return min(GLYPH_WIDTHS, key=lambda one: abs(one - width))


def text_layer(page: RecognisedPage, matrix: Matrix, codes: Codes, font: str) -> bytes:
    """The page's text as the operators of a content stream.

    Args:
        page: with all words of its lines.
        matrix: from the page's pixels, counted from its lower left corner upwards, to the PDF page.
        codes: of the document.
        font: the name of the font in the page's resources.
    """
    parts = [f"q {' '.join(number(one) for one in matrix)} cm"]
    for _, block in groupby(page.lines, key=lambda line: line.block):
        lines = [drawn for line in block if (drawn := _drawn(line))]
        usual = round(median(word.size for words in lines for word in words)) if lines else 0
        for words in lines:
            parts.extend(_operators([word.sized(usual) for word in words], page.height, codes, font))
    return ("\n".join([*parts, "Q"]) + "\n").encode("ascii")


def deflated(data: bytes) -> bytes:
    """The data for the filter FlateDecode."""
    return zlib.compress(data, 6)


def number(value: float) -> str:
    """A number as PDF writes it: no exponent, no more digits than needed."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if value != int(value) else str(int(value))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A word as it is drawn: from left to right, from its bottom upwards, in pixels of the image."""

    text: str
    left: float
    right: float
    bottom: float
    size: int
    has_space: bool

    def sized(self, usual: int) -> _Drawn:
        """The word in the size of its block, if no edge moves far: viewers sort text by its size."""
        moved = (usual - self.size) / 2
        return replace(self, size=usual, bottom=self.bottom + moved) if abs(moved) <= _STEADY else self

    @property
    def stretch(self) -> float:
        """The horizontal scaling that makes it as wide as its box, in per cent."""
        wide = sum(advance(one) for one in self.text) or _SPACE_WIDTH
        return 100_000 * (self.right - self.left) / (wide * self.size)


def _drawn(line: RecognisedLine) -> list[_Drawn]:
    words = [(word, has_space) for word, has_space in spaced_words(line) if clean(word.text)]
    boxes = _level_boxes([word.box for word, _ in words])
    drawn = [
        _Drawn(clean(word.text), box[0], max(box[2], box[0] + 1), box[3], max(box[3] - box[1], 1), has_space)
        for (word, has_space), box in zip(words, boxes, strict=True)
    ]
    for at in range(len(drawn) - 1):
        drawn[at], drawn[at + 1] = _apart(drawn[at], drawn[at + 1])
    return drawn


def _apart(word: _Drawn, following: _Drawn) -> tuple[_Drawn, _Drawn]:
    """Two neighbours with a gap between them if they are two words, and without one if they are not."""
    gap = following.left - word.right
    wanted = max(gap, _LEAST_GAP * word.size) if word.has_space else min(gap, 0.0)
    cut = min(max((wanted - gap) / 2, -_MOST_CUT), _MOST_CUT)
    if not cut or following.left < word.left:
        return word, following
    return (
        replace(word, right=max(word.right - cut, word.left + 1)),
        replace(following, left=min(following.left + cut, following.right - 1)),
    )


def _level_boxes(boxes: Sequence[Box]) -> list[Box]:
    """The words' boxes, as high as their neighbours where they only enclose their letters: else a viewer that sorts
    text by its size and its base line would tear "on" and "dog" apart. What stands further off may be of another size.
    """
    runs: list[list[Box]] = []
    for box in boxes:
        last = runs[-1][-1] if runs else None
        height = max(box[3] - box[1], last[3] - last[1]) if last else 0
        if last and max(box[0] - last[2], last[0] - box[2]) <= _NEAR * height:
            runs[-1].append(box)
        else:
            runs.append([box])
    return [box for run in runs for box in _level_run(run)]


def _level_run(boxes: Sequence[Box]) -> Sequence[Box]:
    heights = [bottom - top for _, top, _, bottom in boxes]
    if max(heights) <= _EVEN * max(min(heights), 1):
        return boxes
    top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
    return [(left, top, right, bottom) for left, _, right, _ in boxes]


def _operators(words: Sequence[_Drawn], page_height: int, codes: Codes, font: str) -> list[str]:
    parts = ["BT", "3 Tr"]
    for word, following in zip(words, [*words[1:], None], strict=True):
        parts.append(_shown(word, page_height, codes, font))
        if word.has_space and following is not None:
            edges = (word.right, following.left) if following.left >= word.left else (following.right, word.left)
            space = replace(word, text=" ", left=edges[0], right=max(edges[1], edges[0] + 1))
            parts.append(_shown(space, page_height, codes, font))
    return [*parts, "ET"]


def _shown(word: _Drawn, page_height: int, codes: Codes, font: str) -> str:
    base = page_height - word.bottom - DESCENT / 1000 * word.size
    place = f"{number(word.left)} {number(base)}"
    shown = codes.of(_as_seen(word.text))
    return f"/{font} {word.size} Tf {number(word.stretch)} Tz 1 0 0 1 {place} Tm <{shown}> Tj"


def _as_seen(text: str) -> str:
    """The characters from left to right as they stand on paper, which is how PDF viewers expect them."""
    if not is_right_to_left(text):
        return text
    clusters: list[str] = []
    was_number = False
    for one in text:
        is_number = unicodedata.bidirectional(one) in {"EN", "AN", "L"}
        is_mark = unicodedata.combining(one) != 0
        # Marks stay behind their letter, and numbers and other scripts run from left to right inside.
        if clusters and (is_mark or (is_number and was_number)):
            clusters[-1] += one
        else:
            clusters.append(one)
        was_number = is_number or (is_mark and was_number)
    return "".join(reversed(clusters))
