"""Tesseract, where it is installed, gives the same kind of page as the program's own recogniser."""

from __future__ import annotations

import math
import shutil
import stat
import sys
from pathlib import Path

import pytest
from PIL import Image

from diffdesk.core.errors import Cancelled, ImageError, RecogniserError
from diffdesk.documents.recogniser import Recogniser
from diffdesk.documents.recogniser_names import RecogniserName
from diffdesk.documents.tesseract import Tesseract, TesseractFacts, find_tesseract, lines_of_table
from diffdesk.documents.text_recogniser import choose_recogniser
from tests.unit.documents.drawing import LEFT_COLUMN, RIGHT_COLUMN, blank, paragraph, two_columns, write_lines

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed here")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a script stands in for the program")

TABLE = """level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext
1\t1\t0\t0\t0\t0\t0\t0\t520\t320\t-1\t
2\t1\t1\t0\t0\t0\t41\t45\t347\t225\t-1\t
4\t1\t1\t1\t1\t0\t41\t45\t347\t20\t-1\t
5\t1\t1\t1\t1\t1\t41\t45\t112\t20\t96.5\tMorning
5\t1\t1\t1\t1\t2\t162\t50\t68\t15\t50\tcame
5\t1\t1\t1\t1\t3\t240\t50\t8\t15\t20\t\x20
5\t1\t1\t1\t2\t1\t2\t85\t40\t20\t-1\tthe
5\t1\t2\t1\t1\t1\t480\t85\t40\t20\t120\t"it"
"""


# A word whose place is no number.
NO_TABLE = r"printf 'level\n5\t1\t1\t1\t1\t1\tx\t1\t1\t1\t9\ta\n'"


def fake(folder: Path, script: str) -> Path:
    """A program of the name tesseract that does as the script says."""
    program = folder / "tesseract"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.fixture(scope="module")
def tesseract() -> Tesseract:
    return Tesseract(find_tesseract())


@pytest.fixture
def page(tmp_path: Path) -> Path:
    paragraph().save(tmp_path / "page.png")
    return tmp_path / "page.png"


# --- its table --------------------------------------------------------------------------------------


def test_a_table_becomes_lines_with_words_and_blocks() -> None:
    first, second, third = lines_of_table(TABLE, (520, 320))
    assert (first.text, first.block, second.text, second.block) == ("Morning came", 0, "the", 0)
    assert (third.text, third.block, third.confidence) == ('"it"', 1, 1.0)
    assert [(word.text, word.box, word.confidence) for word in first.words] == [
        ("Morning", (41, 45, 153, 65), 0.965),
        ("came", (162, 50, 230, 65), 0.5),
    ]
    # A margin is added as the own recogniser has it, inside the page.
    assert first.box == (38, 42, 233, 68)
    assert (second.box[0], third.box[2]) == (0, 520)
    assert first.confidence == pytest.approx((7 * 0.965 + 4 * 0.5) / 11)
    assert second.confidence == 0.0


def test_a_table_without_words_has_no_lines() -> None:
    assert lines_of_table(TABLE.split("4\t1", maxsplit=1)[0], (520, 320)) == ()
    assert lines_of_table("", (520, 320)) == ()


# --- the program ------------------------------------------------------------------------------------


@needs_tesseract
def test_it_is_found_with_its_version_and_languages() -> None:
    found = find_tesseract()
    assert found.program.is_absolute()
    assert int(found.version.split(".")[0]) >= 4
    assert found.languages
    assert "osd" not in found.languages


@needs_tesseract
def test_a_paragraph_is_read_as_the_own_recogniser_reads_it(tesseract: Tesseract, page: Path) -> None:
    found = tesseract.recognise(page)
    assert found.text == "\n".join(LEFT_COLUMN)
    assert (found.width, found.height, found.turned) == (520, 320, 0)
    for number, line in enumerate(found.lines):
        assert 20 <= line.box[0] <= 60
        assert line.box[1] < 40 + number * 40 + 20 < line.box[3]
        assert [word.text for word in line.words] == line.text.split()


@needs_tesseract
def test_columns_are_blocks(tesseract: Tesseract, tmp_path: Path) -> None:
    two_columns().save(tmp_path / "columns.png")
    found = tesseract.recognise(tmp_path / "columns.png")
    headline = "A Quiet Harbour In The Early Morning"
    assert found.text == "\n\n".join([headline, "\n".join(LEFT_COLUMN), "\n".join(RIGHT_COLUMN)])


@needs_tesseract
@pytest.mark.parametrize(
    ("turned", "how"),
    [(180, Image.Transpose.ROTATE_180), (90, Image.Transpose.ROTATE_90), (270, Image.Transpose.ROTATE_270)],
)
def test_a_page_on_its_head_or_side_is_turned(
    tesseract: Tesseract, tmp_path: Path, turned: int, how: Image.Transpose
) -> None:
    paragraph().transpose(how).save(tmp_path / "turned.png")
    found = tesseract.recognise(tmp_path / "turned.png")
    assert (found.text, found.turned) == ("\n".join(LEFT_COLUMN), turned)
    assert (found.width, found.height) == (520, 320)


@needs_tesseract
@pytest.mark.parametrize("degrees", [3, -3])
def test_a_page_that_lies_askew_is_read_level_and_its_boxes_lie_on_the_page_itself(
    tesseract: Tesseract, tmp_path: Path, degrees: int
) -> None:
    two_columns().save(tmp_path / "straight.png")
    two_columns().rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white").save(tmp_path / "askew.png")
    straight, askew = (tesseract.recognise(tmp_path / name) for name in ("straight.png", "askew.png"))
    assert (askew.text, askew.width, askew.height) == (straight.text, 900, 420)
    turn = math.radians(-degrees)
    for line, other in zip(straight.lines, askew.lines, strict=True):
        assert other.slant == pytest.approx(turn, abs=0.01)
        for word, same in zip(line.words, other.words, strict=True):
            x, y = (word.box[0] + word.box[2]) / 2 - 450, (word.box[1] + word.box[3]) / 2 - 210
            there = (same.box[0] + same.box[2]) / 2 - 450, (same.box[1] + same.box[3]) / 2 - 210
            assert there[0] == pytest.approx(x * math.cos(turn) - y * math.sin(turn), abs=6)
            assert there[1] == pytest.approx(x * math.sin(turn) + y * math.cos(turn), abs=6)


@needs_tesseract
def test_boxes_of_a_large_page_are_in_its_own_pixels(tesseract: Tesseract, tmp_path: Path) -> None:
    large = blank(9000, 4500).convert("L")
    write_lines(large, ["A very large page"], (1000, 2000), size=400)
    large.save(tmp_path / "large.png")
    found = tesseract.recognise(tmp_path / "large.png")
    assert (found.text, found.width, found.height) == ("A very large page", 9000, 4500)
    left, top, right, _ = found.lines[0].box
    assert 900 < left < 1100
    assert 4000 < right < 6000
    assert 2000 < top < 2200


@needs_tesseract
def test_a_page_without_text_has_no_lines_and_a_bad_image_is_refused(tesseract: Tesseract, tmp_path: Path) -> None:
    blank(300, 200).save(tmp_path / "blank.png")
    assert tesseract.recognise(tmp_path / "blank.png").lines == ()
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    assert tesseract.recognise(tmp_path / "dot.png").lines == ()
    (tmp_path / "letter.png").write_text("Dear Sir")
    with pytest.raises(ImageError, match="Not an image"):
        tesseract.recognise(tmp_path / "letter.png")


# --- failures and ends ------------------------------------------------------------------------------


@posix_only
def test_a_program_that_takes_too_long_or_is_cancelled_or_closed_is_ended(tmp_path: Path, page: Path) -> None:
    facts = TesseractFacts(fake(tmp_path, "exec sleep 600"), "5.0", ("eng",))
    with pytest.raises(RecogniserError, match="takes too long"):
        Tesseract(facts, page_seconds=0.2).recognise(page)
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        Tesseract(facts).recognise(page, lambda: next(answers))
    closing = Tesseract(facts)

    def close() -> bool:
        closing.close()
        return False

    with pytest.raises(Cancelled):
        closing.recognise(page, close)
    with pytest.raises(Cancelled):
        closing.recognise(page)


@posix_only
@pytest.mark.parametrize("script", ["echo broken >&2; exit 3", NO_TABLE])
def test_a_program_that_fails_is_told(tmp_path: Path, page: Path, script: str) -> None:
    broken = Tesseract(TesseractFacts(fake(tmp_path, script), "5.0", ("eng",)))
    with pytest.raises(RecogniserError, match="Tesseract failed"):
        broken.recognise(page)
    gone = Tesseract(TesseractFacts(tmp_path / "gone", "5.0", ("eng",)))
    with pytest.raises(RecogniserError, match="Tesseract failed"):
        gone.recognise(page)


@posix_only
@pytest.mark.parametrize(
    ("script", "title"),
    [
        ("echo tesseract 3.05.02", "Tesseract is too old"),
        ("echo something else", "Tesseract failed"),
        ('[ "$1" = --version ] && echo tesseract v5.4.0 || printf "List (1):\\nosd\\n"', "Tesseract has no language"),
    ],
)
def test_a_program_that_is_of_no_use_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, title: str
) -> None:
    fake(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecogniserError) as caught:
        find_tesseract()
    assert caught.value.title == title
    assert caught.value.remedy


# --- the choice -------------------------------------------------------------------------------------


def test_the_own_recogniser_is_chosen_as_it_is() -> None:
    own = Recogniser()
    assert choose_recogniser(RecogniserName("rapidocr"), own) is own


def test_tesseract_that_is_not_there_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecogniserError, match="was not found") as caught:
        choose_recogniser(RecogniserName.TESSERACT, Recogniser())
    assert "Install Tesseract" in caught.value.remedy


@posix_only
def test_languages_are_chosen_among_those_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = tmp_path / "heard"
    version = '[ "$1" = --version ] && echo tesseract 5.4.0 && exit'
    fake(tmp_path, f'{version}; echo "$@" >> "{heard}"; printf "List:\\ndeu\\nosd\\nfra\\n"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    own = Recogniser()
    paragraph().save(tmp_path / "page.png")
    for language in ("", "fra+deu"):
        choose_recogniser(RecogniserName.TESSERACT, own, language).recognise(tmp_path / "page.png")
    spoken = [line.split(" -l ")[1].split()[0] for line in heard.read_text().splitlines() if " -l " in line]
    assert spoken == ["deu", "fra+deu"]
    with pytest.raises(RecogniserError, match="no model of eng"):
        choose_recogniser(RecogniserName.TESSERACT, own, "eng+fra")
