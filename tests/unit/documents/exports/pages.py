"""Pages for the tests of exports, and sentences to compare."""

from __future__ import annotations

from collections.abc import Sequence

from diffdesk.core.lines import character_widths
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord

SIZE = (900, 700)


def line_of(
    text: str, left: int, top: int, height: int = 30, block: int = 0, confidence: float = 0.9
) -> RecognisedLine:
    """A line whose words are as wide as in print, with a gap between them."""
    words, x = [], left
    for word in text.split():
        wide = max(round(character_widths(word).sum() / 100 * 0.8 * height), 4)
        words.append(RecognisedWord(word, (x, top, x + wide, top + height), confidence))
        x += wide + 8
    right = max(x - 8, left + 1)
    return RecognisedLine(text, (left, top, right, top + height), confidence, tuple(words), block)


def page_of(blocks: Sequence[Sequence[str]], size: tuple[int, int] = SIZE, turned: int = 0) -> RecognisedPage:
    """A page with blocks of lines below each other."""
    lines, top = [], 40
    for number, block in enumerate(blocks):
        for text in block:
            lines.append(line_of(text, 50, top, block=number))
            top += 36
        top += 30
    return RecognisedPage(*size, tuple(lines), turned)


def boxes_of(page: RecognisedPage) -> list[tuple[str, tuple[int, int, int, int]]]:
    return [(word.text, word.box) for line in page.lines for word in line.words]
