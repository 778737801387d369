"""Makes the picture of one line that a small model sees: 32 pixels high, dark on light, whole squares.

The same function makes the pictures a model is trained on and those it is asked about, so it has to stay as it is
for as long as models trained with it are in use. Pillow only; knows nothing of pages, models and tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from diffdesk.core.lines import CELL_PIXELS, MOST_CELLS

_MOST_SQUEEZE = 1.15  # a line that is wider than the picture can be is narrowed by this much at most
_DARK_SHARE, _LIGHT_SHARE = 0.02, 0.98  # of all pixels: what is darker becomes black, what is lighter white
_LEAST_CONTRAST = 32  # grey levels; an empty line's grain is not made into marks


def width_in_picture(width: int, height: int) -> int:
    """How many pixels of its picture a crop of this size takes; what is right of them is padding.

    A place at x in the crop is at x × (this) / `width` in the picture.

    Raises:
        ValueError: the line is too long for a picture, cut it first; or it has no size.
    """
    if width < 1 or height < 1:
        raise ValueError("a crop without pixels")
    wanted = max(1, round(width * CELL_PIXELS / height))
    most = CELL_PIXELS * MOST_CELLS
    if wanted > most * _MOST_SQUEEZE:
        raise ValueError("the line is too long for one picture")
    return min(wanted, most)


def line_picture(crop: Image.Image) -> Image.Image:
    """The picture of a line: mode L, `CELL_PIXELS` high, a whole number of cells wide, at most `MOST_CELLS`.

    The contrast is stretched, light text on a dark ground is turned over, and the right is filled up with the
    ground's own grey. The same crop gives the same picture.

    Args:
        crop: the line as it was cut out of a page, upright, mode L.

    Raises:
        ValueError: see `width_in_picture`; or the crop has another mode.
    """
    if crop.mode != "L":
        raise ValueError("a line's crop has to be in greys")
    width = width_in_picture(*crop.size)
    small = crop.resize((width, CELL_PIXELS), Image.Resampling.BICUBIC)
    histogram = small.histogram()
    dark, light = _quantile(histogram, _DARK_SHARE), _quantile(histogram, _LIGHT_SHARE)
    # Of all pixels, not of the edges alone: a rule or the frame of a box may run along those.
    ground = _quantile(histogram, 0.5)
    is_inverted = 2 * ground < dark + light
    span = max(light - dark, _LEAST_CONTRAST)
    # An even line without marks stays at its end of the scale: paper is white, also where it is all there is.
    levels = [(grey - dark) / span if is_inverted else 1 - (light - grey) / span for grey in range(256)]
    table = [min(max(round(255 * (1 - level if is_inverted else level)), 0), 255) for level in levels]
    picture = Image.new("L", (-(-width // CELL_PIXELS) * CELL_PIXELS, CELL_PIXELS), table[ground])
    picture.paste(small.point(table), (0, 0))
    return picture


def _quantile(histogram: Sequence[int], share: float) -> int:
    """The lowest grey that at least this share of the pixels does not exceed."""
    wanted = share * sum(histogram)
    seen = 0
    for grey, count in enumerate(histogram):
        seen += count
        if seen >= wanted:
            return grey
    return 255
