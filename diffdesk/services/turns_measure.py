"""Measures how a chat model corrects pages that were read: by the program's own task, from noise and from the draft.

Where the model sees, it is shown the page as the program shows it. Knows nothing of how figures are shown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diffdesk.core.denoiser import Denoiser
from diffdesk.core.events import Finished
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.profile import ModelProfile
from diffdesk.core.proposals import Proposal, made_text
from diffdesk.core.requests import ReadLine, RunRequest, TaskKind
from diffdesk.core.sampler import SamplerSettings
from diffdesk.core.trace import CanvasClosed
from diffdesk.services.starter_measure import SEED
from diffdesk.tasks.correction import correct_in_turns
from diffdesk.tasks.task_run import TaskRun


@dataclass(frozen=True, slots=True)
class TurnsResult:
    """A page's text as a chat model corrects it.

    Attributes:
        corrected: with the changes that the program makes.
        ungated: with all that the model proposes.
        steps: denoising steps of each of its canvases.
        seconds: wall time.
    """

    corrected: str
    ungated: str
    steps: tuple[int, ...]
    seconds: float


class TurnsBench:
    """A loaded chat model, to be measured. `is_warm` is the way whose text counts as the program's."""

    def __init__(self, denoiser: Denoiser, profile: ModelProfile, *, is_warm: bool) -> None:
        self.denoiser = denoiser
        self.profile = profile
        self.is_warm = is_warm

    def close(self) -> None:
        """Free the model's memory."""
        self.denoiser.close()

    def correct(self, draft: str, image: Path, lines: Sequence[ReadLine], *, is_warm: bool) -> TurnsResult:
        """A draft that was read from an image; raises `UserError` where it can't be corrected."""
        began = time.perf_counter()
        if not draft.strip():
            return TurnsResult(draft, draft, (), time.perf_counter() - began)
        images = (ImageRef(image, image.name),) if self.denoiser.capabilities.can_see_images else ()
        message = Message(Role.USER, draft, images)
        request = RunRequest(TaskKind.CORRECT, (message,), read_lines=tuple(lines))
        settings = SamplerSettings.resolve(GenerationParameters(), self.denoiser.defaults)
        steps: list[int] = []
        proposals: tuple[Proposal, ...] = ()
        run = TaskRun(self.denoiser, request, settings, SEED, lambda _: None, lambda: False)
        for event in correct_in_turns(run, is_warm=is_warm):
            if isinstance(event, CanvasClosed):
                steps.append(event.steps)
            elif isinstance(event, Finished):
                if event.error is not None:
                    raise event.error
                proposals = event.proposals
        everything = made_text(draft, [replace(one, is_made=True) for one in proposals])
        seconds = time.perf_counter() - began
        return TurnsResult(made_text(draft, proposals), everything, tuple(steps), seconds)
