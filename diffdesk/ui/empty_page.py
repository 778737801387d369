"""What a place shows while there is nothing in it: a sign, what to do next, and buttons that begin it.

In the middle of the place, scrolled where it is low; the buttons stand below each other where it is narrow. Knows none
of the places.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from diffdesk.ui.icons import pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import Theme, ThemeKeeper

_MARK = 40


class EmptyPage(QScrollArea):
    """See the module; what stands on the page is put into `column`.

    Args:
        name: what a screen reader says.
        symbol: the icon of the sign.
        widest: pixels at 100 % that the page takes at most.
        narrow: pixels at 100 % below which it counts as narrow.
    """

    def __init__(self, themes: ThemeKeeper, name: str, symbol: str, *, widest: int, narrow: int) -> None:
        super().__init__()
        self._themes = themes
        self._symbol = symbol
        self._widest = widest
        self._narrow = narrow
        self.setProperty("kind", "page")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.mark = QLabel()
        self.title = label("", "title", is_wrapped=True)
        self.text = label("", "muted", is_wrapped=True)
        for one in (self.mark, self.title, self.text):
            one.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._buttons = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._buttons.setSpacing(8)
        self._inner = QWidget()
        self.column = QVBoxLayout(self._inner)
        self.column.setContentsMargins(0, 0, 0, 0)
        page = QWidget()
        page.setProperty("kind", "page")
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        outer = QHBoxLayout(page)
        outer.setContentsMargins(24, 24, 24, 24)
        outer.addStretch(1)
        outer.addWidget(self._inner, 100)
        outer.addStretch(1)
        self.setWidget(page)
        themes.theme_changed.connect(self.dress)

    @property
    def is_narrow(self) -> bool:
        """Whether there is little room from side to side."""
        return self.viewport().width() < self._themes.px(self._narrow)

    def set_symbol(self, symbol: str) -> None:
        """The icon of the sign."""
        self._symbol = symbol
        self._draw_mark(self._themes.theme)

    def add_head(self, column: QVBoxLayout, *buttons: QPushButton) -> None:
        """Put the sign, title, text and buttons into a column."""
        for button in buttons:
            self._buttons.addWidget(button)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addLayout(self._buttons)
        across.addStretch(1)
        column.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addSpacing(16)
        column.addLayout(across)

    def dress(self, theme: Theme) -> None:
        """Follow the theme and the zoom."""
        self._draw_mark(theme)
        self._inner.setMaximumWidth(self._themes.px(self._widest))
        scale_spacing(self, self._themes.zoom)
        self.fit()

    def fit(self) -> None:
        """Follow the width."""
        way = QBoxLayout.Direction.TopToBottom if self.is_narrow else QBoxLayout.Direction.LeftToRight
        self._buttons.setDirection(way)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def _draw_mark(self, theme: Theme) -> None:
        density = self.devicePixelRatioF()
        self.mark.setPixmap(pixmap(self._symbol, theme.accent, self._themes.px(_MARK), density))
