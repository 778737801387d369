"""Pictures for the tests, drawn when they are needed: pages of print, and files that are wrong in a known way."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

LEFT_COLUMN = (
    "Morning came slowly over",
    "the harbour, and the gulls",
    "began to quarrel about",
    "the first basket of fish",
    "that was carried ashore",
    "by the old ferryman.",
)
RIGHT_COLUMN = (
    "Nobody in the town knew",
    "how long he had worked",
    "there, or who had taught",
    "him to read the weather",
    "from the colour of the",
    "clouds above the hills.",
)

Font = ImageFont.FreeTypeFont


def font(size: int) -> Font:
    return ImageFont.truetype("DejaVuSerif.ttf", size)


def write_lines(page: Image.Image, lines: Sequence[str], at: tuple[int, int], size: int = 26, pitch: int = 40) -> None:
    pen = ImageDraw.Draw(page)
    left, top = at
    for number, line in enumerate(lines):
        pen.text((left, top + number * pitch), line, fill=0, font=font(size))


def blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def paragraph() -> Image.Image:
    page = blank(520, 320)
    write_lines(page, LEFT_COLUMN, (40, 40))
    return page


def two_columns() -> Image.Image:
    """Two columns under a headline that stands over both."""
    page = blank(900, 420)
    write_lines(page, ["A Quiet Harbour In The Early Morning"], (90, 30), size=34)
    write_lines(page, LEFT_COLUMN, (40, 120))
    write_lines(page, RIGHT_COLUMN, (480, 120))
    return page


def corners() -> Image.Image:
    """20 × 10 pixels whose left half is red and right half is blue, so that a turn shows."""
    image = Image.new("RGB", (20, 10), (255, 0, 0))
    image.paste((0, 0, 255), (10, 0, 20, 10))
    return image


def png_that_claims(path: Path, width: int, height: int) -> Path:
    """A PNG whose header claims a size; behind it are hardly any pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def animation(path: Path, colours: Sequence[tuple[int, int, int]], milliseconds: int) -> Path:
    """A picture of 16 × 8 pixels that changes its colour; the format comes from the file's name."""
    frames = [Image.new("RGB", (16, 8), colour) for colour in colours]
    kind = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}[path.suffix]
    exact = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, **exact)
    return path
