"""The picture of a line that a small model sees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffdesk.documents.line_pictures import line_picture, width_in_picture


def crop(width: int, height: int, paper: int = 220, ink: int = 60) -> Image.Image:
    """Upright strokes on paper."""
    pixels = np.full((height, width), paper, np.uint8)
    pixels[height // 4 : 3 * height // 4, height:-height:9] = ink
    pixels[height // 4 : 3 * height // 4, height + 1 : -height : 9] = ink
    return Image.fromarray(pixels)


def greys(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


@pytest.mark.parametrize(("size", "cells"), [((400, 40), 10), ((401, 40), 11), ((30, 60), 1), ((1280, 32), 40)])
def test_it_is_whole_squares_of_32_pixels(size: tuple[int, int], cells: int) -> None:
    picture = line_picture(crop(*size))
    assert picture.mode == "L"
    assert picture.size == (32 * cells, 32)


def test_a_line_a_little_too_long_is_narrowed_and_a_longer_one_refused() -> None:
    assert width_in_picture(1470, 32) == 1280
    assert line_picture(crop(1470, 32)).width == 1280
    with pytest.raises(ValueError, match="too long"):
        line_picture(crop(1480, 32))


def test_the_contrast_is_stretched() -> None:
    picture = greys(line_picture(crop(400, 40, paper=150, ink=100)))
    assert picture.min() < 10
    assert picture[0].min() > 235


def test_light_on_dark_is_turned_over() -> None:
    usual, inverted = crop(390, 40, paper=220, ink=60), crop(390, 40, paper=35, ink=195)
    assert np.abs(greys(line_picture(usual)).astype(int) - greys(line_picture(inverted)).astype(int)).max() <= 1


def test_a_frame_around_dark_ground_does_not_hide_it() -> None:
    framed = crop(400, 40, paper=30, ink=220)
    framed.paste(220, (0, 0, 400, 2))
    framed.paste(220, (0, 38, 400, 40))
    assert np.median(greys(line_picture(framed))) > 235


@pytest.mark.parametrize("paper", [20, 128, 250])
def test_an_empty_line_stays_without_marks(paper: int) -> None:
    grain = np.random.default_rng(1).integers(-2, 3, (40, 300))
    picture = greys(line_picture(Image.fromarray((paper + grain).astype(np.uint8))))
    assert picture.min() > 200


def test_the_padding_is_the_papers_grey() -> None:
    picture = greys(line_picture(crop(390, 40)))
    assert (picture[:, 312:] == picture[0, 0]).all()


def test_other_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="greys"):
        line_picture(Image.new("RGB", (40, 40)))
