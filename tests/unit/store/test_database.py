"""The file: what can be wrong with it, what is said then, and that nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from diffdesk.core.errors import StoreError
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.requests import TaskKind
from diffdesk.store import DamagedStoreError, NewerStoreError, Store, set_aside
from diffdesk.store.database import FILE_NAME
from diffdesk.store.migrations import LATEST
from tests.unit.store.samples import make_run


def fill(folder: Path, count: int = 50) -> None:
    """A store with some megabytes of content, closed."""
    with Store.open(folder) as store:
        conversation = store.new_conversation(TaskKind.CHAT).id
        store.add_attachment(b"image", ".png")
        for number in range(count):
            store.add_message(conversation, Role.USER, f"message {number} " * 200, parent_id=None)


def test_the_promised_settings_hold(store: Store) -> None:
    with store.database.read() as connection:
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "user_version", "auto_vacuum", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "user_version": LATEST,
        "auto_vacuum": 2,
        "busy_timeout": 5000,
    }


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    before = path.read_bytes()
    with pytest.raises(NewerStoreError) as caught:
        Store.open(tmp_path)
    assert f"format {LATEST + 1}" in caught.value.text
    assert "newer version" in caught.value.remedy
    assert "--data-dir" in caught.value.remedy
    assert path.read_bytes() == before


def test_something_else_in_its_place_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"not a database at all " * 500)
    with pytest.raises(DamagedStoreError) as caught:
        Store.open(tmp_path)
    assert caught.value.title == "The file of conversations is something else"
    assert path.read_bytes() == b"not a database at all " * 500
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(DamagedStoreError, match="something else"):
        Store.open(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["middle", "cut", "emptied", "header"])
def test_a_damaged_file_is_told_at_once_and_can_be_set_aside(tmp_path: Path, kind: str) -> None:
    fill(tmp_path)
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    if kind == "middle":
        for start in range(8192, len(data), 3 * 4096):
            data[start : start + 2000] = b"\xa5" * 2000
    elif kind == "header":
        data[16:100] = b"\xa5" * 84
    elif kind == "cut":
        del data[len(data) // 2 :]
    else:
        data.clear()
    path.write_bytes(data)
    with pytest.raises(DamagedStoreError) as caught:
        Store.open(tmp_path)
    assert "Move it aside" in caught.value.remedy
    assert path.read_bytes() == data
    aside = set_aside(tmp_path)
    assert (aside / FILE_NAME).read_bytes() == data
    assert len(list((aside / "attachments").glob("*/*.png"))) == 1
    with Store.open(tmp_path) as store:
        assert store.conversations() == []
        store.new_conversation(TaskKind.CHAT)
    second = set_aside(tmp_path)
    assert second != aside
    with Store.open(second) as store:
        assert len(store.conversations()) == 1


def test_damage_that_is_met_later_is_told_too(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / FILE_NAME
    with Store.open(tmp_path) as store:
        with path.open("rb+") as file:
            for start in range(8192, path.stat().st_size, 4096):
                file.seek(start)
                file.write(b"\xa5" * 4096)
        store.database.connection.execute("PRAGMA shrink_memory")  # what it has read is forgotten
        with pytest.raises(DamagedStoreError):
            store.branch(store.conversations()[0].id)
        assert store.integrity() != "ok"


def test_a_full_disk_costs_nothing_but_the_last_call(store: Store) -> None:
    conversation = store.new_conversation(TaskKind.CHAT).id
    first = store.add_message(conversation, Role.USER, "first", parent_id=None)
    answer = store.add_message(conversation, Role.ASSISTANT, "", parent_id=first.id, state=MessageState.STREAMING)
    store.save_progress(answer.id, "so far", "", [])
    with store.database.read() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    long = "no room for this " * 20_000
    for _ in range(3):
        with pytest.raises(StoreError) as caught:
            store.add_message(conversation, Role.USER, long, parent_id=first.id)
        assert caught.value.title == "The disk is full"
        assert "Free some space" in caught.value.remedy
        with pytest.raises(StoreError, match="The disk is full"):
            store.save_progress(answer.id, long, "", make_run())
        with pytest.raises(StoreError, match="The disk is full"):
            store.finish_message(answer.id, MessageState.COMPLETE, long)
    assert [one.text for one in store.branch(conversation)] == ["first", "so far"]
    assert store.message(answer.id).state is MessageState.STREAMING
    assert store.integrity() == "ok"
    with store.database.read() as connection:
        connection.execute("PRAGMA max_page_count = 1073741823").fetchall()
    store.finish_message(answer.id, MessageState.COMPLETE, long, trace_events_appended=make_run())
    assert store.message(answer.id).text == long
    assert store.integrity() == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
def test_a_file_that_may_not_grow_loses_nothing(store: Store) -> None:
    import resource

    conversation = store.new_conversation(TaskKind.CHAT).id
    store.add_message(conversation, Role.USER, "first", parent_id=None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(StoreError):
            store.add_message(conversation, Role.USER, "too much " * 100_000, parent_id=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [one.text for one in store.branch(conversation)] == ["first"]
    store.add_message(conversation, Role.USER, "too much " * 100_000, parent_id=None)
    assert store.integrity() == "ok"


def test_a_lock_held_by_another_program(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path, isolation_level=None)) as other, Store.open(tmp_path, patience=0.01) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as caught:
            store.new_conversation(TaskKind.CHAT)
        assert caught.value.title == "The file of conversations is in use"
        assert len(store.conversations()) == 1
        with pytest.raises(StoreError, match="in use"):
            Store.open(tmp_path, patience=0.01)
        other.execute("ROLLBACK")
        store.new_conversation(TaskKind.CHAT)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="in use"):
            Store.open(tmp_path, patience=0.01)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(StoreError) as caught:
            Store.open(directory)
        assert "--data-dir" in caught.value.remedy
    assert (tmp_path / "file").read_text() == "mine"


@contextmanager
def without_rights() -> Iterator[None]:
    """The block as an ordinary user: root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no rights of this kind")
@pytest.mark.parametrize("kind", ["nothing there", "folder", "file", "all"])
def test_a_place_that_can_only_be_read(kind: str) -> None:
    root = Path(tempfile.mkdtemp())  # pytest's own folders can't be entered by another user
    try:
        root.chmod(0o755)
        folder = root / "profile"
        folder.mkdir()
        if kind != "nothing there":
            fill(folder, 1)
            (folder / FILE_NAME).chmod(0o666 if kind == "folder" else 0o444)
            (folder / "attachments").chmod(0o777)
        folder.chmod(0o777 if kind == "file" else 0o555)
        before = sorted(path.name for path in folder.iterdir())
        with without_rights(), pytest.raises(StoreError) as caught:
            Store.open(folder)
        assert caught.value.title == "Conversations can't be saved here"
        assert "--data-dir" in caught.value.remedy
        assert str(folder) in caught.value.text
        assert set(before) <= {path.name for path in folder.iterdir()}
        folder.chmod(0o755)
    finally:
        shutil.rmtree(root)


def test_only_the_thread_that_opened_it_may_use_it(store: Store) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            store.conversations()
        except sqlite3.ProgrammingError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_a_bug_in_a_statement_is_not_dressed_as_the_users_problem(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), store.database.write() as connection:
        connection.execute("SELECT * FROM nowhere")
    with pytest.raises(sqlite3.IntegrityError), store.database.write() as connection:
        connection.execute("INSERT INTO run_chunks VALUES (999, 1, x'00')")


def test_an_interruption_undoes_the_transaction(store: Store) -> None:
    def interrupted() -> None:
        with store.database.write() as connection:
            connection.execute("INSERT INTO settings VALUES ('a', '1')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.state("a", 0) == 0


def test_a_strange_folder_name(tmp_path: Path) -> None:
    folder = tmp_path / "a ?mode=ro#x%20y 日本 '\";"
    with Store.open(folder) as store:
        store.new_conversation(TaskKind.CHAT, "here")
    with Store.open(folder) as store:
        assert [one.title for one in store.conversations()] == ["here"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
def test_a_full_disk_can_still_be_read(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CHAT).id
        store.add_message(conversation, Role.ASSISTANT, "half " * 20_000, parent_id=None, state=MessageState.STREAMING)
        path = store.database.path
    # Room for the index of the log, which reading needs, but not for a message of 100 kB in the log.
    script = (
        "import resource, signal, sys; from pathlib import Path; from diffdesk.store import Store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (32768, 32768))\n"
        "with Store.open(Path(sys.argv[1])) as store:\n"
        "    row = store.branch(int(sys.argv[2]))[0]\n"
        "    print(row.text[:4], row.state, store.recovered)\n"
    )
    read = subprocess.run(
        [sys.executable, "-c", script, str(path.parent), str(conversation)], capture_output=True, text=True, check=False
    )
    assert read.stdout.strip() == "half streaming ()", read.stderr
