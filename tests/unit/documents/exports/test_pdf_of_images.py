"""Searchable PDFs of images: the image as it is, and its words unseen where they stand."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pikepdf
import pytest
from make_invisible_font import TARGET, font_file
from PIL import Image, ImageCms

from diffdesk.core.errors import ExportError, ImageError
from diffdesk.documents.exports.export_page import ExportKind, ExportPage, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.exports.image_pdf import ImagePdf, font_data
from diffdesk.documents.exports.jpeg_data import picture_alone
from diffdesk.documents.exports.placing import page_of_text, placed
from diffdesk.documents.images import open_image
from diffdesk.documents.page_source import PageSource
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord
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
)

BLOCKS = (("A quick brown fox", "jumps over a lazy", "dog: 1 or 2."), ("Second para-", "graph, I say."))
PAGE = page_of(BLOCKS)
TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
"""How an image is turned so that it must be turned back clockwise by so many degrees."""


def export(target: Path, *pages: tuple[RecognisedPage, Path]) -> Path:
    """A PDF made in this very process, where that is quicker."""
    with target.open("wb") as file:
        pdf = ImagePdf(file, target.stem)
        for page, image in pages:
            pdf.add(page, image)
        pdf.finish()
    return target


def export_in_child(target: Path, *pages: tuple[RecognisedPage, Path]) -> Path:
    made = (ExportPage(page, image.name, PageSource(image), image) for page, image in pages)
    return export_pages(made, target, ExportKind.PDF, TextOptions())


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@dataclass(frozen=True)
class Held:
    """An image as the PDF holds it."""

    data: bytes
    filtered: str
    colours: str
    bits: int


def image_in(path: Path) -> Held:
    with pikepdf.open(path) as pdf:
        (image,) = pdf.pages[0].obj.Resources.XObject.as_dict().values()
        names = (str(image.Filter), str(image.ColorSpace), int(image.BitsPerComponent))
        return Held(image.read_raw_bytes(), *names)


# --- text -------------------------------------------------------------------------------------------


def test_words_lie_where_they_stand_on_the_image(tmp_path: Path) -> None:
    made = export(tmp_path / "made.pdf", (PAGE, saved(tmp_path / "scan.png", drawn(PAGE))))
    assert_words_lie_there(list(pdfium_words(made, 0, PAGE)), PAGE)
    assert pdfium_text(made)[0].split() == PAGE.text.split()


@needs_poppler
def test_poppler_finds_the_words_there_too_with_spaces_and_lines(tmp_path: Path) -> None:
    made = export(tmp_path / "made.pdf", (PAGE, saved(tmp_path / "scan.png", drawn(PAGE))))
    assert_words_lie_there(poppler_words(made, 0, PAGE), PAGE)
    lines = [line for line in poppler_text(made).replace("\f", "").split("\n") if line]
    assert lines == ["A quick brown fox", "jumps over a lazy", "dog: 1 or 2.", "Second paragraph, I say."]


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_page_that_lay_on_its_side_stands_upright_in_the_pdf(tmp_path: Path, turned: int) -> None:
    upright = drawn(PAGE)
    image = saved(tmp_path / "scan.png", upright.transpose(TURNS[turned]), dpi=(72, 72))
    made = export(tmp_path / "made.pdf", (replace(PAGE, turned=turned), image))
    assert_words_lie_there(list(pdfium_words(made, 0, PAGE)), PAGE)
    assert np.abs(rendered(made) - np.asarray(upright, np.int16)).mean() < 1


def test_nothing_is_drawn_over_the_image(tmp_path: Path) -> None:
    image = saved(tmp_path / "scan.png", drawn(PAGE))
    with_text = export(tmp_path / "a.pdf", (PAGE, image))
    without = export(tmp_path / "b.pdf", (replace(PAGE, lines=()), image))
    assert (rendered(with_text, scale=3) == rendered(without, scale=3)).all()


def test_a_corrected_word_is_found_in_the_place_of_the_wrong_one(tmp_path: Path) -> None:
    page = placed(PAGE, PAGE.text.replace("quick", "quiet").replace("over a", "over the very"))
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(PAGE))))
    words = dict(pdfium_words(made, 0, PAGE))
    wanted = PAGE.lines[0].words[1].box
    assert max(abs(a - b) for a, b in zip(words["quiet"], wanted, strict=True)) <= 3
    assert pdfium_text(made)[0].split() == page.text.split()


@needs_poppler
def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = page_of([["the first column of", "this page has several", "lines of its own"]])
    right = tuple(
        replace(
            line,
            block=1,
            box=(line.box[0] + 450, line.box[1], line.box[2] + 450, line.box[3]),
            words=tuple(replace(w, box=(w.box[0] + 450, w.box[1], w.box[2] + 450, w.box[3])) for w in line.words),
        )
        for line in page_of([["and here the second", "column stands beside", "it with its lines"]]).lines
    )
    page = replace(left, lines=left.lines + right)
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    assert poppler_text(made).split() == page.text.split()
    assert pdfium_text(made)[0].split() == page.text.split()


def test_words_that_touch_are_still_two_words(tmp_path: Path) -> None:
    words = (RecognisedWord("of", (50, 50, 90, 100), 0.9), RecognisedWord("the", (90, 50, 150, 100), 0.9))
    page = RecognisedPage(300, 200, (RecognisedLine("of the", (50, 50, 150, 100), 0.9, words),))
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    assert pdfium_text(made) == ["of the"]
    assert_words_lie_there(list(pdfium_words(made, 0, page)), page)


@needs_poppler
def test_characters_that_stand_apart_but_have_no_space_between_them_are_one_word(tmp_path: Path) -> None:
    words = tuple(RecognisedWord(one, (50 + 34 * at, 50, 80 + 34 * at, 90), 0.9) for at, one in enumerate("新聞を読"))
    page = RecognisedPage(300, 200, (RecognisedLine("新聞を読", (50, 50, 182, 90), 0.9, words),))
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    assert poppler_text(made).strip("\n\f") == "新聞を読"
    assert pdfium_text(made) == ["新聞を読"]


def test_words_of_another_size_at_the_end_of_a_row_keep_their_places(tmp_path: Path) -> None:
    words = (RecognisedWord("TOTAL", (50, 70, 150, 100), 0.9), RecognisedWord("9.00", (400, 50, 520, 110), 0.9))
    page = RecognisedPage(600, 200, (RecognisedLine("TOTAL 9.00", (50, 50, 520, 110), 0.9, words),))
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    assert_words_lie_there(list(pdfium_words(made, 0, page)), page)


@needs_poppler
def test_words_whose_boxes_only_enclose_their_letters_stay_on_one_line(tmp_path: Path) -> None:
    words = tuple(
        RecognisedWord(text, box, 0.9)
        for text, box in (("one", (50, 62, 100, 90)), ("dog", (115, 50, 170, 100)), ("is", (190, 52, 210, 90)))
    )
    page = RecognisedPage(300, 200, (RecognisedLine("one dog is", (50, 50, 210, 100), 0.9, words),))
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    assert poppler_text(made).strip("\n\f") == "one dog is"


@pytest.mark.parametrize(
    "text",
    [
        "naïve Œuvre ẞ",
        "Ελλάδα Москва",
        "𐎀𐎁𐎂 🙂 x",
        "a\u0301bc e\u0323\u0301f",
        "fi ﬁ ﬃ",
        "(a) [b] <c> \\d/",
        "日本語 です",
    ],
)
def test_any_character_is_read_back(tmp_path: Path, text: str) -> None:
    page = page_of([[text]])
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    # PDFium takes ligatures apart, as it would with those of any font.
    assert pdfium_text(made)[0].split() == re.sub("[ﬁﬃ]", lambda one: normalize("NFKC", one[0]), text).split()


@needs_poppler
@pytest.mark.parametrize("text", ["naïve Œuvre ẞ", "𐎀𐎁𐎂 🙂 x", "a\u0301bc e\u0323\u0301f", "日本語 です"])
def test_any_character_is_read_back_by_poppler(tmp_path: Path, text: str) -> None:
    page = page_of([[text]])
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    assert poppler_text(made).split() == text.split()


@needs_poppler
@pytest.mark.parametrize("text", ["שלום", "שלום 12.5", "مرحبا"])
def test_text_from_right_to_left_is_read_back_in_its_order(tmp_path: Path, text: str) -> None:
    words, right = [], 600
    for word in text.split():
        words.append(RecognisedWord(word, (right - 100, 50, right, 90), 0.9))
        right -= 120
    page = RecognisedPage(700, 200, (RecognisedLine(text, (right + 20, 50, 600, 90), 0.9, tuple(words)),))
    made = export(tmp_path / "made.pdf", (page, saved(tmp_path / "scan.png", drawn(page))))
    marks = "\u200e\u200f\u202a\u202b\u202c"
    found = poppler_text(made).translate(dict.fromkeys(map(ord, marks)))
    assert found.split() == text.split()
    assert sorted("".join(pdfium_text(made)[0].split())) == sorted("".join(text.split()))


# --- images -----------------------------------------------------------------------------------------


def test_a_jpeg_stays_as_it_is_but_for_what_the_camera_wrote(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera of mine"
    image = saved(tmp_path / "scan.jpg", drawn(PAGE), quality=80, exif=exif, dpi=(200, 200))
    made = export(tmp_path / "made.pdf", (PAGE, image))
    held = image_in(made)
    assert held.filtered == "/DCTDecode"
    assert held.data == picture_alone(image.read_bytes())
    assert b"camera" not in made.read_bytes()
    again = Image.open(io.BytesIO(held.data))
    assert (np.asarray(again) == np.asarray(Image.open(image))).all()
    with pikepdf.open(made) as pdf:
        assert [float(edge) for edge in pdf.pages[0].mediabox.as_list()] == [0, 0, 900 * 72 / 200, 700 * 72 / 200]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("turned", [0, 90])
def test_a_photo_stands_as_its_camera_and_the_page_say(tmp_path: Path, orientation: int, turned: int) -> None:
    shape = np.zeros((60, 90, 3), np.uint8)
    shape[:30, :45] = (200, 30, 30)
    shape[30:, :45] = (30, 200, 30)
    shape[:30, 45:] = (30, 30, 200)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = saved(tmp_path / "photo.jpg", Image.fromarray(shape), quality=95, exif=exif, dpi=(72, 72))
    upright = open_image(image)
    if turned:
        upright = upright.transpose(Image.Transpose.ROTATE_270)
    page = RecognisedPage(*upright.size, (), turned)
    made = export(tmp_path / "made.pdf", (page, image))
    assert image_in(made).data == picture_alone(image.read_bytes())
    seen = rendered(made)
    assert seen.shape[:2] == upright.size[::-1]
    assert np.abs(seen - np.asarray(upright, np.int16)).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixels_looks_the_same_in_the_pdf(tmp_path: Path, mode: str) -> None:
    grey = np.tile(np.linspace(0, 255, 120, dtype=np.uint8), (80, 1))
    colour = np.stack([grey, grey[:, ::-1], np.roll(grey, 40, 1)], 2)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = (Image.fromarray(grey) if mode in {"1", "L"} else Image.fromarray(colour)).convert(mode)
    suffix = ".tif" if mode == "CMYK" else ".png"
    path = saved(tmp_path / f"image{suffix}", image, dpi=(72, 72))
    made = export(tmp_path / "made.pdf", (RecognisedPage(120, 80, ()), path))
    assert np.abs(rendered(made) - np.asarray(open_image(path), np.int16)).mean() < 3
    held = image_in(made)
    if mode in {"1", "L", "I;16"}:
        assert (held.colours, held.bits) == ("/DeviceGray", 1 if mode == "1" else 8)


def test_the_colour_profile_of_a_jpeg_is_kept_once_for_all_pages(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = saved(tmp_path / "scan.jpg", drawn(PAGE), icc_profile=profile)
    grey = saved(tmp_path / "grey.jpg", drawn(PAGE).convert("L"), icc_profile=profile)
    made = export(tmp_path / "made.pdf", (PAGE, image), (PAGE, image), (PAGE, grey))
    with pikepdf.open(made) as pdf:
        spaces = [page.obj.Resources.XObject.Picture.ColorSpace for page in pdf.pages]
        assert spaces[0][1].read_bytes() == profile
        assert spaces[0][1].objgen == spaces[1][1].objgen
        # A profile for other colours than the picture's is of no use.
        assert spaces[2] == pikepdf.Name.DeviceGray


def test_a_photo_that_is_no_jpeg_becomes_one(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    made = export(tmp_path / "m.pdf", (RecognisedPage(200, 200, ()), saved(tmp_path / "p.png", Image.fromarray(noise))))
    assert image_in(made).filtered == "/DCTDecode"


@pytest.mark.parametrize("dpi", [(1, 1), (49, 49), (5000, 5000), None])
def test_a_resolution_that_no_scanner_has_is_not_believed(tmp_path: Path, dpi: tuple[int, int] | None) -> None:
    options = {"dpi": dpi} if dpi else {}
    made = export(tmp_path / "made.pdf", (PAGE, saved(tmp_path / "scan.png", drawn(PAGE), **options)))
    with pikepdf.open(made) as pdf:
        assert [float(edge) for edge in pdf.pages[0].mediabox.as_list()] == [0, 0, 216, 168]


def test_a_huge_drawing_stays_within_what_viewers_show(tmp_path: Path) -> None:
    image = saved(tmp_path / "scan.png", Image.new("1", (20_000, 40), 1), dpi=(60, 60))
    made = export(tmp_path / "made.pdf", (RecognisedPage(20_000, 40, ()), image))
    with pikepdf.open(made) as pdf:
        assert float(pdf.pages[0].mediabox.as_list()[2]) == 14_400


# --- the file ---------------------------------------------------------------------------------------


def test_the_file_is_whole_by_the_book(tmp_path: Path) -> None:
    image = saved(tmp_path / "scan.png", drawn(PAGE))
    made = export_in_child(tmp_path / "Bericht für Ötz.pdf", (PAGE, image), (replace(PAGE, lines=()), image))
    with pikepdf.open(made) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert str(pdf.docinfo["/Title"]) == "Bericht für Ötz"
        assert len(pdf.pages) == 2


def test_the_font_is_the_one_that_its_script_makes() -> None:
    assert font_file() == font_data() == TARGET.read_bytes()


def test_a_broken_image_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "scan.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(ImageError, match=r"scan\.png"):
        export_in_child(tmp_path / "made.pdf", (PAGE, broken))
    assert list(tmp_path.iterdir()) == [broken]


def test_a_jpeg_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path / "scan.jpg", drawn(PAGE)).read_bytes()
    (tmp_path / "scan.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError):
        export(tmp_path / "made.pdf", (PAGE, tmp_path / "scan.jpg"))


def test_text_without_an_image_makes_no_pdf(tmp_path: Path) -> None:
    page = ExportPage(page_of_text("some text"), "notes")
    with pytest.raises(ExportError, match="without an image"):
        export_pages([page], tmp_path / "made.pdf", ExportKind.PDF, TextOptions())
    with pytest.raises(ExportError, match="at least one page"):
        export_pages([], tmp_path / "made.pdf", ExportKind.PDF, TextOptions())
    assert list(tmp_path.iterdir()) == []
