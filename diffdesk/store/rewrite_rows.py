"""What the store hands out of the bulk rewriter: frozen rows, safe to pass between threads. Knows nothing of SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from diffdesk.core.errors import UserError


class RowState(StrEnum):
    """How far a text of a sheet is."""

    WAITING = "waiting"  # for the model
    DONE = "done"  # rewritten, to be decided on
    FAILED = "failed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # the text stays as it was


@dataclass(frozen=True, slots=True)
class NewSheet:
    """A sheet that is to be added; see `SheetRow`."""

    name: str
    format: str
    source: str
    columns: tuple[str, ...]
    row_count: int
    path: str = ""
    has_header: bool = True


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A table that is being rewritten, without its rows.

    Attributes:
        id: never used again.
        name: the file's name, or what to call pasted lines.
        format: the caller's word for the kind of file.
        source: sha256 of the attachment that holds the file as it came in.
        path: where the user's own file was; empty for pasted lines.
        has_header: whether its first row names the columns.
        columns: names of all its columns, in order.
        row_count: rows of the file.
        chosen: which columns are rewritten, as places in `columns`.
        instruction: what to do with each text.
        preset: the caller's key of the preset that the instruction comes from; empty if it is the user's own.
        created, updated: seconds since 1970, UTC.
        total, waiting, undecided, failed: how many texts of the chosen columns there are, and in which state.
    """

    id: int
    name: str
    format: str
    source: str
    columns: tuple[str, ...]
    row_count: int
    path: str
    has_header: bool
    chosen: tuple[int, ...]
    instruction: str
    preset: str
    created: float
    updated: float
    total: int = 0
    waiting: int = 0
    undecided: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RewriteRow:
    """One text of a sheet: the cell in row `number` and column `place`, both from 0.

    Attributes:
        text: as the file has it.
        answer: what is to stand there instead; empty while there is none.
        note: one sentence for the user; empty if there is nothing to say.
        error: why it failed; not part of the comparison of rows.
    """

    number: int
    place: int
    text: str
    answer: str = ""
    state: RowState = RowState.WAITING
    note: str = ""
    error: UserError | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from the other texts of its sheet."""
        return self.number, self.place


@dataclass(frozen=True, slots=True)
class OwnPreset:
    """An instruction that the user keeps under a name."""

    name: str
    instruction: str
