"""Shows a widget for the time of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

W = TypeVar("W", bound=QWidget)


@contextmanager
def shown(widget: W, width: int, height: int, qtbot: QtBot) -> Iterator[W]:
    """The widget on the screen that isn't there."""
    widget.resize(width, height)
    widget.show()
    qtbot.waitExposed(widget)
    yield widget
    widget.close()
    widget.deleteLater()
    # At once: a widget that lingers would be dressed again by every later test.
    QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
