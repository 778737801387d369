"""Runs the rewriting of a selected part, of a message or of what is being typed, from the wish to the new text.

A message keeps its old text: what comes out is a new version of it, written in one piece at the end, so that an edit
that fails, is stopped or changes nothing leaves nothing behind. One edit at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QObject, QTimer

from diffdesk.core.errors import UserError
from diffdesk.core.events import Finished, FinishReason, Prefilled, RunStats
from diffdesk.core.messages import Message, MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import RunRequest, TaskKind
from diffdesk.core.trace import TraceEvent
from diffdesk.store import ConversationRow, MessageRow, Store
from diffdesk.ui.answering import BEHIND_ANOTHER, STOP_MILLISECONDS, offer_kill
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.model_presenter import ModelPresenter
from diffdesk.ui.rows import error_view, history
from diffdesk.ui.views import ErrorView, ModelState
from diffdesk.workers.engine_lane import EngineLane, LiveView, Progress
from diffdesk.workers.store_lane import StoreLane

STOPPED = "Stopped. The text is as it was."
UNSETTLED = "The model found no settled words for this part, so the text is as it was."
SAME = "The model writes this part the same way again."
NOT_KEPT = ErrorView(
    "The text on the screen is not the one that is kept",
    "A part of it can be rewritten only once it is saved.",
    "Save the answer first, or open the conversation anew.",
)
AS_IT_WAS = "The selected part was not rewritten"
_QUOTED = 24  # characters of a part in a note
_SEEDS = 2**31

Show = Callable[[ConversationRow, Sequence[MessageRow]], None]


@dataclass(slots=True)
class _Edit:
    """The edit at work; `message` is None where it is of what is being typed."""

    run: int
    message: MessageRow | None
    text: str
    span: tuple[int, int]
    instruction: str
    parameters: GenerationParameters
    events: list[TraceEvent] = field(default_factory=list)


class SpanPresenter(QObject):
    """Between the selection's card, the engine and the store.

    Args:
        parameters: gives the settings of the next run.
        show: puts a conversation with these messages into the window.
        current: the conversation in the window, None for a new one.
    """

    def __init__(
        self,
        window: MainWindow,
        engine: EngineLane,
        store: StoreLane,
        models: ModelPresenter,
        *,
        parameters: Callable[[], GenerationParameters],
        show: Show,
        current: Callable[[], int | None],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._engine = engine
        self._store = store
        self._models = models
        self._parameters = parameters
        self._show = show
        self._current = current
        self._edit: _Edit | None = None
        self._edited: dict[int, MessageRow] = {}  # what each new version was made from
        self._tries = 0
        window.spans.message_edit_requested.connect(self.edit_message)
        window.spans.composer_edit_requested.connect(self.edit_composer)
        window.stop_requested.connect(self.stop)
        window.transcript.undo_requested.connect(self._on_undo_pressed)
        engine.frames.arrived.connect(self._on_frame)
        engine.prefilled.connect(self._on_prefilled)
        engine.progressed.connect(self._on_progressed)
        engine.run_ended.connect(self._on_run_ended)

    @property
    def is_busy(self) -> bool:
        """Whether a part is being rewritten."""
        return self._edit is not None

    def edit_message(self, message: int, start: int, end: int, instruction: str) -> None:
        """Rewrite the characters [start, end) of a message."""
        if self._edit is not None:
            return
        shown = next((one.text for one in self._window.transcript.views if one.id == message), None)

        def work(store: Store) -> tuple[MessageRow, list[MessageRow]]:
            row = store.message(message)
            return row, store.branch(row.conversation_id)

        def done(found: tuple[MessageRow, list[MessageRow]]) -> None:
            if self._edit is not None:  # asked twice in a moment
                return
            row, branch = found
            if row.text != shown:  # it is not saved, say: a place in what is shown is none in what is kept
                self._window.spans.end()
                self._window.show_banner(NOT_KEPT, "warning", [])
                return
            before = [one for one in branch if one.id < row.id]
            edit = self._begun(row, row.text, (start, end), instruction)
            self._ask(edit, (*history(before), Message(Role.ASSISTANT, row.text)))

        self._store.submit(work, done)

    def edit_composer(self, start: int, end: int, instruction: str) -> None:
        """Rewrite the characters [start, end) of what is typed."""
        if self._edit is not None:
            return
        text = self._window.composer.text
        edit = self._begun(None, text, (start, end), instruction)
        self._ask(edit, (Message(Role.USER, text),))

    def stop(self) -> None:
        """Stop the rewriting at work; an engine that doesn't obey may be ended."""
        edit = self._edit
        if edit is not None:
            self._engine.cancel(edit.run)
            if self._engine.is_behind_another(edit.run):
                self._on_run_ended(edit.run, Finished(FinishReason.CANCELLED, RunStats()))
                return
            QTimer.singleShot(STOP_MILLISECONDS, self, lambda: self._on_waited(edit))

    def _on_waited(self, edit: _Edit) -> None:
        if self._edit is edit:
            offer_kill(self._window, self._engine)

    # The run

    def _begun(self, row: MessageRow | None, text: str, span: tuple[int, int], instruction: str) -> _Edit:
        parameters, self._tries = self._parameters(), self._tries + 1
        if parameters.seed is not None:  # a second try with a fixed seed is to give something else, too
            parameters = replace(parameters, seed=(parameters.seed + self._tries) % _SEEDS)
        edit = _Edit(self._engine.reserve(), row, text, span, instruction, parameters)
        self._edit = edit
        self._window.set_busy(True)
        waiting = BEHIND_ANOTHER if self._engine.is_behind_another(edit.run) else "Reading the text"
        is_loading = self._models.view.state is ModelState.LOADING
        self._window.spans.show_running("Loading the model" if is_loading else waiting)
        return edit

    def _ask(self, edit: _Edit, messages: tuple[Message, ...]) -> None:
        request = RunRequest(TaskKind.EDIT, messages, edit.parameters, instruction=edit.instruction, span=edit.span)
        self._models.when_asked(lambda: self._engine.run(edit.run, request))

    def _of(self, run: int) -> _Edit | None:
        return self._edit if self._edit is not None and self._edit.run == run else None

    def _on_frame(self, view: LiveView) -> None:
        if self._of(view.run) is not None:
            self._window.spans.show_frame(view.frame)

    def _on_prefilled(self, run: int, event: Prefilled) -> None:
        if self._of(run) is not None and event.done < event.total:
            self._window.spans.show_waiting(f"Reading the text: {event.done:,} of {event.total:,} tokens")

    def _on_progressed(self, batch: Progress) -> None:
        edit = self._of(batch.run)
        if edit is not None:
            edit.events += batch.events

    def _on_run_ended(self, run: int, finished: Finished) -> None:
        edit = self._of(run)
        if edit is None:
            return
        self._engine.frames.flush()
        self._edit = None
        self._window.set_busy(False)
        self._window.spans.end()
        if finished.error is not None:
            self._window.show_banner(error_view(finished.error), "error", [])
        elif finished.reason is FinishReason.CANCELLED:
            self._window.show_toast(STOPPED, "", None)
        elif finished.reason is FinishReason.NOT_SETTLED:
            self._window.show_toast(UNSETTLED, "", None)
        elif finished.answer == edit.text and finished.notes:
            self._window.show_banner(ErrorView(AS_IT_WAS, " ".join(finished.notes)), "info", [])
        elif finished.answer == edit.text:
            self._window.show_toast(SAME, "", None)
        elif edit.message is None:
            self._write_into_composer(edit, finished.answer)
        else:
            self._keep(edit, edit.message, finished)

    def _write_into_composer(self, edit: _Edit, text: str) -> None:
        if self._window.composer.text != edit.text:
            return  # it was sent or changed meanwhile
        start, end = edit.span
        self._window.spans.replace_in_composer(start, end, text[start : len(text) - (len(edit.text) - end)])

    # A new version

    def _keep(self, edit: _Edit, row: MessageRow, finished: Finished) -> None:
        """Add the new version of a message in one piece, and show it."""
        note = rewritten(edit.text, finished.answer, edit.span)

        def work(store: Store) -> tuple[ConversationRow, list[MessageRow]]:
            new = store.add_message(
                row.conversation_id,
                Role.ASSISTANT,
                finished.answer,
                parent_id=row.parent_id,
                state=MessageState.COMPLETE,
                model=self._models.view.name,
                draft=edit.text,
                parameters=edit.parameters,
            )
            store.finish_message(
                new.id,
                MessageState.COMPLETE,
                finished.answer,
                row.thought,
                stats=finished.stats,
                note=" ".join((note, *finished.notes)),
                trace_events_appended=edit.events,
            )
            return store.conversation(row.conversation_id), store.branch(row.conversation_id)

        def done(found: tuple[ConversationRow, list[MessageRow]]) -> None:
            self._edited[found[1][-1].id] = row
            self._put(*found)
            self._window.show_toast(note, "Undo", lambda: self._undo(row))

        def failed(error: UserError) -> None:
            again = ("Save the new version again", lambda: self._keep(edit, row, finished))
            self._window.show_banner(error_view(error), "error", [again])

        self._store.submit(work, done, failed)

    def _undo(self, row: MessageRow) -> None:
        """Show the version that was edited."""

        def work(store: Store) -> tuple[ConversationRow, list[MessageRow]]:
            store.set_leaf(row.conversation_id, store.tip(row.id))
            return store.conversation(row.conversation_id), store.branch(row.conversation_id)

        self._store.submit(work, lambda found: self._put(*found))

    def _on_undo_pressed(self, message: int) -> None:
        if message in self._edited:
            self._undo(self._edited[message])
        else:
            self._window.version_requested.emit(message, -1)

    def _put(self, conversation: ConversationRow, rows: Sequence[MessageRow]) -> None:
        """Show a branch, if its conversation is still open, at the place that changed."""
        if self._current() != conversation.id:
            return
        self._show(conversation, rows)
        if rows:
            self._window.transcript.show_change(rows[-1].id)


def rewritten(old: str, new: str, span: tuple[int, int]) -> str:
    """What was rewritten, in a line: as in “Rewritten: “ovcr” → “over””."""
    start, end = span
    part = new[start : len(new) - (len(old) - end)]
    return f"Rewritten: “{_short(old[start:end])}” → “{_short(part)}”"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else line[: _QUOTED - 1].rstrip() + "…"
