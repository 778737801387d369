"""One answer at a time, from the user's click to the last word in the store.

Writes the question and an empty answer, has images read where the model can't see, runs the engine, shows each frame,
keeps the trace, and ends the answer whatever happens. Conversations may be switched while it works.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QObject, QTimer, Signal

from diffdesk.core.errors import UserError
from diffdesk.core.events import AnswerState, Finished, FinishReason, Prefilled, RunStats
from diffdesk.core.messages import Message
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ReadLine, RunRequest, TaskKind
from diffdesk.core.trace import TraceEvent
from diffdesk.documents.recogniser import Recogniser
from diffdesk.services.reading import Reading, read_images, with_text_of_images
from diffdesk.store import MessageRow, Store
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.model_presenter import ModelPresenter
from diffdesk.ui.rows import closing_note, error_view, history, message_view, stored_state
from diffdesk.ui.views import ErrorView, ModelState, ModelView
from diffdesk.workers.engine_lane import EngineLane, LiveView, Progress
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.store_lane import StoreLane

NOT_SAVED = "This answer is not saved yet."
NO_TEXT_FOUND = "No text was found in the image. A sharper or larger image may help."
READ_FROM_IMAGE = "The model can't see images; it was given the text that was read from the image."
WORDS_UNUSED = "The words beside the image were not used: this model corrects text and takes no instructions."
_SILENT_SECONDS = 20.0
STOP_MILLISECONDS = 6000
BEHIND_ANOTHER = "Waiting for the page or row at work"


@dataclass(slots=True)
class Answer:
    """The answer at work."""

    row: MessageRow
    kind: TaskKind
    parameters: GenerationParameters
    messages: tuple[Message, ...]
    draft: str = ""
    note: str = ""
    is_reading: bool = False
    is_asked: bool = False  # the engine has the request
    read_lines: tuple[ReadLine, ...] = ()  # where the draft was read from an image
    saved_canvases: int = 0
    unsaved: list[TraceEvent] = field(default_factory=list)  # what the store could not take yet
    is_warned: bool = False
    is_ended: bool = False
    stop_reading: threading.Event = field(default_factory=threading.Event)


class Answering(QObject):
    """The run at work, if any; the window shows it while its conversation is open."""

    begun = Signal()
    committed = Signal(int, object, str)  # message, CanvasFrame, answer so far: durable, and shown if it is in view
    ended = Signal(object)  # MessageRow

    def __init__(
        self,
        window: MainWindow,
        engine: EngineLane,
        store: StoreLane,
        pool: FilePool,
        models: ModelPresenter,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._engine = engine
        self._store = store
        self._pool = pool
        self._models = models
        self.recogniser = Recogniser()  # takes a gigabyte, so whoever else reads images here uses this one
        self._answer: Answer | None = None
        self._live: LiveMessage | None = None
        engine.frames.arrived.connect(self._on_frame)
        engine.prefilled.connect(self._on_prefilled)
        engine.progressed.connect(self._on_progressed)
        engine.run_ended.connect(self._on_run_ended)
        models.changed.connect(self._on_model_changed)
        window.stop_requested.connect(self.stop)
        self._watch = QTimer(self, interval=2000)
        self._watch.timeout.connect(self._on_watched)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is at work."""
        return self._answer is not None

    @property
    def message_id(self) -> int | None:
        """The message that is being written."""
        return self._answer.row.id if self._answer else None

    def begin(
        self, row: MessageRow, rows: Sequence[MessageRow], kind: TaskKind, parameters: GenerationParameters
    ) -> None:
        """Write the answer `row` to the branch `rows`, whose last message is the question."""
        if self._answer is not None:
            return
        messages = history(rows)
        answer = Answer(row, kind, parameters, messages)
        self._answer = answer
        self.begun.emit()
        self._window.set_busy(True)
        self._watch.start()
        self.show()
        info = self._models.info
        can_see = info is not None and info.can_see_images
        if any(one.images for one in messages) and not can_see:
            self._read(answer)
        else:
            self._run(answer)

    def show(self) -> None:
        """Put the live answer into the transcript; call it when its conversation is opened again."""
        answer = self._answer
        if answer is None:
            return
        self._live = self._window.begin_live(answer.row.id)
        self._live.begin("Correcting" if answer.kind is TaskKind.CORRECT else "Answering")
        self._say(answer)

    def hide(self) -> None:
        """The transcript shows another conversation now; the work goes on."""
        self._live = None

    def stop(self) -> None:
        """Stop the answer; an engine that doesn't obey within six seconds may be ended."""
        answer = self._answer
        if answer is None:
            return
        if not answer.is_asked:
            answer.stop_reading.set()
            self._end(answer, Finished(FinishReason.CANCELLED, RunStats(), "", ""))
            return
        self._engine.cancel(answer.row.id)
        if self._engine.is_behind_another(answer.row.id):
            self._end(answer, Finished(FinishReason.CANCELLED, RunStats(), "", ""))
            return
        QTimer.singleShot(STOP_MILLISECONDS, self, lambda: self._offer_kill(answer))

    def close(self) -> None:
        """Stop what is at work; what there is of it is kept, and the next start says that it was stopped."""
        self._watch.stop()
        if self._answer is not None:
            self._answer.stop_reading.set()
        self.recogniser.close()

    # Images that the model can't see

    def _read(self, answer: Answer) -> None:
        answer.is_reading = True
        self._say(answer)
        images = [image for message in answer.messages for image in message.images]
        if answer.kind is TaskKind.CORRECT:
            images = list(answer.messages[-1].images)

        def work() -> Reading:
            return read_images(self.recogniser, images, answer.stop_reading.is_set)

        def done(reading: Reading) -> None:
            if not answer.is_ended:
                answer.is_reading = False
                self._on_read(answer, reading)

        def failed(error: UserError) -> None:
            self._end(answer, Finished(FinishReason.FAILED, RunStats(), error=error))

        self._pool.submit(work, done, failed)

    def _on_read(self, answer: Answer, reading: Reading) -> None:
        last = answer.messages[-1]
        if answer.kind is TaskKind.CHAT:
            text = with_text_of_images(last.text, last.images, reading)
            answer.note = READ_FROM_IMAGE
        elif not reading.text.strip():
            finished = Finished(FinishReason.END_TOKEN, RunStats(), state=AnswerState.DECLINED, notes=(NO_TEXT_FOUND,))
            self._end(answer, finished)
            return
        else:
            text = reading.text
            answer.read_lines = reading.lines
            answer.note = WORDS_UNUSED if last.text.strip() else ""
        earlier = tuple(replace(one, images=()) for one in answer.messages[:-1])
        answer.messages = (*earlier, replace(last, text=text, images=()))
        self._run(answer)

    # The run

    def _run(self, answer: Answer) -> None:
        self._say(answer)
        if answer.kind is TaskKind.CORRECT:
            answer.draft = answer.messages[-1].text
            answer.messages = answer.messages[-1:]
        request = RunRequest(answer.kind, answer.messages, answer.parameters, answer.read_lines)
        message, draft = answer.row.id, answer.draft

        def ask() -> None:
            if not answer.is_ended:
                answer.is_asked = True
                self._engine.run(message, request)

        def done(_: MessageRow) -> None:
            self._models.when_asked(ask)

        # The draft is durable before the model starts, as the question is.
        def failed(error: UserError) -> None:
            self._end(answer, Finished(FinishReason.FAILED, RunStats(), error=error))

        self._store.submit(lambda store: store.update_message(message, draft=draft), done, failed)

    def _on_frame(self, view: LiveView) -> None:
        answer = self._answer
        is_ours = answer is not None and view.run == answer.row.id
        # A frame that stands after a canvas which is not on the disk yet waits for the next one.
        if answer is not None and is_ours and self._live is not None and view.committed <= answer.saved_canvases:
            self._live.show_frame(view.frame, view.answer, view.thought)

    def _on_prefilled(self, run: int, event: Prefilled) -> None:
        is_ours = self._answer is not None and run == self._answer.row.id
        if is_ours and self._live is not None and event.done < event.total:
            self._live.show_waiting(f"Reading the prompt: {event.done:,} of {event.total:,} tokens")

    def _on_progressed(self, batch: Progress) -> None:
        answer = self._answer
        if answer is None or batch.run != answer.row.id:
            return
        events, answer.unsaved = [*answer.unsaved, *batch.events], []

        def failed(error: UserError) -> None:
            """The disk is full, say: the answer goes on, its events wait for the next try, the user is told once."""
            if not answer.is_warned:
                self._window.show_banner(error_view(error), "warning", [])
            answer.is_warned = True
            answer.unsaved = [*events, *answer.unsaved]
            self._on_saved(batch)

        self._store.submit(
            lambda store: store.save_progress(batch.run, batch.answer, batch.thought, events),
            lambda _: self._on_saved(batch),
            failed,
        )

    def _on_saved(self, batch: Progress) -> None:
        answer, view = self._answer, batch.closed
        if answer is not None and view is not None and view.run == answer.row.id:
            answer.saved_canvases = view.committed
            if self._live is not None:
                self._live.show_frame(view.frame, view.answer, view.thought)
            self.committed.emit(view.run, view.frame, view.answer)

    def _on_run_ended(self, run: int, finished: Finished) -> None:
        if self._answer is not None and run == self._answer.row.id:
            self._engine.frames.flush()
            self._end(self._answer, finished)

    def _end(self, answer: Answer, finished: Finished) -> None:
        if answer.is_ended:
            return
        answer.is_ended = True
        self._watch.stop()
        row = replace(
            answer.row,
            state=stored_state(finished),
            text=finished.answer,
            thought=finished.thought,
            stats=finished.stats,
            note=closing_note(finished, answer.kind, answer.draft, answer.note),
            error=finished.error,
            draft=answer.draft,
        )
        # Saves are done in order: by the time this one runs, what failed before it is among the unsaved.
        self._keep(answer, row, self._on_kept)

    def _keep(self, answer: Answer, row: MessageRow, done: Callable[[MessageRow], None]) -> None:
        """Write the last word on an answer; where that fails it stays on the screen and can be saved again."""

        def work(store: Store) -> MessageRow:
            return store.finish_message(
                row.id,
                row.state,
                row.text,
                row.thought,
                stats=row.stats,
                note=row.note,
                error=row.error,
                trace_events_appended=answer.unsaved,
            )

        def again() -> None:
            self._keep(answer, row, lambda kept: self._window.update_message(message_view(kept)))

        def failed(error: UserError) -> None:
            self._window.show_banner(error_view(error), "error", [("Save the answer again", again)])
            if self._answer is answer:
                self._on_kept(replace(row, note=f"{row.note} {NOT_SAVED}".strip()))

        self._store.submit(work, done, failed)

    def _on_kept(self, row: MessageRow) -> None:
        self._answer = None
        if self._live is not None:
            self._window.end_live(message_view(row))
        self._live = None
        self._window.set_busy(False)
        self.ended.emit(row)

    # Waiting and hanging

    def _say(self, answer: Answer) -> None:
        if self._live is None:
            return
        if answer.is_reading:
            self._live.show_waiting("Reading the text of the image")
        elif self._models.view.state is ModelState.LOADING:
            self._live.show_waiting(_loading(self._models.view))
        elif self._engine.is_behind_another(answer.row.id):
            self._live.show_waiting(BEHIND_ANOTHER)
        else:
            self._live.show_waiting("Reading the prompt")

    def _on_model_changed(self, view: ModelView) -> None:
        if self._answer is not None and view.state is ModelState.LOADING:
            self._say(self._answer)

    def _on_watched(self) -> None:
        answer = self._answer
        is_at_work = answer is not None and not answer.is_reading and self._engine.pid is not None
        if answer is not None and is_at_work and self._engine.silence > _SILENT_SECONDS:
            self._offer_kill(answer)

    def _offer_kill(self, answer: Answer) -> None:
        if self._answer is answer:
            offer_kill(self._window, self._engine)


def offer_kill(window: MainWindow, engine: EngineLane) -> None:
    """Say that the engine hangs, perhaps, and offer to end it."""
    view = ErrorView(
        "The engine doesn't answer",
        "It has not reacted for a while. It may be busy in a long step, or it hangs.",
        "Wait, or end it: the conversation is kept, and it starts anew with the next message.",
    )
    window.show_banner(view, "warning", [("End the engine", engine.kill)])


def _loading(view: ModelView) -> str:
    stage = view.stage or "Loading the model"
    return f"{stage} ({view.share:.0%})" if view.share else stage
