"""What is said: messages, the images that hang on them, and the pieces of a prompt.

Knows nothing of tokens ids of a particular model, of files' contents or of the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.lines import CELL_PIXELS


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class MessageState(StrEnum):
    """What became of a message."""

    SENT = "sent"  # the user's own
    STREAMING = "streaming"  # an answer that is being written; `stopped` after a crash
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    EMPTY = "empty"  # the model ended at once
    THOUGHT_ONLY = "thought_only"  # every canvas went into the thought


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image file that belongs to a message.

    Attributes:
        path: where the file lies; read only when it is needed.
        name: what the user called it.
        is_frame: one of several frames of a video; encoded with fewer soft tokens.
        stamp: ``mm:ss`` of a video frame, written before it; empty for a still.
    """

    path: Path
    name: str = ""
    is_frame: bool = False
    stamp: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LinePicture:
    """The picture of one line, ready for a model that reads lines: it is in memory, not in a file.

    Attributes:
        pixels: uint8[`CELL_PIXELS`, w], grey, w a whole number of `CELL_PIXELS`.
    """

    pixels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        height, width = self.pixels.shape
        if height != CELL_PIXELS or not width or width % CELL_PIXELS:
            raise ValueError(f"a line's picture can't be {width} × {height} pixels")

    @property
    def cells(self) -> int:
        """Its squares, each of which is one image token."""
        return int(self.pixels.shape[1]) // CELL_PIXELS


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: who speaks.
        text: the words; for the assistant the answer without its thought.
        images: images of the turn, in order; they come before the text.
        thought: the assistant's reasoning; never sent back to the model.
    """

    role: Role
    text: str
    images: tuple[ImageRef, ...] = field(default=())
    thought: str = ""
