"""An image of a message, large."""

from __future__ import annotations

from contextlib import suppress

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImageReader, QKeyEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QDialog, QLabel, QSizePolicy, QVBoxLayout, QWidget

from diffdesk.core.errors import ImageError
from diffdesk.ui.message_parts import described, label
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ImageView

MOST_SIDE = 4096
"""Pixels a side that are decoded: more than a screen shows."""


def load_large(image: ImageView) -> QPixmap:
    """The image, upright, decoded at no more than `MOST_SIDE` a side; its thumbnail if the file can't be read.

    Qt can't open HEIC photos: those come as the program reads them.
    """
    reader = QImageReader(str(image.path))
    reader.setAutoTransform(True)
    size = reader.size()
    if max(size.width(), size.height()) > MOST_SIDE:
        reader.setScaledSize(size.scaled(QSize(MOST_SIDE, MOST_SIDE), Qt.AspectRatioMode.KeepAspectRatio))
    picture = QPixmap.fromImageReader(reader)
    if picture.isNull():
        from diffdesk.documents.images import thumbnail_png  # the image library, which the window can begin without

        with suppress(ImageError):
            picture.loadFromData(thumbnail_png(image.path, MOST_SIDE // 2))
    if picture.isNull() and image.thumbnail:
        picture.loadFromData(image.thumbnail)
    return picture


class ImageDialog(QDialog):
    """Shows one image as large as the dialog; a click or Escape closes it."""

    def __init__(self, themes: ThemeKeeper, image: ImageView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(image.name)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._picture = load_large(image)
        self._shown = QLabel()
        self._shown.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._shown.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._shown.setAccessibleName(f"Image {image.name}")
        column = QVBoxLayout(self)
        column.addWidget(self._shown, 1)
        column.addWidget(label(described(image), "small", is_wrapped=True))
        wide = max(360, min(1100, self._picture.width() + 40))
        high = max(280, min(760, self._picture.height() + 80))
        self.resize(themes.px(wide) if wide < 700 else wide, high)

    def _fit(self) -> None:
        if self._picture.isNull():
            self._shown.setText("The image can't be shown.")
            return
        density = self.devicePixelRatioF()
        room = self._shown.size() * density
        natural = self._picture.size()
        if natural.width() > room.width() or natural.height() > room.height():
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            scaled = self._picture.scaled(room, keep, smooth)
        else:
            scaled = QPixmap(self._picture)
        scaled.setDevicePixelRatio(density)
        self._shown.setPixmap(scaled)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accept()
        else:
            super().keyPressEvent(event)
