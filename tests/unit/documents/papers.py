"""Files with pages for the tests: PDFs whole, locked and wrong in a known way, TIFFs with pages, HEIC photos."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pikepdf
import pillow_heif
from PIL import Image

from tests.unit.documents.drawing import blank, write_lines


def sheet(text: str, size: tuple[int, int] = (620, 200)) -> Image.Image:
    """A page in greys with one line of print."""
    page = blank(*size)
    write_lines(page, [text], (40, 60), size=40)
    return page.convert("L")


def write_pdf(path: Path, pages: Sequence[Image.Image], dots_per_inch: float = 150.0) -> Path:
    """A PDF of images, as a scanner makes it."""
    pages[0].save(path, "PDF", save_all=True, append_images=pages[1:], resolution=dots_per_inch)
    return path


def write_locked_pdf(path: Path) -> Path:
    """A PDF that needs a password."""
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(path, encryption=pikepdf.Encryption(user="secret", owner="more secret"))
    return path


def write_blank_pdf(path: Path, width: float, height: float, turned: int = 0) -> Path:
    """A PDF with an empty page of that size in points."""
    with pikepdf.new() as document:
        document.add_blank_page()
        document.pages[0].MediaBox = pikepdf.Array([0, 0, Decimal(str(width)), Decimal(str(height))])
        document.pages[0].Rotate = turned
        document.save(path)
    return path


def write_endless_pdf(path: Path) -> Path:
    """A PDF of two kilobytes whose page draws one line a hundred million times."""
    with pikepdf.new() as document:
        document.add_blank_page()
        drawing = document.make_stream(b"0 0 m 500 500 l S")
        for _ in range(8):
            drawing.Type, drawing.Subtype = pikepdf.Name.XObject, pikepdf.Name.Form
            drawing.BBox = pikepdf.Array([0, 0, 600, 900])
            inner, drawing = drawing, document.make_stream(b"/X Do " * 10)
            drawing.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(X=inner))
        document.pages[0].Contents = drawing
        document.pages[0].Resources = drawing.Resources
        document.save(path)
    return path


def write_tiff(path: Path, pages: Sequence[Image.Image]) -> Path:
    """A TIFF with a page for each image."""
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])
    return path


def write_heic(path: Path, pictures: Sequence[Image.Image]) -> Path:
    """A HEIC photo; several pictures as of a burst."""
    made = pillow_heif.from_pillow(pictures[0])
    for picture in pictures[1:]:
        made.add_from_pillow(picture)
    made.save(path, quality=90)
    return path


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some changed, left out or doubled."""
    broken = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(broken))
        kind = chance.randrange(4)
        if kind == 0:
            broken[at] = chance.randrange(256)
        elif kind == 1:
            del broken[at : at + chance.randint(1, 200)]
        elif kind == 2:
            broken[at:at] = broken[at : at + chance.randint(1, 200)]
        else:
            # Numbers are what structures of PDFs are built of.
            broken[at : at + 1] = str(chance.randrange(2**33)).encode()
        if not broken:
            return b"%"
    return bytes(broken)
