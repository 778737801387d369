"""The answer that is being written, as the transcript embeds it: where it stands, the strip, the text, and Stop.

What is committed is set for good, paragraph by paragraph, by a function that the transcript passes in; the open
paragraph and the live canvas are drawn by `CanvasText`. Knows frames, the theme and its own widgets only.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from diffdesk.core.trace import CanvasClosed, CanvasFrame, CellState, Region
from diffdesk.ui.canvas import words
from diffdesk.ui.canvas.announcer import Announcer
from diffdesk.ui.canvas.runs import frozen_length
from diffdesk.ui.canvas.sticky import StickyHead
from diffdesk.ui.canvas.still import FrozenColumn, StillLabel
from diffdesk.ui.canvas.strip import CanvasStrip
from diffdesk.ui.canvas.text import CanvasText
from diffdesk.ui.icons import icon
from diffdesk.ui.theme import ThemeKeeper

LABEL_MILLISECONDS = 250  # figures that change faster can't be read
_RATE_AFTER_SECONDS = 0.5
_DETAILS_WIDTH = 640  # pixels that all the figures take in one line at 100 %

MarkdownSetter = Callable[[str], QWidget]
"""Markdown → a widget that shows it."""


class LiveMessage(QWidget):
    """An answer while it is written.

    Call `begin`, then `show_waiting` and `show_frame` as they come, and `end`. `height_changed` is emitted when its
    height may have changed: at re-breaks, commits and folds, not at every draft.
    """

    stop_requested = Signal()
    height_changed = Signal()

    def __init__(
        self,
        themes: ThemeKeeper,
        parent: QWidget | None = None,
        render_markdown: MarkdownSetter | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(parent)
        self._themes = themes
        self._render = render_markdown or _plain_text
        self._clock = clock
        self._frame: CanvasFrame | None = None
        self._frozen_text = self._thought = ""
        self._is_calm = False
        self._begun_at = clock()
        self._first_frame_at = self._first_words_at = -1.0
        self._committed_tokens = 0
        self._announced_canvas = -1
        self.announcer = Announcer(self, clock)
        self._label_timer = QTimer(self, interval=LABEL_MILLISECONDS, singleShot=True)
        self._label_timer.timeout.connect(self._show_labels)
        self._build()
        themes.theme_changed.connect(self._on_theme_changed)
        themes.motion_changed.connect(lambda _: self._apply_calm())
        self._on_theme_changed()
        self._apply_calm()

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setAccessibleName("Answer being written")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._title = _label("", "heading")
        self._stop = QPushButton(" Stop")
        self._stop.setAccessibleName("Stop writing")
        self._stop.setToolTip("Stop and keep what is written (Esc)")
        self._stop.clicked.connect(self._on_stop_clicked)
        self._status = StillLabel(self._themes)
        self._details_button = _fold_button("Details", "Show the figures of each step")
        self._details_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._details_button.toggled.connect(self._on_details_toggled)
        self._details = StillLabel(self._themes, size=0.88)
        self._details.hide()
        self.strip = CanvasStrip(self._themes)
        self._thought_button = _fold_button("Thinking…", "Show the model's thought")
        self._thought_button.toggled.connect(self._on_thought_toggled)
        self._thought_button.hide()
        self._thought_box, self._thought_text, self.live_thought = self._build_thought()
        self._frozen = FrozenColumn()
        self.live_text = CanvasText(self._themes, Region.ANSWER, clock=self._clock)
        for text in (self.live_text, self.live_thought):
            text.height_changed.connect(self._on_height_changed)

        head, foot = QHBoxLayout(), QHBoxLayout()
        for row in (head, foot):
            row.setContentsMargins(0, 0, 0, 0)
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self._stop)
        foot.addWidget(self._status, 1)
        foot.addWidget(self._details_button)
        self.head = StickyHead(self, self._themes)
        top = QVBoxLayout(self.head)
        top.setContentsMargins(0, self._themes.px(8), 0, self._themes.px(8))
        top.setSpacing(self._themes.px(8))
        top.addLayout(head)
        top.addWidget(self.strip)
        top.addLayout(foot)
        top.addWidget(self._details)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(self._themes.px(8))
        column.addWidget(self.head.room)
        column.addWidget(self._thought_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._thought_box)
        column.addWidget(self._frozen)
        column.addWidget(self.live_text)

    def _build_thought(self) -> tuple[QFrame, QLabel, CanvasText]:
        box = QFrame()
        box.setProperty("kind", "thought")
        committed = _label("", "muted")
        committed.setWordWrap(True)
        committed.hide()
        live = CanvasText(self._themes, Region.THOUGHT, clock=self._clock)
        column = QVBoxLayout(box)
        column.setContentsMargins(self._themes.px(12), 0, 0, 0)
        column.addWidget(committed)
        column.addWidget(live)
        box.hide()
        return box, committed, live

    # --- what the transcript calls --------------------------------------------------------------------

    def begin(self, title: str) -> None:
        """Start with an empty canvas under `title`."""
        self._title.setText(title)
        self._frame = None
        self._begun_at = self._clock()
        self._first_frame_at = self._first_words_at = -1.0
        self._committed_tokens = 0
        self._announced_canvas = -1
        self._clear_frozen()
        self._thought = ""
        self._thought_text.setText("")
        self._thought_button.setChecked(False)
        self.strip.set_frame(None)
        self.live_text.set_frame(None)
        self.live_thought.set_frame(None)
        self._thought_button.hide()
        self._thought_box.hide()
        self._stop.setEnabled(True)
        self._stop.setText(" Stop")
        self._stop.show()
        self._status.set_text("")
        self.announcer.speak(f"{title}.")
        self._on_height_changed()

    def show_waiting(self, text: str) -> None:
        """Say what the answer waits for, as in "Reading the prompt: 512 of 2,048 tokens"."""
        self._label_timer.stop()
        self._status.set_text(text)
        self.announcer.describe(text)

    def show_frame(self, frame: CanvasFrame, answer: str, thought: str) -> None:
        """Show a draft; `answer` and `thought` are what is committed so far."""
        now = self._clock()
        if self._first_frame_at < 0:
            self._first_frame_at = now
        if self._first_words_at < 0 and frame.settled_count:
            self._first_words_at = now
        is_new_canvas = self._frame is None or self._frame.canvas != frame.canvas
        if is_new_canvas and self._frame is not None:
            self._committed_tokens += _used(self._frame)
        self._frame = frame
        prefix = self._freeze(answer)
        self.strip.set_frame(frame)
        self.live_text.set_frame(frame, prefix)
        self._show_thought(frame, thought)
        if is_new_canvas or frame.is_closed or frame.step == 1:
            self._show_labels()  # the first step at once: a fast model is done before the labels' turn comes
        elif not self._label_timer.isActive():
            self._label_timer.start()
        if frame.is_closed and self._announced_canvas != frame.canvas:
            self._announced_canvas = frame.canvas
            self.announcer.speak(words.summary(frame))
        else:
            self.announcer.describe(words.summary(frame))

    def show_closed(self, event: CanvasClosed) -> None:
        """A canvas is committed, told by the event itself; `show_frame` with a closed frame says the same."""
        frame = self._frame
        if frame is None or frame.canvas != event.canvas:
            return
        states = np.maximum(frame.states, CellState.SETTLED).astype(np.uint8) if event.is_settled else frame.states
        closed = CanvasFrame(
            frame.canvas, frame.canvases, frame.step, frame.steps, frame.temperature, frame.milliseconds,
            frame.ids, frame.pieces, frame.entropy, states, frame.regions, True, event.is_settled,
        )  # fmt: skip
        self.show_frame(closed, event.answer, event.thought)

    def end(self) -> None:
        """Nothing more will come: no timer runs and Stop is gone. The transcript replaces this widget next."""
        self._label_timer.stop()
        self._show_labels()
        self._stop.hide()
        self.announcer.speak("The answer is finished.")

    def set_calm(self, is_calm: bool) -> None:
        """In calm mode the strip moves and words appear when they have settled; reduced motion implies it."""
        self._is_calm = is_calm
        self._apply_calm()

    @property
    def status_text(self) -> str:
        """What the status line says."""
        return self._status.text()

    # --- inside ---------------------------------------------------------------------------------------

    def _freeze(self, answer: str) -> str:
        """Set the finished paragraphs of `answer` for good; returns the open one."""
        if not answer.startswith(self._frozen_text):
            self._clear_frozen()
        done = len(self._frozen_text)
        if len(answer) == done:
            return ""
        cut = frozen_length(answer)
        if cut > done:
            if answer[done:cut].strip():
                self._frozen.add(self._render(answer[done:cut]))
            self._frozen_text = answer[:cut]
            self._on_height_changed()
        return answer[len(self._frozen_text) :]

    def _clear_frozen(self) -> None:
        self._frozen_text = ""
        self._frozen.clear()

    def _show_thought(self, frame: CanvasFrame, thought: str) -> None:
        parts = frame.regions == Region.THOUGHT
        is_here = bool(parts.any()) and not frame.is_closed
        if not is_here and not thought:
            return
        is_moving = is_here and bool((frame.states[parts] < CellState.SETTLED).any())
        title = "Thinking…" if is_moving else "Thought"
        if self._thought_button.text() != title:
            self._thought_button.setText(title)
            self._thought_button.setAccessibleName(title)
        if self._thought_button.isHidden():
            self._thought_button.show()
            self._on_height_changed()
        self._thought = thought.strip()
        if self._thought_button.isChecked():
            self._fill_thought(frame)

    def _fill_thought(self, frame: CanvasFrame) -> None:
        if self._thought_text.text() != self._thought:
            self._thought_text.setText(self._thought)
            self._thought_text.setVisible(bool(self._thought))
        self.live_thought.set_frame(frame)

    def _show_labels(self) -> None:
        frame = self._frame
        if frame is None:
            return
        now = self._clock()
        self._status.set_text(words.status(frame), words.place(frame), words.short_place(frame))
        elapsed = now - self._first_frame_at
        tokens = self._committed_tokens + _settled(frame)
        rate = tokens / elapsed if elapsed > _RATE_AFTER_SECONDS else 0.0
        first = self._first_words_at - self._begun_at if self._first_words_at >= 0 else None
        figures = words.figures(frame, rate, first)
        self._details.set_text(figures)
        self._status.setToolTip(figures.replace(" · ", "\n"))

    def _apply_calm(self) -> None:
        is_calm = self._is_calm or self._themes.is_motion_reduced
        self.live_text.set_calm(is_calm)
        self.live_thought.set_calm(is_calm)

    def _on_stop_clicked(self) -> None:
        self._stop.setEnabled(False)
        self._stop.setText(" Stopping…")
        self.stop_requested.emit()

    def _on_details_toggled(self, is_open: bool) -> None:
        self._details.setVisible(is_open)
        self._set_chevrons()
        self._on_height_changed()

    def _on_thought_toggled(self, is_open: bool) -> None:
        self._thought_box.setVisible(is_open)
        self._set_chevrons()
        if is_open and self._frame is not None:
            self._fill_thought(self._frame)
        self._on_height_changed()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._details.set_lines(1 + _DETAILS_WIDTH // max(1, round(self.width() / self._themes.zoom)))

    def _on_height_changed(self) -> None:
        self.updateGeometry()
        self.height_changed.emit()

    def _on_theme_changed(self) -> None:
        self._frozen.set_gap(self._themes.px(8))
        self._stop.setIcon(icon("square", self._themes.theme.text))
        self._set_chevrons()

    def _set_chevrons(self) -> None:
        side = self._themes.px(16)
        self._stop.setIconSize(QSize(side, side))
        for button in (self._details_button, self._thought_button):
            name = "chevron-down" if button.isChecked() else "chevron-right"
            button.setIcon(icon(name, self._themes.theme.text_muted))
            button.setIconSize(QSize(side, side))


def _used(frame: CanvasFrame) -> int:
    return int(np.count_nonzero(frame.regions != Region.AFTER_END))


def _settled(frame: CanvasFrame) -> int:
    is_used = frame.regions != Region.AFTER_END
    return int(np.count_nonzero(is_used & (frame.states >= CellState.SETTLED)))


def _label(text: str, kind: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("kind", kind)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _fold_button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setCheckable(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setAccessibleName(text)
    button.setProperty("kind", "fold")
    return button


def _plain_text(text: str) -> QWidget:
    label = _label(text.strip(), "")
    label.setWordWrap(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label
