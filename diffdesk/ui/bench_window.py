"""How smooth the window stays while drafts pour in: the measuring part of `diffdesk bench window`.

A thread plays an engine: it decodes and folds the events of a made-up run, as the engine's lane does, at a steady pace,
and offers every frame to the throttle. The window's thread shows them and a heartbeat measures how long its event loop
was ever away. No model runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from diffdesk.core.messages import Role
from diffdesk.core.trace import CanvasFold, CanvasFrame, CanvasOpened, decode_event, encode_event
from diffdesk.ui.canvas.sample_run import sample_run
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import MessageView, Place
from diffdesk.workers.throttle import NewestWins

CANVASES, STEPS = 8, 48
_SETTLE_MILLISECONDS = 500

Present = Callable[[CanvasFrame, str, str], None]
"""Shows a frame, the answer committed so far and the thought committed so far."""


@dataclass(frozen=True, slots=True)
class _Draft:
    frame: CanvasFrame
    answer: str
    thought: str


class _Drafts(threading.Thread):
    """Offers `rate` drafts a second until it is stopped; a run that ends begins again."""

    def __init__(self, throttle: NewestWins, rate: float) -> None:
        super().__init__(name="bench drafts", daemon=True)
        self._throttle = throttle
        self._period = 1.0 / rate
        self._stopped = threading.Event()
        self._wire = [encode_event(event) for event in sample_run(CANVASES, steps=STEPS, has_thought=True)]
        self.sent = 0
        self.seconds = 0.0

    def run(self) -> None:
        begun = time.perf_counter()
        due = begun
        while not self._stopped.is_set():
            for data in self._folded():
                if self._stopped.wait(max(0.0, due - time.perf_counter())):
                    break
                self._throttle.offer(data)
                self.sent += 1
                due += self._period
        self.seconds = time.perf_counter() - begun

    def _folded(self) -> Iterator[_Draft]:
        fold = CanvasFold()
        for data in self._wire:
            event = decode_event(data)
            frame = fold.apply(event)
            if not isinstance(event, CanvasOpened):
                yield _Draft(frame, fold.answer, fold.thought)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._stopped.set()
        self.join()


@dataclass(slots=True)
class _Heartbeat:
    """The gaps between two turns of the event loop, in seconds."""

    gaps: list[float] = field(default_factory=list)
    _last: float = 0.0

    def start(self, parent: QObject) -> QTimer:
        """Beat every millisecond; a gap is the time from one beat to the next."""
        self._last = time.perf_counter()
        timer = QTimer(parent, interval=1, timerType=Qt.TimerType.PreciseTimer)
        timer.timeout.connect(self._on_beat)
        timer.start()
        return timer

    def _on_beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now


def run_bench(
    seconds: float = 10.0, drafts_per_second: float = 190.0, present: Present | None = None
) -> dict[str, float]:
    """Pour drafts of a run of 2,048 tokens into a window for `seconds` and measure its event loop.

    Args:
        seconds: how long.
        drafts_per_second: at what pace.
        present: what shows a draft; without it the program's window is opened for it, with nothing behind.

    Returns:
        `drafts_per_second` really offered, `frames_painted` (drafts that reached the window), `longest_stall_ms` and
        `p99_9_stall_ms`: the longest and the 99.9th percentile of the gaps between two turns of the event loop.
    """
    application = QApplication.instance() or QApplication(["diffdesk"])
    if present is not None:
        return _measure(seconds, drafts_per_second, present, application)
    with _own_window() as shown:
        return _measure(seconds, drafts_per_second, shown, application)


def _measure(seconds: float, rate: float, present: Present, parent: QObject) -> dict[str, float]:
    throttle = NewestWins(parent=parent)

    def show(draft: object) -> None:
        if isinstance(draft, _Draft):
            present(draft.frame, draft.answer, draft.thought)

    throttle.arrived.connect(show)
    drafts = _Drafts(throttle, rate)
    _turn(_SETTLE_MILLISECONDS)  # opening the window is no part of the stream
    heartbeat = _Heartbeat()
    drafts.start()
    timer = heartbeat.start(throttle)
    _turn(round(seconds * 1000))
    timer.stop()
    drafts.stop()
    throttle.arrived.disconnect(show)
    throttle.deleteLater()
    gaps = np.array(heartbeat.gaps or [seconds]) * 1000
    return {
        "drafts_per_second": round(drafts.sent / drafts.seconds, 1),
        "frames_painted": throttle.delivered,
        "longest_stall_ms": round(float(gaps.max()), 2),
        "p99_9_stall_ms": round(float(np.percentile(gaps, 99.9)), 2),
    }


def _turn(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


@contextmanager
def _own_window() -> Iterator[Present]:
    """The program's window with an answer being written, for as long as the measurement lasts."""
    themes = ThemeKeeper()
    application = QApplication.instance()
    if isinstance(application, QApplication):
        themes.apply(application)
    window = MainWindow(themes)
    question = MessageView(1, Role.USER, "Why is the sky blue?", datetime.now().astimezone())
    window.show_conversation("Why is the sky blue?", Place.CHAT, [question])
    window.show()
    live = window.begin_live(2)
    live.begin("Answering")
    try:
        yield live.show_frame
    finally:
        live.end()
        window.close()
        window.deleteLater()
