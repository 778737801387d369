"""Joins the window to the lanes: each thing the user wants becomes work for the store, the engine or the pool.

Holds which conversation is open and the settings of the next run; everything else lies with the presenters.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from diffdesk.core.errors import UserError
from diffdesk.core.messages import MessageState
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import TaskKind
from diffdesk.core.trace import TraceEvent
from diffdesk.paths import Places, resource_dir
from diffdesk.store import ConversationRow, DamagedStoreError, MessageRow, Store
from diffdesk.ui.answering import Answering
from diffdesk.ui.canvas import ReplayDialog
from diffdesk.ui.fluent_note import FluentNote
from diffdesk.ui.history_presenter import HistoryPresenter
from diffdesk.ui.image_presenter import ImagePresenter
from diffdesk.ui.image_text_presenter import ImageTextPresenter
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.model_presenter import STATE_MODEL, ModelPresenter
from diffdesk.ui.place_presenter import OPTION_RECOGNISER, PlacePresenter
from diffdesk.ui.questions import Answerer, Asked, Questions
from diffdesk.ui.rows import error_view, image_view, message_view
from diffdesk.ui.span_presenter import SpanPresenter
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ErrorView, ImageView, ModelState, ModelView, Place
from diffdesk.workers.engine_lane import EngineLane
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.relay import Relay
from diffdesk.workers.store_lane import StoreLane

log = logging.getLogger(__name__)
STATE_PARAMETERS, STATE_LAYOUT, STATE_OPEN, STATE_VIEW = "parameters", "layout", "open_conversation", "view"
WELCOME_LINE = (
    "The starter model corrects English text, yours or that of an image, on this machine. The full DiffusionGemma also "
    "chats and knows other languages: open its GGUF file (16.8 GB, and about 19 GB of memory) from the model menu."
)
_DRAFT_MILLISECONDS = 500


@dataclass(frozen=True, slots=True)
class _Opened:
    """What is needed to show a conversation."""

    conversation: ConversationRow
    rows: list[MessageRow]
    draft: str
    images: tuple[ImageView, ...]


class Controller(QObject):
    """The program behind the window."""

    closed = Signal()

    def __init__(self, window: MainWindow, themes: ThemeKeeper, places: Places) -> None:
        super().__init__(window)
        self._window = window
        self._themes = themes
        self._relay = Relay(self)
        self._relay.failed.connect(self._on_failed)
        self._relay.broke.connect(self.show_bug)
        self.store = StoreLane(places.data, self._relay, self)
        self.engine = EngineLane(places.logs, self)
        self.engine.broke.connect(self.show_bug)
        self.pool = FilePool(self._relay, parent=self)
        self.models = ModelPresenter(window, self.engine, self.pool, self.store)
        self.answering = Answering(window, self.engine, self.store, self.pool, self.models)
        self._images = ImagePresenter(window, self.pool, self.store)
        self._image_texts = ImageTextPresenter(window, self.pool, self.answering.recogniser)
        self._history = HistoryPresenter(window, self.store, self.pool)
        lanes = Lanes(self.store, self.engine, self.pool, self.models)
        self._fluent = FluentNote(window, self.store)
        self.places = PlacePresenter(window, themes, lanes, places, self.answering.recogniser, self._fluent)
        self.spans = SpanPresenter(
            window,
            self.engine,
            self.store,
            self.models,
            parameters=lambda: self._parameters,
            show=self._show,
            current=lambda: self._history.current,
        )
        self._parameters = GenerationParameters()
        self._place = TaskKind.CORRECT
        self._draft = QTimer(self, interval=_DRAFT_MILLISECONDS, singleShot=True)
        self._draft.timeout.connect(self._keep_draft)
        self._draft_text = ""
        self._questions = Questions(window, self.store, lambda: self._history.current, self._answerer)
        self._is_on_page = False  # the answer being written corrects an image
        self._is_closing = False
        self.is_closed = False  # all lanes have ended
        self._connect()

    def _connect(self) -> None:
        window = self._window
        window.sent.connect(self._on_sent)
        window.new_requested.connect(self._on_new_requested)
        window.conversation_opened.connect(self.open)
        window.conversation_deleted.connect(self._on_deleted)
        window.images_offered.connect(self._images.offer)
        window.parameters_changed.connect(self._on_parameters_changed)
        window.model_chosen.connect(self.models.choose)
        window.unload_requested.connect(self.models.unload)
        window.version_requested.connect(self._on_version_requested)
        window.replay_requested.connect(self._on_replay_requested)
        window.sample_requested.connect(self._on_sample_requested)
        window.draft_changed.connect(self._on_draft_changed)
        window.view_option_changed.connect(self._on_view_option_changed)
        window.closed.connect(self.close)
        self.models.changed.connect(self._on_model_changed)
        self.answering.ended.connect(self._on_answered)
        self._questions.asked.connect(self._on_asked)
        self._questions.failed.connect(self._on_failed)

    def start(self) -> None:
        """Open the store and what was open last, and load the model; called once the window is on the screen."""
        self._window.set_welcome_line(WELCOME_LINE)
        self._window.set_parameters(self._parameters, None)

        def work(store: Store) -> tuple[dict[str, object], int, str, dict[str, object], dict[str, object]]:
            return (
                store.state(STATE_PARAMETERS, {}),
                store.state(STATE_OPEN, 0),
                store.state(STATE_MODEL, ""),
                store.state(STATE_LAYOUT, {}),
                store.state(STATE_VIEW, {}),
            )

        def done(found: tuple[dict[str, object], int, str, dict[str, object], dict[str, object]]) -> None:
            parameters, conversation, model, layout, view = found
            self._restore(parameters, layout, view)
            self.places.start(self._images)
            self._history.refresh()
            if conversation:
                self.open(conversation)
            else:
                self._window.show_welcome(True)
            self.models.begin(Path(model) if model else None)

        def failed(error: UserError) -> None:
            self._on_store_unusable(error)
            self._window.show_welcome(True)
            self.models.begin(None)

        self.store.submit(work, done, failed)

    def _on_store_unusable(self, error: UserError) -> None:
        """Nothing can be kept: say so, and where the file is damaged offer to begin a new one beside it."""
        actions: list[tuple[str, Callable[[], None]]] = []
        if isinstance(error, DamagedStoreError):
            actions.append(("Set it aside and begin anew", self._set_store_aside))
        self._window.show_banner(error_view(error), "error", actions)

    def _set_store_aside(self) -> None:
        def done(folder: Path) -> None:
            self._window.show_toast(f"The old conversations are kept in {folder.name}", "", lambda: None)
            self._history.refresh()

        self.store.set_aside(done, self._on_failed)

    def _restore(self, parameters: dict[str, object], layout: dict[str, object], view: dict[str, object]) -> None:
        try:
            self._parameters = GenerationParameters.from_json(parameters)
        except UserError:  # settings of another version: the defaults are better than a refusal to start
            log.warning("kept settings could not be read")
        self._window.set_parameters(self._parameters, None)
        if layout:
            self._window.restore_layout(layout)
        self.places.set_parameters(self._parameters)
        for name, value in view.items():
            self._window.apply_view_option(name, value)
        if OPTION_RECOGNISER in view:
            self.places.set_recogniser(str(view[OPTION_RECOGNISER]))

    # Conversations

    def open(self, conversation: int) -> None:
        """Show a conversation."""
        if conversation == self._history.current:
            return

        def work(store: Store) -> _Opened:
            row = store.conversation(conversation)
            draft = store.draft(conversation)
            images = tuple(image_view(store.attachment(key)) for key, _ in draft.attachments)
            store.set_state(STATE_OPEN, conversation)
            return _Opened(row, store.branch(conversation), draft.text, images)

        self._keep_draft()
        self.store.submit(work, self._on_opened)

    def _on_opened(self, opened: _Opened) -> None:
        if opened.conversation.deleted is not None:
            self._on_new_requested()
            return
        self._history.current = opened.conversation.id
        self._place = opened.conversation.place
        self._show(opened.conversation, opened.rows)
        self._window.set_composer(opened.draft, opened.images)
        self._history.refresh()

    def _show(self, conversation: ConversationRow, rows: Sequence[MessageRow]) -> None:
        self.answering.hide()
        views = [message_view(self._as_it_is(row)) for row in rows]
        self._window.show_conversation(conversation.title or "Untitled", Place(conversation.place), views)
        self._window.show_welcome(not views)
        self._show_room(rows[-1] if rows else None)
        self._images.fill(views)
        if any(row.id == self.answering.message_id for row in rows):
            self.answering.show()

    def _as_it_is(self, row: MessageRow) -> MessageRow:
        """An answer that nobody is writing any more has been stopped, even if there was no room to note that."""
        if row.state is MessageState.STREAMING and row.id != self.answering.message_id:
            return replace(row, state=MessageState.STOPPED)
        return row

    def _on_new_requested(self) -> None:
        self._keep_draft()
        self._history.current = None
        self.answering.hide()
        self._window.show_conversation("", Place(self._place), [])
        self._window.clear_composer()
        self._window.show_welcome(True)
        self._history.refresh()
        self.store.submit(lambda store: store.set_state(STATE_OPEN, 0))

    def _on_deleted(self, conversation: int) -> None:
        self._history.delete(conversation)
        if conversation == self._history.current:
            self._on_new_requested()

    # Questions and answers

    def _answerer(self) -> Answerer | None:
        """By what a question is answered; None while the window is writing something already."""
        is_busy = self.answering.is_busy or self.spans.is_busy
        return None if is_busy else Answerer(self.models.view.name, self._parameters)

    def _on_sent(self, place: str, text: str, images: tuple[ImageView, ...]) -> None:
        if self._questions.send(TaskKind(place), text, images):
            self._draft.stop()
            self._draft_text = ""

    def _on_asked(self, asked: Asked) -> None:
        """Question and empty answer are durable: show them and begin."""
        is_new = self._history.current != asked.conversation.id
        self._history.current = asked.conversation.id
        if is_new:
            self.store.submit(lambda store: store.set_state(STATE_OPEN, asked.conversation.id))
        self._show(asked.conversation, asked.rows)
        self._history.refresh()
        self._is_on_page = asked.is_on_page
        self.answering.begin(asked.answer, asked.rows[:-1], asked.kind, self._parameters)

    def _on_version_requested(self, message: int, step: int) -> None:
        def work(store: Store) -> _Opened:
            versions = store.siblings(message)
            here = next(index for index, row in enumerate(versions) if row.id == message)
            chosen = versions[max(0, min(len(versions) - 1, here + step))]
            store.set_leaf(chosen.conversation_id, store.tip(chosen.id))
            conversation = store.conversation(chosen.conversation_id)
            return _Opened(conversation, store.branch(conversation.id), "", ())

        self.store.submit(work, lambda opened: self._show(opened.conversation, opened.rows))

    def _on_answered(self, row: MessageRow) -> None:
        self._history.refresh()
        self._show_room(row)
        if self._is_on_page and row.state is MessageState.COMPLETE:
            self._fluent.say()

    def _show_room(self, row: MessageRow | None) -> None:
        """How much of the context a chat takes; a correction begins anew with every window."""
        info = self.models.info
        if info is None or row is None or row.stats is None or row.draft or not info.can_chat:
            self._window.set_room(0, 0)
        else:
            self._window.set_room(int(row.stats.prompt_tokens + row.stats.answer_tokens), info.context_length)

    def _on_replay_requested(self, message: int) -> None:
        def done(events: list[TraceEvent]) -> None:
            if events:
                ReplayDialog(events, self._themes, self._window).open()
            else:
                self._window.show_toast("This answer has no recording", "", lambda: None)

        self.store.submit(lambda store: store.trace(message), done)

    # The composer

    def _on_sample_requested(self, which: str) -> None:
        folder = resource_dir() / "samples"
        if which == "image":
            self._images.offer([folder / "sample.png"], lambda view: self._on_sent(TaskKind.CORRECT, "", (view,)))
            return
        self.pool.submit(
            lambda: (folder / "sample.txt").read_text(encoding="utf-8").strip(),
            lambda text: self._on_sent(TaskKind.CORRECT, text, ()),
        )

    def _on_draft_changed(self, text: str) -> None:
        self._draft_text = text
        self._draft.start()

    def _keep_draft(self) -> None:
        """What is typed but not sent survives a crash and a change of conversation."""
        if self._draft.isActive() or self._draft_text:
            self._draft.stop()
            current, text = self._history.current, self._draft_text
            if current is not None:
                self.store.submit(lambda store: store.save_draft(current, text))

    # Settings and models

    def _on_parameters_changed(self, parameters: GenerationParameters) -> None:
        self._parameters = parameters
        self.places.set_parameters(parameters)
        self.store.submit(lambda store: store.set_state(STATE_PARAMETERS, parameters.to_json()))

    def _on_view_option_changed(self, name: str, value: object) -> None:
        def work(store: Store) -> None:
            store.set_state(STATE_VIEW, {**store.state(STATE_VIEW, {}), name: value})

        self.store.submit(work)

    def _on_model_changed(self, view: ModelView) -> None:
        if view.state is ModelState.READY and view.info is not None:
            self._window.set_parameters(self._parameters, view.info.defaults)
            self._window.set_welcome_line("" if view.info.can_chat else WELCOME_LINE)
            if not view.info.can_chat and self._history.current is None:
                self._window.set_place(Place.CORRECT)

    # Errors and the end

    def _on_failed(self, error: UserError) -> None:
        log.info("told the user: %s", error.title)
        self._window.show_banner(error_view(error), "error", [])

    def show_bug(self, error: Exception) -> None:
        """Tell the user of a mistake of the program's, with a copyable report."""
        report = "".join(traceback.format_exception(error))
        log.error("bug: %s", report)
        view = ErrorView(
            "Something went wrong in the program",
            f"This is a bug ({type(error).__name__}). Your conversations are kept.",
            "Copy the report and send it to the makers.",
            report,
        )
        self._window.show_banner(view, "error", [])

    def close(self) -> None:
        """End the lanes; what is at work is kept as far as it came."""
        if self._is_closing:
            return
        self._is_closing = True
        self._keep_draft()
        layout = self._window.save_layout()
        self.store.submit(lambda store: store.set_state(STATE_LAYOUT, layout))
        self.models.close()
        self._image_texts.stop()
        self.places.close()
        self.answering.close()
        self.engine.close()
        self.store.submit(lambda store: store.purge_deleted())
        self.pool.close()
        self.store.close()
        self.is_closed = True
        self.closed.emit()
