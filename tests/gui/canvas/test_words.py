"""The plain words about a canvas."""

from __future__ import annotations

import math

import pytest

from diffdesk.core.trace import CellState
from diffdesk.ui.canvas import words
from tests.gui.canvas.frames import frame_of


def test_status_of_each_phase() -> None:
    assert words.status(frame_of(["a"] * 3, CellState.NOISE, step=0)) == "starting · 3 positions"
    assert words.status(frame_of(["a"] * 3, step=9)) == "step 9 of 48 · 3 of 3 settled"
    assert words.status(frame_of(["a"], step=1, is_closed=True)) == "settled after 1 step"
    assert words.status(frame_of(["a"], step=14, is_closed=True)) == "settled after 14 steps"


def test_place_is_silent_for_a_single_canvas() -> None:
    assert words.place(frame_of(["a"])) == ""
    assert words.place(frame_of(["a"], canvas=1, canvases=8)) == "canvas 2 of 8"
    assert words.short_place(frame_of(["a"], canvas=1, canvases=8)) == "2/8"


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (1.0, "The model is sure"),
        (1.3, "The model is nearly sure"),
        (3.0, "The model weighs about 3 words"),
        (90.0, "The model weighs about 90 words"),
        (9000.0, "The model has no idea yet"),
    ],
)
def test_certainty_is_told_in_equally_likely_words(choices: float, told: str) -> None:
    assert words.certainty(math.log(choices)) == told


def test_blanks_become_visible_and_long_pieces_short() -> None:
    assert words.visible(" a\n") == "␣a↵"
    assert words.visible("") == "(nothing)"
    assert len(words.visible("x" * 300)) == 40


def test_figures_leave_out_what_is_not_known() -> None:
    assert words.figures(frame_of(["a"]), 0.0, None).startswith("12 ms a step · 1 accepted") is False
    full = words.figures(frame_of(["a"], CellState.ACCEPTED), 87.3, 0.41)
    assert full == (
        "12 ms a step · 87 tok/s · 1 accepted in this step · mean entropy 0.01 nats · temperature 0.60 · "
        "first words after 410 ms"
    )
