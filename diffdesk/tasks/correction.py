"""Correction by an ordinary chat model: the draft goes in piece by piece with an instruction, the answer is the text.

Each piece is compared with what the model wrote for it. Of a draft that a recogniser read only those changes are made
that the guard lets through; a draft that was typed is taken as it was answered. Where a model can see and the page is
at hand, each piece goes with the part of the page that it stands in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

from diffdesk.core.certainty import HeldTokens
from diffdesk.core.events import Finished, FinishReason, Prefilled, RunEvent
from diffdesk.core.generation import Job, Tally, generate
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.proposals import Doubt, Proposal, made_text
from diffdesk.core.trace import CanvasClosed, CanvasOpened, StepDelta
from diffdesk.tasks.chat import build_prompt, fitting_canvases
from diffdesk.tasks.draft_pieces import Piece, pieces_of
from diffdesk.tasks.draft_start import draft_start
from diffdesk.tasks.endings import run_to_end
from diffdesk.tasks.page_bands import BandPictures
from diffdesk.tasks.read_lines import lost_in_words
from diffdesk.tasks.task_run import TaskRun
from diffdesk.tasks.turn_proposals import (
    Answer,
    doubts_of,
    has_little_to_do,
    moved,
    moved_doubts,
    read_proposals,
    turns_guard,
    typed_proposals,
)

INSTRUCTION = (
    "You correct text that was read from an image by a machine. Repair letters that were misread, words that were "
    "split or joined, and missing or doubled characters. Keep the wording, the spelling of its time, names, numbers "
    "and line breaks. Where nothing is wrong, repeat the text as it is. Answer with the corrected text only."
)
LOOK = "The image shows the place where the text stands. Where the two differ, the image is right."
_TOKENS_A_PIECE = 0.6  # share of a canvas that a piece of the draft may fill, so that its correction fits one canvas
_LENGTHS = (32, 64, 128, 256)  # of canvases, where work is to be saved
_GROWTH = 1.25  # a correction may have so many times the draft's tokens …
_ENDING = 8  # … and every answer these for the end of the turn


def correct_in_turns(run: TaskRun, *, is_warm: bool = False) -> Iterator[RunEvent]:
    """Correct the last message's text; ends in one `Finished`. Pieces that were not reached stay as drafted.

    `is_warm` begins canvases with the draft, see `ModelProfile.is_warm_started`.
    """
    denoiser, request = run.denoiser, run.request
    message = request.messages[-1]
    most = int(denoiser.capabilities.canvas_length * _TOKENS_A_PIECE)
    pieces = pieces_of(request, lambda text: len(denoiser.tokenizer.encode(text)) <= most)
    with tempfile.TemporaryDirectory(prefix="diffdesk-page-") as folder:
        pictures = BandPictures(Path(folder), {image.path: image for image in message.images})
        asking = _Asking(run, pictures, is_warm=is_warm)
        work = _Pieces(asking, message.text, pieces, is_read=bool(request.read_lines))
        reason, error = yield from run_to_end(work.run(run.report, run.is_cancelled))
    yield Finished(
        reason,
        work.tally.stats(),
        made_text(message.text, work.proposals),
        notes=(*lost_in_words(pictures.lost), *work.notes()),
        error=error,
        proposals=tuple(work.proposals),
        doubts=tuple(work.doubts),
    )


class _Asking:
    """How a piece is asked of the model."""

    def __init__(self, run: TaskRun, pictures: BandPictures, *, is_warm: bool) -> None:
        self.denoiser = run.denoiser
        self.seed = run.seed
        self._settings = run.settings
        self._pictures = pictures
        self._is_warm = is_warm

    def job(self, piece: Piece) -> Job:
        """The run for a piece; raises `PromptError` where it doesn't fit, or has an image that can't be seen."""
        images = self._images(piece)
        system = f"{INSTRUCTION} {LOOK}" if images else INSTRUCTION
        turn = Message(Role.USER, piece.text, images)
        prompt = build_prompt(self.denoiser, [turn], system=system, thinking=False)
        canvases = fitting_canvases(self.denoiser, len(prompt.ids), 2)
        length = self.denoiser.capabilities.canvas_length
        if self._settings.refresh > 1:
            length = fitting_length(len(self.denoiser.tokenizer.encode(piece.text)), length)
        start = draft_start(self.denoiser, piece.text, piece.confidence, length, self.seed) if self._is_warm else None
        return Job(prompt, self._settings, self.seed, canvases, length, start=start)

    def _images(self, piece: Piece) -> tuple[ImageRef, ...]:
        picture = self._pictures.picture(piece.band) if piece.band else None
        return piece.images if picture is None else (picture,)


class _Pieces:
    """One correction as it goes, piece after piece, each a run of its own.

    Attributes:
        tally: of all pieces.
        proposals, doubts: of those that are done, at their places in the draft.
    """

    def __init__(self, asking: _Asking, draft: str, pieces: tuple[Piece, ...], *, is_read: bool) -> None:
        self.tally = Tally(asking.seed)
        self.proposals: list[Proposal] = []
        self.doubts: list[Doubt] = []
        self._asking = asking
        self._draft = draft
        self._pieces = pieces
        self._is_read = is_read
        self._guard = turns_guard(draft)
        self._refused = 0

    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        if not self._refused:
            return ()
        if len(self._pieces) == 1:
            return ("The model's answer was no correction of the text, so the text stays as it was.",)
        where = f"{self._refused} of {len(self._pieces)} parts"
        return (f"In {where} of the text the model's answer was no correction of it, so they stay as they were.",)

    def run(
        self, report: Callable[[Prefilled], None], is_cancelled: Callable[[], bool]
    ) -> Generator[RunEvent, None, FinishReason]:
        """Work through the pieces; returns why it ended."""
        for index, piece in enumerate(self._pieces):
            if not piece.text:
                continue
            before = made_text(self._draft[: piece.start], self.proposals)
            job, held = self._asking.job(piece), HeldTokens()
            closed: CanvasClosed | None = None
            finished: Finished | None = None
            for event in generate(self._asking.denoiser, job, report, is_cancelled, held):
                if closed is not None and not isinstance(event, Finished):
                    yield closed
                    closed = None
                if isinstance(event, Finished):
                    finished = event
                elif isinstance(event, CanvasClosed):
                    closed = self._closed(event, index, job.canvases, before)
                else:
                    yield self._renumbered(event, index, job.canvases)
            is_whole = finished is not None and self._take(piece, finished, held)
            if closed is not None:  # the piece's last canvas is shown with what is made of the answer
                text = made_text(self._draft[: piece.end], self.proposals) if is_whole else closed.answer
                yield replace(closed, answer=text)
            if finished is not None and finished.error is not None:
                raise finished.error
            if not is_whole:
                return FinishReason.CANCELLED
        return FinishReason.END_TOKEN

    def _take(self, piece: Piece, finished: Finished, held: HeldTokens) -> bool:
        """Count a piece's run and keep what it proposes; False if it did not come to its end."""
        self._count(finished)
        if finished.error is not None or finished.reason is FinishReason.CANCELLED:
            return False
        answer = Answer(finished.answer, held.certainty(self._asking.denoiser.tokenizer)).stripped()
        # An answer that has used up its room lacks what stands at the end of the draft.
        if finished.reason is not FinishReason.END_TOKEN or has_little_to_do(piece.text, answer.text):
            self._refused += 1
            return True
        if self._is_read:
            found = read_proposals(piece.text, answer, piece.confidence, self._guard)
        else:
            found = typed_proposals(piece.text, answer)
        self.proposals += moved(found, piece.start)
        self.doubts += moved_doubts(doubts_of(piece.text, answer), piece.start)
        return True

    def _closed(self, event: CanvasClosed, piece: int, room: int, before: str) -> CanvasClosed:
        """A canvas is committed after the text `before` its piece."""
        return replace(event, canvas=piece * room + event.canvas, answer=before + event.answer)

    def _renumbered(self, event: RunEvent, piece: int, room: int) -> RunEvent:
        """Canvases are counted over the whole text."""
        if isinstance(event, CanvasOpened):
            return replace(event, canvas=piece * room + event.canvas, canvases=len(self._pieces) * room)
        if isinstance(event, StepDelta):
            return replace(event, canvas=piece * room + event.canvas)
        return event

    def _count(self, finished: Finished) -> None:
        stats = finished.stats
        self.tally.prompt_tokens += stats.prompt_tokens
        self.tally.reused_tokens += stats.reused_tokens
        self.tally.answer_tokens += stats.answer_tokens
        self.tally.canvases += stats.canvases
        self.tally.steps += stats.steps
        self.tally.unsettled_canvases += stats.unsettled_canvases
        self.tally.step_seconds += stats.milliseconds_per_step * stats.steps / 1000.0
        self.tally.prefill_seconds += stats.prefill_seconds
        self.tally.first_canvas_seconds = self.tally.first_canvas_seconds or stats.first_canvas_seconds


def fitting_length(tokens: int, most: int, growth: float = _GROWTH) -> int:
    """Positions of a canvas for a text of so many tokens that may grow: no more work than it is worth, up to `most`."""
    needed = int(tokens * growth) + _ENDING
    return next((length for length in _LENGTHS if needed <= length < most), most)
