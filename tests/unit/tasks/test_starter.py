"""The guess of a language never refuses English, however noisy, and spots what the starter can't do."""

from __future__ import annotations

import pytest

from diffdesk.tasks.starter import is_english


@pytest.mark.parametrize(
    "text",
    [
        "Tbe quiek brovvn fox jumps ovcr the lazy d0g.",
        "1,284.50 EUR due 03/04/2026",
        "",
        "Die Hard is on television",
        "INVOICE No. 4711",
        "tlie con artist and tbe man from La Mancha went to see the les Miserables",
    ],
)
def test_lets_english_pass(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Быстрая коричневая лиса",
        "敏捷的棕色狐狸",
        "Der schnelle braune Fuchs ist nicht über den Zaun und auf die Wiese gesprungen",
        "Le renard brun est dans la maison et les enfants sont avec lui",
    ],
)
def test_spots_other_languages(text: str) -> None:
    assert not is_english(text)
