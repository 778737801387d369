"""Screenshots: through the desktop's portal where there is one, else of the screen; a refusal says why."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from diffdesk.ui.screenshot import Screenshot, take_screenshot


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show()
    return made


def test_without_a_portal_the_screen_is_taken_and_the_window_comes_back(window: QWidget, qtbot: QtBot) -> None:
    taken: list[Path | bytes] = []
    refused: list[str] = []
    take_screenshot(window, taken.append, refused.append)
    qtbot.waitUntil(lambda: bool(taken or refused), timeout=15_000)
    assert refused == []
    (data,) = taken
    assert isinstance(data, bytes)
    assert Image.open(io.BytesIO(data)).size == window.screen().size().toTuple()
    assert window.isVisible()


@pytest.mark.parametrize(
    ("code", "results", "expected"),
    [
        (
            0,
            {"uri": "file:///tmp/Bildschirmfoto%20vom%201.%20M%C3%A4rz.png"},
            [Path("/tmp/Bildschirmfoto vom 1. März.png")],
        ),
        (1, {}, []),
        (0, {}, []),
    ],
)
def test_the_portals_answer_is_a_file_or_nothing(
    window: QWidget, code: int, results: dict[str, object], expected: list[Path]
) -> None:
    asking = Screenshot(window)
    taken: list[Path] = []
    asking.taken.connect(taken.append)
    asking._on_response(code, results)
    assert taken == expected


def test_the_slot_that_the_bus_calls_is_there(window: QWidget) -> None:
    described = Screenshot(window).metaObject()
    assert described.indexOfSlot("_on_response(uint,QVariantMap)") >= 0
