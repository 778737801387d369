"""What holds for every format: a file is written whole or not at all, and an original is never touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import psutil
import pypdfium2 as pdfium
import pytest

from diffdesk.core.errors import Cancelled, ExportError
from diffdesk.documents.child_pipe import write_frame
from diffdesk.documents.child_process import child_command
from diffdesk.documents.exports.export_page import ExportKind, ExportPage, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.exports.pdf_client import CHILD
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import RecognisedPage
from tests.unit.documents.exports.pages import page_of
from tests.unit.documents.exports.pdfs import drawn, source_pdf

PAGE = page_of([["A quick brown fox", "jumps over a lazy dog."]])
KINDS = list(ExportKind)
OPTIONS = TextOptions()
MANY = 300

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="uses limits and permissions of POSIX")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = tmp_path / "originals"
    folder.mkdir()
    drawn(PAGE).save(folder / "scan.png")
    return folder / "scan.png"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def pages_of(image: Path, count: int = 3, page: RecognisedPage = PAGE) -> Iterator[ExportPage]:
    return (ExportPage(page, f"page {number}", PageSource(image), image) for number in range(count))


def pages_of_pdf(source: Path, count: int) -> Iterator[ExportPage]:
    return (ExportPage(PAGE, "page", PageSource(source, at, count, PageKind.PDF)) for at in range(count))


@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_taken_one_by_one_and_counted(image: Path, out: Path, kind: ExportKind) -> None:
    taken: list[int] = []
    told: list[int] = []

    def lazily() -> Iterator[ExportPage]:
        for number, page in enumerate(pages_of(image)):
            # The page before was written when the next is asked for.
            assert told == list(range(1, number + 1))
            taken.append(number)
            yield page

    target = out / f"made{kind.suffix}"
    assert export_pages(lazily(), target, kind, OPTIONS, progressed=told.append) == target
    assert (taken, told) == ([0, 1, 2], [1, 2, 3])
    assert list(out.iterdir()) == [target]
    assert target.stat().st_size > 30


@pytest.mark.parametrize("kind", KINDS)
def test_an_original_is_never_the_target(image: Path, kind: ExportKind) -> None:
    before = image.read_bytes()
    link = image.parent / "link"
    link.symlink_to(image)
    hard = image.parent / "hard"
    hard.hardlink_to(image)
    for target in (image, link, hard, image.parent / ".." / "originals" / "scan.png"):
        with pytest.raises(ExportError, match="never overwritten"):
            export_pages(pages_of(image), target, kind, OPTIONS)
    assert image.read_bytes() == before
    assert sorted(path.name for path in image.parent.iterdir()) == ["hard", "link", "scan.png"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_that_fails_leaves_what_was_there(image: Path, out: Path, kind: ExportKind) -> None:
    target = out / "made"
    target.write_bytes(b"from last week")

    def failing() -> Iterator[ExportPage]:
        yield from pages_of(image, 1)
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        export_pages(failing(), target, kind, OPTIONS)
    assert list(out.iterdir()) == [target]
    assert target.read_bytes() == b"from last week"


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_is_cancelled_leaves_what_was_there(image: Path, out: Path, kind: ExportKind) -> None:
    target = out / "made"
    target.write_bytes(b"from last week")
    written: list[int] = []
    with pytest.raises(Cancelled):
        export_pages(
            pages_of(image), target, kind, OPTIONS, progressed=written.append, cancelled=lambda: len(written) == 2
        )
    assert target.read_bytes() == b"from last week"
    assert list(out.iterdir()) == [target]
    assert psutil.Process().children() == []


def test_a_file_that_exists_is_replaced(image: Path, out: Path) -> None:
    target = out / "made.txt"
    target.write_bytes(b"from last week")
    export_pages(pages_of(image, 1), target, ExportKind.TXT, OPTIONS)
    assert target.read_text(encoding="utf-8").startswith("A quick")


@posix_only
def test_a_new_file_has_the_permissions_of_any_new_file(image: Path, out: Path) -> None:
    plain = out / "plain"
    plain.touch()
    for kind in KINDS:
        made = export_pages(pages_of(image, 1), out / f"made{kind.suffix}", kind, OPTIONS)
        assert made.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("kind", [ExportKind.TXT, ExportKind.PDF])
def test_places_that_can_t_be_written_are_named_with_a_remedy(image: Path, out: Path, kind: ExportKind) -> None:
    (out / "a file").touch()
    for target in (out, out / "no" / "such" / "folder.txt", out / "a file" / "made.txt"):
        with pytest.raises(ExportError) as caught:
            export_pages(pages_of(image), target, kind, OPTIONS)
        assert caught.value.remedy
        assert target.name in caught.value.text
    assert [path.name for path in out.iterdir()] == ["a file"]


@posix_only
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission_is_said_to_be_so(image: Path, out: Path) -> None:
    out.chmod(0o500)
    with pytest.raises(ExportError, match="can't be written there"):
        export_pages(pages_of(image), out / "made.txt", ExportKind.TXT, OPTIONS)
    out.chmod(0o700)


FULL_DISK = """
import resource, sys
from pathlib import Path
from diffdesk.core.errors import ExportError
from diffdesk.documents.exports.export_page import ExportKind, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from tests.unit.documents.exports.test_exporting import pages_of, pages_of_pdf

kind, source, target = ExportKind(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
pages = pages_of_pdf(source, 20) if source.suffix == ".pdf" else pages_of(source, 200)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    export_pages(pages, target, kind, TextOptions())
except ExportError as error:
    print(error.title, list(target.parent.iterdir()))
"""


@posix_only
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_said_to_be_so_and_nothing_is_left(image: Path, out: Path, kind: ExportKind) -> None:
    if kind is ExportKind.CSV:
        pytest.skip("a table of no differences fits anywhere")
    assert_disk_full(image, out, kind)


@posix_only
def test_a_disk_that_is_full_when_a_pdf_is_copied_is_said_to_be_so(out: Path, tmp_path: Path) -> None:
    source = source_pdf(tmp_path / "source.pdf", [(b"0 0 9 9 re f", "")] * 20)
    assert_disk_full(source, out, ExportKind.PDF)


def assert_disk_full(source: Path, out: Path, kind: ExportKind) -> None:
    # A limit on the size of files looks to a program like a disk that is full.
    command = [sys.executable, "-c", FULL_DISK, kind.value, str(source), str(out / "made")]
    root = str(Path(__file__).resolve().parents[4])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": root}, cwd=root
    )
    assert done.stdout == "The disk is full []\n", done.stderr


# --- the process that writes PDFs -------------------------------------------------------------------


def test_a_crash_of_the_pdf_writer_is_an_error_and_leaves_nothing(image: Path, out: Path) -> None:
    def kill(count: int) -> None:
        if count == 2:
            (child,) = psutil.Process().children()
            child.kill()
            child.wait()

    with pytest.raises(ExportError, match="crashed") as caught:
        export_pages(pages_of(image), out / "made.pdf", ExportKind.PDF, OPTIONS, progressed=kill)
    assert "exit code" in caught.value.details
    assert list(out.iterdir()) == []


def test_the_pdf_writer_whose_program_is_gone_ends_and_cleans_up(out: Path) -> None:
    part = out / "x.part"
    part.touch()
    with subprocess.Popen(child_command(CHILD), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        requests = cast("BinaryIO", child.stdin)
        write_frame(requests, {"part": str(part), "title": "t", "source": None})
        requests.close()
        assert child.wait(60) == 0
    assert list(out.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("is_pdf", [False, True], ids=["of images", "of a PDF"])
def test_three_hundred_pages_take_no_more_memory_than_thirty(tmp_path: Path, out: Path, is_pdf: bool) -> None:
    source = tmp_path / ("source.pdf" if is_pdf else "scan.jpg")
    if is_pdf:
        source_pdf(source, [(b"0 0 1 rg 9 9 200 200 re f\n" * 2000, "")] * MANY)
        pages = pages_of_pdf(source, MANY)
    else:
        drawn(PAGE).resize((1800, 1400)).save(source, quality=95)
        pages = pages_of(source, MANY)
    memory: list[int] = []

    def measure(_: int) -> None:
        (child,) = psutil.Process().children()
        memory.append(child.memory_info().rss)

    made = export_pages(pages, out / "made.pdf", ExportKind.PDF, OPTIONS, progressed=measure)
    with pdfium.PdfDocument(made) as pdf:
        assert len(pdf) == MANY
        assert pdf[MANY - 1].get_textpage().get_text_range().split() == PAGE.text.split()
    assert len(memory) == MANY
    # Some megabytes of tables; images of 300 pages would be a hundred.
    assert max(memory) - memory[29] < 30 * 2**20
