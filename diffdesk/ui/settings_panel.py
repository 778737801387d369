"""The panel that slides in from the right: one editor for each row of the settings table, presets and a reset.

It has no list of settings of its own. It reports whole `GenerationParameters`, and only such as go together. Knows
nothing of the model, of runs or of where settings are kept.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from diffdesk.core.errors import SettingError
from diffdesk.core.parameters import (
    BY_KEY,
    PRESETS,
    SETTINGS,
    GenerationParameters,
    Kind,
    Preset,
    SamplerDefaults,
    check_together,
)
from diffdesk.ui.buttons import IconButton
from diffdesk.ui.message_parts import label
from diffdesk.ui.setting_editors import NumberEditor, SettingEditor, hint_label, make_editor

OWN_PRESET = "Your own"
CHAT_ONLY = ("system", "thinking", "canvases")
UNUSED = "This model corrects text: it takes no system prompt and doesn't think first."


def apply_preset(preset: Preset, current: GenerationParameters) -> GenerationParameters:
    """`current` with the preset's values; what the preset doesn't name and the model decides is left to the model."""
    left_to_model = {one.key: None for one in SETTINGS if one.has_model_default or one.kind is Kind.SEED}
    changes: dict[str, Any] = {**left_to_model, **preset.values}
    return replace(current, **changes)


def preset_of(parameters: GenerationParameters) -> Preset | None:
    """The preset that gives these parameters, if one does."""
    return next((one for one in PRESETS if apply_preset(one, parameters) == parameters), None)


class SettingsPanel(QFrame):
    """Shows `GenerationParameters` and reports the user's changes.

    Signals:
        parameters_changed(GenerationParameters): the user changed something, and the values go together.
        closed(): the user wants the panel away.
    """

    parameters_changed = Signal(object)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "panel")
        self.setAccessibleName("Settings of a run")
        self._defaults: SamplerDefaults | None = None
        self._parameters = GenerationParameters()
        self.editors: dict[str, SettingEditor] = {}
        self._rows: dict[str, QWidget] = {}
        self.presets = QComboBox()
        self.presets.setAccessibleName("Preset")
        self.reset_button = QPushButton("Reset")
        self.reset_button.setToolTip("Back to the settings that came with the model; the system prompt goes too.")
        self._close = IconButton("x", "Close settings")
        self._preset_help = hint_label()
        self.problem = hint_label("danger")
        self._unused = hint_label()
        self._unused.setText(UNUSED)
        self._unused.hide()
        self._build()
        self._fill_presets()
        self.presets.activated.connect(self._on_preset_chosen)
        self.reset_button.clicked.connect(self._on_reset_clicked)
        self._close.clicked.connect(self.closed)
        self.set_parameters(self._parameters, None)

    def set_parameters(self, parameters: GenerationParameters, defaults: SamplerDefaults | None) -> None:
        """Show parameters, and what None stands for; reports nothing."""
        self._parameters, self._defaults = parameters, defaults
        values = asdict(parameters)
        for key, editor in self.editors.items():
            editor.set_model_default(None if defaults is None else getattr(defaults, key, None))
            editor.set_value(values[key])
        self._show_preset()
        self._show_problem(parameters)

    def set_canvas_length(self, length: int) -> None:
        """How many tokens a canvas of the model has."""
        for editor in self.editors.values():
            if isinstance(editor, NumberEditor):
                editor.set_canvas_length(length)

    def set_chat_settings_used(self, is_used: bool) -> None:
        """Whether the model in use takes what concerns chat only; if not, those rows go and a line says why."""
        for key in CHAT_ONLY:
            self._rows[key].setVisible(is_used)
        self._unused.setVisible(not is_used)

    @property
    def parameters(self) -> GenerationParameters:
        """What was last shown or reported."""
        return self._parameters

    def focus_first(self) -> None:
        """Put the keyboard where one begins."""
        self.presets.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _build(self) -> None:
        title = label("Settings", "heading")
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 8, 4)
        head.addWidget(title, 1)
        head.addWidget(self._close)
        body = QWidget()
        body.setObjectName("settingsBody")
        column = QVBoxLayout(body)
        column.setContentsMargins(16, 4, 16, 16)
        column.setSpacing(4)
        chooser = QHBoxLayout()
        chooser.setSpacing(8)
        chooser.addWidget(self.presets, 1)
        chooser.addWidget(self.reset_button)
        column.addLayout(chooser)
        column.addWidget(self._preset_help)
        column.addSpacing(8)
        column.addWidget(self.problem)
        column.addWidget(self._unused)
        column.addSpacing(8)
        for row in SETTINGS:
            self._add_row(column, row.key)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(body)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(head)
        whole.addWidget(scroll, 1)

    def _add_row(self, column: QVBoxLayout, key: str) -> None:
        row = BY_KEY[key]
        editor = make_editor(row)
        whole = QWidget()
        part = QVBoxLayout(whole)
        part.setContentsMargins(0, 0, 0, 12)
        part.setSpacing(4)
        if row.kind is not Kind.SWITCH:
            name = label(row.label, "name")
            name.setToolTip(row.help)
            name.setBuddy(editor.focusProxy() or editor)
            part.addWidget(name)
        part.addWidget(editor)
        column.addWidget(whole)
        self._rows[key] = whole
        self.editors[key] = editor
        editor.changed.connect(self._on_editor_changed)

    def _fill_presets(self) -> None:
        for preset in PRESETS:
            self.presets.addItem(preset.name)
            self.presets.setItemData(self.presets.count() - 1, preset.help, Qt.ItemDataRole.ToolTipRole)
        self.presets.addItem(OWN_PRESET)

    def _show_preset(self) -> None:
        preset = preset_of(self._parameters)
        self.presets.setCurrentIndex(len(PRESETS) if preset is None else PRESETS.index(preset))
        self._preset_help.setText("Values that you chose yourself." if preset is None else preset.help)
        self.reset_button.setEnabled(self._parameters != GenerationParameters())

    def _show_problem(self, parameters: GenerationParameters) -> bool:
        """Say what doesn't go together; True if something doesn't."""
        try:
            check_together(parameters, self._defaults or SamplerDefaults())
        except SettingError as error:
            self.problem.setText(f"{error.title}. {error.text} {error.remedy}")
            self.problem.show()
            return True
        self.problem.hide()
        return False

    def _on_editor_changed(self) -> None:
        values: dict[str, Any] = {key: editor.value() for key, editor in self.editors.items()}
        self._report(GenerationParameters(**values))

    def _on_preset_chosen(self, index: int) -> None:
        if index < len(PRESETS):
            chosen = apply_preset(PRESETS[index], self._parameters)
            self.set_parameters(chosen, self._defaults)
            self.parameters_changed.emit(chosen)
        else:
            self._show_preset()

    def _on_reset_clicked(self) -> None:
        self.set_parameters(GenerationParameters(), self._defaults)
        self.parameters_changed.emit(self._parameters)

    def _report(self, parameters: GenerationParameters) -> None:
        if self._show_problem(parameters) or parameters == self._parameters:
            return
        self._parameters = parameters
        self._show_preset()
        self.parameters_changed.emit(parameters)
