"""One editor widget for each kind of setting: a text, a switch, a number that may be left to the model, a seed.

Each shows a row of the settings table and knows its value as the parameters hold it, None being "as the model says".
Knows nothing of the panel they stand in, of presets or of runs.
"""

from __future__ import annotations

import random
from contextlib import suppress

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from diffdesk.core.errors import SettingError
from diffdesk.core.parameters import Kind, Setting, check, words_of_canvases
from diffdesk.ui.buttons import IconButton

TYPING_PAUSE_MS = 400
"""A text is reported this long after the last key, or at once when the focus leaves."""


def hint_label(kind: str = "small") -> QLabel:
    """A small wrapped line below a control."""
    label = QLabel()
    label.setProperty("kind", kind)
    label.setWordWrap(True)
    return label


def beside(first: QWidget, *others: QWidget) -> QHBoxLayout:
    """A row in which the first widget takes the room that the others leave."""
    line = QHBoxLayout()
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(4)
    line.addWidget(first, 1)
    for other in others:
        line.addWidget(other)
    return line


class SettingEditor(QWidget):
    """What the panel needs of an editor: its row of the table, a value, and a signal when the user changed it."""

    changed = Signal()

    def __init__(self, row: Setting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row = row

    def value(self) -> object:
        """The value as `GenerationParameters` holds it."""
        raise NotImplementedError

    def set_value(self, value: object) -> None:
        """Show `value` without reporting a change."""
        raise NotImplementedError

    def set_model_default(self, value: float | int | None) -> None:
        """Say what None stands for; rows without a default of the model's take no notice."""


class NumberField(QLineEdit):
    """A number of the row's range; empty means "as the placeholder says", where nothing is a value.

    Arrow keys step; stepping away from nothing begins at the model's value, not at the end of the range. A text that is
    no such number stays in the field, marked, and is not reported.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(self, row: Setting) -> None:
        super().__init__()
        self._row = row
        self._may_be_unset = row.has_model_default or row.kind is Kind.SEED
        self._start: float | None = None
        self._value: float | int | None = None if self._may_be_unset else row.low
        self.setToolTip(row.help)
        self.setAccessibleName(row.label)
        self.setAccessibleDescription(row.help)
        self.editingFinished.connect(self._on_finished)
        self.textEdited.connect(self._on_edited)

    def set_unset_text(self, text: str, start: float | None) -> None:
        """What an empty field stands for, and where stepping begins."""
        self._start = start
        self.setPlaceholderText(text)
        self.setAccessibleDescription(f"{self._row.help} Empty: {text}.")

    @property
    def number(self) -> float | int | None:
        """The last number that fitted, or None for nothing."""
        return self._value

    def set_number(self, number: float | int | None) -> None:
        """Show a number or, with None, nothing; reports nothing."""
        self._value = number
        self.setText("" if number is None else self._written(number))
        self._mark("")

    def choose(self, number: float | int | None) -> None:
        """Show a number and report it."""
        if number != self._value or self.text() != ("" if number is None else self._written(number)):
            self.set_number(number)
            self.changed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down step."""
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and not event.modifiers():
            self._step(1 if event.key() == Qt.Key.Key_Up else -1)
            return
        super().keyPressEvent(event)

    def _step(self, count: int) -> None:
        origin = self._value
        if origin is None:
            origin = self._row.low if self._start is None else self._start
        number = min(self._row.high, max(self._row.low, origin + count * self._row.step))
        self.choose(round(number, 5) if self._row.kind is Kind.REAL else round(number))

    def _written(self, number: float | int) -> str:
        if self._row.kind is not Kind.REAL:
            return str(round(number))
        return f"{number:.5f}".rstrip("0").rstrip(".")

    def _read(self) -> float | int | None:
        """The number in the field; raises `SettingError` where it doesn't fit."""
        typed = self.text().strip().replace(",", ".")
        if not typed and self._may_be_unset:
            return None
        value: object = typed
        with suppress(ValueError):
            value = float(typed)
        checked = check(self._row.key, value)
        return checked if isinstance(checked, int | float) else None

    def _on_edited(self) -> None:
        """Take what fits at once; complain only when the field is left, since a number is typed digit by digit."""
        with suppress(SettingError):
            number = self._read()
            self._mark("")
            if number != self._value:
                self._value = number
                self.changed.emit()

    def _on_finished(self) -> None:
        try:
            self._read()
        except SettingError as error:
            self._mark(error.text)

    def _mark(self, message: str) -> None:
        if bool(message) != bool(self.property("invalid")):
            self.setProperty("invalid", bool(message))
            self.style().unpolish(self)
            self.style().polish(self)
        self.refused.emit(message)


class NumberEditor(SettingEditor):
    """A number, with a button that hands it back to the model where the model has its own."""

    def __init__(self, row: Setting, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.field = NumberField(row)
        self.setFocusProxy(self.field)
        self._reset = IconButton("rotate-ccw", f"{row.label}: use the model's own")
        if not row.has_model_default:
            self._reset.hide()
        self.hint = hint_label()
        if row.key != "canvases":
            self.hint.hide()
        self.problem = hint_label("danger")
        self.problem.hide()
        self._canvas_length = 256
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(beside(self.field, self._reset))
        column.addWidget(self.hint)
        column.addWidget(self.problem)
        self.set_model_default(None)
        self.field.changed.connect(self._on_changed)
        self.field.refused.connect(self._on_refused)
        self._reset.clicked.connect(lambda: self.field.choose(None))
        self._refresh()

    def value(self) -> object:
        return self.field.number

    def set_value(self, value: object) -> None:
        self.field.set_number(value if isinstance(value, int | float) else None)
        self._refresh()

    def set_model_default(self, value: float | int | None) -> None:
        if self.row.has_model_default:
            self.field.set_unset_text("model's own" if value is None else f"model's own ({value:g})", value)

    def set_canvas_length(self, length: int) -> None:
        """How many tokens a canvas of the model has, for the number of words."""
        self._canvas_length = length
        self._refresh()

    def _on_changed(self) -> None:
        self._refresh()
        self.changed.emit()

    def _on_refused(self, message: str) -> None:
        self.problem.setText(message)
        self.problem.setVisible(bool(message))

    def _refresh(self) -> None:
        self._reset.setEnabled(self.field.number is not None)
        if self.row.key == "canvases":
            count = round(self.field.number or 1)
            plural = "canvas" if count == 1 else "canvases"
            self.hint.setText(f"{count} {plural} ≈ {words_of_canvases(count, self._canvas_length):,} words")


class SeedEditor(SettingEditor):
    """A seed, or nothing for a new one each time, with a die."""

    def __init__(self, row: Setting, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.field = NumberField(row)
        self.field.set_unset_text("a new one each time", 0)
        self.setFocusProxy(self.field)
        self.dice = IconButton("dices", "Draw a seed and keep it")
        self._clear = IconButton("rotate-ccw", "Draw a new seed each time")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(beside(self.field, self.dice, self._clear))
        self.field.changed.connect(self._on_changed)
        # Six digits: easy to read out and to type again, and more than enough of them.
        self.dice.clicked.connect(lambda: self.field.choose(random.SystemRandom().randrange(1, 1_000_000)))
        self._clear.clicked.connect(lambda: self.field.choose(None))
        self._clear.setEnabled(False)

    def value(self) -> object:
        return self.field.number

    def set_value(self, value: object) -> None:
        self.field.set_number(value if isinstance(value, int) else None)
        self._clear.setEnabled(value is not None)

    def _on_changed(self) -> None:
        self._clear.setEnabled(self.field.number is not None)
        self.changed.emit()


class SwitchEditor(SettingEditor):
    """On or off."""

    def __init__(self, row: Setting, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.box = QCheckBox(row.label)
        self.box.setToolTip(row.help)
        self.box.setAccessibleName(row.label)
        self.box.setAccessibleDescription(row.help)
        self.setFocusProxy(self.box)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.box)
        self.box.toggled.connect(self.changed)

    def value(self) -> object:
        return self.box.isChecked()

    def set_value(self, value: object) -> None:
        blocked = self.box.blockSignals(True)
        self.box.setChecked(value is True)
        self.box.blockSignals(blocked)


class PromptEdit(QPlainTextEdit):
    """A few lines of text; Tab goes on to the next control."""

    left = Signal()

    def __init__(self, row: Setting) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.setPlaceholderText("You are …")
        self.setToolTip(row.help)
        self.setAccessibleName(row.label)
        self.setAccessibleDescription(row.help)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)

    def sizeHint(self) -> QSize:
        return QSize(200, self.fontMetrics().lineSpacing() * 4 + 20)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+Enter belongs to the window: it sends."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            event.ignore()
            return
        super().keyPressEvent(event)


class TextEditor(SettingEditor):
    """A text of some lines, reported when the typing pauses."""

    def __init__(self, row: Setting, parent: QWidget | None = None) -> None:
        super().__init__(row, parent)
        self.edit = PromptEdit(row)
        self.setFocusProxy(self.edit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.edit)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self.changed)
        self.edit.textChanged.connect(self._pause.start)
        self.edit.left.connect(self._on_left)

    def value(self) -> object:
        return self.edit.toPlainText()

    def set_value(self, value: object) -> None:
        text = value if isinstance(value, str) else ""
        if text == self.edit.toPlainText():
            return
        blocked = self.edit.blockSignals(True)
        self.edit.setPlainText(text)
        self.edit.blockSignals(blocked)

    def _on_left(self) -> None:
        if self._pause.isActive():
            self._pause.stop()
            self.changed.emit()


def make_editor(row: Setting) -> SettingEditor:
    """The editor for a row of the settings table."""
    made = {Kind.TEXT: TextEditor, Kind.SWITCH: SwitchEditor, Kind.SEED: SeedEditor}
    return made.get(row.kind, NumberEditor)(row)
