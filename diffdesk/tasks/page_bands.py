"""Which part of a page a model is shown with each piece of a draft: bands of lines, cut out of the page's image.

A model that sees makes at most 280 soft tokens of an image by default, each of 48 × 48 pixels, and every image is
brought to the size that fills them (`backends.image_patches`). A page of A4 becomes about 670 × 910 pixels: at 60
lines, a line is 15 pixels high with its spacing, and its letters 6, which nobody can read. A band of 20 lines of the
same page is about 1,060 × 570 pixels: 28 for a line and 11 for its small letters. So a page of many lines goes in
bands, each beside the lines that it shows. Knows nothing of models.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from diffdesk.core.errors import ImageError
from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import ReadLine
from diffdesk.documents.images import open_image
from diffdesk.documents.pixels import turned_clockwise
from diffdesk.tasks.read_lines import Box, match_lines

MOST_LINES = 20
MOST_CHARACTERS = 1500
_MARGIN = 0.5  # of a line's height: what a box cuts off, and a little white
_COLUMN = 1.0  # of a line's height: a line that begins so much above the one before it stands in another column

log = logging.getLogger(__name__)

Placed = tuple[int, ReadLine]


@dataclass(frozen=True, slots=True)
class Band:
    """A part of a page, and the part of the draft that begins with its lines.

    Attributes:
        start: character of the draft; the band's part goes on to where the next one starts.
        image, turned: as in `ReadLine`.
        box: what to cut out of the turned image; None shows all of it.
    """

    start: int
    image: Path
    turned: int
    box: Box | None


def plan_bands(draft: str, lines: Sequence[ReadLine]) -> tuple[Band, ...]:
    """The bands of a draft's pages in order; empty where none of the lines still is as it was read.

    A page of few lines is shown whole. Elsewhere a band has at most `MOST_LINES` lines and `MOST_CHARACTERS`
    characters, and does not reach into another column unless both fit together. What stands between lines that were
    found goes with those before it; the first band starts at 0.
    """
    bands: list[Band] = []
    for _, page in itertools.groupby(match_lines(draft, lines), key=lambda one: (one[1].image, one[1].turned)):
        placed = list(page)
        groups = [placed] if _fits(placed) else [band for run in _joined(_columns(placed)) for band in _divided(run)]
        for group in groups:
            start, first = group[0]
            box = None if len(groups) == 1 else _box([line for _, line in group])
            bands.append(Band(start if bands else 0, first.image, first.turned, box))
    return tuple(bands)


def _fits(placed: Sequence[Placed]) -> bool:
    return len(placed) <= MOST_LINES and _characters(placed) <= MOST_CHARACTERS


def _characters(placed: Sequence[Placed]) -> int:
    return sum(len(line.text) for _, line in placed)


def _columns(placed: Sequence[Placed]) -> list[list[Placed]]:
    """Runs of lines that follow each other down the page."""
    runs = [[placed[0]]]
    for (_, before), one in itertools.pairwise(placed):
        height = before.box[3] - before.box[1]
        if one[1].box[1] < before.box[1] - _COLUMN * height:
            runs.append([])
        runs[-1].append(one)
    return runs


def _joined(runs: Sequence[list[Placed]]) -> list[list[Placed]]:
    """Neighbouring runs put together while they fit: a page of many small cells has no need of as many bands."""
    joined: list[list[Placed]] = []
    for run in runs:
        if joined and _fits([*joined[-1], *run]):
            joined[-1] += run
        else:
            joined.append(run)
    return joined


def _divided(run: Sequence[Placed]) -> list[list[Placed]]:
    """A run in as few bands as fit, about equally long, so that no line or two are left alone."""
    count = max(-(-len(run) // MOST_LINES), -(-_characters(run) // MOST_CHARACTERS))
    while True:
        edges = [round(len(run) * at / count) for at in range(count + 1)]
        parts = [list(run[start:end]) for start, end in itertools.pairwise(edges)]
        if count >= len(run) or all(_fits(part) for part in parts):
            return parts
        count += 1


def _box(lines: Sequence[ReadLine]) -> Box:
    """Around all the lines, with a margin."""
    lefts, tops, rights, bottoms = zip(*(line.box for line in lines), strict=True)
    heights = sorted(line.box[3] - line.box[1] for line in lines)
    margin = round(_MARGIN * heights[len(heights) // 2])
    return min(lefts) - margin, min(tops) - margin, max(rights) + margin, max(bottoms) + margin


class BandPictures:
    """The images of bands, made in a folder when they are asked for; only the last page is kept open.

    Args:
        folder: for the images; whoever made it removes it.
        shown: the images of the message by their files, whose names a user knows.

    Attributes:
        lost: names of the images that could not be opened any more.
    """

    def __init__(self, folder: Path, shown: Mapping[Path, ImageRef]) -> None:
        self.lost: list[str] = []
        self._folder = folder
        self._shown = shown
        self._made: dict[Band, ImageRef | None] = {}
        self._open: tuple[Path, int] | None = None
        self._page: Image.Image | None = None

    def picture(self, band: Band) -> ImageRef | None:
        """What to show of a band: a PNG in the folder, or the page's own image; None where that can't be opened."""
        if band.box is None and not band.turned:
            return self._shown[band.image]
        if band not in self._made:
            self._made[band] = self._cut(band)
        return self._made[band]

    def _cut(self, band: Band) -> ImageRef | None:
        page = self._upright(band)
        if page is None:
            return None
        left, top, right, bottom = band.box or (0, 0, page.width, page.height)
        inside = max(left, 0), max(top, 0), min(right, page.width), min(bottom, page.height)
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            return None  # another image has taken the place of the one that was read
        path = self._folder / f"{len(self._made)}.png"
        page.crop(inside).save(path, "PNG", compress_level=1)
        return ImageRef(path, self._shown[band.image].name)

    def _upright(self, band: Band) -> Image.Image | None:
        if self._open != (band.image, band.turned):
            self._open, self._page = (band.image, band.turned), None
            try:
                self._page = turned_clockwise(open_image(band.image), band.turned)
            except ImageError as error:
                log.info("a page is gone: %s", error.title)
                self.lost.append(self._shown[band.image].name or band.image.name)
        return self._page
