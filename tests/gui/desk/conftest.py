"""A real desk on the screen that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.desk.samples import page, rows
from tests.gui.showing import shown


@pytest.fixture
def empty_desk(themes: ThemeKeeper, qtbot: QtBot) -> Iterator[DeskView]:
    """A shown desk of 1280 × 800 without pages, and without motion so that nothing has to be waited for."""
    themes.set_motion("reduced")
    with shown(DeskView(themes), 1280, 800, qtbot) as made:
        yield made


@pytest.fixture
def desk(empty_desk: DeskView) -> DeskView:
    """The desk with a queue and a page under review."""
    empty_desk.set_rows(rows(12))
    empty_desk.show_page(page())
    empty_desk.setFocus()
    return empty_desk
