"""The correction desk as one thing: pages come in, are read and corrected, reviewed, and go out.

Joins the desk's widgets to its queue, the page that is open, pictures and exports. Made when the desk is first wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut

from diffdesk.core.errors import UserError
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ModelInfo
from diffdesk.documents.images import ImportedImage, import_image
from diffdesk.documents.page_images import PageImages
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recogniser import Recogniser
from diffdesk.documents.sources import Refused, find_pages
from diffdesk.documents.text_recogniser import TextRecogniser
from diffdesk.paths import Places, resource_dir
from diffdesk.services import desk_work
from diffdesk.store import DeskRow, DeskState, NewPage, Store
from diffdesk.ui.composer_edit import offered_images
from diffdesk.ui.desk.desk_exporting import DeskExporting
from diffdesk.ui.desk.desk_pictures import DeskPictures
from diffdesk.ui.desk.desk_queue import DeskQueue
from diffdesk.ui.desk.desk_rows import queue_row
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import PageState, QueueRow, QueueStatus
from diffdesk.ui.desk.live_page import LivePage
from diffdesk.ui.desk.page_opening import PageOpening
from diffdesk.ui.fluent_note import FluentNote
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rows import error_view
from diffdesk.ui.screenshot import take_screenshot
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ErrorView
from diffdesk.ui.window_dialogs import ask_folder_of_pages, ask_pages

STATE_PAUSED = "desk_paused"
_PASTED = "Pasted image"
_SILENT_SECONDS = 20.0
_WATCH_MILLISECONDS = 2000


class DeskPresenter(QObject):
    """See the module."""

    def __init__(
        self,
        window: MainWindow,
        themes: ThemeKeeper,
        lanes: Lanes,
        places: Places,
        recogniser: TextRecogniser,
        fluent: FluentNote,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._lanes = lanes
        self._fluent = fluent
        # Pages are drawn by a process of their own, so that one can be looked at while another is read.
        self._drawer = Recogniser()
        self._images = PageImages(places.data / "pages", self._drawer)
        self.view = DeskView(themes)
        self.queue = DeskQueue(lanes, self._images, recogniser, self)
        self.opening = PageOpening(self.view, self.queue, lanes.store)
        self._pictures = DeskPictures(self.view, self.queue, lanes.pool, self._images)
        self._exporting = DeskExporting(window, themes, lanes, self.queue, self._images)
        self._live = LivePage(self.view, self.queue, self.opening, themes)
        self._watch = QTimer(self, interval=_WATCH_MILLISECONDS)
        self._watch.timeout.connect(self._on_watched)
        self._watch.start()
        self._connect()

    def _connect(self) -> None:
        view, queue = self.view, self.queue
        view.add_requested.connect(lambda: ask_pages(self._window, self.add))
        view.add_folder_requested.connect(lambda: ask_folder_of_pages(self._window, lambda folder: self.add([folder])))
        view.screenshot_requested.connect(self._on_screenshot_requested)
        view.sample_requested.connect(lambda: self.add([resource_dir() / "samples" / "sample.png"]))
        view.export_requested.connect(lambda: self._exporting.ask(self.opening.page))
        view.paused.connect(self._on_paused)
        view.resumed.connect(self._on_resumed)
        view.page_chosen.connect(self.opening.open)
        view.page_requested.connect(self._on_page_requested)
        view.moved.connect(self._on_moved)
        view.removed.connect(self._on_removed)
        view.retried.connect(self._on_retried)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), view).activated.connect(self._on_pasted)
        queue.row_changed.connect(self._on_row_changed)
        queue.corrected.connect(self._on_corrected)
        queue.progressed.connect(self._show_status)
        queue.blocked.connect(self._on_blocked)
        self._pictures.thumbnail_changed.connect(self._on_thumbnail_changed)
        self.opening.failed.connect(self._on_failed)
        self._lanes.models.changed.connect(lambda _: self._show_status())

    # --- what the window asks for ---------------------------------------------------------------------

    def start(self) -> None:
        """Show the queue as it was left, and go on with it unless it was paused."""

        def work(store: Store) -> tuple[list[DeskRow], bool]:
            return store.desk.pages(), store.state(STATE_PAUSED, False)

        def done(found: tuple[list[DeskRow], bool]) -> None:
            rows, is_paused = found
            if is_paused:
                self.queue.pause()
            self._show_rows(rows)

        self._lanes.store.submit(work, done, self._on_failed)

    def set_parameters(self, parameters: GenerationParameters) -> None:
        """The settings of the runs to come."""
        self.queue.parameters = parameters

    def add(self, sources: Sequence[Path | bytes]) -> None:
        """Put files, folders and pasted images at the end of the queue; what can't be used stands there with why."""
        for one in sources:
            if isinstance(one, bytes):
                self._add_pasted(one)
        paths = [one for one in sources if isinstance(one, Path)]
        if paths:
            shown = partial(self._on_found, is_one=len(paths) == 1)
            self._lanes.pool.submit(lambda: list(find_pages(paths, self._drawer)), shown, self._on_failed)

    def add_text(self, text: str) -> None:
        """Put a text at the end of the queue."""
        if text.strip():
            first = " ".join(text.split())[:40]
            self._join([desk_work.new_text(text, f"Text: {first}")])

    def close(self) -> None:
        """Stop; what is at work waits for the next start."""
        self._watch.stop()
        self.queue.close()
        self._exporting.close()
        self._drawer.close()

    # --- pages come in --------------------------------------------------------------------------------

    def _on_found(self, found: list[PageSource | Refused], *, is_one: bool) -> None:
        if is_one and len(found) == 1 and isinstance(found[0], Refused):
            # One thing was offered and it is no good: say so at once, and leave no row for it.
            self._on_failed(found[0].error)
            return
        pages: list[NewPage] = []
        errors: dict[int, UserError] = {}
        for one in found:
            if isinstance(one, Refused):
                errors[len(pages)] = one.error
                pages.append(desk_work.new_page(PageSource(one.path)))
            else:
                pages.append(desk_work.new_page(one))
        self._join(pages, errors)

    def _add_pasted(self, data: bytes) -> None:
        def keep(image: ImportedImage) -> None:
            self._lanes.store.submit(
                lambda store: _kept(store, image), lambda page: self._join([page]), self._on_failed
            )

        self._lanes.pool.submit(lambda: import_image(data), keep, self._on_failed)

    def _join(self, pages: Sequence[NewPage], errors: dict[int, UserError] | None = None) -> None:
        def work(store: Store) -> tuple[list[DeskRow], int]:
            added = store.desk.add(pages)
            for place, error in (errors or {}).items():
                store.desk.fail(added[place].id, error)
            return store.desk.pages(), added[0].id

        def done(found: tuple[list[DeskRow], int]) -> None:
            rows, first = found
            self._show_rows(rows)
            if self.opening.page is None:
                self.opening.open(first)

        self._lanes.store.submit(work, done, self._on_failed)

    def _on_pasted(self) -> None:
        data = QGuiApplication.clipboard().mimeData()
        images = offered_images(data)
        if images:
            self.add(images)
        elif data.hasText():
            self.add_text(data.text())

    def _on_screenshot_requested(self) -> None:
        take_screenshot(
            self._window,
            lambda taken: self.add([taken]),
            lambda why: self._window.show_banner(ErrorView("No screenshot was taken", why), "warning", []),
        )

    # --- the queue ------------------------------------------------------------------------------------

    def _show_rows(self, rows: list[DeskRow]) -> None:
        self.queue.show_rows(rows)
        self.view.set_rows([self._queue_row(one) for one in rows])
        if self.opening.page is not None and self.queue.row(self.opening.page) is None:
            self.opening.close()
        if self.opening.page is None and rows:
            self.opening.open(rows[0].id)
        self._show_status()

    def _queue_row(self, row: DeskRow) -> QueueRow:
        return queue_row(row, self._pictures.thumbnail(row.id), self.queue.at_work(row.id))

    def _on_row_changed(self, row: DeskRow, at_work: PageState | None) -> None:
        self.view.update_row(queue_row(row, self._pictures.thumbnail(row.id), at_work))
        self.opening.refresh(row.id)

    def _on_thumbnail_changed(self, page: int) -> None:
        row = self.queue.row(page)
        if row is not None:
            self.view.update_row(self._queue_row(row))

    def _on_corrected(self, page: int) -> None:
        self.opening.reopen(page)
        self._fluent.say()

    def _show_status(self) -> None:
        rows = self.queue.rows
        info: ModelInfo | None = self._lanes.models.info
        done = sum(one.state in (DeskState.READY, DeskState.REVIEWED) for one in rows)
        self.view.set_status(
            QueueStatus(
                done=done,
                of=len(rows),
                failed=sum(one.state is DeskState.FAILED for one in rows),
                is_running=self.queue.is_running,
                is_paused=self.queue.is_paused,
                seconds_left=self.queue.seconds_left,
                how="" if info is None else desk_work.how_it_corrects(info),
            )
        )

    def _on_page_requested(self, way: int) -> None:
        order = [one.id for one in self.queue.rows]
        if self.opening.page in order:
            place = order.index(self.opening.page) + way
            if 0 <= place < len(order):
                self.opening.open(order[place])

    def _on_paused(self) -> None:
        self.queue.pause()
        self._lanes.store.submit(lambda store: store.set_state(STATE_PAUSED, True))

    def _on_resumed(self) -> None:
        self.queue.resume()
        self._lanes.store.submit(lambda store: store.set_state(STATE_PAUSED, False))

    def _on_moved(self, page: int, before: int | None) -> None:
        self._change(lambda store: store.desk.move(page, before))

    def _on_retried(self, pages: list[int]) -> None:
        self._change(lambda store: store.desk.retry(pages))

    def _on_removed(self, pages: list[int]) -> None:
        self._change(lambda store: store.desk.remove(pages))
        count = f"{len(pages):,} pages" if len(pages) != 1 else "Page"
        self._window.show_toast(
            f"{count} removed from the desk; the files stay as they are",
            "Undo",
            lambda: self._change(lambda store: store.desk.restore(pages)),
        )

    def _change(self, act: Callable[[Store], None]) -> None:
        def work(store: Store) -> list[DeskRow]:
            act(store)
            return store.desk.pages()

        self._lanes.store.submit(work, self._show_rows, self._on_failed)

    # --- what goes wrong ------------------------------------------------------------------------------

    def _on_failed(self, error: UserError) -> None:
        self._window.show_banner(error_view(error), "error", [])

    def _on_blocked(self, error: UserError) -> None:
        self._window.show_banner(error_view(error), "error", [("Go on with the desk", self._on_resumed)])

    def _on_watched(self) -> None:
        engine = self._lanes.engine
        if self.queue.has_asked and engine.pid is not None and engine.silence > _SILENT_SECONDS:
            view = ErrorView(
                "The engine doesn't answer",
                "It has not reacted for a while. It may be busy in a long step, or it hangs.",
                "Wait, or end it: the page is asked for again, and nothing else is lost.",
            )
            self._window.show_banner(view, "warning", [("End the engine", engine.kill)])


def _kept(store: Store, image: ImportedImage) -> NewPage:
    """A pasted image in the store, as a page of the queue."""
    facts = image.facts
    row = store.add_attachment(image.data, image.suffix, width=facts.width, height=facts.height, name=_PASTED)
    return NewPage(PageKind.IMAGE.value, str(row.path), 0, 1, _PASTED, row.sha256)
