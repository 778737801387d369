"""A denoising run as data: what each step left visible, small enough for a pipe, a file and a replay.

The engine sends these events, the window folds them into frames, the store keeps them: one form for the three.
A step costs about 2 bytes for each position of the canvas and a few for each position that changed; nothing of the
size of the vocabulary is ever in it. Knows nothing of models, files or widgets.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.errors import ProtocolError

MAX_ENTROPY = 12.5  # nats: a little over ln(262,144), the entropy of a uniform draw from the vocabulary


class CellState(IntEnum):
    """How far a position of the canvas has come."""

    NOISE = 0
    CHANGING = 1
    SETTLED = 2
    ACCEPTED = 3  # accepted in this very step


class Region(IntEnum):
    """What a position of the canvas belongs to."""

    ANSWER = 0
    THOUGHT = 1
    MARKER = 2  # a channel or tool marker: not shown as text
    AFTER_END = 3  # padding after the end token


@dataclass(frozen=True, slots=True)
class CanvasOpened:
    """A canvas begins. `ids` int32[L] is its first content, `pieces` the text of each position."""

    canvas: int
    canvases: int
    steps: int
    ids: NDArray[np.int32]
    pieces: tuple[str, ...]
    is_warm: bool = False


@dataclass(frozen=True, slots=True)
class StepDelta:
    """One denoising step, as the difference from what was visible before it.

    Attributes:
        canvas: which canvas, from 0.
        step: which step of it, from 1.
        temperature: of this step.
        milliseconds: wall time of this step.
        positions: uint16[n], the positions whose visible token changed.
        ids: int32[n], their new tokens.
        pieces: n texts of those tokens.
        entropy: uint8[L], see `quantise_entropy`.
        states: uint8[L], a `CellState` each.
        regions: uint8[L], a `Region` each.
    """

    canvas: int
    step: int
    temperature: float
    milliseconds: float
    positions: NDArray[np.uint16]
    ids: NDArray[np.int32]
    pieces: tuple[str, ...]
    entropy: NDArray[np.uint8]
    states: NDArray[np.uint8]
    regions: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CanvasClosed:
    """A canvas is committed. `answer` and `thought` are all that is committed so far, this canvas included."""

    canvas: int
    steps: int
    is_settled: bool
    answer: str
    thought: str


TraceEvent = CanvasOpened | StepDelta | CanvasClosed


@dataclass(frozen=True, slots=True)
class CanvasFrame:
    """All that can be seen of a canvas after one step: immutable, fit to be handed between threads.

    Shapes: `pieces` L texts; `entropy`, `states`, `regions` uint8[L]; `ids` int32[L].
    """

    canvas: int
    canvases: int
    step: int
    steps: int
    temperature: float
    milliseconds: float
    ids: NDArray[np.int32]
    pieces: tuple[str, ...]
    entropy: NDArray[np.uint8]
    states: NDArray[np.uint8]
    regions: NDArray[np.uint8]
    is_closed: bool = False
    is_settled: bool = False

    @property
    def length(self) -> int:
        """Positions in the canvas."""
        return len(self.pieces)

    @property
    def settled_count(self) -> int:
        """Positions that are settled or were accepted in this step."""
        return int(np.count_nonzero(self.states >= CellState.SETTLED))

    @property
    def accepted_count(self) -> int:
        """Positions accepted in this very step."""
        return int(np.count_nonzero(self.states == CellState.ACCEPTED))

    @property
    def mean_entropy(self) -> float:
        """Mean entropy in nats over the positions before the end token (0 if there are none)."""
        kept = self.entropy[self.regions != Region.AFTER_END]
        return float(entropy_in_nats(kept).mean()) if kept.size else 0.0

    def text(self, region: Region = Region.ANSWER) -> str:
        """The text of the positions of one region, joined."""
        return "".join(piece for piece, part in zip(self.pieces, self.regions, strict=True) if part == region)


class CanvasFold:
    """Folds trace events into frames: the live window, a replay and the recovery of a broken run use the same code."""

    def __init__(self) -> None:
        self.frame: CanvasFrame | None = None
        self.answer = ""
        self.thought = ""

    def apply(self, event: TraceEvent) -> CanvasFrame:
        """The frame after `event`; raises `ProtocolError` if it doesn't follow from the last one."""
        if isinstance(event, CanvasOpened):
            self.frame = _opened(event)
            return self.frame
        last = self.frame
        if last is None or last.canvas != event.canvas:
            raise ProtocolError(f"step of canvas {event.canvas} before it was opened")
        self.frame = _closed(last, event) if isinstance(event, CanvasClosed) else _stepped(last, event)
        if isinstance(event, CanvasClosed):
            self.answer, self.thought = event.answer, event.thought
        return self.frame


def _opened(event: CanvasOpened) -> CanvasFrame:
    length = len(event.pieces)
    state = CellState.SETTLED if event.is_warm else CellState.NOISE
    return CanvasFrame(
        canvas=event.canvas,
        canvases=event.canvases,
        step=0,
        steps=event.steps,
        temperature=0.0,
        milliseconds=0.0,
        ids=event.ids,
        pieces=event.pieces,
        entropy=np.full(length, 0 if event.is_warm else 255, np.uint8),
        states=np.full(length, state, np.uint8),
        regions=np.zeros(length, np.uint8),
    )


def _stepped(last: CanvasFrame, event: StepDelta) -> CanvasFrame:
    if event.entropy.size != last.length or (event.positions.size and int(event.positions.max()) >= last.length):
        raise ProtocolError(f"a step of {event.entropy.size} positions for a canvas of {last.length}")
    ids = last.ids.copy()
    ids[event.positions] = event.ids
    pieces = list(last.pieces)
    for position, piece in zip(event.positions.tolist(), event.pieces, strict=True):
        pieces[position] = piece
    return CanvasFrame(
        canvas=last.canvas,
        canvases=last.canvases,
        step=event.step,
        steps=last.steps,
        temperature=event.temperature,
        milliseconds=event.milliseconds,
        ids=ids,
        pieces=tuple(pieces),
        entropy=event.entropy,
        states=event.states,
        regions=event.regions,
    )


def _closed(last: CanvasFrame, event: CanvasClosed) -> CanvasFrame:
    return CanvasFrame(
        canvas=last.canvas,
        canvases=last.canvases,
        step=last.step,
        steps=last.steps,
        temperature=last.temperature,
        milliseconds=last.milliseconds,
        ids=last.ids,
        pieces=last.pieces,
        entropy=last.entropy,
        states=np.maximum(last.states, CellState.SETTLED).astype(np.uint8) if event.is_settled else last.states,
        regions=last.regions,
        is_closed=True,
        is_settled=event.is_settled,
    )


def quantise_entropy(entropy: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Nats float[L] → uint8[L] on a square-root scale, so that the low end, where decisions fall, is fine."""
    share = np.clip(np.asarray(entropy, np.float64) / MAX_ENTROPY, 0.0, 1.0)
    return np.rint(255.0 * np.sqrt(share)).astype(np.uint8)


def entropy_in_nats(quantised: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The inverse of `quantise_entropy`: uint8[L] → nats float32[L]."""
    share = quantised.astype(np.float32) / np.float32(255.0)
    return np.float32(MAX_ENTROPY) * share * share


# One event as bytes: kind u8, length of the JSON part u32, JSON, then the arrays named in it, in order.
_PREFIX = struct.Struct("<BI")
_OPENED, _STEP, _CLOSED = 1, 2, 3


def encode_event(event: TraceEvent) -> bytes:
    """One event as bytes; `decode_event` reads it back."""
    if isinstance(event, CanvasOpened):
        head = [
            event.canvas,
            event.canvases,
            event.steps,
            event.is_warm,
            len(event.pieces),
            list(event.pieces),
        ]
        return _pack(_OPENED, head, event.ids.astype("<i4").tobytes())
    if isinstance(event, CanvasClosed):
        return _pack(_CLOSED, [event.canvas, event.steps, event.is_settled, event.answer, event.thought], b"")
    packed = (event.states | (event.regions << 4)).astype(np.uint8)
    body = event.positions.astype("<u2").tobytes() + event.ids.astype("<i4").tobytes()
    body += event.entropy.tobytes() + packed.tobytes()
    head = [
        event.canvas,
        event.step,
        round(event.temperature, 6),
        round(event.milliseconds, 3),
        len(event.positions),
        len(event.entropy),
        list(event.pieces),
    ]
    return _pack(_STEP, head, body)


def _pack(kind: int, head: list[object], body: bytes) -> bytes:
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return _PREFIX.pack(kind, len(text)) + text + body


def decode_event(data: bytes) -> TraceEvent:
    """The event that `encode_event` wrote; raises `ProtocolError` for anything else."""
    try:
        kind, size = _PREFIX.unpack_from(data)
        start = _PREFIX.size + size
        if start > len(data):
            raise ProtocolError("a trace event is cut short")
        head = json.loads(data[_PREFIX.size : start].decode("utf-8", "surrogatepass"))
        if not isinstance(head, list):
            raise ProtocolError("a trace event's head is no list")
        body = data[start:]
        if kind == _OPENED:
            return _decode_opened(head, body)
        if kind == _STEP:
            return _decode_step(head, body)
        if kind == _CLOSED:
            return _decode_closed(head, body)
    except (ValueError, TypeError, OverflowError, RecursionError, struct.error) as error:
        raise ProtocolError(f"a trace event can't be read: {error}") from error
    raise ProtocolError(f"unknown trace event {kind}")


def _decode_opened(head: list[object], body: bytes) -> CanvasOpened:
    canvas, canvases, steps, is_warm, length, pieces = head
    size = _count(length)
    _expect(len(body) == 4 * size, "the ids of a canvas don't fit its length")
    ids = np.frombuffer(body, "<i4", size).astype(np.int32)
    return CanvasOpened(_count(canvas), _count(canvases), _count(steps), ids, _texts(pieces, size), _switch(is_warm))


def _decode_closed(head: list[object], body: bytes) -> CanvasClosed:
    canvas, steps, is_settled, answer, thought = head
    _expect(not body, "a closed canvas has nothing after its texts")
    return CanvasClosed(_count(canvas), _count(steps), _switch(is_settled), _text(answer), _text(thought))


def _decode_step(head: list[object], body: bytes) -> StepDelta:
    canvas, step, temperature, milliseconds, changed, length, pieces = head
    n, size = _count(changed), _count(length)
    _expect(len(body) == 6 * n + 2 * size, f"a step of {n} changes and {size} positions has {len(body)} bytes")
    packed = np.frombuffer(body, np.uint8, size, 6 * n + size)
    states, regions = packed & np.uint8(15), packed >> np.uint8(4)
    _expect(not size or (states.max() <= max(CellState) and regions.max() <= max(Region)), "an unknown state or region")
    return StepDelta(
        canvas=_count(canvas),
        step=_count(step),
        temperature=_real(temperature),
        milliseconds=_real(milliseconds),
        positions=np.frombuffer(body, "<u2", n).astype(np.uint16),
        ids=np.frombuffer(body, "<i4", n, 2 * n).astype(np.int32),
        pieces=_texts(pieces, n),
        entropy=np.frombuffer(body, np.uint8, size, 6 * n).copy(),
        states=states,
        regions=regions,
    )


def _expect(is_so: object, else_said: str) -> None:
    if not is_so:
        raise ProtocolError(else_said)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProtocolError(f"not a count: {value!r:.40}")
    return value


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProtocolError(f"not a number: {value!r:.40}")
    return float(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ProtocolError(f"neither true nor false: {value!r:.40}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ProtocolError(f"not a text: {value!r:.40}")
    return value


def _texts(pieces: object, count: int) -> tuple[str, ...]:
    if not isinstance(pieces, list) or len(pieces) != count:
        raise ProtocolError("the number of pieces doesn't fit")
    return tuple(_text(one) for one in pieces)
