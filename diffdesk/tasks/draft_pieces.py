"""A draft cut into pieces that one answer of a chat model corrects each, and what is known of each piece.

A draft that was typed is cut at paragraphs and sentences, one that a recogniser read at the ends of its lines, and
wherever another part of its page is to be shown. Knows pages' places and token counts; nothing of canvases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import RunRequest
from diffdesk.tasks.page_bands import Band, plan_bands
from diffdesk.tasks.read_lines import match_lines, word_confidence

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")
_LINE_END = re.compile(r"\n\s*")

Fits = Callable[[str], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of the draft that one answer corrects.

    Attributes:
        text: without white space at its ends; empty where there is nothing else.
        start: its first character in the draft.
        end: where the next piece, or the white space before its text, begins in the draft.
        confidence: float32[len(text)] of the recogniser, not a number in lines that were edited since; None for a
            draft that was typed.
        images: what is shown with it, where nothing is known of its place …
        band: … and else the part of a page that it stands in.
    """

    text: str
    start: int
    end: int
    confidence: NDArray[np.float32] | None = None
    images: tuple[ImageRef, ...] = ()
    band: Band | None = None


def pieces_of(request: RunRequest, fits: Fits) -> tuple[Piece, ...]:
    """The last message's text in pieces that fit, where lines and sentences allow it. Ends and starts join."""
    message, lines = request.messages[-1], request.read_lines
    draft = message.text
    shown = {image.path for image in message.images}
    bands = plan_bands(draft, [line for line in lines if line.image in shown])
    parts = split_lines(draft, fits, {band.start for band in bands}) if lines else split_text(draft, fits)
    confidence = _confidence(request) if lines else None
    pieces: list[Piece] = []
    done = 0
    for text, gap in parts:
        start = done + len(text) - len(text.lstrip())
        stop = max(start, done + len(text.rstrip()))
        done += len(text) + len(gap)
        band = next((one for one in reversed(bands) if one.start <= start), None)
        sure = None if confidence is None else confidence[start:stop]
        pieces.append(Piece(draft[start:stop], start, done, sure, () if band else message.images, band))
    return tuple(pieces)


def _confidence(request: RunRequest) -> NDArray[np.float32]:
    """float32[len(draft)]: how sure the recogniser was; 0 between words, not a number in lines that were edited."""
    draft = request.messages[-1].text
    confidence = np.full(len(draft), np.nan, np.float32)
    for start, line in match_lines(draft, request.read_lines):
        confidence[start : start + len(line.text)] = word_confidence(line)
    return confidence


def split_text(text: str, fits: Fits) -> tuple[tuple[str, str], ...]:
    """(piece, gap) pairs that join to `text`: paragraphs put together while they fit, long ones cut at sentences.

    A single sentence that doesn't fit stays whole: it takes a second canvas rather than lose its sense.
    """
    units = _units(text, _PARAGRAPH)
    fine: list[tuple[str, str]] = []
    for unit, gap in units:
        parts = [(unit, gap)] if fits(unit) else _units(unit, _SENTENCE)
        fine.extend(parts[:-1])
        fine.append((parts[-1][0], parts[-1][1] or gap))
    return _joined(fine, fits)


def split_lines(text: str, fits: Fits, cuts: Collection[int] = ()) -> tuple[tuple[str, str], ...]:
    """(piece, gap) pairs that join to `text`: lines put together while they fit, and no two across a place of `cuts`.

    A single line that doesn't fit stays whole.
    """
    return _joined(_units(text, _LINE_END), fits, cuts)


def _joined(units: list[tuple[str, str]], fits: Fits, cuts: Collection[int] = ()) -> tuple[tuple[str, str], ...]:
    joined: list[tuple[str, str]] = []
    start = 0
    for unit, gap in units:
        if joined and start not in cuts and fits(joined[-1][0] + joined[-1][1] + unit):
            joined[-1] = (joined[-1][0] + joined[-1][1] + unit, gap)
        else:
            joined.append((unit, gap))
        start += len(unit) + len(gap)
    return tuple(joined)


def _units(text: str, separator: re.Pattern[str]) -> list[tuple[str, str]]:
    units: list[tuple[str, str]] = []
    start = 0
    for match in separator.finditer(text):
        if match.end() == match.start():
            continue
        units.append((text[start : match.start()], match.group()))
        start = match.end()
    units.append((text[start:], ""))
    return units
