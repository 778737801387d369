"""The table of settings: what it lets through and what it says of the rest."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.errors import SettingError
from diffdesk.core.parameters import (
    BY_KEY,
    PRESETS,
    SETTINGS,
    GenerationParameters,
    Kind,
    SamplerDefaults,
    Setting,
    check,
    check_together,
    words_of_canvases,
)
from diffdesk.core.sampler import SamplerSettings

NUMBERS = [row for row in SETTINGS if row.kind in (Kind.WHOLE, Kind.REAL, Kind.SEED)]
WHOLES = [row for row in NUMBERS if row.kind is not Kind.REAL]
numeric = pytest.mark.parametrize("row", NUMBERS, ids=lambda row: row.key)
anything = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)


def test_every_parameter_has_one_row_and_every_row_a_parameter() -> None:
    assert [row.key for row in SETTINGS] == list(BY_KEY)
    assert set(BY_KEY) == {one.name for one in fields(GenerationParameters)}


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.key)
def test_every_row_has_a_label_and_one_plain_sentence(row: Setting) -> None:
    assert row.label
    assert row.help.endswith(".")
    assert not row.label.endswith(".")


@numeric
def test_the_ends_of_a_range_are_inside_it(row: Setting) -> None:
    for value in (row.low, row.high):
        got = check(row.key, value)
        assert got == value
        assert isinstance(got, float if row.kind is Kind.REAL else int)


@numeric
def test_what_lies_beyond_a_range_is_refused_and_the_range_named(row: Setting) -> None:
    below, above = row.low - 1, row.high + 1
    refused: list[object] = [below, above, math.nan, math.inf, -math.inf, 10**400, -(10**400), True, "5", [1], {}]
    for value in refused:
        with pytest.raises(SettingError) as caught:
            check(row.key, value)
        assert row.label in caught.value.text
        assert f"{row.low:g} to {row.high:g}" in caught.value.text
        assert caught.value.remedy


@pytest.mark.parametrize("row", WHOLES, ids=lambda row: row.key)
def test_whole_numbers_are_whole(row: Setting) -> None:
    got = check(row.key, row.low + 1.0)
    assert got == row.low + 1
    assert isinstance(got, int)
    with pytest.raises(SettingError):
        check(row.key, row.low + 0.5)


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.key)
def test_nothing_means_as_the_model_says_and_only_where_that_is_possible(row: Setting) -> None:
    if row.has_model_default or row.kind is Kind.SEED:
        assert check(row.key, None) is None
    else:
        with pytest.raises(SettingError):
            check(row.key, None)


@pytest.mark.parametrize(("key", "good", "bad"), [("thinking", True, 1), ("thinking", False, "no"), ("system", "", 3)])
def test_switches_and_texts(key: str, good: object, bad: object) -> None:
    assert check(key, good) == good
    with pytest.raises(SettingError):
        check(key, bad)


def test_an_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(SettingError, match="speed") as caught:
        check("speed", 1)
    assert "entropy_bound" in caught.value.remedy


@given(st.sampled_from([*BY_KEY, "other"]), anything)
def test_any_value_is_let_through_or_refused_and_letting_through_changes_nothing_twice(key: str, value: object) -> None:
    try:
        got = check(key, value)
    except SettingError:
        return
    assert got == value
    assert check(key, got) == got


@given(st.dictionaries(st.sampled_from([*BY_KEY, "of a later version"]), anything, max_size=4))
def test_parameters_from_any_object_are_good_or_refused(data: dict[str, object]) -> None:
    try:
        parameters = GenerationParameters.from_json(data)
    except SettingError:
        return
    for key, value in asdict(parameters).items():
        assert check(key, value) == value
    assert GenerationParameters.from_json(json.loads(json.dumps(parameters.to_json()))) == parameters


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.name)
def test_presets_name_good_values_that_go_together(preset: object) -> None:
    values = dict(next(one.values for one in PRESETS if one is preset))
    parameters = GenerationParameters.from_json(values)
    assert set(values) <= set(BY_KEY)
    check_together(parameters, SamplerDefaults())


def test_the_published_defaults_are_in_range() -> None:
    for key, value in asdict(SamplerDefaults()).items():
        if key in BY_KEY:
            assert check(key, value) == value
    resolved = SamplerSettings.resolve(GenerationParameters(), SamplerDefaults())
    assert resolved == SamplerSettings(48, 0.8, 0.4, 0.1, 0.005, 1)


def test_temperatures_are_checked_with_the_models_own() -> None:
    check_together(GenerationParameters(t_min=0.7), SamplerDefaults())
    with pytest.raises(SettingError, match=r"0\.8"):
        check_together(GenerationParameters(t_min=0.8), SamplerDefaults())
    with pytest.raises(SettingError):
        check_together(GenerationParameters(t_max=0.3), SamplerDefaults())


@pytest.mark.parametrize(("canvases", "length", "words"), [(1, 256, 190), (2, 256, 380), (4, 96, 280), (0, 256, 0)])
def test_canvases_in_words(canvases: int, length: int, words: int) -> None:
    assert words_of_canvases(canvases, length) == words
