"""The text field of the composer: grows with its text, sends on Enter, takes images from the clipboard.

Knows nothing of what becomes of a text once it is submitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QImage,
    QImageWriter,
    QInputMethodEvent,
    QKeyEvent,
    QResizeEvent,
    QTextCursor,
)
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

MOST_LINES = 10


def offered_images(data: QMimeData) -> list[Path | bytes]:
    """What a paste or a drop offers besides text: files by their paths, else picture data as PNG."""
    paths: list[Path | bytes] = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    if paths:
        return paths
    if data.hasImage():
        picture = data.imageData()
        if isinstance(picture, QImage) and not picture.isNull():
            return [png_bytes(picture)]
    return []


def png_bytes(picture: QImage) -> bytes:
    """A picture as a PNG file."""
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(picture)
    buffer.close()
    return bytes(content.data())


class ComposerEdit(QPlainTextEdit):
    """A plain text of one to ten lines.

    Signals:
        submitted(): Enter was pressed, and no input method was composing.
        images_offered(list): pasted files (`Path`) or picture data (PNG `bytes`).
        focus_changed(bool): the keyboard came or went.
        rewrite_requested(): of the selected part, from the menu.
    """

    submitted = Signal()
    images_offered = Signal(object)
    focus_changed = Signal(bool)
    rewrite_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "bare")
        self.setAccessibleName("Message")
        self.setAccessibleDescription("Enter sends, Shift and Enter break the line.")
        self.setTabChangesFocus(True)
        self.setAcceptDrops(False)  # the whole window takes drops
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(2)
        self._is_composing = False
        self._history: list[str] = []
        self._place_in_history = 0
        self._unsent = ""
        self.textChanged.connect(self.fit)
        self.fit()

    # --- history --------------------------------------------------------------------------------------

    def set_history(self, prompts: Sequence[str]) -> None:
        """Earlier prompts, first to last."""
        self._history = [one for one in prompts if one]
        self._place_in_history = len(self._history)

    def remember(self, prompt: str) -> None:
        """One more prompt was sent."""
        if prompt and (not self._history or self._history[-1] != prompt):
            self._history.append(prompt)
        self._place_in_history = len(self._history)

    def _walk_history(self, step: int) -> None:
        place = self._place_in_history + step
        if not 0 <= place <= len(self._history):
            return
        if self._place_in_history == len(self._history):
            self._unsent = self.toPlainText()
        self._place_in_history = place
        self.set_text(self._unsent if place == len(self._history) else self._history[place])

    # --- text and size --------------------------------------------------------------------------------

    @property
    def is_composing(self) -> bool:
        """Whether an input method has text that is not yet final."""
        return self._is_composing

    def set_text(self, text: str) -> None:
        """Show `text` with the cursor at its end. Can be undone."""
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.setTextCursor(cursor)

    def append_text(self, text: str) -> None:
        """Add `text` as paragraphs of its own, with the cursor after it. Can be undone."""
        cursor = self.textCursor()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        before = self.toPlainText().strip()
        cursor.insertText(f"\n\n{text}" if before else f"{text}\n\n")
        self.setTextCursor(cursor)

    def fit(self) -> None:
        """As high as the text, from one line to ten."""
        line = self.fontMetrics().lineSpacing()
        lines = min(MOST_LINES, max(1, self._visual_lines()))
        self.setFixedHeight(line * lines + 12)
        policy = Qt.ScrollBarPolicy
        is_full = self._visual_lines() > MOST_LINES
        self.setVerticalScrollBarPolicy(policy.ScrollBarAsNeeded if is_full else policy.ScrollBarAlwaysOff)

    def _visual_lines(self) -> int:
        # A plain text's document measures in lines.
        if self.document().blockCount() > MOST_LINES:
            return self.document().blockCount()
        return max(1, round(self.document().size().height()))

    def sizeHint(self) -> QSize:
        return QSize(200, self.height())

    # --- Qt -------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter submits unless an input method is composing; Alt with the arrows walks the earlier prompts."""
        modifiers = event.modifiers()
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        breaking = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier
        if is_enter and not modifiers & breaking:
            if not self._is_composing:
                self.submitted.emit()
            return
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and modifiers & Qt.KeyboardModifier.AltModifier:
            self._walk_history(-1 if event.key() == Qt.Key.Key_Up else 1)
            return
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            event.ignore()
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The usual menu, and what can be done with a selected part."""
        menu = self.createStandardContextMenu()
        if self.textCursor().hasSelection() and not self.isReadOnly():
            menu.addSeparator()
            menu.addAction("Rewrite this part…", self.rewrite_requested.emit)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        super().inputMethodEvent(event)
        self._is_composing = bool(event.preeditString())

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasImage() or source.hasUrls() or source.hasText()

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Files and pictures are offered as images, everything else is pasted as plain text."""
        offered = offered_images(source)
        if offered:
            self.images_offered.emit(offered)
        elif source.hasText():
            self.insertPlainText(source.text())

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._is_composing = False
        self.focus_changed.emit(False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()
