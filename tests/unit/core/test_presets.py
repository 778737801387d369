"""The rewriter's presets: known by their words, whatever language was put in."""

from __future__ import annotations

import pytest

from diffdesk.core.errors import SettingError
from diffdesk.core.presets import (
    PRESETS,
    USUAL_GROWTH,
    RewritePreset,
    growth_of,
    instruction_of,
    is_correction,
    preset_named,
    preset_saying,
)


@pytest.mark.parametrize("preset", PRESETS, ids=[one.id for one in PRESETS])
def test_a_preset_is_found_by_id_and_name_and_known_by_what_it_says(preset: RewritePreset) -> None:
    assert preset_named(preset.name.upper()) is preset
    assert preset_named(preset.id) is preset
    said = instruction_of(preset, "Brazilian Portuguese")
    assert preset_saying(f"  {said}\n") is preset
    assert growth_of(said) == preset.growth
    assert "{" not in said


def test_only_the_correction_of_misprints_needs_no_understanding() -> None:
    assert [one.id for one in PRESETS if is_correction(instruction_of(one, "German"))] == ["correct"]
    assert not is_correction("Correct it and make it rhyme.")
    assert not is_correction("")


def test_own_words_have_the_usual_growth() -> None:
    assert growth_of("Make it rhyme.") == USUAL_GROWTH


@pytest.mark.parametrize("language", ["", "  ", "42", "x" * 80])
def test_a_translation_needs_a_language(language: str) -> None:
    with pytest.raises(SettingError, match="Which language"):
        instruction_of(preset_named("translate"), language)


def test_an_unknown_preset_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(SettingError, match="shorten"):
        preset_named("lengthen")
