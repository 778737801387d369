"""Every page becomes an image file that opens by its path: drawn once, whole or not at all, and not too many."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffdesk.core.errors import Cancelled, ImageError, RecogniserError
from diffdesk.documents.images import open_image
from diffdesk.documents.page_images import PageImages
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recogniser import Recogniser
from tests.unit.documents.drawing import corners
from tests.unit.documents.papers import sheet, write_endless_pdf, write_heic, write_locked_pdf, write_pdf, write_tiff

RED, BLUE = (255, 0, 0), (0, 0, 255)
ORIENTATION = 0x0112


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "drawn"


@pytest.fixture
def images(folder: Path, recogniser: Recogniser) -> PageImages:
    return PageImages(folder, recogniser, keep=3)


@pytest.fixture
def book(tmp_path: Path) -> list[PageSource]:
    """The pages of a PDF of six."""
    path = write_pdf(tmp_path / "book.pdf", [sheet(f"Page {number}") for number in range(6)])
    return [PageSource(path, number, 6, PageKind.PDF) for number in range(6)]


def grey(path: Path) -> np.ndarray:
    return np.asarray(open_image(path).convert("L")).astype(int)


# --- which file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".gif", ".tif"])
def test_a_plain_image_is_used_where_it_lies(images: PageImages, folder: Path, tmp_path: Path, suffix: str) -> None:
    corners().save(tmp_path / f"a{suffix}")
    with images.use(PageSource(tmp_path / f"a{suffix}")) as path:
        assert path == tmp_path / f"a{suffix}"
    assert not folder.exists()


def test_a_photo_that_every_viewer_turns_is_used_where_it_lies(images: PageImages, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    corners().save(tmp_path / "photo.jpg", exif=exif)
    with images.use(PageSource(tmp_path / "photo.jpg")) as path:
        assert path == tmp_path / "photo.jpg"


@pytest.mark.parametrize("kind", ["turned", "print colours", "sixteen bits", "clear"])
def test_what_not_every_viewer_shows_alike_is_drawn_as_the_program_reads_it(
    images: PageImages, folder: Path, tmp_path: Path, kind: str
) -> None:
    original = tmp_path / "a.tif"
    if kind == "turned":
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        corners().save(original, exif=exif)
    elif kind == "print colours":
        corners().convert("CMYK").save(original)
    elif kind == "sixteen bits":
        Image.fromarray(np.full((4, 4), 30000, np.uint16)).save(original)
    else:
        Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(original)
    with images.use(PageSource(original)) as path:
        assert path.parent == folder
        with Image.open(path) as drawn:
            assert drawn.format == "PNG"
            assert np.array_equal(np.asarray(drawn.convert("RGB")), np.asarray(open_image(original)))


def test_every_page_of_a_tiff_is_the_right_one(images: PageImages, tmp_path: Path) -> None:
    pages = [sheet(f"Page {number}", (620, 200 + number)) for number in range(3)]
    path = write_tiff(tmp_path / "fax.tif", pages)
    for number, page in enumerate(pages):
        with images.use(PageSource(path, number, 3)) as drawn:
            assert np.array_equal(grey(drawn), np.asarray(page))
            with Image.open(drawn) as stored:
                assert stored.mode == "L"


def test_a_heic_photo_is_drawn_in_its_colours(images: PageImages, tmp_path: Path) -> None:
    path = write_heic(tmp_path / "a.heic", [Image.new("RGB", (64, 64), RED), Image.new("RGB", (64, 64), BLUE)])
    for number, colour in enumerate((RED, BLUE)):
        with images.use(PageSource(path, number, 2)) as drawn:
            found = open_image(drawn).getpixel((30, 30))
            assert isinstance(found, tuple)
            assert max(abs(int(a) - b) for a, b in zip(found, colour, strict=True)) < 12


def test_a_page_of_a_pdf_is_drawn(images: PageImages, book: list[PageSource]) -> None:
    with images.use(book[4]) as drawn:
        there = grey(drawn)
        # 150 dots an inch become 300.
        assert there.shape == (400, 1240)
        wanted = np.asarray(sheet("Page 4").resize((1240, 400))).astype(int)
        assert np.abs(there - wanted).mean() < 4
        assert np.abs(there - np.asarray(sheet("Page 5").resize((1240, 400)))).mean() > np.abs(there - wanted).mean()


def test_thumbnails_fit_their_box(images: PageImages, book: list[PageSource], tmp_path: Path) -> None:
    tiff = write_tiff(tmp_path / "fax.tif", [sheet("a"), Image.new("RGB", (600, 300), BLUE)])
    (tmp_path / "blue.png").write_bytes(images.thumbnail(PageSource(tiff, 1, 2), 160))
    with Image.open(tmp_path / "blue.png") as small:
        assert (small.size, small.getpixel((9, 9))) == ((160, 80), BLUE)
    (tmp_path / "page.png").write_bytes(images.thumbnail(book[0], 160))
    with Image.open(tmp_path / "page.png") as small:
        assert small.size[0] == 160
        assert np.asarray(small.convert("L")).min() < 160


# --- once, and whole --------------------------------------------------------------------------------


def test_a_page_is_drawn_once_also_after_a_restart(
    images: PageImages, folder: Path, recogniser: Recogniser, book: list[PageSource]
) -> None:
    with images.use(book[0]) as first:
        number = first.stat().st_ino
    with images.use(book[0]) as again:
        assert again.stat().st_ino == number
    with PageImages(folder, recogniser).use(book[0]) as later:
        assert (later, later.stat().st_ino) == (first, number)


def test_a_changed_file_is_drawn_anew(images: PageImages, book: list[PageSource]) -> None:
    with images.use(book[0]) as before:
        old = grey(before)
    write_pdf(book[0].path, [sheet("Another text")])
    with images.use(book[0]) as after:
        assert after != before
        assert not np.array_equal(grey(after), old)


def test_threads_that_want_the_same_page_get_one_file(images: PageImages, folder: Path, book: list[PageSource]) -> None:
    def wanted(number: int) -> tuple[Path, int]:
        with images.use(book[number % 2]) as path:
            return path, int(grey(path).sum())

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(wanted, range(16)))
    assert len(found) == 2
    assert sorted(folder.iterdir()) == sorted(path for path, _ in found)


def test_what_was_left_of_a_killed_run_goes_and_whole_files_stay(
    images: PageImages, folder: Path, recogniser: Recogniser, book: list[PageSource]
) -> None:
    with images.use(book[0]) as whole:
        (folder / "half.part").write_bytes(b"\x89PNG")
    with PageImages(folder, recogniser).use(book[0]):
        assert list(folder.iterdir()) == [whole]


def test_a_drawing_that_fails_or_is_cancelled_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    hasty = Recogniser(page_seconds=5)
    images = PageImages(folder, hasty)
    endless = PageSource(write_endless_pdf(tmp_path / "endless.pdf"), 0, 1, PageKind.PDF)
    with pytest.raises(ImageError, match="takes too long to draw"), images.use(endless):
        pass
    locked = PageSource(write_locked_pdf(tmp_path / "locked.pdf"), 0, 1, PageKind.PDF)
    with pytest.raises(ImageError, match="password"), images.use(locked):
        pass
    answers = iter([False, True])
    with pytest.raises(Cancelled), images.use(endless, lambda: next(answers)):
        pass
    assert list(folder.iterdir()) == []
    hasty.close()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_crash_while_a_page_is_drawn_is_told_and_the_next_page_works(
    images: PageImages, folder: Path, recogniser: Recogniser, book: list[PageSource], tmp_path: Path
) -> None:
    endless = PageSource(write_endless_pdf(tmp_path / "endless.pdf"), 0, 1, PageKind.PDF)
    asked = 0

    def crash() -> bool:
        nonlocal asked
        asked += 1
        # The first question comes before the request is sent.
        if asked == 2 and recogniser.process_id is not None:
            os.kill(recogniser.process_id, signal.SIGSEGV)
        return False

    with pytest.raises(RecogniserError) as caught, images.use(endless, crash):
        pass
    assert caught.value.title == "The PDF reader crashed"
    assert "Page 1 of endless.pdf" in caught.value.text
    with images.use(book[0]) as path:
        assert list(folder.iterdir()) == [path]


def test_a_page_that_is_gone_and_a_folder_that_cant_be_made_are_told(
    recogniser: Recogniser, book: list[PageSource], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ImageError) as caught, PageImages(tmp_path / "file", recogniser).use(book[0]):
        pass
    assert caught.value.title == "The picture of the page can't be written"
    book[0].path.unlink()
    with pytest.raises(ImageError, match="not there"), PageImages(tmp_path / "drawn", recogniser).use(book[0]):
        pass


# --- not too many -----------------------------------------------------------------------------------


def test_the_pages_used_last_are_kept(images: PageImages, folder: Path, book: list[PageSource]) -> None:
    paths = []
    for source in (book[0], book[1], book[2], book[0], book[3]):
        with images.use(source) as path:
            paths.append(path)
    assert sorted(folder.iterdir()) == sorted({paths[0], paths[2], paths[4]})


def test_a_page_in_use_never_goes(images: PageImages, folder: Path, book: list[PageSource]) -> None:
    with ExitStack() as users:
        paths = [users.enter_context(images.use(source)) for source in book]
        with images.use(book[0]):
            pass
        assert sorted(folder.iterdir()) == sorted(paths)
    assert len(list(folder.iterdir())) == 3
