"""A real rewriter's view on the screen that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.theme import ThemeKeeper


@pytest.fixture
def view(themes: ThemeKeeper, qtbot: QtBot) -> Iterator[RewriteView]:
    """A shown view of 1000 × 700, empty."""
    themes.set_motion("reduced")
    made = RewriteView(themes)
    made.resize(1000, 700)
    made.show_empty()
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()
    made.deleteLater()
    # At once: a view that lingers would be dressed again by every later test.
    QCoreApplication.sendPostedEvents(made, QEvent.Type.DeferredDelete)
