"""The desk's upper edge: adding pages, how far the work is, pause and export. Knows nothing of the pages."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.canvas.still import StillLabel
from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import QueueStatus
from diffdesk.ui.icons import icon
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import Theme, ThemeKeeper

ROOMY = 900
"""Width from which on buttons have their words beside their icons."""


class DeskToolbar(QFrame):
    """See the module."""

    add_requested = Signal()
    add_folder_requested = Signal()
    screenshot_requested = Signal()
    paused = Signal()
    resumed = Signal()
    export_requested = Signal()
    queue_toggled = Signal(bool)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._status = QueueStatus()
        self._is_roomy = True
        self.setProperty("kind", "bar")
        self.setAccessibleName("Pages and work")
        self.queue_button = IconButton("panel-left", "Show the pages")
        self.add_button = QToolButton()
        self.screenshot_button = QPushButton()
        self.progress_text = StillLabel(themes, size=1.0)
        self.how = StillLabel(themes, size=0.88)
        self.pause_button = QPushButton()
        self.export_button = QPushButton()
        self.bar = QProgressBar()
        self._menu = QMenu(self)
        self._build()
        self._connect()
        self._dress(themes.theme)
        self.set_status(QueueStatus())

    def set_status(self, status: QueueStatus) -> None:
        """How far the work is."""
        self._status = status
        self.progress_text.set_text(words.progress(status))
        self.how.set_text(status.how)
        self.how.setToolTip(status.how)
        self.bar.setRange(0, max(1, status.of))
        self.bar.setValue(min(status.of, status.done + status.failed))
        self.bar.setVisible(0 < status.done + status.failed < status.of or status.is_running)
        is_done = status.done + status.failed >= status.of
        self.pause_button.setVisible(not is_done or status.is_running)
        self.export_button.setEnabled(status.done > 0)
        self._show_words()

    def show_queue_button(self, is_shown: bool) -> None:
        """Whether there is a queue that can be unfolded."""
        self.queue_button.setVisible(is_shown)

    # --- inside ---------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.queue_button.setCheckable(True)
        self.queue_button.hide()
        self._menu.addAction("Images and PDFs…", self.add_requested.emit)
        self._menu.addAction("A folder…", self.add_folder_requested.emit)
        self.add_button.setMenu(self._menu)
        self.add_button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.add_button.setProperty("kind", "split")
        self.add_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.add_button.setAccessibleName("Add images and PDFs")
        self.add_button.setToolTip("Add images, PDFs or a folder")
        self.screenshot_button.setAccessibleName("Screenshot")
        self.screenshot_button.setToolTip("Read a part of the screen")
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Pages done")
        self.export_button.setAccessibleName("Export")
        self.export_button.setToolTip("Write the reviewed text to files or the clipboard")
        for one in (self.progress_text, self.how):
            one.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.progress_text)
        texts.addWidget(self.how)
        row = QHBoxLayout()
        row.setContentsMargins(12, 6, 12, 6)
        row.setSpacing(8)
        row.addWidget(self.queue_button)
        row.addWidget(self.add_button)
        row.addWidget(self.screenshot_button)
        row.addSpacing(8)
        row.addLayout(texts, 1)
        row.addWidget(self.pause_button)
        row.addWidget(self.export_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.bar)

    def _connect(self) -> None:
        self.queue_button.toggled.connect(self.queue_toggled)
        self.add_button.clicked.connect(self.add_requested)
        self.screenshot_button.clicked.connect(self.screenshot_requested)
        self.pause_button.clicked.connect(self._on_pause_clicked)
        self.export_button.clicked.connect(self.export_requested)
        self._themes.theme_changed.connect(self._dress)

    def _on_pause_clicked(self) -> None:
        (self.resumed if self._status.is_paused else self.paused).emit()

    def _show_words(self) -> None:
        is_paused = self._status.is_paused
        pause = "Resume" if is_paused else "Pause"
        self.pause_button.setAccessibleName(f"{pause} the queue")
        self.pause_button.setToolTip("Go on with the queue" if is_paused else "Pause after the page in work")
        self.pause_button.setIcon(icon("play" if is_paused else "pause", self._themes.theme.text))
        self.pause_button.setText(f" {pause}" if self._is_roomy else "")
        self.screenshot_button.setText(" Screenshot" if self._is_roomy else "")
        self.export_button.setText(" Export…" if self._is_roomy else "")
        self.add_button.setText("Add…" if self._is_roomy else "")
        style = Qt.ToolButtonStyle
        self.add_button.setToolButtonStyle(
            style.ToolButtonTextBesideIcon if self._is_roomy else style.ToolButtonIconOnly
        )

    def _dress(self, theme: Theme) -> None:
        self.add_button.setIcon(icon("plus", theme.text))
        self.screenshot_button.setIcon(icon("camera", theme.text))
        self.export_button.setIcon(icon("download", theme.text))
        first, second = self._menu.actions()
        first.setIcon(icon("images", theme.text))
        second.setIcon(icon("folder-open", theme.text))
        scale_spacing(self, self._themes.zoom)
        self.add_button.setIconSize(self.screenshot_button.iconSize())
        self._show_words()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_roomy = event.size().width() >= self._themes.px(ROOMY)
        if is_roomy != self._is_roomy:
            self._is_roomy = is_roomy
            self._show_words()
