"""From a request to a stream of events: chooses the task that fits what the model is for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from diffdesk.core.denoiser import Denoiser, Interruptible
from diffdesk.core.errors import PromptError
from diffdesk.core.events import AnswerState, Finished, FinishReason, Prefilled, RunEvent, RunStats
from diffdesk.core.presets import is_correction
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import RunRequest, TaskKind
from diffdesk.core.sampler import SamplerSettings
from diffdesk.tasks import starter
from diffdesk.tasks.aligned_correction import Draft, Guards, correct_aligned
from diffdesk.tasks.aligned_editing import edit_aligned
from diffdesk.tasks.chat import chat
from diffdesk.tasks.correction import correct_in_turns
from diffdesk.tasks.editing import edit_in_turns
from diffdesk.tasks.readable_images import with_readable_images
from diffdesk.tasks.rewriting import rewrite
from diffdesk.tasks.task_run import TaskRun


def run_task(
    denoiser: Denoiser,
    profile: ModelProfile,
    request: RunRequest,
    report: Callable[[Prefilled], None],
    is_cancelled: Callable[[], bool],
) -> Iterator[RunEvent]:
    """Run a request on a loaded model. Raises `PromptError` for a bad request, `SettingError` for bad settings."""
    if not request.messages or not (request.messages[-1].text.strip() or request.messages[-1].images):
        raise PromptError(
            "There is nothing to send",
            "The message has neither text nor an image.",
            "Type something or add an image.",
        )
    if isinstance(denoiser, Interruptible):
        denoiser.stop_when(is_cancelled)
    settings = SamplerSettings.resolve(request.parameters, denoiser.defaults)
    given = request.parameters.seed
    seed = secrets.randbelow(2**31) if given is None else given
    run = TaskRun(denoiser, request, settings, seed, report, is_cancelled)
    if profile.layout is Layout.ALIGNED:
        return _Asked(profile, run).events()
    return with_readable_images(request, lambda readable: _Asked(profile, replace(run, request=readable)).events())


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a model of some profile."""

    profile: ModelProfile
    run: TaskRun

    @property
    def request(self) -> RunRequest:
        return self.run.request

    @property
    def text(self) -> str:
        return self.request.messages[-1].text

    @property
    def is_aligned(self) -> bool:
        return self.profile.layout is Layout.ALIGNED

    def events(self) -> Iterator[RunEvent]:
        match self.request.task:
            case TaskKind.CHAT:
                return self._chat()
            case TaskKind.EDIT:
                return self._edit()
            case TaskKind.REWRITE:
                return self._rewrite()
            case TaskKind.CORRECT:
                return self._correct()

    def _chat(self) -> Iterator[RunEvent]:
        if not self.profile.can_chat:
            return _declined(starter.CANT_CHAT, "")
        return chat(self.run)

    def _edit(self) -> Iterator[RunEvent]:
        if not self.is_aligned:
            return edit_in_turns(self.run)
        if self.request.instruction.strip():
            return _declined(starter.CANT_FOLLOW, self.text)
        if not starter.is_english(self.text):
            return _declined(starter.CANT_LANGUAGE, self.text)
        return edit_aligned(self.run, self.profile.slots)

    def _rewrite(self) -> Iterator[RunEvent]:
        if self.profile.can_chat:
            return rewrite(self.run)
        return (
            self._correct() if is_correction(self.request.instruction) else _declined(starter.CANT_REWRITE, self.text)
        )

    def _correct(self) -> Iterator[RunEvent]:
        if not self.is_aligned:
            return correct_in_turns(self.run, is_warm=self.profile.is_warm_started)
        if self.request.messages[-1].images:
            return _declined(starter.CANT_LOOK, self.text)
        if not starter.is_english(self.text):
            return _declined(starter.CANT_LANGUAGE, self.text)
        guards = Guards.of(self.profile, self.text, is_read=bool(self.request.read_lines))
        draft = Draft(self.text, self.profile.slots, guards, self.request.read_lines)
        run = self.run
        return correct_aligned(run.denoiser, draft, run.settings, run.seed, run.is_cancelled)


def _declined(sentence: str, text: str) -> Iterator[RunEvent]:
    state, notes = AnswerState.DECLINED, (sentence,)
    return iter((Finished(FinishReason.END_TOKEN, RunStats(), answer=text, state=state, notes=notes),))
