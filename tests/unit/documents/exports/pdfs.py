"""PDFs for the tests: made, and read back with Poppler where it is installed and with PDFium everywhere."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pypdfium2 as pdfium
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diffdesk.documents.exports.pdf_writer import PdfWriter
from diffdesk.documents.recognised_page import Box, RecognisedPage
from tests.unit.documents.drawing import font

NEAR = 3.0
"""Pixels by which a word in a PDF may be off its box."""

needs_poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (Poppler) is not installed")

_XHTML = "{http://www.w3.org/1999/xhtml}"


def poppler_text(path: Path) -> str:
    return subprocess.run(["pdftotext", "-cropbox", path, "-"], capture_output=True, check=True).stdout.decode()


def poppler_words(path: Path, number: int, page: RecognisedPage) -> list[tuple[str, tuple[float, ...]]]:
    """Each word with its place in the pixels of the page's image."""
    command = ["pdftotext", "-cropbox", "-bbox", "-f", str(number + 1), "-l", str(number + 1), str(path), "-"]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    root = ET.fromstring(text[text.index("<html") :])
    (sheet,) = root.iter(f"{_XHTML}page")
    # The size is said of the page as it was before it was turned, the places of words are not.
    size = sorted((float(sheet.get("width", "0")), float(sheet.get("height", "0"))))
    scale = max(page.width, page.height) / size[1]
    edges = ("xMin", "yMin", "xMax", "yMax")
    return [
        (word.text or "", tuple(scale * float(word.get(edge, "nan")) for edge in edges))
        for word in sheet.iter(f"{_XHTML}word")
    ]


_LINE_END_HYPHEN = "\ufffe"  # so PDFium writes a hyphen at the end of a line, and leaves the line end out


def pdfium_text(path: Path) -> list[str]:
    with pdfium.PdfDocument(path) as pdf:
        texts = [pdf[number].get_textpage().get_text_range() for number in range(len(pdf))]
    return [text.replace(_LINE_END_HYPHEN, "-\n") for text in texts]


def pdfium_words(path: Path, number: int, page: RecognisedPage) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Each word of the page with its place, by its first and last character, in the pixels of the page's image."""
    with pdfium.PdfDocument(path) as pdf:
        sheet = pdf[number]
        text = sheet.get_textpage()
        whole = text.get_text_range()
        for match in re.finditer(rf"[^\s{_LINE_END_HYPHEN}]+{_LINE_END_HYPHEN}?", whole):
            boxes = [text.get_charbox(index) for index in (match.start(), match.end() - 1)]
            corners = [_on_paper(sheet, page, *box[2 * end : 2 * end + 2]) for box in boxes for end in (0, 1)]
            across, down = zip(*corners, strict=True)
            place = min(across), min(down), max(across), max(down)
            yield match[0].replace(_LINE_END_HYPHEN, "-"), place


def _on_paper(sheet: pdfium.PdfPage, page: RecognisedPage, x: float, y: float) -> tuple[float, float]:
    fine = 16  # PDFium gives whole pixels
    across, down = ctypes.c_int(), ctypes.c_int()
    size = (page.width * fine, page.height * fine)
    pdfium.raw.FPDF_PageToDevice(sheet, 0, 0, *size, 0, x, y, across, down)
    return across.value / fine, down.value / fine


def assert_words_lie_there(found: list[tuple[str, tuple[float, ...]]], page: RecognisedPage) -> None:
    """The words, in the order of reading, within three pixels of their boxes."""
    wanted: list[tuple[str, Box]] = [(word.text, word.box) for line in page.lines for word in line.words]
    assert [text for text, _ in found] == [text for text, _ in wanted]
    for (text, place), (_, box) in zip(found, wanted, strict=True):
        assert max(abs(a - b) for a, b in zip(place, box, strict=True)) <= NEAR, (text, place, box)


def rendered(path: Path, number: int = 0, scale: float = 1.0) -> NDArray[np.int16]:
    """The page as pixels."""
    with pdfium.PdfDocument(path) as pdf:
        return np.asarray(pdf[number].render(scale=scale).to_pil().convert("RGB"), np.int16)


def drawn(page: RecognisedPage) -> Image.Image:
    """An image with the page's words where they stand."""
    image = Image.new("RGB", (page.width, page.height), "white")
    pen = ImageDraw.Draw(image)
    for word in (word for line in page.lines for word in line.words):
        pen.text((word.box[0], word.box[1]), word.text, fill=(20, 20, 60), font=font(20))
    return image


def source_pdf(path: Path, pages: Sequence[tuple[bytes, str]]) -> Path:
    """A PDF of pages given by their contents and further entries of their dictionaries, with Helvetica as F1.

    The resources and the size of 450 by 350 points are inherited, as many programs write them.
    """
    with path.open("wb") as file:
        writer = PdfWriter(file)
        tree = writer.reserve()
        kids = []
        for contents, entries in pages:
            stream = writer.add_stream("", contents)
            kids.append(writer.add(f"<< /Type /Page /Parent {tree} 0 R /Contents {stream} 0 R {entries} >>"))
        font_of = writer.add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        listed = " ".join(f"{kid} 0 R" for kid in kids)
        shared = f"/MediaBox [0 0 450 350] /Resources << /Font << /F1 {font_of} 0 R >> >>"
        writer.add(f"<< /Type /Pages /Count {len(kids)} /Kids [{listed}] {shared} >>", tree)
        catalog = writer.add(f"<< /Type /Catalog /Pages {tree} 0 R >>")
        writer.finish(catalog, writer.add("<< /Title (Their title) >>"))
    return path
