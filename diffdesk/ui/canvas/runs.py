"""The live canvas as lines of text: what each position shows, where lines break, and what a line shows later.

Between two re-breaks a line keeps its positions, so that a word may change without moving the lines around it. Knows
no Qt: breaking is done by a function that the text widget passes in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from diffdesk.core.trace import CanvasFrame, CellState, Region

PREFIX = -1  # the "position" of text that is committed and stands before the canvas
DOT = "·"
MAX_TRAILING_NOISE = 40  # positions of noise shown after the last word: about three lines
_LEAST_DOTS, _DOT_VARIANTS = 4, 9  # as wide as a word on average, so that lines fit when the words come

Breaker = Callable[[str], Sequence[tuple[int, int]]]
"""Text without line feeds (U+2028 instead) → (start, end) of each line, in code points."""


class Look(IntEnum):
    """How a position of the text is drawn."""

    COMMITTED = 0
    SETTLED = 1
    ACCEPTED = 2
    CHANGING = 3
    NOISE = 4


@dataclass(frozen=True, slots=True)
class Span:
    """One position as shown in a line: `start` and `end` in code points of the line's text."""

    position: int
    start: int
    end: int
    look: Look


@dataclass(frozen=True, slots=True)
class Line:
    """A line's text and its positions, in order."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A position's place in a line at the last re-break: this part of its text, and whether the line is its home."""

    position: int
    start: int
    end: int
    is_home: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """The outcome of a re-break: for each line its slots, and the texts they were cut from.

    `is_soft[i]` says that line i continues the one before it (no line feed between them).
    """

    lines: tuple[tuple[Slot, ...], ...]
    is_soft: tuple[bool, ...]
    texts: dict[int, str]


def placeholder(position: int) -> str:
    """Dots instead of a word: always the same at a position, so that noise stands still."""
    return " " + DOT * (_LEAST_DOTS + (position * 7919 + position // 3) % _DOT_VARIANTS)


def shown_texts(frame: CanvasFrame, region: Region, *, is_calm: bool) -> dict[int, tuple[str, Look]]:
    """What each position of `region` shows: position → (text, look), in order; the others show nothing.

    In calm mode whatever has not settled shows as noise. Noise after the last word is cut short.
    """
    regions, states = frame.regions.tolist(), frame.states.tolist()
    least = CellState.SETTLED if is_calm else CellState.CHANGING
    words = [at for at, state in enumerate(states) if state >= least and regions[at] == region]
    end = words[-1] if words else -1
    shown: dict[int, tuple[str, Look]] = {}
    trailing = 0
    for position, (part, state) in enumerate(zip(regions, states, strict=True)):
        if part != region:
            continue
        if state < least:
            trailing += position > end
            if trailing <= MAX_TRAILING_NOISE:
                shown[position] = (placeholder(position), Look.NOISE)
        elif frame.pieces[position]:
            shown[position] = (_printable(frame.pieces[position]), _LOOKS[state])
    return shown


_LOOKS = {
    int(CellState.CHANGING): Look.CHANGING,
    int(CellState.SETTLED): Look.SETTLED,
    int(CellState.ACCEPTED): Look.ACCEPTED,
}


def _printable(piece: str) -> str:
    return piece.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def break_lines(prefix: str, shown: dict[int, tuple[str, Look]], breaker: Breaker) -> Broken:
    """Break the prefix and the shown texts into lines, and note which positions each line holds."""
    texts: dict[int, str] = {PREFIX: prefix} if prefix else {}
    texts.update((position, text) for position, (text, _) in shown.items())
    if not prefix and texts:  # nothing before it: a leading space would only look like an indent
        first = next(iter(texts))
        texts[first] = texts[first].lstrip(" ")
    joined = "".join(texts.values())
    bounds = breaker(joined.replace("\n", "\u2028")) if joined else ()
    lines: list[tuple[Slot, ...]] = []
    is_soft: list[bool] = []
    pending = iter(_pieces(texts))
    current = next(pending, None)
    homes: set[int] = set()
    for start, end in bounds:
        slots: list[Slot] = []
        while current is not None and current[1] < end:
            position, first, last = current
            low, high = max(first, start), min(last, end)
            has_text = bool(joined[low:high].strip()) or high == last
            is_home = has_text and position not in homes
            if is_home:
                homes.add(position)
            slots.append(Slot(position, low - first, high - first, is_home))
            if last > end:
                break
            current = next(pending, None)
        lines.append(tuple(slots))
        is_soft.append(start > 0 and joined[start - 1] != "\n")
    return Broken(tuple(lines), tuple(is_soft), texts)


def _pieces(texts: dict[int, str]) -> list[tuple[int, int, int]]:
    found, offset = [], 0
    for position, text in texts.items():
        found.append((position, offset, offset + len(text)))
        offset += len(text)
    return found


def line_of(broken: Broken, index: int, shown: dict[int, tuple[str, Look]]) -> Line:
    """Line `index` as it reads now: its positions stay, their texts are those of `shown`."""
    parts: list[str] = []
    spans: list[Span] = []
    offset = 0
    for slot in broken.lines[index]:
        before = broken.texts[slot.position]
        now, look = (before, Look.COMMITTED) if slot.position == PREFIX else shown.get(slot.position, ("", Look.NOISE))
        if now.lstrip(" ") == before.lstrip(" "):
            text = before[slot.start : slot.end].replace("\n", "")
        else:
            text = now.replace("\n", " ") if slot.is_home else ""
        if offset == 0 and broken.is_soft[index]:
            text = text.lstrip(" ")
        if text:
            parts.append(text)
            spans.append(Span(slot.position, offset, offset + len(text), look))
            offset += len(text)
    return Line("".join(parts), tuple(spans))


def frozen_length(answer: str) -> int:
    """How much of a committed answer can be set for good: up to the last blank line outside a fenced code block.

    What follows is an open paragraph that the next canvas continues.
    """
    cut = offset = 0
    is_fenced = False
    for line in answer.splitlines(keepends=True):
        offset += len(line)
        if line.lstrip().startswith(("```", "~~~")):
            is_fenced = not is_fenced
        if not is_fenced and not line.strip() and line.endswith("\n"):
            cut = offset
    return cut
