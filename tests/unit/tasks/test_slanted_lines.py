"""Lines of a page that lies askew give the same pictures as those of a straight one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from diffdesk.core.requests import ReadLine, ReadWord
from diffdesk.documents.reading_order import Corners, Fragment, Mark, Point, in_reading_order
from diffdesk.documents.recognised_page import RecognisedPage
from diffdesk.services.reading import lines_of
from diffdesk.tasks.read_lines import Pages, cut_line

WIDTH, HEIGHT = 1600, 900
SLOTS = 256
TEXTS = [
    "Morning came slowly over the harbour and the gulls",
    "began to quarrel about the first basket of fish",
    "that was carried ashore by the old ferryman when",
    "nobody in the town knew how long he had worked",
]


def page(path: Path, degrees: float) -> list[ReadLine]:
    """A page of four lines turned against the clock about its middle, and what a recogniser reads there."""
    font = ImageFont.truetype("DejaVuSerif.ttf", 30)
    image = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(image)
    turn = -math.radians(degrees)

    def turned(across: float, down: float) -> Point:
        x, y = across - WIDTH / 2, down - HEIGHT / 2
        return (
            x * math.cos(turn) - y * math.sin(turn) + WIDTH / 2,
            x * math.sin(turn) + y * math.cos(turn) + HEIGHT / 2,
        )

    def corners(left: float, right: float, top: float) -> Corners:
        return turned(left, top), turned(right, top), turned(right, top + 38), turned(left, top + 38)

    fragments = []
    for number, text in enumerate(TEXTS):
        top = 300 + 50 * number
        pen.text((100, top), text, fill=0, font=font)
        marks = []
        for word in text.split():
            start = text.index(f" {word} ") + 1 if f" {word} " in text else text.index(word)
            left, right = (100 + font.getlength(text[:at]) for at in (start, start + len(word)))
            marks.append(Mark(word, corners(left, right, top), 0.9))
        whole = corners(95, 105 + font.getlength(text), top)
        fragments.append(Fragment(Mark(text, whole, 0.9), tuple(marks)))
    image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255).save(path)
    return lines_of(RecognisedPage(WIDTH, HEIGHT, in_reading_order(fragments)), path)


def pictures(lines: Sequence[ReadLine]) -> list[tuple[str, NDArray[np.uint8], NDArray[np.float32]]]:
    pages = Pages()
    found = []
    for line in lines:
        for piece in cut_line(line, SLOTS):
            picture = pages.picture(piece)
            assert picture is not None
            found.append((piece.text, picture.pixels, piece.centres))
    return found


@pytest.mark.parametrize("degrees", [3.0, 1.0, -1.0, -3.0])
def test_a_slanting_line_is_cut_out_level(tmp_path: Path, degrees: float) -> None:
    straight, askew = page(tmp_path / "straight.png", 0), page(tmp_path / "askew.png", degrees)
    assert [line.text for line in askew] == TEXTS
    assert all(line.slant == pytest.approx(-math.radians(degrees)) for line in askew)
    for (text, pixels, centres), (same, level, others) in zip(pictures(straight), pictures(askew), strict=True):
        assert text == same
        assert abs(pixels.shape[1] - level.shape[1]) <= 32
        # How dark each row is: neighbours, or a line that runs out of its picture, would blur it.
        assert np.corrcoef(pixels.mean(axis=1), level.mean(axis=1))[0, 1] > 0.9
        assert np.abs(centres / centres.max() - others / others.max()).max() < 0.01


def test_without_its_slant_a_line_would_bring_its_neighbours_along(tmp_path: Path) -> None:
    """That the test above can fail."""
    line = page(tmp_path / "askew.png", 3.0)[1]
    assert line.box[3] - line.box[1] > 1.8 * 38
    assert {one.box[3] - one.box[1] for one in cut_line(line, SLOTS)} <= {37, 38, 39, 40}
    [(_, level, _)] = pictures([line])
    [(_, upright, _)] = pictures([replace(line, slant=0.0)])
    assert np.corrcoef(upright.mean(axis=1), level.mean(axis=1))[0, 1] < 0.8


def test_a_line_that_hardly_slants_is_cut_as_it_was(tmp_path: Path) -> None:
    words = (ReadWord("almost", 20, 80, 0.9), ReadWord("level", 90, 140, 0.9))
    line = ReadLine("almost level", tmp_path / "a.png", 0, (20, 10, 140, 32), words, 0.9, 0.01)
    assert [one.box for one in cut_line(line, SLOTS)] == [line.box]


def test_a_slanting_line_beyond_the_page_has_no_picture(tmp_path: Path) -> None:
    Image.new("L", (100, 100), 255).save(tmp_path / "small.png")
    [lost, *_] = page(tmp_path / "askew.png", 3.0)
    moved = replace(lost, image=tmp_path / "small.png")
    assert [Pages().picture(piece) for piece in cut_line(moved, SLOTS)] == [None]
