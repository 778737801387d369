"""What the store hands out: frozen rows, safe to pass between threads.

Knows nothing of SQL, files' contents or widgets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from diffdesk.core.errors import UserError
from diffdesk.core.events import RunStats
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import TaskKind


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation without its messages.

    Attributes:
        id: never used again, even after the conversation is gone.
        title: one line; empty until the first message of the user gives one.
        place: where it belongs in the window.
        created, updated: seconds since 1970, UTC.
        model: name of the model it was last held with.
        leaf: the message at the end of the branch in view; None while there is none.
        deleted: when it was deleted (it can be brought back until it is purged); None if it wasn't.
    """

    id: int
    title: str
    place: TaskKind
    created: float
    updated: float
    model: str
    is_pinned: bool
    is_archived: bool
    leaf: int | None
    deleted: float | None


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """A file that is kept. On a message, `name` is the name it was given there.

    Attributes:
        sha256: of the contents, 64 hex digits; the file's identity.
        suffix: lower case with its dot (``.png``), or empty.
        size: in bytes.
        width, height: in pixels, 0 if it has none.
        kind: the caller's word for it, such as ``image``.
        path: where it lies; it may be missing if someone removed it.
    """

    sha256: str
    suffix: str
    size: int
    width: int
    height: int
    kind: str
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message, a node in the tree of its conversation.

    Attributes:
        parent_id: the message before it; None for a first message.
        version, versions: this is version `version` (from 1) of `versions` that follow the same parent.
        note: one sentence for the user on how it ended; empty if there is nothing to say.
        draft: for a correction, the text that was corrected.
        error: why it failed; not part of the comparison of rows.
        parameters: what was asked for; None where unknown.
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: Role
    text: str
    thought: str
    state: MessageState
    created: float
    model: str
    note: str
    draft: str
    version: int
    versions: int
    attachments: tuple[AttachmentRow, ...] = ()
    stats: RunStats | None = None
    parameters: GenerationParameters | None = None
    error: UserError | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RunRow:
    """The run that wrote a message. `trace_bytes` is what its recording takes in the file."""

    message_id: int
    canvases: int
    steps: int
    trace_bytes: int
    stats: RunStats | None
    parameters: GenerationParameters | None


@dataclass(frozen=True, slots=True)
class DraftRow:
    """What was typed and not sent. `attachments` are pairs of sha256 and name."""

    text: str = ""
    attachments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One place where a search found something.

    Attributes:
        message_id: None if the title was found.
        title: of the conversation.
        role: who said it; None for a title.
        snippet: one line of text around what was found.
        positions: pairs (start, end) in `snippet`, the parts to highlight.
    """

    conversation_id: int
    message_id: int | None
    title: str
    role: Role | None
    created: float
    snippet: str
    positions: tuple[tuple[int, int], ...]
