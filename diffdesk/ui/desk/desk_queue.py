"""The work on the desk's queue: one page is read while another is corrected, until none waits.

Owns no widget. What it has done is in the store before it is told; a page at work when the program dies is simply
still waiting. A page's error stays with the page; an engine that can't run at all stops the work instead.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from diffdesk.core.errors import EngineError, StoreError, UserError
from diffdesk.core.events import AnswerState, Finished, FinishReason, RunStats
from diffdesk.core.parameters import GenerationParameters
from diffdesk.documents.page_images import PageImages
from diffdesk.documents.text_recogniser import TextRecogniser
from diffdesk.services import desk_work
from diffdesk.services.review import Review
from diffdesk.store import Corrected, DeskContent, DeskRow, DeskState, Store
from diffdesk.ui.desk.desk_views import PageState
from diffdesk.ui.desk.page_work import BUG, Correcting, Reading, safe, safe_with
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.views import ModelState, ModelView
from diffdesk.workers.engine_lane import LiveView

log = logging.getLogger(__name__)
_READ_AHEAD = 1  # pages that are read and wait for the engine
_SMOOTHING = 0.3  # of the seconds that a page takes


class DeskQueue(QObject):
    """See the module.

    Signals:
        row_changed(DeskRow, object): how a page stands; with the `PageState` of what is being done with it, or None.
        corrected(int): the page of this number is done and can be reviewed.
        progressed(): something of `done`, `total`, `failed`, `seconds_left`, `is_running` changed.
        framed(int, LiveView): a draft of the page that is being corrected.
        blocked(UserError): the work was paused, since no page could be done.
    """

    row_changed = Signal(object, object)
    corrected = Signal(int)
    progressed = Signal()
    framed = Signal(int, object)
    blocked = Signal(object)

    def __init__(
        self, lanes: Lanes, images: PageImages, recogniser: TextRecogniser, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store, self._engine, self._pool = lanes.store, lanes.engine, lanes.pool
        self._models = lanes.models
        self._images = images
        self.recogniser = recogniser
        self.parameters = GenerationParameters()
        self._rows: dict[int, DeskRow] = {}
        self._reading: Reading | None = None
        self._correcting: Correcting | None = None
        self._is_paused = False
        self._lacks_model = False  # paused since there was no model to be had
        self._is_closed = False
        self._pace: float | None = None
        lanes.engine.frames.arrived.connect(self._on_frame)
        lanes.engine.run_ended.connect(self._on_run_ended)
        lanes.models.changed.connect(self._on_model_changed)

    # --- what is so -----------------------------------------------------------------------------------

    @property
    def rows(self) -> tuple[DeskRow, ...]:
        """The queue in its order."""
        return tuple(self._rows.values())

    @property
    def is_paused(self) -> bool:
        """Whether no new page is begun."""
        return self._is_paused

    @property
    def is_running(self) -> bool:
        """Whether a page is at work."""
        return self._reading is not None or self._correcting is not None

    @property
    def has_asked(self) -> bool:
        """Whether the engine works for the desk."""
        return self._correcting is not None and self._correcting.run is not None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take, by what the last pages took; None where nothing can be said."""
        waiting = sum(one.state is DeskState.WAITING for one in self._rows.values())
        return None if self._pace is None else self._pace * waiting

    def at_work(self, page_id: int) -> PageState | None:
        """What is being done with a page."""
        if self._correcting is not None and self._correcting.row.id == page_id:
            return PageState.CORRECTING
        if self._reading is not None and self._reading.row.id == page_id:
            return PageState.READING
        return None

    def row(self, page_id: int) -> DeskRow | None:
        """A page of the queue."""
        return self._rows.get(page_id)

    # --- what is wanted -------------------------------------------------------------------------------

    def show_rows(self, rows: list[DeskRow]) -> None:
        """The queue as the store has it; what waits is begun unless the work is paused."""
        self._rows = {one.id: one for one in rows}
        for work in (self._reading, self._correcting):
            if work is not None and work.row.id not in self._rows:
                self._stop(work)
        self._pump()

    def put(self, row: DeskRow) -> None:
        """How a page stands, as the store has it."""
        if row.id in self._rows:
            self._rows[row.id] = row
            self.row_changed.emit(row, self.at_work(row.id))
            self.progressed.emit()

    def pause(self) -> None:
        """Begin no other page; those at work are finished."""
        self._is_paused, self._lacks_model = True, False
        self.progressed.emit()

    def resume(self) -> None:
        """Go on."""
        self._is_paused = self._lacks_model = False
        self._pump()

    def stop(self) -> None:
        """Begin no other page, and leave the one that is being corrected for later."""
        self.pause()
        if self._correcting is not None:
            self._stop(self._correcting)

    def close(self) -> None:
        """Stop what is at work; it waits for the next start."""
        self._is_closed = True
        for work in (self._reading, self._correcting):
            if work is not None:
                self._stop(work)

    # --- the work -------------------------------------------------------------------------------------

    def _pump(self) -> None:
        if not self._is_closed and not self._is_paused:
            if self._correcting is None:
                self._correct_next()
            if self._reading is None:
                self._read_next()
        self.progressed.emit()

    def _waiting(self, *, is_read: bool) -> list[DeskRow]:
        busy = self._correcting.row.id if self._correcting is not None else None
        return [
            one
            for one in self._rows.values()
            if one.state is DeskState.WAITING and one.is_read is is_read and one.id != busy
        ]

    def _read_next(self) -> None:
        unread = self._waiting(is_read=False)
        if not unread or len(self._waiting(is_read=True)) > _READ_AHEAD:
            return
        work = self._reading = Reading(unread[0])
        source = desk_work.source_of(work.row)
        recogniser = self.recogniser

        def read() -> desk_work.PageReading:
            if source is None:
                raise LookupError(f"page {work.row.id} has neither a text nor a file")
            with self._images.use(source, work.stop.is_set) as path:
                return desk_work.read_page(path, recogniser, work.stop.is_set)

        self.row_changed.emit(work.row, PageState.READING)
        self._pool.submit(
            safe(read), lambda reading: self._on_read(work, reading), lambda error: self._on_unread(work, error)
        )

    def _on_read(self, work: Reading, reading: desk_work.PageReading) -> None:
        if work.stop.is_set():
            return
        page = work.row.id

        def keep(store: Store) -> DeskRow:
            store.desk.save_read(page, reading.kept, reading.draft, reading.seconds)
            return store.desk.page(page)

        def done(row: DeskRow) -> None:
            self._release(work)
            self.put(row)
            self._pump()

        self._store.submit(keep, done, lambda error: self._on_unread(work, error))

    def _on_unread(self, work: Reading, error: UserError) -> None:
        if not work.stop.is_set():
            self._fail(work, error)

    def _correct_next(self) -> None:
        read = self._waiting(is_read=True)
        if not read:
            return
        work = self._correcting = Correcting(read[0])
        page = work.row.id

        def done(content: DeskContent | None) -> None:
            if work is self._correcting:
                work.content = content
                self._prepare(work)

        self._store.submit(lambda store: store.desk.content(page), done, lambda error: self._end(work, error))

    def _prepare(self, work: Correcting) -> None:
        """Have the page's image in its place, then ask."""
        if work.content is None or not work.content.draft.strip():
            self._keep(work, Finished(FinishReason.END_TOKEN, RunStats()))
            return
        source = desk_work.source_of(work.row)
        if source is None:
            self._ask(work)
            return

        def hold() -> tuple[Path, ExitStack]:
            with ExitStack() as held:
                path = held.enter_context(self._images.use(source, work.stop.is_set))
                return path, held.pop_all()

        def done(found: tuple[Path, ExitStack]) -> None:
            work.image, work.held = found
            if work is self._correcting:
                self._ask(work)
            else:
                work.held.close()

        self.row_changed.emit(work.row, PageState.CORRECTING)
        self._pool.submit(safe(hold), done, lambda error: self._end(work, error))

    def _ask(self, work: Correcting) -> None:
        work.is_prepared = True
        self._run()

    def _on_model_changed(self, view: ModelView) -> None:
        if self._lacks_model and view.state is ModelState.READY:
            self.resume()
        else:
            self._run()

    def _run(self) -> None:
        """Give the page to the engine, if it is prepared and the model that is to correct it is known."""
        work = self._correcting
        if work is None or work.content is None or not work.is_prepared or work.is_done or work.run is not None:
            return
        if self._models.view.state is ModelState.LOADING:
            return
        info = self._models.info
        can_see = info is not None and info.can_see_images
        request = desk_work.request_of(work.content, work.image, self.parameters, can_see=can_see)
        work.run = self._engine.reserve()
        work.tries += 1
        self.row_changed.emit(work.row, PageState.CORRECTING)
        self._engine.run(work.run, request)

    def _on_frame(self, view: LiveView) -> None:
        if self._correcting is not None and view.run == self._correcting.run:
            self.framed.emit(self._correcting.row.id, view)

    def _on_run_ended(self, run: int, finished: Finished) -> None:
        work = self._correcting
        if work is None or run != work.run:
            return
        work.run = None
        if finished.reason is FinishReason.CANCELLED or work.stop.is_set():
            self._end(work, None)
        elif finished.reason is not FinishReason.FAILED:
            self._keep(work, finished)
        elif isinstance(finished.error, EngineError) and work.tries == 1:
            log.info("page %d is asked again: %s", work.row.id, finished.error.title)
            self._run()
        elif self._models.info is None and finished.error is not None:
            # No page could be done: they wait until there is a model again.
            was_paused = self._is_paused
            self._leave(work)
            self._block(finished.error)
            self._lacks_model = not was_paused
        else:
            self._end(work, finished.error or UserError(*BUG))

    def _keep(self, work: Correcting, finished: Finished) -> None:
        row, content = work.row, work.content or DeskContent("", "")
        work.is_done = True

        def keep(store: Store) -> DeskRow:
            page = desk_work.page_of(content)
            review = Review(content.draft, finished.proposals, finished.doubts, page)
            outcome = desk_work.outcome_of(review, finished.notes if finished.state is AnswerState.DECLINED else ())
            corrected = Corrected(finished.proposals, finished.doubts, finished.notes)
            return store.desk.save_corrected(row.id, corrected, outcome, finished.stats.total_seconds)

        def done(kept: DeskRow) -> None:
            # One page is read while another is corrected.
            self._pace_of(max(row.seconds, finished.stats.total_seconds))
            self._release(work)
            self.put(kept)
            self.corrected.emit(kept.id)
            self._pump()

        self._store.submit(safe_with(keep), done, lambda error: self._end(work, error))

    def _pace_of(self, seconds: float) -> None:
        self._pace = seconds if self._pace is None else (1 - _SMOOTHING) * self._pace + _SMOOTHING * seconds

    def _end(self, work: Correcting, error: UserError | None) -> None:
        """The page was not corrected: it was stopped, or there is an error."""
        if work is not self._correcting:
            return
        if error is None:
            self._leave(work)
            self._pump()
        else:
            self._fail(work, error)

    def _fail(self, work: Reading | Correcting, error: UserError) -> None:
        if isinstance(error, StoreError):
            # Nothing is wrong with the page: it is read or corrected again once it can be kept.
            self._leave(work)
            self._block(error)
            return
        log.info("page %d failed: %s", work.row.id, error.title)
        if isinstance(work, Correcting):
            work.is_done = True

        def done(failed: DeskRow) -> None:
            self._release(work)
            self.put(failed)
            self._pump()

        def full(other: UserError) -> None:
            self._leave(work)
            self._block(other)

        self._store.submit(lambda store: store.desk.fail(work.row.id, error), done, full)

    def _leave(self, work: Reading | Correcting) -> None:
        """A page that is no longer at work stands as it stood."""
        self._release(work)
        row = self._rows.get(work.row.id, work.row)
        self.row_changed.emit(row, self.at_work(row.id))

    def _release(self, work: Reading | Correcting) -> None:
        if self._correcting is work:
            self._correcting = None
        if self._reading is work:
            self._reading = None
        if isinstance(work, Correcting):
            work.held.close()

    def _block(self, error: UserError) -> None:
        """No page can be done at present."""
        self.pause()
        self.blocked.emit(error)

    def _stop(self, work: Reading | Correcting) -> None:
        work.stop.set()
        if isinstance(work, Correcting) and work.run is not None:
            self._engine.cancel(work.run)
        elif isinstance(work, Reading) or not work.is_done:
            self._leave(work)
