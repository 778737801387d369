"""Tells assistive technology how an answer goes: one sentence now and then, never one for each draft."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QWidget

LEAST_SECONDS = 4.0


class Announcer(QObject):
    """Keeps the accessible description of a widget current and speaks what matters.

    `described` carries each new description, `spoken` each announcement.
    """

    described = Signal(str)
    spoken = Signal(str)

    def __init__(self, widget: QWidget, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(widget)
        self._widget = widget
        self._clock = clock
        self._described_at: float | None = None

    def describe(self, text: str) -> None:
        """Make `text` the description unless the last one is younger than four seconds."""
        now = self._clock()
        if self._described_at is not None and now - self._described_at < LEAST_SECONDS:
            return
        self._set(text, now)

    def speak(self, text: str) -> None:
        """Say `text` now, politely, and make it the description; for events, of which there are few."""
        self._set(text, self._clock())
        if QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._widget, text))
        self.spoken.emit(text)

    def _set(self, text: str, now: float) -> None:
        self._described_at = now
        if text != self._widget.accessibleDescription():
            self._widget.setAccessibleDescription(text)
            self.described.emit(text)
