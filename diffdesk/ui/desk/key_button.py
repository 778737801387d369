"""A button that shows the key that does the same, as a small key cap after its text."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPaintEvent, QPen
from PySide6.QtWidgets import QPushButton, QStyle, QStyleOptionButton, QStylePainter, QWidget

from diffdesk.ui.theme import ThemeKeeper


class KeyButton(QPushButton):
    """See the module. The key is shown and said; whoever owns the button binds it."""

    def __init__(
        self, themes: ThemeKeeper, text: str, key: str, *, kind: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._themes = themes
        self._key = ""
        self._is_primary = kind == "primary"
        if kind:
            self.setProperty("kind", kind)
        self.set_text(text, key)
        themes.theme_changed.connect(self._on_theme_changed)

    def set_text(self, text: str, key: str) -> None:
        """Say something else, done by another key."""
        if (text, key) != (self.text(), self._key):
            self._key = key
            self.setText(text)
            self.setAccessibleName(text)
            self.setAccessibleDescription(f"Key {key}")
            self.setToolTip(f"{text} ({key})")
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        size = super().sizeHint()
        return QSize(size.width() + self._cap_width() + self._themes.px(8), size.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The style draws the button, this its text and the cap beside it."""
        del event
        theme, px = self._themes.theme, self._themes.px
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = ""
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        painter.setRenderHint(QStylePainter.RenderHint.Antialiasing)
        is_on = self.isEnabled()
        ink = QColor((theme.accent_text if self._is_primary else theme.text) if is_on else theme.text_muted)
        metrics = self.fontMetrics()
        cap, gap = self._cap_width(), px(8)
        wide = metrics.horizontalAdvance(self.text())
        left = (self.width() - wide - gap - cap) / 2
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.setPen(ink)
        painter.drawText(QRectF(left, 0, wide + 2, self.height()), middle, self.text())
        small = self._themes.font(0.8, is_bold=True)
        high = QFontMetrics(small).height()
        box = QRectF(left + wide + gap, (self.height() - high) / 2, cap, high).adjusted(0.5, 0.5, -0.5, -0.5)
        edge = QColor(ink)
        edge.setAlphaF(0.45 if is_on else 0.3)
        painter.setPen(QPen(edge, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, px(3), px(3))
        painter.setFont(small)
        painter.setPen(ink)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self._key)
        painter.end()

    def _cap_width(self) -> int:
        metrics = QFontMetrics(self._themes.font(0.8, is_bold=True))
        return max(metrics.height(), metrics.horizontalAdvance(self._key) + self._themes.px(8))

    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()
