"""The field for what is to be done with each row. Knows nothing of presets and rows."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QWidget

from diffdesk.ui.rewrite.enter_edit import EnterEdit

TYPING_PAUSE_MS = 400


class InstructionEdit(EnterEdit):
    """One line or two, scrolled where there is more; Enter is done with it."""

    typed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Instruction", parent)
        self.setPlaceholderText("What is to be done with each row? Choose a preset, or say it in your own words.")
        self.document().setDocumentMargin(2)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._pause = QTimer(self, interval=TYPING_PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self.typed)
        self._is_told = False
        self.textChanged.connect(self._on_text_changed)
        self.taken.connect(self.flush)

    def show_text(self, text: str) -> None:
        """Show a text that nobody has typed."""
        if text != self.toPlainText():
            self._is_told = True
            self.setPlainText(text)
            self._is_told = False

    def select(self, words: str) -> None:
        """Mark words, to be typed over."""
        found = self.document().find(words)
        if not found.isNull():
            self.setTextCursor(found)
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def flush(self) -> None:
        """Report what was typed now, if it has not been."""
        if self._pause.isActive():
            self._pause.stop()
            self.typed.emit()

    def fit(self, lines: int, font: QFont, padding: int) -> None:
        """As high as `lines` lines of `font` with `padding` above and below them in all."""
        around = 2 * round(self.document().documentMargin()) + 4 * lines
        self.setFixedHeight(lines * QFontMetrics(font).lineSpacing() + around + padding)

    def sizeHint(self) -> QSize:
        return QSize(240, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.height())

    def _on_text_changed(self) -> None:
        if not self._is_told:
            self._pause.start()
