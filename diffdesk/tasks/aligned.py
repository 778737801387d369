"""One canvas of a model that is aligned with its draft: what its slots show, how it runs, and which text comes out.

Slot i of the prompt and position i of the canvas belong together; `core.lines` says what stands in which slot. A line
end of the draft stands as a space, which the model knows, and is never changed. A canvas with a draft starts warm
from it. Running it and reading it are separate, so that one run can be read through several guards.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.denoising import CanvasOutcome, CanvasStart, denoise
from diffdesk.core.errors import CheckpointError
from diffdesk.core.lines import BLANK, CELL, LineTask, lay_out
from diffdesk.core.messages import LinePicture
from diffdesk.core.proposals import Doubt, Proposal, made_text
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import CanvasOpened, Region, StepDelta
from diffdesk.tasks.guard import LINE_END, Guard

_SPARE = 4  # positions of a canvas after what is used, for what the draft lacks at its end
_SIZE_STEP = 32
_WORD = re.compile(r"\S+")
DOUBTFUL = 0.6
"""Evidence of a character under which its word counts as uncertain although the model kept it."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedWindow:
    """What one canvas is asked. Made by `text_window`, `line_window` and `picture_window`.

    Attributes:
        text: the characters that its slots show: the part that counts, and context around it.
        layout: int16[slots], see `core.lines.lay_out`.
        start, end: the part of `text` that counts; empty only where there is no text.
        confidence: float32[len(text)], how sure a recogniser was of each character; None if nobody said.
        picture: of the line, if there is one.
        is_edit: the part that counts is written anew, and all else is pinned.
    """

    text: str
    layout: NDArray[np.int16]
    start: int
    end: int
    confidence: NDArray[np.float32] | None = None
    picture: LinePicture | None = None
    is_edit: bool = False

    @property
    def task(self) -> LineTask:
        """What the model is asked to do."""
        if self.picture is None:
            return LineTask.TEXT
        return LineTask.LINE if self.text else LineTask.PICTURE

    @property
    def core(self) -> str:
        """The draft that this canvas is to correct."""
        return self.text[self.start : self.end]

    def counts(self) -> NDArray[np.bool_]:
        """bool[slots]: whether what stands there counts. A blank between context and core counts as context."""
        filled = np.flatnonzero(self.layout >= 0).tolist()
        first = filled[self.start] if self.start else 0
        last = filled[self.end - 1] if self.end < len(self.text) else self.layout.size - 1
        counts: NDArray[np.bool_] = self.layout != CELL
        counts[:first] = counts[last + 1 :] = False
        return counts


def text_window(
    core: str, slots: int, before: str = "", after: str = "", confidence: NDArray[np.float32] | None = None
) -> AlignedWindow:
    """A canvas that corrects a piece of text; `confidence` is that of the core's characters."""
    text = before + core + after
    if confidence is not None:
        confidence = np.pad(confidence, (len(before), len(after)))
    return AlignedWindow(text, lay_out(len(text), slots), len(before), len(before) + len(core), confidence)


def line_window(
    text: str,
    centres: NDArray[np.float32],
    picture: LinePicture,
    slots: int,
    confidence: NDArray[np.float32] | None = None,
) -> AlignedWindow:
    """A canvas that compares a line with its picture; `centres` are places in the picture, see `lay_out`."""
    layout = lay_out(len(text), slots, centres, picture.cells)
    return AlignedWindow(text, layout, 0, len(text), confidence, picture)


def picture_window(picture: LinePicture, slots: int) -> AlignedWindow:
    """A canvas that reads a line from its picture alone; raises `ValueError` where it has too few slots for that."""
    return AlignedWindow("", lay_out(0, slots, None, picture.cells), 0, 0, None, picture)


class AlignedAlphabet:
    """Characters to tokens and back: one token for each character of a draft."""

    def __init__(self, denoiser: Denoiser) -> None:
        self._tokenizer = denoiser.tokenizer
        unknown = self._tokenizer.unknown_id
        if unknown is None:
            raise _unfitting("A model that corrects aligned drafts needs a token for unknown characters.")
        self.unknown = unknown
        self.pad = denoiser.defaults.pad_id
        self._ids: dict[str, int] = {}
        self._frames: dict[LineTask, tuple[list[int], list[int]]] = {}

    def encode(self, window: AlignedWindow) -> NDArray[np.int32]:
        """int32[slots]: a token for each character of the window where it stands, pads elsewhere."""
        ids = np.full(window.layout.size, self.pad, np.int32)
        known = np.array([self._id(" " if one == LINE_END else one) for one in window.text], np.int32)
        is_filled = window.layout >= 0
        ids[is_filled] = known[window.layout[is_filled]]
        return ids

    def prompt(self, window: AlignedWindow, drafted: NDArray[np.int32]) -> Prompt:
        r"""``<bos><|turn>system\n`` task ``<turn|>\n<|turn>user\n`` slots ``<turn|>\n<|turn>model\n``."""
        if window.task not in self._frames:
            self._frames[window.task] = self._frame(window.task)
        head, foot = self._frames[window.task]
        if window.picture is None:
            return Prompt(np.array([*head, *drafted.tolist(), *foot], np.int32))
        slots = np.where(window.layout == CELL, self._special("<|image|>"), drafted)
        return Prompt(np.array([*head, *slots.tolist(), *foot], np.int32), (window.picture,))

    def piece(self, token: int, drafted: str) -> str:
        """The text of a token at the place of the draft's character `drafted` (empty at a blank)."""
        if token == self.pad:
            return ""
        # What has no text (the unknown token, a control token) says nothing of the character.
        return drafted if token == self.unknown else self._tokenizer.decode([token]) or drafted

    def _frame(self, task: LineTask) -> tuple[list[int], list[int]]:
        words = self._tokenizer.encode
        turn, end = self._special("<|turn>"), self._special("<turn|>")
        head = [self._special("<bos>"), turn, *words("system\n"), *words(task.value), end, *words("\n")]
        return [*head, turn, *words("user\n")], [end, *words("\n"), turn, *words("model\n")]

    def _special(self, name: str) -> int:
        found = self._tokenizer.special_id(name)
        if found is None:
            raise _unfitting(f"It has no token {name}.")
        return found

    def _id(self, character: str) -> int:
        known = self._ids.get(character)
        if known is None:
            ids = self._tokenizer.encode(character)
            known = self._ids[character] = ids[0] if len(ids) == 1 else self.unknown
        return known


def _unfitting(why: str) -> CheckpointError:
    return CheckpointError("The model's vocabulary doesn't fit", why, "Fetch the model's folder again.")


@dataclass(frozen=True, slots=True, eq=False)
class WindowOutcome:
    """What became of a window.

    Attributes:
        window: what was asked.
        drafted: int32[slots], the canvas that would change nothing.
        canvas: how the canvas ended.
        alphabet: of the model.
        prompt_tokens, reused_tokens: of the prompt.
        prefill_seconds: how long reading the prompt took.
    """

    window: AlignedWindow
    drafted: NDArray[np.int32]
    canvas: CanvasOutcome
    alphabet: AlignedAlphabet = field(repr=False)
    prompt_tokens: int = 0
    reused_tokens: int = 0
    prefill_seconds: float = 0.0


class AlignedModel:
    """A loaded model at work on aligned canvases, one after the other."""

    def __init__(self, denoiser: Denoiser, settings: SamplerSettings, seed: int) -> None:
        self.alphabet = AlignedAlphabet(denoiser)
        self._denoiser = denoiser
        self._settings = settings
        self._draws = Draws(seed, denoiser.tokenizer.vocab_size)

    @property
    def can_see(self) -> bool:
        """Whether windows may have a picture."""
        return self._denoiser.capabilities.can_see_images

    def run(
        self, window: AlignedWindow, is_cancelled: Callable[[], bool], canvas: int = 0, of: int = 1
    ) -> Generator[CanvasOpened | StepDelta, None, WindowOutcome]:
        """Run a window's canvas, which is number `canvas` of `of`. Raises what the denoiser raises."""
        drafted = self.alphabet.encode(window)
        prompt = self.alphabet.prompt(window, drafted)
        began = time.perf_counter()
        reused = self._denoiser.prefill(prompt, lambda done, total: None)
        took = time.perf_counter() - began
        is_warm = bool(window.text)
        length = self._length(window)
        ids = drafted[:length] if is_warm else self._draws.noise(length)
        pinned = None
        if window.is_edit:
            pinned = ~window.counts()[:length]
            ids = np.where(pinned, ids, self._draws.noise(length))
        start = CanvasStart(canvas, of, ids, is_warm=is_warm, pinned=pinned)
        whole = yield from self._denoise(window, start, is_cancelled)
        return WindowOutcome(window, drafted, whole, self.alphabet, len(prompt.ids), reused, took)

    def run_otherwise(
        self, done: WindowOutcome, is_cancelled: Callable[[], bool], canvas: int, of: int
    ) -> Generator[CanvasOpened | StepDelta, None, WindowOutcome | None]:
        """Run the window that was run last once more, with one character other than it came to; None if there is none.

        The likeliest of all second choices is pinned in its place, and the rest of what counts denoises around it.
        """
        window, length = done.window, self._length(done.window)
        ids = done.canvas.ids[:length]
        self._denoiser.start_canvas(ids)
        seen = self._denoiser.step(ids, self._settings.t_min, self._draws.uniforms(length), alternatives=2)
        counts = window.counts()[:length]
        is_drafted = np.array([at >= 0 and window.text[at] != LINE_END for at in window.layout[:length].tolist()])
        is_other = (seen.alternatives != ids[:, None]) & (counts & is_drafted)[:, None]
        chances = np.where(is_other, seen.alternative_probabilities, np.float32(0))
        if not chances.any():
            return None
        place, choice = np.unravel_index(int(chances.argmax()), chances.shape)
        start = np.where(counts, self._draws.noise(length), ids)
        start[place] = seen.alternatives[place, choice]
        pinned = ~counts
        pinned[place] = True
        opening = CanvasStart(canvas, of, start, is_warm=True, pinned=pinned)
        return replace(done, canvas=(yield from self._denoise(window, opening, is_cancelled)))

    def _denoise(
        self, window: AlignedWindow, start: CanvasStart, is_cancelled: Callable[[], bool]
    ) -> Generator[CanvasOpened | StepDelta, None, CanvasOutcome]:
        """Denoise a canvas of a window; the outcome has as many positions as the window has slots."""
        length = start.ids.size
        view = _AlignedView(self.alphabet, window, length)
        outcome = yield from denoise(self._denoiser, start, self._settings, self._draws, view, is_cancelled)
        rest = window.layout.size - length
        return replace(
            outcome,
            ids=np.append(outcome.ids, np.full(rest, self.alphabet.pad, np.int32)),
            evidence=np.append(outcome.evidence, np.ones(rest, np.float32)),
        )

    def _length(self, window: AlignedWindow) -> int:
        """Positions of the canvas: as many as the window has slots, or, where work is to be saved, as it may need."""
        if self._settings.refresh == 1:
            return window.layout.size
        used = int(np.max(np.flatnonzero(window.layout != BLANK), initial=0)) + 1
        return min(window.layout.size, -(-(used + _SPARE) // _SIZE_STEP) * _SIZE_STEP)

    def finish(self, window: AlignedWindow) -> WindowOutcome:
        """Run a window's canvas to its end with nobody watching: for measuring."""
        running = self.run(window, lambda: False)
        while True:
            try:
                next(running)
            except StopIteration as ended:
                done: WindowOutcome = ended.value
                return done


class _AlignedView:
    """How an aligned canvas reads: context, blanks and cells read as nothing, and the end of it as padding."""

    def __init__(self, alphabet: AlignedAlphabet, window: AlignedWindow, length: int) -> None:
        self._alphabet = alphabet
        self._counts = window.counts()[:length]
        self._drafted = ["" if at < 0 else window.text[at] for at in window.layout[:length].tolist()]
        self._is_beyond = np.arange(length) > np.max(np.flatnonzero(window.layout != BLANK), initial=-1)

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """See `CanvasView`."""
        is_blank = ids == self._alphabet.pad
        regions = np.where(self._counts & ~is_blank, Region.ANSWER, Region.MARKER)
        return np.where(self._is_beyond & is_blank, Region.AFTER_END, regions).astype(np.uint8)

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        """See `CanvasView`; an unknown token reads as the draft's character."""
        return tuple(
            self._piece(token, position) for token, position in zip(ids.tolist(), positions.tolist(), strict=True)
        )

    def _piece(self, token: int, position: int) -> str:
        drafted = self._drafted[position]
        if not self._counts[position]:
            return ""
        return LINE_END if drafted == LINE_END else self._alphabet.piece(token, drafted)


def gated_text(done: WindowOutcome, guard: Guard) -> str:
    """The corrected core: the canvas where the model was as sure of a change as the guard asks, the draft elsewhere."""
    return made_text(done.window.core, proposals_of(done, guard))


def proposals_of(done: WindowOutcome, guard: Guard) -> tuple[Proposal, ...]:
    """The changes of the core that the model wants, in characters of the core; made where the guard lets them through.

    Changes that stand side by side (``m`` to ``rn``) are made together or not at all: half of one would be worse than
    either text. A character that the vocabulary lacks stays: the model never saw which one it is.
    """
    window = done.window
    drafted = [window.text[index] if window.start <= index < window.end else "" for index in window.layout.tolist()]
    wanted = [
        guard.written(done.alphabet.piece(token, original), original)
        for token, original in zip(done.canvas.ids.tolist(), drafted, strict=True)
    ]
    gates = slot_gates(window, guard)
    passed = np.cumsum(window.layout >= 0) - window.start  # characters of the core up to each slot
    found: list[Proposal] = []
    for run in _runs_of_changes(done, drafted, wanted):
        original, piece = ("".join(texts[position] for position in run) for texts in (drafted, wanted))
        certainty = float(done.canvas.evidence[run].mean())
        is_made = certainty >= max(float(gates[run].max()), guard.needed_for(original, piece))
        end = int(passed[run[-1]])
        found.append(Proposal(end - len(original), end, piece, certainty, is_made))
    return tuple(found)


def doubts_of(done: WindowOutcome) -> tuple[Doubt, ...]:
    """The words of the core that the canvas leaves as they are without being sure, in characters of the core."""
    window = done.window
    core = np.full(len(window.core), 1.0, np.float32)
    is_kept = done.window.counts() & (window.layout >= 0) & (done.canvas.ids == done.drafted)
    is_kept &= done.drafted != done.alphabet.unknown
    core[window.layout[is_kept] - window.start] = done.canvas.evidence[is_kept]
    words = ((one.start(), one.end()) for one in _WORD.finditer(window.core))
    return tuple(Doubt(a, b, float(core[a:b].min())) for a, b in words if core[a:b].min() < DOUBTFUL)


def _runs_of_changes(done: WindowOutcome, drafted: list[str], wanted: list[str]) -> list[list[int]]:
    """The slots of each run of changes that count; cells and blanks that stay don't part a run."""
    is_possible = done.window.counts() & (done.canvas.ids != done.drafted) & (done.drafted != done.alphabet.unknown)
    runs: list[list[int]] = [[]]
    for position, token in enumerate(done.drafted.tolist()):
        if is_possible[position] and wanted[position] != drafted[position]:
            runs[-1].append(position)
        elif token != done.alphabet.pad and runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def slot_gates(window: AlignedWindow, guard: Guard) -> NDArray[np.float32]:
    """float32[slots]: the probability that a change in each slot needs; a blank's is that of its stricter neighbour."""
    needed = np.concatenate([[-np.inf], guard.needed(window.text, window.confidence), [-np.inf]])
    # For each slot the last character up to it, and the first from it on, counted from 1.
    before = np.maximum.accumulate(np.where(window.layout >= 0, window.layout + 1, 0))
    after = np.where(window.layout >= 0, before, before + 1)
    gates = np.maximum(np.maximum(needed[before], needed[after]), guard.gate)
    return np.where(window.counts(), gates, np.inf).astype(np.float32)


def read_text(done: WindowOutcome) -> tuple[str, float]:
    """What a canvas read from a picture alone, and the mean probability of its characters, 0 where it read nothing."""
    is_text = done.window.counts() & (done.canvas.ids != done.alphabet.pad)
    text = "".join(done.alphabet.piece(token, "") for token in done.canvas.ids[is_text].tolist()).strip()
    return text, float(done.canvas.evidence[is_text].mean()) if text else 0.0
