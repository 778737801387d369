"""A denoising run as bytes and as frames; bytes from anywhere."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from diffdesk.core.errors import ProtocolError
from diffdesk.core.trace import (
    MAX_ENTROPY,
    CanvasClosed,
    CanvasFold,
    CanvasOpened,
    CellState,
    Region,
    StepDelta,
    TraceEvent,
    decode_event,
    encode_event,
    entropy_in_nats,
    quantise_entropy,
)

counts = st.integers(0, 2**31 - 1)
pieces = st.text(max_size=6)
ids32 = st.integers(-(2**31), 2**31 - 1)


@st.composite
def opened(draw: st.DrawFn) -> CanvasOpened:
    ids = draw(st.lists(ids32, max_size=20))
    texts = draw(st.lists(pieces, min_size=len(ids), max_size=len(ids)))
    return CanvasOpened(
        draw(counts), draw(counts), draw(counts), np.asarray(ids, np.int32), tuple(texts), draw(st.booleans())
    )


@st.composite
def steps(draw: st.DrawFn) -> StepDelta:
    length = draw(st.integers(0, 20))
    positions = draw(st.lists(st.integers(0, 2**16 - 1), max_size=length))
    changed = len(positions)

    def each(values: st.SearchStrategy[int], count: int = length) -> list[int]:
        return draw(st.lists(values, min_size=count, max_size=count))

    return StepDelta(
        canvas=draw(counts),
        step=draw(counts),
        temperature=draw(st.integers(0, 5_000_000)) / 1e6,
        milliseconds=draw(st.integers(0, 10**9)) / 1e3,
        positions=np.asarray(positions, np.uint16),
        ids=np.asarray(each(ids32, changed), np.int32),
        pieces=tuple(draw(st.lists(pieces, min_size=changed, max_size=changed))),
        entropy=np.asarray(each(st.integers(0, 255)), np.uint8),
        states=np.asarray(each(st.sampled_from(list(CellState))), np.uint8),
        regions=np.asarray(each(st.sampled_from(list(Region))), np.uint8),
    )


closed = st.builds(CanvasClosed, counts, counts, st.booleans(), st.text(max_size=40), st.text(max_size=40))
events = opened() | steps() | closed


def plain(event: TraceEvent) -> dict[str, object]:
    """An event's fields, arrays as lists with their type, so that two can be compared."""
    named = {name: getattr(event, name) for name in type(event).__slots__}
    return {
        "kind": type(event).__name__,
        **{name: (str(one.dtype), one.tolist()) if isinstance(one, np.ndarray) else one for name, one in named.items()},
    }


@given(events)
def test_bytes_and_back(event: TraceEvent) -> None:
    assert plain(decode_event(encode_event(event))) == plain(event)


@given(steps())
def test_a_read_event_is_its_readers_own(event: StepDelta) -> None:
    data = encode_event(event)
    read = decode_event(data)
    assert isinstance(read, StepDelta)
    for array in (read.positions, read.ids, read.entropy, read.states, read.regions):
        assert array.flags.writeable
    assert decode_event(data) is not read


def test_a_step_stays_small() -> None:
    quiet = np.zeros(256, np.uint8)
    step = StepDelta(0, 1, 0.8, 20.0, np.zeros(0, np.uint16), np.zeros(0, np.int32), (), quiet, quiet, quiet)
    assert len(encode_event(step)) < 2 * 256 + 64


def readable(data: bytes) -> bool:
    """Whether it decodes; anything but a `ProtocolError` or an event that can be sent on is a failure."""
    try:
        event = decode_event(encode_event(decode_event(data)))  # numbers are rounded the first time
    except ProtocolError:
        return False
    assert plain(decode_event(encode_event(event))) == plain(event)
    return True


@given(st.binary(max_size=80))
def test_any_bytes_are_an_event_or_a_protocol_error(data: bytes) -> None:
    readable(data)


@given(events, st.data())
def test_a_damaged_event_is_an_event_or_a_protocol_error(event: TraceEvent, data: st.DataObject) -> None:
    good = bytearray(encode_event(event))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at] = data.draw(st.integers(0, 255))
    readable(bytes(good))


@given(events, st.data())
def test_a_cut_event_is_a_protocol_error(event: TraceEvent, data: st.DataObject) -> None:
    good = encode_event(event)
    size = data.draw(st.integers(0, len(good) - 1))
    assert not readable(good[:size])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
heads = st.lists(json_values, min_size=5, max_size=7) | json_values


def framed(kind: int, head: object, body: bytes) -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<BI", kind, len(text)) + text + body


@given(st.integers(0, 4), heads, st.binary(max_size=24))
def test_any_head_is_an_event_or_a_protocol_error(kind: int, head: object, body: bytes) -> None:
    readable(framed(kind, head, body))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        framed(9, [], b""),
        framed(1, [0, 1, 1, False, 10**30, []], b""),
        framed(1, [0, 1, 1, False, -1, []], b""),
        framed(1, [0, 1, 1, False, 1, ["a"]], b"\0\0\0"),
        framed(1, [0, 1, 1, False, 1, ["a"]], b"\0\0\0\0\0"),
        framed(1, ["0", 1, 1, False, 0, []], b""),
        framed(1, [0, 1, 1, False, 1, [1]], b"\0\0\0\0"),
        framed(2, [0, 1, 0.8, 1.0, 1, 1, []], b"\0" * 8),
        framed(2, [0, 1, None, 1.0, 0, 0, []], b""),
        framed(2, [0, 1, 0.8, 1.0, 10**30, 0, []], b""),
        framed(2, [0, 1, math.nan, 1.0, 0, 0, []], b""),
        framed(2, [0, 1, 10**400, 1.0, 0, 0, []], b""),
        framed(2, [0, 1, 0.8, 1.0, 0, 1, []], b"\x00\x04"),
        framed(2, [0, 1, 0.8, 1.0, 0, 1, []], b"\x00\x40"),
        framed(3, {"a": 1}, b""),
        framed(3, [None, 1, True, "a", "b"], b""),
        framed(3, [0, 1, True, 1, "b"], b""),
        framed(3, [0, 1, True, "a", "b"], b"more"),
        struct.pack("<BI", 3, 100_000) + b"[" * 100_000,
        struct.pack("<BI", 3, 5000) + b"9" * 5000,
        struct.pack("<BI", 3, 2**32 - 1) + b'[0,1,true,"a","b"]',
    ],
)
def test_hostile_bytes_are_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_event(data)


@given(st.lists(st.floats(0, 1e6) | st.just(math.inf), max_size=20))
def test_entropies_keep_their_size_in_a_byte(nats: list[float]) -> None:
    given_nats: NDArray[np.float64] = np.asarray(nats, np.float64)
    back = entropy_in_nats(quantise_entropy(given_nats))
    assert back.dtype == np.float32
    expected = np.minimum(given_nats, MAX_ENTROPY)
    # Half a step of the square-root scale.
    assert np.all(np.abs(np.sqrt(back) - np.sqrt(expected)) <= math.sqrt(MAX_ENTROPY) / 510 + 1e-5)
    assert np.array_equal(quantise_entropy(back), quantise_entropy(given_nats))


def step_of(length: int, positions: list[int], canvas: int = 0) -> StepDelta:
    cells = np.zeros(length, np.uint8)
    return StepDelta(
        canvas,
        1,
        0.8,
        1.0,
        np.asarray(positions, np.uint16),
        np.full(len(positions), 7, np.int32),
        tuple("x" for _ in positions),
        cells,
        cells,
        cells,
    )


def opening(length: int = 4) -> CanvasOpened:
    return CanvasOpened(0, 1, 8, np.arange(length, dtype=np.int32), tuple("abcd"[:length]))


def test_frames_follow_from_their_events() -> None:
    fold = CanvasFold()
    first = fold.apply(opening())
    assert (first.pieces, first.step, first.length) == (("a", "b", "c", "d"), 0, 4)
    second = fold.apply(step_of(4, [1, 3]))
    assert (second.pieces, second.ids.tolist()) == (("a", "x", "c", "x"), [0, 7, 2, 7])
    assert first.pieces == ("a", "b", "c", "d")
    assert first.ids.tolist() == [0, 1, 2, 3]
    last = fold.apply(CanvasClosed(0, 1, True, "answer", "thought"))
    assert (last.is_closed, last.is_settled, last.settled_count) == (True, True, 4)
    assert (fold.answer, fold.thought) == ("answer", "thought")


@pytest.mark.parametrize(
    "event",
    [step_of(5, []), step_of(3, []), step_of(4, [4]), step_of(4, [0], canvas=1), CanvasClosed(1, 1, True, "", "")],
)
def test_a_step_that_does_not_follow_is_refused(event: TraceEvent) -> None:
    fold = CanvasFold()
    fold.apply(opening())
    with pytest.raises(ProtocolError):
        fold.apply(event)


def test_a_step_before_any_canvas_is_refused() -> None:
    with pytest.raises(ProtocolError):
        CanvasFold().apply(step_of(4, []))


@given(st.lists(opened() | steps() | closed, max_size=6))
def test_any_events_fold_or_are_refused(given_events: list[TraceEvent]) -> None:
    fold = CanvasFold()
    for event in given_events:
        before = fold.frame
        try:
            frame = fold.apply(event)
        except ProtocolError:
            assert fold.frame is before
        else:
            assert len(frame.pieces) == frame.ids.size == frame.length
