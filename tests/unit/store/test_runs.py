"""Recordings: saved in pieces, packed, replayed, and what a killed program leaves."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.errors import ProtocolError, StoreError
from diffdesk.core.events import RunStats
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import TaskKind
from diffdesk.core.trace import CanvasFold, TraceEvent, encode_event
from diffdesk.store import Store
from diffdesk.store.runs import ENDED_EARLY, pack, unpack
from tests.unit.store.samples import make_run


def streaming(store: Store) -> int:
    conversation = store.new_conversation(TaskKind.CHAT).id
    question = store.add_message(conversation, Role.USER, "why?", parent_id=None)
    return store.add_message(
        conversation,
        Role.ASSISTANT,
        "",
        parent_id=question.id,
        state=MessageState.STREAMING,
        parameters=GenerationParameters(seed=5),
    ).id


def encoded(events: Sequence[TraceEvent]) -> list[bytes]:
    return [encode_event(event) for event in events]


def test_a_recording_can_be_replayed_at_any_time(store: Store) -> None:
    events = make_run(steps=12, length=64, canvases=3)
    message = streaming(store)
    assert store.trace(message) == []
    assert store.run(message) is None
    for start in range(0, len(events) - 4, 5):
        store.save_progress(message, f"text {start}", "hm", events[start : start + 5])
        assert encoded(store.trace(message)) == encoded(events[: start + 5])
    rest = len(store.trace(message))
    stats = RunStats(steps=36)
    row = store.finish_message(
        message, MessageState.COMPLETE, "done", "hm", stats=stats, trace_events_appended=events[rest:]
    )
    assert (row.text, row.thought, row.state, row.stats) == ("done", "hm", MessageState.COMPLETE, stats)
    assert encoded(store.trace(message)) == encoded(events)
    run = store.run(message)
    assert run is not None
    assert (run.canvases, run.steps, run.stats, run.parameters) == (3, 36, stats, GenerationParameters(seed=5))
    with store.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM run_chunks").fetchone()[0] == 0


def test_a_message_that_is_finished_takes_no_more_progress(store: Store) -> None:
    message = streaming(store)
    store.finish_message(message, MessageState.STOPPED, "half")
    with pytest.raises(ValueError, match="stopped"):
        store.save_progress(message, "more", "", [])
    assert store.message(message).text == "half"
    with pytest.raises(LookupError):
        store.save_progress(999, "", "", [])


@given(length=st.integers(1, 300), steps=st.integers(1, 6), canvases=st.integers(1, 3), seed=st.integers(0, 99))
def test_packed_events_come_back(length: int, steps: int, canvases: int, seed: int) -> None:
    events = make_run(steps, length, canvases, seed)
    assert encoded(unpack(pack(events))) == encoded(events)


def test_a_recording_that_was_cut_is_told_from_a_whole_one() -> None:
    whole = pack(make_run(steps=2, length=8))
    ends = {0}
    for event in make_run(steps=2, length=8):
        ends.add(max(ends) + 4 + len(encode_event(event)))
    for size in range(len(whole)):
        if size in ends:
            assert pack(unpack(whole[:size])) == whole[:size]
        else:
            with pytest.raises(ProtocolError):
                unpack(whole[:size])


def test_a_broken_recording_costs_the_replay_and_not_the_text(store: Store) -> None:
    message = streaming(store)
    store.finish_message(message, MessageState.COMPLETE, "kept", trace_events_appended=make_run(4, 16))
    for blob in (
        b"no zlib",
        zlib.compress(b"\x05\x00\x00\x00ab"),
        zlib.compress(b"\x05\x00\x00\x00\x09\x00\x00\x00\x00"),
    ):
        with store.database.write() as connection:
            connection.execute("UPDATE runs SET trace = ?", (blob,))
        with pytest.raises(StoreError) as caught:
            store.trace(message)
        assert "text is kept" in caught.value.text
    assert store.message(message).text == "kept"


def test_an_answer_left_streaming_is_stopped_with_its_last_text(tmp_path: Path) -> None:
    events = make_run(steps=3, length=8)
    with Store.open(tmp_path) as store:
        message = streaming(store)
        text = "All that was on the screen, and a little more than the recording holds. " * 3
        store.save_progress(message, text, "thought", events[:2])
    with Store.open(tmp_path) as store:
        assert store.recovered == (message,)
        row = store.message(message)
        assert (row.state, row.text, row.thought) == (MessageState.STOPPED, text, "thought")
        assert row.note == ENDED_EARLY
        assert encoded(store.trace(message)) == encoded(events[:2])
        assert [hit.message_id for hit in store.search("screen")] == [message]
    with Store.open(tmp_path) as store:
        assert store.recovered == ()


def test_text_that_lags_is_taken_from_the_recording(tmp_path: Path) -> None:
    events = make_run(steps=3, length=40, canvases=3)
    second_closed = 10  # events of two whole canvases
    fold = CanvasFold()
    for event in events[:second_closed]:
        fold.apply(event)
    with Store.open(tmp_path) as store:
        committed, in_noise, settled = streaming(store), streaming(store), streaming(store)
        store.save_progress(committed, "short", "", events[:second_closed])
        store.save_progress(in_noise, "", "", events[: second_closed + 1])
        store.save_progress(settled, "", "", events[:4])
    with Store.open(tmp_path) as store:
        assert store.recovered == (committed, in_noise, settled)
        assert store.message(committed).text == fold.answer
        assert store.message(in_noise).text == fold.answer
        draft = CanvasFold()
        frame = [draft.apply(event) for event in events[:4]][-1]
        assert 2 * frame.settled_count >= frame.length
        assert store.message(settled).text == frame.text()


def test_a_broken_recording_does_not_keep_the_program_from_starting(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        message = streaming(store)
        orphan = streaming(store)
        store.save_progress(message, "what was there", "", make_run(2, 8)[:2])
        store.save_progress(orphan, "a step before its canvas", "", make_run(2, 8)[1:2])
        with store.database.write() as connection:
            connection.execute(
                "UPDATE run_chunks SET blob = x'00' WHERE run_id = (SELECT id FROM runs WHERE message_id = ?)",
                (message,),
            )
    with Store.open(tmp_path) as store:
        assert store.recovered == (message, orphan)
        assert store.message(message).text == "what was there"
        assert store.message(orphan).text == "a step before its canvas"
        assert store.message(message).state is MessageState.STOPPED


def test_progress_costs_what_is_new_and_not_what_is_there(store: Store) -> None:
    message = streaming(store)
    events = make_run(steps=48, length=256, canvases=4)
    changed: list[int] = []
    for start in range(0, len(events), 10):
        with store.database.read() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        store.save_progress(message, "", "", events[start : start + 10])
        changed.append(store.database.path.with_name("conversations.sqlite3-wal").stat().st_size)
    assert max(changed[10:]) <= 2 * max(changed[:10])


def test_the_size_of_a_recording(store: Store) -> None:
    events = make_run(steps=48, length=256)
    message = streaming(store)
    store.finish_message(message, MessageState.COMPLETE, "x", trace_events_appended=events)
    run = store.run(message)
    assert run is not None
    raw = sum(len(one) for one in encoded(events))
    print(f"\na run of 48 steps of 256 positions: {raw:,} bytes of events, {run.trace_bytes:,} in the file")
    assert 0 < run.trace_bytes < raw
