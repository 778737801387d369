"""Pages are found in files and folders, in the order people expect, and what is broken stops nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, TiffImagePlugin

from diffdesk.core.errors import Cancelled, UserError
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recogniser import Recogniser
from diffdesk.documents.sources import Refused, find_pages
from tests.unit.documents.drawing import animation, corners, png_that_claims
from tests.unit.documents.papers import sheet, write_heic, write_locked_pdf, write_pdf, write_tiff


def names(found: Sequence[PageSource | Refused]) -> list[str]:
    return [one.name if isinstance(one, PageSource) else f"{one.path.name}: {one.error.title}" for one in found]


def refused(path: Path, recogniser: Recogniser) -> UserError:
    [found] = find_pages([path], recogniser)
    assert isinstance(found, Refused)
    assert found.error.text
    assert found.error.remedy
    return found.error


# --- files and their pages --------------------------------------------------------------------------


def test_each_file_gives_its_pages_in_the_order_given(recogniser: Recogniser, tmp_path: Path) -> None:
    pages = [sheet(f"Page {number}") for number in range(3)]
    corners().save(tmp_path / "z.png")
    files = [
        tmp_path / "z.png",
        write_tiff(tmp_path / "fax.tif", pages[:2]),
        write_pdf(tmp_path / "book.pdf", pages),
        write_heic(tmp_path / "burst.heic", [corners().resize((64, 64))] * 2),
        animation(tmp_path / "moving.gif", [(255, 0, 0), (0, 0, 255)], 100),
    ]
    found = list(find_pages(files, recogniser))
    assert names(found) == [
        "z.png",
        "fax.tif, page 1 of 2",
        "fax.tif, page 2 of 2",
        "book.pdf, page 1 of 3",
        "book.pdf, page 2 of 3",
        "book.pdf, page 3 of 3",
        "burst.heic, page 1 of 2",
        "burst.heic, page 2 of 2",
        "moving.gif",
    ]
    assert found[0] == PageSource(tmp_path / "z.png")
    assert found[4] == PageSource(tmp_path / "book.pdf", 1, 3, PageKind.PDF)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".gif", ".tif"])
def test_every_kind_of_image_is_one_page(recogniser: Recogniser, tmp_path: Path, suffix: str) -> None:
    corners().save(tmp_path / f"a{suffix}")
    assert list(find_pages([tmp_path / f"a{suffix}"], recogniser)) == [PageSource(tmp_path / f"a{suffix}")]


def test_smaller_copies_in_a_tiff_are_no_pages(recogniser: Recogniser, tmp_path: Path) -> None:
    small = TiffImagePlugin.ImageFileDirectory_v2()
    small[254] = 1
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "a.tif"), True) as file:
        for page, tags in ((sheet("one"), None), (sheet("one", (62, 20)), small), (sheet("two"), None)):
            page.save(file, "TIFF", **({"tiffinfo": tags} if tags else {}))
            file.newFrame()
    assert names(list(find_pages([tmp_path / "a.tif"], recogniser))) == ["a.tif, page 1 of 2", "a.tif, page 2 of 2"]


def test_contents_decide_and_not_names(recogniser: Recogniser, tmp_path: Path) -> None:
    corners().save(tmp_path / "scan.pdf", "PNG")
    write_pdf(tmp_path / "book.png", [sheet("a"), sheet("b")])
    # Mail programs put lines of their own before a PDF.
    (tmp_path / "mail.pdf").write_bytes(b"\r\n\r\nattached:\r\n" + (tmp_path / "book.png").read_bytes())
    found = list(find_pages([tmp_path / "scan.pdf", tmp_path / "book.png", tmp_path / "mail.pdf"], recogniser))
    kinds = [one.kind for one in found if isinstance(one, PageSource)]
    assert kinds == [PageKind.IMAGE, *[PageKind.PDF] * 4]


def test_a_name_that_is_no_text_is_no_obstacle(recogniser: Recogniser, tmp_path: Path) -> None:
    if sys.platform in {"win32", "darwin"}:
        pytest.skip("names are always text there")
    path = tmp_path / os.fsdecode(b"caf\xe9.pdf")
    path.write_bytes(write_pdf(tmp_path / "a.pdf", [sheet("a")]).read_bytes())
    assert list(find_pages([path], recogniser)) == [PageSource(path, 0, 1, PageKind.PDF)]


# --- folders ----------------------------------------------------------------------------------------


def test_a_folder_is_searched_to_any_depth_in_natural_order(recogniser: Recogniser, tmp_path: Path) -> None:
    for name in ("b10.png", "B2.JPG", "b1.tiff", "part 10/x.png", "part 9/deep/er/y.webp", "part 9/z.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        corners().save(tmp_path / name)
    for name in ("notes.txt", ".hidden.png", ".cache/a.png", "part 9/Thumbs.db", "._b1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("not a page")
    found = [one.path.relative_to(tmp_path).as_posix() for one in find_pages([tmp_path], recogniser)]
    assert found == ["b1.tiff", "B2.JPG", "b10.png", "part 9/z.bmp", "part 9/deep/er/y.webp", "part 10/x.png"]


def test_what_is_offered_twice_is_taken_once(recogniser: Recogniser, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        corners().save(tmp_path / name)
    found = list(find_pages([tmp_path / "b.png", tmp_path, tmp_path / "b.png"], recogniser))
    assert names(found) == ["b.png", "a.png"]


def test_a_folder_without_pages_is_told_with_what_to_do(recogniser: Recogniser, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("Dear Sir")
    for name in ("empty", "texts"):
        error = refused(tmp_path / name, recogniser)
        assert error.title == "No pages in this folder"
        assert "PDF" in error.text


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_links_to_folders_lead_nowhere_and_links_to_files_are_taken(recogniser: Recogniser, tmp_path: Path) -> None:
    corners().save(tmp_path / "a.png")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "back").symlink_to(tmp_path)
    (inside / "b.png").symlink_to(tmp_path / "a.png")
    (inside / "lost.png").symlink_to(tmp_path / "gone.png")
    found = list(find_pages([inside], recogniser))
    assert names(found) == ["b.png", "lost.png: The file is not there"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of Windows are made otherwise")
def test_a_folder_that_may_not_be_read_is_told_and_the_others_are_taken(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    corners().save(tmp_path / "open" / "a.png")
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut").chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    code = (
        "import os, sys; from pathlib import Path; from PIL import Image\n"
        "from diffdesk.documents.recogniser import Recogniser; from diffdesk.documents.sources import find_pages\n"
        "Image.preinit()\n"  # what is loaded later may not be readable
        "if not os.geteuid(): os.setuid(65534)\n"
        "for one in find_pages([Path(sys.argv[1])], Recogniser()): print(one.path.name, hasattr(one, 'error'))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["a.png False", "shut True"]


# --- what can't be used -----------------------------------------------------------------------------


def test_every_wrong_file_has_an_error_of_its_own(recogniser: Recogniser, tmp_path: Path) -> None:
    (tmp_path / "letter.pdf").write_text("Dear Sir or Madam")
    assert refused(tmp_path / "letter.pdf", recogniser).title == "Not a PDF"
    (tmp_path / "letter.png").write_text("Dear Sir or Madam")
    assert refused(tmp_path / "letter.png", recogniser).title == "Not an image"
    for name in ("empty.pdf", "empty.png"):
        (tmp_path / name).touch()
        assert refused(tmp_path / name, recogniser).title == "The file is empty"
    assert refused(tmp_path / "gone.pdf", recogniser).title == "The file is not there"
    assert refused(Path("with\0null.png"), recogniser).title == "The file can't be read"
    locked = refused(write_locked_pdf(tmp_path / "locked.pdf"), recogniser)
    assert locked.title == "The PDF is locked with a password"
    assert "without one" in locked.remedy
    whole = write_pdf(tmp_path / "whole.pdf", [sheet("a")]).read_bytes()
    (tmp_path / "cut.pdf").write_bytes(whole[: len(whole) // 2])
    assert refused(tmp_path / "cut.pdf", recogniser).title == "The PDF is damaged"
    (tmp_path / "head.pdf").write_bytes(b"%PDF-1.7\n")
    assert refused(tmp_path / "head.pdf", recogniser).title == "The PDF is damaged"
    bomb = png_that_claims(tmp_path / "bomb.png", 60_000, 50_000)
    assert refused(bomb, recogniser).title == "The image is too large"
    heic = write_heic(tmp_path / "a.heic", [corners().resize((64, 64))]).read_bytes()
    (tmp_path / "cut.heic").write_bytes(heic[: len(heic) // 3])
    assert refused(tmp_path / "cut.heic", recogniser).title == "The image is damaged"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_three_hundred_broken_files_give_an_error_each_and_the_whole_ones_their_pages(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    chance = random.Random(11)
    pdf = write_pdf(tmp_path / "page.pdf", [sheet("a")]).read_bytes()
    (tmp_path / "page.pdf").unlink()
    heads = {
        ".png": b"\x89PNG\r\n\x1a\n",
        ".jpg": b"\xff\xd8\xff\xe0",
        ".tif": b"II*\0",
        ".webp": b"RIFF\x10\0\0\0WEBP",
        ".bmp": b"BM",
        ".gif": b"GIF89a",
        ".heic": b"\0\0\0\x18ftypheic",
    }
    suffixes = [*heads, ".pdf"]
    for number in range(300):
        suffix = suffixes[number % len(suffixes)]
        kind = number // len(suffixes) % 3
        noise = chance.randbytes(chance.randint(1, 3000))
        if kind == 0:
            data = noise
        elif suffix == ".pdf":
            data = pdf[: chance.randint(9, len(pdf) // 2)] if kind == 1 else b"%PDF-1.7\n" + noise
        else:
            data = heads[suffix] + noise[: 20 * kind]
        (tmp_path / f"broken {number}{suffix}").write_bytes(data)
    for number in range(3):
        corners().save(tmp_path / f"whole {number}.png")
    found = list(find_pages([tmp_path], recogniser))
    wrong = [one for one in found if isinstance(one, Refused)]
    assert names([one for one in found if isinstance(one, PageSource)]) == [
        f"whole {number}.png" for number in range(3)
    ]
    assert sorted(one.path.name for one in wrong) == sorted(
        f"broken {number}{suffixes[number % 8]}" for number in range(300)
    )
    assert all(one.error.title and one.error.text and one.error.remedy for one in wrong)


# --- cancelling -------------------------------------------------------------------------------------


def test_a_search_ends_between_two_files(recogniser: Recogniser, tmp_path: Path) -> None:
    for number in range(10):
        corners().save(tmp_path / f"{number}.png")
    is_enough = False
    found = find_pages([tmp_path], recogniser, lambda: is_enough)
    assert names([next(found), next(found)]) == ["0.png", "1.png"]
    is_enough = True
    with pytest.raises(Cancelled):
        next(found)


def test_a_search_ends_while_pages_are_counted(recogniser: Recogniser, tmp_path: Path) -> None:
    write_pdf(tmp_path / "a.pdf", [sheet("a")])
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        list(find_pages([tmp_path / "a.pdf"], recogniser, lambda: next(answers)))
    assert names(list(find_pages([tmp_path / "a.pdf"], recogniser))) == ["a.pdf"]


def test_pages_come_as_soon_as_they_are_known(recogniser: Recogniser, tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    found = find_pages([tmp_path / "a.png", tmp_path / "later.png"], recogniser)
    assert names([next(found)]) == ["a.png"]
    Image.new("L", (4, 4)).save(tmp_path / "later.png")
    assert names([next(found)]) == ["later.png"]
