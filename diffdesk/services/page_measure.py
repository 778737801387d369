"""Measures how images of text are read and corrected, on images that have their true text beside them.

Each page is read by the program's recogniser and corrected as the program does it, then once more with canvases that
begin with noise.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from diffdesk.core.errors import UserError
from diffdesk.documents.formats import SUFFIXES
from diffdesk.documents.text_recogniser import TextRecogniser
from diffdesk.services.page_figures import PageResult
from diffdesk.services.reading import lines_of
from diffdesk.services.starter_measure import Manner, StarterBench
from diffdesk.tasks.aligned_correction import Draft, Guards

_TRUTH = ".gt.txt"


@dataclass(frozen=True, slots=True)
class TruePage:
    """A page image and what is printed on it."""

    image: Path
    truth: str


def read_pages(folder: Path) -> dict[str, list[TruePage]]:
    """The images that have a ``.gt.txt`` beside them, by folder; raises `UserError` if there is none."""
    found: dict[str, list[TruePage]] = {}
    for truth in sorted(folder.rglob(f"*{_TRUTH}")):
        stem = truth.name.removesuffix(_TRUTH)
        images = [truth.with_name(stem + suffix) for suffix in SUFFIXES]
        image = next((one for one in images if one.is_file()), None)
        if image is not None:
            name = truth.parent.relative_to(folder).as_posix()
            found.setdefault(name, []).append(TruePage(image, truth.read_text(encoding="utf-8", errors="replace")))
    if not found:
        raise UserError(
            "There are no pages to measure",
            f"No image in {folder} has its true text beside it in a file NAME{_TRUTH}.",
            "Name a folder that has such pairs.",
        )
    return found


def measure_page(bench: StarterBench, recogniser: TextRecogniser, page: TruePage) -> PageResult:
    """Read and correct a page; raises `UserError` where its image can't be opened or read."""
    began = time.perf_counter()
    read = recogniser.recognise(page.image)
    guards = Guards.of(bench.profile, read.text, is_read=True)
    draft = Draft(read.text, bench.profile.slots, guards, tuple(lines_of(read, page.image)))
    warm = bench.correct(draft, page.truth, Manner())
    seconds = time.perf_counter() - began
    cold = bench.correct(draft, page.truth, Manner(is_cold=True))
    return PageResult(
        page.truth, read.text, warm.corrected, cold.corrected, warm.ungated, warm.steps, cold.steps, seconds
    )
