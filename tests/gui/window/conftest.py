"""A real main window on the screen that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.theme import ThemeKeeper


@pytest.fixture
def window(themes: ThemeKeeper, qtbot: QtBot) -> Iterator[MainWindow]:
    """A shown window of 1280 × 800, without motion so that nothing has to be waited for."""
    themes.set_motion("reduced")
    made = MainWindow(themes)
    made.resize(1280, 800)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()
    made.deleteLater()
    # At once: a window that lingers would be dressed again by every later test.
    QCoreApplication.sendPostedEvents(made, QEvent.Type.DeferredDelete)
