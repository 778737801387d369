"""The settings panel: made from the table, truthful about the model's own values, never reporting what doesn't fit."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLineEdit, QPlainTextEdit
from pytestqt.qtbot import QtBot

from diffdesk.core.parameters import PRESETS, SETTINGS, GenerationParameters, SamplerDefaults
from diffdesk.ui.setting_editors import NumberEditor, SeedEditor
from diffdesk.ui.settings_panel import OWN_PRESET, SettingsPanel, apply_preset
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.window.samples import collect

FULL = GenerationParameters(
    canvases=5,
    steps=12,
    entropy_bound=0.25,
    t_max=0.9,
    t_min=0.2,
    confidence=0.00125,
    stability=3,
    seed=42,
    thinking=True,
    system="You are terse.",
)


@pytest.fixture
def panel(themes: ThemeKeeper, qtbot: QtBot) -> SettingsPanel:
    made = SettingsPanel()
    qtbot.addWidget(made)
    made.resize(320, 900)
    made.show()
    return made


def number(panel: SettingsPanel, key: str) -> NumberEditor:
    editor = panel.editors[key]
    assert isinstance(editor, NumberEditor)
    return editor


def test_there_is_one_editor_for_each_row_with_its_help(panel: SettingsPanel) -> None:
    assert list(panel.editors) == [one.key for one in SETTINGS]
    for row in SETTINGS:
        focus = panel.editors[row.key].focusProxy()
        assert isinstance(focus, QLineEdit | QPlainTextEdit | QCheckBox)
        assert focus.toolTip() == row.help
        assert focus.accessibleName() == row.label


@pytest.mark.parametrize("parameters", [GenerationParameters(), FULL])
def test_what_is_shown_is_what_comes_back(panel: SettingsPanel, parameters: GenerationParameters) -> None:
    reported = collect(panel.parameters_changed)
    panel.set_parameters(parameters, SamplerDefaults())
    assert {key: editor.value() for key, editor in panel.editors.items()} == asdict(parameters)
    assert reported == []


def test_nothing_means_the_models_own_and_says_so(panel: SettingsPanel) -> None:
    panel.set_parameters(GenerationParameters(), SamplerDefaults(steps=30))
    field = number(panel, "steps").field
    assert field.text() == ""
    assert field.placeholderText() == "model's own (30)"
    assert "model's own (30)" in field.accessibleDescription()


def test_stepping_from_nothing_begins_at_the_models_value(panel: SettingsPanel) -> None:
    reported = collect(panel.parameters_changed)
    panel.set_parameters(GenerationParameters(), SamplerDefaults())
    field = number(panel, "steps").field
    QTest.keyClick(field, Qt.Key.Key_Up)
    assert reported == [(GenerationParameters(steps=49),)]
    field.selectAll()
    QTest.keyClick(field, Qt.Key.Key_Delete)
    assert reported[-1] == (GenerationParameters(),)


def test_a_value_out_of_range_is_told_and_not_reported(panel: SettingsPanel) -> None:
    reported = collect(panel.parameters_changed)
    editor = number(panel, "entropy_bound")
    QTest.keyClicks(editor.field, "99")
    QTest.keyClick(editor.field, Qt.Key.Key_Return)
    assert "0.001 to 10" in editor.problem.text()
    assert (GenerationParameters(entropy_bound=99),) not in reported
    editor.field.clear()
    QTest.keyClicks(editor.field, "0,25")
    QTest.keyClick(editor.field, Qt.Key.Key_Return)
    assert reported[-1] == (GenerationParameters(entropy_bound=0.25),)
    assert editor.problem.text() == ""


def test_values_that_contradict_each_other_are_not_reported(panel: SettingsPanel) -> None:
    panel.set_parameters(GenerationParameters(), SamplerDefaults())
    reported = collect(panel.parameters_changed)
    number(panel, "t_max").field.choose(0.3)
    assert reported == []
    assert "wrong way round" in panel.problem.text()
    number(panel, "t_min").field.choose(0.2)
    assert reported == [(GenerationParameters(t_max=0.3, t_min=0.2),)]
    assert not panel.problem.isVisible()


def test_the_answer_room_is_told_in_words(panel: SettingsPanel) -> None:
    number(panel, "canvases").field.choose(2)
    assert number(panel, "canvases").hint.text() == "2 canvases ≈ 380 words"
    number(panel, "canvases").field.choose(1)
    assert number(panel, "canvases").hint.text().startswith("1 canvas ≈ 190")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.name)
def test_presets_are_applied_and_recognised(panel: SettingsPanel, preset: object) -> None:
    assert preset in PRESETS
    chosen = next(one for one in PRESETS if one is preset)
    panel.set_parameters(replace(FULL, steps=7), SamplerDefaults())
    assert panel.presets.currentText() == OWN_PRESET
    reported = collect(panel.parameters_changed)
    index = PRESETS.index(chosen)
    panel.presets.setCurrentIndex(index)
    panel.presets.activated.emit(index)
    expected = apply_preset(chosen, FULL)
    assert reported == [(expected,)]
    assert panel.presets.currentText() == chosen.name
    assert (expected.system, expected.thinking, expected.canvases) == (FULL.system, True, 5)


def test_reset_gives_everything_back(panel: SettingsPanel) -> None:
    panel.set_parameters(FULL, SamplerDefaults())
    reported = collect(panel.parameters_changed)
    panel.reset_button.click()
    assert reported == [(GenerationParameters(),)]
    assert not panel.reset_button.isEnabled()


def test_the_die_draws_a_seed_that_stays(panel: SettingsPanel) -> None:
    reported = collect(panel.parameters_changed)
    editor = panel.editors["seed"]
    assert isinstance(editor, SeedEditor)
    editor.dice.click()
    seed = editor.value()
    assert isinstance(seed, int)
    assert reported[-1] == (GenerationParameters(seed=seed),)


def test_a_system_prompt_is_reported_when_the_typing_pauses(panel: SettingsPanel, qtbot: QtBot) -> None:
    reported = collect(panel.parameters_changed)
    edit = panel.editors["system"].focusProxy()
    assert edit is not None
    QTest.keyClicks(edit, "Be kind")
    assert reported == []
    qtbot.waitUntil(lambda: bool(reported))
    assert reported == [(GenerationParameters(system="Be kind"),)]
