"""The one line of progress of a command that works on many things."""

from __future__ import annotations

import sys


def show_progress(name: str, done: int, of: int, left: str = "") -> None:
    """Redraw the line on a terminal, or clear it where there is nothing of it; say nothing where there is none."""
    if sys.stderr.isatty():
        rest = f", {left}" if left else ""
        sys.stderr.write(f"\r\x1b[K{name}: {done:,} of {of:,}{rest}" if of else "\r\x1b[K")
        sys.stderr.flush()


def time_left(seconds: float) -> str:
    """A rough time for people: “about 2 h 10 min left”."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"about {max(1, round(seconds))} s left"
    if minutes < 60:
        return f"about {minutes} min left"
    return f"about {minutes // 60} h {minutes % 60} min left"
