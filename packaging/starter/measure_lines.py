"""Measuring sets of line pictures: held-out texts in held-out fonts, drawn, worn and read.

Twenty lines on a page go through the program's own recogniser: its boxes, words and confidences are what the program
would go by.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from diffdesk.core.differences import character_error_rate
from diffdesk.documents.recogniser import RecognisedLine, Recogniser
from starter.measure_passages import Prose
from starter.render import RenderedLine, Renderer

SETS = {"lines_moderate": (100, 0.5), "lines_bad": (140, 1.15)}  # lines, and how worn they are
_ON_A_PAGE = 20
_SHORTEST, _LONGEST = 30, 75
_GAP = 26  # pixels of paper between two lines
_MARGIN = 30
_PAPER = 238
_GREYS = 16
_LOST = 0.4  # error rate from which a line was not found whole: that says nothing of correcting it


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A line in its place on a page: pixels from the top."""

    truth: str
    top: int
    bottom: int


def page_of(lines: list[tuple[str, RenderedLine]]) -> tuple[Image.Image, list[_Drawn]]:
    """The lines one below another on paper, in 16 greys."""
    width = 2 * _MARGIN + max(line.image.shape[1] for _, line in lines)
    height = 2 * _MARGIN + sum(line.image.shape[0] + _GAP for _, line in lines)
    pixels = np.full((height, width), _PAPER, np.uint8)
    places: list[_Drawn] = []
    top = _MARGIN
    for truth, line in lines:
        bottom = top + line.image.shape[0]
        pixels[top:bottom, _MARGIN : _MARGIN + line.image.shape[1]] = line.image
        places.append(_Drawn(truth, top, bottom))
        top = bottom + _GAP
    step = 255 / (_GREYS - 1)
    levels = np.round(pixels / step).astype(np.uint8)
    page = Image.fromarray(levels).convert("P")
    page.putpalette([round(level * step) for level in range(_GREYS) for _ in range(3)])
    return page, places


def best_line(place: _Drawn, found: tuple[RecognisedLine, ...]) -> RecognisedLine | None:
    """What was read in a line's place: where several boxes touch it, the one with most of its area there."""

    def shared(line: RecognisedLine) -> int:
        left, top, right, bottom = line.box
        return (right - left) * max(0, min(bottom, place.bottom) - max(top, place.top))

    best = max(found, key=shared, default=None)
    return best if best is not None and shared(best) else None


def build(prose: Prose, renderer: Renderer, folder: Path) -> None:
    """Write all sets: pages, and a JSON line for each line that was found on them."""
    recogniser = Recogniser()
    try:
        for name in SETS:
            rows = _rows(prose, renderer, recogniser, name, folder)
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    finally:
        recogniser.close()


def _rows(
    prose: Prose, renderer: Renderer, recogniser: Recogniser, name: str, folder: Path
) -> Iterator[dict[str, object]]:
    rng = random.Random(name)
    lines, level = SETS[name]
    done = number = 0
    while done < lines:
        texts = [prose.draw(rng, _SHORTEST, _LONGEST) for _ in range(min(_ON_A_PAGE, lines - done))]
        page, places = page_of([(text, renderer.line(text, rng, level)) for text in texts])
        path = folder / f"{name}_{number + 1}.png"
        page.save(path, optimize=True, bits=4)
        found = recogniser.recognise(path)
        rows = [row for place in places if (row := _row(place, best_line(place, found.lines), path.name))]
        if found.turned or len(rows) < len(places) // 2:
            continue  # the page was taken for upside down
        number += 1
        done += len(rows)
        yield from rows


def _row(place: _Drawn, line: RecognisedLine | None, page: str) -> dict[str, object] | None:
    if line is None or character_error_rate(line.text, place.truth) > _LOST:
        return None
    words = [
        {"text": word.text, "left": word.box[0], "right": word.box[2], "confidence": round(word.confidence, 3)}
        for word in line.words
    ]
    read = {
        "text": line.text,
        "image": page,
        "turned": 0,
        "box": list(line.box),
        "words": words,
        "confidence": round(line.confidence, 3),
    }
    return {"truth": place.truth, "line": read}
