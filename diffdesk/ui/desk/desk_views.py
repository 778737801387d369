"""What the widgets of the desk draw: plain frozen objects, made by its presenter, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from diffdesk.documents.recognised_page import Box
from diffdesk.ui.views import ErrorView


class PageState(StrEnum):
    """How far a page of the queue is."""

    WAITING = "waiting"
    READING = "reading"
    CORRECTING = "correcting"
    READY = "ready"  # to be reviewed
    REVIEWED = "reviewed"  # every change was decided
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One page of the queue.

    Attributes:
        id: of the page, for good.
        name: the file, and which of its pages.
        note: one quiet line: "4 of 12 changes to review", "no text found", "12 s".
        thumbnail: PNG, at most 160 px a side; empty until it is made.
    """

    id: int
    name: str
    state: PageState
    note: str = ""
    thumbnail: bytes = b""
    error: ErrorView | None = None


class PieceState(StrEnum):
    """What became of a piece of the draft."""

    PLAIN = "plain"  # nothing was proposed
    MADE = "made"  # changed by the model, not yet decided
    OFFERED = "offered"  # the model would change it, and was not sure enough; not yet decided
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EDITED = "edited"  # by the user


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, a run of white space, or a change, in reading order. What is shown joins to the text as it stands.

    Attributes:
        index: its place among the pieces of its page; a key for signals, valid as long as the review is.
        text: what stands in the text now.
        before: what the draft had, where that differs from `text` or from `offer`.
        offer: what the model would write, where that is not what stands there.
        state: see `PieceState`; everything but `PLAIN` is a change that the keys j and k walk through.
        certainty: of the change, 0…1.
        doubt: 0 for a sure word … 1; from 0.5 on it is one of the uncertain words that the key w walks through.
        why: of the doubt, a clause: "the recogniser was 62 % sure".
        is_held: the change was not made because its line would have changed too much.
        line: which line of the page it stands in, from 0; -1 if in none.
        box: where it stands in the page's image, in its pixels; None if unknown.
    """

    index: int
    text: str
    before: str = ""
    offer: str = ""
    state: PieceState = PieceState.PLAIN
    certainty: float = 1.0
    doubt: float = 0.0
    why: str = ""
    is_held: bool = False
    line: int = -1
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class PageView:
    """The page under review.

    Attributes:
        id: as in `QueueRow`.
        image: an upright image file to show beside the text; None for a text without one.
        turned: how far it has to be turned clockwise: 0, 90, 180 or 270 degrees. Boxes are of the turned image.
        pieces: see `Piece`.
        width, height: of the turned image, in the pixels of the boxes; 0 where the shown picture's own size is meant.
        banner: how much changed, in a sentence; empty if there is nothing to say.
        can_undo, can_redo: whether there are decisions to take back or to make again.
    """

    id: int
    name: str
    image: Path | None
    turned: int
    pieces: tuple[Piece, ...]
    width: int = 0
    height: int = 0
    banner: str = ""
    can_undo: bool = False
    can_redo: bool = False


@dataclass(frozen=True, slots=True)
class PageStand:
    """A page of which there is no text to review yet, or none at all.

    Attributes:
        id, name, image, turned: as in `PageView`.
        text: what it waits for or what is being done: "Reading the page …"; not shown where there is an error.
        more: a quieter line below.
    """

    id: int
    name: str
    state: PageState
    image: Path | None = None
    turned: int = 0
    text: str = ""
    more: str = ""
    error: ErrorView | None = None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The work on the queue as a whole. `seconds_left` is None where nothing can be said."""

    done: int = 0
    of: int = 0
    failed: int = 0
    is_running: bool = False
    is_paused: bool = False
    seconds_left: float | None = None
    how: str = ""  # "Starter model, with pictures of the lines"


class ExportFormat(StrEnum):
    """What reviewed pages can be written as."""

    TEXT = "txt"
    MARKDOWN = "md"
    SEARCHABLE_PDF = "pdf"
    WORD = "docx"
    HOCR = "hocr"
    ALTO = "alto"
    CHANGES = "csv"
    CLIPBOARD = "clipboard"


class ExportScope(StrEnum):
    """Which pages are written."""

    PAGE = "page"
    DOCUMENT = "document"  # all pages of the file that the page is from
    REVIEWED = "reviewed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """What the user wants written; remembered for the next time.

    Attributes:
        keeps_lines: of text formats: line breaks as on the page; else paragraphs are re-flowed.
        joins_hyphens: of text formats: words hyphenated at the end of a line are joined.
        target: a file for one document, a folder for several; None for the clipboard.
    """

    format: ExportFormat = ExportFormat.TEXT
    scope: ExportScope = ExportScope.DOCUMENT
    keeps_lines: bool = True
    joins_hyphens: bool = False
    target: Path | None = None


@dataclass(frozen=True, slots=True)
class ExportReach:
    """What a scope would take in.

    Attributes:
        pages: how many; a scope of none can't be chosen.
        files: how many documents those are from; several go into a folder, a file each.
        undecided: pages among them with changes that nobody has decided on.
        unfinished: pages among them that are not corrected yet, or failed; they are left out.
    """

    pages: int
    files: int = 1
    undecided: int = 0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the export sheet has to know of the queue. `name` is of the document, without its suffix."""

    name: str
    folder: Path
    reach: dict[ExportScope, ExportReach]
