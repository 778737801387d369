"""From a request to a stream of events: chooses the task that fits what the model is for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from diffdesk.core.denoiser import Denoiser, Interruptible
from diffdesk.core.errors import PromptError
from diffdesk.core.events import AnswerState, Finished, FinishReason, Prefilled, RunEvent, RunStats
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import RunRequest, TaskKind
from diffdesk.core.sampler import SamplerSettings
from diffdesk.tasks import starter
from diffdesk.tasks.aligned_correction import Draft, Guards, correct_aligned
from diffdesk.tasks.aligned_editing import edit_aligned
from diffdesk.tasks.chat import chat
from diffdesk.tasks.correction import correct_in_turns
from diffdesk.tasks.editing import edit_in_turns


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
    if request.task is TaskKind.CHAT:
        if not profile.can_chat:
            return iter((_declined(starter.CANT_CHAT, ""),))
        return chat(denoiser, request, settings, seed, report, is_cancelled)
    if request.task is TaskKind.EDIT:
        return _edit(denoiser, profile, request, settings, seed, report=report, is_cancelled=is_cancelled)
    text = request.messages[-1].text
    if profile.layout is not Layout.ALIGNED:
        return correct_in_turns(denoiser, request, settings, seed, report, is_cancelled)
    if request.messages[-1].images:
        return iter((_declined(starter.CANT_LOOK, text),))
    if not starter.is_english(text):
        return iter((_declined(starter.CANT_LANGUAGE, text),))
    guards = Guards.of(profile, text, is_read=bool(request.read_lines))
    draft = Draft(text, profile.slots, guards, request.read_lines)
    return correct_aligned(denoiser, draft, settings, seed, is_cancelled)


def _edit(
    denoiser: Denoiser,
    profile: ModelProfile,
    request: RunRequest,
    settings: SamplerSettings,
    seed: int,
    *,
    report: Callable[[Prefilled], None],
    is_cancelled: Callable[[], bool],
) -> Iterator[RunEvent]:
    if profile.layout is not Layout.ALIGNED:
        return edit_in_turns(denoiser, request, settings, seed, report, is_cancelled)
    text = request.messages[-1].text
    if request.instruction.strip():
        return iter((_declined(starter.CANT_FOLLOW, text),))
    if not starter.is_english(text):
        return iter((_declined(starter.CANT_LANGUAGE, text),))
    return edit_aligned(denoiser, profile, request, settings, seed, is_cancelled)


def _declined(sentence: str, text: str) -> Finished:
    return Finished(FinishReason.END_TOKEN, RunStats(), answer=text, state=AnswerState.DECLINED, notes=(sentence,))
