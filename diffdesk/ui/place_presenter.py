"""The places besides conversations: each is imported and made when it is first wanted, so the window opens quickly.

Decides where dropped files go, which recogniser reads pages, and says at the start what was left waiting. Knows nothing
of what is done in a place.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from diffdesk.core.errors import UserError
from diffdesk.core.parameters import GenerationParameters
from diffdesk.documents.recogniser import Recogniser
from diffdesk.documents.recogniser_names import RecogniserName
from diffdesk.documents.text_recogniser import TextRecogniser, choose_recogniser
from diffdesk.paths import Places
from diffdesk.store import DeskState, Store
from diffdesk.ui.drops import Dropped
from diffdesk.ui.fluent_note import FluentNote
from diffdesk.ui.image_presenter import ImagePresenter
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.rows import error_view
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ErrorView, Place

if TYPE_CHECKING:
    from diffdesk.ui.desk.desk_presenter import DeskPresenter
    from diffdesk.ui.rewrite.rewrite_presenter import RewritePresenter

CANT_ASK_MODEL = "The model in use corrects text and doesn't chat. Open DiffusionGemma from the model menu to ask it."
CANT_ASK_PDF = "A chat takes images. Save the page you want to ask about as an image."
NO_TABLE = "The rewriter takes tables, files of lines, and text"
OPTION_RECOGNISER = "recogniser"


class PlacePresenter(QObject):
    """See the module."""

    def __init__(
        self,
        window: MainWindow,
        themes: ThemeKeeper,
        lanes: Lanes,
        places: Places,
        recogniser: Recogniser,
        fluent: FluentNote,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._themes = themes
        self._lanes = lanes
        self._places = places
        self._own = recogniser
        self._fluent = fluent
        self._recogniser: TextRecogniser = recogniser
        self._parameters = GenerationParameters()
        self._images: ImagePresenter | None = None
        self._waiting = ""  # title of what is said of pages that were left
        self.desk: DeskPresenter | None = None
        self.rewriter: RewritePresenter | None = None
        window.place_requested.connect(self._on_place_requested)
        window.files_requested.connect(self._on_files_requested)
        window.sources_dropped.connect(self._on_sources_dropped)
        window.view_option_changed.connect(self._on_view_option_changed)

    def start(self, images: ImagePresenter) -> None:
        """Say what was left waiting; `images` takes those that are asked about."""
        self._images = images

        def work(store: Store) -> int:
            return sum(one.state is DeskState.WAITING for one in store.desk.pages())

        self._lanes.store.submit(work, self._on_counted, lambda _: None)

    def set_parameters(self, parameters: GenerationParameters) -> None:
        """The settings of the runs to come."""
        self._parameters = parameters
        if self.desk is not None:
            self.desk.set_parameters(parameters)

    def set_recogniser(self, name: str) -> None:
        """Read pages with the recogniser of that name from now on; where it can't be had, say so and keep the own."""
        if name not in set(RecogniserName):
            return
        wanted = RecogniserName(name)

        def failed(error: UserError) -> None:
            self._use(self._own)
            self._window.header.set_recogniser(RecogniserName.RAPIDOCR)
            self._window.show_banner(error_view(error), "warning", [])

        self._window.header.set_recogniser(wanted)
        self._lanes.pool.submit(lambda: choose_recogniser(wanted, self._own), self._use, failed)

    def open_desk(self) -> DeskPresenter:
        """The correction desk."""
        if self.desk is None:
            from diffdesk.ui.desk.desk_presenter import DeskPresenter

            self.desk = DeskPresenter(
                self._window, self._themes, self._lanes, self._places, self._recogniser, self._fluent
            )
            self.desk.set_parameters(self._parameters)
            self._window.add_place(WindowPlace.DESK, self.desk.view)
            self._window.withdraw_banner(self._waiting)
            self.desk.start()
            _settle()
        return self.desk

    def open_rewriter(self) -> RewritePresenter:
        """The bulk rewriter."""
        if self.rewriter is None:
            from diffdesk.ui.rewrite.rewrite_presenter import RewritePresenter
            from diffdesk.ui.rewrite.rewrite_view import RewriteView

            self.rewriter = RewritePresenter(self._window, RewriteView(self._themes), self._lanes)
            self._window.add_place(WindowPlace.REWRITER, self.rewriter.view)
            self.rewriter.start()
            _settle()
        return self.rewriter

    def close(self) -> None:
        """What is at work waits for the next start."""
        if self.desk is not None:
            self.desk.close()
        if self.rewriter is not None:
            self.rewriter.close()
        if self._recogniser is not self._own:
            self._recogniser.close()

    def _use(self, recogniser: TextRecogniser) -> None:
        self._recogniser = recogniser
        if self.desk is not None:
            self.desk.queue.recogniser = recogniser

    def _on_view_option_changed(self, name: str, value: object) -> None:
        if name == OPTION_RECOGNISER:
            self.set_recogniser(str(value))

    def _on_place_requested(self, place: str) -> None:
        if place == WindowPlace.DESK:
            self.open_desk()
        elif place == WindowPlace.REWRITER:
            self.open_rewriter()

    def _on_files_requested(self, place: str) -> None:
        if place == WindowPlace.DESK:
            self.open_desk().view.add_requested.emit()
        elif place == WindowPlace.REWRITER:
            self.open_rewriter().view.ask_file()

    def _on_counted(self, waiting: int) -> None:
        if not waiting or self.desk is not None:
            return
        pages = "1 page waits" if waiting == 1 else f"{waiting:,} pages wait"
        self._waiting = f"{pages} on the desk"
        view = ErrorView(self._waiting, "They were not corrected yet when the program ended.")
        self._window.show_banner(view, "info", [("Open the desk", lambda: self._window.open_place(WindowPlace.DESK))])

    def _on_sources_dropped(self, dropped: Dropped) -> None:
        """On the desk pages join its queue, the rewriter takes a table; elsewhere the user says what is wanted."""
        if self._window.place is WindowPlace.DESK:
            desk = self.open_desk()
            desk.add(dropped.sources)
            desk.add_text(dropped.text)
        elif self._window.place is WindowPlace.REWRITER or dropped.is_table:
            self._window.open_place(WindowPlace.REWRITER)
            if not self.open_rewriter().view.take(dropped):
                self._window.show_toast(NO_TABLE, "", None)
        else:
            self._ask(dropped)

    def _ask(self, dropped: Dropped) -> None:
        from diffdesk.ui.desk.drop_question import DropQuestion

        info = self._lanes.models.info
        cannot = CANT_ASK_PDF if dropped.has_pdf or not dropped.images else ""
        if info is not None and not info.can_chat:
            cannot = CANT_ASK_MODEL
        question = DropQuestion(self._themes, len(dropped.sources), dropped.noun, cannot, self._window)
        question.chosen.connect(lambda which: self._on_drop_answered(which, dropped))
        question.open()

    def _on_drop_answered(self, which: str, dropped: Dropped) -> None:
        from diffdesk.ui.desk.drop_question import CORRECT

        if which == CORRECT:
            self._window.open_place(WindowPlace.DESK)
            self.open_desk().add(dropped.sources)
        elif self._images is not None:
            self._window.open_place(WindowPlace.CONVERSATIONS)
            self._window.set_place(Place.CHAT)
            self._images.offer(dropped.images)


def _settle() -> None:
    """What a place brought with it stays: a full collection need not walk it, which takes 40 ms of the window's."""
    gc.freeze()
