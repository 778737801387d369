"""What a task gets to work with. Knows nothing of which task it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diffdesk.core.denoiser import Denoiser
from diffdesk.core.events import Prefilled
from diffdesk.core.requests import RunRequest
from diffdesk.core.sampler import SamplerSettings


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A request that can be run, and what it is run with.

    Attributes:
        report: told how much of a prompt has been read.
        is_cancelled: asked at every step.
    """

    denoiser: Denoiser
    request: RunRequest
    settings: SamplerSettings
    seed: int
    report: Callable[[Prefilled], None]
    is_cancelled: Callable[[], bool]
