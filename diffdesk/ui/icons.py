"""Icons by name: Lucide's outlines, drawn sharp at any pixel density in a colour of the theme.

An icon is redrawn from its SVG for each size it is asked for, so it stays sharp at every scale. Knows no theme; the
caller gives the colour and asks again when the theme changes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from diffdesk.paths import resource_dir


@lru_cache(maxsize=256)
def icon(name: str, colour: str) -> QIcon:
    """The icon `name` (see `resources/icons`) in `colour` (`#rrggbb`); disabled, it is drawn faint.

    Raises `FileNotFoundError` for a name that isn't there: that is a bug, not a state of the machine.
    """
    return QIcon(_OutlineEngine(_outline(name, colour)))


@lru_cache(maxsize=64)
def pixmap(name: str, colour: str, side: int, density: float = 1.0) -> QPixmap:
    """The icon as a square picture of `side` logical pixels for a screen of `density`."""
    drawn = QPixmap(round(side * density), round(side * density))
    drawn.setDevicePixelRatio(density)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    QSvgRenderer(QByteArray(_outline(name, colour))).render(painter, QRectF(0, 0, side, side))
    painter.end()
    return drawn


def control_file(name: str, tone: Literal["ink", "paper"]) -> str:
    """The file of a control's mark, for a style sheet; `ink` on light backgrounds, `paper` on dark ones."""
    return (resource_dir() / "icons" / "controls" / f"{name}-{tone}.svg").as_posix()


def icon_names() -> tuple[str, ...]:
    """All names there are, sorted."""
    return tuple(sorted(one.stem for one in _folder().glob("*.svg")))


def _folder() -> Path:
    return resource_dir() / "icons"


@lru_cache(maxsize=256)
def _outline(name: str, colour: str) -> bytes:
    text = (_folder() / f"{name}.svg").read_text(encoding="utf-8")
    return text.replace("currentColor", QColor(colour).name()).encode()


class _OutlineEngine(QIconEngine):
    """Draws one outline at whatever size Qt asks for."""

    def __init__(self, outline: bytes) -> None:
        super().__init__()
        self._outline = outline
        self._renderer = QSvgRenderer(QByteArray(outline))

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        side = min(rect.width(), rect.height())
        square = QRectF(rect.x() + (rect.width() - side) / 2, rect.y() + (rect.height() - side) / 2, side, side)
        painter.save()
        if mode == QIcon.Mode.Disabled:
            painter.setOpacity(painter.opacity() * 0.45)
        self._renderer.render(painter, square)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        drawn = QPixmap(size)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return drawn

    def clone(self) -> QIconEngine:
        return _OutlineEngine(self._outline)
