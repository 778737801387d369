"""Training samples, made without end by worker processes while the network trains.

Two pools in shared memory are filled round and round: windows of text with their drafts, and lines with pictures.
Whoever trains draws from what is there. The drafts of a good part of the pictures come from the real recogniser, which
runs in a process of its own beside the training, on the same device; the others have synthetic noise or no draft.
"""

from __future__ import annotations

import math
import mmap
import multiprocessing as mp
import os
import queue
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.lines import CELL, CELL_PIXELS, MOST_CELLS, lay_out, slots_needed, spread
from starter import noise, vocabulary
from starter.align import align, alignment_tables
from starter.corpora import read_texts
from starter.passages import Passage, Passages
from starter.reading import Recogniser, Word, at_height
from starter.render import RenderedLine, Renderer, picture

if TYPE_CHECKING:
    from multiprocessing.context import ForkContext, ForkProcess
    from multiprocessing.queues import Queue

SLOTS = 128
FREE = 4  # slots that a window of text leaves free for insertions
LONGEST_TEXT = 120
LONGEST_LINE = 84
LONGEST_ALONE = 60
READ_HEIGHT = 48  # what the recogniser takes
READ_WIDTH = 1600
SHARE_READ = 0.62  # of the pictures: drafts of the real recogniser
SHARE_ALONE = 0.14  # of the pictures: no draft
LEAST_CONFIDENCE = 0.5  # of a reading; the program drops the others, too
_DRIFT, _DRIFT_SPREAD = 2.4, 1.1  # pixels of the picture by which a reading's characters stand to the right
_SHAKE = 2.0  # standard deviation of one character's place around that
_WORST = 1.3  # level of wear
_PENDING = 48  # lines a worker may have with the recogniser

_Kind = TypeVar("_Kind", bound=np.generic)

_NO_CELLS: NDArray[np.int32] = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Sample:
    """One line laid out: prompt slots and the token that each canvas position should hold, both int16[SLOTS]."""

    slots: NDArray[np.int16]
    targets: NDArray[np.int16]


class Layouter:
    """Lays out truth and draft as a model sees them."""

    def __init__(self) -> None:
        self._tables = alignment_tables()

    def text(self, truth: str, draft: str) -> Sample | None:
        """A window of text; None if it does not fit."""
        if not draft or len(draft) > SLOTS - FREE:
            return None
        slots = np.full(SLOTS, vocabulary.PAD, np.int32)
        slots[: len(draft)] = vocabulary.encode(draft)
        targets, lost = align(slots, _NO_CELLS, vocabulary.encode(truth), _NO_CELLS, self._tables)
        # A draft that lacks its beginning would be written anew behind its end.
        is_rewritten = np.count_nonzero(targets[len(draft) :]) > FREE
        return None if lost > 3 or is_rewritten else Sample(slots.astype(np.int16), targets.astype(np.int16))

    def line(
        self,
        truth: str,
        truth_centres: NDArray[np.float32],
        draft: str,
        centres: NDArray[np.float32] | None,
        cells: int,
    ) -> Sample | None:
        """A picture of `cells` cells, with a draft and its characters' places or with an empty draft."""
        if cells > MOST_CELLS or slots_needed(len(draft), centres, cells) > SLOTS:
            return None
        layout = lay_out(len(draft), SLOTS, centres, cells)
        slots = np.full(SLOTS, vocabulary.PAD, np.int32)
        is_draft = layout >= 0
        slots[is_draft] = vocabulary.encode(draft)[layout[is_draft]]
        slots[layout == CELL] = vocabulary.IMAGE
        cell_of_slot = (np.cumsum(layout == CELL) - 1).astype(np.int32)
        cell_of_truth = np.clip(truth_centres // CELL_PIXELS, 0, cells - 1).astype(np.int32)
        targets, lost = align(slots, cell_of_slot, vocabulary.encode(truth), cell_of_truth, self._tables)
        return None if lost > 3 else Sample(slots.astype(np.int16), targets.astype(np.int16))

    def spoiled_line(
        self,
        truth: str,
        draft: str,
        centres: NDArray[np.float32],
        picture: NDArray[np.uint8],
        rng: random.Random,
    ) -> Sample | None:
        """A picture with a synthetic draft, whose characters stand where a recogniser would place the truth's."""
        if not draft:
            return None
        drift = rng.gauss(_DRIFT, _DRIFT_SPREAD)
        shaken = self._places(truth, centres, draft) + np.array([rng.gauss(drift, _SHAKE) for _ in draft], np.float32)
        shaken = np.maximum.accumulate(shaken.astype(np.float32))
        return self.line(truth, centres, draft, shaken, picture.shape[1] // CELL_PIXELS)

    def _places(self, truth: str, truth_centres: NDArray[np.float32], draft: str) -> NDArray[np.float32]:
        """float32[len(draft)]: where a synthetic draft's characters stand, from the truth's they belong to."""
        targets, _ = align(vocabulary.encode(draft), _NO_CELLS, vocabulary.encode(truth), _NO_CELLS, self._tables)
        taken = np.where(targets == vocabulary.PAD, 0, np.where(targets >= vocabulary.FIRST_PAIR, 2, 1))
        before = np.minimum(np.cumsum(taken) - taken, len(truth) - 1)
        return np.maximum.accumulate(truth_centres[before])


class Pool:
    """A ring of samples in shared memory, each worker with a part of its own."""

    def __init__(self, size: int, workers: int, *, has_pictures: bool) -> None:
        self.part = size // workers
        self.slots: NDArray[np.int16] = _shared((self.part * workers, SLOTS), np.int16)
        self.targets: NDArray[np.int16] = _shared((self.part * workers, SLOTS), np.int16)
        width = MOST_CELLS * CELL_PIXELS if has_pictures else 0
        self.pictures: NDArray[np.uint8] = _shared((self.part * workers, CELL_PIXELS, width), np.uint8)
        self.made: NDArray[np.int64] = _shared((workers,), np.int64)

    def put(self, worker: int, sample: Sample, picture: NDArray[np.uint8] | None = None) -> None:
        """Store a sample in a worker's part, over its oldest."""
        at = worker * self.part + int(self.made[worker]) % self.part
        self.slots[at] = sample.slots
        self.targets[at] = sample.targets
        if picture is not None:
            self.pictures[at, :, : picture.shape[1]] = picture
            self.pictures[at, :, picture.shape[1] :] = 255
        self.made[worker] += 1

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """int64[count]: places of random samples."""
        there = np.minimum(self.made, self.part)
        worker = rng.choice(len(there), size=count, p=there / there.sum())
        return np.sort(worker * self.part + (rng.random(count) * there[worker]).astype(np.int64))


def _shared(shape: tuple[int, ...], kind: type[_Kind]) -> NDArray[_Kind]:
    """Memory that forked processes share."""
    length = max(1, math.prod(shape) * np.dtype(kind).itemsize)
    return np.frombuffer(mmap.mmap(-1, length), dtype=kind, count=math.prod(shape)).reshape(shape)


@dataclass(frozen=True)
class Sources:
    """Where texts and fonts lie, and the recogniser's model if its drafts are wanted."""

    data: Path
    recogniser: Path | None = None


@dataclass
class Workshop:
    """The running processes and the pools they fill."""

    texts: Pool
    lines: Pool
    processes: list[ForkProcess]

    def wait(self, least: int) -> None:
        """Return when each worker has made so many samples.

        Raises:
            RuntimeError: a process ended, so there will never be as many.
        """
        while min(self.texts.made.min(), self.lines.made.min()) < least:
            if connection.wait([one.sentinel for one in self.processes], timeout=0.1):
                raise RuntimeError("a process that makes samples ended; what it printed says why")

    def stop(self) -> None:
        """End all processes."""
        for one in self.processes:
            one.kill()
        for one in self.processes:
            one.join()


def open_workshop(
    sources: Sources, *, text_workers: int, line_workers: int, texts: int, lines: int, device: str, seed: int
) -> Workshop:
    """Start the workers; call it before anything touches a GPU, since they are forked."""
    context = mp.get_context("fork")
    text_pool = Pool(texts, text_workers, has_pictures=False)
    line_pool = Pool(lines, line_workers, has_pictures=True)
    corpora = read_texts(sources.data, "train")
    Layouter().text("a warm", "a wrm")  # compiles the alignment before the workers are forked
    tasks: list[Callable[[], None]] = []
    for number in range(text_workers):
        tasks.append(partial(_make_texts, corpora, text_pool, number, seed))
    desk = _Desk(context, line_workers) if sources.recogniser is not None else None
    for number in range(line_workers):
        tasks.append(partial(_make_lines, sources, corpora, line_pool, number, seed, desk))
    if desk is not None and sources.recogniser is not None:
        tasks.append(partial(_read_lines, sources.recogniser, desk, device))
    processes = [context.Process(target=task, daemon=True) for task in tasks]
    for one in processes:
        one.start()
    return Workshop(text_pool, line_pool, processes)


class _Desk:
    """Where line workers leave pictures for the recogniser and find what it read."""

    def __init__(self, context: ForkContext, workers: int) -> None:
        self.images: NDArray[np.uint8] = _shared((workers, _PENDING, READ_HEIGHT, READ_WIDTH), np.uint8)
        self.widths: NDArray[np.int32] = _shared((workers, _PENDING), np.int32)
        self.wanted: Queue[tuple[int, int]] = context.Queue()
        self.found: list[Queue[tuple[int, str, tuple[Word, ...]]]] = [context.Queue() for _ in range(workers)]


def _spoiled(passage: Passage, rng: random.Random, limit: int) -> str:
    """A synthetic draft: what nobody could correct stays as it is."""
    if passage.is_exact:
        return passage.text
    return (noise.light_draft if passage.keep else noise.draft)(passage.text, rng, limit)


def _make_texts(corpora: dict[str, str], pool: Pool, number: int, seed: int) -> None:
    os.nice(19)
    passages = Passages(corpora, seed * 1000 + number)
    rng = random.Random(seed * 1000 + 500 + number)
    layouter = Layouter()
    while True:
        passage = passages.next(LONGEST_TEXT)
        sample = layouter.text(passage.text, _spoiled(passage, rng, SLOTS - FREE))
        if sample is not None:
            pool.put(number, sample)


@dataclass(frozen=True)
class _Waiting:
    """A line whose draft is being read."""

    truth: str
    centres: NDArray[np.float32]
    picture: NDArray[np.uint8]
    scale: float  # from pixels of the recogniser's image to those of the picture


def _make_lines(
    sources: Sources, corpora: dict[str, str], pool: Pool, number: int, seed: int, desk: _Desk | None
) -> None:
    os.nice(19)
    passages = Passages(corpora, seed * 1000 + 250 + number, is_printed=True)
    rng = random.Random(seed * 1000 + 750 + number)
    renderer = Renderer(sources.data / "fonts" / "train")
    layouter = Layouter()
    free = list(range(_PENDING))
    waiting: dict[int, _Waiting] = {}
    while True:
        if desk is not None:
            _collect(desk, number, waiting, free, layouter, pool)
        chosen = rng.random()
        is_alone = chosen < SHARE_ALONE
        passage = passages.next(rng.randint(16, LONGEST_ALONE) if is_alone else rng.randint(40, LONGEST_LINE))
        truth = " ".join(passage.text.split())
        try:
            rendered = renderer.line(truth, rng, _level(rng))
        except ValueError:
            continue
        made = picture_of(rendered)
        if made is None:
            continue
        shown, scale = made
        if is_alone:
            sample = layouter.line(truth, rendered.centres * scale, "", None, shown.shape[1] // CELL_PIXELS)
            if sample is not None:
                pool.put(number, sample, shown)
        elif desk is not None and free and chosen < SHARE_ALONE + SHARE_READ:
            small = at_height(rendered.image)
            if small.shape[1] > READ_WIDTH:
                continue
            place = free.pop()
            desk.images[number, place, :, : small.shape[1]] = small
            desk.widths[number, place] = small.shape[1]
            factor = scale * rendered.image.shape[1] / small.shape[1]
            waiting[place] = _Waiting(truth, rendered.centres * scale, shown, factor)
            desk.wanted.put((number, place))
        else:
            draft = " ".join(_spoiled(passage, rng, LONGEST_LINE + 10).split())
            sample = layouter.spoiled_line(truth, draft, rendered.centres * scale, shown, rng)
            if sample is not None:
                pool.put(number, sample, shown)


def _collect(
    desk: _Desk, number: int, waiting: dict[int, _Waiting], free: list[int], layouter: Layouter, pool: Pool
) -> None:
    """Turn what the recogniser has read meanwhile into samples."""
    while True:
        try:
            place, text, words = desk.found[number].get_nowait()
        except queue.Empty:
            return
        line = waiting.pop(place)
        free.append(place)
        drafted = drafted_reading(text, words, line.scale)
        # A reading without likeness teaches nothing.
        if drafted is None or abs(len(drafted[0]) - len(line.truth)) > 0.5 * len(line.truth) + 3:
            continue
        draft, centres = drafted
        cells = line.picture.shape[1] // CELL_PIXELS
        sample = layouter.line(line.truth, line.centres, draft, centres, cells)
        if sample is not None:
            pool.put(number, sample, line.picture)


def _read_lines(path: Path, desk: _Desk, device: str) -> None:
    """The recogniser's process: takes what lies on the desk, at most 256 lines at a time."""
    recogniser = Recogniser(path, device)
    while True:
        places = [desk.wanted.get()]
        while len(places) < 256:
            try:
                places.append(desk.wanted.get(timeout=0.05))
            except queue.Empty:
                break
        images = [desk.images[worker, place, :, : desk.widths[worker, place]].copy() for worker, place in places]
        for (worker, place), read in zip(places, recogniser.read(images), strict=True):
            text = read.text if read.confidence >= LEAST_CONFIDENCE else ""
            desk.found[worker].put((place, text, read.words))


def drafted_reading(text: str, words: Sequence[Word], scale: float) -> tuple[str, NDArray[np.float32]] | None:
    """What was read in a line as the program drafts it, and its characters' places; None where there is nothing.

    `scale` leads from the pixels of the words' edges to those of the picture.
    """
    draft = " ".join(text.split())
    try:
        places = spread([(word, left * scale, right * scale) for word, left, right in words], draft)
    except ValueError:
        return None
    return (draft, places) if draft else None


def picture_of(rendered: RenderedLine) -> tuple[NDArray[np.uint8], float] | None:
    """The picture of a line as the program makes it, and its scale along the line; None where it is too long."""
    try:
        return picture(rendered.image)
    except ValueError:
        return None


def _level(rng: random.Random) -> float:
    """How badly a line is printed and scanned: mostly so badly that a recogniser errs."""
    return min(_WORST, max(0.0, rng.gauss(0.85, 0.35)))
