"""What the store hands out of the correction desk's queue: frozen rows, safe to pass between threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from diffdesk.core.errors import UserError
from diffdesk.core.proposals import Doubt, Proposal


class DeskState(StrEnum):
    """How far a page has come, as far as it matters after a restart: a page at work is still waiting."""

    WAITING = "waiting"
    READY = "ready"  # to be reviewed
    REVIEWED = "reviewed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewPage:
    """A page that joins the queue.

    Attributes:
        kind: the caller's word for what it is.
        path: the file, or where its attachment lies; empty for a text.
        number, of: which page of the file, from 0, and how many it has.
        name: for people.
        file: SHA-256 of the attachment, where the file is kept in the store; empty where it lies with the user.
        draft: of a text that needs no reading.
    """

    kind: str
    path: str
    number: int
    of: int
    name: str
    file: str = ""
    draft: str | None = None


@dataclass(frozen=True, slots=True)
class DeskRow:
    """A page of the queue without what it holds.

    Attributes:
        note: one quiet line.
        undecided: changes that nobody decided on.
        is_read: whether a draft is there, so that it need not be read again.
        is_kept: whether its file is kept in the store, and not with the user's own.
        seconds: of reading and correcting it.
    """

    id: int
    kind: str
    path: Path
    number: int
    of: int
    name: str
    state: DeskState
    note: str
    undecided: int
    is_read: bool
    is_kept: bool
    seconds: float
    error: UserError | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DeskContent:
    """What a page holds.

    Attributes:
        page: what was recognised, as the caller wrote it; empty for a text.
        draft: what was read.
        proposals, doubts, notes: as the correction gave them.
        review: the decisions, as the caller wrote them; empty before the first.
    """

    page: str
    draft: str
    proposals: tuple[Proposal, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
    review: str = ""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction gave: its proposals, its doubts, and sentences for the user."""

    proposals: tuple[Proposal, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a page stands after work or a decision."""

    state: DeskState
    note: str
    undecided: int
