"""``diffdesk correct`` with the real recogniser and starter model: what is written and printed, and exit codes."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from diffdesk.cli.arguments import build_parser
from diffdesk.cli.main import run_command
from diffdesk.documents.exports.export_page import ExportKind
from diffdesk.paths import choose_places
from tests.unit.documents.drawing import blank, write_lines
from tests.unit.documents.exports.pdfs import pdfium_text

PATIENCE = 240.0
LINES = ("The lamp on the pier was lit", "an hour before dusk.")
NOISY = ("Tbe lamp on the pier was lit", "an hour before dusk.")


def no_window(seconds: float, rate: int) -> Mapping[str, object]:
    raise AssertionError


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        data = json.loads(self.out)
        assert sorted(data) == ["documents", "seconds"]
        assert data["seconds"] > 0
        found = data["documents"]
        assert isinstance(found, list)
        return found


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "diffdesk", "--temp-profile", "correct", *map(str, words)]


def run(*words: str | Path) -> Ran:
    """The command in a process of its own, as from a shell."""
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=PATIENCE, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def draw(lines: Sequence[str] = LINES, number: int = 0) -> Image.Image:
    page = blank(520, 200)
    write_lines(page, (*lines, f"Page {number}") if number else lines, (30, 30))
    return page


def make_pdf(path: Path, pages: int) -> Path:
    first, *others = (draw(number=number + 1) for number in range(pages))
    first.save(path, "PDF", save_all=True, append_images=others, resolution=150)
    return path


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


# --- a folder of everything -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A folder with an image, a PDF and a broken PDF, and what became of it in all formats."""

    source: Path
    before: dict[str, str]
    out: Path
    ran: Ran


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("job")
    source, out = folder / "scans", folder / "deep" / "out"
    source.mkdir()
    draw(NOISY).save(source / "a photo.png")
    make_pdf(source / "book.pdf", 2)
    (source / "broken.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)))
    before = {one.name: fingerprint(one) for one in source.iterdir()}
    kinds = ",".join(ExportKind)
    return Job(source, before, out, run(source, "--out", out, "--format", kinds, "--json", "--seed", "1"))


def test_a_broken_file_stops_no_other_and_is_told(job: Job) -> None:
    assert job.ran.code == 3
    by_name = {Path(one["path"]).name: one for one in job.ran.documents}
    assert list(by_name) == ["a photo.png", "book.pdf", "broken.pdf"]
    (error,) = by_name["broken.pdf"]["errors"]
    assert error["page"] == "broken.pdf"
    assert error["title"]
    assert error["remedy"]
    assert f"broken.pdf: {error['title']}" in job.ran.err
    assert by_name["broken.pdf"]["outputs"] == by_name["a photo.png"]["errors"] == by_name["book.pdf"]["errors"] == []


def test_json_tells_of_each_document_what_became_of_it(job: Job) -> None:
    image, book, _ = job.ran.documents
    assert sorted(image) == [
        *("errors", "lines_held", "notes", "outputs", "pages", "path"),
        *("words_changed", "words_suggested"),
    ]
    assert (image["pages"], book["pages"]) == (1, 2)
    assert image["words_changed"] >= 1
    assert image["words_changed"] + image["words_suggested"] == len(changes(job, "a photo"))
    assert [Path(one).name for one in book["outputs"]] == [output("book", kind) for kind in ExportKind]


def output(stem: str, kind: ExportKind) -> str:
    """A name of its own where the original is of the same kind."""
    return "book.corrected.pdf" if (stem, kind) == ("book", ExportKind.PDF) else f"{stem}{kind.suffix}"


def changes(job: Job, stem: str) -> list[dict[str, str]]:
    with (job.out / f"{stem}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_each_document_is_one_file_of_each_kind(job: Job) -> None:
    assert set(names(job.out)) == {output(stem, kind) for stem in ("a photo", "book") for kind in ExportKind}


def test_the_text_is_corrected(job: Job) -> None:
    assert (job.out / "a photo.txt").read_text(encoding="utf-8").splitlines() == list(LINES)
    words = (job.out / "book.txt").read_text(encoding="utf-8").split()
    assert " ".join(words).count("The lamp on the pier was lit an hour before dusk.") == 2
    assert "The lamp on the pier" in (job.out / "book.md").read_text(encoding="utf-8")


def test_changes_are_listed_with_what_became_of_them(job: Job) -> None:
    made = {(one["before"], one["after"]) for one in changes(job, "a photo") if one["decision"] == "made"}
    assert ("Tbe", "The") in made


def test_pages_with_places_hold_the_words(job: Job) -> None:
    book = ["".join(text.split()) for text in pdfium_text(job.out / "book.corrected.pdf")]
    assert book == ["".join((*LINES, f"Page {number}")).replace(" ", "") for number in (1, 2)]
    assert pdfium_text(job.out / "a photo.pdf")[0].split() == " ".join(LINES).split()
    for suffix in (".hocr", ".alto.xml"):
        tree = ET.parse(job.out / f"book{suffix}").getroot()
        said = " ".join(one.get("CONTENT") or one.text or "" for one in tree.iter())
        assert "lamp" in said
        assert "dusk" in said
    with zipfile.ZipFile(job.out / "book.docx") as document:
        assert b"lamp" in document.read("word/document.xml")


def test_originals_are_byte_for_byte_what_they_were(job: Job) -> None:
    assert {one.name: fingerprint(one) for one in job.source.iterdir()} == job.before


# --- choices --------------------------------------------------------------------------------------------


def test_all_or_no_changes_are_taken_by_their_certainty(tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    draw(NOISY).save(scan)
    none = run(scan, "--accept", "1", "--seed", "1", "--format", "txt,csv")
    drafted = (tmp_path / "scan.txt").read_text(encoding="utf-8")
    with (tmp_path / "scan.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert none.code == 0
    assert {one["decision"] for one in found} == {"rejected"}
    assert "Tbe lamp" in drafted
    assert "scan.txt: 1 of 1 pages, 0 words changed" in none.out
    every = run(scan, "--accept", "0", "--seed", "1", "--format", "txt,csv", "--force")
    with (tmp_path / "scan.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {one["decision"] for one in csv.DictReader(file)} == {"accepted"}
    assert every.code == 0
    text = (tmp_path / "scan.txt").read_text(encoding="utf-8")
    assert text.startswith("The lamp")
    assert f"{len(found)} words changed" in every.out


def test_what_is_there_is_kept_unless_forced_and_a_pdf_beside_an_image_in_any_case(tmp_path: Path) -> None:
    scan, book = tmp_path / "page.png", make_pdf(tmp_path / "page.pdf", 1)
    draw().save(scan)
    before = fingerprint(book)
    (tmp_path / "page.corrected.pdf").write_text("precious")
    (tmp_path / "page (2).pdf").write_text("precious")
    refused = run(scan, book, "--format", "pdf", "--json")
    assert refused.code == 1
    assert [one["errors"][0]["title"] for one in refused.documents] == ["The output is there already"] * 2
    assert "--force" in refused.err
    assert (tmp_path / "page.corrected.pdf").read_text() == "precious"
    forced = run(scan, book, "--format", "pdf", "--json", "--force")
    assert forced.code == 0
    assert [Path(one["outputs"][0]).name for one in forced.documents] == ["page (2).pdf", "page.corrected.pdf"]
    assert fingerprint(book) == before
    assert names(tmp_path) == ["page (2).pdf", "page.corrected.pdf", "page.pdf", "page.png"]


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_where_it_is_asked_for(tmp_path: Path) -> None:
    draw().save(tmp_path / "scan.png")
    assert run(tmp_path / "scan.png", "--recogniser", "tesseract", "--language", "eng", "--reflow").code == 0
    assert (tmp_path / "scan.txt").read_text(encoding="utf-8").split() == " ".join(LINES).split()


# --- what can't be done, and stopping -------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("scan.png", "--accept", "1.1"),
        ("scan.png", "--accept", "nan"),
        ("scan.png", "--accept", "often"),
        ("scan.png", "--format", "txt,odt"),
        ("scan.png", "--recogniser", "eyes"),
    ],
)
def test_bad_values_are_refused_before_anything_is_done(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        build_parser().parse_args(["correct", *words])
    assert refused.value.code == 2
    assert "correct: error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "missing.gguf"), "missing.gguf"),
        (("--steps", "0"), "Steps"),
        (("--out", "{}"), "The folder can't be made"),
        (("--recogniser", "tesseract", "--language", "xx_none"), "esseract"),
    ],
)
def test_what_cant_be_done_as_asked_is_said(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "scan.png"
    draw().save(scan)
    arguments = build_parser().parse_args(
        ["correct", str(scan), *(one.replace("{}", str(scan)) for one in words), "--json"]
    )
    assert run_command(arguments, choose_places(tmp_path / "profile"), no_window) == 2
    printed = capsys.readouterr()
    assert said in json.dumps(json.loads(printed.out)["error"])
    assert said in printed.err
    assert names(tmp_path) == ["profile", "scan.png"]


def test_nothing_usable_at_all_fails_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.png").write_text("no image")
    paths = [str(tmp_path / name) for name in ("empty", "notes.png", "gone.pdf")]
    arguments = build_parser().parse_args(["correct", *paths, "--json"])
    assert run_command(arguments, choose_places(tmp_path / "profile"), no_window) == 1
    printed = capsys.readouterr()
    documents = json.loads(printed.out)["documents"]
    assert [Path(one["path"]).name for one in documents] == ["empty", "notes.png", "gone.pdf"]
    for one in documents:
        (error,) = one["errors"]
        assert error["remedy"]
        assert error["remedy"] in printed.err


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals on Windows")
def test_ctrl_c_ends_it_with_whole_documents_only(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    draw().save(source / "1.png")
    make_pdf(source / "2.pdf", 30)
    process = subprocess.Popen(
        command(source, "--out", out, "--format", "txt,pdf"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    pulse = threading.Event()  # never set: waiting for it is the pause between two looks
    while not (out / "1.pdf").exists() and process.poll() is None:
        pulse.wait(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of its processes
    _, said = process.communicate()
    watchdog.cancel()
    assert process.returncode == 130
    assert said.strip() == "Stopped. Documents that were written are complete."
    assert names(out) == ["1.pdf", "1.txt"]
    assert len(pdfium_text(out / "1.pdf")) == 1
