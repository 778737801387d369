"""A real rewriter's view on the screen that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.showing import shown


@pytest.fixture
def view(themes: ThemeKeeper, qtbot: QtBot) -> Iterator[RewriteView]:
    """A shown view of 1000 × 700, empty."""
    themes.set_motion("reduced")
    with shown(RewriteView(themes), 1000, 700, qtbot) as made:
        made.show_empty()
        yield made
