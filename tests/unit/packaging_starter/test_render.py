"""Lines that are drawn for training: their characters stand where they are said to stand."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from starter.render import Renderer, picture, to_height

from tests.unit.packaging_starter.fetched import copy_fonts

TEXT = "The quick brown fish, 1,204 of them."


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return Renderer(copy_fonts(tmp_path_factory.mktemp("fonts")))


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, 1.3])
def test_a_line_has_a_place_for_each_character(renderer: Renderer, level: float) -> None:
    rng = random.Random(5)
    for _ in range(15):
        line = renderer.line(TEXT, rng, level)
        height, width = line.image.shape
        assert line.image.dtype == np.uint8
        assert 8 <= height <= 130
        assert line.centres.shape == (len(TEXT),)
        assert (np.diff(line.centres) > 0).all()
        assert -0.2 * height < line.centres[0]
        assert line.centres[-1] < width + 0.2 * height


def test_ink_stands_at_the_centres(renderer: Renderer) -> None:
    rng = random.Random(7)
    hits, gaps = [], []
    for _ in range(30):
        line = renderer.line("I I I I I I", rng, 0.0)
        seen, scale = picture(line.image)
        places = np.clip(np.round(line.centres * scale).astype(int), 1, seen.shape[1] - 2)
        middle = 255.0 - seen[10:22]
        hits += [middle[:, place - 1 : place + 2].max(axis=1).mean() for place in places[::2]]
        gaps += [middle[:, place].mean() for place in places[1::2]]
    assert np.median(hits) > 200
    assert np.median(gaps) < 20


def test_the_same_draws_give_the_same_line(renderer: Renderer) -> None:
    one, other = (renderer.line(TEXT, random.Random(9), 0.8) for _ in range(2))
    assert np.array_equal(one.image, other.image)
    assert one.face == other.face


def test_numpys_generators_draw_too(renderer: Renderer) -> None:
    assert renderer.line(TEXT, np.random.default_rng(1), 0.5).image.size


def test_a_character_that_no_font_has_is_refused(renderer: Renderer) -> None:
    with pytest.raises(ValueError, match="U\\+4E00"):
        renderer.line("a 一", random.Random(1), 0.0)


def test_a_line_without_ink_is_refused(renderer: Renderer) -> None:
    with pytest.raises(ValueError, match="without ink"):
        renderer.line("  ", random.Random(1), 0.0)


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no fonts"):
        Renderer(tmp_path)


def test_resizing_keeps_the_proportions_up_to_a_width() -> None:
    image = np.zeros((20, 100), np.uint8)
    assert to_height(image, 40, 1000).shape == (40, 200)
    assert to_height(image, 40, 150).shape == (40, 150)
