"""From the store's rows to what widgets draw and what the engine is asked. Plain functions, no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from diffdesk.core.errors import EngineError, RecogniserError, StoreError, UserError
from diffdesk.core.events import AnswerState, Finished, FinishReason, RunStats
from diffdesk.core.messages import ImageRef, Message, MessageState, Role
from diffdesk.core.requests import TaskKind
from diffdesk.store import AttachmentRow, ConversationRow, MessageRow
from diffdesk.ui.views import ConversationView, ErrorView, ImageView, MessageView

NOT_SETTLED = (
    "Two canvases in a row didn't settle, so the answer stops here. A lower entropy bound or more steps may help."
)
ROOM_USED_UP = "The room for the answer is used up. Give it more canvases and try again."
UNSETTLED = "One canvas or more didn't settle: read the answer with care."
NO_CHANGES = "Nothing to correct was found."
STOPPED = "Stopped. Words that had not settled are left out."
HELD = (
    "Lines of which too much would have changed are left as they were read; put the image on the desk to decide them."
)
STOPPED_CORRECTION = "Stopped. What had not been reached is as it was."


def error_view(error: UserError) -> ErrorView:
    """A user error as widgets show it; a report only where one may be needed to find out what happened."""
    is_puzzling = isinstance(error, EngineError | RecogniserError | StoreError)
    return ErrorView(error.title, error.text, error.remedy, error.details if is_puzzling else "")


def local_time(seconds: float) -> datetime:
    """Seconds since 1970 as local time with its zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone()


def conversation_view(row: ConversationRow, snippet: str = "") -> ConversationView:
    """A row of the conversation list."""
    return ConversationView(row.id, row.title or "Untitled", row.place, local_time(row.updated), snippet)


def image_view(row: AttachmentRow, thumbnail: bytes = b"") -> ImageView:
    """An attachment as an image beside a message."""
    return ImageView(row.sha256, row.path, row.name, row.width, row.height, thumbnail)


def message_view(row: MessageRow) -> MessageView:
    """A message of the transcript."""
    is_correction = bool(row.draft) and row.state in (MessageState.COMPLETE, MessageState.STOPPED)
    # Where the program's own sentence stands in for an answer it is the message, not a remark below nothing.
    is_program = row.role is Role.ASSISTANT and row.state is MessageState.COMPLETE and not row.text
    return MessageView(
        id=row.id,
        role=row.role,
        text=row.note if is_program else row.text,
        created=local_time(row.created),
        state=row.state,
        thought=row.thought,
        images=tuple(image_view(one) for one in row.attachments),
        draft=row.draft if is_correction else "",
        note="" if is_program else row.note,
        figures=figures(row.stats) if row.stats else "",
        error=error_view(row.error) if row.error else None,
        version=row.version,
        versions=row.versions,
        has_trace=bool(row.stats and row.stats.steps) or row.state is MessageState.STOPPED,
        is_program=is_program,
    )


def with_thumbnails(view: MessageView, thumbnails: dict[str, bytes]) -> MessageView:
    """The same message with its images' thumbnails."""
    images = tuple(replace(one, thumbnail=thumbnails.get(one.key, one.thumbnail)) for one in view.images)
    return replace(view, images=images)


def figures(stats: RunStats) -> str:
    """A run's figures as one quiet line; empty if nothing was run."""
    if not stats.steps:
        return ""
    parts = [
        f"{stats.canvases} canvas{'es' if stats.canvases != 1 else ''}",
        f"{stats.steps} steps",
        f"{stats.milliseconds_per_step:,.0f} ms a step",
    ]
    if stats.tokens_per_second >= 0.05:
        parts.append(f"{stats.tokens_per_second:,.1f} tok/s")
    return " · ".join(parts)


def message_of(row: MessageRow) -> Message:
    """A stored message as one for the engine."""
    images = tuple(ImageRef(one.path, one.name) for one in row.attachments)
    return Message(row.role, row.text, images)


def history(rows: Sequence[MessageRow]) -> tuple[Message, ...]:
    """The messages of a branch that a model should see, without empty answers and the questions before them."""
    kept: list[Message] = []
    for row in rows:
        if row.role is Role.ASSISTANT and not row.text.strip():
            if kept and kept[-1].role is Role.USER:
                kept.pop()
            continue
        kept.append(message_of(row))
    return tuple(kept)


def stored_state(finished: Finished) -> MessageState:
    """What became of an answer, for the store."""
    if finished.reason is FinishReason.FAILED:
        return MessageState.FAILED
    if finished.reason is FinishReason.CANCELLED:
        return MessageState.STOPPED
    return {
        AnswerState.EMPTY: MessageState.EMPTY,
        AnswerState.THOUGHT_ONLY: MessageState.THOUGHT_ONLY,
    }.get(finished.state, MessageState.COMPLETE)


def closing_note(finished: Finished, kind: TaskKind, draft: str, note: str) -> str:
    """The program's own words below an answer: what was given, and what the end of the run means."""
    notes = [note, *finished.notes]
    is_held = any(one.is_held for one in finished.proposals)
    if is_held and not finished.notes:
        notes.append(HELD)
    if finished.reason is FinishReason.CANCELLED:
        notes.append(STOPPED if kind is TaskKind.CHAT else STOPPED_CORRECTION)
    elif finished.reason is FinishReason.NOT_SETTLED:
        notes.append(NOT_SETTLED)
    elif finished.reason is FinishReason.LENGTH:
        notes.append(ROOM_USED_UP)
    elif finished.stats.unsettled_canvases:
        notes.append(UNSETTLED)
    elif kind is TaskKind.CORRECT and finished.answer == draft and finished.stats.steps and not is_held:
        notes.append(NO_CHANGES)
    return " ".join(one for one in notes if one)
