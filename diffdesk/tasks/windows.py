"""Cutting a text into windows that fit a small canvas, so that joining them gives the text back to the letter.

Knows nothing of models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of text to be worked on and the separator that follows it, which is kept as it is."""

    text: str
    separator: str


def cut(text: str, limit: int) -> tuple[Window, ...]:
    """Windows of at most `limit` characters, cut at white space; a longer word is cut hard.

    ``"".join(w.text + w.separator for w in cut(t, n)) == t`` always; a window's text holds no white space other than
    single ordinary spaces and single line ends, since a line that was wrapped goes on in the next; where a window has
    no text, only its separator matters.
    """
    windows: list[Window] = []
    position = 0
    while position < len(text):
        end = _end_of_window(text, position, limit)
        gap = _SPACES.match(text, end)
        after = gap.end() if gap else end
        windows.append(Window(text[position:end], text[end:after]))
        position = after
    return tuple(windows)


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
