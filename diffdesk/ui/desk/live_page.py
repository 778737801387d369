"""The canvas of the page that is being corrected, shown while that page is open. Knows frames and where they go."""

from __future__ import annotations

from PySide6.QtCore import QObject

from diffdesk.store import DeskRow
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.desk.desk_queue import DeskQueue
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import PageState
from diffdesk.ui.desk.page_opening import PageOpening
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.workers.engine_lane import LiveView


class LivePage(QObject):
    """See the module."""

    def __init__(self, view: DeskView, queue: DeskQueue, opening: PageOpening, themes: ThemeKeeper) -> None:
        super().__init__(view)
        self._view = view
        self._queue = queue
        self._opening = opening
        self._themes = themes
        self._live: LiveMessage | None = None
        self._page: int | None = None  # that the canvas is of
        queue.row_changed.connect(self._on_row_changed)
        queue.framed.connect(self._on_framed)

    def _on_row_changed(self, row: DeskRow, at_work: PageState | None) -> None:
        if row.id == self._page and at_work is not PageState.CORRECTING:
            self._end()

    def _on_framed(self, page: int, view: LiveView) -> None:
        if page != self._opening.page:
            if self._live is not None:
                self._end()
            return
        if self._live is None or self._page != page:
            self._begin(page)
        if self._live is not None:
            self._live.show_frame(view.frame, view.answer, view.thought)

    def _begin(self, page: int) -> None:
        self._end()
        self._page = page
        self._live = LiveMessage(self._themes)
        self._live.stop_requested.connect(self._queue.stop)
        self._live.begin("Correcting")
        self._view.set_live(self._live)

    def _end(self) -> None:
        self._page = None
        if self._live is not None:
            self._view.set_live(None)
            self._live.deleteLater()
            self._live = None
