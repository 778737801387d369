"""An image file as the picture of a PDF page: a JPEG as it is, anything else without loss, photos as JPEG.

Knows nothing of text and of how a PDF is put together.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from diffdesk.documents.exports.jpeg_data import picture_alone
from diffdesk.documents.exports.text_layer import Matrix
from diffdesk.documents.image_guard import opened
from diffdesk.documents.pixels import to_rgb

_USUAL_DPI = 300.0
_LEAST_DPI, _MOST_DPI = 50.0, 1200.0
_LARGEST_PAGE = 14_400.0  # points; viewers go no further (PDF 32000-1:2008, annex C)
_POINTS = 72.0
_QUALITY = 90
_FEW_COLOURS = 4096  # a drawing or a screenshot: smaller and sharper without JPEG
_ORIENTATION = 0x0112
_COLOURS = {"L": ("DeviceGray", b"GRAY"), "RGB": ("DeviceRGB", b"RGB ")}

# What a camera's mark 1 … 8 (Exif) does to a picture, as matrices of the unit square with y upwards.
_UPRIGHT: dict[int, Matrix] = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
_CLOCKWISE = {0: 1, 90: 6, 180: 3, 270: 8}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready to be put into a PDF.

    Attributes:
        entries: of its dictionary: size and filter.
        data: as the filter expects them.
        colours: ``DeviceGray`` or ``DeviceRGB``.
        profile: what its colours mean, if the file says so and they are as they were in it.
        matrix: from the unit square to a page of one by one, so that it stands upright on it.
        width, height: of the upright page, in points.
    """

    entries: str
    data: bytes
    colours: str
    profile: bytes | None
    matrix: Matrix
    width: float
    height: float


def picture_of(path: Path, turned: int) -> Picture:
    """The picture of an image file, upright and turned clockwise by so many degrees.

    Raises:
        ImageError: it can't be opened.
    """
    with opened(path) as image:
        dpi = _dpi(image)
        orientation = _orientation(image)
        jpeg = _as_it_is(path, image)
        if jpeg is not None:
            size, pixels = image.size, jpeg
        else:
            rgb = to_rgb(image)
            size, pixels = rgb.size, _encoded(rgb)
            orientation = 1
    matrix = _after(_UPRIGHT[orientation], _UPRIGHT[_CLOCKWISE[turned]])
    if matrix[0] == 0:
        size, dpi = (size[1], size[0]), (dpi[1], dpi[0])
    width, height = (_POINTS * count / each for count, each in zip(size, dpi, strict=True))
    shrink = min(1.0, _LARGEST_PAGE / max(width, height))
    measures = (matrix, width * shrink, height * shrink)
    return Picture(pixels.entries, pixels.data, pixels.colours, pixels.profile, *measures)


@dataclass(frozen=True, slots=True)
class _Pixels:
    entries: str
    data: bytes
    colours: str
    profile: bytes | None = None


def _as_it_is(path: Path, image: Image.Image) -> _Pixels | None:
    """A JPEG in grey or in colours of the screen, byte for byte."""
    if image.format not in {"JPEG", "MPO"} or image.mode not in _COLOURS:
        return None
    try:
        data = picture_alone(path.read_bytes())
    except ValueError:
        # Pillow forgives more than PDF viewers do.
        return None
    colours, space = _COLOURS[image.mode]
    profile = image.info.get("icc_profile")
    # A profile names the kind of colours that it is for (ICC.1:2010, 7.2).
    is_fitting = isinstance(profile, bytes) and profile[16:20] == space
    return _Pixels(_entries(image.size, 8, "/Filter /DCTDecode"), data, colours, profile if is_fitting else None)


def _encoded(rgb: Image.Image) -> _Pixels:
    pixels = np.asarray(rgb)
    is_grey = bool((pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 0] == pixels[:, :, 2]).all())
    if is_grey:
        grey = rgb.getchannel("R")
        is_bilevel = sum(grey.histogram()[1:255]) == 0
        return _flate(grey.convert("1", dither=Image.Dither.NONE) if is_bilevel else grey)
    if rgb.getcolors(_FEW_COLOURS) is not None:
        return _flate(rgb)
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=_QUALITY)
    return _Pixels(_entries(rgb.size, 8, "/Filter /DCTDecode"), buffer.getvalue(), "DeviceRGB")


def _flate(image: Image.Image) -> _Pixels:
    """The picture as a PNG holds it, which PDF reads as it is (PDF 32000-1:2008, 7.4.4.4)."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    colours, bits = (3 if image.mode == "RGB" else 1), (1 if image.mode == "1" else 8)
    parameters = f"<< /Predictor 15 /Colors {colours} /BitsPerComponent {bits} /Columns {image.width} >>"
    entries = _entries(image.size, bits, f"/Filter /FlateDecode /DecodeParms {parameters}")
    return _Pixels(entries, b"".join(_image_chunks(buffer.getvalue())), "DeviceRGB" if colours == 3 else "DeviceGray")


def _image_chunks(png: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"IDAT":
            yield png[at + 8 : at + 8 + length]
        at += 12 + length


def _entries(size: tuple[int, int], bits: int, stream_filter: str) -> str:
    measures = f"/Width {size[0]} /Height {size[1]} /BitsPerComponent {bits}"
    return f"/Type /XObject /Subtype /Image {measures} {stream_filter}"


def _dpi(image: Image.Image) -> tuple[float, float]:
    """The resolution across and down, if the file says one that a scanner or a camera may have."""
    said = image.info.get("dpi")
    try:
        # A PNG counts pixels in a metre: 72 dots an inch come back as 72.009.
        across, down = (round(float(one), 1) for one in cast("tuple[float, float]", said))
    except (TypeError, ValueError):
        return _USUAL_DPI, _USUAL_DPI
    is_sane = all(_LEAST_DPI <= one <= _MOST_DPI for one in (across, down))
    return (across, down) if is_sane else (_USUAL_DPI, _USUAL_DPI)


def _orientation(image: Image.Image) -> int:
    if image.format not in {"JPEG", "MPO"}:
        return 1
    held = image.getexif().get(_ORIENTATION, 1)
    return held if held in _UPRIGHT else 1


def _after(first: Matrix, second: Matrix) -> Matrix:
    """The matrix that does the first and then the second."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m)
