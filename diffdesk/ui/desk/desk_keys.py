"""The keys of the desk and what they do. For people they are listed in `ui.keys`."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

_SHIFT, _CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
_K = Qt.Key

LETTERS: dict[tuple[Qt.Key, Qt.KeyboardModifier], str] = {
    (_K.Key_J, Qt.KeyboardModifier.NoModifier): "next_change",
    (_K.Key_K, Qt.KeyboardModifier.NoModifier): "previous_change",
    (_K.Key_W, Qt.KeyboardModifier.NoModifier): "next_doubt",
    (_K.Key_W, _SHIFT): "previous_doubt",
    (_K.Key_A, Qt.KeyboardModifier.NoModifier): "accept",
    (_K.Key_R, Qt.KeyboardModifier.NoModifier): "reject",
    (_K.Key_E, Qt.KeyboardModifier.NoModifier): "edit",
    (_K.Key_U, Qt.KeyboardModifier.NoModifier): "undo",
    (_K.Key_U, _SHIFT): "redo",
    (_K.Key_Z, _CTRL): "undo",
    (_K.Key_Z, _CTRL | _SHIFT): "redo",
    (_K.Key_N, Qt.KeyboardModifier.NoModifier): "next_page",
    (_K.Key_P, Qt.KeyboardModifier.NoModifier): "previous_page",
    (_K.Key_Plus, Qt.KeyboardModifier.NoModifier): "zoom_in",
    (_K.Key_Plus, _SHIFT): "zoom_in",
    (_K.Key_Equal, Qt.KeyboardModifier.NoModifier): "zoom_in",
    (_K.Key_Minus, Qt.KeyboardModifier.NoModifier): "zoom_out",
    (_K.Key_0, Qt.KeyboardModifier.NoModifier): "zoom_toggle",
}
"""Anywhere on the desk where nothing is being typed."""

MOVES: dict[tuple[Qt.Key, Qt.KeyboardModifier], str] = {
    (_K.Key_Down, Qt.KeyboardModifier.NoModifier): "next_change",
    (_K.Key_Up, Qt.KeyboardModifier.NoModifier): "previous_change",
    (_K.Key_PageDown, Qt.KeyboardModifier.NoModifier): "next_page",
    (_K.Key_PageUp, Qt.KeyboardModifier.NoModifier): "previous_page",
    (_K.Key_Return, Qt.KeyboardModifier.NoModifier): "go_on",
    (_K.Key_Enter, Qt.KeyboardModifier.NoModifier): "go_on",
}
"""Only in the image and the text: elsewhere they belong to lists and buttons."""


def action_of(event: QKeyEvent, *, is_reading: bool) -> str:
    """What a key does; empty for nothing. `is_reading`: the keyboard is in the image or the text."""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    pressed = (Qt.Key(event.key()), modifiers)
    found = LETTERS.get(pressed, "")
    return found or (MOVES.get(pressed, "") if is_reading else "")
