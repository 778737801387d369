"""From the store's rows and reviews to what the desk's widgets draw. Plain functions, no widgets."""

from __future__ import annotations

from collections.abc import Sequence

from diffdesk.services.desk_work import source_of
from diffdesk.services.review import Decision, Review, Said
from diffdesk.services.segments import Segment
from diffdesk.store import DeskRow, DeskState
from diffdesk.ui.desk.desk_views import PageStand, PageState, PageView, Piece, PieceState, QueueRow
from diffdesk.ui.rows import error_view

_STATES = {
    DeskState.WAITING: PageState.WAITING,
    DeskState.READY: PageState.READY,
    DeskState.REVIEWED: PageState.REVIEWED,
    DeskState.FAILED: PageState.FAILED,
}


def queue_row(row: DeskRow, thumbnail: bytes = b"", at_work: PageState | None = None) -> QueueRow:
    """A page of the queue; `at_work` where something is being done with it."""
    state = at_work or _STATES[row.state]
    error = None if row.error is None else error_view(row.error)
    return QueueRow(row.id, row.name, state, row.note, thumbnail, error)


def page_stand(row: DeskRow, text: str, at_work: PageState | None = None) -> PageStand:
    """A page that can't be reviewed yet; `text` says what it waits for."""
    source = source_of(row)
    error = None if row.error is None else error_view(row.error)
    image = None if source is None else source.path
    return PageStand(row.id, row.name, at_work or _STATES[row.state], image, 0, text, error=error)


def page_view(row: DeskRow, review: Review, size: tuple[int, int], turned: int, notes: Sequence[str] = ()) -> PageView:
    """A page under review; `size` of its turned image, `notes` of its correction."""
    source = source_of(row)
    return PageView(
        id=row.id,
        name=row.name,
        image=None if source is None else source.path,
        turned=turned,
        pieces=tuple(_piece(review, index, segment) for index, segment in enumerate(review.segments)),
        width=size[0],
        height=size[1],
        banner=" ".join([review.summary(), *notes]),
        can_undo=review.can_undo,
        can_redo=review.can_redo,
    )


def _piece(review: Review, index: int, segment: Segment) -> Piece:
    text, said = review.text_of(index), review.said(index)
    return Piece(
        index=index,
        text=text,
        before=segment.drafted if segment.drafted != text or segment.is_change else "",
        offer=segment.wanted if segment.is_change and segment.wanted != text else "",
        state=_state(segment, said, text),
        certainty=segment.certainty,
        doubt=review.doubt_of(index),
        why=segment.why,
        is_held=segment.is_held,
        line=segment.line,
        box=segment.box,
    )


def _state(segment: Segment, said: Said | None, text: str) -> PieceState:
    if said is None:
        if not segment.is_change:
            return PieceState.PLAIN
        return PieceState.MADE if segment.made != segment.drafted else PieceState.OFFERED
    if said.decision is Decision.EDITED:
        return PieceState.EDITED if text != segment.drafted or segment.is_change else PieceState.PLAIN
    if not segment.is_change:
        return PieceState.PLAIN
    return PieceState.ACCEPTED if said.decision is Decision.ACCEPTED else PieceState.REJECTED
