"""Pages and queues to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from diffdesk.paths import resource_dir
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import PageState, PageView, Piece, PieceState, QueueRow
from diffdesk.ui.views import ErrorView

IMAGE = resource_dir() / "samples" / "sample.png"
WIDTH, HEIGHT = 820, 440

# Two lines: the second one is held. Every word stands in a box of 60 × 20 pixels.
PARTS: tuple[Piece, ...] = (
    Piece(0, "The"),
    Piece(0, " "),
    Piece(0, "turned", "tumed", state=PieceState.MADE, certainty=0.97),
    Piece(0, " "),
    Piece(0, "again.", offer="again,", state=PieceState.OFFERED, certainty=0.62),
    Piece(0, " "),
    Piece(0, "clock", doubt=0.8, why="the recogniser was 52 % sure"),
    Piece(0, "\n"),
    Piece(0, "At", offer="Around", state=PieceState.OFFERED, certainty=0.99, is_held=True),
    Piece(0, " "),
    Piece(0, "trust", doubt=0.6),
    Piece(0, "\n"),
    Piece(0, "come", "corne", state=PieceState.ACCEPTED),
    Piece(0, " "),
    Piece(0, "end", doubt=0.1),
)
TURNED, AGAIN, CLOCK, AT, TRUST, COME = 2, 4, 6, 8, 10, 12


def numbered(parts: Sequence[Piece], first: int = 0, top: int = 0) -> list[Piece]:
    """Pieces with their places and boxes, from `first` on, `top` pixels down the page."""
    made: list[Piece] = []
    line, column = 0, 0
    for place, part in enumerate(parts):
        box = None
        if part.text.strip():
            left, upper = 20 + 80 * column, top + 20 + 40 * line
            box = (left, upper, left + 60, upper + 20)
            column += 1
        made.append(replace(part, index=first + place, line=line, box=box))
        if part.text == "\n":
            line, column = line + 1, 0
    return made


def page(page_id: int = 4, **changes: object) -> PageView:
    """A page with each kind of piece."""
    view = PageView(
        page_id, "sample.png", IMAGE, 0, tuple(numbered(PARTS)), WIDTH, HEIGHT, "4 changes, 2.1 % of the page."
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def long_page(characters: int = 20_000) -> PageView:
    """A page of that many characters, of the same lines again and again."""
    pieces: list[Piece] = []
    while sum(len(piece.text) for piece in pieces) < characters:
        pieces.extend(numbered((*PARTS, Piece(0, "\n")), len(pieces), 10 * len(pieces)))
    return PageView(7, "long.png", IMAGE, 0, tuple(pieces), WIDTH, 10 * len(pieces) + 200)


def decided(view: PageView, index: int, *, is_accepted: bool) -> PageView:
    """The page after a decision, as the presenter would show it."""
    piece = view.pieces[index]
    if is_accepted:
        new = replace(
            piece,
            text=piece.offer or piece.text,
            before=piece.before or piece.text,
            offer="",
            state=PieceState.ACCEPTED,
            is_held=False,
        )
    else:
        new = replace(piece, text=piece.before or piece.text, before="", state=PieceState.REJECTED, is_held=False)
    return with_piece(view, new)


def with_piece(view: PageView, piece: Piece) -> PageView:
    """The page with one piece in place of another."""
    pieces = list(view.pieces)
    pieces[piece.index] = piece
    return replace(view, pieces=tuple(pieces), can_undo=True)


class Reviewer:
    """Does what the desk reports, as its presenter does, and keeps account of it."""

    def __init__(self, desk: DeskView, view: PageView) -> None:
        self.desk = desk
        self.views = [view]
        self.log: list[tuple[object, ...]] = []
        desk.accepted.connect(lambda index: self._decide("accept", index))
        desk.rejected.connect(lambda index: self._decide("reject", index))
        desk.edited.connect(self._edit)
        desk.undo_requested.connect(self._undo)

    def _decide(self, name: str, index: int) -> None:
        self.log.append((name, index))
        self._show(decided(self.views[-1], index, is_accepted=name == "accept"))

    def _edit(self, index: int, text: str) -> None:
        self.log.append(("edit", index, text))
        self._show(
            with_piece(self.views[-1], replace(self.views[-1].pieces[index], text=text, state=PieceState.EDITED))
        )

    def _undo(self) -> None:
        self.log.append(("undo",))
        self.views.pop()
        self.desk.show_page(self.views[-1])

    def _show(self, view: PageView) -> None:
        self.views.append(view)
        self.desk.show_page(view)


BROKEN = ErrorView("This file is not an image", "It says it is a TIFF, but it is a text.", "Save it again.")


def rows(count: int) -> list[QueueRow]:
    """A queue: some reviewed, one failed, the rest waits."""
    first = (PageState.REVIEWED, PageState.FAILED, PageState.CORRECTING, PageState.READY, PageState.READY)
    made = []
    for number in range(count):
        state = first[number] if number < len(first) else PageState.WAITING
        error = BROKEN if state is PageState.FAILED else None
        name = Path(f"scan-{number + 1}.png").name
        made.append(QueueRow(number + 1, name, state, "", b"", error))
    return made
