"""Pages of PDFs are drawn in the child process: as a viewer shows them, within bounds, whatever is in the file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pikepdf
import psutil
import pytest
from PIL import Image

from diffdesk.core.errors import ImageError, RecogniserError, UserError
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recogniser import Recogniser
from tests.unit.documents.drawing import corners, two_columns
from tests.unit.documents.papers import mutated, sheet, write_blank_pdf, write_pdf

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def recogniser() -> Iterator[Recogniser]:
    made = Recogniser(idle_seconds=600, page_seconds=20)
    yield made
    made.close()


def drawn(recogniser: Recogniser, path: Path, number: int = 0) -> Image.Image:
    target = path.with_suffix(".drawn.png")
    recogniser.draw_page(PageSource(path, number, number + 1, PageKind.PDF), target)
    with Image.open(target) as image:
        image.load()
        return image


def test_a_scan_is_drawn_at_three_hundred_dots_an_inch(recogniser: Recogniser, tmp_path: Path) -> None:
    page = sheet("A scan of three hundred", (1240, 400))
    image = drawn(recogniser, write_pdf(tmp_path / "scan.pdf", [page], 300))
    assert (image.size, image.mode) == ((1240, 400), "L")
    assert np.abs(np.asarray(image).astype(int) - np.asarray(page)).mean() < 2


def test_colours_stay_and_greys_are_stored_as_such(recogniser: Recogniser, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "two.pdf", [corners().resize((300, 150)), two_columns()])
    assert drawn(recogniser, path).mode == "RGB"
    found = drawn(recogniser, path).getpixel((20, 20))
    assert isinstance(found, tuple)
    assert found[0] > 240
    assert max(found[1:]) < 15
    assert drawn(recogniser, path, 1).mode == "L"


def test_a_page_is_turned_and_cropped_as_a_viewer_shows_it(recogniser: Recogniser, tmp_path: Path) -> None:
    write_pdf(tmp_path / "a.pdf", [corners().resize((400, 200))], 100)
    with pikepdf.open(tmp_path / "a.pdf") as document:
        document.pages[0].Rotate = 90
        # The left quarter is cut off: of the red half one half is left.
        document.pages[0].CropBox = pikepdf.Array([72, 0, 288, 144])
        document.save(tmp_path / "turned.pdf")
    image = drawn(recogniser, tmp_path / "turned.pdf")
    assert image.size == (600, 900)
    top, below = image.getpixel((300, 200)), image.getpixel((300, 400))
    assert isinstance(top, tuple)
    assert isinstance(below, tuple)
    assert top[0] > 240
    assert below[2] > 240


def test_what_is_filled_into_a_form_is_drawn(recogniser: Recogniser, tmp_path: Path) -> None:
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(300, 100))
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        field = document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot,
                Subtype=pikepdf.Name.Widget,
                FT=pikepdf.Name.Tx,
                T="name",
                V="Ada Lovelace",
                DA="/F 24 Tf 0 g",
                Rect=[20, 20, 280, 70],
                F=4,
            )
        )
        document.pages[0].Annots = pikepdf.Array([field])
        document.Root.AcroForm = pikepdf.Dictionary(
            Fields=[field], NeedAppearances=True, DA="/F 24 Tf 0 g", DR=pikepdf.Dictionary(Font={"/F": font})
        )
        document.save(tmp_path / "form.pdf")
    ink = np.asarray(drawn(recogniser, tmp_path / "form.pdf").convert("L")) < 100
    assert ink.sum() > 500


@pytest.mark.parametrize(
    ("size", "wanted"), [((14400, 14400), (5000, 5000)), ((100, 20_000), (100, 20_000)), ((300, 200), (1250, 834))]
)
def test_large_pages_are_drawn_within_bounds(
    recogniser: Recogniser, tmp_path: Path, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    assert drawn(recogniser, write_blank_pdf(tmp_path / "large.pdf", *size)).size == wanted


@pytest.mark.parametrize("size", [(1e7, 1e7), (0.5, 500), (50_000, 5)])
def test_a_size_that_makes_no_sense_is_refused(
    recogniser: Recogniser, tmp_path: Path, size: tuple[float, float]
) -> None:
    path = write_blank_pdf(tmp_path / "absurd.pdf", *size)
    assert recogniser.count_pages(path) == 1
    source = PageSource(path, 0, 1, PageKind.PDF)
    for work in (
        lambda: recogniser.draw_page(source, tmp_path / "a.png"),
        lambda: recogniser.page_thumbnail(source, 9),
    ):
        with pytest.raises(ImageError, match="a size that makes no sense"):
            work()
    assert not (tmp_path / "a.png").exists()


def test_a_pdf_that_claims_more_pages_than_any_has_is_refused(recogniser: Recogniser, tmp_path: Path) -> None:
    with pikepdf.open(write_pdf(tmp_path / "a.pdf", [sheet("one")])) as document:
        document.save(tmp_path / "plain.pdf", object_stream_mode=pikepdf.ObjectStreamMode.disable)
    lying = (tmp_path / "plain.pdf").read_bytes().replace(b"/Count 1", b"/Count 90000")
    (tmp_path / "lying.pdf").write_bytes(lying)
    with pytest.raises(ImageError, match="damaged") as caught:
        recogniser.count_pages(tmp_path / "lying.pdf")
    assert "90000" in caught.value.details


def test_a_page_that_is_broken_or_not_there_leaves_the_others_whole(recogniser: Recogniser, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "three.pdf", [sheet("one"), sheet("two"), sheet("three")])
    with pikepdf.open(path) as document:
        kids = document.Root.Pages.Kids
        kids[1] = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Font))
        document.save(tmp_path / "torn.pdf")
    torn = tmp_path / "torn.pdf"
    assert recogniser.count_pages(torn) == 3
    assert drawn(recogniser, torn, 2).size == (1240, 400)
    for number in (1, 7):
        with pytest.raises(ImageError) as caught:
            drawn(recogniser, torn, number)
        assert caught.value.title in {"The page is damaged", "The page has a size that makes no sense"}


def test_a_drawing_that_cant_be_written_is_told(recogniser: Recogniser, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [sheet("one")])
    with pytest.raises(ImageError, match="can't be written"):
        recogniser.draw_page(PageSource(path, 0, 1, PageKind.PDF), tmp_path / "nowhere" / "a.png")


def test_pages_are_upright_and_read_after_they_were_drawn(recogniser: Recogniser, tmp_path: Path) -> None:
    """A scanner's PDF: the page stands on its head in the file, and nothing says so."""
    upside_down = sheet("The page stands on its head", (1100, 200)).transpose(Image.Transpose.ROTATE_180)
    drawn(recogniser, write_pdf(tmp_path / "a.pdf", [upside_down])).save(tmp_path / "a.png")
    found = recogniser.recognise(tmp_path / "a.png")
    assert (found.text, found.turned) == ("The page stands on its head", 180)


@pytest.mark.slow
def test_memory_stays_flat_over_three_hundred_pages(recogniser: Recogniser, tmp_path: Path) -> None:
    pages = [sheet(f"Page {number}", (1240, 1754)) for number in range(300)]
    path = write_pdf(tmp_path / "book.pdf", pages)
    assert recogniser.count_pages(path) == 300
    used = []
    for number in range(300):
        recogniser.page_thumbnail(PageSource(path, number, 300, PageKind.PDF), 160)
        if number % 10 == 0:
            recogniser.draw_page(PageSource(path, number, 300, PageKind.PDF), tmp_path / "a.png")
        assert recogniser.process_id is not None
        used.append(psutil.Process(recogniser.process_id).memory_info().rss)
    # The first pages load what later ones use again.
    assert max(used[150:]) - max(used[:30]) < 20 * MEGABYTE


def test_no_broken_pdf_reaches_the_program_as_a_crash(recogniser: Recogniser, tmp_path: Path) -> None:
    chance = random.Random(5)
    with pikepdf.open(write_pdf(tmp_path / "whole.pdf", [sheet("one", (62, 20)), corners()])) as document:
        document.save(tmp_path / "packed.pdf", object_stream_mode=pikepdf.ObjectStreamMode.generate)
    wholes = [(tmp_path / name).read_bytes() for name in ("whole.pdf", "packed.pdf")]
    path = tmp_path / "broken.pdf"
    errors: list[UserError] = []
    for number in range(200):
        path.write_bytes(mutated(wholes[number % 2], chance))
        # A crash of the child would be an error of the page, and is allowed; anything else fails by itself.
        try:
            recogniser.count_pages(path)
            recogniser.draw_page(PageSource(path, 0, 1, PageKind.PDF), tmp_path / "a.png")
        except (ImageError, RecogniserError) as error:
            errors.append(error)
    assert 20 < len(errors) < 180
    assert all(error.text and error.remedy for error in errors)
