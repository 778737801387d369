"""What a run tells while it works. A run is a stream of these and ends in exactly one `Finished`.

Frozen, small, and free of anything that can't be written as JSON or a short array.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from diffdesk.core.errors import UserError
from diffdesk.core.proposals import Doubt, Proposal
from diffdesk.core.trace import CanvasClosed, CanvasOpened, StepDelta


class FinishReason(StrEnum):
    """Why a run ended."""

    END_TOKEN = "end_token"  # the model ended its answer
    LENGTH = "length"  # the room for the answer is used up
    CANCELLED = "cancelled"  # the user stopped it
    NOT_SETTLED = "not_settled"  # two canvases in a row never settled; going on would write noise
    FAILED = "failed"  # an error; `Finished.error` says which


@dataclass(frozen=True, slots=True)
class RunStats:
    """Figures of a run. Times in seconds, rates in tokens a second, 0 where unknown."""

    prompt_tokens: int = 0
    reused_tokens: int = 0
    answer_tokens: int = 0
    canvases: int = 0
    steps: int = 0
    unsettled_canvases: int = 0
    prefill_seconds: float = 0.0
    first_canvas_seconds: float = 0.0
    total_seconds: float = 0.0
    milliseconds_per_step: float = 0.0
    tokens_per_second: float = 0.0
    seed: int = 0

    def to_json(self) -> dict[str, float]:
        """The figures as a JSON object."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> RunStats:
        """Figures from a JSON object; what is missing or no number is 0."""
        values: dict[str, Any] = {}
        for key, default in asdict(RunStats()).items():
            value = data.get(key, default)
            number = value if isinstance(value, int | float) and not isinstance(value, bool) else default
            values[key] = int(number) if isinstance(default, int) else float(number)
        return RunStats(**values)


class AnswerState(StrEnum):
    """What became of the answer: states that a window shows, instead of an empty bubble."""

    COMPLETE = "complete"
    EMPTY = "empty"  # the model ended at once
    THOUGHT_ONLY = "thought_only"  # every canvas went into the thought
    DECLINED = "declined"  # not a job for this model: `Finished.notes` says what it can do instead


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The prompt, or a part of it, went through the encoder. `done` and `total` count tokens."""

    done: int
    total: int
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every run.

    Attributes:
        proposals: `CORRECT`: every change of the draft that the model would make, in order, not overlapping. Those that
            are made give `answer` from the draft.
        doubts: `CORRECT`: what it left as it was without being sure of it.
    """

    reason: FinishReason
    stats: RunStats
    answer: str = ""
    thought: str = ""
    state: AnswerState = AnswerState.COMPLETE
    notes: tuple[str, ...] = field(default=())
    error: UserError | None = None
    proposals: tuple[Proposal, ...] = ()
    doubts: tuple[Doubt, ...] = ()


RunEvent = Prefilled | CanvasOpened | StepDelta | CanvasClosed | Finished
