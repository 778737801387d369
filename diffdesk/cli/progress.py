"""The one line of progress of a command that measures."""

from __future__ import annotations

import sys


def show_progress(name: str, done: int, of: int) -> None:
    """Redraw the line on a terminal, or clear it where there is nothing of it; say nothing where there is none."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{name}: {done} of {of}" if of else "\r\x1b[K")
        sys.stderr.flush()
