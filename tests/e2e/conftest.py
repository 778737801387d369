"""The real program in a throw-away profile, offscreen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from diffdesk.backends import registry
from diffdesk.backends.gguf.conversion import convert
from diffdesk.paths import Places, choose_places, starter_dir
from diffdesk.ui.app import Program, build_program
from diffdesk.ui.views import ModelState

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

READY_MILLISECONDS = 180_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In a base install, tests of the backend that needs torch have nothing to run."""
    if not registry.is_installed(registry.TRANSFORMERS):
        for item in items:
            if item.get_closest_marker("torch"):
                item.add_marker(pytest.mark.skip(reason="the extra `gpu` is not installed"))


@pytest.fixture
def chat_file(tmp_path: Path) -> Path:
    """A GGUF file of a small chat model that can't see: the starter without the file that says what it is for.

    It has not been taught to chat, so it may say anything.
    """
    folder = tmp_path / "checkpoint"
    shutil.copytree(starter_dir(), folder, ignore=shutil.ignore_patterns("diffdesk.json", "*.gguf"))
    file = tmp_path / "models" / "chatty-Q8_0.gguf"
    file.parent.mkdir()
    convert(folder, file, "q8_0", lambda stage, share: None)
    return file


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
