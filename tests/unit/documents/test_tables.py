"""Text tables: read, given back to the byte, and written with columns added in the same dialect."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.errors import TableError
from diffdesk.documents.delimited import Dialect, find_dialect, harmless, records, with_columns
from diffdesk.documents.tables import (
    AddedColumn,
    Table,
    TableFormat,
    read_lines,
    read_table,
    write_table,
)


def file_of(tmp_path: Path, content: str | bytes, name: str = "in.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def written(table: Table, *added: AddedColumn) -> bytes:
    assert table.source is not None
    target = table.source.with_name("out" + table.source.suffix)
    write_table(table, added, target)
    return target.read_bytes()


def doubled(table: Table, name: str = "new", value: str = "x") -> str:
    """The file with a column that holds `value` everywhere."""
    return written(table, AddedColumn(name, [value] * len(table.rows))).decode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,one\n2,two\n", "a,b,new\n1,one,x\n2,two,x\n"),
        ("a;b\r\n1;one\r\n2;two", "a;b;new\r\n1;one;x\r\n2;two;x"),
        ("a\tb\n1\tone\n", "a\tb\tnew\n1\tone\tx\n"),
        ("a|b\n1|one\n", "a|b|new\n1|one|x\n"),
        ('"a","b"\n"1","one"\n', '"a","b","new"\n"1","one","x"\n'),
        ('"a","b"\n1,"one, two"\n', '"a","b","new"\n1,"one, two","x"\n'),
        ("a,b\r1,one\r2,two\r", "a,b,new\r1,one,x\r2,two,x\r"),
        ('a,b\n1,"one\ntwo"\n\n2,"say ""hi"""\n', 'a,b,new\n1,"one\ntwo",x\n\n2,"say ""hi""",x\n'),
        ("a,b,c\n1,one\n2,two,3,4\n", "a,b,c,,new\n1,one,,,x\n2,two,3,4,x\n"),
        ("sep=;\na;b,c\n1;one, two\n", "sep=;\na;b,c;new\n1;one, two;x\n"),
        ("Name;Betrag\nA;1,5\nB;2,75\n", "Name;Betrag;new\nA;1,5;x\nB;2,75;x\n"),
        ('size,text\n5" pipe,"stray\nnext,"row"\n', 'size,text,new\n5" pipe,"stray,x\nnext,"row",x\n'),
        ("a,b\n1,one\x00two\n", "a,b,new\n1,one\x00two,x\n"),
    ],
)
def test_a_column_is_added_in_the_files_own_dialect(tmp_path: Path, content: str, expected: str) -> None:
    table = read_table(file_of(tmp_path, content))
    assert doubled(table) == expected
    assert written(table) == content.encode()


def test_cells_are_read_without_their_quotation_marks_and_short_rows_are_filled_up(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, 'id,text\n1,"one, ""two""\nthree"\n2\n\n3,four,more\n'))
    assert table.columns == ("id", "text", "column 3")
    assert table.rows == (("1", 'one, "two"\nthree', ""), ("2", "", ""), ("3", "four", "more"))
    assert table.column("text") == table.column("2")


@pytest.mark.parametrize(
    ("content", "has_header"),
    [
        ("name,text\nA,one two.\n", True),
        ("1,one\n2,two\n", False),
        ("The rain in Spain stays mainly in the plain, he said.,x\nb,c\n", False),
        ("error,disk full\nerror,disk empty\n", False),
        ("Customer complaint\nThe door is broken.\nIt rains in.\n", True),
        ("a,a\n1,2\n", False),
        (",text\n1,one\n", True),
        ("2026-01-02,one\n2026-01-03,two\n", False),
    ],
)
def test_a_header_is_told_from_a_row(tmp_path: Path, content: str, has_header: bool) -> None:
    path = file_of(tmp_path, content)
    assert read_table(path).has_header is has_header
    lines = content.count("\n")
    assert len(read_table(path, has_header=False).rows) == lines
    assert len(read_table(path, has_header=True).rows) == lines - 1


def test_a_file_without_a_header_gets_none(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "a,one\nb,two\n"), has_header=False)
    assert table.columns == ("column 1", "column 2")
    assert doubled(table) == "a,one,x\nb,two,x\n"


def test_one_column_is_cut_at_none_of_its_commas(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "text\nHello, world\nGood day, moon\n"))
    assert table.columns == ("text",)
    assert table.rows == (("Hello, world",), ("Good day, moon",))
    assert doubled(table) == "text;new\nHello, world;x\nGood day, moon;x\n"


def test_names_are_never_the_same_twice(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "text,text,new,\n1,2,3,4\n"), has_header=True)
    assert table.columns == ("text", "text (2)", "new", "column 4")
    data = written(table, AddedColumn("new", ["x"]), AddedColumn("new", ["y"]))
    assert data.decode() == "text,text,new,,new (2),new (3)\n1,2,3,4,x,y\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_come_back_as_they_were(tmp_path: Path, encoding: str) -> None:
    content = "name,text\r\nZoë,“café” naïve\r\n"
    table = read_table(file_of(tmp_path, content.encode(encoding)))
    assert table.rows == (("Zoë", "“café” naïve"),)
    assert written(table) == content.encode(encoding)
    data = written(table, AddedColumn("neu", ["ö"]))
    assert data == "name,text,neu\r\nZoë,“café” naïve,ö\r\n".encode(encoding)


def test_bytes_that_no_encoding_knows_are_kept(tmp_path: Path) -> None:
    content = b"name,text\nZo\xeb,\x81 and \x9d\n"
    table = read_table(file_of(tmp_path, content))
    assert table.rows == (("Zoë", "\ufffd and \ufffd"),)
    assert written(table, AddedColumn("new", ["x"])) == b"name,text,new\nZo\xeb,\x81 and \x9d,x\n"


def test_an_encoding_that_lacks_a_character_is_given_up_and_that_is_said(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "name,text\nZoë,x\n".encode("cp1252")))
    target = tmp_path / "out.csv"
    notes = write_table(table, [AddedColumn("new", ["→ 漢字"])], target)
    assert target.read_bytes().decode("utf-8-sig") == "name,text,new\nZoë,x,→ 漢字\n"
    assert "UTF-8" in " ".join(notes)


def test_what_a_model_wrote_does_not_become_a_formula(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "id,text\n" + "1,=A1\n" * 6))
    target = tmp_path / "out.csv"
    texts = ["=1+1", "+49 30 1234", "-5.5", "@sum(a)", "- a point", "fine"]
    notes = write_table(table, [AddedColumn("new", texts)], target)
    rows = list(csv.reader(io.StringIO(target.read_text())))
    assert [row[2] for row in rows[1:]] == ["'=1+1", "'+49 30 1234", "-5.5", "'@sum(a)", "'- a point", "fine"]
    assert {row[1] for row in rows[1:]} == {"=A1"}
    assert "4 new texts" in notes[0]
    assert "apostrophe" in notes[0]


def test_new_texts_are_quoted_where_it_has_to_be(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "a;b\n1;2\n"), has_header=True)
    new = 'one; "two"\nthree'
    assert doubled(table, "a;b", new) == 'a;b;"a;b"\n1;2;"one; ""two""\nthree"\n'


@given(
    st.lists(st.lists(st.text(max_size=12), min_size=2, max_size=5), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_a_csv_writer_writes_is_read_as_it_was_meant(
    rows: list[list[str]], delimiter: str, line_end: str, is_quoted: bool
) -> None:
    stream = io.StringIO()
    dialect = csv.excel()
    dialect.delimiter, dialect.lineterminator = delimiter, line_end
    dialect.quoting = csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL
    csv.writer(stream, dialect).writerows(rows)
    found = records(stream.getvalue(), Dialect(delimiter, line_end))
    expected = [[cell.encode("utf-8", "replace").decode() if cell.isascii() else cell for cell in row] for row in rows]
    assert [list(one.fields) for one in found if one.start < one.end] == expected


cells_without_returns = st.text(alphabet=st.characters(exclude_characters="\r", codec="utf-8"), max_size=8)


@given(
    # Python's writer leaves a carriage return bare that its reader takes for the end of a line.
    st.lists(st.tuples(st.lists(cells_without_returns, min_size=2, max_size=4), st.text(max_size=8)), min_size=1),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_a_csv_reader_finds_added_cells_after_all_others(
    rows: list[tuple[list[str], str]], delimiter: str, line_end: str, is_quoted: bool
) -> None:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=line_end).writerows(cells for cells, _ in rows)
    width = max(len(cells) for cells, _ in rows)
    new = [value for _, value in rows]
    text = with_columns(stream.getvalue(), Dialect(delimiter, line_end, is_quoted), width, None, [new, new])
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    assert found == [[*cells, *[""] * (width - len(cells)), value, value] for cells, value in rows]


@given(st.text(alphabet=st.sampled_from('a",;\t|\r\n é\x00='), max_size=60))
def test_records_join_to_any_text_and_a_column_is_added_to_each(text: str) -> None:
    dialect = find_dialect(text)
    found = list(records(text, dialect))
    assert "".join([text[: dialect.preamble], *(text[one.start : one.next] for one in found)]) == text
    assert all(one.fields for one in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_given_back_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.csv", "any.tsv", "any.jsonl", "any.txt"):
        path = file_of(folder, data, name)
        try:
            table = read_table(path)
        except TableError:
            continue
        assert written(table) == data
        added = written(table, AddedColumn("new", ["x"] * len(table.rows)))
        assert len(added) > (0 if name == "any.txt" else len(data))


def test_very_long_cells_and_many_rows_are_read(tmp_path: Path) -> None:
    long = "word " * 400_000
    path = file_of(tmp_path, "id,text\n" + "".join(f'{row},"row {row}"\n' for row in range(20_000)) + f'0,"{long}"\n')
    table = read_table(path)
    assert len(table.rows) == 20_001
    assert table.rows[-1][1] == long
    assert written(table, AddedColumn("n", ["y"] * 20_001)).count(b",y\n") == 20_001


# --- lines ----------------------------------------------------------------------------------------------


def test_pasted_lines_are_rows() -> None:
    table = read_lines("one\r\n\r\ntwo, three\x0bfour\nfive")
    assert table.format is TableFormat.LINES
    assert table.columns == ("text",)
    assert table.rows == (("one",), ("",), ("two, three\x0bfour",), ("five",))


def test_a_text_file_is_written_with_the_new_lines_in_place(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "one\r\n\r\ntwo", "in.log"))
    data = written(table, AddedColumn("new", ["first\nand more\n", "", "second"]))
    assert data == b"first and more\r\n\r\nsecond"


# --- JSON lines -----------------------------------------------------------------------------------------


def test_json_lines_keep_everything_and_get_a_key_at_the_end(tmp_path: Path) -> None:
    lines = [
        '{"id": 7, "text": "one", "nested": {"b": [1, 2.50, null], "a": "x"}}',
        "",
        '{"text":"tw\\u00f6","n":1e400}',
        '  { "other": "three" }  ',
        '{"big": ' + "9" * 5000 + "}",
        "{}",
    ]
    table = read_table(file_of(tmp_path, "\r\n".join(lines), "in.jsonl"))
    assert table.columns == ("text", "other")
    assert table.rows == (("one", ""), ("twö", ""), ("", "three"), ("", ""), ("", ""))
    data = written(table, AddedColumn("new", ["eins", "zwö", 'say "hi"', "=x", "e"])).decode()
    assert data.split("\r\n") == [
        '{"id": 7, "text": "one", "nested": {"b": [1, 2.50, null], "a": "x"}, "new": "eins"}',
        "",
        '{"text":"tw\\u00f6","n":1e400,"new":"zw\\u00f6"}',
        '  { "other": "three", "new": "say \\"hi\\"" }  ',
        '{"big": ' + "9" * 5000 + ', "new": "=x"}',
        '{"new": "e"}',
    ]
    assert [json.loads(line)["new"] for line in data.splitlines()[2:4]] == ["zwö", 'say "hi"']
    assert written(table).decode() == "\r\n".join(lines)


def test_an_added_key_is_none_that_any_row_has(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, '{"text": "a"}\n{"text": "b", "new": 3}\n', "in.jsonl"))
    assert doubled(table).splitlines()[1] == '{"text": "b", "new": 3, "new (2)": "x"}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": "x"}\n\n{"a": "x"\n', "Line 3 is no JSON"),
        ('{"a": "x"}\n["x"]\n', "Line 2 is no JSON object"),
        ('[{"a": "x"}]', "JSON list"),
        ("[" * 100_000, "JSON list"),
        ('{"a": ' + "[" * 100_000 + "\n", "Line 1 "),
        ('{"a": 1}\n', "nothing to work on"),
    ],
)
def test_broken_json_lines_are_named(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        read_table(file_of(tmp_path, content, "in.jsonl"))
    assert caught.value.remedy


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "in.csv", "empty"),
        (b"\xef\xbb\xbf\r\n \n", "in.csv", "empty"),
        (b"a,b\n", "in.csv", "nothing to work on"),
        (b"%PDF-1.7 and so on", "in.csv", "PDF document"),
        (b"\x89PNG\r\n\x1a\n....", "in.txt", "a picture"),
        (b"PK\x03\x04........", "in.csv", "Office document"),
        (bytes(range(1, 32)) * 20, "in.csv", "no text"),
        (b"some text", "in.ods", "another kind"),
        (b"a,b\n1,2\n", "in.xlsx", "no workbook"),
        (b"a" + b"," * 5000 + b"\nb\n", "in.csv", "4,096 cells"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, name: str, said: str) -> None:
    with pytest.raises(TableError) as caught:
        read_table(file_of(tmp_path, content, name), has_header=True)
    assert said in caught.value.plain()
    assert caught.value.remedy


def test_a_missing_file_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="can't be read"):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(TableError, match="no file"):
        read_table(tmp_path)
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as stream:
        stream.truncate(301 * 10**6)
    with pytest.raises(TableError, match="300 MB"):
        read_table(huge)


def test_an_unknown_column_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "id,text\n1,one\n"))
    with pytest.raises(TableError, match="“id”, “text”"):
        table.column("txet")


def test_the_source_is_never_overwritten_and_a_file_appears_whole(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "id,text\n1,one\n"))
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "in.csv")
    for target in (tmp_path / "in.csv", link):
        with pytest.raises(TableError, match="never overwritten"):
            write_table(table, [AddedColumn("new", ["x"])], target)
    with pytest.raises(TableError, match="format that it came in"):
        write_table(table, [AddedColumn("new", ["x"])], tmp_path / "out.xlsx")
    with pytest.raises(TableError, match="couldn't be saved"):
        write_table(table, [AddedColumn("new", ["x"])], tmp_path / "no folder" / "out.csv")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in.csv", "link.csv"]


def test_the_file_may_change_or_go_while_rows_are_rewritten(tmp_path: Path) -> None:
    table = read_table(file_of(tmp_path, "id,text\n1,one\n"))
    (tmp_path / "in.csv").unlink()
    assert doubled(table) == "id,text,new\n1,one,x\n"


@pytest.mark.parametrize("text", ["-", "12", "+1.5", "-3,2 %", "1e5", "plain"])
def test_numbers_and_plain_texts_get_no_apostrophe(text: str) -> None:
    assert harmless(text) == (text if text != "-" else "'-")
