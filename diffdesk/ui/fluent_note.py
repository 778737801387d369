"""Says once, on the first page that was corrected anywhere, that fluent is not correct.

Whether it was said is kept with the profile. Knows nothing of pages.
"""

from __future__ import annotations

from PySide6.QtCore import QObject

from diffdesk.store import Store
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.views import ErrorView
from diffdesk.workers.store_lane import StoreLane

STATE_FLUENT = "fluent_said"
FLUENT = ErrorView(
    "Fluent is not correct",
    "A model writes what is likely, not what stands on the paper: a wrong figure or name reads as well as a right one. "
    "Numbers, names and words that were read with certainty are protected; the rest is marked for you to look at.",
)


class FluentNote(QObject):
    """See the module."""

    def __init__(self, window: MainWindow, store: StoreLane) -> None:
        super().__init__(window)
        self._window = window
        self._store = store
        self._is_said = False

    def say(self) -> None:
        """A page was corrected."""
        if self._is_said:
            return
        self._is_said = True

        def work(store: Store) -> bool:
            was_said = store.state(STATE_FLUENT, False)
            store.set_state(STATE_FLUENT, True)
            return was_said

        def done(was_said: bool) -> None:
            if not was_said:
                self._window.show_banner(FLUENT, "info", [])

        self._store.submit(work, done)
