"""The bulk recogniser reckons words and their edges as rapidocr does."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from rapidocr.cal_rec_boxes.main import CalRecBoxes
from rapidocr.ch_ppocr_rec.typings import TextRecOutput
from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

pytest.importorskip("torch")

from starter import reading

HEIGHT, COLUMNS = 30, 60
TEXTS = ["one two", "a", " spaced  out ", "wide gap", "price 3.99", "x 一二 y", "ok\uff0cok"]


def columns_of(text: str, rng: random.Random) -> list[int]:
    """Where each character begins: mostly two columns apart, now and then far."""
    places = [rng.randint(0, 3)]
    for _ in text[1:]:
        places.append(places[-1] + rng.choice((2, 2, 3, 3, 4, 7)))
    return places


def words_of_rapidocr(text: str, places: list[int], width: int) -> list[reading.Word]:
    """What rapidocr makes of characters that begin in these columns of an image."""
    selection = np.zeros(COLUMNS, bool)
    selection[places] = True
    info = CTCLabelDecode.get_word_info(text, selection)
    info.line_txt_len = COLUMNS
    info.confs = [1.0] * len(text)
    output: Any = TextRecOutput()
    output.txts, output.word_results = (text,), (info,)
    box = np.array([[[0, 0], [width, 0], [width, HEIGHT], [0, HEIGHT]]], np.float32)
    work: Any = CalRecBoxes()
    found = work([np.zeros((HEIGHT, width, 3), np.uint8)], box, output).word_results[0]
    return [(word, min(x for x, _ in corners), max(x for x, _ in corners)) for word, _, corners in found]


@pytest.mark.parametrize("text", TEXTS)
def test_words_and_edges_are_those_of_rapidocr(text: str) -> None:
    rng = random.Random(text)
    for _ in range(20):
        places = columns_of(text, rng)
        width = HEIGHT * COLUMNS // 6
        theirs = words_of_rapidocr(text, places, width)
        ours = reading._edges(reading._words(list(text), places), width / COLUMNS, width, len(text))
        assert [word for word, _, _ in ours] == [word for word, _, _ in theirs]
        for (_, *edges), (_, *others) in zip(ours, theirs, strict=True):
            # rapidocr carries its boxes through a projection and cuts them to whole pixels.
            assert np.abs(np.subtract(edges, others)).max() <= 1


def test_lines_are_scaled_without_smoothing() -> None:
    image = np.zeros((96, 40), np.uint8)
    image[::2] = 200
    scaled = reading.at_height(image)
    assert scaled.shape == (48, 20)
    assert scaled.std() < 3
    assert reading.at_height(np.zeros((48, 33), np.uint8)).shape == (48, 33)
