"""What stands in place of the text while there is none: a state in plain words, an error, or the live canvas."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from diffdesk.ui.desk.desk_views import PageState
from diffdesk.ui.desk.queue_delegate import SIGNS, state_colour
from diffdesk.ui.icons import icon, pixmap
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ErrorView

WIDEST = 480


class StatePanel(QWidget):
    """A sign, a line or an error, and what can be done about it.

    Signals:
        retried(): try the page again.
        removed(): take it out of the queue.
    """

    retried = Signal()
    removed = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._state = PageState.WAITING
        self.mark = QLabel()
        self.title = label("", "heading", is_wrapped=True)
        self.text = label("", "muted", is_wrapped=True)
        self.remedy = label("", "body", is_wrapped=True)
        self.retry_button = QPushButton(" Try again")
        self.retry_button.setAccessibleName("Try this page again")
        self.remove_button = QPushButton("Remove from the queue")
        self.remove_button.setProperty("kind", "quiet")
        for one in (self.title, self.text, self.remedy):
            one.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            one.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self.retry_button)
        buttons.addWidget(self.remove_button)
        buttons.addStretch(1)
        self._inner = QWidget()
        inside = QVBoxLayout(self._inner)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignHCenter)
        inside.addWidget(self.title)
        inside.addWidget(self.text)
        inside.addWidget(self.remedy)
        inside.addSpacing(8)
        inside.addLayout(buttons)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(self._inner, 100)
        across.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.addStretch(2)
        column.addLayout(across)
        column.addStretch(3)
        self.retry_button.clicked.connect(self.retried)
        self.remove_button.clicked.connect(self.removed)
        themes.theme_changed.connect(self._dress)
        self._dress()

    def show_state(self, state: PageState, text: str, more: str = "") -> None:
        """A state in a line, with a quieter one below."""
        self._fill(state, text, more, "")

    def show_error(self, error: ErrorView) -> None:
        """What went wrong, what it means, what to do."""
        self._fill(PageState.FAILED, error.title, error.text, error.remedy)

    def _fill(self, state: PageState, title: str, text: str, remedy: str) -> None:
        self._state = state
        is_failed = state is PageState.FAILED
        for one, said in ((self.title, title), (self.text, text), (self.remedy, remedy)):
            one.setText(said)
            one.setVisible(bool(said))
        self.retry_button.setVisible(is_failed)
        self.remove_button.setVisible(is_failed)
        self.setAccessibleName(" ".join(part for part in (title, text, remedy) if part))
        self._dress()

    def _dress(self) -> None:
        theme, px = self._themes.theme, self._themes.px
        colour = state_colour(theme, self._state)
        self.mark.setPixmap(pixmap(SIGNS[self._state], colour, px(32), self.devicePixelRatioF()))
        self.retry_button.setIcon(icon("refresh-cw", theme.text))
        self._inner.setMaximumWidth(px(WIDEST))
        scale_spacing(self, self._themes.zoom)


class LiveArea(QScrollArea):
    """Holds the widget that shows a page being corrected, as high as it needs."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._widget: QWidget | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("kind", "page")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Page being corrected")
        body = QWidget()
        body.setProperty("kind", "page")
        body.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(24, 16, 24, 16)
        self._column.addStretch(1)
        self.setWidget(body)
        themes.theme_changed.connect(lambda _: scale_spacing(self, themes.zoom))

    def set_live(self, widget: QWidget | None) -> None:
        """Show a widget, or none; the one before is handed back without a parent."""
        if self._widget is not None and self._widget is not widget:
            self._column.removeWidget(self._widget)
            self._widget.hide()
            self._widget.setParent(None)
        if widget is not None and widget is not self._widget:
            self._column.insertWidget(0, widget)
            widget.show()
        self._widget = widget

    @property
    def live(self) -> QWidget | None:
        """The widget shown."""
        return self._widget
