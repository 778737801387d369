"""What the program and a child process of its documents say to each other: JSON objects in the program's frames.

File names that are no valid UTF-8 survive, since JSON is written in ASCII. Knows nothing of what the objects mean.
"""

from __future__ import annotations

from typing import BinaryIO

from diffdesk.core import frames

Frame = dict[str, object]

_KIND = "child"


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Write one object and flush it; raises `OSError` where the other end is gone."""
    stream.write(frames.encode_frame(frames.Frame(_KIND, frame)))
    stream.flush()


def read_frame(stream: BinaryIO) -> Frame | None:
    """The next object; None once the other end has closed. Raises `ProtocolError` if what came is no frame."""
    frame = frames.read_frame(stream)
    return None if frame is None else frame.head
