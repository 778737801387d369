"""Killed at random moments: whatever a call returned for is there afterwards.

``DIFFDESK_KILLS`` sets how often (10 by default).
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from diffdesk.core.messages import MessageState
from diffdesk.store import Store

KILLS = int(os.environ.get("DIFFDESK_KILLS", "10"))
LONGEST_LIFE = 0.5  # seconds
ROOT = Path(__file__).parents[3]


@dataclass
class Promises:
    """What the child said was on the disk."""

    conversations: set[int] = field(default_factory=set)
    attachments: set[str] = field(default_factory=set)
    sent: dict[int, tuple[str, str]] = field(default_factory=dict)
    progress: dict[int, tuple[int, str]] = field(default_factory=dict)
    finished: dict[int, tuple[int, str]] = field(default_factory=dict)
    owner: dict[int, int] = field(default_factory=dict)
    leaving: set[int] = field(default_factory=set)
    purged: set[int] = field(default_factory=set)
    turn: int = -1
    conversation: int = 0

    def hear(self, line: str) -> None:
        what, _, rest = line.partition(" ")
        if what == "conversation":
            self.conversation = int(rest)
            self.conversations.add(self.conversation)
        elif what == "attachment":
            self.attachments.add(rest)
        elif what == "sent":
            number, sha256, text = rest.split(" ", 2)
            self.sent[int(number)] = (sha256, text)
            self.owner[int(number)] = self.conversation
        elif what == "streaming":
            self.progress[int(rest)] = (0, "")
            self.owner[int(rest)] = self.conversation
        elif what in ("progress", "finished"):
            number, events, text = rest.split(" ", 2)
            (self.progress if what == "progress" else self.finished)[int(number)] = (int(events), text)
        elif what == "state":
            self.turn = int(rest)
        elif what == "leaving":
            self.leaving.add(int(rest))
        elif what == "purged":
            self.purged.add(int(rest))
        elif what != "opening":
            raise AssertionError(f"the child said {line!r}")

    def is_kept(self, message: int) -> bool:
        """Whether it must be there: its conversation was not about to be deleted."""
        return self.owner[message] not in self.leaving


def run_and_kill(folder: Path, seed: int, chance: random.Random) -> list[str]:
    """What a child said until it was killed, whole lines only."""
    command = [sys.executable, "-m", "tests.unit.store.kill_child", str(folder), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline()]  # from here on it works, first at opening what the last one left
        killer = threading.Timer(chance.random() * LONGEST_LIFE, child.kill)
        killer.start()
        lines += child.stdout.readlines()
        killer.join()
    assert child.returncode not in (0, 1), "the child ended by itself"
    return [line.rstrip("\n") for line in lines if line.endswith("\n")]


def check(store: Store, promised: Promises) -> None:
    """Everything that was promised is there."""
    assert store.integrity() == "ok"
    shown = {one.id for one in store.conversations(limit=10**6)}
    assert promised.conversations - promised.leaving <= shown
    assert not promised.purged & shown
    for number, (sha256, text) in promised.sent.items():
        if promised.is_kept(number):
            row = store.message(number)
            assert (row.text, row.state) == (text, MessageState.SENT)
            assert [one.sha256 for one in row.attachments] == [sha256]
            assert hashlib.sha256(row.attachments[0].path.read_bytes()).hexdigest() == sha256
    for number, (events, text) in (promised.progress | promised.finished).items():
        if promised.is_kept(number):
            row = store.message(number)
            assert row.state is not MessageState.STREAMING
            assert len(store.trace(number)) >= events
            assert len(row.text) >= len(text)
            if number in promised.finished:
                assert (row.text, row.state) == (text, MessageState.COMPLETE)


def test_what_was_said_to_be_kept_survives_kills(tmp_path: Path) -> None:
    chance = random.Random(11)
    promised = Promises()
    for kill in range(KILLS):
        promised.turn = -1
        for line in run_and_kill(tmp_path, kill, chance):
            promised.hear(line)
        with Store.open(tmp_path) as store:
            check(store, promised)
            assert promised.turn == -1 or store.state("turn", -1) >= promised.turn
    assert promised.sent
    assert promised.progress
    print(
        f"\n{KILLS} kills: {len(promised.sent)} sent, {len(promised.progress)} begun, {len(promised.finished)} finished"
    )
