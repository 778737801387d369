"""Watching a stored run again: a bar to play and scrub, and a dialog with the strip and the text.

Every frame is folded once when the dialog opens, so the slider jumps freely. Knows trace events and the theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from diffdesk.core.trace import CanvasFold, CanvasFrame, Region, TraceEvent
from diffdesk.ui.canvas import words
from diffdesk.ui.canvas.strip import CanvasStrip
from diffdesk.ui.canvas.text import CanvasText
from diffdesk.ui.icons import icon
from diffdesk.ui.theme import ThemeKeeper

# A step is shown at least long enough to be seen, and never so long that one waits.
LEAST_MILLISECONDS, MOST_MILLISECONDS = 90, 600


@dataclass(frozen=True, slots=True)
class ReplayFrame:
    """A frame and what was committed when it was seen."""

    frame: CanvasFrame
    answer: str
    thought: str


def fold_run(events: Iterable[TraceEvent]) -> list[ReplayFrame]:
    """All frames of a run in order; raises `ProtocolError` for events that don't follow from each other."""
    fold = CanvasFold()
    frames = []
    for event in events:
        frame = fold.apply(event)
        frames.append(ReplayFrame(frame, fold.answer, fold.thought))
    return frames


class ReplayBar(QWidget):
    """Play, pause, step and scrub through `count` frames; `moved` carries the index of the frame to show."""

    moved = Signal(int)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._durations: list[int] = []
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._on_due)
        self._back = self._button("skip-back", "One step back")
        self._play = self._button("play", "Play")
        self._next = self._button("skip-forward", "One step on")
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName("Step of the run")
        self._slider.setPageStep(4)
        self._slider.valueChanged.connect(self.moved)
        self._back.clicked.connect(lambda: self._step(-1))
        self._next.clicked.connect(lambda: self._step(1))
        self._play.clicked.connect(self.toggle)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self._back, self._play, self._next):
            row.addWidget(widget)
        row.addWidget(self._slider, 1)
        themes.theme_changed.connect(self._redraw)
        self._redraw()

    def set_durations(self, milliseconds: Sequence[float]) -> None:
        """One entry for each frame: how long its step took. Goes to the first frame."""
        self._durations = [round(min(max(one, LEAST_MILLISECONDS), MOST_MILLISECONDS)) for one in milliseconds]
        self._slider.setRange(0, max(0, len(self._durations) - 1))
        self._slider.setValue(0)

    @property
    def index(self) -> int:
        """The frame that is shown."""
        return self._slider.value()

    @property
    def is_playing(self) -> bool:
        """Whether it moves by itself."""
        return self._timer.isActive()

    def set_index(self, index: int) -> None:
        """Go to a frame."""
        self._slider.setValue(index)

    def toggle(self) -> None:
        """Play, or pause; at the end, play again from the start."""
        if self.is_playing:
            self._timer.stop()
        elif self._durations:
            if self.index == self._slider.maximum():
                self._slider.setValue(0)
            self._timer.start(self._durations[self.index])
        self._redraw()

    def _step(self, by: int) -> None:
        self._timer.stop()
        self._slider.setValue(self.index + by)
        self._redraw()

    def _on_due(self) -> None:
        self._slider.setValue(self.index + 1)
        if self.index < self._slider.maximum():
            self._timer.start(self._durations[self.index])
        self._redraw()

    def _button(self, name: str, text: str) -> QToolButton:
        button = QToolButton()
        button.setProperty("symbol", name)
        button.setAccessibleName(text)
        button.setToolTip(text)
        return button

    def _redraw(self) -> None:
        is_playing = self.is_playing
        name = "Pause" if is_playing else "Play"
        if self._play.accessibleName() != name:
            self._play.setAccessibleName(name)
            self._play.setToolTip(f"{name} (Space)")
        self._play.setProperty("symbol", "pause" if is_playing else "play")
        side = self._themes.px(18)
        for button in (self._back, self._play, self._next):
            button.setIcon(icon(str(button.property("symbol")), self._themes.theme.text))
            button.setIconSize(QSize(side, side))


class ReplayDialog(QDialog):
    """A stored run, played again."""

    def __init__(self, events: Iterable[TraceEvent], themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._frames = fold_run(events)
        self.setWindowTitle("Replay of the answer")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.strip = CanvasStrip(themes)
        self.thought = CanvasText(themes, Region.THOUGHT)
        self.text = CanvasText(themes, Region.ANSWER)
        self._status = QLabel()
        self._status.setProperty("kind", "muted")
        self._figures = QLabel()
        self._figures.setProperty("kind", "small")
        self._figures.setWordWrap(True)
        self.bar = ReplayBar(themes)
        self.bar.moved.connect(self._show)
        column = QVBoxLayout(self)
        margin = themes.px(24)
        column.setContentsMargins(margin, margin, margin, themes.px(16))
        column.setSpacing(themes.px(8))
        column.addWidget(self.strip)
        column.addWidget(self._status)
        column.addWidget(self._figures)
        column.addWidget(self._page(themes), 1)
        column.addWidget(self.bar)
        self.resize(themes.px(720), themes.px(640))
        self.setMinimumSize(320, 320)
        self.bar.set_durations([one.frame.milliseconds for one in self._frames])
        if self._frames:
            self._show(0)

    def _page(self, themes: ThemeKeeper) -> QScrollArea:
        body = QWidget()
        body.setProperty("kind", "page")
        body.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(body)
        margin = themes.px(16)
        column.setContentsMargins(margin, margin, margin, margin)
        self._box = QFrame()
        self._box.setProperty("kind", "thought")
        inside = QVBoxLayout(self._box)
        inside.setContentsMargins(themes.px(12), 0, 0, 0)
        inside.addWidget(self.thought)
        column.addWidget(self._box)
        column.addWidget(self.text)
        column.addStretch(1)
        area = QScrollArea()
        area.setProperty("kind", "page")
        area.setWidget(body)
        area.setWidgetResizable(True)
        area.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        area.setAccessibleName("Text of the run")
        return area

    @property
    def status_text(self) -> str:
        """What the line below the strip says."""
        return self._status.text()

    def _show(self, index: int) -> None:
        seen = self._frames[index]
        self.strip.set_frame(seen.frame)
        self.text.set_frame(seen.frame, seen.answer)
        has_thought = bool((seen.frame.regions == Region.THOUGHT).any()) and not seen.frame.is_closed
        self._box.setVisible(has_thought or bool(seen.thought))
        self.thought.set_frame(seen.frame, seen.thought)
        where = words.place(seen.frame)
        self._status.setText(words.status(seen.frame) + (f" · {where}" if where else ""))
        self._figures.setText(words.figures(seen.frame, 0.0, None))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.bar.toggle()
        else:
            super().keyPressEvent(event)
