"""Small held-out sets for a look at the model while it trains. What ships is measured by ``diffdesk bench starter``."""

from __future__ import annotations

import multiprocessing as mp
import queue
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.lines import CELL_PIXELS, MOST_CELLS
from starter import noise, vocabulary
from starter.align import edit_distance
from starter.corpora import read_texts
from starter.data import LONGEST_LINE, LONGEST_TEXT, Layouter, Sample, Sources, drafted_reading, picture_of
from starter.passages import Passages
from starter.reading import Recogniser, at_height
from starter.render import RenderedLine, Renderer

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

COUNT = 384
LEVELS = {"moderate": 0.5, "bad": 1.0}
_RATES = (0.02, 0.05, 0.08, 0.12)


@dataclass(frozen=True)
class HeldSet:
    """Truths and how their prompts are laid out.

    Attributes:
        slots: int16[N, SLOTS], as in training.
        pictures: uint8[N, 32, 1280] or None.
        is_alone: the pictures have no drafts.
    """

    name: str
    truths: list[str]
    slots: NDArray[np.int16]
    pictures: NDArray[np.uint8] | None = None
    is_alone: bool = False

    def error_rate(self, canvases: NDArray[np.int64]) -> float:
        """Errors for a hundred characters of the truth."""
        wrong = 0
        for truth, canvas in zip(self.truths, canvases, strict=True):
            wrong += edit_distance(vocabulary.encode(vocabulary.decode(canvas)), vocabulary.encode(truth))
        return 100 * wrong / sum(map(len, self.truths))


class HeldSets:
    """Books with both kinds of noise, clean text, and pictures with drafts and without.

    They are made in a process of their own, forked at once: make this object before anything touches a GPU.
    """

    def __init__(self, sources: Sources, device: str) -> None:
        context = mp.get_context("fork")
        self._queue: Queue[list[HeldSet]] = context.Queue()
        self._made: list[HeldSet] = []
        self._process = context.Process(target=self._make, args=(sources, device), daemon=True)
        self._process.start()

    def get(self) -> list[HeldSet]:
        """The sets; waits until they are made.

        Raises:
            RuntimeError: the process failed.
        """
        while not self._made:
            is_alive = self._process.is_alive()
            try:
                self._made = self._queue.get(timeout=1)
            except queue.Empty:
                if not is_alive:
                    raise RuntimeError("the held-out sets were not made; what was printed says why") from None
        return self._made

    def _make(self, sources: Sources, device: str) -> None:
        self._queue.put(_Maker(sources, device).sets())


@dataclass(frozen=True)
class _Line:
    """A line that was drawn, its picture, and the scale from the one to the other."""

    truth: str
    rendered: RenderedLine
    picture: NDArray[np.uint8]
    scale: float


_Drafted = tuple[str, NDArray[np.float32] | None]  # a draft and its characters' places


class _Maker:
    """Draws each set with a seed of its own."""

    def __init__(self, sources: Sources, device: str) -> None:
        self._corpora = read_texts(sources.data, "held")
        self._renderer = Renderer(sources.data / "fonts" / "held")
        self._recogniser = None if sources.recogniser is None else Recogniser(sources.recogniser, device)
        self._layouter = Layouter()

    def sets(self) -> list[HeldSet]:
        """All of them."""
        sets = [
            self._texts("mixed", 11, noise.mixed),
            self._texts("classic", 12, lambda text, rng: noise.classic(text, rng, rng.choice(_RATES))),
            self._texts("clean", 13, lambda text, rng: text),
        ]
        for number, (name, level) in enumerate(LEVELS.items()):
            lines = self._lines(level, 20 + number)
            if self._recogniser is not None:
                sets.append(self._pictures(name, lines, self._read(self._recogniser, lines)))
            sets.append(self._pictures(f"{name} alone", lines, [("", None)] * len(lines), is_alone=True))
        return sets

    def _texts(self, name: str, seed: int, spoil: Callable[[str, random.Random], str]) -> HeldSet:
        passages = Passages(self._corpora, seed, is_printed=True)
        rng = random.Random(seed)
        truths: list[str] = []
        samples: list[Sample] = []
        while len(samples) < COUNT:
            truth = _prose(passages, LONGEST_TEXT - 10)
            sample = self._layouter.text(truth, " ".join(spoil(truth, rng).split()))
            if sample is not None:
                truths.append(truth)
                samples.append(sample)
        return HeldSet(name, truths, np.stack([one.slots for one in samples]))

    def _lines(self, level: float, seed: int) -> list[_Line]:
        passages = Passages(self._corpora, seed, is_printed=True)
        rng = random.Random(seed)
        lines: list[_Line] = []
        while len(lines) < COUNT:
            truth = _prose(passages, rng.randint(30, LONGEST_LINE - 14))
            rendered = self._renderer.line(truth, rng, level)
            made = picture_of(rendered)
            if made is not None:
                lines.append(_Line(truth, rendered, *made))
        return lines

    def _read(self, recogniser: Recogniser, lines: list[_Line]) -> list[_Drafted | None]:
        """The recogniser's drafts; None where it saw nothing."""
        images = [at_height(one.rendered.image) for one in lines]
        return [
            drafted_reading(read.text, read.words, line.scale * line.rendered.image.shape[1] / image.shape[1])
            for read, line, image in zip(recogniser.read(images), lines, images, strict=True)
        ]

    def _pictures(
        self, name: str, lines: list[_Line], drafts: Sequence[_Drafted | None], *, is_alone: bool = False
    ) -> HeldSet:
        """The lines that have a draft and fit the canvas."""
        truths: list[str] = []
        slots: list[NDArray[np.int16]] = []
        pictures: list[NDArray[np.uint8]] = []
        for line, drafted in zip(lines, drafts, strict=True):
            if drafted is None:
                continue
            cells = line.picture.shape[1] // CELL_PIXELS
            sample = self._layouter.line(line.truth, line.rendered.centres * line.scale, *drafted, cells)
            if sample is None:
                continue
            whole = np.full((CELL_PIXELS, MOST_CELLS * CELL_PIXELS), 255, np.uint8)
            whole[:, : line.picture.shape[1]] = line.picture
            truths.append(line.truth)
            slots.append(sample.slots)
            pictures.append(whole)
        return HeldSet(name, truths, np.stack(slots), np.stack(pictures), is_alone)


def _prose(passages: Passages, limit: int) -> str:
    while True:
        passage = passages.next(limit)
        if passage.kind == "prose":
            return passage.text
