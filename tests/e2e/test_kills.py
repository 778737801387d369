"""Kill -9 at random moments: whatever the window has shown as sent or committed is there afterwards.

The number of kills comes from DIFFDESK_KILLS (of the whole program) and DIFFDESK_ENGINE_KILLS; the defaults are
small, so that the suite stays short. The full storm:

    DIFFDESK_KILLS=100 DIFFDESK_ENGINE_KILLS=50 python3 packaging/dev.py exec python -m pytest tests/e2e/test_kills.py
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from diffdesk.core.messages import MessageState
from diffdesk.store import Store

KILLS = int(os.environ.get("DIFFDESK_KILLS", "4"))
ENGINE_KILLS = int(os.environ.get("DIFFDESK_ENGINE_KILLS", "3"))
SEED = int(os.environ.get("DIFFDESK_KILL_SEED", "20261123"))
PATIENCE = 240.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on Windows")


class Typing:
    """A typist, or another program that says what it shows, at work in a process of its own."""

    def __init__(
        self,
        profile: Path,
        patience: float = PATIENCE,
        *,
        module: str = "tests.e2e.typist",
        arguments: Sequence[str] = (),
    ) -> None:
        self._errors = (profile / "typist.log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(profile), *arguments],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        )
        self._watchdog = threading.Timer(patience, self._process.kill)
        self._watchdog.start()

    def next(self) -> dict[str, object]:
        """The next thing it says; fails the test if it has died."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            pytest.fail(f"the program ended: {self._log[-3000:]}")
        said = json.loads(line)
        assert isinstance(said, dict)
        return said

    def kill(self) -> list[dict[str, object]]:
        """Kill it with everything it started; what it had said and nobody had read."""
        children: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGKILL)
        rest, _ = self._process.communicate()
        self._watchdog.cancel()
        self._errors.seek(0)
        self._log = self._errors.read()
        self._errors.close()
        psutil.wait_procs(children, timeout=30)  # the engine ends by itself when its pipe does
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
        return [json.loads(line) for line in rest.splitlines() if line.endswith("}")]


def check(profile: Path, said: list[dict[str, object]]) -> None:
    """Everything that was shown is in the store, and the store is whole."""
    with Store.open(profile) as store:
        assert store.integrity() == "ok"
        for one in said:
            if "sent" in one:
                answer = store.message(int(str(one["sent"])))
                assert answer.parent_id is not None
                assert store.message(answer.parent_id).text == one["text"]
                assert answer.state is not MessageState.STREAMING
            if "committed" in one:
                message = store.message(int(str(one["committed"])))
                assert message.text.startswith(str(one["answer"]).rstrip())
            if "ended" in one:
                assert store.message(int(str(one["ended"]))).text == one["text"]


def test_kills_of_the_whole_program(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    sent = committed = 0
    for _ in range(KILLS):
        typing = Typing(tmp_path)
        said: list[dict[str, object]] = []
        until = chance.randint(3, 9)
        while len(said) < until:
            said.append(typing.next())
        said += typing.kill()
        check(tmp_path, said)
        sent += sum("sent" in one for one in said)
        committed += sum("committed" in one for one in said)
    print(f"\n{KILLS} kills of the program: {sent} questions and {committed} canvases, all kept")
    assert sent >= KILLS // 2


def test_kills_of_the_engine(tmp_path: Path) -> None:
    chance = random.Random(SEED + 1)
    typing = Typing(tmp_path, PATIENCE + 30 * ENGINE_KILLS)
    said: list[dict[str, object]] = []
    engine: object = None
    kills = failures = 0
    until = 0
    while failures < ENGINE_KILLS:  # a kill may come when the answer is done already, which is no failure
        one = typing.next()
        said.append(one)
        engine = one.get("engine", engine)
        failures += one.get("state") == "failed"
        if "sent" in one:
            until = chance.randint(0, 2)
        if isinstance(engine, int) and ("committed" in one or "sent" in one):
            if until == 0 and psutil.pid_exists(engine):
                os.kill(engine, signal.SIGKILL)
                kills += 1
            until -= 1
    said += typing.kill()
    check(tmp_path, said)
    with Store.open(tmp_path) as store:
        failed = [store.message(int(str(one["ended"]))) for one in said if one.get("state") == "failed"]
        titles = [row.error.title if row.error else f"no error: {row.note}" for row in failed]
    assert set(titles) == {"The engine was killed"}, titles
    print(f"\n{kills} kills of the engine: {failures} answers failed with a message, everything else kept")
