"""The dialog that lists the keys."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from diffdesk.ui.keys import KEYS, Key
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper


def spoken_keys(key: Key) -> str:
    """The keys as the platform writes them; of several spellings of the same key, the first."""
    shown = key.keys if key.name == "" else key.keys[:1]
    native = QKeySequence.SequenceFormat.NativeText
    return " or ".join(QKeySequence(one).toString(native) for one in shown)


class KeysDialog(QDialog):
    """All keys, by group."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        body = QWidget()
        body.setObjectName("keysBody")
        grid = QGridLayout(body)
        grid.setContentsMargins(24, 16, 24, 16)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        group = ""
        for key in KEYS:
            if key.group != group:
                group = key.group
                heading = label(group, "heading")
                heading.setContentsMargins(0, 8, 0, 2)
                grid.addWidget(heading, grid.rowCount(), 0, 1, 2)
            row = grid.rowCount()
            spoken = label(spoken_keys(key), "key", is_wrapped=True)
            grid.addWidget(spoken, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label(key.text, "body", is_wrapped=True), row, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)
        grid.setRowStretch(grid.rowCount(), 1)
        area = QScrollArea()
        area.setWidget(body)
        area.setWidgetResizable(True)
        area.setAccessibleName("Keys")
        area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        foot = QHBoxLayout()
        foot.setContentsMargins(24, 8, 24, 16)
        foot.addWidget(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(area, 1)
        column.addLayout(foot)
        scale_spacing(self, themes.zoom)
        self.resize(themes.px(500), themes.px(600))
