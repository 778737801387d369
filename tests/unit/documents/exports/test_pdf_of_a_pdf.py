"""Searchable PDFs made from PDFs: the pages as they were, with their words unseen on top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pytest

from diffdesk.core.errors import ExportError
from diffdesk.documents.exports.export_page import ExportKind, ExportPage, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.exports.overlaid_pdf import OverlaidPdf
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import RecognisedPage
from tests.unit.documents.exports.pages import page_of
from tests.unit.documents.exports.pdfs import (
    assert_words_lie_there,
    drawn,
    needs_poppler,
    pdfium_text,
    pdfium_words,
    poppler_text,
    poppler_words,
    rendered,
    source_pdf,
)

BLOCKS = (("A quick brown fox", "jumps over a lazy", "dog: 1 or 2."), ("Second and last", "paragraph, I say."))
PAGE = page_of(BLOCKS)  # 900 × 700, as the pages of 450 × 350 points are at 144 dots an inch
TALL = page_of(BLOCKS, size=(700, 900))
PICTURE = b"0.8 0.9 1 rg 20 30 100 200 re f 0.2 0 0 RG 5 w 40 40 m 400 300 l S\n"
UNSEEN = b"q BT 3 Tr /F1 12 Tf 60 60 Td (an old layer) Tj 0 20 Td [(of) -300 (text)] TJ T* (more) ' ET Q\n"


def laid_over(source: Path, target: Path, *pages: RecognisedPage) -> Path:
    """A PDF made in this very process, where that is quicker."""
    made = OverlaidPdf(source)
    for number, page in enumerate(pages):
        made.add(page, number)
    with target.open("wb") as file:
        made.write(file)
    made.close()
    return target


def export(source: Path, target: Path, pages: list[tuple[RecognisedPage, int]]) -> Path:
    made = (
        ExportPage(page, f"page {number}", PageSource(source, number, len(pages), PageKind.PDF))
        for page, number in pages
    )
    return export_pages(made, target, ExportKind.PDF, TextOptions())


LAYOUTS: dict[str, tuple[bytes, str]] = {
    "plain": (PICTURE, ""),
    "cropped": (PICTURE, "/MediaBox [-10 -20 600 500] /CropBox [50 70 500 420]"),
    "corners the other way round": (PICTURE, "/MediaBox [500 400 50 50]"),
    "crop box beyond the page": (PICTURE, "/CropBox [-100 -100 2000 2000]"),
    "large units": (PICTURE, "/UserUnit 2"),
    "a state that is left behind": (b"q 0.5 0 0 0.5 100 100 cm " + PICTURE + b"1 0 0.3 1 9 9 cm", ""),
    "more restored than saved": (b"Q Q " + PICTURE + b" Q 2 0 0 2 50 50 cm", ""),
}
TURNS = {"": 0, "turned by 90": 90, "turned by 180": 180, "turned by 270": 270, "turned by -90": -90}


@pytest.mark.parametrize("turn", TURNS.values(), ids=list(TURNS))
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_words_lie_where_they_stand_on_the_page(tmp_path: Path, layout: str, turn: int) -> None:
    contents, entries = LAYOUTS[layout]
    page = PAGE if turn % 180 == 0 else TALL
    source = source_pdf(tmp_path / "source.pdf", [(contents, f"{entries} /Rotate {turn}")])
    made = laid_over(source, tmp_path / "made.pdf", page)
    assert_words_lie_there(list(pdfium_words(made, 0, page)), page)
    assert (rendered(made) == rendered(source)).all()


@needs_poppler
@pytest.mark.parametrize("turn", TURNS.values(), ids=list(TURNS))
@pytest.mark.parametrize("layout", ["plain", "cropped", "large units", "a state that is left behind"])
def test_poppler_finds_the_words_there_too(tmp_path: Path, layout: str, turn: int) -> None:
    contents, entries = LAYOUTS[layout]
    page = PAGE if turn % 180 == 0 else TALL
    source = source_pdf(tmp_path / "source.pdf", [(contents, f"{entries} /Rotate {turn}")])
    made = laid_over(source, tmp_path / "made.pdf", page)
    assert_words_lie_there(poppler_words(made, 0, page), page)
    assert poppler_text(made).split() == page.text.split()


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_page_whose_text_lies_on_its_side_is_left_so(tmp_path: Path, turned: int) -> None:
    """The recogniser turned the image; the PDF's page stays as it is, and the words run as the print does."""
    page = replace(PAGE if turned == 180 else TALL, turned=turned)
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE, "")])
    made = laid_over(source, tmp_path / "made.pdf", page)
    assert (rendered(made) == rendered(source)).all()
    with pikepdf.open(made) as pdf:
        # The same PDF with the turn written into the page has the words where the turned image has them.
        pdf.pages[0].obj.Rotate = turned
        pdf.save(tmp_path / "turned.pdf")
    assert_words_lie_there(list(pdfium_words(tmp_path / "turned.pdf", 0, page)), page)


def test_an_earlier_text_layer_goes_and_seen_text_stays(tmp_path: Path) -> None:
    seen = b"BT /F1 12 Tf 300 20 Td (Seen) Tj ET "
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE + UNSEEN + seen, ""), (seen, "")])
    made = laid_over(source, tmp_path / "made.pdf", PAGE, PAGE)
    assert (rendered(made) == rendered(source)).all()
    for text in pdfium_text(made):
        assert sorted(text.split()) == sorted([*PAGE.text.split(), "Seen"])


def test_a_text_object_of_seen_and_unseen_text_stays(tmp_path: Path) -> None:
    mixed = b"BT /F1 12 Tf 60 320 Td 3 Tr (hidden ) Tj 0 Tr (Seen) Tj ET"
    source = source_pdf(tmp_path / "source.pdf", [(mixed, "")])
    made = laid_over(source, tmp_path / "made.pdf", PAGE)
    assert (rendered(made) == rendered(source)).all()
    assert "Seen" in pdfium_text(made)[0]


def test_an_earlier_layer_in_a_form_goes_too(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE + b"q /Layer Do Q", ""), (b"/Layer Do", "")])
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        fonts = pdf.pages[0].resources.Font
        form = pdf.make_stream(
            UNSEEN,
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Form,
            BBox=pikepdf.Array([0, 0, 450, 350]),
            Resources=pikepdf.Dictionary(Font=fonts),
        )
        for page in pdf.pages:
            page.obj.Resources = pikepdf.Dictionary(Font=fonts, XObject=pikepdf.Dictionary(Layer=form))
        pdf.save()
    made = laid_over(source, tmp_path / "made.pdf", PAGE, PAGE)
    assert [text.split() for text in pdfium_text(made)] == [PAGE.text.split()] * 2


def test_a_pdf_of_our_own_is_corrected_again_without_a_trace_of_the_first_time(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE, "")])
    first = laid_over(source, tmp_path / "first.pdf", page_of([["some wrong words"]]))
    second = laid_over(first, tmp_path / "second.pdf", PAGE)
    assert pdfium_text(second)[0].split() == PAGE.text.split()
    with pikepdf.open(second) as pdf:
        assert sorted(pdf.pages[0].obj.Resources.Font.keys()) == ["/DiffDeskInvisible", "/F1"]


def test_pages_without_resources_or_contents_take_a_text(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(b"", "/Contents null /Resources null")])
    made = laid_over(source, tmp_path / "made.pdf", PAGE)
    assert_words_lie_there(list(pdfium_words(made, 0, PAGE)), PAGE)


def test_contents_that_make_no_sense_stay_as_they_are(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(b"q << /a ) > 17 BI ID", "")])
    made = laid_over(source, tmp_path / "made.pdf", PAGE)
    assert (rendered(made) == rendered(source)).all()


def test_pages_that_get_no_text_are_left_out_and_the_others_keep_their_order(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE, f"/UserUnit {1 + number}") for number in range(5)])
    names = {number: page_of([[f"page {number}"]]) for number in (3, 1)}
    before = source.read_bytes()
    made = export(source, tmp_path / "made.pdf", [(page, number) for number, page in names.items()])
    assert [text.split() for text in pdfium_text(made)] == [["page", "1"], ["page", "3"]]
    with pikepdf.open(made) as pdf:
        assert [int(page.obj.UserUnit) for page in pdf.pages] == [2, 4]
        assert pdf.check_pdf_syntax() == []
    assert source.read_bytes() == before


def test_outline_and_title_of_the_original_stay(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE, "")])
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        with pdf.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem("Chapter", 0))
        pdf.save()
    made = laid_over(source, tmp_path / "made.pdf", PAGE)
    with pikepdf.open(made) as pdf:
        assert str(pdf.docinfo["/Title"]) == "Their title"
        with pdf.open_outline() as outline:
            assert [item.title for item in outline.root] == ["Chapter"]


def encrypted(source: Path, target: Path, user: str, **allowed: bool) -> Path:
    with pikepdf.open(source) as pdf:
        allow = pikepdf.Permissions(**allowed)
        pdf.save(target, encryption=pikepdf.Encryption(owner="owner", user=user, allow=allow))
    return target


def test_a_pdf_with_a_password_is_refused_with_a_remedy(tmp_path: Path) -> None:
    plain = source_pdf(tmp_path / "source.pdf", [(PICTURE, "")])
    locked = encrypted(plain, tmp_path / "locked.pdf", "secret")
    with pytest.raises(ExportError, match="protected") as caught:
        export(locked, tmp_path / "made.pdf", [(PAGE, 0)])
    assert caught.value.remedy
    assert not (tmp_path / "made.pdf").exists()


def test_a_pdf_that_forbids_changes_is_refused_and_one_that_allows_them_is_not(tmp_path: Path) -> None:
    plain = source_pdf(tmp_path / "source.pdf", [(PICTURE, "")])
    forbids = encrypted(plain, tmp_path / "forbids.pdf", "", modify_other=False)
    with pytest.raises(ExportError, match="protected"):
        laid_over(forbids, tmp_path / "made.pdf", PAGE)
    allows = encrypted(plain, tmp_path / "allows.pdf", "", extract=False)
    assert pdfium_text(laid_over(allows, tmp_path / "made.pdf", PAGE))[0].split() == PAGE.text.split()


def test_a_broken_pdf_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4\nand nothing else")
    with pytest.raises(ExportError, match="damaged"):
        export(broken, tmp_path / "made.pdf", [(PAGE, 0)])
    with pytest.raises(ExportError, match="not there"):
        export(tmp_path / "gone.pdf", tmp_path / "made.pdf", [(PAGE, 0)])
    assert list(tmp_path.iterdir()) == [broken]


def test_a_page_that_is_not_in_the_pdf_any_more_is_an_error(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE, "")])
    with pytest.raises(ExportError, match="changed since"):
        export(source, tmp_path / "made.pdf", [(PAGE, 1)])


def test_images_and_pages_of_a_pdf_don_t_make_one_pdf(tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(PICTURE, "")])
    drawn(PAGE).save(tmp_path / "scan.png")
    pages = [
        ExportPage(PAGE, "a", PageSource(source, kind=PageKind.PDF)),
        ExportPage(PAGE, "b", PageSource(tmp_path / "scan.png"), tmp_path / "scan.png"),
    ]
    with pytest.raises(ExportError, match="don't make one PDF"):
        export_pages(pages, tmp_path / "made.pdf", ExportKind.PDF, TextOptions())


def test_the_picture_helper_draws_something(tmp_path: Path) -> None:
    assert np.ptp(rendered(source_pdf(tmp_path / "source.pdf", [(PICTURE, "")]))) > 100
