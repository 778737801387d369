"""What is exported: pages with their final text, and how the text is to be laid out. Plain data; opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import RecognisedPage

Decision = Literal["made", "accepted", "rejected", "edited", "offered", "held"]


class ExportKind(StrEnum):
    """The formats; the value is the usual ending without its dot, but for hOCR and ALTO (see `suffix`)."""

    TXT = "txt"
    MARKDOWN = "md"
    HOCR = "hocr"
    ALTO = "alto"
    PDF = "pdf"
    DOCX = "docx"
    CSV = "csv"

    @property
    def suffix(self) -> str:
        """What a file of this kind ends with: ``.txt``, ``.hocr`` …"""
        return ".alto.xml" if self is ExportKind.ALTO else f".{self.value}"

    @property
    def needs_image(self) -> bool:
        """Whether the format is about places on an image, so that text alone can't be written in it."""
        return self in {ExportKind.HOCR, ExportKind.ALTO, ExportKind.PDF}


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How text without places is laid out (TXT, Markdown, DOCX, the clipboard).

    Attributes:
        keep_lines: each printed line stays a line; otherwise the lines of a paragraph are joined.
        join_hyphens: a word that was divided at the end of a line becomes one word again.
    """

    keep_lines: bool = False
    join_hyphens: bool = True


@dataclass(frozen=True, slots=True)
class ExportedDifference:
    """One difference between the draft and what was proposed, for the table of differences.

    Attributes:
        page: the page's name.
        line: its line on the page, from 1.
        before, after: what stood there and what was proposed, or typed.
        decision: what became of it.
        certainty: 0 to 1; None where nobody gave one, as for an edit by hand.
    """

    page: str
    line: int
    before: str
    after: str
    decision: Decision
    certainty: float | None = None


@dataclass(frozen=True, slots=True)
class ExportPage:
    """One page to export.

    Attributes:
        page: with its final text, see `placing.placed`; of a text without an image, `placing.page_of_text`.
        name: for people.
        source: where it comes from; None for a text that was dropped.
        image: its image, to which the boxes refer once it is turned clockwise by ``page.turned``; a photo that
            its camera marked as turned may be given as it is. None for a text that was dropped; a page of a PDF may
            do without.
        differences: for the table of them.
    """

    page: RecognisedPage
    name: str
    source: PageSource | None = None
    image: Path | None = None
    differences: tuple[ExportedDifference, ...] = ()

    @property
    def has_places(self) -> bool:
        """Whether its words have places on an image or a page of a PDF; those of a dropped text have none."""
        has_page = self.image is not None or (self.source is not None and self.source.kind is PageKind.PDF)
        return has_page and self.page.width > 0 and self.page.height > 0

    @property
    def file_name(self) -> str:
        """The name of the file it comes from, for formats that name it."""
        path = self.source.path if self.source is not None else self.image
        return path.name if path is not None else self.name
