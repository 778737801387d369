"""The change in hand, large: before → after, struck out and underlined. Draws what it is given."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from diffdesk.ui.theme import ThemeKeeper

SIZE = 1.25


class ChangeLabel(QWidget):
    """A line of text in up to two parts with an arrow between them; what doesn't fit ends in an ellipsis."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._before = self._after = ""
        self._is_struck = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        themes.theme_changed.connect(self._on_theme_changed)

    def show_change(self, before: str, after: str, *, is_struck: bool) -> None:
        """`before` → `after`; struck if it doesn't stand in the text any more."""
        self._before, self._after, self._is_struck = before, after, is_struck
        self.setAccessibleName(f"{before or 'nothing'} becomes {after or 'nothing'}")
        self.update()

    def show_word(self, text: str) -> None:
        """A word to which nothing is proposed."""
        self._before, self._after, self._is_struck = text, "", False
        self.setAccessibleName(text)
        self.update()

    @property
    def text(self) -> str:
        """What it says."""
        return f"{self._before} → {self._after}" if self._after or self._is_struck else self._before

    def sizeHint(self) -> QSize:
        return QSize(self._themes.px(120), round(QFontMetricsF(self._font()).height() + self._themes.px(4)))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._themes.px(80), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        theme, px = self._themes.theme, self._themes.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = QFontMetricsF(self._font())
        has_change = bool(self._after or self._is_struck)
        arrow = metrics.horizontalAdvance("→") + 2 * px(8)
        room = self.width() - (arrow if has_change else 0)
        elide = Qt.TextElideMode.ElideMiddle
        if not has_change:
            self._part(painter, 0, metrics.elidedText(self._before, elide, room), theme.text, "")
            return
        before, after = self._before or "nothing", self._after or "nothing"
        left, right = metrics.horizontalAdvance(before), metrics.horizontalAdvance(after)
        if left + right > room:
            half = room / 2
            left_room = max(half, room - right) if right < half else min(left, half)
            before = metrics.elidedText(before, elide, left_room)
            left = metrics.horizontalAdvance(before)
            after = metrics.elidedText(after, elide, room - left)
        muted = theme.text_muted
        x = self._part(painter, 0, before, theme.deletion if self._before else muted, "gone" if self._is_struck else "")
        painter.setPen(QColor(muted))
        painter.drawText(QPointF(x + px(8), self._baseline()), "→")
        self._part(painter, x + arrow, after, theme.insertion if self._after else muted, "come" if self._after else "")

    def _part(self, painter: QPainter, left: float, text: str, colour: str, mark: str) -> float:
        metrics = QFontMetricsF(self._font())
        wide = metrics.horizontalAdvance(text)
        painter.setFont(self._font())
        painter.setPen(QColor(colour))
        base = self._baseline()
        painter.drawText(QPointF(left, base), text)
        if mark:
            painter.setPen(QPen(QColor(colour), self._themes.px(1.5)))
            y = base - metrics.strikeOutPos() if mark == "gone" else base + self._themes.px(3)
            painter.drawLine(QPointF(left, y), QPointF(left + wide, y))
        return QRectF(left, 0, wide, 1).right()

    def _baseline(self) -> float:
        metrics = QFontMetricsF(self._font())
        return (self.height() - metrics.height()) / 2 + metrics.ascent()

    def _font(self) -> QFont:
        font = self._themes.font(SIZE)
        font.setWeight(QFont.Weight.Medium)
        return font

    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()
