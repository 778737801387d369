"""Sheets of the bulk rewriter: kept row by row, with their file, until they are deleted for good."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from diffdesk.core.errors import EngineError
from diffdesk.store import NewSheet, OwnPreset, RewriteRow, RowState, SheetRow, Store


def add_sheet(store: Store, texts: int = 3, data: bytes = b"text,id\n") -> SheetRow:
    file = store.add_attachment(data, ".csv", kind="table", name="in.csv")
    sheet = store.rewrites.create(NewSheet("in.csv", "csv", file.sha256, ("text", "id"), texts))
    return store.rewrites.choose(sheet.id, (0,), [RewriteRow(number, 0, f"text {number}") for number in range(texts)])


def test_what_became_of_each_row_is_there_after_a_restart(tmp_path: Path) -> None:
    failure = EngineError("The engine was killed", "Text.", "Remedy.", "details")
    with Store.open(tmp_path) as store:
        sheet = add_sheet(store, 4)
        store.rewrites.set_task(sheet.id, "Half a surrogate \ud800.", "plain")
        first, second, third, _ = store.rewrites.rows(sheet.id)
        done = replace(first, answer="better", state=RowState.DONE)
        failed = replace(second, state=RowState.FAILED, error=failure, note="Try again.")
        rejected = replace(third, answer="worse", state=RowState.REJECTED)
        store.rewrites.save(sheet.id, [done, failed])
        store.rewrites.save(sheet.id, [rejected])
    with Store.open(tmp_path) as store:
        (again,) = store.rewrites.sheets()
        assert (again.instruction, again.preset) == ("Half a surrogate \ufffd.", "plain")
        assert (again.total, again.waiting, again.undecided, again.failed) == (4, 1, 1, 1)
        rows = store.rewrites.rows(again.id)
        assert rows == [done, failed, rejected, RewriteRow(3, 0, "text 3")]
        assert rows[1].error is not None
        assert rows[1].error.to_wire() == failure.to_wire()


def test_columns_can_be_chosen_anew_without_losing_what_was_done(store: Store) -> None:
    sheet = add_sheet(store, 2)
    done = RewriteRow(0, 0, "text 0", "better", RowState.ACCEPTED)
    store.rewrites.save(sheet.id, [done])
    ids = [RewriteRow(number, 1, f"id {number}") for number in range(2)]
    both = store.rewrites.choose(sheet.id, (0, 1), ids)
    assert (both.total, both.waiting, both.chosen) == (4, 3, (0, 1))
    assert [one.key for one in store.rewrites.rows(sheet.id)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert store.rewrites.choose(sheet.id, (1,), ids).total == 2
    store.rewrites.choose(sheet.id, (0,), [RewriteRow(0, 0, "text 0"), RewriteRow(1, 0, "text 1")])
    assert store.rewrites.rows(sheet.id) == [done, RewriteRow(1, 0, "text 1")]


def test_a_row_that_is_not_there_is_not_kept_by_half(store: Store) -> None:
    sheet = add_sheet(store, 1)
    with pytest.raises(LookupError):
        store.rewrites.save(sheet.id, [RewriteRow(0, 0, "text 0", "x", RowState.DONE), RewriteRow(7, 0, "", "y")])
    assert store.rewrites.rows(sheet.id) == [RewriteRow(0, 0, "text 0")]
    with pytest.raises(LookupError):
        store.rewrites.save(99, [])
    with pytest.raises(LookupError):
        store.rewrites.create(NewSheet("x", "csv", "0" * 64, (), 0))


def test_a_deleted_sheet_comes_back_until_it_is_purged_with_its_file(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        sheet = add_sheet(store)
        kept = add_sheet(store, 1, b"another\n")
    with Store.open(tmp_path) as store:  # what was added in this run of the program would be kept in any case
        store.purge_deleted()
        assert store.attachment(sheet.source).path.read_bytes() == b"text,id\n"
        store.rewrites.delete(sheet.id)
        assert [one.id for one in store.rewrites.sheets()] == [kept.id]
        store.rewrites.undelete(sheet.id)
        assert {one.id for one in store.rewrites.sheets()} == {sheet.id, kept.id}
        store.rewrites.delete(sheet.id)
        path = store.attachment(sheet.source).path
        store.purge_deleted()
        assert not path.exists()
        assert store.rewrites.rows(sheet.id) == []
        assert store.attachment(kept.source).path.exists()
        assert store.integrity() == "ok"


def test_the_sheet_worked_on_last_comes_first(store: Store) -> None:
    first, second = add_sheet(store), add_sheet(store, 1, b"another\n")
    assert [one.id for one in store.rewrites.sheets()] == [second.id, first.id]
    store.rewrites.set_task(first.id, "Shorten it.", "")
    assert [one.id for one in store.rewrites.sheets()] == [first.id, second.id]


def test_presets_are_kept_by_name(store: Store) -> None:
    store.rewrites.save_preset("Short", "Shorten it.")
    store.rewrites.save_preset("Formal", "Make it formal.")
    store.rewrites.save_preset("Short", "Shorten it by half.")
    assert store.rewrites.presets() == [
        OwnPreset("Short", "Shorten it by half."),
        OwnPreset("Formal", "Make it formal."),
    ]
    store.rewrites.delete_preset("Short")
    assert [one.name for one in store.rewrites.presets()] == ["Formal"]


def test_ten_thousand_rows_are_read_and_decided_on_at_once(store: Store) -> None:
    sheet = add_sheet(store, 10_000)
    begun = time.perf_counter()
    rows = store.rewrites.rows(sheet.id)
    read = time.perf_counter()
    store.rewrites.save(sheet.id, [replace(one, answer="x", state=RowState.ACCEPTED) for one in rows])
    saved = time.perf_counter()
    print(f"\n10,000 rows: read in {read - begun:.2f} s, written in {saved - read:.2f} s")
    after = store.rewrites.sheet(sheet.id)
    assert (after.total, after.waiting, after.undecided) == (10_000, 0, 0)
    assert [one.number for one in rows] == list(range(10_000))
