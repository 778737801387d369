"""The questions that the rewriter asks in dialogs: for a table, a place to save one, a name. None of them blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from diffdesk.documents.formats import TABLE_SUFFIXES

_LINES = (".txt", ".log")
TABLE_FILTER = f"Tables and lines ({' '.join('*' + suffix for suffix in (*TABLE_SUFFIXES, *_LINES))});;All files (*)"


def ask_table(parent: QWidget, then: Callable[[Path], None]) -> QFileDialog:
    """Ask for a table's file."""
    dialog = QFileDialog(parent, "Open a table", "", TABLE_FILTER)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda name: then(Path(name)))
    dialog.open()
    return dialog


def ask_target(parent: QWidget, name: str, then: Callable[[Path], None]) -> QFileDialog:
    """Ask where to save a table; the name offered is that of its file, marked as rewritten."""
    offered = Path(name)
    suffix = offered.suffix
    kind = f"{suffix[1:].upper()} (*{suffix})" if suffix else "All files (*)"
    dialog = QFileDialog(parent, "Save the rewritten table", f"{offered.stem}.rewritten{suffix}", kind)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix[1:])
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda chosen: then(Path(chosen)))
    dialog.open()
    return dialog


def ask_preset_name(parent: QWidget, then: Callable[[str], None]) -> QInputDialog:
    """Ask what to call an instruction that is kept."""
    dialog = QInputDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle("Keep as a preset")
    dialog.setLabelText("Name of the preset:")
    dialog.setInputMode(QInputDialog.InputMode.TextInput)
    dialog.textValueSelected.connect(lambda name: then(name.strip()) if name.strip() else None)
    dialog.open()
    return dialog
