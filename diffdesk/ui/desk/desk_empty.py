"""What the desk shows before the first page: the one thing to do, what it does, and a sample one click away."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from diffdesk.ui.empty_page import EmptyPage
from diffdesk.ui.icons import icon, pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.theme import Theme, ThemeKeeper

TITLE = "Drop images, PDFs or a folder here"
TEXT = "Scans and photos of text become clean text: read, corrected, and checked by you."
WIDEST = 640
NARROW = 560
STEPS = (
    ("scan-text", "Read", "A recogniser reads each page, here and nowhere else."),
    ("spell-check", "Correct", "The model proposes corrections and says how sure it is."),
    ("eye", "Review", "You accept or reject each change beside the page."),
    ("download", "Export", "As text, Word, or a searchable PDF. Originals stay as they are."),
)


class DropCard(QFrame):
    """The dashed field that says what may be dropped."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        theme, px = self._themes.theme, self._themes.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(theme.border_strong), 1.5)
        pen.setDashPattern([4, 4])
        painter.setPen(pen)
        painter.setBrush(QColor(theme.raised))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), px(12), px(12))
        painter.end()


class DeskEmpty(EmptyPage):
    """See the module."""

    add_requested = Signal()
    add_folder_requested = Signal()
    screenshot_requested = Signal()
    sample_requested = Signal()

    def __init__(self, themes: ThemeKeeper) -> None:
        super().__init__(themes, "Empty desk", "image-plus", widest=WIDEST, narrow=NARROW)
        self.title.setText(TITLE)
        self.text.setText(TEXT)
        self.add_button = QPushButton(" Add files…")
        self.folder_button = QPushButton(" Add a folder…")
        self.screenshot_button = QPushButton(" Screenshot")
        self.sample_button = QPushButton("Try a sample page")
        self.add_button.setProperty("kind", "primary")
        self.sample_button.setProperty("kind", "quiet")
        for button in (self.add_button, self.folder_button, self.screenshot_button):
            button.setAccessibleName(button.text().strip())
        self._marks: list[tuple[str, QLabel]] = []
        self._build()
        self.add_button.clicked.connect(self.add_requested)
        self.folder_button.clicked.connect(self.add_folder_requested)
        self.screenshot_button.clicked.connect(self.screenshot_requested)
        self.sample_button.clicked.connect(self.sample_requested)
        self.dress(themes.theme)

    def _build(self) -> None:
        card = DropCard(self._themes)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(24, 32, 24, 24)
        inside.setSpacing(8)
        self.add_head(inside, self.add_button, self.folder_button, self.screenshot_button)
        inside.addWidget(self.sample_button, 0, Qt.AlignmentFlag.AlignHCenter)
        self._steps = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._steps.setSpacing(16)
        for symbol, name, text in STEPS:
            self._steps.addLayout(self._step(symbol, name, text), 1)
        self.column.setSpacing(24)
        self.column.addStretch(2)
        self.column.addWidget(card)
        self.column.addLayout(self._steps)
        self.column.addStretch(3)

    def _step(self, symbol: str, name: str, text: str) -> QVBoxLayout:
        mark = QLabel()
        self._marks.append((symbol, mark))
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(mark)
        head.addWidget(label(name, "strong"))
        head.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(label(text, "small", is_wrapped=True))
        column.addStretch(1)
        return column

    def dress(self, theme: Theme) -> None:
        super().dress(theme)
        side, density = self._themes.px(16), self.devicePixelRatioF()
        for symbol, mark in self._marks:
            mark.setPixmap(pixmap(symbol, theme.accent, side, density))
        self.add_button.setIcon(icon("plus", theme.accent_text))
        self.folder_button.setIcon(icon("folder-open", theme.text))
        self.screenshot_button.setIcon(icon("camera", theme.text))

    def fit(self) -> None:
        super().fit()
        way = QBoxLayout.Direction.TopToBottom if self.is_narrow else QBoxLayout.Direction.LeftToRight
        self._steps.setDirection(way)
