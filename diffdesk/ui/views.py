"""What the widgets draw: plain frozen objects, made by the controller, and nothing else.

Widgets never see rows of the store, requests or processes; they show these and emit what the user wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.requests import ModelInfo, TaskKind

Place = TaskKind  # a place of the window is where one kind of task is done


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image beside a message or in the composer. `key` is its content hash once it is stored."""

    key: str
    path: Path
    name: str
    width: int = 0
    height: int = 0
    thumbnail: bytes = b""  # PNG, at most 320 px a side
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorView:
    """A user error as shown beside a message or in a banner."""

    title: str
    text: str
    remedy: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of the transcript.

    Attributes:
        draft: for an answer of the correction task the text before it; shown as draft → corrected with marks.
        note: one quiet line of the program's below the message.
        figures: "14 steps · 212 ms a step · 87 tok/s", empty if there are none.
        version, versions: which of how many versions of this turn (from 1).
        has_trace: whether its denoising run can be replayed.
        is_program: the words are the program's own, said in place of an answer.
    """

    id: int
    role: Role
    text: str
    created: datetime
    state: MessageState = MessageState.COMPLETE
    thought: str = ""
    images: tuple[ImageView, ...] = ()
    draft: str = ""
    note: str = ""
    figures: str = ""
    error: ErrorView | None = None
    version: int = 1
    versions: int = 1
    has_trace: bool = False
    is_program: bool = False


@dataclass(frozen=True, slots=True)
class ConversationView:
    """One row of the conversation list."""

    id: int
    title: str
    place: Place
    updated: datetime
    snippet: str = ""  # where a search found it


class ModelState(StrEnum):
    """How the engine's model stands."""

    NONE = "none"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelView:
    """The model chip: its state, and when loading how far it is (`share` 0…1)."""

    state: ModelState
    name: str
    stage: str = ""
    share: float = 0.0
    info: ModelInfo | None = None
    error: ErrorView | None = None
