"""Frames survive the pipe; anything else is refused and never trusted with memory."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.errors import EngineError, ProtocolError
from diffdesk.core.events import AnswerState, Finished, FinishReason, Prefilled, RunStats
from diffdesk.core.frames import Frame, encode_frame, read_frame
from diffdesk.core.trace import CanvasClosed
from diffdesk.engine.messages import event_to_frame, frame_to_event

HEADS = st.dictionaries(st.text(max_size=9).filter(lambda key: key != "kind"), st.text(max_size=9))


@given(st.text(max_size=50), HEADS)
def test_a_frame_comes_back(kind: str, head: dict[str, str]) -> None:
    frame = Frame(kind, {**head}, b"\x00\x01body")
    assert read_frame(io.BytesIO(encode_frame(frame))) == frame


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused(data: bytes) -> None:
    # Two hundred bytes at random are cut short or no frame; they never become one.
    with contextlib.suppress(ProtocolError):
        assert read_frame(io.BytesIO(data)) is None


def test_a_length_beyond_reason_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError):
        read_frame(io.BytesIO(struct.pack("<2sBBII", b"DD", 1, 0, 2**31, 0)))


def test_a_frame_that_is_cut_short_is_the_end() -> None:
    assert read_frame(io.BytesIO(encode_frame(Frame("hello", {}, b"12345"))[:-2])) is None


@pytest.mark.parametrize(
    "event",
    [
        Prefilled(3, 9, 1),
        CanvasClosed(1, 14, True, "an answer", "a thought"),
        Finished(
            FinishReason.LENGTH,
            RunStats(steps=7, milliseconds_per_step=1.5, seed=3),
            "a",
            "t",
            AnswerState.EMPTY,
            ("note",),
        ),
    ],
)
def test_an_event_comes_back(event: Prefilled | CanvasClosed | Finished) -> None:
    assert frame_to_event(event_to_frame(event)) == event


def test_an_error_keeps_its_class_and_words() -> None:
    error = EngineError("Title", "Text.", "Remedy.", "details")
    event = frame_to_event(event_to_frame(Finished(FinishReason.FAILED, RunStats(), error=error)))
    assert isinstance(event, Finished)
    assert isinstance(event.error, EngineError)
    assert event.error.to_wire() == error.to_wire()
