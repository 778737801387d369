"""Measures how images of text are read and corrected, on images that have their true text beside them.

Each page is read by the program's recogniser and corrected as the program does it, then once more in the other way:
with canvases that begin with noise where the program begins them with the draft, and the other way round.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from diffdesk.backends.registry import load
from diffdesk.core.errors import UserError
from diffdesk.core.profile import Layout
from diffdesk.core.requests import ModelSpec, ReadLine
from diffdesk.documents.formats import SUFFIXES
from diffdesk.documents.text_recogniser import TextRecogniser
from diffdesk.models.profile import read_profile
from diffdesk.services.page_figures import PageResult
from diffdesk.services.reading import lines_of
from diffdesk.services.starter_measure import Manner, StarterBench, open_bench
from diffdesk.services.turns_measure import TurnsBench
from diffdesk.tasks.aligned_correction import Draft, Guards

_TRUTH = ".gt.txt"

PageBench = StarterBench | TurnsBench
"""A loaded model that corrects pages: one that is aligned with its drafts, or a chat model."""


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


def open_page_bench(spec: ModelSpec, *, is_warm: bool) -> PageBench:
    """Load a model to be measured on pages; `is_warm` begins the canvases of a chat model with the draft.

    Raises:
        CheckpointError: it can't be loaded.
        EngineError: this machine can't run it.
    """
    profile = read_profile(spec.path)
    if profile.layout is Layout.ALIGNED:
        return open_bench(spec)
    denoiser = load(spec, lambda stage, share: None)
    return TurnsBench(denoiser, profile, is_warm=is_warm or profile.is_warm_started)


def measure_page(bench: PageBench, recogniser: TextRecogniser, page: TruePage) -> PageResult:
    """Read and correct a page; raises `UserError` where its image can't be opened or read."""
    began = time.perf_counter()
    read = recogniser.recognise(page.image)
    lines = tuple(lines_of(read, page.image))
    if isinstance(bench, TurnsBench):
        return _in_turns(bench, read.text, page, lines, time.perf_counter() - began)
    guards = Guards.of(bench.profile, read.text, is_read=True)
    draft = Draft(read.text, bench.profile.slots, guards, lines)
    warm = bench.correct(draft, page.truth, Manner())
    seconds = time.perf_counter() - began
    cold = bench.correct(draft, page.truth, Manner(is_cold=True))
    return PageResult(
        page.truth, read.text, warm.corrected, cold.corrected, warm.ungated, warm.steps, cold.steps, seconds
    )


def _in_turns(bench: TurnsBench, draft: str, page: TruePage, lines: tuple[ReadLine, ...], reading: float) -> PageResult:
    # The program's own way comes first: the second finds its prompts in the KV cache.
    done = bench.correct(draft, page.image, lines, is_warm=bench.is_warm)
    other = bench.correct(draft, page.image, lines, is_warm=not bench.is_warm)
    warm, cold = (done, other) if bench.is_warm else (other, done)
    return PageResult(
        truth=page.truth,
        draft=draft,
        corrected=done.corrected,
        cold=cold.corrected,
        ungated=done.ungated,
        steps_warm=warm.steps,
        steps_cold=cold.steps,
        seconds=reading + done.seconds,
    )
