"""What the window says of its own accord: banners that stay until answered, and toasts that go by themselves.

Knows nothing of what the actions do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QEnterEvent, QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.icons import pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.theme import Theme, ThemeKeeper
from diffdesk.ui.views import ErrorView

Kind = Literal["error", "warning", "info"]
Action = tuple[str, Callable[[], None]]

MOST_BANNERS = 3
TOAST_MS = 8000

_LOOKS: dict[str, tuple[str, str]] = {
    "error": ("danger", "circle-alert"),
    "warning": ("warning", "triangle-alert"),
    "info": ("info", "info"),
}


def announce(widget: QWidget, text: str) -> None:
    """Let a screen reader say `text`."""
    if QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, text))


class Banner(QFrame):
    """One message with what can be done about it."""

    closed = Signal()

    def __init__(
        self,
        themes: ThemeKeeper,
        error: ErrorView,
        kind: Kind,
        actions: Sequence[Action],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.error = error
        self._themes = themes
        look, self._symbol = _LOOKS[kind]
        self._kind = kind
        self.setProperty("kind", look)
        self.setAccessibleName(f"{error.title}. {error.text} {error.remedy}".strip())
        self._mark = QLabel()
        close = IconButton("x", f"Close: {error.title}")
        close.clicked.connect(self.closed)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        for text, text_kind in ((error.title, "strong"), (error.text, "body"), (error.remedy, "body")):
            if text:
                line = label(text, text_kind, is_wrapped=True)
                line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                texts.addWidget(line)
        self.action_buttons: list[QPushButton] = []
        buttons = self._buttons(actions)
        if buttons.count() > 1:
            texts.addSpacing(4)
            texts.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(12)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.dress(themes.theme)

    def dress(self, theme: Theme) -> None:
        """The theme or the zoom changed."""
        colours = {"error": theme.danger, "warning": theme.warning, "info": theme.accent}
        side = self._themes.px(18)
        self._mark.setPixmap(pixmap(self._symbol, colours[self._kind], side, self.devicePixelRatioF()))

    def _buttons(self, actions: Sequence[Action]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        for text, do in actions:
            button = QPushButton(text)
            button.clicked.connect(lambda _=False, one=do: self._on_chosen(one))
            self.action_buttons.append(button)
            row.addWidget(button)
        if self.error.details:
            copy = QPushButton("Copy report")
            copy.setToolTip("Copies what happened, for a bug report. It is sent nowhere.")
            copy.clicked.connect(self._on_copy_clicked)
            row.addWidget(copy)
        row.addStretch(1)
        return row

    def _on_chosen(self, do: Callable[[], None]) -> None:
        self.closed.emit()
        do()

    def _on_copy_clicked(self) -> None:
        error = self.error
        parts = (error.title, error.text, error.remedy, error.details)
        QGuiApplication.clipboard().setText("\n\n".join(part for part in parts if part))


class BannerStack(QWidget):
    """The banners, the newest on top; the same one is shown once."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._banners: list[Banner] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(1)
        self.hide()
        themes.theme_changed.connect(self._on_theme_changed)

    @property
    def banners(self) -> tuple[Banner, ...]:
        """What is shown, the newest first."""
        return tuple(self._banners)

    def show_banner(self, error: ErrorView, kind: Kind, actions: Sequence[Action]) -> None:
        """Show a banner on top of the others."""
        self.withdraw(error.title)
        while len(self._banners) >= MOST_BANNERS:
            self._remove(self._banners[-1])
        banner = Banner(self._themes, error, kind, actions)
        banner.closed.connect(lambda: self._remove(banner))
        self._banners.insert(0, banner)
        self._column.insertWidget(0, banner)
        self.show()
        announce(self, banner.accessibleName())

    def withdraw(self, title: str) -> None:
        """Take the banner of this title away, if it is still there."""
        for one in [one for one in self._banners if one.error.title == title]:
            self._remove(one)

    def clear(self) -> None:
        """Take all banners away."""
        for one in list(self._banners):
            self._remove(one)

    def _remove(self, banner: Banner) -> None:
        if banner in self._banners:
            self._banners.remove(banner)
            self._column.removeWidget(banner)
            banner.hide()
            banner.deleteLater()
        self.setVisible(bool(self._banners))

    def _on_theme_changed(self, theme: Theme) -> None:
        for one in self._banners:
            one.dress(theme)


class Toast(QFrame):
    """A line at the lower edge that goes by itself, but not while one points at it or has the keyboard in it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._over = parent
        self._do: Callable[[], None] | None = None
        self.setProperty("kind", "toast")
        self.text = label("", "body")
        self.button = QPushButton()
        self.button.clicked.connect(self._on_clicked)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 8, 8)
        row.setSpacing(16)
        row.addWidget(self.text)
        row.addWidget(self.button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TOAST_MS)
        self._timer.timeout.connect(self._on_time_over)
        self.hide()

    def show_text(self, text: str, action: str, do: Callable[[], None] | None) -> None:
        """Say `text`, with a button if there is something to do."""
        self._do = do
        self.text.setText(text if len(text) <= 80 else text[:79] + "…")
        self.setAccessibleName(text)
        self.button.setVisible(do is not None)
        self.button.setText(action)
        self.button.setAccessibleName(f"{action}: {text}" if action else text)
        self._timer.start()
        self.place()
        self.show()
        self.raise_()
        announce(self, text)

    def place(self) -> None:
        """Keep to the middle of the lower edge of the parent."""
        parent = self._over
        self.adjustSize()
        width = min(self.sizeHint().width(), parent.width() - 16)
        self.resize(width, self.sizeHint().height())
        self.move((parent.width() - width) // 2, parent.height() - self.height() - 16)

    def _on_clicked(self) -> None:
        self.hide()
        if self._do is not None:
            self._do()

    def _on_time_over(self) -> None:
        if self.underMouse() or self.button.hasFocus():
            self._timer.start()
        else:
            self.hide()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._timer.start()
