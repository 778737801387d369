"""Rewriting rows one after the other on an engine of one's own, errors kept with their rows: what a command line needs.

Free of Qt. Knows nothing of tables and of where results go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from diffdesk.core.errors import Cancelled, EngineError, PromptError, SettingError, UserError
from diffdesk.core.events import AnswerState, Finished, FinishReason
from diffdesk.core.messages import Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.presets import is_correction
from diffdesk.core.requests import ModelInfo, ModelSpec, RunRequest, TaskKind
from diffdesk.engine.client import EngineClient
from diffdesk.tasks.row_groups import RowGroup, join_rows, shared_room, split_answer
from diffdesk.tasks.starter import CANT_REWRITE

MOST_CRASHES = 3
"""So many rows in a row may end the engine twice each before the whole job is given up: it is not the rows then."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine with a model, and how to load that again."""

    client: EngineClient
    spec: ModelSpec
    info: ModelInfo


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row.

    Attributes:
        index: of the row.
        text: as it was.
        answer: the new text; empty where there is an error.
        error: why there is no new text.
        seconds: of work; rows that shared a canvas share its time.
    """

    index: int
    text: str
    answer: str
    error: UserError | None = None
    seconds: float = 0.0

    @property
    def is_changed(self) -> bool:
        """Whether there is a new text that differs from the old one."""
        return self.error is None and self.answer != self.text


def check_can_rewrite(info: ModelInfo, instruction: str) -> None:
    """Raise `PromptError` where a model can't do what an instruction says with any row."""
    if not info.can_chat and not is_correction(instruction):
        raise PromptError("This model can't do that", CANT_REWRITE, "Choose the preset “correct”, or another model.")


def row_error(finished: Finished) -> UserError | None:
    """Why the end of a row's run gave no new text; None where it gave one."""
    if finished.error is not None:
        return finished.error
    if finished.state is AnswerState.DECLINED:
        return PromptError("The row was left as it is", " ".join(finished.notes))
    if finished.reason is FinishReason.NOT_SETTLED:
        return PromptError(
            "The model didn't find a text", "Its canvas stayed noise for the most part.", "Try again, or reword it."
        )
    if finished.reason is FinishReason.LENGTH:
        return PromptError("The new text was cut off", " ".join(finished.notes), "Ask for a shorter text.")
    if not finished.answer.strip():
        return PromptError("The model gave no text", "It ended its answer at once.", "Try again, or reword it.")
    return None


def rewrite_rows(
    model: LoadedModel,
    texts: Sequence[str],
    instruction: str,
    parameters: GenerationParameters,
    on_row: Callable[[RowResult], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Rewrite rows in order; `on_row` gets each as it is done. Rows of white space are left alone.

    An engine that dies at a row is started again and the row repeated once. Raises `Cancelled` if it was stopped, and
    `UserError` where no row could be done any more: a wrong setting, a model that can't be loaded again, an engine that
    dies at every row.
    """
    check_can_rewrite(model.info, instruction)
    work = _Work(model, instruction, parameters, is_cancelled)
    for group in join_rows(texts, shared_room(model.info)):
        for result in work.results(group):
            on_row(result)


class _Work:
    """Rows as they go."""

    def __init__(
        self, model: LoadedModel, instruction: str, parameters: GenerationParameters, is_cancelled: Callable[[], bool]
    ) -> None:
        self._model = model
        self._instruction = instruction
        self._parameters = parameters
        self._is_cancelled = is_cancelled
        self._crashes = 0  # rows in a row that the engine died at

    def results(self, group: RowGroup) -> Iterator[RowResult]:
        """The rows of a group, together if that works, else one by one."""
        together = self._together(group) if len(group.rows) > 1 else None
        if together is not None:
            yield from together
            return
        for index, text in zip(group.indices, group.rows, strict=True):
            yield self._alone(index, text)

    def _together(self, group: RowGroup) -> list[RowResult] | None:
        began = time.perf_counter()
        try:
            finished = self._run(group.text)
        except UserError:
            return None  # it may be one row's fault: each is tried by itself
        answers = None if row_error(finished) else split_answer(group, finished.answer)
        if answers is None:
            return None
        self._crashes = 0
        seconds = (time.perf_counter() - began) / len(answers)
        rows = zip(group.indices, group.rows, answers, strict=True)
        return [RowResult(index, text, answer, seconds=seconds) for index, text, answer in rows]

    def _alone(self, index: int, text: str) -> RowResult:
        if not text.strip():
            return RowResult(index, text, text)
        began = time.perf_counter()
        try:
            finished = self._with_second_try(text)
            error, answer = row_error(finished), finished.answer
        except UserError as failure:
            if isinstance(failure, SettingError) or self._crashes >= MOST_CRASHES:
                raise
            error, answer = failure, ""
        return RowResult(index, text, "" if error else answer, error, time.perf_counter() - began)

    def _with_second_try(self, text: str) -> Finished:
        try:
            finished = self._run(text)
        except EngineError:
            if self._model.client.has_model:
                raise  # it lives, and said what is wrong
            try:
                finished = self._run(text)
            except EngineError:
                self._crashes += not self._model.client.has_model
                raise
        self._crashes = 0
        return finished

    def _run(self, text: str) -> Finished:
        client = self._model.client
        if self._is_cancelled():
            raise Cancelled
        if not client.has_model:
            self._load()
        message = Message(Role.USER, text)
        request = RunRequest(TaskKind.REWRITE, (message,), self._parameters, instruction=self._instruction)
        finished: Finished | None = None
        for event in client.run(request):
            if isinstance(event, Finished):
                finished = event
            elif self._is_cancelled():
                client.cancel()
        if finished is None or finished.reason is FinishReason.CANCELLED:
            raise Cancelled
        return finished

    def _load(self) -> None:
        try:
            self._model.client.load(self._model.spec, lambda _stage, _share: None)
        except UserError:
            self._crashes = MOST_CRASHES  # no row can be done without a model
            raise
