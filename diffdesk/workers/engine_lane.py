"""The engine's QThread: it blocks on the pipe so that the window never does.

The worker folds steps into frames, hands the newest to a throttle, and gathers the trace into batches for the store.
Whatever ends a run — an answer, a stop, a dead engine — arrives as exactly one `run_ended`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThread, Signal

from diffdesk.core.errors import Cancelled, UserError
from diffdesk.core.events import Finished, FinishReason, Prefilled, RunEvent, RunStats
from diffdesk.core.requests import ModelSpec, RunRequest
from diffdesk.core.trace import CanvasClosed, CanvasFold, CanvasFrame, TraceEvent
from diffdesk.engine.client import EngineClient
from diffdesk.workers.throttle import NewestWins

log = logging.getLogger(__name__)
SAVE_SECONDS = 0.7  # the partial canvas reaches the disk at least once a second


@dataclass(frozen=True, slots=True)
class LiveView:
    """What the window shows of a run at one moment. `committed` counts the canvases in `answer` and `thought`."""

    run: int
    frame: CanvasFrame
    answer: str
    thought: str
    committed: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch of a run for the store: the trace since the last one and the committed text.

    `closed` is the view of a canvas that this batch commits: it is shown once the batch is on the disk, so that what a
    reader sees as committed survives whatever comes.
    """

    run: int
    events: tuple[TraceEvent, ...]
    answer: str
    thought: str
    closed: LiveView | None = None


class EngineLane(QObject):
    """The window's handle on the engine. Lives in the window's thread; all its signals arrive there."""

    load_progressed = Signal(str, float)
    model_loaded = Signal(object)  # ModelInfo
    load_failed = Signal(object)  # UserError
    load_cancelled = Signal()
    unloaded = Signal()
    prefilled = Signal(int, object)  # run, Prefilled
    progressed = Signal(object)  # Progress
    run_ended = Signal(int, object)  # run, Finished
    broke = Signal(object)  # Exception: a bug

    _load_asked = Signal(object)
    _run_asked = Signal(int, object)
    _unload_asked = Signal()
    _ended = Signal()

    def __init__(self, log_folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.frames = NewestWins(parent=self)
        self._client = EngineClient(log_folder)
        self._thread = QThread(self)
        self._thread.setObjectName("engine")
        self._worker = _EngineWorker(self._client, self.frames)
        self._worker.moveToThread(self._thread)
        queued = Qt.ConnectionType.QueuedConnection
        self._load_asked.connect(self._worker.on_load_asked, queued)
        self._run_asked.connect(self._worker.on_run_asked, queued)
        self._unload_asked.connect(self._worker.on_unload_asked, queued)
        self._ended.connect(self._worker.on_ended, queued)
        self._worker.load_progressed.connect(self.load_progressed)
        self._worker.model_loaded.connect(self.model_loaded)
        self._worker.load_failed.connect(self.load_failed)
        self._worker.load_cancelled.connect(self.load_cancelled)
        self._worker.unloaded.connect(self.unloaded)
        self._worker.prefilled.connect(self.prefilled)
        self._worker.progressed.connect(self.progressed)
        self._worker.run_ended.connect(self.run_ended)
        self._worker.broke.connect(self.broke)
        self._thread.start()
        self._reserved = 0

    def reserve(self) -> int:
        """A number for a run that writes no message: below zero, and never given twice."""
        self._reserved -= 1
        return self._reserved

    @property
    def silence(self) -> float:
        """Seconds since the engine was last heard; over ten while it works means that it hangs."""
        return self._client.silence

    @property
    def pid(self) -> int | None:
        """Process id of the engine while it lives."""
        return self._client.pid

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the engine at its last heartbeat."""
        return self._client.memory_bytes

    def load(self, spec: ModelSpec) -> None:
        """Load a model; a load at work is stopped first."""
        self._client.cancel()
        self._load_asked.emit(spec)

    def run(self, run: int, request: RunRequest) -> None:
        """Start a run under a number of the caller's; it ends in one `run_ended` with that number."""
        self._run_asked.emit(run, request)

    def is_behind_another(self, run: int) -> bool:
        """Whether a run that was asked for waits until another one, a page of the desk say, has ended."""
        return self._worker.current not in (None, run)

    def cancel(self, run: int) -> None:
        """Stop a run: at work, or before it has begun; a load that others wait for goes on."""
        self._worker.cancelled.add(run)
        if self._worker.current == run:
            self._client.cancel()

    def kill(self) -> None:
        """End an engine that doesn't answer; the run at work ends as failed."""
        self._client.kill()

    def unload(self) -> None:
        """Free the model's memory."""
        self._client.cancel()
        self._unload_asked.emit()

    def close(self) -> None:
        """End the engine and the thread."""
        self._client.kill()
        self._ended.emit()
        self._thread.wait()


class _EngineWorker(QObject):
    """Lives on the engine's thread and blocks there."""

    load_progressed = Signal(str, float)
    model_loaded = Signal(object)
    load_failed = Signal(object)
    load_cancelled = Signal()
    unloaded = Signal()
    prefilled = Signal(int, object)
    progressed = Signal(object)
    run_ended = Signal(int, object)
    broke = Signal(object)

    def __init__(self, client: EngineClient, frames: NewestWins) -> None:
        super().__init__()
        self._client = client
        self._frames = frames
        self._spec: ModelSpec | None = None
        self.current: int | None = None  # the run at work
        self.cancelled: set[int] = set()  # written by the window's thread; a run looks once it is current

    def on_load_asked(self, spec: ModelSpec) -> None:
        self._spec = spec
        try:
            self._load(spec)
        except (Cancelled, UserError):
            return  # told by a signal of its own
        except Exception as error:  # a bug must reach the window
            log.exception("loading broke")
            self.broke.emit(error)

    def on_unload_asked(self) -> None:
        self._spec = None
        self._client.unload()
        self.unloaded.emit()

    def on_ended(self) -> None:
        self._client.close()
        self.thread().quit()

    def on_run_asked(self, run: int, request: RunRequest) -> None:
        batch = _Batch(run)
        self.current = run
        try:
            if run in self.cancelled:
                raise Cancelled
            for event in self._events(request):
                if run in self.cancelled:  # it may have come in the moment before the engine knew of the run
                    self._client.cancel()
                self._on_event(batch, event)
        except Cancelled:
            self._end(batch, Finished(FinishReason.CANCELLED, RunStats(), batch.answer, batch.thought))
        except UserError as error:
            failure = Finished(FinishReason.FAILED, RunStats(), batch.answer, batch.thought, error=error)
            self._end(batch, failure)
        except Exception as error:  # a bug must reach the window, and the run must end
            log.exception("the engine's client broke")
            self.broke.emit(error)
            self._end(batch, Finished(FinishReason.FAILED, RunStats(), batch.answer, batch.thought))

    def _events(self, request: RunRequest) -> Iterator[RunEvent]:
        """The run's events, loading the model again first if its process is gone or a load was stopped."""
        if not self._client.has_model and self._spec is not None:
            self._load(self._spec)
        yield from self._client.run(request)

    def _load(self, spec: ModelSpec) -> None:
        try:
            info = self._client.load(spec, self.load_progressed.emit)
        except Cancelled:
            self.load_cancelled.emit()
            raise
        except UserError as error:
            self.load_failed.emit(error)
            raise
        self.model_loaded.emit(info)

    def _on_event(self, batch: _Batch, event: RunEvent) -> None:
        if isinstance(event, Prefilled):
            self.prefilled.emit(batch.run, event)
        elif isinstance(event, Finished):
            self._end(batch, event)
        else:
            view = batch.add(event)
            if isinstance(event, CanvasClosed):
                self.progressed.emit(batch.take(view))
                return
            self._frames.offer(view)
            if time.monotonic() - batch.saved >= SAVE_SECONDS:
                self.progressed.emit(batch.take())

    def _end(self, batch: _Batch, finished: Finished) -> None:
        self.current = None
        self.cancelled.discard(batch.run)
        if batch.events:
            self.progressed.emit(batch.take())
        self.run_ended.emit(batch.run, finished)


class _Batch:
    """A run's trace since it was last handed to the store."""

    def __init__(self, run: int) -> None:
        self.run = run
        self.fold = CanvasFold()
        self.events: list[TraceEvent] = []
        self.committed = 0
        self.saved = time.monotonic()

    @property
    def answer(self) -> str:
        return self.fold.answer

    @property
    def thought(self) -> str:
        return self.fold.thought

    def add(self, event: TraceEvent) -> LiveView:
        """Take an event in; what it leaves to be seen."""
        frame = self.fold.apply(event)
        self.events.append(event)
        self.committed += isinstance(event, CanvasClosed)
        return LiveView(self.run, frame, self.answer, self.thought, self.committed)

    def take(self, closed: LiveView | None = None) -> Progress:
        """What the store has not got yet."""
        events, self.events = tuple(self.events), []
        self.saved = time.monotonic()
        return Progress(self.run, events, self.answer, self.thought, closed)
