"""The models of noise: how much they spoil, what they leave alone, and that a seed repeats them."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from starter import noise, vocabulary
from starter.align import edit_distance

LINES = [
    "The morning was clear and still, and “the whole of the valley” lay before us;",
    "for seven years, he said, I've waited here without a letter or a word from them.",
    "She could not help smiling at his manner - it was so very like her brother's.",
    "In 1874 the price had fallen to 12 shillings, and nobody would buy at that.",
    "What difficulty there is in finding the right kind of timber for building!",
]
ENTRY = "12 x Olive oil 0.75l $1,204.50 ref. A-17/b (paid, thanks) www.example.org/olive"


def _share_of_errors(spoil: noise.Spoil, count: int) -> tuple[float, float]:
    """Errors for each character, and the share of lines without any."""
    rng = random.Random(11)
    wrong = whole = 0
    unchanged = 0
    for number in range(count):
        text = LINES[number % len(LINES)]
        made = spoil(text, rng)
        wrong += edit_distance(vocabulary.encode(made), vocabulary.encode(text))
        whole += len(text)
        unchanged += made == text
    return wrong / whole, unchanged / count


@pytest.mark.parametrize(
    ("spoil", "least", "most"),
    [
        (noise.mixed, 0.055, 0.095),
        (noise.classic, 0.060, 0.110),
        (lambda text, rng: noise.classic(text, rng, 0.05), 0.045, 0.085),
        (noise.print_slips, 0.015, 0.035),
    ],
)
def test_the_rate_of_errors(spoil: noise.Spoil, least: float, most: float) -> None:
    rate, _ = _share_of_errors(spoil, 250)
    assert least < rate < most


def test_a_rate_of_zero_leaves_half_of_the_lines() -> None:
    rng = random.Random(2)
    made = [noise.classic(LINES[0], rng, 0.0) for _ in range(300)]
    assert 0.3 < sum(one == LINES[0] for one in made) / len(made) < 0.6


@pytest.mark.parametrize("spoil", [noise.mixed, noise.classic, noise.print_slips])
def test_a_seed_repeats(spoil: noise.Spoil) -> None:
    assert [spoil(line, random.Random(5)) for line in LINES] == [spoil(line, random.Random(5)) for line in LINES]


@pytest.mark.parametrize("text", ["a", "..", "I", "é", "ab", *LINES, ENTRY])
def test_a_draft_is_single_spaced_and_fits(text: str) -> None:
    rng = random.Random(3)
    for _ in range(200):
        made = noise.draft(text, rng, len(text))
        assert made == " ".join(made.split())
        assert 1 <= len(made) <= len(text)
        assert (vocabulary.encode(made) != vocabulary.UNK).all()


def test_a_share_of_drafts_is_clean() -> None:
    rng = random.Random(4)
    drafts = [noise.draft(LINES[0], rng, 128) for _ in range(1000)]
    assert 0.14 < sum(one == LINES[0] for one in drafts) / len(drafts) < 0.28


def test_a_light_draft_touches_only_words_of_letters() -> None:
    rng = random.Random(6)
    text = ENTRY.replace(" ", "   ", 3)
    fixed = [re.escape(one) for one in ("12", "0.75l", "$1,204.50", "A-17/b", "www.example.org/olive")]
    pattern = re.compile(r"\s+.*".join(fixed))
    drafts = [noise.light_draft(text, rng, 128) for _ in range(400)]
    assert all(pattern.fullmatch(one) for one in drafts)
    assert 0.6 < sum(one == text for one in drafts) / len(drafts) < 0.85


def test_all_that_noise_writes_is_in_the_vocabulary() -> None:
    rng = random.Random(8)
    alphabet = "".join(character for character in vocabulary.CHARACTERS if character != "\n")
    for _ in range(300):
        text = "".join(rng.choices(alphabet, k=60))
        for spoil in (noise.mixed, noise.classic, noise.print_slips):
            made = vocabulary.encode(spoil(text, rng))
            assert np.all(made != vocabulary.UNK)
