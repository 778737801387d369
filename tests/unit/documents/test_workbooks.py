"""Workbooks: values read, columns added as strings, everything else of the file left as it was."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from diffdesk.core.errors import TableError
from diffdesk.documents.tables import AddedColumn, TableFormat, read_table, write_table


def sheet_of(book: openpyxl.Workbook) -> Worksheet:
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    return sheet


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A workbook with formats, a chart, a formula, gaps and a second sheet."""
    book = openpyxl.Workbook()
    sheet = sheet_of(book)
    sheet.title = "Orders"
    sheet.append(["id", "text", "amount"])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.append([1, "one", 2.5])
    sheet.append([2, "two", "=C2*2"])
    sheet.append([])
    sheet.append([4, " four\nlines ", True])
    sheet.column_dimensions["B"].width = 40
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=3, min_row=1, max_row=3))
    sheet.add_chart(chart, "H2")
    other = book.create_sheet("Other")
    other.append(["só"])
    other.append(["x"])
    book.save(tmp_path / "in.xlsx")
    return tmp_path / "in.xlsx"


def test_cells_are_texts_and_gaps_stay_rows(path: Path) -> None:
    table = read_table(path)
    assert table.format is TableFormat.XLSX
    assert table.sheet == "Orders"
    assert table.columns == ("id", "text", "amount")
    assert table.rows == (*(("1", "one", "2.5"), ("2", "two", ""), ("", "", ""), ("4", " four\nlines ", "TRUE")),)


def test_a_column_is_added_as_strings_and_the_rest_of_the_file_stays(path: Path) -> None:
    table = read_table(path)
    target = path.with_name("out.xlsx")
    texts = ["=1+1", "a < b & c", "", " _x0041_\nlast\x07 "]
    assert write_table(table, [AddedColumn("text", texts), AddedColumn("more", ["1", "2", "3", "4"])], target) == ()
    sheet = sheet_of(openpyxl.load_workbook(target))
    assert [cell.value for cell in sheet[1]] == ["id", "text", "amount", "text (2)", "more"]
    assert [sheet.cell(row, 4).value for row in range(2, 5)] == ["=1+1", "a < b & c", None]
    assert read_table(target).column("text (2)") == ("=1+1", "a < b & c", "", " _x0041_\nlast ")
    assert [sheet.cell(row, 5).value for row in range(2, 6)] == ["1", "2", "3", "4"]
    assert sheet.cell(2, 4).data_type == "s"
    assert sheet["C3"].value == "=C2*2"
    assert sheet["D1"].font.bold
    assert sheet.column_dimensions["B"].width == 40
    assert sheet.dimensions == "A1:E5"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target) as new:
        assert old.namelist() == new.namelist()
        changed = {name for name in old.namelist() if old.read(name) != new.read(name)}
        assert changed == {"xl/worksheets/sheet1.xml"}
        assert any("chart" in name for name in new.namelist())


def test_without_added_columns_the_file_is_the_same(path: Path) -> None:
    target = path.with_name("out.xlsx")
    write_table(read_table(path), [], target)
    assert target.read_bytes() == path.read_bytes()


def test_another_sheet_can_be_chosen(path: Path) -> None:
    table = read_table(path, sheet="Other")
    assert (table.columns, table.rows) == (("só",), (("x",),))
    target = path.with_name("out.xlsx")
    write_table(table, [AddedColumn("new", ["y"])], target)
    book = openpyxl.load_workbook(target)
    assert [cell.value for cell in book["Other"]["B"]] == ["new", "y"]
    assert book["Orders"]["D1"].value is None
    with pytest.raises(TableError, match="“Orders”, “Other”"):
        read_table(path, sheet="Third")


def test_a_workbook_written_twice_has_both_columns(path: Path) -> None:
    once, twice = path.with_name("once.xlsx"), path.with_name("twice.xlsx")
    write_table(read_table(path), [AddedColumn("new", list("abcd"))], once)
    table = read_table(once)
    assert table.column("new") == tuple("abcd")
    write_table(table, [AddedColumn("new", list("efgh"))], twice)
    assert read_table(twice).columns[-2:] == ("new", "new (2)")


def test_a_sheet_without_a_header_that_begins_further_down(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = sheet_of(book)
    sheet["B3"], sheet["B5"] = "The first line is here.", "The second line is here."
    book.save(tmp_path / "in.xlsx")
    table = read_table(tmp_path / "in.xlsx")
    assert not table.has_header
    assert table.rows == (("", "The first line is here."), ("", ""), ("", "The second line is here."))
    write_table(table, [AddedColumn("new", ["x", "between", "y"])], tmp_path / "out.xlsx")
    made = sheet_of(openpyxl.load_workbook(tmp_path / "out.xlsx"))
    assert [made.cell(row, 3).value for row in range(1, 7)] == [None, None, "x", "between", "y", None]


def test_values_read_as_people_write_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    row = [3.0, 0.1, date(2026, 1, 2), datetime.fromisoformat("2026-01-02T03:04"), time(5, 6), False, "#N/A"]
    sheet_of(book).append(row)
    book.save(tmp_path / "in.xlsx")
    table = read_table(tmp_path / "in.xlsx")
    assert table.rows == (("3", "0.1", "2026-01-02", "2026-01-02 03:04:00", "05:06:00", "FALSE", "#N/A"),)


def with_part(path: Path, target: Path, name: str, change: bytes, to: bytes) -> Path:
    """A copy of a workbook in which a part has other bytes where the pattern `change` matches."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == name:
                content, changes = re.subn(change, to, content)
                assert changes == 1
            new.writestr(entry, content)
    return target


def test_sheets_with_a_namespace_prefix_without_row_numbers_and_with_empty_row_tags(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for text in ("name", "one", "two"):
        sheet_of(book).append([text])
    book.save(tmp_path / "plain.xlsx")
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as file:
        xml = file.read("xl/worksheets/sheet1.xml")
    inside = xml[xml.index(b"<sheetData>") : xml.index(b"</sheetData>")]
    other = (
        b'<sheetData><row><c t="inlineStr"><is><t>name</t></is></c></row><row spans="1:1" ht="20"/>'
        b'<row><c t="inlineStr"><is><t>two</t></is></c></row>'
    )
    strange = with_part(
        tmp_path / "plain.xlsx", tmp_path / "strange.xlsx", "xl/worksheets/sheet1.xml", re.escape(inside), other
    )
    table = read_table(strange, has_header=True)
    assert table.rows == (("",), ("two",))
    write_table(table, [AddedColumn("new", ["x", "y"])], tmp_path / "out.xlsx")
    assert [row[1].value for row in sheet_of(openpyxl.load_workbook(tmp_path / "out.xlsx"))] == ["new", "x", "y"]

    prefixed = tmp_path / "prefixed.xlsx"
    with zipfile.ZipFile(strange) as old, zipfile.ZipFile(prefixed, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "xl/worksheets/sheet1.xml":
                content = content.replace(b"<", b"<x:").replace(b"<x:/", b"</x:").replace(b"xmlns=", b"xmlns:x=")
            new.writestr(entry, content)
    write_table(read_table(prefixed, has_header=True), [AddedColumn("new", ["x", "y"])], tmp_path / "more.xlsx")
    assert [row[1].value for row in sheet_of(openpyxl.load_workbook(tmp_path / "more.xlsx"))] == ["new", "x", "y"]


def test_a_formula_is_shown_as_the_value_that_it_had_and_stays_a_formula(path: Path) -> None:
    part = "xl/worksheets/sheet1.xml"
    counted = with_part(path, path.with_name("counted.xlsx"), part, rb"(?<=</f>)<v ?/?>(?:</v>)?", b"<v>5</v>")
    table = read_table(counted)
    assert table.column("amount") == ("2.5", "5", "", "TRUE")
    write_table(table, [AddedColumn("new", list("abcd"))], path.with_name("out.xlsx"))
    assert sheet_of(openpyxl.load_workbook(path.with_name("out.xlsx")))["C3"].value == "=C2*2"


def test_columns_beyond_the_alphabet_have_names_of_two_letters(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet_of(book).append([f"c{number}" for number in range(26)])
    sheet_of(book).append(["x"] * 26)
    book.save(tmp_path / "in.xlsx")
    write_table(read_table(tmp_path / "in.xlsx", has_header=True), [AddedColumn("new", ["y"])], tmp_path / "out.xlsx")
    assert sheet_of(openpyxl.load_workbook(tmp_path / "out.xlsx"))["AA2"].value == "y"


def test_macros_are_kept(path: Path) -> None:
    with_macros = path.with_name("in.xlsm")
    with_macros.write_bytes(path.read_bytes())
    with zipfile.ZipFile(with_macros, "a") as file:
        file.writestr("xl/vbaProject.bin", b"macros")
    table = read_table(with_macros)
    with pytest.raises(TableError, match="format that it came in"):
        write_table(table, [], path.with_name("out.xlsx"))
    write_table(table, [AddedColumn("new", list("abcd"))], path.with_name("out.xlsm"))
    with zipfile.ZipFile(path.with_name("out.xlsm")) as file:
        assert file.read("xl/vbaProject.bin") == b"macros"


def test_a_text_that_no_cell_holds_is_cut_and_that_is_said(path: Path) -> None:
    target = path.with_name("out.xlsx")
    notes = write_table(read_table(path), [AddedColumn("new", ["x" * 40_000, "", "", ""])], target)
    assert "32,767" in notes[0]
    assert len(read_table(target).column("new")[0]) == 32_767


def test_protected_old_and_broken_workbooks_are_refused(path: Path) -> None:
    whole = path.read_bytes()
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    empty = io.BytesIO()
    openpyxl.Workbook().save(empty)
    cases = {
        "password": container + "EncryptedPackage".encode("utf-16-le") + bytes(600),
        "Old Excel": container,
        "damaged": whole[: len(whole) // 2],
        "is empty": empty.getvalue(),
    }
    for said, data in cases.items():
        path.write_bytes(data)
        with pytest.raises(TableError) as caught:
            read_table(path)
        assert said in caught.value.plain()
        assert caught.value.remedy


def test_every_cut_of_a_workbook_is_read_or_refused(path: Path) -> None:
    whole = path.read_bytes()
    read = refused = 0
    for length in range(4, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:length] + bytes(40) + whole[length + 40 :])
        try:
            read_table(path)
            read += 1
        except TableError:
            refused += 1
    assert read
    assert refused
