"""What the tests of widgets share: one theme keeper for the application, back at its defaults before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication

from diffdesk.ui.theme import ThemeKeeper


@pytest.fixture
def themes(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThemeKeeper]:
    """The application in the light theme at 100 %, with full motion."""
    monkeypatch.delenv("DIFFDESK_REDUCED_MOTION", raising=False)
    keeper = ThemeKeeper()
    keeper.apply(qapp)
    keeper.set_scheme("light")
    keeper.set_motion("full")
    yield keeper
    keeper.deleteLater()
