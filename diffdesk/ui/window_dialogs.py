"""The questions that the window asks in dialogs: for files, folders and links. None of them blocks.

They hand back what was chosen and do nothing with it, but for a link that the user wants opened.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QWidget

from diffdesk import __version__
from diffdesk.documents.formats import PAGE_SUFFIXES, SUFFIXES

MODEL_FILTER = "GGUF models (*.gguf *.GGUF);;All files (*)"
PAGE_FILTER = f"Images and PDF files ({' '.join('*' + suffix for suffix in PAGE_SUFFIXES)});;All files (*)"
IMAGE_FILTER = f"Images ({' '.join('*' + suffix for suffix in SUFFIXES)});;All files (*)"


def ask_images(parent: QWidget, then: Callable[[list[Path]], None]) -> QFileDialog:
    """Ask for image files."""
    return _ask_files(parent, "Add images", IMAGE_FILTER, then)


def ask_pages(parent: QWidget, then: Callable[[list[Path]], None]) -> QFileDialog:
    """Ask for images and PDF files."""
    return _ask_files(parent, "Add pages", PAGE_FILTER, then)


def _ask_files(parent: QWidget, title: str, kinds: str, then: Callable[[list[Path]], None]) -> QFileDialog:
    dialog = QFileDialog(parent, title, "", kinds)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.filesSelected.connect(lambda names: then([Path(one) for one in names]))
    dialog.open()
    return dialog


def ask_model_file(parent: QWidget, start: Path | None, then: Callable[[Path], None]) -> QFileDialog:
    """Ask for a model that is one file, beginning in the folder `start`."""
    dialog = QFileDialog(parent, "Open a GGUF file", str(start or ""), MODEL_FILTER)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda name: then(Path(name)))
    dialog.open()
    return dialog


def ask_folder(parent: QWidget, start: Path | None, then: Callable[[Path], None]) -> QFileDialog:
    """Ask for a model's folder, beginning in the folder `start`."""
    return _ask_folder(parent, "Open a model folder", start, then)


def ask_folder_of_pages(parent: QWidget, then: Callable[[Path], None]) -> QFileDialog:
    """Ask for a folder with images and PDF files."""
    return _ask_folder(parent, "Add a folder of pages", None, then)


def _ask_folder(parent: QWidget, title: str, start: Path | None, then: Callable[[Path], None]) -> QFileDialog:
    dialog = QFileDialog(parent, title, str(start or ""))
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda name: then(Path(name)))
    dialog.open()
    return dialog


def ask_export(parent: QWidget, title: str, then: Callable[[Path], None]) -> QFileDialog:
    """Ask where to save a conversation; the name offered is its title, as far as files may be called so."""
    safe = "".join(one if one.isalnum() or one in " -_," else "-" for one in title).strip()[:80]
    dialog = QFileDialog(parent, "Save conversation as Markdown", f"{safe or 'Conversation'}.md", "Markdown (*.md)")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("md")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda name: then(Path(name)))
    dialog.open()
    return dialog


def is_web_address(address: str) -> bool:
    """Whether a browser may be asked to open it: http and https with a host, nothing else."""
    url = QUrl(address)
    return url.isValid() and url.scheme().lower() in ("http", "https") and bool(url.host())


def ask_link(parent: QWidget, address: str) -> QMessageBox:
    """Ask before a link is opened, for a model wrote the address; what is no web address can only be copied."""
    can_open = is_web_address(address)
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setWindowTitle("Open a link")
    box.setText("Open this page in your browser?" if can_open else "This link can't be opened from here")
    box.setInformativeText(f"{address[:400]}\n\n" + ("The answer wrote this address." if can_open else ""))
    copy = box.addButton("Copy address", QMessageBox.ButtonRole.ActionRole)
    copy.clicked.connect(lambda: QApplication.clipboard().setText(address))
    if can_open:
        opener = box.addButton("Open in browser", QMessageBox.ButtonRole.AcceptRole)
        opener.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(address)))
    box.addButton("Cancel" if can_open else "Close", QMessageBox.ButtonRole.RejectRole)
    box.open()
    return box


def say_about(parent: QWidget) -> QMessageBox:
    """Say what this is."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle("About DiffDesk")
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(f"DiffDesk {__version__}")
    box.setInformativeText(
        "Local, offline use of DiffusionGemma, a language model that writes by denoising.\n\n"
        "Nothing leaves this machine. Apache License 2.0; icons by Lucide (ISC)."
    )
    box.open()
    return box
