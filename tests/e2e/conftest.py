"""The real program in a throw-away profile, offscreen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from diffdesk.paths import Places, choose_places
from diffdesk.ui.app import Program, build_program
from diffdesk.ui.views import ModelState

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

READY_MILLISECONDS = 180_000


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return choose_places(tmp_path / "profile")


@pytest.fixture
def start(qtbot: QtBot, qapp: QApplication, places: Places) -> Iterator[Callable[[], Program]]:
    """Starts the program on the test's profile; closing the window ends it, and a second call starts it again."""
    begun: list[Program] = []

    def begin() -> Program:
        program = build_program(places)
        qtbot.addWidget(program.window)
        program.window.resize(1100, 760)
        program.window.show()
        program.controller.start()
        begun.append(program)
        return program

    yield begin
    for program in begun:
        program.window.close()
    qtbot.waitUntil(lambda: all(program.controller.is_closed for program in begun), timeout=30_000)


def wait_for_model(qtbot: QtBot, program: Program) -> None:
    """Wait until the model is loaded, or fail with what went wrong."""
    models = program.controller.models
    qtbot.waitUntil(lambda: models.view.state in (ModelState.READY, ModelState.FAILED), timeout=READY_MILLISECONDS)
    assert models.view.state is ModelState.READY, models.view.error
