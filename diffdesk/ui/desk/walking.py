"""From piece to piece: what comes next when one walks through changes and uncertain words. Plain functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import Piece

Wanted = Callable[[Piece], bool]


def step(pieces: Sequence[Piece], current: int, way: int, wanted: Wanted) -> int:
    """The next piece that is wanted, forwards (1) or backwards (-1); -1 where there is none further that way.

    From nowhere (-1) one enters at the beginning, or backwards at the end.
    """
    start = current + way if current >= 0 else 0 if way > 0 else len(pieces) - 1
    stop = len(pieces) if way > 0 else -1
    return next((index for index in range(start, stop, way) if wanted(pieces[index])), -1)


def next_undecided(pieces: Sequence[Piece], current: int) -> int:
    """The next change to decide after `current`, from the beginning again if there is none; -1 if all are decided."""
    after = step(pieces, current, 1, words.is_undecided)
    if after >= 0:
        return after
    first = step(pieces, -1, 1, words.is_undecided)
    return first if first != current else -1


def position(pieces: Sequence[Piece], current: int) -> str:
    """Where one is among the changes, or among the uncertain words."""
    if not 0 <= current < len(pieces):
        return ""
    for noun, wanted in (("Change", words.is_change), ("Uncertain word", words.is_doubtful)):
        if wanted(pieces[current]):
            listed = [piece.index for piece in pieces if wanted(piece)]
            return f"{noun} {listed.index(pieces[current].index) + 1:,} of {len(listed):,}"
    return ""


def first_difference(before: Sequence[Piece], after: Sequence[Piece]) -> int:
    """The first piece that became something else; -1 for none."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((place for place, (old, new) in pairs if old != new), -1)
