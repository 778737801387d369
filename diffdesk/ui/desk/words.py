"""What the desk says in words: how much work is left, how sure a change is, what may be done. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from diffdesk.ui.desk.desk_views import PageState, Piece, PieceState, QueueRow, QueueStatus

DOUBTFUL = 0.5
"""The doubt from which on a word is one of the uncertain ones."""

UNDECIDED = (PieceState.MADE, PieceState.OFFERED)
HELD = "left as read for you to decide"

STATE_WORDS = {
    PageState.WAITING: "Waiting",
    PageState.READING: "Reading",
    PageState.CORRECTING: "Correcting",
    PageState.READY: "To review",
    PageState.REVIEWED: "Reviewed",
    PageState.FAILED: "Failed",
}

DECIDED_WORDS = {
    PieceState.ACCEPTED: "accepted",
    PieceState.REJECTED: "rejected, as read",
    PieceState.EDITED: "edited by you",
}


def is_change(piece: Piece) -> bool:
    """Whether the keys j and k stop at it."""
    return piece.state is not PieceState.PLAIN


def is_undecided(piece: Piece) -> bool:
    """Whether it waits for the user."""
    return piece.state in UNDECIDED


def is_doubtful(piece: Piece) -> bool:
    """Whether the key w stops at it."""
    return piece.doubt >= DOUBTFUL


def is_held_open(piece: Piece) -> bool:
    """Whether its line was left as it was read, and nobody has decided on it yet."""
    return piece.is_held and is_undecided(piece)


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def time_left(seconds: float) -> str:
    """A rough time, as one would say it."""
    if seconds < 45:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {max(1, minutes)} min left"
    hours, rest = divmod(round(seconds / 60 / 5) * 5, 60)
    return f"about {hours} h {rest} min left" if rest else f"about {hours} h left"


def progress(status: QueueStatus) -> str:
    """How far the queue is, in a line."""
    if not status.of:
        return "No pages"
    parts = [f"{status.done:,} of {status.of:,}"]
    if status.is_paused:
        parts.append("paused")
    elif status.done + status.failed >= status.of:
        parts.append("all corrected" if not status.failed else "done")
    elif status.seconds_left is not None and status.is_running:
        parts.append(time_left(status.seconds_left))
    if status.failed:
        parts.append(f"{status.failed:,} with errors")
    return " · ".join(parts)


def queue_summary(rows: Sequence[QueueRow]) -> str:
    """The line above the queue."""
    parts = [counted(len(rows), "page")]
    ready = sum(row.state is PageState.READY for row in rows)
    failed = sum(row.state is PageState.FAILED for row in rows)
    if ready:
        parts.append(f"{ready:,} to review")
    if failed:
        parts.append(f"{failed:,} with errors")
    return " · ".join(parts)


def sureness(share: float) -> str:
    """A certainty in words and in percent; never rounded up to certainty."""
    percent = min(99, int(share * 100 + 1e-6)) if share < 1 else 100
    steps = ((0.95, "almost sure"), (0.8, "fairly sure"), (0.5, "not sure"), (0.0, "a guess"))
    word = next(said for least, said in steps if share >= least)
    return f"{word}, {percent} %"


def standing(pieces: Iterable[Piece]) -> str:
    """How the review of a page stands."""
    listed = list(pieces)
    changes = sum(map(is_change, listed))
    undecided = sum(map(is_undecided, listed))
    doubtful = sum(map(is_doubtful, listed))
    if not changes:
        first = "No changes"
    elif undecided:
        first = f"{undecided:,} of {counted(changes, 'change')} to decide"
    else:
        first = "The change is decided" if changes == 1 else f"All {changes:,} changes decided"
    return first + (f" · {counted(doubtful, 'uncertain word')}" if doubtful else "")


def shown_space(text: str) -> str:
    """A text whose white space can be seen where it is all there is."""
    if text and not text.strip():
        return text.replace("\n", "↵").replace("\t", "⇥").replace(" ", "␣")
    return text.replace("\n", "↵")


def described(piece: Piece) -> str:
    """A piece in words, for a tooltip and a screen reader."""
    said = _change_in_words(piece)
    reasons = []
    if is_undecided(piece):
        reasons.append(sureness(piece.certainty))
    if is_held_open(piece):
        reasons.append(HELD)
    if piece.why:
        reasons.append(piece.why)
    elif is_doubtful(piece):
        reasons.append("uncertain")
    parts = [said, *reasons] if said else reasons
    return ". ".join(part[:1].upper() + part[1:] for part in parts) + "." if parts else ""


def _change_in_words(piece: Piece) -> str:
    text, before, offer = (shown_space(one) or "nothing" for one in (piece.text, piece.before, piece.offer))
    match piece.state:
        case PieceState.MADE:
            return f"Changed from “{before}” to “{text}”"
        case PieceState.ACCEPTED:
            return f"Accepted: “{before}” is now “{text}”"
        case PieceState.OFFERED:
            return f"“{text}” might be “{offer}”"
        case PieceState.REJECTED:
            return f"Kept “{text}”, not “{offer}”"
        case PieceState.EDITED:
            return f"You wrote “{text}”"
        case _:
            return f"“{text}”" if is_doubtful(piece) else ""
