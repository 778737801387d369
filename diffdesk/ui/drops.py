"""What may be dropped on the window, the sheet that says so while something hovers over it, and the drop itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QDragMoveEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from diffdesk.documents.formats import SUFFIXES, TABLE_SUFFIXES
from diffdesk.ui.composer_edit import offered_images
from diffdesk.ui.icons import pixmap
from diffdesk.ui.theme import ThemeKeeper

_PDF = ".pdf"


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was dropped: a model (its folder or GGUF file), images and other files with pages on them, or text.

    Attributes:
        images: files or PNG data, with the images of folders in their place; without PDF files.
        sources: the same as it was dropped, folders and PDF files as they are.
        at: where, in the window.
    """

    model: Path | None = None
    images: tuple[Path | bytes, ...] = ()
    sources: tuple[Path | bytes, ...] = ()
    text: str = ""
    at: QPoint = field(default_factory=QPoint)

    @property
    def has_pdf(self) -> bool:
        """Whether a PDF file is among it."""
        return any(isinstance(one, Path) and one.suffix.lower() == _PDF for one in self.sources)

    @property
    def noun(self) -> str:
        """What one of the sources is called, as exactly as all of them allow."""
        folders = sum(isinstance(one, Path) and one.is_dir() for one in self.sources)
        if folders:
            return "folder" if folders == len(self.sources) else "item"
        return "file" if self.has_pdf else "image"

    @property
    def is_table(self) -> bool:
        """Whether all of it are files of tables."""
        files = [one for one in self.sources if isinstance(one, Path) and one.suffix.lower() in TABLE_SUFFIXES]
        return bool(files) and len(files) == len(self.sources)


def is_droppable(data: QMimeData) -> bool:
    """Whether anything can be made of it."""
    return data.hasImage() or any(url.isLocalFile() for url in data.urls()) or data.hasText()


def sort_drop(data: QMimeData, at: QPoint) -> Dropped:
    """A GGUF file is a model, and so is a folder with one or with a config.json. Another folder stands for the images
    in it; other files are offered as they are, since whether they are images is not told by their names.
    """
    images: list[Path | bytes] = []
    sources = offered_images(data)
    for one in sources:
        if isinstance(one, Path) and one.is_dir():
            inside = sorted(file for file in one.iterdir() if file.is_file())
            if any(file.name == "config.json" or _is_model(file) for file in inside):
                return Dropped(model=one, at=at)
            images.extend(file for file in inside if file.suffix.lower() in SUFFIXES)
        elif isinstance(one, Path) and _is_model(one):
            return Dropped(model=one, at=at)
        elif not isinstance(one, Path) or one.suffix.lower() != _PDF:
            images.append(one)
    if sources:
        return Dropped(images=tuple(images), sources=tuple(sources), at=at)
    return Dropped(text=data.text() if data.hasText() and not data.hasUrls() else "", at=at)


def _is_model(file: Path) -> bool:
    return file.suffix.lower() == ".gguf"


class DropSheet(QWidget):
    """Covers its parent while something that can be dropped hovers over it, and says what that may be."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget) -> None:
        super().__init__(parent)
        self._text, self._symbol = "", ""
        self._covered = parent
        self._themes = themes
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Drop here")
        self.hide()

    def set_words(self, text: str, symbol: str) -> None:
        """What may be dropped, and the name of an icon for it."""
        self._text, self._symbol = text, symbol

    def show_over(self) -> None:
        """Cover the parent."""
        self.setGeometry(self._covered.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        theme, px = self._themes.theme, self._themes.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(theme.surface)
        veil.setAlphaF(0.93)
        painter.fillRect(self.rect(), veil)
        painter.setPen(QPen(QColor(theme.accent), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(px(16), px(16), -px(16), -px(16)), px(12), px(12))
        side = px(40)
        middle = self.rect().center()
        mark = pixmap(self._symbol, theme.accent, side, self.devicePixelRatioF())
        painter.drawPixmap(middle.x() - side // 2, middle.y() - side - px(8), mark)
        painter.setPen(QColor(theme.text))
        painter.setFont(self._themes.font(1.15, is_bold=True))
        below = self.rect().adjusted(px(24), middle.y() + px(8), -px(24), 0)
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(below, flags, self._text)
        painter.end()


class DropTarget(QObject):
    """Takes drops anywhere on a window. `dropped(Dropped)` comes once for each."""

    dropped = Signal(object)

    def __init__(self, themes: ThemeKeeper, window: QWidget, covered: QWidget) -> None:
        super().__init__(window)
        self.sheet = DropSheet(themes, covered)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if isinstance(event, QDropEvent) and kind == QEvent.Type.Drop:
            self.sheet.hide()
            event.acceptProposedAction()
            self.dropped.emit(sort_drop(event.mimeData(), event.position().toPoint()))
            return True
        if isinstance(event, QDragMoveEvent) and (self.sheet.isVisible() or is_droppable(event.mimeData())):
            event.acceptProposedAction()
            self.sheet.show_over()
            return True
        if kind == QEvent.Type.DragLeave:
            self.sheet.hide()
        elif kind == QEvent.Type.Resize and self.sheet.isVisible():
            self.sheet.show_over()
        return super().eventFilter(watched, event)
