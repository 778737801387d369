"""Where a page comes from: one image of a file, or one page of a PDF. Plain data; opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class PageKind(StrEnum):
    """What kind of file a page is taken from."""

    IMAGE = "image"  # one of its images: a TIFF or HEIC may have several
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class PageSource:
    """One page of a file.

    Attributes:
        path: the file; never written to.
        number: which of its pages, from 0.
        of: how many it has.
        kind: of the file.
    """

    path: Path
    number: int = 0
    of: int = 1
    kind: PageKind = PageKind.IMAGE

    @property
    def name(self) -> str:
        """For people: ``scan.pdf, page 3 of 12``."""
        return self.path.name if self.of == 1 else f"{self.path.name}, page {self.number + 1} of {self.of}"
