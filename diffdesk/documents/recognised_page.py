"""What the recogniser found on a page: lines in reading order, their words, and where they stand.

Plain values that cross the pipe between the recogniser's client and its child process as JSON. Knows nothing
of the recogniser itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypedDict

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the upright image; right and bottom are exclusive."""


class WireMark(TypedDict):
    """A word as JSON."""

    text: str
    box: list[int]
    confidence: float


class WireLine(WireMark):
    """A line as JSON."""

    block: int
    slant: float
    words: list[WireMark]


class WirePage(TypedDict):
    """A page as JSON."""

    width: int
    height: int
    turned: int
    lines: list[WireLine]


@dataclass(frozen=True, slots=True)
class RecognisedWord:
    """One word of a line.

    Attributes:
        text: its characters, without spaces.
        box: where it stands; its left and right are good to about a sixth of its height.
        confidence: 0 to 1.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """One printed line of one column.

    Attributes:
        text: the line, pieces with a wide gap between them joined by one space.
        box: where it stands.
        confidence: 0 to 1, the mean over its characters.
        words: its words from left to right; a script without spaces has one for each character.
        block: number of the paragraph or column it belongs to, counted from 0 in reading order.
        slant: how far it sinks to the right, in radians; negative if it rises. Its box holds all of it, and so more
            than the line where that is not 0.
    """

    text: str
    box: Box
    confidence: float
    words: tuple[RecognisedWord, ...] = ()
    block: int = 0
    slant: float = 0.0


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """All that was found on one image.

    Attributes:
        width, height: of the upright image, in pixels; boxes lie inside.
        lines: in reading order; empty when there is no text.
        turned: how far the image (as `images.open_image` gives it) was turned clockwise to make the text upright:
            0, 90, 180 or 270 degrees.
    """

    width: int
    height: int
    lines: tuple[RecognisedLine, ...]
    turned: int = 0

    @property
    def text(self) -> str:
        """The lines joined by line feeds, with a blank line between blocks."""
        blocks = groupby(self.lines, key=lambda line: line.block)
        return "\n\n".join("\n".join(line.text for line in block) for _, block in blocks)

    @property
    def confidence(self) -> float:
        """The mean confidence over all characters, 0 to 1; 0 for a page without text."""
        count = sum(len(line.text) for line in self.lines)
        return sum(line.confidence * len(line.text) for line in self.lines) / count if count else 0.0

    def enlarged(self, width: int, height: int) -> RecognisedPage:
        """The page as it is on an image of another size; boxes stay inside."""
        across, down = width / self.width, height / self.height

        def fitted(box: Box) -> Box:
            left, top, right, bottom = box
            return (
                max(round(left * across), 0),
                max(round(top * down), 0),
                min(round(right * across), width),
                min(round(bottom * down), height),
            )

        lines = tuple(
            replace(
                line,
                box=fitted(line.box),
                words=tuple(replace(word, box=fitted(word.box)) for word in line.words),
            )
            for line in self.lines
        )
        return replace(self, width=width, height=height, lines=lines)

    def to_wire(self) -> WirePage:
        """The page as JSON; `from_wire` makes an equal page again."""
        return {
            "width": self.width,
            "height": self.height,
            "turned": self.turned,
            "lines": [
                {
                    "text": line.text,
                    "box": list(line.box),
                    "confidence": line.confidence,
                    "block": line.block,
                    "slant": line.slant,
                    "words": [
                        {"text": word.text, "box": list(word.box), "confidence": word.confidence} for word in line.words
                    ],
                }
                for line in self.lines
            ],
        }

    @staticmethod
    def from_wire(data: WirePage) -> RecognisedPage:
        """The page that `to_wire` described."""
        lines = tuple(
            RecognisedLine(
                text=line["text"],
                box=_box(line["box"]),
                confidence=line["confidence"],
                words=tuple(
                    RecognisedWord(word["text"], _box(word["box"]), word["confidence"]) for word in line["words"]
                ),
                block=line["block"],
                slant=line["slant"],
            )
            for line in data["lines"]
        )
        return RecognisedPage(data["width"], data["height"], lines, data["turned"])


def _box(numbers: list[int]) -> Box:
    left, top, right, bottom = numbers
    return left, top, right, bottom
