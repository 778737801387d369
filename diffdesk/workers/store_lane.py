"""The store's own thread: it owns the connection, works in order, and answers in the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, QThread, Signal

from diffdesk.core.errors import UserError
from diffdesk.store import Store, set_aside
from diffdesk.workers.relay import Relay

T = TypeVar("T")


class StoreLane(QObject):
    """Does things with the store, one after the other, off the window's thread."""

    _asked = Signal(object, object, object)
    _aside_asked = Signal(object, object)
    _ended = Signal()

    def __init__(self, folder: Path, relay: Relay, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread(self)
        self._thread.setObjectName("store")
        self._desk = _StoreDesk(folder, relay)
        self._desk.moveToThread(self._thread)
        self._asked.connect(self._desk.on_asked, Qt.ConnectionType.QueuedConnection)
        self._aside_asked.connect(self._desk.on_aside_asked, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._desk.on_ended, Qt.ConnectionType.QueuedConnection)
        self._thread.start()

    def submit(
        self,
        work: Callable[[Store], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[UserError], None] | None = None,
    ) -> None:
        """Run `work(store)` on the store's thread; what it returns is durable when `done` is called."""
        self._asked.emit(work, done, failed)

    def set_aside(self, done: Callable[[Path], None], failed: Callable[[UserError], None]) -> None:
        """Move a damaged store into a folder of its own beside it; the next request begins a new one."""
        self._aside_asked.emit(done, failed)

    def close(self) -> None:
        """Finish what was asked, close the file, end the thread."""
        self._ended.emit()
        self._thread.wait()


class _StoreDesk(QObject):
    """Lives on the store's thread. Opens the store at the first request; a store that can't be opened fails each."""

    def __init__(self, folder: Path, relay: Relay) -> None:
        super().__init__()
        self._folder = folder
        self._relay = relay
        self._store: Store | None = None

    def on_asked(
        self,
        work: Callable[[Store], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[UserError], None] | None,
    ) -> None:
        self._relay.perform(lambda: work(self._opened()), done, failed)

    def on_aside_asked(self, done: Callable[[Any], None], failed: Callable[[UserError], None]) -> None:
        self._close()
        self._relay.perform(lambda: set_aside(self._folder), done, failed)

    def on_ended(self) -> None:
        self._close()
        self.thread().quit()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store.open(self._folder)
        return self._store
