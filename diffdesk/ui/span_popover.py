"""What floats beside a selected part of a text: a button that offers to rewrite it, and the card where that is done.

The card asks what should change, says why it can't be done, or shows the part denoising. Knows nothing of where the
part stands and of what becomes of a wish.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from diffdesk.core.trace import CanvasFrame
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.icons import icon
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import Theme, ThemeKeeper

TITLE = "Rewrite this part"
RUNNING = "Rewriting the selected part"
PLACEHOLDER = "What should change? (empty: try again)"
WIDEST = 520  # pixels at 100 %
_MARGIN = 8
_SHOWN = 90  # characters of the part that the card repeats


class SpanButton(QPushButton):
    """“Rewrite this part”, beside what is selected; the mouse's way in, so the Tab key passes it by."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget) -> None:
        super().__init__(f" {TITLE}", parent)
        self._themes = themes
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip(f"{TITLE} (Ctrl+Shift+E)")
        self.hide()
        self._dress(themes.theme)
        themes.theme_changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self.setIcon(icon("pencil", theme.accent))
        self.adjustSize()


class SpanPopover(QFrame):
    """The card. `ask`, `refuse` and `run` show its three faces, `close_card` takes it away.

    Signals:
        wished(str): Enter or the button; the instruction, empty to try again.
        widened(): more should be selected.
        dismissed(): Esc or Cancel, while nothing runs.
        stop_requested(): Stop, while it runs.
    """

    wished = Signal(str)
    widened = Signal()
    dismissed = Signal()
    stop_requested = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget) -> None:
        super().__init__(parent)
        self._themes = themes
        self._anchor = QRect()
        self._bounds = QRect()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(TITLE)
        self._title = label(TITLE, "strong")
        self._part = label("", "small", is_wrapped=True)
        self.said = label("", "body", is_wrapped=True)
        self.field = QLineEdit()
        self.field.setPlaceholderText(PLACEHOLDER)
        self.field.setAccessibleName("What should change?")
        self.field.setAccessibleDescription("Leave it empty to have the part written anew.")
        self.start_button = QPushButton("Rewrite")
        self.start_button.setProperty("kind", "primary")
        self.cancel_button = QPushButton("Cancel")
        self.widen_button = QPushButton("Select the whole sentence")
        self.live: LiveMessage | None = None  # while it runs
        self._build()
        self._connect()
        self.hide()
        self._on_theme_changed()

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(self.cancel_button)
        row.addWidget(self.widen_button)
        row.addWidget(self.start_button)
        self._buttons = QWidget()
        self._buttons.setLayout(row)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        for one in (self._title, self._part, self.said, self.field, self._buttons):
            column.addWidget(one)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def _connect(self) -> None:
        self.field.returnPressed.connect(self._on_started)
        self.start_button.clicked.connect(self._on_started)
        self.cancel_button.clicked.connect(self.dismissed)
        self.widen_button.clicked.connect(self.widened)
        self._themes.theme_changed.connect(self._on_theme_changed)

    # --- faces ----------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether it shows a part that denoises."""
        return self.live is not None

    def ask(self, part: str, note: str, *, can_instruct: bool) -> None:
        """Ask what should change about `part`; a model that takes no instructions is only asked to try again."""
        self._part.setText(f"“{_short(part)}”")
        self.said.setText(note)
        self.field.clear()
        self.start_button.setText("Rewrite" if can_instruct else "Try again")
        shown: list[QWidget] = [self._title, self._part, self._buttons, self.start_button, self.cancel_button]
        self._show(shown + ([self.said] if note else []) + ([self.field] if can_instruct else []))
        (self.field if can_instruct else self.start_button).setFocus(Qt.FocusReason.OtherFocusReason)

    def refuse(self, why: str, *, can_widen: bool) -> None:
        """Say why the selected part can't be rewritten, and offer to select more where that helps."""
        self.said.setText(why)
        shown: list[QWidget] = [self._title, self.said, self._buttons, self.cancel_button]
        self._show(shown + ([self.widen_button] if can_widen else []))
        (self.widen_button if can_widen else self.cancel_button).setFocus(Qt.FocusReason.OtherFocusReason)

    def run(self, waiting: str) -> None:
        """Show that the part is being rewritten."""
        self.close_card()
        # Made anew each time, as the transcript's are: it brings its own sizes for the zoom in force.
        live = self.live = LiveMessage(self._themes, self)
        live.stop_requested.connect(self.stop_requested)
        live.height_changed.connect(self._fit)
        self._column.addWidget(live)
        live.begin(RUNNING)
        live.show_waiting(waiting)
        self._show([live])

    def show_frame(self, frame: CanvasFrame) -> None:
        """Show the part as it stands."""
        if self.live is not None:
            self.live.show_frame(frame, "", "")

    def show_waiting(self, waiting: str) -> None:
        """Say what the part waits for."""
        if self.live is not None:
            self.live.show_waiting(waiting)

    def close_card(self) -> None:
        """Take the card away."""
        self.hide()
        if self.live is not None:
            self.live.end()
            self._column.removeWidget(self.live)
            self.live.hide()
            self.live.deleteLater()
            self.live = None

    def _show(self, shown: list[QWidget]) -> None:
        whole: tuple[QWidget, ...] = (self._title, self._part, self.said, self.field, self._buttons)
        for button in (self.start_button, self.cancel_button, self.widen_button):
            button.setAccessibleDescription(self.said.text() if self.said in shown else "")
        for one in shown:
            one.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)  # before what has the keyboard now goes
        for one in (*whole, self.start_button, self.cancel_button, self.widen_button):
            one.setVisible(one in shown)
        self.show()
        self._fit()
        self.raise_()

    # --- place ----------------------------------------------------------------------------------------

    def place(self, anchor: QRect, bounds: QRect) -> None:
        """Stand beside `anchor` (what is selected) within `bounds`, both in the parent's pixels."""
        self._anchor, self._bounds = anchor, bounds
        self._fit()

    def _fit(self) -> None:
        if self._bounds.isEmpty():
            return
        gap = self._themes.px(_MARGIN)
        width = max(self._themes.px(200), min(self._themes.px(WIDEST), self._bounds.width() - 2 * gap))
        column = self._column
        column.activate()
        height = column.totalHeightForWidth(width) if column.hasHeightForWidth() else column.totalSizeHint().height()
        self.resize(width, min(height, self._bounds.height() - 2 * gap))
        self.move(beside(self._anchor, self._bounds, self.size(), gap))

    # --- slots ----------------------------------------------------------------------------------------

    def _on_started(self) -> None:
        self.wished.emit(self.field.text().strip() if not self.field.isHidden() else "")

    def _on_theme_changed(self) -> None:
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, self._themes.theme.surface)
        self.setPalette(palette)
        scale_spacing(self, self._themes.zoom)
        self._fit()

    # --- Qt -------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """What is inside has found its height: keep to it."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return done

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the card; while it runs the window's Escape stops it."""
        if event.key() == Qt.Key.Key_Escape and not self.is_running:
            self.dismissed.emit()
            return
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The page's own surface in a frame, so that the canvas looks as it does in an answer."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._themes.theme.border_strong), 1))
        painter.setBrush(QColor(self._themes.theme.surface))
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), self._themes.px(8), self._themes.px(8))
        painter.end()


def beside(anchor: QRect, bounds: QRect, size: QSize, gap: int) -> QPoint:
    """Where something of that size stands: below what is selected, above it where there is no room, in the bounds."""
    width, height = size.width(), size.height()
    left = min(max(bounds.left() + gap, anchor.left()), bounds.right() - width - gap)
    below, above = anchor.bottom() + gap, anchor.top() - gap - height
    is_low = below + height > bounds.bottom() and above >= bounds.top()
    top = above if is_low else max(bounds.top() + gap, min(below, bounds.bottom() - height - gap))
    return QPoint(max(bounds.left(), left), top)


def _short(text: str) -> str:
    """A part in one line, its middle left out where it is long."""
    line = " ".join(text.split())
    half = _SHOWN // 2
    return line if len(line) <= _SHOWN else f"{line[:half].rstrip()} … {line[-half:].lstrip()}"
