"""Which part of a page a model is shown with each piece of a draft: bands of lines, cut out of the page's image.

A model that sees makes at most 280 soft tokens of an image, unless its folder says otherwise, each of 48 × 48 pixels,
and every image is brought to the size that fills them (`backends.image_patches`). A page of A4 becomes 672 × 912
pixels: at 60 lines, 15 for a line with its spacing and 6 for its small letters, which nobody can read. A band of 20
lines of the same page becomes 1,152 × 528: 26 for a line and 10 for its small letters; one of a narrow column still
more. So a page of many lines goes in bands, each beside the lines that it shows. Knows nothing of models.
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


@dataclass(frozen=True, slots=True)
class _Placed:
    """A line that still is as it was read: its place in the draft, and its number among the lines that were read."""

    start: int
    number: int
    line: ReadLine


def plan_bands(draft: str, lines: Sequence[ReadLine]) -> tuple[Band, ...]:
    """The bands of a draft's pages in order; empty where none of the lines still is as it was read.

    A page of few lines is shown whole. Elsewhere a band has at most `MOST_LINES` lines and `MOST_CHARACTERS`
    characters, and does not reach into another column unless both fit together. Lines that were edited since go with
    those before them, in the draft and on the page; the first band starts at 0.
    """
    placed, number = list[_Placed](), 0
    for start, line in match_lines(draft, lines):
        number = lines.index(line, number)
        placed.append(_Placed(start, number, line))
        number += 1
    groups: list[tuple[list[_Placed], bool]] = []
    for _, page in itertools.groupby(placed, key=lambda one: (one.line.image, one.line.turned)):
        on_page = list(page)
        if _fits(on_page):
            groups.append((on_page, True))
        else:
            groups += [(band, False) for run in _joined(_columns(on_page)) for band in _divided(run)]
    bands: list[Band] = []
    for at, (group, is_whole) in enumerate(groups):
        first = group[0].line
        stop = groups[at + 1][0][0].number if at + 1 < len(groups) else len(lines)
        inside = [one for one in lines[group[0].number if at else 0 : stop] if _is_on_page(one, first)]
        bands.append(Band(group[0].start if at else 0, first.image, first.turned, None if is_whole else _box(inside)))
    return tuple(bands)


def _is_on_page(line: ReadLine, other: ReadLine) -> bool:
    return (line.image, line.turned) == (other.image, other.turned)


def _fits(placed: Sequence[_Placed]) -> bool:
    return len(placed) <= MOST_LINES and _characters(placed) <= MOST_CHARACTERS


def _characters(placed: Sequence[_Placed]) -> int:
    return sum(len(one.line.text) for one in placed)


def _columns(placed: Sequence[_Placed]) -> list[list[_Placed]]:
    """Runs of lines that follow each other down the page."""
    runs = [[placed[0]]]
    for before, one in itertools.pairwise(placed):
        top, bottom = before.line.box[1], before.line.box[3]
        if one.line.box[1] < top - _COLUMN * (bottom - top):
            runs.append([])
        runs[-1].append(one)
    return runs


def _joined(runs: Sequence[list[_Placed]]) -> list[list[_Placed]]:
    """Neighbouring runs put together while they fit: a page of many small cells has no need of as many bands."""
    joined: list[list[_Placed]] = []
    for run in runs:
        if joined and _fits([*joined[-1], *run]):
            joined[-1] += run
        else:
            joined.append(run)
    return joined


def _divided(run: Sequence[_Placed]) -> list[list[_Placed]]:
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
