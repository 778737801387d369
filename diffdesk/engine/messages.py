"""Run events as frames and back: the only place that knows both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from diffdesk.core.errors import ProtocolError, UserError
from diffdesk.core.events import AnswerState, Finished, FinishReason, Prefilled, RunEvent, RunStats
from diffdesk.core.frames import Frame
from diffdesk.core.proposals import Doubt, Proposal
from diffdesk.core.requests import ModelInfo
from diffdesk.core.trace import decode_event, encode_event

TRACE, PREFILLED, FINISHED = "trace", "prefilled", "finished"


def event_to_frame(event: RunEvent) -> Frame:
    """The frame that carries `event`."""
    if isinstance(event, Prefilled):
        return Frame(PREFILLED, {"done": event.done, "total": event.total, "reused": event.reused})
    if isinstance(event, Finished):
        return Frame(
            FINISHED,
            {
                "reason": event.reason.value,
                "stats": event.stats.to_json(),
                "answer": event.answer,
                "thought": event.thought,
                "state": event.state.value,
                "notes": list(event.notes),
                "error": event.error.to_wire() if event.error else None,
                "proposals": [one.to_json() for one in event.proposals],
                "doubts": [one.to_json() for one in event.doubts],
            },
        )
    return Frame(TRACE, {}, encode_event(event))


def frame_to_event(frame: Frame) -> RunEvent | None:
    """The event in `frame`; None if it is a frame of another kind."""
    head = frame.head
    if frame.kind == TRACE:
        return decode_event(frame.body)
    if frame.kind == PREFILLED:
        return Prefilled(int(str(head["done"])), int(str(head["total"])), int(str(head["reused"])))
    if frame.kind == FINISHED:
        error = error_in(head)
        notes = head.get("notes")
        return Finished(
            FinishReason(str(head["reason"])),
            RunStats.from_json(cast("Mapping[str, object]", head["stats"])),
            str(head["answer"]),
            str(head["thought"]),
            AnswerState(str(head["state"])),
            tuple(str(one) for one in notes) if isinstance(notes, list) else (),
            error,
            tuple(Proposal.from_json(one) for one in _objects(head.get("proposals"))),
            tuple(Doubt.from_json(one) for one in _objects(head.get("doubts"))),
        )
    return None


def _objects(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list):
        raise ProtocolError("what should be a list of objects is none")
    return [one for one in value if isinstance(one, Mapping)]


def error_in(head: Mapping[str, object]) -> UserError | None:
    """The user error that a frame's head carries under ``error``, if any."""
    wire = head.get("error")
    if wire is None:
        return None
    if not isinstance(wire, Mapping):
        raise ProtocolError("an error that is no object")
    return UserError.from_wire({str(key): str(value) for key, value in wire.items()})


def info_in(head: Mapping[str, object]) -> ModelInfo:
    """The model info in a ``ready`` frame."""
    return ModelInfo.from_json(cast("Mapping[str, object]", head["info"]))
