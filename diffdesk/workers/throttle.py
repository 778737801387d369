"""Newest wins: values come from any thread at any pace, the window gets the latest one when it is ready for it."""

from __future__ import annotations

import threading

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal


class NewestWins(QObject):
    """Hands on the newest value, at most once every `interval` milliseconds; older ones that nobody saw are dropped.

    Lives in the window's thread. `offer` may be called from any thread; `arrived` is emitted in the window's.
    """

    arrived = Signal(object)
    _woken = Signal()

    def __init__(self, interval: int = 16, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._value: object | None = None
        self._is_waking = False
        self.offered = 0
        self.delivered = 0
        self._interval = interval
        self._since = QElapsedTimer()
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_due)
        self._woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)

    def offer(self, value: object) -> None:
        """Give a newer value; one that was not delivered yet is replaced."""
        with self._lock:
            self._value = value
            self.offered += 1
            if self._is_waking:
                return
            self._is_waking = True
        self._woken.emit()

    def flush(self) -> None:
        """Deliver the last value now, if there is one; for the end of a run, whose last frame must be seen."""
        self._on_due()

    def clear(self) -> None:
        """Forget a value that was not delivered."""
        with self._lock:
            self._value = None

    def _on_woken(self) -> None:
        left = self._interval - self._since.elapsed() if self._since.isValid() else 0
        if left <= 0:
            self._on_due()
        else:
            self._timer.start(left)

    def _on_due(self) -> None:
        with self._lock:
            value, self._value = self._value, None
            self._is_waking = False
        if value is not None:
            self._since.start()
            self.delivered += 1
            self.arrived.emit(value)
