"""Ten thousand messages: the figures are printed (``pytest -s``), what is asserted is that the answers are right."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.requests import TaskKind
from diffdesk.store import Store
from tests.unit.store.samples import make_run

T = TypeVar("T")
CONVERSATIONS, EACH = 200, 50


def timed(what: str, call: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = call()
    print(f"{what:48} {1000 * (time.perf_counter() - start):8.1f} ms")
    return result


def fill(store: Store) -> int:
    """Messages of made-up words with a Zipf-like share, one of them with a rare word; its id."""
    chance = random.Random(5)
    words = [f"{start}{end}" for start in ("ka", "lo", "mi", "ne", "su") for end in map(str, range(200))]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    rare = 0
    # The disk need not follow here: what is measured comes later.
    store.database.connection.execute("PRAGMA synchronous = OFF")
    for number in range(CONVERSATIONS):
        conversation = store.new_conversation(TaskKind.CHAT).id
        parent: int | None = None
        for turn in range(EACH):
            text = " ".join(chance.choices(words, weights, k=80))
            is_rare = (number, turn) == (77, 7)
            role = Role.ASSISTANT if turn % 2 else Role.USER
            row = store.add_message(conversation, role, text + " xylophone" * is_rare, parent_id=parent)
            parent = row.id
            rare = row.id if is_rare else rare
    store.database.connection.execute("PRAGMA synchronous = FULL")
    return rare


def test_ten_thousand_messages(tmp_path: Path) -> None:
    print()
    with Store.open(tmp_path) as store:
        rare = timed("10,000 messages written (without the disk)", lambda: fill(store))
        listed = timed("list, first 100", store.conversations)
        assert len(listed) == 100
        assert len(timed("list, filtered by a rare word", lambda: store.conversations(query="xylo"))) == 1
        assert len(timed("list, filtered by a common word", lambda: store.conversations(query="ka0"))) == 100
        assert len(timed("a conversation of 50 messages", lambda: store.branch(listed[0].id))) == EACH
        assert [one.message_id for one in timed("search, rare word", lambda: store.search("xylophone"))] == [rare]
        assert len(timed("search, a word in every message", lambda: store.search("ka0"))) == 50
        assert len(timed("search, one letter", lambda: store.search("k"))) == 50
        assert timed("search, two words and a phrase", lambda: store.search('ka0 lo1 "mi2 ka1"')) != []
        assert timed("search, script without spaces", lambda: store.search("漢字")) == []
        question = timed(
            "a message sent, on the disk",
            lambda: store.add_message(listed[0].id, Role.USER, "and then?", parent_id=listed[0].leaf),
        )
        answer = store.add_message(
            listed[0].id, Role.ASSISTANT, "", parent_id=question.id, state=MessageState.STREAMING
        )
        events = make_run(steps=48, length=256)
        timed("progress of 24 steps saved, on the disk", lambda: store.save_progress(answer.id, "x", "", events[:25]))
        timed("the answer finished", lambda: store.finish_message(answer.id, MessageState.COMPLETE, "x"))
        assert len(timed("its recording read", lambda: store.trace(answer.id))) == 25
        assert timed("full integrity check", store.integrity) == "ok"
        print(f"{'the file':48} {store.database.path.stat().st_size / 2**20:8.1f} MiB")
    timed("opened again, checked", lambda: Store.open(tmp_path)).close()
