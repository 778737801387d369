"""A real main window on the screen that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.showing import shown


@pytest.fixture
def window(themes: ThemeKeeper, qtbot: QtBot) -> Iterator[MainWindow]:
    """A shown window of 1280 × 800, without motion so that nothing has to be waited for."""
    themes.set_motion("reduced")
    with shown(MainWindow(themes), 1280, 800, qtbot) as made:
        yield made
