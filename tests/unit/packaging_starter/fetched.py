"""What `fetch` would bring, in small: two fonts of DejaVu, which most systems have, and a page of text."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import ImageFont

PARAGRAPH = (
    "The morning was clear and still, and the whole of the valley lay before us; nobody had come up the road since "
    "the rain, and for seven years, he said, he had waited here without a letter or a word from any of them."
)


def copy_fonts(folder: Path) -> Path:
    """Put the fonts into a folder, made if need be; skips the test where the system has none."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("DejaVuSerif.ttf", "DejaVuSans.ttf"):
        try:
            shutil.copy(str(ImageFont.truetype(name, 10).path), folder)
        except OSError:
            pytest.skip(f"{name} is not installed")
    return folder


def write_data(data: Path) -> Path:
    """A folder as `fetch` fills it; skips the test where there are no fonts."""
    for part in ("train", "held"):
        copy_fonts(data / "fonts" / part)
        texts = data / "texts" / part
        texts.mkdir(parents=True)
        (texts / "austen.txt").write_text(f"{PARAGRAPH}\n" * 20, encoding="utf-8")
    return data
