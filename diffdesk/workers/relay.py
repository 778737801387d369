"""Results on their way back to the window's thread: a callback and its value, delivered where the relay lives."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from diffdesk.core.errors import Cancelled, UserError

log = logging.getLogger(__name__)


class Relay(QObject):
    """Runs work anywhere and its callbacks in the thread in which it was made.

    A task ends once: returned, failed or cancelled. An error that the user can act on goes to the task's own callback,
    or to `failed`; anything else is a bug and goes to `broke`.
    """

    failed = Signal(object)
    broke = Signal(object)
    _delivered = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._delivered.connect(self._on_delivered, Qt.ConnectionType.QueuedConnection)

    def perform(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[UserError], None] | None,
    ) -> None:
        """Do `work` in the calling thread and send its end to the relay's thread."""
        try:
            value = work()
        except Cancelled:
            return
        except UserError as error:
            self._delivered.emit(failed or self.failed.emit, error)
        except Exception as error:  # a bug must reach the one door to the user, not die in a thread
            log.exception("a task broke")
            self._delivered.emit(self.broke.emit, error)
        else:
            if done is not None:
                self._delivered.emit(done, value)

    def post(self, callback: Callable[[Any], None], value: object) -> None:
        """Call `callback(value)` in the relay's thread, from any."""
        self._delivered.emit(callback, value)

    def _on_delivered(self, callback: Callable[[Any], None], value: object) -> None:
        callback(value)
