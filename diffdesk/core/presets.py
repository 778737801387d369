"""The rewriter's built-in instructions, as data: what each says to a model, and how long its answers may become.

A preset is known by its words: a request carries the instruction only, and the task finds here how much room that
needs. Knows nothing of models and of where the user's own presets are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diffdesk.core.errors import SettingError

LANGUAGE = "{language}"
USUAL_GROWTH = 2.0
"""So many times a row's tokens may be written for an instruction of the user's own, before a second canvas is begun."""

_LANGUAGE_NAME = r"[^\W\d_][\w ()'’,-]{0,60}"


@dataclass(frozen=True, slots=True)
class RewritePreset:
    """A built-in instruction.

    Attributes:
        id: for the command line and the store; never changes.
        name: for people.
        instruction: what is said to the model; may hold `LANGUAGE`.
        growth: so many times a row's tokens its answer may have.
        is_correction: whether correcting misprints is all that it asks: a model that is made for correction can do it
            without understanding the words.
    """

    id: str
    name: str
    instruction: str
    growth: float
    is_correction: bool = False

    @property
    def asks_language(self) -> bool:
        """Whether a language has to be named before it can be used."""
        return LANGUAGE in self.instruction


PRESETS: tuple[RewritePreset, ...] = (
    RewritePreset(
        "log",
        "Plain sentence from a log line",
        "Say in one plain English sentence what this log line reports. Keep times, names, addresses and numbers that "
        "matter exactly as they are. Leave out nothing that tells what went wrong.",
        2.0,
    ),
    RewritePreset(
        "address",
        "Tidy an address",
        "Write this postal address tidily on one line: name, street and house number, postal code and town, country, "
        "with commas between them. Correct capitals and spacing. Add nothing and leave nothing out.",
        1.5,
    ),
    RewritePreset(
        "translate",
        "Translate",
        f"Translate this text into {LANGUAGE}. Keep names, numbers and line breaks as they are.",
        3.0,
    ),
    RewritePreset(
        "grammar",
        "Fix grammar and spelling",
        "Correct the grammar, spelling and punctuation of this text. Keep its language, wording and line breaks "
        "wherever they are not wrong.",
        1.3,
    ),
    RewritePreset(
        "shorten",
        "Shorten",
        "Say the same in about half as many words. Keep the language, and every fact that matters.",
        1.0,
    ),
    RewritePreset(
        "correct",
        "Correct misread letters",
        "Correct letters that were misread or mistyped, and words that were split or joined. Keep everything else "
        "exactly as it is: wording, names, numbers and line breaks.",
        1.25,
        is_correction=True,
    ),
)


def preset_named(name: str) -> RewritePreset:
    """The preset with this id or name; raises `SettingError` that lists them where there is none."""
    wanted = name.strip().casefold()
    for one in PRESETS:
        if wanted in (one.id, one.name.casefold()):
            return one
    raise SettingError(
        f"There is no preset called “{name}”",
        f"There are: {', '.join(one.id for one in PRESETS)}.",
        "Choose one of these, or give the instruction in your own words.",
    )


def instruction_of(preset: RewritePreset, language: str = "") -> str:
    """What the preset says to a model; raises `SettingError` where it needs a language and gets none."""
    if not preset.asks_language:
        return preset.instruction
    wanted = language.strip()
    if not re.fullmatch(_LANGUAGE_NAME, wanted):
        raise SettingError(
            "Which language?",
            f"“{preset.name}” needs the name of a language, such as German or Brazilian Portuguese.",
            "Name the language.",
        )
    return preset.instruction.replace(LANGUAGE, wanted)


def preset_saying(instruction: str) -> RewritePreset | None:
    """The built-in preset that an instruction comes from; None for the user's own words."""
    said = " ".join(instruction.split())
    for one in PRESETS:
        pattern = re.escape(one.instruction).replace(re.escape(LANGUAGE), _LANGUAGE_NAME)
        if re.fullmatch(pattern, said):
            return one
    return None


def growth_of(instruction: str) -> float:
    """So many times a row's tokens the answer to an instruction may have."""
    preset = preset_saying(instruction)
    return USUAL_GROWTH if preset is None else preset.growth


def is_correction(instruction: str) -> bool:
    """Whether an instruction asks for nothing but the correcting of misprints: a preset's own words do."""
    preset = preset_saying(instruction)
    return preset is not None and preset.is_correction
