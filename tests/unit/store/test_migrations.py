"""Every released format can be opened, a copy is made before a change, and a step that fails changes nothing."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from diffdesk.store import RowState, Store
from diffdesk.store.database import FILE_NAME
from diffdesk.store.migrations import LATEST, MIGRATIONS, Migration, backup_path, migrate
from tests.unit.store.make_fixture import FIXTURES, describe, fill_sheets

RELEASED = range(1, LATEST + 1)


def unpack(folder: Path, version: int) -> Path:
    path = folder / FILE_NAME
    path.write_bytes(gzip.decompress((FIXTURES / f"v{version}.sqlite3.gz").read_bytes()))
    return path


def add_colours(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE conversations ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")


def rebuild_settings(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE new_settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, age INTEGER)")
    connection.execute("INSERT INTO new_settings SELECT key, value, 0 FROM settings")
    connection.execute("DROP TABLE settings")
    connection.execute("ALTER TABLE new_settings RENAME TO settings")


def fail(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM messages")
    connection.execute("CREATE TABLE half (done)")
    raise OSError(28, "No space left on device")


def orphan(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM conversations WHERE id = 1")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, Path]]:
    path = unpack(tmp_path, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection, path


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def dump(connection: sqlite3.Connection) -> dict[str, list[object]]:
    names = ("conversations", "messages", "attachments", "runs", "run_chunks", "settings", "drafts")
    return {name: list(connection.execute(f"SELECT * FROM {name}")) for name in names}


@pytest.mark.parametrize("version", RELEASED)
def test_every_released_format_still_says_the_same(tmp_path: Path, version: int) -> None:
    path = unpack(tmp_path, version)
    expected = json.loads((FIXTURES / f"v{version}.json").read_text(encoding="utf-8"))
    with Store.open(tmp_path) as store:
        described = json.loads(json.dumps(describe(store)))
        assert {key: described[key] for key in expected} == expected  # what came later is not in an older file
        assert store.integrity() == "ok"
    assert backup_path(path, version + 1).exists() == (version < LATEST)


def test_a_copy_is_made_before_the_first_change(old: tuple[sqlite3.Connection, Path]) -> None:
    connection, path = old
    before = dump(connection)
    steps: tuple[Migration, ...] = (MIGRATIONS[0], add_colours, rebuild_settings)
    assert migrate(connection, path, steps) == ("add_colours", "rebuild_settings")
    assert version_of(connection) == 3
    assert connection.execute("SELECT DISTINCT colour FROM conversations").fetchall() == [("grey",)]
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    copy = path.with_name("conversations.before-2.sqlite3")
    assert sorted(one.name for one in path.parent.glob("*before*")) == [copy.name]
    with closing(sqlite3.connect(copy)) as kept:
        assert version_of(kept) == 1
        assert dump(kept) == before
        assert kept.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert migrate(connection, path, steps) == ()


@pytest.mark.parametrize(("step", "error"), [(fail, OSError), (orphan, sqlite3.IntegrityError)])
def test_a_step_that_fails_changes_nothing(
    old: tuple[sqlite3.Connection, Path], step: Migration, error: type[Exception]
) -> None:
    connection, path = old
    before = dump(connection)
    with pytest.raises(error):
        migrate(connection, path, (MIGRATIONS[0], rebuild_settings, step))
    assert version_of(connection) == 2
    after = dump(connection)
    assert after.pop("settings") != before.pop("settings")
    assert after == before
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()[0] == 0
    # The next start goes on where it stopped.
    assert migrate(connection, path, (MIGRATIONS[0], rebuild_settings, add_colours)) == ("add_colours",)
    assert version_of(connection) == 3


def test_no_copy_no_change(old: tuple[sqlite3.Connection, Path]) -> None:
    connection, path = old
    backup_path(path, 2).mkdir()
    with pytest.raises(OSError, match="before-2"):
        migrate(connection, path, (MIGRATIONS[0], add_colours))
    assert version_of(connection) == 1
    assert list(path.parent.glob("*.part")) == []


def test_a_new_file_needs_no_copy(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        assert version_of(store.database.connection) == LATEST
    assert list(tmp_path.glob("*before*")) == []


def test_a_file_of_the_first_format_takes_a_table_to_rewrite(tmp_path: Path) -> None:
    unpack(tmp_path, 1)
    with Store.open(tmp_path) as store:
        assert store.rewrites.sheets() == []
        assert store.rewrites.presets() == []
        before = json.loads(json.dumps(describe(store)))["messages"]
        fill_sheets(store)
        assert json.loads(json.dumps(describe(store)))["messages"] == before
    with Store.open(tmp_path) as store:
        (sheet,) = store.rewrites.sheets()
        assert {one.state for one in store.rewrites.rows(sheet.id)} == set(RowState)
        assert store.integrity() == "ok"
