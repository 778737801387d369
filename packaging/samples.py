"""Make the samples that the window offers: ``resources/samples/sample.png`` and ``sample.txt``.

    python3 packaging/dev.py exec python packaging/samples.py [FOLDER]

Both show a text of our own. The picture looks like an old, tired print that was scanned: the recogniser reads it
with a few slips, so that there is something to correct. The text file has slips of the same kinds written into it.
The same fonts (DejaVu) and the same Pillow give the same files again.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

PRINTED = (
    "The lamp on the pier was lit an hour before dusk,",
    "for the keeper did not trust the sky. All day the",
    "wind had turned from south to west and back again,",
    "and the fishing boats had come home with half their",
    "usual catch. He wound the clock, filled the oil, and",
    "wrote the weather into the great book by the door.",
    "At nine the first heavy drops struck the window. He",
    "smiled, closed the shutters, and put the kettle on.",
)

NOISY = (
    "The old library stood at the corner of the market square, and its doors were never locked. "
    "Every evening the children came to read by the warm stove while the snow fell outside. "
    "Some brought bread to share with the others, and some only came to hear a story. "
    "The librarian knew each of them by name. She kept a small notebook in which she wrote down "
    "what they had read, and on their birthdays she gave them a book from the highest shelf."
)

_SLIPS = {
    "rn": "m",
    "m": "rn",
    "l": "1",
    "o": "0",
    "e": "c",
    "h": "b",
    "n": "u",
    "d": "cl",
    "w": "vv",
    "i": "l",
    "s": "5",
    "t": "f",
    " ": "",
}
_SLIP_RATE = 0.05

_MARGIN = 44
_LINE_HEIGHT = 44
_FONT_SIZE = 27
_WIDTH = 820
_SEED = 30


def main() -> None:
    """Write both samples into a folder, ``resources/samples`` unless another is named."""
    parser = argparse.ArgumentParser(description="Make the samples that the window offers.")
    home = Path(__file__).resolve().parent.parent / "resources" / "samples"
    parser.add_argument("folder", nargs="?", type=Path, default=home)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    worn_print(PRINTED, random.Random(_SEED)).save(folder / "sample.png", optimize=True)
    (folder / "sample.txt").write_text(with_slips(NOISY, random.Random(_SEED)) + "\n", encoding="utf-8")


def with_slips(text: str, chance: random.Random) -> str:
    """The text with about one character in twenty read wrongly, as recognisers do."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        seen = next((pattern for pattern in _SLIPS if text.startswith(pattern, at)), "")
        # Spaces are the most frequent character, and are lost less often than letters are misread.
        rate = _SLIP_RATE / 3 if seen == " " else _SLIP_RATE
        if seen and chance.random() < rate:
            parts.append(_SLIPS[seen])
            at += len(seen)
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts)


def worn_print(lines: tuple[str, ...], chance: random.Random) -> Image.Image:
    """Lines of print as a scan of a worn page: uneven ink, grain, grey paper, a slight slant; 8 greys."""
    noise = np.random.default_rng(chance.randrange(2**32))
    size = (_WIDTH, 2 * _MARGIN + _LINE_HEIGHT * len(lines))
    page = Image.new("L", size, 255)
    pen = ImageDraw.Draw(page)
    font = ImageFont.truetype("DejaVuSerif.ttf", _FONT_SIZE)
    for row, line in enumerate(lines):
        pen.text((_MARGIN, _MARGIN + row * _LINE_HEIGHT), line, fill=0, font=font)
    page = page.rotate(0.5, Image.Resampling.BICUBIC, fillcolor=255)
    # Ink that did not take everywhere, in spots of some pixels.
    spots = Image.fromarray(noise.normal(0, 1, (size[1] // 2, size[0] // 2)).astype(np.float32)).resize(size)
    ink = 255.0 - np.asarray(page.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float32)
    ink *= np.clip(0.85 + 0.45 * np.asarray(spots), 0.0, 1.25)
    paper = 236.0 - 14.0 * np.linspace(0, 1, size[0], dtype=np.float32)[None, :]
    grain = noise.normal(0, 6, (size[1], size[0])).astype(np.float32)
    grey = np.clip(paper - 0.85 * ink + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).quantize(8)


if __name__ == "__main__":
    main()
