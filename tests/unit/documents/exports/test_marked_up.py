"""hOCR and ALTO: parsed again, they have the words, their places and their order."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from diffdesk.core.errors import ExportError
from diffdesk.documents.exports.alto import NAMESPACE
from diffdesk.documents.exports.export_page import ExportKind, ExportPage, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.exports.placing import page_of_text
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import Box, RecognisedLine, RecognisedPage, RecognisedWord
from tests.unit.documents.exports.pages import boxes_of, page_of

BLOCKS = (('The "quick" <b> & so', "on, he said."), ("Second block",))
PAGE = page_of(BLOCKS)
HAN = RecognisedPage(
    300,
    100,
    (
        RecognisedLine(
            "新聞 を",
            (10, 10, 90, 30),
            0.5,
            tuple(RecognisedWord(one, (10 + 30 * at, 10, 30 + 30 * at, 30), 0.5) for at, one in enumerate("新聞を")),
        ),
    ),
    90,
)
XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = f"{{{NAMESPACE}}}"


def exported(folder: Path, kind: ExportKind, *pages: RecognisedPage) -> ET.Element:
    image = folder / 'my "own" scan & more.png'
    made = (
        ExportPage(page, "page", PageSource(image, number, len(pages)), folder / f"{number}.png")
        for number, page in enumerate(pages)
    )
    path = export_pages(made, folder / f"My <title>{kind.suffix}", kind, TextOptions())
    return ET.parse(path).getroot()


def of_class(element: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in element.iter() if one.get("class") == name]


def facts_of(element: ET.Element) -> dict[str, str]:
    """The properties in an hOCR title."""
    pieces = re.findall(r'(?:[^;"]|"(?:\\.|[^"\\])*")+', element.get("title", ""))
    return dict(piece.strip().split(" ", 1) for piece in pieces)


def bbox(element: ET.Element) -> Box:
    left, top, right, bottom = (int(edge) for edge in facts_of(element)["bbox"].split())
    return left, top, right, bottom


def contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


# --- hOCR -------------------------------------------------------------------------------------------


def test_hocr_has_every_word_at_its_place(tmp_path: Path) -> None:
    root = exported(tmp_path, ExportKind.HOCR, PAGE, HAN)
    assert root.tag == f"{XHTML}html"
    sheets = of_class(root, "ocr_page")
    assert len(sheets) == 2
    for sheet, page in zip(sheets, (PAGE, HAN), strict=True):
        words = [(word.text, bbox(word)) for word in of_class(sheet, "ocrx_word")]
        assert words == boxes_of(page)
        assert [bbox(line) for line in of_class(sheet, "ocr_line")] == [line.box for line in page.lines]
        assert ["".join(line.itertext()) for line in of_class(sheet, "ocr_line")] == [line.text for line in page.lines]
        assert bbox(sheet) == (0, 0, page.width, page.height)


def test_hocr_says_what_it_must(tmp_path: Path) -> None:
    root = exported(tmp_path, ExportKind.HOCR, PAGE, HAN)
    metas = {meta.get("name"): meta.get("content", "") for meta in root.iter(f"{XHTML}meta")}
    assert metas["ocr-system"].startswith("DiffDesk ")
    used = {one.get("class") for one in root.iter() if one.get("class")}
    assert used == set(metas["ocr-capabilities"].split())
    first, second = of_class(root, "ocr_page")
    assert facts_of(first)["image"] == '"my \\"own\\" scan & more.png"'
    assert (facts_of(first)["ppageno"], facts_of(second)["ppageno"]) == ("0", "1")
    assert "x_image_turned" not in facts_of(first)
    assert facts_of(second)["x_image_turned"] == "90"
    assert {facts_of(word)["x_wconf"] for word in of_class(first, "ocrx_word")} == {"90"}
    title = next(root.iter(f"{XHTML}title")).text
    assert title == "My <title>"


def test_hocr_elements_enclose_what_is_inside_them_and_have_names_of_their_own(tmp_path: Path) -> None:
    root = exported(tmp_path, ExportKind.HOCR, PAGE, HAN)
    names = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(names) == len(set(names))
    for outer in (one for one in root.iter() if one.get("class")):
        assert all(contains(bbox(outer), bbox(inner)) for inner in outer.iter() if inner.get("class"))
    assert len(of_class(root, "ocr_carea")) == 3


# --- ALTO -------------------------------------------------------------------------------------------


def measures(element: ET.Element) -> Box:
    left, top, width, height = (int(element.get(name, "")) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    return left, top, left + width, top + height


def test_alto_has_every_word_at_its_place(tmp_path: Path) -> None:
    root = exported(tmp_path, ExportKind.ALTO, PAGE, HAN)
    assert root.tag == f"{ALTO}alto"
    assert [one.tag for one in root] == [f"{ALTO}Description", f"{ALTO}Layout"]
    sheets = root.findall(f"{ALTO}Layout/{ALTO}Page")
    for sheet, page in zip(sheets, (PAGE, HAN), strict=True):
        strings = list(sheet.iter(f"{ALTO}String"))
        assert [(one.get("CONTENT"), measures(one)) for one in strings] == boxes_of(page)
        assert [float(one.get("WC", "nan")) for one in strings] == [w.confidence for li in page.lines for w in li.words]
        lines = list(sheet.iter(f"{ALTO}TextLine"))
        assert [measures(line) for line in lines] == [line.box for line in page.lines]
        joined = ["".join(" " if one.tag == f"{ALTO}SP" else one.get("CONTENT", "") for one in line) for line in lines]
        assert joined == [line.text for line in page.lines]


def test_alto_says_what_it_must(tmp_path: Path) -> None:
    root = exported(tmp_path, ExportKind.ALTO, PAGE, HAN)
    assert root.findtext(f"{ALTO}Description/{ALTO}MeasurementUnit") == "pixel"
    first, second = root.findall(f"{ALTO}Layout/{ALTO}Page")
    assert [(one.get("WIDTH"), one.get("HEIGHT")) for one in (first, second)] == [("900", "700"), ("300", "100")]
    assert [one.get("PHYSICAL_IMG_NR") for one in (first, second)] == ["1", "2"]
    assert first.get("QUALITY_DETAIL") is None
    assert "clockwise by 90 degrees" in second.get("QUALITY_DETAIL", "")
    names = [one.get("ID") for one in root.iter() if one.get("ID")]
    assert len(names) == len(set(names))
    assert len(list(first.iter(f"{ALTO}TextBlock"))) == 2


# --- both -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ExportKind.HOCR, ExportKind.ALTO])
def test_a_page_without_text_is_there_all_the_same(tmp_path: Path, kind: ExportKind) -> None:
    root = exported(tmp_path, kind, RecognisedPage(30, 20, ()))
    tag = f"{ALTO}Page" if kind is ExportKind.ALTO else f"{XHTML}div"
    assert len(list(root.iter(tag))) == 1


@pytest.mark.parametrize("kind", [ExportKind.HOCR, ExportKind.ALTO])
def test_characters_that_xml_can_t_hold_are_left_out(tmp_path: Path, kind: ExportKind) -> None:
    word = RecognisedWord("a\x01b\x0c", (0, 0, 10, 10), 1.0)
    page = RecognisedPage(30, 20, (RecognisedLine("a\x01b\x0c", (0, 0, 10, 10), 1.0, (word,)),))
    root = exported(tmp_path, kind, page)
    assert "ab" in ET.tostring(root, encoding="unicode")


@pytest.mark.parametrize("kind", [ExportKind.HOCR, ExportKind.ALTO])
def test_lines_without_words_get_them(tmp_path: Path, kind: ExportKind) -> None:
    bare = replace(PAGE, lines=tuple(replace(line, words=()) for line in PAGE.lines))
    root = exported(tmp_path, kind, bare)
    tag = f"{ALTO}String" if kind is ExportKind.ALTO else f"{XHTML}span"
    texts = [one.get("CONTENT") or one.text for one in root.iter(tag) if one.get("class") != "ocr_line"]
    assert texts == PAGE.text.split()


@pytest.mark.parametrize("kind", [ExportKind.HOCR, ExportKind.ALTO])
def test_text_without_an_image_is_refused_and_a_page_of_a_pdf_is_not(tmp_path: Path, kind: ExportKind) -> None:
    with pytest.raises(ExportError, match="without an image") as caught:
        export_pages([ExportPage(page_of_text("a"), "notes")], tmp_path / "made", kind, TextOptions())
    assert "Export it as text" in caught.value.remedy
    source = PageSource(tmp_path / "scan.pdf", 0, 1, PageKind.PDF)
    assert export_pages([ExportPage(PAGE, "p", source)], tmp_path / "made", kind, TextOptions()).is_file()
