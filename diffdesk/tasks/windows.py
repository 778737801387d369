"""Cutting a text into windows that fit a small canvas, so that joining them gives the text back to the letter.

Each window knows a little of what stands around it, for a model to look at. Knows nothing of models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPACES = re.compile(r"\s+")
_BLANK_LINE = re.compile(r"\n\s*\n")
_CONTEXT_SHARE = 9  # of the room that is kept for the context on either side: one part in so many
_MOST_CONTEXT = 16  # characters on either side


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of text to be worked on, what follows it and is kept as it is, and what stands around it.

    Attributes:
        text: the piece.
        separator: the white space after it.
        before, after: the end of the text before it and the beginning of the text after it, with any white space as
            one ordinary space; empty at a blank line. ``before + text + after`` reads as running text.
    """

    text: str
    separator: str
    before: str = ""
    after: str = ""


def cut(text: str, room: int, start: int = 0, end: int | None = None) -> tuple[Window, ...]:
    """Windows that take at most `room` characters with their context, cut at white space; a longer word is cut hard.

    ``"".join(w.text + w.separator for w in cut(t, n)) == t`` always; a window's text holds no white space other than
    single ordinary spaces and single line ends, since a line that was wrapped goes on in the next; where a window has
    no text, only its separator matters.

    Args:
        text: the whole text.
        room: characters.
        start: of the part of the text that is cut; what stands around the part is only looked at.
        end: of that part; None for the end of the text.
    """
    part = text[:end]
    windows: list[Window] = []
    position = start
    while position < len(part):
        least = room // _CONTEXT_SHARE
        before = _before(text, position, least)
        stop = _end_of_window(part, position, room - len(before))
        if stop - position > room - 2 * least and not _is_whole(part, stop):
            stop = _end_of_window(part, position, room - 2 * least)
        gap = _SPACES.match(part, stop)
        next_one = gap.end() if gap else stop
        around = min(_MOST_CONTEXT, (room - (stop - position)) // 2)
        before = _before(text, position, max(around, len(before)))
        after = _after(text, stop, min(_MOST_CONTEXT, room - (stop - position) - len(before)))
        is_empty = stop == position
        windows.append(
            Window(part[position:stop], part[stop:next_one], "" if is_empty else before, "" if is_empty else after)
        )
        position = next_one
    return tuple(windows)


def _is_whole(text: str, end: int) -> bool:
    """Whether a stretch of running text ends here."""
    gap = _SPACES.match(text, end)
    return end == len(text) or (gap is not None and (len(gap.group()) > 1 or gap.end() == len(text)))


def _end_of_window(text: str, start: int, limit: int) -> int:
    """Where a window that begins at `start` ends: at the last single space or line end within the limit."""
    if text[start].isspace():
        return start
    end = start
    while end < len(text):
        word_end = _word_end(text, end + (end > start))
        if word_end - start > limit:
            return end if end > start else start + limit
        end = word_end
        is_single = text[end : end + 1] in (" ", "\n") and not text[end + 1 : end + 2].isspace()
        if not is_single or end + 1 >= len(text):
            return end
    return end


def _word_end(text: str, start: int) -> int:
    gap = _SPACES.search(text, start)
    return gap.start() if gap else len(text)


def _before(text: str, at: int, most: int) -> str:
    """The last words before a place, in at most so many characters; a part of a word where one alone is longer."""
    found = text[max(0, at - 4 * most) : at]
    found = found[max((one.end() for one in _BLANK_LINE.finditer(found)), default=0) :]
    line = _SPACES.sub(" ", found).lstrip()
    if len(line) <= most:
        return line
    tail = line[len(line) - most :]
    first_gap = tail.find(" ")
    is_cut = not line[len(line) - most - 1].isspace()
    return tail[first_gap + 1 :] if is_cut and 0 <= first_gap < most - 1 else tail


def _after(text: str, at: int, most: int) -> str:
    """The first words after a place, in at most so many characters; a part of a word where one alone is longer."""
    found = text[at : at + 4 * most]
    blank = _BLANK_LINE.search(found)
    line = _SPACES.sub(" ", found[: blank.start()] if blank else found).rstrip()
    if len(line) <= most:
        return line
    head = line[:most]
    last_gap = head.rfind(" ")
    is_cut = not line[most].isspace()
    return head[:last_gap] if is_cut and last_gap > 0 else head.rstrip()
