"""Text, Markdown, DOCX and the table of differences, read back by programs that know nothing of ours."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.documents.exports.export_page import (
    ExportedDifference,
    ExportKind,
    ExportPage,
    TextOptions,
)
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.exports.placing import page_of_text
from diffdesk.documents.exports.reflow import text_of
from diffdesk.documents.exports.text_files import escaped
from tests.unit.documents.exports.pages import page_of

FLOWED = TextOptions(keep_lines=False, join_hyphens=True)
KEPT = TextOptions(keep_lines=True, join_hyphens=False)
PAGES = (
    page_of([["A line that is some exam-", "ple of text"], ["2. Not a list"]]),
    page_of([]),
    page_of_text("# No heading\n*Stars* & <tags>"),
)


def exported(folder: Path, kind: ExportKind, options: TextOptions = FLOWED) -> Path:
    made = (ExportPage(page, f"page {number}") for number, page in enumerate(PAGES, 1))
    return export_pages(made, folder / f"made{kind.suffix}", kind, options)


# --- text -------------------------------------------------------------------------------------------


def test_a_text_file_is_what_goes_to_the_clipboard(tmp_path: Path) -> None:
    for options in (FLOWED, KEPT):
        made = exported(tmp_path, ExportKind.TXT, options)
        assert made.read_bytes().decode("utf-8") == text_of(PAGES, options) + "\n"


def test_pages_of_a_text_file_are_parted_by_an_empty_line(tmp_path: Path) -> None:
    assert exported(tmp_path, ExportKind.TXT).read_text(encoding="utf-8").split("\n\n") == [
        "A line that is some example of text",
        "2. Not a list",
        "# No heading *Stars* & <tags>\n",
    ]


def test_no_pages_make_an_empty_file(tmp_path: Path) -> None:
    assert export_pages([], tmp_path / "a.txt", ExportKind.TXT, FLOWED).read_bytes() == b""


# --- Markdown ---------------------------------------------------------------------------------------


def test_markdown_shows_the_text_and_nothing_else(tmp_path: Path) -> None:
    text = exported(tmp_path, ExportKind.MARKDOWN, KEPT).read_text(encoding="utf-8")
    assert text == (
        "A line that is some exam-  \nple of text\n\n2\\. Not a list\n\n---\n\n"
        "\\# No heading  \n\\*Stars\\* \\& \\<tags\\>\n"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("- no item", "\\- no item"),
        ("+ no item", "\\+ no item"),
        ("1) no item", "1\\) no item"),
        ("1.5 metres", "1.5 metres"),
        ("===", "\\==="),
        ("---", "\\---"),
        ("a_b_c", "a\\_b\\_c"),
        ("[x](y)", "\\[x\\](y)"),
        ("back\\slash", "back\\\\slash"),
        ("a | b", "a \\| b"),
        ("    code", "code"),
        ("![alt]", "!\\[alt\\]"),
        ("plain, text.", "plain, text."),
    ],
)
def test_marks_are_escaped(line: str, shown: str) -> None:
    assert escaped(line) == shown


@given(st.text(alphabet="ab 1.)#*_`-+=<>&|~[]()!\\:$\n", max_size=30))
def test_markdown_reads_back_as_the_text(text: str) -> None:
    reader = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed").MarkdownIt("commonmark")
    line = " ".join(text.split())
    tokens = reader.enable("table").enable("strikethrough").parse(escaped(line))
    inline = [child for token in tokens for child in token.children or []]
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    assert {child.type for child in inline} <= {"text", "text_special"}
    assert "".join(child.content for child in inline) == line


# --- DOCX -------------------------------------------------------------------------------------------


def test_a_docx_has_a_paragraph_for_each_and_a_break_before_each_page(tmp_path: Path) -> None:
    document = docx.Document(str(exported(tmp_path, ExportKind.DOCX)))
    assert [paragraph.text for paragraph in document.paragraphs] == [
        "A line that is some example of text",
        "2. Not a list",
        "# No heading *Stars* & <tags>",
    ]
    breaks = [paragraph.paragraph_format.page_break_before for paragraph in document.paragraphs]
    assert breaks == [None, None, True]
    assert {paragraph.style.name for paragraph in document.paragraphs if paragraph.style} == {"Normal"}
    assert (document.core_properties.title, document.core_properties.author) == ("made", "")


def test_lines_that_are_kept_end_in_line_breaks(tmp_path: Path) -> None:
    document = docx.Document(str(exported(tmp_path, ExportKind.DOCX, KEPT)))
    first = document.paragraphs[0]
    assert first.text == "A line that is some exam-\nple of text"
    assert len(first._p.findall(f".//{qn('w:br')}")) == 1


def test_characters_that_xml_can_t_hold_are_left_out_of_a_docx(tmp_path: Path) -> None:
    page = ExportPage(page_of_text("a\x00b\x1bc\ufffe d"), "notes")
    made = export_pages([page], tmp_path / "made.docx", ExportKind.DOCX, FLOWED)
    assert docx.Document(str(made)).paragraphs[0].text == "abc d"


# --- the table of differences -----------------------------------------------------------------------


def table_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_each_difference_is_a_row(tmp_path: Path) -> None:
    differences = (
        ExportedDifference("scan.pdf, page 1 of 2", 3, "quiek", "quick", "accepted", 0.9876),
        ExportedDifference("scan.pdf, page 1 of 2", 4, 'a "b", c', "Größe\nneu", "edited"),
    )
    page = ExportPage(PAGES[0], "page 1", differences=differences)
    made = export_pages([page], tmp_path / "made.csv", ExportKind.CSV, FLOWED)
    assert table_of(made) == [
        ["page", "line", "before", "after", "decision", "certainty"],
        ["scan.pdf, page 1 of 2", "3", "quiek", "quick", "accepted", "0.988"],
        ["scan.pdf, page 1 of 2", "4", 'a "b", c', "Größe\nneu", "edited", ""],
    ]
    # Without the mark Excel takes the file for the system's old code page.
    assert made.read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("cell", ["=1+1", "+49 30", "-5", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_compute_is_guarded(tmp_path: Path, cell: str) -> None:
    page = ExportPage(PAGES[0], "page", differences=(ExportedDifference(cell, 1, cell, cell, "made", 1.0),))
    row = table_of(export_pages([page], tmp_path / "made.csv", ExportKind.CSV, FLOWED))[1]
    assert [row[0], row[2], row[3]] == [f"'{cell}"] * 3
