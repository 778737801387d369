"""How the measuring sets are built: what is drawn, what is refused, how text is tokenised, which box is a line's."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from starter.measure_lines import best_line, page_of
from starter.measure_passages import Fresh, Prose, address, table_row, tokenised
from starter.render import RenderedLine

from diffdesk.documents.recognised_page import RecognisedLine

WORDS = "one two three four five six seven eight nine ten eleven twelve"


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ("He said, “I don't.”", "He said , `` I do n't . ''"),
        ("(Ahab's leg; so!)", "-LRB- Ahab 's leg ; so ! -RRB-"),
        ("We'll go—now. He left", "We 'll go -- now . He left"),
        ("no marks here", "no marks here"),
    ],
)
def test_text_is_tokenised_as_in_a_treebank(plain: str, expected: str) -> None:
    assert tokenised(plain) == expected


def test_what_was_trained_on_or_drawn_before_is_refused(tmp_path: Path) -> None:
    trained = tmp_path / "trained.txt"
    trained.write_text("zero one, two three four FIVE six seven eight\n", encoding="utf-8")
    fresh = Fresh([trained], [WORDS])
    assert not fresh.takes("one two three four five six seven eight nine")
    assert fresh.takes("four five six seven eight nine ten eleven")
    assert not fresh.takes("three four five six seven eight nine ten eleven")
    assert fresh.takes("too short")
    assert not fresh.takes("too short")


def test_prose_is_cut_between_words(tmp_path: Path) -> None:
    text = tmp_path / "held.txt"
    numbers = [f"word{number}" for number in range(400)]
    text.write_text(" ".join(numbers) + "\n", encoding="utf-8")
    prose = Prose([text], Fresh([], []))
    rng = random.Random(1)
    drawn = [prose.draw(rng, 40, 60) for _ in range(3)]
    assert all(40 <= len(one) <= 60 and set(one.split()) <= set(numbers) for one in drawn)


def test_made_rows_are_the_same_for_the_same_seed() -> None:
    def rows() -> list[str]:
        rng = random.Random("x")
        return [made(rng) for made in (table_row, address) for _ in range(30)]

    assert rows() == rows()


def test_a_page_holds_its_lines_one_below_another() -> None:
    lines = [
        (text, RenderedLine(np.full((height, 90), grey, np.uint8), np.zeros(len(text), np.float32), ""))
        for text, height, grey in (("ab", 20, 0), ("cd", 30, 119))
    ]
    page, places = page_of(lines)
    pixels = np.asarray(page.convert("L"))
    assert [(one.truth, one.bottom - one.top) for one in places] == [("ab", 20), ("cd", 30)]
    assert (pixels[places[0].top : places[0].bottom, 40:110] == 0).all()
    assert (pixels[places[1].top : places[1].bottom, 40:110] == 119).all()
    assert places[0].bottom < places[1].top

    middle = (places[1].top + places[1].bottom) // 2
    found = tuple(
        RecognisedLine(text, (30, top, right, top + 12), 0.9)
        for text, top, right in (("x", middle, 50), ("cd", middle, 110))
    )
    best = best_line(places[1], found)
    assert best is not None
    assert best.text == "cd"
    assert best_line(places[0], found) is None
