"""The small parts of the composer: the tray of images to send, and the meter of the room that is left."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.icons import pixmap
from diffdesk.ui.message_parts import described, label, thumbnail_pixmap
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ImageView

TRAY_SIDE = 48


class TrayImage(QFrame):
    """One image to send, with a button that takes it away."""

    removed = Signal(str)

    def __init__(self, image: ImageView, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image = image
        self.setProperty("kind", "card")
        self.setToolTip(described(image))
        side = themes.px(TRAY_SIDE)
        shown = QLabel()
        shown.setAlignment(Qt.AlignmentFlag.AlignCenter)
        density = self.devicePixelRatioF()
        picture = thumbnail_pixmap(image, side, density)
        if picture.isNull():
            picture = pixmap("image", themes.theme.text_muted, side // 2, density)
        shown.setPixmap(picture)
        shown.setMinimumSize(side, side)
        name = label(image.name if len(image.name) <= 24 else image.name[:11] + "…" + image.name[-12:], "small")
        self.button = IconButton("x", f"Remove image {image.name}")
        self.button.clicked.connect(lambda: self.removed.emit(image.key))
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 4, 4, 4)
        row.setSpacing(8)
        row.addWidget(shown)
        row.addWidget(name)
        row.addWidget(self.button)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete and Backspace take the image away too."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit(self.image.key)
        else:
            super().keyPressEvent(event)


class ImageTray(QScrollArea):
    """The images that will be sent, in a row; hidden while there are none.

    Signals:
        removed(str): the key of an image that the user took away; it is gone from the tray already.
    """

    removed = Signal(str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._cards: list[TrayImage] = []
        inside = QWidget()
        inside.setObjectName("tray")
        self._row = QHBoxLayout(inside)
        self._row.setContentsMargins(0, 0, 0, 4)
        self._row.setSpacing(8)
        self._row.addStretch(1)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Images to send")
        self.hide()

    @property
    def images(self) -> tuple[ImageView, ...]:
        """What would be sent."""
        return tuple(card.image for card in self._cards)

    @property
    def buttons(self) -> tuple[IconButton, ...]:
        """The buttons that take images away, in order."""
        return tuple(card.button for card in self._cards)

    def set_images(self, images: Sequence[ImageView]) -> None:
        """Show these and no others."""
        for card in self._cards:
            self._row.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards = []
        for image in images:
            self.add(image)
        self._fit()

    def add(self, image: ImageView) -> None:
        """One more; the same picture once."""
        if any(card.image.key == image.key for card in self._cards):
            return
        card = TrayImage(image, self._themes)
        card.removed.connect(self._on_removed)
        self._cards.append(card)
        self._row.insertWidget(self._row.count() - 1, card)
        card.show()
        self._fit()

    def _on_removed(self, key: str) -> None:
        card = next((one for one in self._cards if one.image.key == key), None)
        if card is None:
            return
        place = self._cards.index(card)
        self._cards.remove(card)
        self._row.removeWidget(card)
        card.hide()
        card.deleteLater()
        if self._cards:  # the keyboard stays among the images
            self._cards[min(place, len(self._cards) - 1)].button.setFocus(Qt.FocusReason.OtherFocusReason)
        self._fit()
        self.removed.emit(key)

    def _fit(self) -> None:
        self.setVisible(bool(self._cards))
        if self._cards:
            wide = sum(card.sizeHint().width() + self._row.spacing() for card in self._cards)
            bar = self.horizontalScrollBar().sizeHint().height() if wide > self.width() else 0
            self.setFixedHeight(max(card.sizeHint().height() for card in self._cards) + 6 + bar)


class RoomMeter(QWidget):
    """How much of the model's context the conversation and the answer take: “Room” and a bar of four parts."""

    PARTS = 4

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._used, self._of = 0, 0
        self._is_wanted = True
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.hide()

    @property
    def share(self) -> float:
        """The share that is taken, 0…1."""
        return min(1.0, self._used / self._of) if self._of > 0 else 0.0

    def set_room(self, used: int, of: int) -> None:
        """`used` of `of` tokens are taken; hidden where the size of the room isn't known."""
        self._used, self._of = used, of
        self.setVisible(of > 0 and self._is_wanted)
        left = max(0, of - used)
        words = round(left * 0.74 / 10) * 10
        said = f"Room: {used:,} of {of:,} tokens are taken, which leaves about {words:,} words."
        if self.share >= 0.9:
            said += " Begin a new conversation soon: one that is full can't go on."
        self.setToolTip(said)
        self.setAccessibleName("Room")
        self.setAccessibleDescription(said)
        self.updateGeometry()
        self.update()

    def set_wanted(self, is_wanted: bool) -> None:
        """Whether there is a place for it."""
        self._is_wanted = is_wanted
        self.setVisible(self._of > 0 and is_wanted)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        bars = self._themes.px(7) * self.PARTS
        return QSize(metrics.horizontalAdvance("Room") + self._themes.px(8) + bars, metrics.height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        theme = self._themes.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.text_muted))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), "Room")
        step, bar = self._themes.px(7), self._themes.px(5)
        left = self.width() - step * self.PARTS
        height = self._themes.px(12)
        top = (self.height() - height) / 2
        full = QColor(theme.danger if self.share >= 0.9 else theme.accent)
        for part in range(self.PARTS):
            filled = min(1.0, max(0.0, self.share * self.PARTS - part))
            box = QRectF(left + part * step + 0.5, top + 0.5, bar - 1, height - 1)
            painter.setPen(QColor(theme.border_strong))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box)
            if filled > 0:
                grown = QRectF(box.left(), box.bottom() - box.height() * filled, box.width(), box.height() * filled)
                painter.fillRect(grown, full)
        painter.end()
