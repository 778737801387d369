"""The throttle hands on the newest value, drops older ones, and always delivers the last."""

from __future__ import annotations

import threading

from pytestqt.qtbot import QtBot

from diffdesk.workers.throttle import NewestWins


def test_the_newest_of_a_burst_arrives_in_the_window_s_thread(qtbot: QtBot) -> None:
    throttle = NewestWins()
    arrived: list[object] = []
    threads: set[int] = set()

    def take(value: object) -> None:
        arrived.append(value)
        threads.add(threading.get_ident())

    throttle.arrived.connect(take)

    def pour() -> None:
        for value in range(5000):
            throttle.offer(value)

    source = threading.Thread(target=pour)
    source.start()
    qtbot.waitUntil(lambda: arrived[-1:] == [4999], timeout=10_000)
    source.join()
    assert arrived == sorted(arrived, key=lambda value: int(str(value)))
    assert len(arrived) < 5000
    assert throttle.delivered == len(arrived)
    assert threads == {threading.get_ident()}


def test_flush_delivers_at_once_and_clear_forgets(qtbot: QtBot) -> None:
    throttle = NewestWins(interval=60_000)
    arrived: list[object] = []
    throttle.arrived.connect(arrived.append)
    throttle.offer("first")
    qtbot.waitUntil(lambda: arrived == ["first"], timeout=5000)
    throttle.offer("second")
    throttle.flush()
    assert arrived == ["first", "second"]
    throttle.offer("third")
    throttle.clear()
    throttle.flush()
    assert arrived == ["first", "second"]
