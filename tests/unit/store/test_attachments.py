"""Files by the hash of their contents."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from diffdesk.core.errors import StoreError
from diffdesk.core.messages import Role
from diffdesk.core.requests import TaskKind
from diffdesk.store import Store


def files(store: Store) -> list[str]:
    return sorted(path.name for path in (store.database.directory / "attachments").glob("*/*"))


def test_a_file_is_kept_once_under_its_hash(store: Store) -> None:
    data = bytes(range(256)) * 100
    row = store.add_attachment(data, ".PNG", width=10, height=20, kind="frame", name="a.PNG")
    sha256 = hashlib.sha256(data).hexdigest()
    assert (row.sha256, row.suffix, row.size, row.width, row.height) == (sha256, ".png", len(data), 10, 20)
    assert (row.kind, row.name) == ("frame", "a.PNG")
    assert row.path == store.database.directory / "attachments" / sha256[:2] / f"{sha256}.png"
    assert row.path.read_bytes() == data
    assert store.add_attachment(data, ".jpg", name="other") == row
    assert store.attachment(sha256) == row
    assert store.attachment_path(sha256) == row.path
    assert files(store) == [row.path.name]


@pytest.mark.parametrize("suffix", ["", "png", "/../x", ".p/g", ".", ".waytoolong", ".ü", ".png\n", "..png", ".p\0g"])
def test_a_strange_suffix_is_left_out(store: Store, suffix: str) -> None:
    row = store.add_attachment(b"x", suffix)
    assert row.suffix == ""
    assert row.path.read_bytes() == b"x"


def test_a_file_that_someone_removed_or_broke_is_written_again(store: Store) -> None:
    row = store.add_attachment(b"contents", ".png")
    row.path.unlink()
    assert store.add_attachment(b"contents", ".png").path.read_bytes() == b"contents"
    row.path.write_bytes(b"CONTENTS")
    assert store.add_attachment(b"contents", ".png").path.read_bytes() == b"contents"


def test_an_unknown_hash_is_refused(store: Store) -> None:
    for sha256 in ("0" * 64, "../../etc/passwd", ""):
        with pytest.raises(LookupError):
            store.attachment_path(sha256)


def test_only_a_purge_removes_files_and_only_those_without_a_use(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        rows = {name: store.add_attachment(name.encode(), ".png") for name in ("gone", "shared", "draft", "loose")}
        kept, gone = store.new_conversation(TaskKind.CHAT).id, store.new_conversation(TaskKind.CHAT).id
        shared = (rows["shared"].sha256, "s")
        store.add_message(kept, Role.USER, "x", parent_id=None, attachments=[shared])
        store.add_message(gone, Role.USER, "x", parent_id=None, attachments=[shared, (rows["gone"].sha256, "g")])
        store.save_draft(kept, "", [(rows["draft"].sha256, "d")])
        store.delete(gone)
        assert len(files(store)) == 4
        # Still in the hands of a composer, for all that the store knows.
        assert store.purge_deleted() == 1
        assert len(files(store)) == 4
    stray = tmp_path / "attachments" / "ab" / ("ab" * 32 + ".png")
    part = tmp_path / "attachments" / "ab" / "tmpx.part"
    foreign = tmp_path / "attachments" / "ab" / "notes.txt"
    for path in (stray, part, foreign):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    with Store.open(tmp_path) as store:
        store.purge_deleted()
        assert files(store) == sorted([rows["shared"].path.name, rows["draft"].path.name, "notes.txt"])
        with pytest.raises(LookupError):
            store.attachment(rows["gone"].sha256)
        assert store.integrity() == "ok"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no rights of this kind")
def test_what_is_kept_is_private(store: Store) -> None:
    row = store.add_attachment(b"x", ".png")
    folder = store.database.directory
    for path in (folder, folder / "attachments", row.path.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (row.path, store.database.path, folder / "conversations.sqlite3-wal"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of this kind")
def test_no_room_for_a_file_leaves_nothing_behind(store: Store) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StoreError) as caught:
            store.add_attachment(b"x" * 200_000, ".png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.title == "The disk is full"
    assert files(store) == []
    assert store.add_attachment(b"x" * 200_000, ".png").path.exists()
