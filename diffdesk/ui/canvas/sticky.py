"""A head that stays in sight while the long widget below it is scrolled: the strip and Stop never leave the screen.

Knows its owner and the owner's parent (the viewport that the owner is moved in), and nothing of what it holds.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from diffdesk.ui.theme import ThemeKeeper

_LEAST_VIEW = 2.5  # heads in a view's height: in a lower one it would hide too much, and scrolls away with the rest


class StickyHead(QFrame):
    """The head of `owner`, floating above its layout. Put `room` into the layout: it keeps the head's place free."""

    def __init__(self, owner: QWidget, themes: ThemeKeeper) -> None:
        super().__init__(owner)
        self._owner = owner
        self._themes = themes
        self._is_floating = False
        self.room = QWidget(owner)
        self.room.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.room.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        for watched in (self.room, owner):
            watched.installEventFilter(self)
        themes.theme_changed.connect(self.follow)

    @property
    def is_floating(self) -> bool:
        """Whether it stands lower than its own place."""
        return self._is_floating

    def follow(self) -> None:
        """Go to the place that is right now."""
        height = self.sizeHint().height()
        self.room.setFixedHeight(height)
        place = self.room.geometry()
        view = self._owner.parentWidget()
        down = 0
        if view is not None and view.height() >= _LEAST_VIEW * height:
            hidden = -(self._owner.y() + place.y())
            down = max(0, min(hidden, self._owner.height() - place.y() - height))
        self.setGeometry(place.x(), place.y() + down, place.width(), height)
        if (down > 0) != self._is_floating:
            self._is_floating = down > 0
            self.update()
        self.raise_()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self.follow()
        return done

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show):
            self.follow()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(self._themes.theme.surface))
        if self._is_floating:
            painter.fillRect(0, self.height() - 1, self.width(), 1, QColor(self._themes.theme.border))
