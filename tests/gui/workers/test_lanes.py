"""The store's lane and the pool: in order, off the window's thread, every task ends once."""

from __future__ import annotations

import threading
from pathlib import Path

from pytestqt.qtbot import QtBot

from diffdesk.core.errors import Cancelled, StoreError, UserError
from diffdesk.core.requests import TaskKind
from diffdesk.store import Store
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.instance import SingleInstance
from diffdesk.workers.relay import Relay
from diffdesk.workers.store_lane import StoreLane


def test_the_store_works_in_order_on_its_own_thread(qtbot: QtBot, tmp_path: Path) -> None:
    lane = StoreLane(tmp_path, Relay())
    ids: list[int] = []
    threads: set[int] = set()

    def work(store: Store) -> int:
        threads.add(threading.get_ident())
        return store.new_conversation(TaskKind.CHAT, "one").id

    for _ in range(5):
        lane.submit(work, ids.append)
    qtbot.waitUntil(lambda: len(ids) == 5, timeout=10_000)
    lane.close()
    assert ids == sorted(ids)
    assert threading.get_ident() not in threads


def test_what_was_asked_before_the_end_is_still_done(tmp_path: Path, qtbot: QtBot) -> None:
    lane = StoreLane(tmp_path, Relay())
    lane.submit(lambda store: store.set_state("last", "word"))
    lane.close()
    with Store.open(tmp_path) as store:
        assert store.state("last", "") == "word"


def test_a_store_that_cant_be_opened_fails_each_request_with_a_remedy(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    relay = Relay()
    lane = StoreLane(tmp_path / "file", relay)
    errors: list[UserError] = []
    lane.submit(lambda store: store.integrity(), None, errors.append)
    relay.failed.connect(errors.append)
    lane.submit(lambda store: store.integrity())
    qtbot.waitUntil(lambda: len(errors) == 2, timeout=10_000)
    lane.close()
    assert all(isinstance(error, StoreError) and error.remedy for error in errors)


def test_a_task_of_the_pool_ends_once_returned_failed_cancelled_or_broken(qtbot: QtBot) -> None:
    relay = Relay()
    pool = FilePool(relay)
    ends: list[object] = []
    bugs: list[Exception] = []
    relay.broke.connect(bugs.append)

    def fail() -> None:
        raise UserError("Title", "Text.")

    def cancel() -> None:
        raise Cancelled

    def break_down() -> None:
        raise ZeroDivisionError

    pool.submit(lambda: 7, ends.append, ends.append)
    pool.submit(fail, ends.append, ends.append)
    pool.submit(cancel, ends.append, ends.append)
    pool.submit(break_down, ends.append, ends.append)
    qtbot.waitUntil(lambda: len(ends) == 2 and len(bugs) == 1, timeout=10_000)
    pool.close()
    assert 7 in ends
    assert sum(isinstance(end, UserError) for end in ends) == 1
    assert isinstance(bugs[0], ZeroDivisionError)


def test_one_window_for_one_profile(qtbot: QtBot, tmp_path: Path) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    with qtbot.waitSignal(first.raised, timeout=5000):
        second.ask_other()
    first.release()
    assert second.acquire()
    second.release()
