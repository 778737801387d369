"""The middle of the window: find bar, the messages or the welcome, and the composer below them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from diffdesk.ui.composer import Composer
from diffdesk.ui.find_bar import FindBar
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.transcript import Transcript
from diffdesk.ui.welcome import Welcome


class Centre(QFrame):
    """See the module; its parts are public."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setObjectName("centre")
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.transcript = Transcript(themes)
        self.find_bar = FindBar(self.transcript.searchable_texts)
        self.welcome = Welcome(themes)
        self.composer = Composer(themes)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.transcript)
        self.pages.addWidget(self.welcome)
        self.pages.setMinimumHeight(1)  # where it is tight, messages are scrolled and banners are read whole
        low = QHBoxLayout()
        low.setContentsMargins(0, 0, 0, 0)
        low.addStretch(1)
        low.addWidget(self.composer, 1000)
        low.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.find_bar)
        column.addWidget(self.pages, 1)
        column.addLayout(low)
        self.find_bar.moved.connect(self.transcript.highlight)
        self.find_bar.closed.connect(self._on_find_closed)
        themes.theme_changed.connect(lambda _: self._fit())
        self._fit()

    def show_welcome(self, is_shown: bool) -> None:
        """The welcome, or the messages."""
        self.pages.setCurrentWidget(self.welcome if is_shown else self.transcript)

    def _fit(self) -> None:
        """The composer is as wide as the text above it."""
        self.composer.setMaximumWidth(max(320, self.transcript.widest_text() + self._themes.px(16)))

    def _on_find_closed(self) -> None:
        self.transcript.highlight("", None)
        self.composer.edit.setFocus()
