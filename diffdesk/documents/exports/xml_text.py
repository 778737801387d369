"""What the XML formats (hOCR, ALTO, DOCX) share: text that XML allows, and the paragraphs of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from diffdesk.documents.exports.reflow import parted
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text without control characters and halves of characters, which XML can't hold."""
    return _FORBIDDEN.sub("", text)


def blocks_of(page: RecognisedPage) -> Iterator[list[list[RecognisedLine]]]:
    """The page's blocks, each as its paragraphs of lines; lines without words are left out."""
    lines = (line for line in page.lines if line.words)
    for _, block in groupby(lines, key=lambda line: line.block):
        yield parted(list(block))
