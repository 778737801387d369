"""What the desk shows before the first page: the one thing to do, what it does, and a sample one click away."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from diffdesk.ui.icons import icon, pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper

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


class DeskEmpty(QScrollArea):
    """See the module."""

    add_requested = Signal()
    add_folder_requested = Signal()
    screenshot_requested = Signal()
    sample_requested = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setProperty("kind", "page")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Empty desk")
        self._mark = QLabel()
        self._title = label("Drop images, PDFs or a folder here", "title", is_wrapped=True)
        self._text = label(
            "Scans and photos of text become clean text: read, corrected, and checked by you.", "muted", is_wrapped=True
        )
        self.add_button = QPushButton(" Add files…")
        self.folder_button = QPushButton(" Add a folder…")
        self.screenshot_button = QPushButton(" Screenshot")
        self.sample_button = QPushButton("Try a sample page")
        self.add_button.setProperty("kind", "primary")
        self.sample_button.setProperty("kind", "quiet")
        self._marks: list[tuple[str, QLabel]] = []
        self._build()
        self.add_button.clicked.connect(self.add_requested)
        self.folder_button.clicked.connect(self.add_folder_requested)
        self.screenshot_button.clicked.connect(self.screenshot_requested)
        self.sample_button.clicked.connect(self.sample_requested)
        themes.theme_changed.connect(self._dress)
        self._dress()

    def _build(self) -> None:
        centre = Qt.AlignmentFlag.AlignHCenter
        for one in (self._title, self._text):
            one.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._buttons = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._buttons.setSpacing(8)
        for button in (self.add_button, self.folder_button, self.screenshot_button):
            self._buttons.addWidget(button)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addLayout(self._buttons)
        across.addStretch(1)
        card = DropCard(self._themes)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(24, 32, 24, 24)
        inside.setSpacing(8)
        inside.addWidget(self._mark, 0, centre)
        inside.addSpacing(8)
        inside.addWidget(self._title)
        inside.addWidget(self._text)
        inside.addSpacing(16)
        inside.addLayout(across)
        inside.addWidget(self.sample_button, 0, centre)
        self._steps = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._steps.setSpacing(16)
        for symbol, name, text in STEPS:
            self._steps.addLayout(self._step(symbol, name, text), 1)
        self._inner = QWidget()
        column = QVBoxLayout(self._inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(24)
        column.addStretch(2)
        column.addWidget(card)
        column.addLayout(self._steps)
        column.addStretch(3)
        page = QWidget()
        page.setProperty("kind", "page")
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        outer = QHBoxLayout(page)
        outer.setContentsMargins(24, 24, 24, 24)
        outer.addStretch(1)
        outer.addWidget(self._inner, 100)
        outer.addStretch(1)
        self.setWidget(page)

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

    def _dress(self) -> None:
        theme, px = self._themes.theme, self._themes.px
        density = self.devicePixelRatioF()
        self._mark.setPixmap(pixmap("image-plus", theme.accent, px(40), density))
        for symbol, mark in self._marks:
            mark.setPixmap(pixmap(symbol, theme.accent, px(16), density))
        self.add_button.setIcon(icon("plus", theme.accent_text))
        self.folder_button.setIcon(icon("folder-open", theme.text))
        self.screenshot_button.setIcon(icon("camera", theme.text))
        self._inner.setMaximumWidth(px(WIDEST))
        scale_spacing(self, self._themes.zoom)
        self._fit(self.viewport().width())

    def _fit(self, width: int) -> None:
        is_narrow = width < self._themes.px(NARROW)
        way = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        self._buttons.setDirection(way)
        self._steps.setDirection(way)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit(event.size().width())
