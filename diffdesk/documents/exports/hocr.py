"""hOCR 1.2 (Breuel and others, kba.github.io/hocr-spec/1.2): XHTML that carries the places of words.

One element for each page, block, paragraph, line and word. Boxes are pixels of the page's image; where that lies on its
side or its head, of the image turned upright, which the page says by ``x_image_turned`` (degrees clockwise), a property
of our own as the specification allows it. Pages are written one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import diffdesk
from diffdesk.documents.exports.export_page import ExportPage
from diffdesk.documents.exports.gaps import union
from diffdesk.documents.exports.line_words import spaced_words
from diffdesk.documents.exports.xml_text import blocks_of, clean
from diffdesk.documents.recognised_page import Box, RecognisedLine

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="und" lang="und">
<head>
<title>{title}</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
<meta name="ocr-system" content="DiffDesk {version}" />
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word" />
</head>
<body>
"""
_TAIL = "</body>\n</html>\n"


def write_hocr(pages: Iterable[ExportPage], part: Path, title: str) -> None:
    """Write pages as they are printed (see `placing.as_printed`) as one hOCR file."""
    with part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_HEAD.format(title=escape(clean(title)), version=diffdesk.__version__))
        for number, page in enumerate(pages, start=1):
            file.write(ET.tostring(_page(page, number), encoding="unicode") + "\n")
        file.write(_TAIL)


def _page(one: ExportPage, number: int) -> ET.Element:
    page = one.page
    facts = [
        f'image "{_quoted(one.file_name)}"',
        f"bbox 0 0 {page.width} {page.height}",
        f"ppageno {one.source.number if one.source is not None and one.source.of > 1 else number - 1}",
    ]
    if page.turned:
        facts.append(f"x_image_turned {page.turned}")
    element = ET.Element("div", {"class": "ocr_page", "id": f"page_{number}", "title": "; ".join(facts)})
    paragraphs = lines = words = 0
    for at, block in enumerate(blocks_of(page), start=1):
        area = _part(element, "div", "ocr_carea", f"block_{number}_{at}", [line for par in block for line in par])
        for paragraph in block:
            paragraphs += 1
            par = _part(area, "p", "ocr_par", f"par_{number}_{paragraphs}", paragraph)
            for line in paragraph:
                lines += 1
                span = _part(par, "span", "ocr_line", f"line_{number}_{lines}", [line])
                span.tail = "\n"
                words = _add_words(span, line, number, words)
    return element


def _add_words(span: ET.Element, line: RecognisedLine, page: int, count: int) -> int:
    for word, has_space in spaced_words(line):
        count += 1
        title = f"{_bbox(word.box)}; x_wconf {round(100 * word.confidence)}"
        element = ET.SubElement(span, "span", {"class": "ocrx_word", "id": f"word_{page}_{count}", "title": title})
        element.text = clean(word.text)
        element.tail = " " if has_space else None
    return count


def _part(parent: ET.Element, tag: str, kind: str, name: str, lines: list[RecognisedLine]) -> ET.Element:
    box = union(line.box for line in lines)
    element = ET.SubElement(parent, tag, {"class": kind, "id": name, "title": _bbox(box)})
    element.tail = "\n"
    return element


def _bbox(box: Box) -> str:
    return "bbox " + " ".join(str(edge) for edge in box)


def _quoted(name: str) -> str:
    return clean(name).replace("\\", "\\\\").replace('"', '\\"')
