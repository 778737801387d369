"""The parts that a message is put together from: thumbnails, the folded thought, a note on its state, its actions.

Each draws a piece of a view object and says what the user did. They know nothing of the transcript.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont, QIcon, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from diffdesk.core.messages import MessageState
from diffdesk.ui.buttons import QuietButton
from diffdesk.ui.icons import icon
from diffdesk.ui.text_views import MarkdownView
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ErrorView, ImageView

THUMBNAIL_SIDE = 160


def label(text: str, kind: str, *, is_wrapped: bool = False) -> QLabel:
    """A label that shows its text literally."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("kind", kind)
    made.setWordWrap(is_wrapped)
    if kind in ("role", "strong", "name", "key"):
        bold = QFont()  # says nothing but its weight, so that size and family still follow the application
        bold.setWeight(QFont.Weight.DemiBold)
        made.setFont(bold)
    return made


def thumbnail_pixmap(image: ImageView, side: int, density: float) -> QPixmap:
    """The thumbnail within `side` × `side` device-independent pixels; empty if there is none."""
    picture = QPixmap()
    if not image.thumbnail or not picture.loadFromData(image.thumbnail):
        return QPixmap()
    pixels = round(side * density)
    if picture.width() > pixels or picture.height() > pixels:
        picture = picture.scaled(
            pixels, pixels, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
    picture.setDevicePixelRatio(density)
    return picture


def described(image: ImageView) -> str:
    """An image in words: its name, size and what was noticed of it."""
    size = f", {image.width} × {image.height} pixels" if image.width and image.height else ""
    return f"{image.name}{size}" + "".join(f"\n{note}" for note in image.notes)


class Thumbnail(QToolButton):
    """An image of a message; a click shows it large."""

    def __init__(self, image: ImageView, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image = image
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"Image {image.name}")
        self.setToolTip(described(image))
        self.setProperty("kind", "outlined")
        side = themes.px(THUMBNAIL_SIDE)
        picture = thumbnail_pixmap(image, side, self.devicePixelRatioF())
        if picture.isNull():
            self.setIcon(icon("image", themes.theme.text_muted))
            self.setIconSize(QSize(themes.px(24), themes.px(24)))
            self.setText(image.name)
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        else:
            self.setIcon(QIcon(picture))
            self.setIconSize(picture.deviceIndependentSize().toSize())


class ThoughtFold(QWidget):
    """“Thought (14 lines)”: folded until one looks.

    Signals:
        folded(): opened or closed; the height changed.
    """

    folded = Signal()

    def __init__(self, themes: ThemeKeeper, thought: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._thought = thought
        self._body: MarkdownView | None = None
        self._box: QFrame | None = None
        lines = max(1, len(thought.strip().splitlines()))
        self.button = QPushButton(f" Thought ({lines} line{'' if lines == 1 else 's'})")
        self.button.setObjectName("fold")
        self.button.setCheckable(True)
        self.button.setAccessibleDescription("What the model considered before it answered.")
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.button)
        line.addStretch(1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addLayout(line)
        self.button.toggled.connect(self._on_toggled)
        self.refresh()

    @property
    def body(self) -> MarkdownView | None:
        """The thought's text while it is open."""
        return self._body

    def refresh(self) -> None:
        """The theme or the zoom changed."""
        symbol = "chevron-down" if self.button.isChecked() else "chevron-right"
        self.button.setIcon(icon(symbol, self._themes.theme.text_muted))
        if self._body is not None:
            self._body.refresh()

    def _on_toggled(self, is_open: bool) -> None:
        if is_open:
            frame = QFrame()
            frame.setProperty("kind", "card")
            inner = QVBoxLayout(frame)
            inner.setContentsMargins(12, 8, 12, 8)
            self._body = MarkdownView(self._themes, self._thought)
            self._body.setAccessibleName("Thought")
            inner.addWidget(self._body)
            self._column.addWidget(frame)
            frame.show()
            self._box = frame
        elif self._box is not None:
            self._column.removeWidget(self._box)
            self._box.hide()
            self._box.deleteLater()
            self._box = self._body = None
        self.refresh()
        self.folded.emit()


@dataclass(frozen=True, slots=True)
class StateText:
    """What is said of a message's state: the look of the note, its words and whether trying again makes sense."""

    kind: str
    text: str
    can_retry: bool = True


STATE_TEXTS = {
    MessageState.STOPPED: StateText("muted", "You stopped this answer here.", can_retry=False),
    MessageState.EMPTY: StateText(
        "info", "The model ended its answer at once. Asking for “one short sentence” often helps."
    ),
    MessageState.THOUGHT_ONLY: StateText(
        "info", "The thought used up all the room, so there is no answer. Give the answer more room in the settings."
    ),
    MessageState.FAILED: StateText("danger", "This answer failed."),
}


class StateNote(QFrame):
    """What became of a message that is not simply complete, with a remedy and “Try again” where that helps."""

    retried = Signal()

    def __init__(self, state: MessageState, error: ErrorView | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        said = STATE_TEXTS[state]
        self.button: QPushButton | None = None
        self.setProperty("kind", said.kind)
        column = QVBoxLayout(self)
        is_plain = said.kind == "muted"
        column.setContentsMargins(*((0, 0, 0, 0) if is_plain else (12, 10, 12, 10)))
        column.setSpacing(4)
        for text, kind in self._lines(said, error):
            line = label(text, kind, is_wrapped=True)
            line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(line)
        if said.can_retry:
            row = QHBoxLayout()
            row.setContentsMargins(0, 4, 0, 0)
            self.button = QPushButton("Try again")
            self.button.setAccessibleName("Try again to answer")
            self.button.clicked.connect(self.retried)
            row.addWidget(self.button)
            row.addStretch(1)
            column.addLayout(row)

    @staticmethod
    def _lines(said: StateText, error: ErrorView | None) -> Sequence[tuple[str, str]]:
        if error is None:
            return [(said.text, "small" if said.kind == "muted" else "body")]
        lines = [(error.title, "heading"), (error.text, "body"), (error.remedy, "body")]
        return [(text, kind) for text, kind in lines if text]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing one can do with a message."""

    key: str
    symbol: str
    name: str
    shortcut: str = ""


class ActionBar(QWidget):
    """The actions of a message, and the switch between its versions.

    Signals:
        chosen(str): the key of an action; "older" and "newer" for the versions.
    """

    chosen = Signal(str)

    def __init__(self, actions: Sequence[Action], version: int, versions: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QuietButton] = {}
        self._is_shown = False
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for action in actions:
            row.addWidget(self._button(action))
        if versions > 1:
            older = self._button(Action("older", "chevron-left", "Older version"))
            newer = self._button(Action("newer", "chevron-right", "Newer version"))
            older.setEnabled(version > 1)
            newer.setEnabled(version < versions)
            place = label(f"{version}/{versions}", "small")
            place.setToolTip(f"Version {version} of {versions}")
            row.addWidget(older)
            row.addWidget(place)
            row.addWidget(newer)
        row.addStretch(1)

    def set_shown(self, is_shown: bool) -> None:
        """Draw the buttons or not; their places stay, and those for versions are always drawn."""
        self._is_shown = is_shown
        for key, button in self.buttons.items():
            button.set_shown(is_shown or key in ("older", "newer"))

    def _button(self, action: Action) -> QuietButton:
        button = QuietButton(action.symbol, action.name, shortcut=action.shortcut)
        button.clicked.connect(lambda: self.chosen.emit(action.key))
        self.buttons[action.key] = button
        return button
