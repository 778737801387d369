"""What the widgets of the rewriter draw: plain frozen objects, made by its presenter, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from diffdesk.ui.views import ErrorView

Key = tuple[int, int]
"""What tells one text of a sheet from the others: its row and its column, both from 0."""


class RowSign(StrEnum):
    """How far a text is, as shown."""

    WAITING = "waiting"
    WORKING = "working"
    REVIEW = "review"  # rewritten, to be decided on
    ACCEPTED = "accepted"
    KEPT = "kept"  # rejected: the text stays as it was
    SAME = "same"  # accepted without a question: nothing was changed
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RowView:
    """One text of the sheet.

    Attributes:
        column: the name of its column where several are rewritten; else empty.
        answer: what the model or the user wrote; empty while there is nothing.
        note: one quiet line.
    """

    key: Key
    text: str
    answer: str = ""
    sign: RowSign = RowSign.WAITING
    column: str = ""
    note: str = ""
    error: ErrorView | None = None


@dataclass(frozen=True, slots=True)
class PresetView:
    """An instruction that can be chosen by its name. `key` is empty for the user's own."""

    key: str
    name: str
    instruction: str

    @property
    def is_own(self) -> bool:
        """Whether the user made it, and may delete it."""
        return not self.key


@dataclass(frozen=True, slots=True)
class SheetView:
    """The sheet that is open.

    Attributes:
        columns: names of all columns.
        chosen: places in `columns` of those that are rewritten.
        has_header: whether the first row names the columns; None for a file that has no such row.
    """

    id: int
    name: str
    columns: tuple[str, ...]
    chosen: tuple[int, ...]
    instruction: str = ""
    preset: str = ""
    has_header: bool | None = None


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A sheet that can be opened again. `note` is a few words on how far it is."""

    id: int
    name: str
    note: str


class Work(StrEnum):
    """What the main button does."""

    START = "start"
    RESUME = "resume"
    RETRY = "retry"  # the errors
    PAUSE = "pause"
    PAUSING = "pausing"  # the row at work is still being finished
    NOTHING = "nothing"  # all rows are done


@dataclass(frozen=True, slots=True)
class RewriteStatus:
    """The work on the sheet as a whole.

    Attributes:
        done: texts that need the model no more, errors among them.
        review: to be decided on.
        seconds_left: None where nothing can be said.
        waits_for: what the work waits for, such as the model being loaded; empty if for nothing.
    """

    done: int = 0
    of: int = 0
    review: int = 0
    failed: int = 0
    work: Work = Work.START
    seconds_left: float | None = None
    waits_for: str = ""
