"""Frames on a pipe: a kind, a JSON head and a body of bytes. No pickle, no sockets.

Layout: magic ``DD``, version u8, reserved u8, length of the head u32, length of the body u32 (little endian), head,
body. Both ends check every length before they believe it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import IO

from diffdesk.core.errors import ProtocolError

_HEAD = struct.Struct("<2sBBII")
_MAGIC, _VERSION = b"DD", 1
_MOST_HEAD, _MOST_BODY = 64 * 2**20, 64 * 2**20


@dataclass(frozen=True, slots=True)
class Frame:
    """One message on the pipe."""

    kind: str
    head: dict[str, object] = field(default_factory=dict)
    body: bytes = b""


def encode_frame(frame: Frame) -> bytes:
    """A frame as bytes, to be written in one call."""
    head = json.dumps({"kind": frame.kind, **frame.head}, separators=(",", ":")).encode()
    return _HEAD.pack(_MAGIC, _VERSION, 0, len(head), len(frame.body)) + head + frame.body


def read_frame(stream: IO[bytes]) -> Frame | None:
    """The next frame; None at the end of the stream. Raises `ProtocolError` for anything else."""
    start = _read_exactly(stream, _HEAD.size)
    if start is None:
        return None
    magic, version, _, head_size, body_size = _HEAD.unpack(start)
    if magic != _MAGIC or version != _VERSION or head_size > _MOST_HEAD or body_size > _MOST_BODY:
        raise ProtocolError(f"not a frame: {start!r}")
    head_bytes, body = _read_exactly(stream, head_size), _read_exactly(stream, body_size)
    if head_bytes is None or body is None:
        return None
    try:
        head = json.loads(head_bytes)
        kind = head.pop("kind")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ProtocolError(f"a frame's head can't be read: {error}") from error
    return Frame(str(kind), head, body)


def _read_exactly(stream: IO[bytes], size: int) -> bytes | None:
    parts: list[bytes] = []
    left = size
    while left:
        part = stream.read(left)
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
