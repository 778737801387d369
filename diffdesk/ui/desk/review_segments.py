"""From the pieces of a page to runs of characters with a look, and where each piece then stands in the document.

What is shown is more than the text: words that were taken away, offers, remarks. This keeps account of which
characters are the text, so that copying gives the text as it stands. Positions count UTF-16 units, as Qt does.
Knows no widget.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import Piece, PieceState

THIN_SPACE = "\u2009"  # two words that touch read as one


class Look(Enum):
    """How a run of characters is set."""

    PLAIN = "plain"
    GONE = "gone"  # struck out, not yet decided
    PAST = "past"  # struck out, decided
    MADE = "made"
    OFFERED = "offered"
    OFFER = "offer"  # the model's word in brackets
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EDITED = "edited"
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of characters; `is_text` if they are part of the text as it stands."""

    shown: str
    look: Look
    is_text: bool = False


def units(text: str) -> int:
    """How many positions Qt counts for `text`."""
    return len(text) if text.isascii() else len(text) + sum(one > "\uffff" for one in text)


def cut(text: str, first: int, last: int) -> str:
    """Positions [first, last) of `text`."""
    if last <= 0:
        return ""
    return text.encode("utf-16-le", "surrogatepass")[max(0, first) * 2 : last * 2].decode("utf-16-le", "replace")


def segments_of(piece: Piece, *, has_remark: bool = False) -> tuple[Segment, ...]:
    """What is shown for a piece. `has_remark`: its line is held, and this is where the line ends."""
    match piece.state:
        case PieceState.MADE:
            made = _replaced(piece, Look.GONE, Look.MADE)
        case PieceState.ACCEPTED:
            made = _replaced(piece, Look.PAST, Look.ACCEPTED)
        case PieceState.OFFERED:
            made = _offered(piece)
        case PieceState.REJECTED:
            made = _kept(piece, Look.REJECTED, f"[{words.shown_space(piece.offer)}]")
        case PieceState.EDITED:
            made = _kept(piece, Look.EDITED, words.shown_space(piece.before or piece.offer))
        case _:
            made = (Segment(piece.text, Look.PLAIN, is_text=True),) if piece.text else ()
    return (Segment(f"  {words.HELD}", Look.REMARK), *made) if has_remark else made


def _text(piece: Piece, look: Look) -> tuple[Segment, ...]:
    """The text of a change, white space in it made visible; a line break at its end still breaks the line."""
    shown = Segment(words.shown_space(piece.text), look, is_text=True)
    return (shown, Segment("\n", Look.PLAIN)) if piece.text.endswith("\n") else (shown,)


def _replaced(piece: Piece, gone: Look, come: Look) -> tuple[Segment, ...]:
    before = words.shown_space(piece.before)
    made = (Segment(before, gone),) if before else ()
    if not piece.text:
        return made
    gap = (Segment(THIN_SPACE, Look.PLAIN),) if before and not before[-1].isspace() else ()
    return (*made, *gap, *_text(piece, come))


def _offered(piece: Piece) -> tuple[Segment, ...]:
    offer = words.shown_space(piece.offer)
    if not piece.text:
        return (Segment(f"[add: {offer}]", Look.OFFER),)
    bracket = Segment(f"[{offer or 'remove'}]", Look.OFFER)
    text = _text(piece, Look.OFFERED)
    return (text[0], Segment(THIN_SPACE, Look.PLAIN), bracket, *text[1:])


def _kept(piece: Piece, look: Look, past: str) -> tuple[Segment, ...]:
    """The text; where none stands, what might have stood there, so that one can come back to it."""
    if piece.text:
        return _text(piece, look)
    return (Segment(past, Look.PAST),) if past.strip("[]") else ()


def remarks(pieces: Sequence[Piece]) -> frozenset[int]:
    """The places of the pieces before whose line break a held line says so; `len(pieces)` for the end of the page."""
    found: set[int] = set()
    is_held = False
    for place, piece in enumerate(pieces):
        if is_held and piece.state is PieceState.PLAIN and "\n" in piece.text:
            found.add(place)
            is_held = False
        is_held = is_held or words.is_held_open(piece)
    return frozenset(found | {len(pieces)} if is_held else found)


class PieceMap:
    """Where each piece stands in the document; `before` is the map that it follows, of which it keeps what it can."""

    def __init__(self, pieces: Sequence[Piece] = (), before: PieceMap | None = None) -> None:
        self.pieces: list[Piece] = list(pieces)
        self._remarked = remarks(self.pieces)
        self._has_end_remark = len(self.pieces) in self._remarked
        known = before if before is not None and len(before.pieces) == len(self.pieces) else None
        self.shown: list[tuple[Segment, ...]] = [
            known.shown[place]
            if known is not None
            and piece is known.pieces[place]
            and (place in self._remarked) == (place in known._remarked)
            else segments_of(piece, has_remark=place in self._remarked)
            for place, piece in enumerate(self.pieces)
        ]
        self.starts: list[int] = []
        """The first position of each piece, and one more for the end."""
        position = 0
        for segments in self.shown:
            self.starts.append(position)
            for one in segments:
                position += units(one.shown)
        self.starts.append(position)

    def end_segments(self) -> tuple[Segment, ...]:
        """What comes after the last piece."""
        return (Segment(f"  {words.HELD}", Look.REMARK),) if self._has_end_remark else ()

    def span(self, index: int) -> tuple[int, int]:
        """The positions [first, last) of all that is shown for a piece."""
        return self.starts[index], self.starts[index + 1]

    def text_span(self, index: int) -> tuple[int, int]:
        """The positions of that part of a piece which is text or may become it: without remarks."""
        place = self.starts[index]
        parts = self.shown[index]
        if parts and parts[0].look is Look.REMARK:
            place += units(parts[0].shown)
        return place, self.starts[index + 1]

    def at(self, position: int) -> int:
        """The piece at a position, -1 for none."""
        index = bisect_right(self.starts, position) - 1
        while 0 <= index < len(self.pieces) and self.starts[index + 1] <= position:
            index += 1  # pieces of which nothing is shown
        return index if 0 <= index < len(self.pieces) else -1

    def text_between(self, first: int, last: int) -> str:
        """The text as it stands between two positions: nothing that was taken away, no offers, no remarks."""
        kept = []
        index = max(0, bisect_right(self.starts, first) - 1)
        while index < len(self.pieces) and self.starts[index] < last:
            place = self.starts[index]
            for segment in self.shown[index]:
                if segment.is_text:
                    kept.append(cut(self.pieces[index].text, first - place, last - place))
                place += units(segment.shown)
            index += 1
        return "".join(kept)

    def differences(self, newer: PieceMap) -> list[int] | None:
        """The places at which something else is shown; None if the two can't be compared piece by piece."""
        if len(newer.pieces) != len(self.pieces) or newer.end_segments() != self.end_segments():
            return None
        pairs = enumerate(zip(self.shown, newer.shown, strict=True))
        return [place for place, (old, new) in pairs if old is not new and old != new]
