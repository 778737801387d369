"""What the user asks, and asks again: a question and its empty answer are in the store before anything is written.

Knows nothing of the model and of how answers are written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from diffdesk.core.errors import UserError
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import TaskKind
from diffdesk.store import ConversationRow, MessageRow, Store
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.views import ImageView
from diffdesk.workers.store_lane import StoreLane


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its empty answer, both in the store; `kind` is what is asked for."""

    conversation: ConversationRow
    answer: MessageRow
    rows: list[MessageRow]
    kind: TaskKind

    @property
    def is_on_page(self) -> bool:
        """Whether the answer corrects an image."""
        return self.kind is TaskKind.CORRECT and bool(self.rows[-2].attachments)


@dataclass(frozen=True, slots=True)
class Answerer:
    """By what a question is answered: the model of that name, with these settings."""

    model: str
    parameters: GenerationParameters


class Questions(QObject):
    """See the module.

    Args:
        current: the conversation that is open.
        answerer: by what a question is answered now; None while something is being written, and nothing can be asked.

    Signals:
        asked(Asked): it is in the store.
        failed(UserError): it is not, and the composer has it again.
    """

    asked = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        window: MainWindow,
        store: StoreLane,
        current: Callable[[], int | None],
        answerer: Callable[[], Answerer | None],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._store = store
        self._current = current
        self._answerer = answerer
        window.regenerate_requested.connect(self._on_regenerate_requested)
        window.edit_requested.connect(self._on_edit_requested)

    def send(self, kind: TaskKind, text: str, images: tuple[ImageView, ...]) -> bool:
        """Ask in the conversation that is open, or in a new one; returns whether that can be done now."""
        answerer, current = self._answerer(), self._current()
        if answerer is None:
            return False

        def work(store: Store) -> Asked:
            row = store.new_conversation(kind, model=answerer.model) if current is None else store.conversation(current)
            store.add_message(
                row.id,
                Role.USER,
                text,
                parent_id=row.leaf,
                attachments=[(one.key, one.name) for one in images],
                state=MessageState.SENT,
            )
            store.save_draft(row.id if current is not None else kind, "")
            return _with_answer(store, row.id, answerer, kind)

        def failed(error: UserError) -> None:
            self._window.set_composer(text, images)
            self.failed.emit(error)

        self._window.clear_composer()
        self._store.submit(work, self.asked.emit, failed)
        return True

    def _on_regenerate_requested(self, message: int) -> None:
        def work(store: Store, answerer: Answerer) -> Asked:
            row = store.message(message)
            if row.parent_id is None:
                raise LookupError(f"answer {message} has no question")
            store.set_leaf(row.conversation_id, row.parent_id)
            return _with_answer(store, row.conversation_id, answerer)

        self._ask_again(work)

    def _on_edit_requested(self, message: int, text: str) -> None:
        def work(store: Store, answerer: Answerer) -> Asked:
            row = store.message(message)
            files = [(one.sha256, one.name) for one in row.attachments]
            store.add_message(row.conversation_id, Role.USER, text, parent_id=row.parent_id, attachments=files)
            return _with_answer(store, row.conversation_id, answerer)

        self._ask_again(work)

    def _ask_again(self, work: Callable[[Store, Answerer], Asked]) -> None:
        answerer = self._answerer()
        if answerer is not None:
            self._store.submit(lambda store: work(store, answerer), self.asked.emit)


def _with_answer(store: Store, conversation: int, answerer: Answerer, kind: TaskKind | None = None) -> Asked:
    """Add an empty answer below the conversation's leaf; without a kind it is the conversation's."""
    answer = store.add_message(
        conversation,
        Role.ASSISTANT,
        "",
        parent_id=store.conversation(conversation).leaf,
        state=MessageState.STREAMING,
        model=answerer.model,
        parameters=answerer.parameters,
    )
    row = store.conversation(conversation)
    return Asked(row, answer, store.branch(conversation), kind or row.place)
