"""Gives rows to the engine, one request after the other, so that a question of the chat comes in between two of them.

A row at which the engine dies is tried once more, and what is wrong with no row in particular stops the work. Knows
nothing of the store and of widgets.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, QTimer, Signal

from diffdesk.core.errors import CheckpointError, EngineError, UserError
from diffdesk.core.events import Finished, FinishReason
from diffdesk.core.messages import Message, Role
from diffdesk.core.requests import RunRequest, TaskKind
from diffdesk.store import RewriteRow
from diffdesk.tasks.row_groups import RowGroup, join_rows, split_answer
from diffdesk.ui.model_presenter import ModelPresenter
from diffdesk.ui.rewrite.rewrite_views import Key
from diffdesk.ui.views import ModelState
from diffdesk.workers.engine_lane import EngineLane, LiveView

MOST_CRASHES = 3
"""So many rows in a row may fail with the engine before the work is paused: it is not the rows then."""

_SILENT_SECONDS = 20.0
_ROW_WEIGHT = 40  # characters that a row costs beside its own
_REMEMBERED = 40  # jobs that the time left is told from


@dataclass(frozen=True, slots=True)
class RowJob:
    """One request: a row, or short rows that share a canvas."""

    keys: tuple[Key, ...]
    texts: tuple[str, ...]
    instruction: str

    @property
    def group(self) -> RowGroup:
        """Its rows as they are joined and taken apart."""
        return RowGroup(tuple(range(len(self.texts))), self.texts)

    @property
    def weight(self) -> int:
        """About how much work it is."""
        return sum(map(len, self.texts)) + _ROW_WEIGHT * len(self.texts)

    def request(self) -> RunRequest:
        """What the engine is asked."""
        message = Message(Role.USER, self.group.text)
        return RunRequest(TaskKind.REWRITE, (message,), instruction=self.instruction)


def jobs_of(rows: Sequence[RewriteRow], instruction: str, shared_room: int) -> list[RowJob]:
    """Jobs for rows, in order. A row's note is added to the instruction.

    Args:
        rows: that wait.
        instruction: for all of them.
        shared_room: characters that rows may share a canvas up to; 0 gives each its own.
    """
    groups = join_rows([one.text for one in rows], shared_room)
    if any(one.note for one in rows):
        groups = tuple(RowGroup((at,), (one.text,)) for at, one in enumerate(rows))
    return [
        RowJob(
            tuple(rows[at].key for at in group.indices),
            group.rows,
            "\n".join(part for part in (instruction, rows[group.indices[0]].note) if part),
        )
        for group in groups
    ]


@dataclass(slots=True)
class _AtWork:
    job: RowJob
    run: int
    is_second_try: bool = False
    is_timed: bool = False
    began: float = field(default_factory=time.monotonic)


class RowRunner(QObject):
    """See the module.

    Signals: `begun(RowJob)`; `ended(RowJob, Finished, answers)` with an answer for each row, none where there is no
    text; `released(RowJob)` where a job ends without a result; `live` carries a text for each row at work;
    `halted(UserError)` says why the work was paused; `hung` that the engine is silent; `changed` that it runs or not.
    """

    begun = Signal(object)
    ended = Signal(object, object, object)
    released = Signal(object)
    live = Signal(object)
    halted = Signal(object)
    hung = Signal()
    changed = Signal()

    def __init__(self, engine: EngineLane, models: ModelPresenter, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._models = models
        self._queue: deque[RowJob] = deque()
        self._at_work: _AtWork | None = None
        self._is_pausing = False
        self._crashes = 0
        self._speeds: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)
        engine.run_ended.connect(self._on_run_ended)
        engine.frames.arrived.connect(self._on_frame)
        self._watch = QTimer(self, interval=2000)
        self._watch.timeout.connect(self._on_watched)

    @property
    def is_running(self) -> bool:
        """Whether a row is at work."""
        return self._at_work is not None

    @property
    def is_pausing(self) -> bool:
        """Whether the row at work is the last one."""
        return self._is_pausing

    def seconds_left(self) -> float | None:
        """How long the queue will take, told from the last jobs; None before there are any."""
        seconds = sum(one for one, _ in self._speeds)
        weight = sum(one for _, one in self._speeds)
        if not weight or self._at_work is None:
            return None
        left = sum(job.weight for job in self._queue) + self._at_work.job.weight
        return max(0.0, seconds / weight * left)

    def start(self, jobs: Iterable[RowJob]) -> None:
        """Do these jobs after those that wait."""
        self._queue.extend(jobs)
        self._is_pausing = False
        if self._at_work is None and self._queue:
            self._crashes = 0
            self._watch.start()
            self._next()

    def pause(self) -> None:
        """Finish the job at work and begin no other."""
        self._queue.clear()
        if self._at_work is not None and not self._is_pausing:
            self._is_pausing = True
            self.changed.emit()

    def stop(self) -> None:
        """Give up at once; the job at work has no result."""
        self._queue.clear()
        at_work, self._at_work = self._at_work, None
        if at_work is not None:
            self._engine.cancel(at_work.run)
            self.released.emit(at_work.job)
        self._rest()

    # --- one job --------------------------------------------------------------------------------------

    def _next(self) -> None:
        if self._is_pausing or not self._queue:
            self._at_work = None
            self._rest()
            return
        self._ask(_AtWork(self._queue.popleft(), self._engine.reserve()))

    def _ask(self, at_work: _AtWork) -> None:
        self._at_work = at_work
        at_work.is_timed = self._models.view.state is ModelState.READY
        self.begun.emit(at_work.job)
        self.changed.emit()
        request = at_work.job.request()

        def ask() -> None:
            if self._at_work is at_work:
                self._engine.run(at_work.run, request)

        self._models.when_asked(ask)

    def _on_run_ended(self, run: int, finished: Finished) -> None:
        at_work = self._at_work
        if at_work is None or run != at_work.run:
            return
        job, error = at_work.job, finished.error
        if finished.reason is FinishReason.CANCELLED:  # not by us: another model was chosen, or its loading stopped
            self._halt(job, None)
        elif isinstance(error, CheckpointError):  # no row can be done without a model
            self._halt(job, error)
        elif isinstance(error, EngineError):
            self._on_engine_failed(at_work, finished, error)
        else:
            self._crashes = 0
            self._on_answered(at_work, finished)

    def _on_engine_failed(self, at_work: _AtWork, finished: Finished, error: EngineError) -> None:
        if not at_work.is_second_try:
            self._ask(_AtWork(at_work.job, self._engine.reserve(), is_second_try=True))
            return
        self._crashes += 1
        if self._crashes >= MOST_CRASHES:
            self._halt(at_work.job, error)
        else:
            self._end(at_work.job, finished, [""] * len(at_work.job.keys))

    def _on_answered(self, at_work: _AtWork, finished: Finished) -> None:
        job = at_work.job
        if at_work.is_timed:
            self._speeds.append((time.monotonic() - at_work.began, job.weight))
        is_alone = len(job.keys) == 1
        answers = (finished.answer,) if is_alone else split_answer(job.group, finished.answer)
        if answers is None or (finished.error is not None and not is_alone):
            # It may be one row's fault, or they can't be told apart: each is tried by itself.
            rows = zip(job.keys, job.texts, strict=True)
            self._queue.extendleft(reversed([RowJob((key,), (text,), job.instruction) for key, text in rows]))
            self.released.emit(job)
            self._next()
            return
        self._end(job, finished, list(answers))

    def _end(self, job: RowJob, finished: Finished, answers: list[str]) -> None:
        self.ended.emit(job, finished, answers)
        self._next()

    def _halt(self, job: RowJob, error: UserError | None) -> None:
        """Pause by itself; the job at work goes back among those that wait."""
        self._queue.clear()
        self._at_work = None
        self.released.emit(job)
        self._rest()
        if error is not None:
            self.halted.emit(error)

    def _rest(self) -> None:
        self._is_pausing = False
        self._watch.stop()
        self.changed.emit()

    # --- watching -------------------------------------------------------------------------------------

    def _on_frame(self, view: LiveView) -> None:
        at_work = self._at_work
        if at_work is None or view.run != at_work.run:
            return
        text = view.answer if view.frame.is_closed else view.answer + view.frame.text()
        texts = split_answer(at_work.job.group, text)
        if texts is not None:
            self.live.emit(dict(zip(at_work.job.keys, texts, strict=True)))

    def _on_watched(self) -> None:
        if self._at_work is not None and self._engine.pid is not None and self._engine.silence > _SILENT_SECONDS:
            self.hung.emit()
