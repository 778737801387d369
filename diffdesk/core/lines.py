"""How a line of text, a picture of it, or both are laid out over the slots of a small canvas.

Slot i of the prompt and position i of the canvas belong together. A slot holds a character of the draft, a blank, or
a cell: one square of the line's picture, which the model sees as one image token. A cell is followed by the characters
that stand under it, and by blanks where there are few, so that what the draft lacks has room. A position of the canvas
then holds what stands at its slot: the character as it is, a corrected one, a two-character token where something was
left out, or a blank (the pad token) where nothing is; at a cell always a blank. Knows nothing of tokens and images.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

CELL_PIXELS = 32  # a line's picture is this high; each square of it is one image token
MOST_CELLS = 40
BLANK = -1  # in a layout: no character of the draft
CELL = -2  # in a layout: a square of the picture
_LEAST_WITH_DRAFT = 2  # slots after a cell, at least
_LEAST_ALONE = 4

# Advance widths of an ordinary serif, in hundredths of the font size; close enough to spread a word's characters.
_WIDTHS = {
    **dict.fromkeys("ijlI|.,:;'!‘’`", 28),
    **dict.fromkeys('ft()[]r/\\-"', 35),
    **dict.fromkeys("acesz", 44),
    **dict.fromkeys("mMW@—%…", 84),
    **dict.fromkeys("wABCDEGHKNOPQRTUVXYZ&", 68),
}
_WIDTH_OTHERWISE = 50


class LineTask(StrEnum):
    """What a model that reads lines can be asked; the value is the system turn that asks it."""

    TEXT = "Correct this text"
    LINE = "Correct this line"  # a picture of the line and a draft
    PICTURE = "Read this line"  # a picture alone


def slots_needed(characters: int, centres: NDArray[np.float32] | None, cells: int) -> int:
    """How many slots `lay_out` fills with characters, cells and the blanks between them."""
    if not cells:
        return characters
    counts = _per_cell(characters, centres, cells)
    return int(cells + np.maximum(counts, _least(characters)).sum())


def lay_out(
    characters: int, slots: int, centres: NDArray[np.float32] | None = None, cells: int = 0
) -> NDArray[np.int16]:
    """int16[slots]: for each slot the index of the draft's character in it, `BLANK` or `CELL`.

    Args:
        characters: of the draft.
        slots: of the canvas.
        centres: float32[characters], where each character stands in the line's picture, in pixels of a picture
            `CELL_PIXELS` high, rising; needed where there are both a draft and cells.
        cells: squares of the picture, 0 for none.

    Raises:
        ValueError: they don't fit; ask `slots_needed` first.
    """
    layout = np.full(slots, BLANK, np.int16)
    if slots_needed(characters, centres, cells) > slots:
        raise ValueError("the line does not fit the canvas")
    if not cells:
        layout[:characters] = np.arange(characters)
        return layout
    at = index = 0
    for count in _per_cell(characters, centres, cells).tolist():
        layout[at] = CELL
        layout[at + 1 : at + 1 + count] = np.arange(index, index + count)
        index += count
        at += 1 + max(count, _least(characters))
    return layout


def _per_cell(characters: int, centres: NDArray[np.float32] | None, cells: int) -> NDArray[np.int64]:
    """int64[cells]: how many of the draft's characters stand under each cell."""
    if not characters:
        return np.zeros(cells, np.int64)
    if centres is None or len(centres) != characters:
        raise ValueError("each character needs its place in the picture")
    under = np.clip(np.asarray(centres, np.float64) // CELL_PIXELS, 0, cells - 1).astype(np.int64)
    return np.bincount(np.maximum.accumulate(under), minlength=cells)


def _least(characters: int) -> int:
    return _LEAST_WITH_DRAFT if characters else _LEAST_ALONE


def character_widths(text: str) -> NDArray[np.float64]:
    """float64[len(text)]: how wide each character is in ordinary print, in hundredths of the font size."""
    return np.array([_WIDTHS.get(one, _WIDTH_OTHERWISE) for one in text], np.float64)


def spread(words: Sequence[tuple[str, float, float]], text: str) -> NDArray[np.float32]:
    """float32[len(text)]: where each character of a line stands, from its words' left and right edges.

    Args:
        words: (characters, left, right) of each word from left to right, without spaces.
        text: the line; what is no part of a word (a space) stands between its neighbours.

    Raises:
        ValueError: the words are not in the text in this order.
    """
    centres = np.full(len(text), np.nan, np.float64)
    at = 0
    for word, left, right in words:
        start = text.index(word, at)
        widths = character_widths(word)
        ends = np.cumsum(widths)
        centres[start : start + len(word)] = left + (right - left) * (ends - widths / 2) / ends[-1]
        at = start + len(word)
    known = np.flatnonzero(~np.isnan(centres))
    if known.size:
        centres = np.interp(np.arange(len(text)), known, centres[known])
    else:
        centres = np.zeros(len(text))
    return np.maximum.accumulate(centres).astype(np.float32)
