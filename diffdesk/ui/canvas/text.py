"""The live canvas set as text: words come out of the noise while the lines stay where they are.

Only the live canvas (and the open paragraph before it) is laid out. Lines are broken anew at most twice a second and
when a canvas commits; between two re-breaks only the lines whose words changed are set again, each in its place.
Drawing is clipped to what is exposed. Knows frames and the theme; nothing of models, runs or messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget

from diffdesk.core.trace import CanvasFrame, Region
from diffdesk.ui.canvas.drawn_line import DrawnLine, LineSetter
from diffdesk.ui.canvas.runs import Broken, Line, Look, break_lines, line_of, shown_texts
from diffdesk.ui.theme import ThemeKeeper

REBREAK_SECONDS = 0.5
STRAINED_SECONDS = 0.15  # sooner, if words no longer fit into their lines; still at most twice in a second
FADE_SECONDS = 0.08
FRAME_SECONDS = 1 / 30  # words that change more often can't be read; the strip moves at full pace
LINE_SPACING = 1.45
STRAIN = 1.04  # of the width
LEAST_SQUEEZE = 0.8  # a line that outgrew its width is squeezed this far until the next re-break, then clipped


class CanvasText(QWidget):
    """The text of one region of the live canvas.

    `height_changed` is emitted only at re-breaks. `rebreaks`, `lines_set` and `paints` count the work done.
    """

    height_changed = Signal()

    def __init__(
        self,
        themes: ThemeKeeper,
        region: Region = Region.ANSWER,
        parent: QWidget | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(parent)
        self.rebreaks = self.lines_set = self.paints = 0
        self._themes = themes
        self._region = region
        self._clock = clock
        self._frame: CanvasFrame | None = None
        self._prefix = ""
        self._is_calm = False
        self._is_stale = False  # a frame came since the last re-break
        self._is_unseen = False  # a frame came and no line was set for it
        self._broken = Broken((), (), {})
        self._members: list[list[int]] = []
        self._shown: dict[int, tuple[str, Look]] = {}
        self._broken_for = (-1, "", 0)  # canvas, prefix, width
        self._broken_at = self._flushed_at = -1.0
        self._rebreaks_at = (-1.0, -1.0)  # the last two that no commit asked for
        self._lines: list[DrawnLine] = []
        self._setter = LineSetter(themes.theme, themes.font())
        self._pitch = 1.0
        self._flush_timer = self._timer(self._flush)
        self._rebreak_timer = self._timer(self._flush)
        self._fade_timer = self._timer(self._on_fade)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Text being written" if region == Region.ANSWER else "Thought being written")
        themes.theme_changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def _timer(self, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(slot)
        return timer

    # --- what the message sets ------------------------------------------------------------------------

    def set_frame(self, frame: CanvasFrame | None, prefix: str = "") -> None:
        """Show `frame` after `prefix`, the committed text of the same paragraph. Many calls make one drawing.

        A closed frame shows the prefix alone: its text is part of what is committed.
        """
        self._frame, self._prefix = frame, prefix
        self._is_stale = self._is_unseen = True
        wait = self._flushed_at + FRAME_SECONDS - self._clock()
        if wait <= 0 or self._breaks_for() != self._broken_for:  # a commit is seen at once, in step with what it froze
            self._flush_timer.stop()
            self._flush()
        elif not self._flush_timer.isActive():
            self._flush_timer.start(int(wait * 1000))

    def set_calm(self, is_calm: bool) -> None:
        """In calm mode a word appears when it has settled, and nothing fades or waves."""
        if is_calm != self._is_calm:
            self._is_calm, self._is_stale = is_calm, True
            self._rebreak()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self._lines

    def lines(self) -> list[str]:
        """The lines as they read now, from the top."""
        return [one.line.text for one in self._lines]

    # --- setting --------------------------------------------------------------------------------------

    def _texts(self) -> dict[int, tuple[str, Look]]:
        if self._frame is None or self._frame.is_closed:
            return {}
        return shown_texts(self._frame, self._region, is_calm=self._is_calm)

    def _breaks_for(self) -> tuple[int, str, int]:
        """The canvas (-1 for none), the prefix and the width: when one of them is another, lines are broken at once."""
        canvas = -1 if self._frame is None or self._frame.is_closed else self._frame.canvas
        return canvas, self._prefix, self.width()

    def _flush(self) -> None:
        self._flushed_at = self._clock()
        if not self._is_stale:
            return
        if self._breaks_for() != self._broken_for:
            self._rebreak()
            return
        wait = self._next_rebreak() - self._flushed_at
        if wait <= 0:
            self._rebreaks_at = (self._rebreaks_at[1], self._flushed_at)
            self._rebreak()
            return
        self._rebreak_timer.start(int(wait * 1000) + 1)
        if not self._is_calm and not self.visibleRegion().isEmpty():
            self._refill()

    def _next_rebreak(self) -> float:
        """When lines may be broken again."""
        is_strained = any(one.width > self.width() * STRAIN for one in self._lines)
        wait = STRAINED_SECONDS if is_strained else REBREAK_SECONDS
        return max(self._broken_at + wait, self._rebreaks_at[0] + 2 * REBREAK_SECONDS)

    def _refill(self) -> None:
        """Set the lines again whose words changed; all others, and all breaks, stay."""
        self._is_unseen = False
        shown = self._texts()
        before, self._shown = self._shown, shown
        changed = {at for at, look in shown.items() if before.get(at) != look}
        changed.update(before.keys() - shown.keys())
        for index, drawn in enumerate(self._lines):
            if changed.isdisjoint(self._members[index]):
                if drawn.fading:
                    self.update(self._row(index))
                continue
            line = line_of(self._broken, index, shown)
            if line != drawn.line:
                self._lines[index] = self._set(line, drawn)
                self.update(self._row(index))
        self._start_fade()

    def _rebreak(self) -> None:
        self._rebreak_timer.stop()
        self.rebreaks += 1
        self._broken_at = self._clock()
        self._is_stale = self._is_unseen = False
        self._broken_for = self._breaks_for()
        shown = self._shown = self._texts()
        self._broken = break_lines(self._prefix, shown, self._break)
        self._members = [[slot.position for slot in slots] for slots in self._broken.lines]
        known = {one.line: one for one in self._lines}
        lines = [line_of(self._broken, index, shown) for index in range(len(self._broken.lines))]
        self._lines = [known.get(line) or self._set(line, None) for line in lines]
        height = round(len(self._lines) * self._pitch)
        if height != self.height() or height != self.minimumHeight():
            self.setFixedHeight(height)
            self.height_changed.emit()
        self.update()

    def _break(self, text: str) -> list[tuple[int, int]]:
        """Lines of `text` at the present width, as offsets in code points."""
        layout = QTextLayout(text, self._setter.font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        bounds = []
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(max(40, self.width()))
            bounds.append((line.textStart(), line.textStart() + line.textLength()))
        layout.endLayout()
        return self._setter.in_code_points(text, bounds)

    def _set(self, line: Line, before: DrawnLine | None) -> DrawnLine:
        self.lines_set += 1
        drawn = self._setter.set(line)
        if before is not None and not self._themes.is_motion_reduced:
            drawn.fade_from(before, self._clock())
        return drawn

    # --- drawing --------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paints += 1
        if self._is_unseen and not self._flush_timer.isActive() and not self._is_calm:
            self._flush_timer.start(0)  # it was out of sight while frames came
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        exposed = event.rect()
        first = max(0, int(exposed.top() / self._pitch))
        last = min(len(self._lines), int(exposed.bottom() / self._pitch) + 1)
        now = self._clock()
        for index in range(first, last):
            self._paint_line(painter, index, now)

    def _paint_line(self, painter: QPainter, index: int, now: float) -> None:
        drawn = self._lines[index]
        painter.save()
        painter.translate(0, index * self._pitch)
        if drawn.width > self.width():
            painter.setClipRect(QRectF(0, 0, self.width(), self._pitch))
            painter.scale(max(LEAST_SQUEEZE, self.width() / drawn.width), 1.0)
        top = (self._pitch - drawn.height) / 2
        self._paint_marks(painter, drawn)
        drawn.layout.draw(painter, QPointF(0, top))
        age = (now - drawn.changed_at) / FADE_SECONDS
        if drawn.fading and age < 1:
            self._paint_fade(painter, drawn, top, max(age, 0.3))
        painter.restore()

    def _paint_marks(self, painter: QPainter, drawn: DrawnLine) -> None:
        theme = self._themes.theme
        middle, body = self._pitch / 2, drawn.height
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.noise))
        for left, right in drawn.noise:
            painter.drawRoundedRect(
                QRectF(left, middle - body * 0.27, right - left, body * 0.6), body * 0.25, body * 0.25
            )
        if drawn.accepted:
            painter.setBrush(QColor(theme.accepted_tint))
            for left, right in drawn.accepted:
                painter.drawRoundedRect(QRectF(left - 2, middle - body * 0.52, right - left + 4, body * 1.06), 4, 4)
            painter.setPen(QPen(QColor(theme.accepted_line), 1.0))
            for left, right in drawn.accepted:
                painter.drawLine(QPointF(left, middle + body * 0.54), QPointF(right, middle + body * 0.54))

    def _paint_fade(self, painter: QPainter, drawn: DrawnLine, top: float, share: float) -> None:
        """The words that changed: the new one under a veil that lifts, the old one going."""
        theme = self._themes.theme
        veil, ink = QColor(theme.surface), QColor(theme.changing_text)
        veil.setAlphaF(1 - share)
        ink.setAlphaF((1 - share) * 0.7)
        metrics = QFontMetricsF(self._setter.font)
        painter.setFont(self._setter.font)
        for (left, right), old in drawn.fading:
            painter.fillRect(QRectF(left, 0, right - left, self._pitch), veil)
            painter.setPen(ink)
            painter.drawText(QPointF(left, top + metrics.ascent()), old)

    def _start_fade(self) -> None:
        """Look again in a moment; a draft that comes before puts it off, as it draws the fade anyway."""
        if any(one.fading for one in self._lines):
            self._fade_timer.start(20)

    def _on_fade(self) -> None:
        now = self._clock()
        for index, drawn in enumerate(self._lines):
            if drawn.fading:
                if now - drawn.changed_at >= FADE_SECONDS:
                    drawn.fading = []
                self.update(self._row(index))
        self._start_fade()

    def _row(self, index: int) -> QRect:
        return QRectF(0, index * self._pitch, self.width(), self._pitch).toAlignedRect()

    # --- Qt -------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(320, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self.minimumHeight())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width() and (self._lines or self._is_stale):
            self._rebreak()

    def _on_theme_changed(self) -> None:
        self._setter = LineSetter(self._themes.theme, self._themes.font())
        self._pitch = round(QFontMetricsF(self._setter.font).height() * LINE_SPACING)
        self._lines = []
        self._rebreak()
