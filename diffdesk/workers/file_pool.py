"""A small pool for files, thumbnails and the recogniser: what blocks and is neither the store nor the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QRunnable, QThreadPool

from diffdesk.core.errors import UserError
from diffdesk.workers.relay import Relay

T = TypeVar("T")


class FilePool(QObject):
    """Runs functions on at most `threads` threads; results come back in the window's thread."""

    def __init__(self, relay: Relay, threads: int = 4, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._relay = relay
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)

    def submit(
        self,
        work: Callable[[], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[UserError], None] | None = None,
    ) -> None:
        """Run `work` on the pool, then `done(value)` or `failed(error)` in the window's thread."""
        self._pool.start(_Errand(self._relay, work, done, failed))

    def close(self, milliseconds: int = 3000) -> None:
        """Drop what has not begun and wait for what has."""
        self._pool.clear()
        self._pool.waitForDone(milliseconds)


class _Errand(QRunnable):
    def __init__(
        self,
        relay: Relay,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[UserError], None] | None,
    ) -> None:
        super().__init__()
        self._relay = relay
        self._work = work
        self._done = done
        self._failed = failed

    def run(self) -> None:
        self._relay.perform(self._work, self._done, self._failed)
