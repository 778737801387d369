"""ALTO 4.4 (Library of Congress, loc.gov/standards/alto): XML that libraries use for the places of words.

All measures are pixels of the page's image; where that lies on its side or its head, of the image turned upright, which
the page says in QUALITY_DETAIL, for the format has no turned pages. Pages are written one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import diffdesk
from diffdesk.documents.exports.export_page import ExportPage
from diffdesk.documents.exports.gaps import union
from diffdesk.documents.exports.line_words import spaced_words
from diffdesk.documents.exports.xml_text import blocks_of, clean
from diffdesk.documents.recognised_page import Box, RecognisedLine

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="{namespace}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="{namespace} http://www.loc.gov/standards/alto/v4/alto-4-4.xsd">
<Description>
<MeasurementUnit>pixel</MeasurementUnit>
<sourceImageInformation><fileName>{title}</fileName></sourceImageInformation>
<Processing ID="processing_1"><processingStepDescription>recognised and corrected</processingStepDescription>\
<processingSoftware><softwareName>DiffDesk</softwareName><softwareVersion>{version}</softwareVersion>\
</processingSoftware></Processing>
</Description>
<Layout>
"""
_TAIL = "</Layout>\n</alto>\n"


def write_alto(pages: Iterable[ExportPage], part: Path, title: str) -> None:
    """Write pages as they are printed (see `placing.as_printed`) as one ALTO file."""
    with part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_HEAD.format(namespace=NAMESPACE, title=escape(clean(title)), version=diffdesk.__version__))
        for number, page in enumerate(pages, start=1):
            file.write(ET.tostring(_page(page, number), encoding="unicode") + "\n")
        file.write(_TAIL)


def _page(one: ExportPage, number: int) -> ET.Element:
    page = one.page
    facts = {
        "ID": f"page_{number}",
        "PHYSICAL_IMG_NR": str(one.source.number + 1 if one.source is not None and one.source.of > 1 else number),
        "HEIGHT": str(page.height),
        "WIDTH": str(page.width),
        "PC": f"{page.confidence:.4f}",
        "PROCESSINGREFS": "processing_1",
    }
    if page.turned:
        facts["QUALITY_DETAIL"] = f"measured on the image turned clockwise by {page.turned} degrees"
    element = ET.Element("Page", facts)
    space = ET.SubElement(element, "PrintSpace", _measures((0, 0, page.width, page.height)))
    lines = 0
    for at, block in enumerate(blocks_of(page), start=1):
        found = [line for paragraph in block for line in paragraph]
        area = ET.SubElement(space, "TextBlock", {"ID": f"block_{number}_{at}", **_around(found)})
        for line in found:
            lines += 1
            _add_line(area, line, f"{number}_{lines}")
    return element


def _add_line(area: ET.Element, line: RecognisedLine, name: str) -> None:
    element = ET.SubElement(area, "TextLine", {"ID": f"line_{name}", **_measures(line.box)})
    words = spaced_words(line)
    following = [word.box for word, _ in words[1:]]
    for at, (word, has_space) in enumerate(words):
        facts = {"ID": f"word_{name}_{at + 1}", "CONTENT": clean(word.text), "WC": f"{word.confidence:.4f}"}
        ET.SubElement(element, "String", {**facts, **_measures(word.box)})
        if has_space:
            left, right = sorted((word.box[2], following[at][0]))
            gap = {"HPOS": str(left), "VPOS": str(word.box[1]), "WIDTH": str(right - left)}
            ET.SubElement(element, "SP", gap)


def _around(lines: Sequence[RecognisedLine]) -> dict[str, str]:
    return _measures(union(line.box for line in lines))


def _measures(box: Box) -> dict[str, str]:
    left, top, right, bottom = box
    return {"HPOS": str(left), "VPOS": str(top), "WIDTH": str(right - left), "HEIGHT": str(bottom - top)}
