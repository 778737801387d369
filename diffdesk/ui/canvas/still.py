"""Parts that may change many times a second without making the layout around them work again."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from diffdesk.ui.theme import ThemeKeeper


class StillLabel(QWidget):
    """Quiet text that never asks for another size while it changes; what doesn't fit ends in an ellipsis.

    `aside` stands at the right end if there is room for it, else `short_aside`, else nothing does.
    """

    def __init__(self, themes: ThemeKeeper, *, size: float = 1.0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._size = size
        self._lines = 1
        self._text = self._aside = self._short_aside = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        themes.theme_changed.connect(self._measure)
        self._measure()

    def text(self) -> str:
        """What it says."""
        return self._text

    def set_text(self, text: str, aside: str = "", short_aside: str = "") -> None:
        """Say something else."""
        if (text, aside, short_aside) != (self._text, self._aside, self._short_aside):
            self._text, self._aside, self._short_aside = text, aside, short_aside
            self.setAccessibleName(f"{text}, {aside}" if aside else text)
            self.update()

    def set_lines(self, lines: int) -> None:
        """Keep room for this many lines and wrap."""
        if lines != self._lines:
            self._lines = lines
            self._measure()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._themes.font(self._size))
        painter.setPen(QColor(self._themes.theme.text_muted))
        metrics = painter.fontMetrics()
        if self._lines > 1:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap, self._text)
            return
        middle = Qt.AlignmentFlag.AlignVCenter
        room = self.width() - metrics.horizontalAdvance(self._text) - 2 * metrics.averageCharWidth()
        for aside in (self._aside, self._short_aside):
            if aside and metrics.horizontalAdvance(aside) <= room:
                painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignRight, aside)
                break
        shown = metrics.elidedText(self._text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignLeft, shown)

    def _measure(self) -> None:
        self.setFixedHeight(self._lines * QFontMetrics(self._themes.font(self._size)).lineSpacing())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(80, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.height())


class FrozenColumn(QWidget):
    """Widgets below each other that don't change any more; each is measured once for a width."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._widgets: list[QWidget] = []
        self._gap = 8
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(0)

    def set_gap(self, pixels: int) -> None:
        """The distance between two widgets, and below the last one."""
        self._gap = pixels
        self._place(0)

    def add(self, widget: QWidget) -> None:
        """Put a widget below the last one."""
        widget.setParent(self)
        self._widgets.append(widget)
        self._place(len(self._widgets) - 1)
        widget.show()

    def clear(self) -> None:
        """Remove all widgets."""
        for widget in self._widgets:
            widget.hide()
            widget.deleteLater()
        self._widgets.clear()
        self._place(0)

    def _place(self, first: int) -> None:
        """Set widgets from `first` on below the ones before it."""
        top = 0
        if first:
            last = self._widgets[first - 1]
            top = last.y() + last.height() + self._gap
        for widget in self._widgets[first:]:
            widget.ensurePolished()
            height = widget.heightForWidth(self.width()) if widget.hasHeightForWidth() else widget.sizeHint().height()
            widget.setGeometry(0, top, self.width(), height)
            top += height + self._gap
        self.setFixedHeight(top)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._place(0)
