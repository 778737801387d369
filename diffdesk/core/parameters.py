"""The settings of a run: one table with kinds, ranges, defaults and a plain sentence for each.

The panel, the command line and the store draw on this table; none has a list of its own. Defaults are those of
DiffusionGemma's generation_config.json (48 steps, temperature 0.8 to 0.4, entropy bound 0.1, confidence 0.005,
stability 1); a checkpoint's own file overrides them. Knows nothing of widgets or files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from diffdesk.core.errors import SettingError


@dataclass(frozen=True, slots=True)
class GenerationParameters:
    """Everything that decides a run, besides the prompt. None means "as the model says".

    Attributes:
        canvases: room for the answer, in canvases.
        steps: most denoising steps a canvas, ≥ 1.
        entropy_bound: nats of joint entropy accepted a step, > 0.
        t_max: temperature of the first step, > t_min.
        t_min: temperature that the schedule tends to, > 0.
        confidence: mean entropy in nats under which a stable canvas is done, > 0.
        stability: steps for which the argmax canvas must stay the same, ≥ 0.
        refresh: the whole canvas is computed at every such step only, between them what has not settled yet; ≥ 1.
        seed: makes a run repeatable; None draws one.
        thinking: let the model reason before it answers.
        system: the system prompt.
    """

    canvases: int = 2
    steps: int | None = None
    entropy_bound: float | None = None
    t_max: float | None = None
    t_min: float | None = None
    confidence: float | None = None
    stability: int | None = None
    refresh: int | None = None
    seed: int | None = None
    thinking: bool = False
    system: str = ""

    def to_json(self) -> dict[str, object]:
        """The parameters as a JSON object."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> GenerationParameters:
        """Parameters from a JSON object; unknown keys are left out, bad values raise `SettingError`."""
        known = {one.name for one in fields(GenerationParameters)}
        values: dict[str, Any] = {key: check(key, value) for key, value in data.items() if key in known}
        return replace(GenerationParameters(), **values)


@dataclass(frozen=True, slots=True)
class SamplerDefaults:
    """What a checkpoint's generation_config.json says; the published values where it is silent."""

    steps: int = 48
    t_max: float = 0.8
    t_min: float = 0.4
    entropy_bound: float = 0.1
    confidence: float = 0.005
    stability: int = 1
    refresh: int = 1
    end_ids: tuple[int, ...] = (1, 106, 50)
    pad_id: int = 0


class Kind(StrEnum):
    """What a setting's value is."""

    WHOLE = "whole"
    REAL = "real"
    SWITCH = "switch"
    TEXT = "text"
    SEED = "seed"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: everything a panel or a command line needs to show and check it."""

    key: str
    kind: Kind
    label: str
    help: str
    low: float = -math.inf
    high: float = math.inf
    step: float = 1.0
    has_model_default: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("system", Kind.TEXT, "System prompt", "Said to the model before the conversation begins."),
    Setting("thinking", Kind.SWITCH, "Think first", "The model reasons before it answers; slower, often better."),
    Setting(
        "canvases",
        Kind.WHOLE,
        "Answer room",
        "How long an answer may become; a canvas is about 190 words.",
        1,
        64,
    ),
    Setting(
        "steps",
        Kind.WHOLE,
        "Steps a canvas",
        "The most times a canvas is refined; it stops earlier when it has settled.",
        1,
        256,
        has_model_default=True,
    ),
    Setting(
        "entropy_bound",
        Kind.REAL,
        "Entropy bound",
        "How unsure the words taken in one step may be together; lower is slower and more careful.",
        0.001,
        10,
        0.05,
        has_model_default=True,
    ),
    Setting(
        "t_max",
        Kind.REAL,
        "First temperature",
        "How freely words are drawn at the first step.",
        0.01,
        5,
        0.05,
        has_model_default=True,
    ),
    Setting(
        "t_min",
        Kind.REAL,
        "Last temperature",
        "How freely words are drawn at the last step; must be below the first.",
        0.01,
        5,
        0.05,
        has_model_default=True,
    ),
    Setting(
        "confidence",
        Kind.REAL,
        "Confidence",
        "A canvas that no longer changes is done when its mean entropy is below this.",
        0.00001,
        5,
        0.001,
        has_model_default=True,
    ),
    Setting(
        "stability",
        Kind.WHOLE,
        "Stability",
        "For how many steps a canvas must stay the same before it may be done.",
        0,
        16,
        has_model_default=True,
    ),
    Setting(
        "refresh",
        Kind.WHOLE,
        "Full steps",
        "On a processor: at every such step all words are computed, between them what has not settled. 1 computes all.",
        1,
        64,
        has_model_default=True,
    ),
    Setting(
        "seed",
        Kind.SEED,
        "Seed",
        "The same number gives the same answer again; empty draws a new one.",
        0,
        2**31 - 1,
    ),
)

BY_KEY: Mapping[str, Setting] = {one.key: one for one in SETTINGS}


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of values; what it does not name is left to the model."""

    name: str
    help: str
    values: Mapping[str, object]


PRESETS: tuple[Preset, ...] = (
    Preset("As the model says", "The settings that came with the model.", {}),
    Preset("Quick", "Fewer steps and bolder ones; good for short answers.", {"steps": 16, "entropy_bound": 0.3}),
    Preset(
        "Careful",
        "Small steps with little chance; slower.",
        {"entropy_bound": 0.05, "t_max": 0.6, "t_min": 0.3},
    ),
    Preset("Repeatable", "The same question gives the same answer.", {"seed": 1}),
)


def check(key: str, value: object) -> object:
    """The value if it fits the setting `key`, converted to its kind; else `SettingError` that names the range."""
    row = BY_KEY.get(key)
    if row is None:
        raise SettingError("Unknown setting", f"There is no setting called “{key}”.", f"Known: {', '.join(BY_KEY)}.")
    if value is None and (row.has_model_default or row.kind is Kind.SEED):
        return None
    if row.kind is Kind.TEXT and isinstance(value, str):
        return value
    if row.kind is Kind.SWITCH and isinstance(value, bool):
        return value
    is_numeric = row.kind in (Kind.WHOLE, Kind.REAL, Kind.SEED)
    if is_numeric and isinstance(value, int | float) and not isinstance(value, bool):
        number = _in_range(row, value)
        if number is not None:
            return number
    expected = {Kind.TEXT: "a text", Kind.SWITCH: "on or off"}.get(
        row.kind, f"a number from {row.low:g} to {row.high:g}"
    )
    raise SettingError(f"{row.label} can't be {value!r}", f"{row.label} is {expected}.", "Choose another value.")


def _in_range(row: Setting, value: float) -> float | None:
    """The value as `row` wants it; None outside the range, which lets NaN in as little as what no float can hold."""
    if not row.low <= value <= row.high:
        return None
    if row.kind is Kind.REAL:
        return float(value)
    return int(value) if value == int(value) else None


def check_together(parameters: GenerationParameters, defaults: SamplerDefaults) -> None:
    """Raise `SettingError` where values that are fine alone contradict each other."""
    t_max = defaults.t_max if parameters.t_max is None else parameters.t_max
    t_min = defaults.t_min if parameters.t_min is None else parameters.t_min
    if t_max <= t_min:
        raise SettingError(
            "The temperatures are the wrong way round",
            f"The first temperature ({t_max:g}) must be above the last ({t_min:g}).",
            "Raise the first or lower the last.",
        )


def words_of_canvases(canvases: int, canvas_length: int = 256) -> int:
    """About how many English words fit into so many canvases (0.74 words a token), rounded to ten."""
    return round(canvases * canvas_length * 0.74 / 10) * 10
