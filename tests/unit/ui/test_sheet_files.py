"""A table on its way into the store and back into a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from diffdesk.core.errors import TableError
from diffdesk.store import RowState, Store
from diffdesk.ui.rewrite.sheet_files import (
    PASTED,
    Opened,
    choose,
    export,
    keep,
    load,
    read_again,
    read_file,
    take_lines,
)

CSV = b'\xef\xbb\xbfid;"what";day\r\n001;"a; quoted ""text"" of words";2026-03-03\r\n2;;x\r\n\r\n3;last one here;y'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "profile") as opened:
        yield opened


def decided(store: Store, opened: Opened, *states: RowState) -> Opened:
    """The rows with an answer each, in these states."""
    rows = [
        replace(row, answer=f"new {row.number}", state=state) for row, state in zip(opened.rows, states, strict=True)
    ]
    store.rewrites.save(opened.sheet.id, rows)
    return load(store, opened.sheet.id)


def write(store: Store, opened: Opened, target: Path) -> tuple[str, ...]:
    rows = {row.key: row for row in opened.rows}
    return export(opened.sheet, rows, store.attachment_path(opened.sheet.source), target)


def test_a_csv_file_comes_back_to_the_byte_with_a_column_added(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(CSV)
    opened = keep(store, read_file(tmp_path / "in.csv"))
    assert opened.sheet.columns == ("id", "what", "day")
    assert opened.sheet.chosen == (1,)
    assert [row.state for row in opened.rows] == [RowState.WAITING, RowState.ACCEPTED, RowState.WAITING]
    opened = decided(store, opened, RowState.ACCEPTED, RowState.ACCEPTED, RowState.REJECTED)
    (tmp_path / "in.csv").unlink()  # the store has a copy
    assert write(store, opened, tmp_path / "out.csv") == ()
    expected = CSV.replace(b"day\r", b"day;what (rewritten)\r").replace(b"03\r", b"03;new 0\r")
    expected = expected.replace(b"x\r", b"x;new 1\r") + b";last one here"
    assert (tmp_path / "out.csv").read_bytes() == expected


def test_the_file_itself_is_never_overwritten(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(CSV)
    opened = keep(store, read_file(tmp_path / "in.csv"))
    with pytest.raises(TableError):
        write(store, opened, tmp_path / "in.csv")
    assert (tmp_path / "in.csv").read_bytes() == CSV


def test_pasted_lines_come_back_as_lines(store: Store, tmp_path: Path) -> None:
    opened = keep(store, take_lines("one\ntwo\n\nfour\n\n\n"))
    assert (opened.sheet.name, opened.sheet.path) == (PASTED, "")
    assert [row.text for row in opened.rows] == ["one", "two", "", "four"]
    states = (RowState.DONE, RowState.REJECTED, RowState.WAITING, RowState.FAILED)
    notes = write(store, decided(store, opened, *states), tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b"new 0\ntwo\n\nfour\n"
    assert "Not rewritten yet, and left as they were: 2." in notes
    with pytest.raises(TableError):
        take_lines(" \n\n")


def test_several_columns_of_a_workbook_are_rewritten_each_into_its_own(store: Store, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for cells in (["number", "text", "place"], [1, "some words here", "12 high st"], [2, "other words", "3 low rd"]):
        page.append(cells)
    book.save(tmp_path / "in.xlsx")
    opened = keep(store, read_file(tmp_path / "in.xlsx"))
    assert opened.sheet.chosen == (1,)
    table = read_again(opened.sheet, store.attachment_path(opened.sheet.source))
    opened = choose(store, opened.sheet, (1, 2), table)
    assert [row.key for row in opened.rows] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    states = (RowState.ACCEPTED, RowState.REJECTED, RowState.WAITING, RowState.DONE)
    write(store, decided(store, opened, *states), tmp_path / "out.xlsx")
    written = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert written is not None
    found = [[cell or "" for cell in cells] for cells in written.iter_rows(values_only=True)]
    assert found == [
        ["number", "text", "place", "text (rewritten)", "place (rewritten)"],
        [1, "some words here", "12 high st", "new 0", "12 high st"],
        [2, "other words", "3 low rd", "", "new 1"],
    ]


def test_a_copy_that_is_gone_says_so(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(CSV)
    opened = keep(store, read_file(tmp_path / "in.csv"))
    kept = store.attachment_path(opened.sheet.source)
    kept.write_bytes(b"id;what;day\n1;2;3\n")
    with pytest.raises(TableError, match="can't be read as before"):
        write(store, opened, tmp_path / "out.csv")
    kept.unlink()
    with pytest.raises(TableError):
        write(store, opened, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
