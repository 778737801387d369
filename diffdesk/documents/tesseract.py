"""Reads text with Tesseract, where the user has it and prefers it: the same pages as the program's own recogniser.

Tesseract is a program of its own, found on the search path; one process of it is run for each page. What it is given
is a plain picture in greys, decoded here, so that no file of the user's ever reaches its decoders. Knows nothing of Qt.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import median

from PIL import Image

from diffdesk.core.errors import Cancelled, RecogniserError
from diffdesk.documents.images import open_image
from diffdesk.documents.pixels import turned_clockwise, turned_size
from diffdesk.documents.recognised_page import Box, RecognisedLine, RecognisedPage, RecognisedWord

PAGE_SECONDS = 300.0
"""How long a page may take."""

_QUESTION_SECONDS = 20.0
_CANCEL_CHECK_SECONDS = 0.05
_MOST_PIXELS = 36_000_000  # an A4 page at 600 dots an inch has 35 million
_MOST_SIDE = 16_000  # Tesseract itself takes 32,767
_COLUMNS = 12
_WORD = 5  # the level of a row
_SURE = 0.75  # below it, the page may lie on its side: its way up is asked for
_ALLOWANCE = 0.8  # what a page may lose by being read level and upright: then its lines and columns are right
_OLDEST = 4  # has the network for lines and the option --psm
# Its boxes end with the ink. Those of the own recogniser, which a model's pictures of lines are cut by, reach beyond.
_MARGIN = 0.15
_LEAST_SLANT = math.radians(0.5)  # from which on a page is turned level and read again
_WHITE = 255
_LEAST_WORDS, _LEAST_LINES = 4, 4  # that tell a slant


@dataclass(frozen=True, slots=True)
class TesseractFacts:
    """Where Tesseract is, its version (``5.3.0``), and the languages it has models of (``eng``, ``deu``)."""

    program: Path
    version: str
    languages: tuple[str, ...]


def find_tesseract() -> TesseractFacts:
    """Looks for Tesseract on the search path and asks it for its version and languages.

    Raises:
        RecogniserError: it is not there, too old, broken, or has no language.
    """
    found = shutil.which("tesseract")
    # Windows would also look in the current folder, where anybody may have put something.
    if found is None or not Path(found).is_absolute():
        raise RecogniserError(
            "Tesseract was not found",
            "There is no program of the name tesseract on the search path.",
            "Install Tesseract and start DiffDesk again, or choose the recogniser that comes with DiffDesk.",
        )
    program = Path(found)
    version = re.search(r"tesseract\s+v?((\d+)[\w.-]*)", _answer(program, "--version"))
    if version is None:
        raise _broken(f"{program} --version does not tell its version")
    if int(version.group(2)) < _OLDEST:
        raise RecogniserError(
            "Tesseract is too old",
            f"{program} is version {version.group(1)}; {_OLDEST}.0 or newer is needed.",
            "Install a newer one, or choose the recogniser that comes with DiffDesk.",
        )
    listed = _answer(program, "--list-langs").splitlines()
    # The first line tells their number, and osd knows which way up a page is, but no language.
    languages = tuple(one.strip() for one in listed[1:] if one.strip() not in {"", "osd", "equ"})
    if not languages:
        raise RecogniserError(
            "Tesseract has no language",
            f"{program} has no model of any language.",
            "Install one, such as the package tesseract-ocr-eng, or choose the recogniser that comes with DiffDesk.",
        )
    return TesseractFacts(program, version.group(1), languages)


class Tesseract:
    """Recognises text with Tesseract; may be used from several threads.

    Args:
        facts: of `find_tesseract`.
        language: ``eng``, or several as ``eng+deu``; by default English, or else the first that is there.
        page_seconds: how long a page may take.

    Raises:
        RecogniserError: it has no model of that language.
    """

    def __init__(self, facts: TesseractFacts, language: str = "", page_seconds: float = PAGE_SECONDS) -> None:
        usual = "eng" if "eng" in facts.languages else facts.languages[0]
        self._language = language or usual
        self._program = facts.program
        self._page_seconds = page_seconds
        self._is_closed = False
        missing = [one for one in self._language.split("+") if one not in facts.languages]
        if missing:
            raise RecogniserError(
                "Tesseract lacks a language",
                f"It has no model of {', '.join(missing)}, only of {', '.join(facts.languages)}.",
                "Install that language for Tesseract, or choose another one.",
            )

    def recognise(self, path: Path, cancelled: Callable[[], bool] | None = None) -> RecognisedPage:
        """The text of an image; no lines if there is none. The same as `Recogniser.recognise`.

        Raises:
            ImageError: the image can't be opened.
            RecogniserError: Tesseract failed or took too long.
            Cancelled: ``cancelled`` said so, or this was closed; the process is killed.
        """
        image = open_image(path).convert("L")
        small = _bounded(image)

        def is_cancelled() -> bool:
            return self._is_closed or (cancelled is not None and cancelled())

        with tempfile.TemporaryDirectory(prefix="diffdesk-tesseract-") as folder:
            page = self._best(small, Path(folder), is_cancelled)
        return page.enlarged(*turned_size(image.size, page.turned))

    def close(self) -> None:
        """Every call that waits ends with `Cancelled`, and so does every later one."""
        self._is_closed = True

    def _best(self, image: Image.Image, folder: Path, is_cancelled: Callable[[], bool]) -> RecognisedPage:
        upright = self._upright(image, folder, is_cancelled)
        slant = slant_of(upright.lines)
        if abs(slant) < _LEAST_SLANT:
            return upright
        # Measured: of a page that rises by 3 degrees it reads a third of the lines, of the same page made level all.
        seen = turned_clockwise(image, upright.turned)
        level = seen.rotate(math.degrees(slant), Image.Resampling.BICUBIC, expand=True, fillcolor=_WHITE)
        lines = self._lines(level, folder, is_cancelled)
        again = replace(upright, lines=tuple(_put_back(line, slant, level.size, seen.size) for line in lines))
        return again if _quality(again) > _ALLOWANCE * _quality(upright) else upright

    def _upright(self, image: Image.Image, folder: Path, is_cancelled: Callable[[], bool]) -> RecognisedPage:
        first = self._read(image, 0, folder, is_cancelled)
        is_sideways = _is_sideways(first)
        if first.confidence >= _SURE and not is_sideways:
            return first
        turn = self._turn(image, folder, is_cancelled)
        if not turn:
            return first
        second = self._read(image, turn, folder, is_cancelled)
        return second if _quality(second) > (_ALLOWANCE if is_sideways else 1) * _quality(first) else first

    def _read(self, image: Image.Image, turned: int, folder: Path, is_cancelled: Callable[[], bool]) -> RecognisedPage:
        seen = turned_clockwise(image, turned)
        lines = self._lines(seen, folder, is_cancelled)
        slant = slant_of(lines)
        return RecognisedPage(*seen.size, tuple(replace(line, slant=slant) for line in lines), turned)

    def _lines(self, seen: Image.Image, folder: Path, is_cancelled: Callable[[], bool]) -> tuple[RecognisedLine, ...]:
        picture = folder / "page.pgm"
        seen.save(picture)
        options = ("-l", self._language, "--psm", "3", "tsv")
        table = self._run([str(picture), "stdout", *options], is_cancelled)
        try:
            return lines_of_table(table, seen.size)
        except ValueError as error:
            raise _broken(f"its table can't be understood: {error}") from error

    def _turn(self, image: Image.Image, folder: Path, is_cancelled: Callable[[], bool]) -> int:
        """How far the page has to be turned clockwise, as far as Tesseract can tell."""
        picture = folder / "page.pgm"
        image.save(picture)
        try:
            told = self._run([str(picture), "stdout", "--psm", "0"], is_cancelled)
        except RecogniserError:
            # Too little text, or no model for this.
            return 0
        found = re.search(r"^Rotate:\s*(90|180|270)\s*$", told, re.MULTILINE)
        return int(found.group(1)) if found else 0

    def _run(self, arguments: Sequence[str], is_cancelled: Callable[[], bool]) -> str:
        if is_cancelled():
            raise Cancelled
        try:
            process = _start(self._program, arguments)
        except OSError as error:
            raise _broken(f"{self._program}: {error.strerror or error}") from error
        end = time.monotonic() + self._page_seconds
        with process:
            try:
                out, errors = _waited(process, end, is_cancelled)
            finally:
                process.kill()
        if process.returncode:
            raise _broken(f"exit code {process.returncode}\n{errors.decode('utf-8', 'replace')[-2000:]}")
        return out.decode("utf-8", "replace")


def lines_of_table(table: str, size: tuple[int, int]) -> tuple[RecognisedLine, ...]:
    """The lines in a table of Tesseract's (``tsv``: level, page, block, paragraph, line, word, left, top, width,
    height, confidence, text), in its order, which is that of a reader; each paragraph is a block.

    Args:
        table: with its line of headings.
        size: width and height of the page, which boxes do not leave.
    """
    rows = [row.split("\t", _COLUMNS - 1) for row in table.splitlines()[1:]]
    words = [row for row in rows if len(row) == _COLUMNS and row[0] == str(_WORD) and row[-1].strip()]
    lines: list[RecognisedLine] = []
    for block, (_, paragraph) in enumerate(groupby(words, key=lambda row: row[1:4])):
        for _, line in groupby(paragraph, key=lambda row: row[4]):
            lines.append(_line([_word(row) for row in line], block, size))
    return tuple(lines)


def _word(row: Sequence[str]) -> RecognisedWord:
    left, top, width, height = (int(one) for one in row[6:10])
    sure = min(max(float(row[10]) / 100, 0.0), 1.0)
    return RecognisedWord(row[11].strip(), (left, top, left + width, top + height), sure)


def _line(words: Sequence[RecognisedWord], block: int, size: tuple[int, int]) -> RecognisedLine:
    lefts, tops, rights, bottoms = zip(*(word.box for word in words), strict=True)
    margin = round(_MARGIN * (max(bottoms) - min(tops)))
    box: Box = (
        max(min(lefts) - margin, 0),
        max(min(tops) - margin, 0),
        min(max(rights) + margin, size[0]),
        min(max(bottoms) + margin, size[1]),
    )
    count = sum(len(word.text) for word in words)
    sure = sum(word.confidence * len(word.text) for word in words) / count
    return RecognisedLine(" ".join(word.text for word in words), box, sure, tuple(words), block)


def _put_back(line: RecognisedLine, slant: float, level: tuple[int, int], size: tuple[int, int]) -> RecognisedLine:
    """A line of a page that was turned level about its middle, as it stands on the page itself."""
    sine, cosine = math.sin(slant), math.cos(slant)

    def around(box: Box) -> Box:
        left, top, right, bottom = box
        corners = [(x - level[0] / 2, y - level[1] / 2) for x in (left, right) for y in (top, bottom)]
        across = [x * cosine - y * sine + size[0] / 2 for x, y in corners]
        down = [x * sine + y * cosine + size[1] / 2 for x, y in corners]
        return (
            min(max(math.floor(min(across)), 0), size[0]),
            min(max(math.floor(min(down)), 0), size[1]),
            max(min(math.ceil(max(across)), size[0]), 0),
            max(min(math.ceil(max(down)), size[1]), 0),
        )

    words = tuple(replace(word, box=around(word.box)) for word in line.words)
    return replace(line, box=around(line.box), words=words, slant=slant)


def slant_of(lines: Sequence[RecognisedLine]) -> float:
    """How far the lines of a page sink to the right, in radians: the median over those of several words.

    Of one line it can't be told, for words with and without long letters stand at different heights.
    """
    slants = []
    for words in (line.words for line in lines if len(line.words) >= _LEAST_WORDS):
        (left, top, right, bottom), (left_2, top_2, right_2, bottom_2) = words[0].box, words[-1].box
        slants.append(math.atan2((top_2 + bottom_2 - top - bottom) / 2, (left_2 + right_2 - left - right) / 2))
    return median(slants) if len(slants) >= _LEAST_LINES else 0.0


def _is_sideways(page: RecognisedPage) -> bool:
    """Whether most words stand on end: it reads lines that run upwards or downwards too."""
    words = [word.box for line in page.lines for word in line.words if len(word.text) > 2]
    return 2 * sum(bottom - top > right - left for left, top, right, bottom in words) > len(words)


def _quality(page: RecognisedPage) -> float:
    """Score times length: a wrong way up gives less text, and less certain."""
    return sum(line.confidence * len(line.text) for line in page.lines)


def _bounded(image: Image.Image) -> Image.Image:
    scale = min((_MOST_PIXELS / (image.width * image.height)) ** 0.5, _MOST_SIDE / max(image.size))
    if scale >= 1:
        return image
    return image.resize((max(int(image.width * scale), 1), max(int(image.height * scale), 1)), Image.Resampling.BOX)


def _answer(program: Path, question: str) -> str:
    try:
        process = _start(program, [question])
        with process:
            try:
                out, errors = _waited(process, time.monotonic() + _QUESTION_SECONDS, lambda: False)
            finally:
                process.kill()
    except OSError as error:
        raise _broken(f"{program}: {error.strerror or error}") from error
    # Some versions answer on standard error.
    return (out or errors).decode("utf-8", "replace")


def _start(program: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Its threads wait for each other more than they work; on a busy machine they took 25 times as long.
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _waited(process: subprocess.Popen[bytes], end: float, is_cancelled: Callable[[], bool]) -> tuple[bytes, bytes]:
    while True:
        try:
            return process.communicate(timeout=_CANCEL_CHECK_SECONDS)
        except subprocess.TimeoutExpired:
            if is_cancelled():
                raise Cancelled from None
            if time.monotonic() > end:
                raise RecogniserError(
                    "Tesseract takes too long",
                    "It was ended, for it did not answer in time.",
                    "Use a smaller image, or choose the recogniser that comes with DiffDesk.",
                ) from None


def _broken(details: str) -> RecogniserError:
    return RecogniserError(
        "Tesseract failed",
        "It could not be started, or ended without reading the page.",
        "Install it again, or choose the recogniser that comes with DiffDesk.",
        details,
    )
