"""The samples in the repository are those that the script makes."""

from __future__ import annotations

import random
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import samples
from PIL import Image

FOLDER = Path(__file__).resolve().parents[3] / "resources" / "samples"


def test_the_text_is_what_the_script_writes() -> None:
    text = (FOLDER / "sample.txt").read_text(encoding="utf-8")
    assert text == samples.with_slips(samples.NOISY, random.Random(samples._SEED)) + "\n"
    assert 0.9 < SequenceMatcher(None, text.strip(), samples.NOISY, autojunk=False).ratio() < 0.99


def test_the_image_is_what_the_script_draws() -> None:
    drawn = np.asarray(samples.worn_print(samples.PRINTED, random.Random(samples._SEED)).convert("L"), dtype=float)
    with Image.open(FOLDER / "sample.png") as image:
        kept = np.asarray(image.convert("L"), dtype=float)
    # Another version of the font library may draw letters a little differently.
    assert kept.shape == drawn.shape
    assert np.abs(kept - drawn).mean() < 6.0
