"""Recordings of runs: written in pieces while an answer grows, packed into one when it ends, read back for a replay.

A recording is the events of `core.trace`, each as its bytes behind a length (u32, little-endian), compressed with
zlib. Saving progress only ever appends a piece, so its cost doesn't grow with the answer.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from diffdesk.core.errors import ProtocolError, StoreError
from diffdesk.core.messages import MessageState
from diffdesk.core.trace import CanvasFold, CanvasOpened, Region, StepDelta, TraceEvent, decode_event, encode_event
from diffdesk.store import messages
from diffdesk.store.database import Database
from diffdesk.store.messages import Change
from diffdesk.store.rows import RunRow

ENDED_EARLY = "DiffDesk ended before this answer was finished."
_LENGTH = struct.Struct("<I")


def save_progress(database: Database, message_id: int, text: str, thought: str, events: Sequence[TraceEvent]) -> None:
    """Keep how far a streaming message has come: all of its text, and the events since the last call.

    Raises `ValueError` if the message isn't streaming (any more), `LookupError` if there is none.
    """
    with database.write() as connection:
        row = connection.execute("SELECT state FROM messages WHERE id = ?", (message_id,)).fetchone()
        if row is not None and row[0] != MessageState.STREAMING:
            raise ValueError(f"message {message_id} is {row[0]}: its progress can't be saved")
        messages.apply(connection, message_id, Change(text=text, thought=thought))
        _append(connection, message_id, events)


def finish(database: Database, message_id: int, change: Change, events: Sequence[TraceEvent] = ()) -> None:
    """The last word on a message: `change` must hold its state; the pieces of its recording become one."""
    with database.write() as connection:
        messages.apply(connection, message_id, change)
        _append(connection, message_id, events)
        _compact(connection, message_id)
        connection.execute(
            "UPDATE runs SET stats = (SELECT stats FROM messages WHERE id = message_id) WHERE message_id = ?",
            (message_id,),
        )


def trace(database: Database, message_id: int) -> list[TraceEvent]:
    """The recording of a message as far as it was saved; empty if there is none.

    Raises `StoreError` if the recording is broken or of a newer kind.
    """
    with database.read() as connection:
        pieces = _pieces(connection, message_id)
    try:
        return unpack(b"".join(zlib.decompress(one) for one in pieces))
    except (zlib.error, ProtocolError) as error:
        raise StoreError(
            "The recording of this answer can't be read",
            "Its text is kept; only the replay of its steps is lost.",
            "If another version of DiffDesk wrote it, that version can replay it.",
            str(error),
        ) from error


def one(database: Database, message_id: int) -> RunRow | None:
    """What is known of the run that wrote a message; None if none was recorded."""
    with database.read() as connection:
        row = connection.execute(
            """SELECT r.*, coalesce(length(r.trace), 0)
                + (SELECT coalesce(sum(length(blob)), 0) FROM run_chunks WHERE run_id = r.id) AS trace_bytes
            FROM runs r WHERE message_id = ?""",
            (message_id,),
        ).fetchone()
    if row is None:
        return None
    return RunRow(
        message_id=message_id,
        canvases=row["canvases"],
        steps=row["steps"],
        trace_bytes=row["trace_bytes"],
        stats=messages.read_stats(row["stats"]),
        parameters=messages.read_parameters(row["parameters"]),
    )


def recover(database: Database) -> list[int]:
    """Turn messages that a killed program left streaming into stopped ones with their last saved text; which."""
    with database.read() as connection:
        rows = connection.execute("SELECT id, text, thought FROM messages WHERE state = 'streaming'").fetchall()
    for row in rows:
        change = Change(row["text"], row["thought"], MessageState.STOPPED, ENDED_EARLY)
        try:
            events = trace(database, row["id"])
            finish(database, row["id"], _caught_up(change, events))
        except (StoreError, ProtocolError):
            # A broken recording must not cost the text, nor keep the program from starting.
            messages.update(database, row["id"], change)
    return [int(row["id"]) for row in rows]


def pack(events: Iterable[TraceEvent]) -> bytes:
    """Events as length-prefixed bytes, not compressed; `unpack` reads them back."""
    encoded = [encode_event(event) for event in events]
    return b"".join(_LENGTH.pack(len(one)) + one for one in encoded)


def unpack(data: bytes) -> list[TraceEvent]:
    """The events that `pack` wrote; raises `ProtocolError` for anything else."""
    events: list[TraceEvent] = []
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ProtocolError("a recording ends within a length")
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + size > len(data):
            raise ProtocolError("a recording ends within an event")
        events.append(decode_event(data[at : at + size]))
        at += size
    return events


def _append(connection: sqlite3.Connection, message_id: int, events: Sequence[TraceEvent]) -> None:
    if not events:
        return
    connection.execute(
        "INSERT INTO runs (message_id, parameters) SELECT id, parameters FROM messages WHERE id = ?"
        " ON CONFLICT (message_id) DO NOTHING",
        (message_id,),
    )
    run_id = connection.execute("SELECT id FROM runs WHERE message_id = ?", (message_id,)).fetchone()[0]
    connection.execute(
        "INSERT INTO run_chunks (run_id, seq, blob)"
        " SELECT ?, coalesce(max(seq), 0) + 1, ? FROM run_chunks WHERE run_id = ?",
        (run_id, zlib.compress(pack(events), 1), run_id),
    )
    canvases = sum(isinstance(event, CanvasOpened) for event in events)
    steps = sum(isinstance(event, StepDelta) for event in events)
    connection.execute(
        "UPDATE runs SET canvases = canvases + ?, steps = steps + ? WHERE id = ?", (canvases, steps, run_id)
    )


def _compact(connection: sqlite3.Connection, message_id: int) -> None:
    row = connection.execute("SELECT id FROM runs WHERE message_id = ?", (message_id,)).fetchone()
    if row is None:
        return
    try:
        whole = b"".join(zlib.decompress(one) for one in _pieces(connection, message_id))
    except zlib.error:
        return  # a broken piece stays as it is: the answer that is being finished matters more
    connection.execute("UPDATE runs SET trace = ? WHERE id = ?", (zlib.compress(whole, 6), row[0]))
    connection.execute("DELETE FROM run_chunks WHERE run_id = ?", (row[0],))


def _pieces(connection: sqlite3.Connection, message_id: int) -> list[bytes]:
    """The compressed pieces of a recording in order: what was packed, then what came since."""
    row = connection.execute("SELECT id, trace FROM runs WHERE message_id = ?", (message_id,)).fetchone()
    if row is None:
        return []
    chunks = connection.execute("SELECT blob FROM run_chunks WHERE run_id = ? ORDER BY seq", (row[0],))
    return ([] if row[1] is None else [bytes(row[1])]) + [bytes(chunk[0]) for chunk in chunks]


def _caught_up(change: Change, events: Sequence[TraceEvent]) -> Change:
    """`change` with the text that the recording holds, where it holds more than was saved as text."""
    fold = CanvasFold()
    for event in events:
        fold.apply(event)
    answer, thought = fold.answer, fold.thought
    frame = fold.frame
    # An open canvas that is mostly noise would read as gibberish; the replay still shows it.
    if frame is not None and not frame.is_closed and 2 * frame.settled_count >= frame.length:
        answer += frame.text(Region.ANSWER)
        thought += frame.text(Region.THOUGHT)
    text = change.text or ""
    if len(text) >= max(len(fold.answer), 1):
        answer = text
    if len(change.thought or "") >= max(len(fold.thought), 1):
        thought = change.thought or ""
    return replace(change, text=answer, thought=thought)
