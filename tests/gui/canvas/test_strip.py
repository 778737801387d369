"""The strip of cells: places that never move, states that differ in form, tooltips."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from diffdesk.core.trace import CellState, Region
from diffdesk.ui.canvas.strip import CanvasStrip, draw_cell
from diffdesk.ui.theme import DARK, LIGHT, Theme, ThemeKeeper
from tests.gui.canvas.frames import frame_of, sample_frames

LOOKS = {
    "noise": (CellState.NOISE, Region.ANSWER, 1),
    "changing": (CellState.CHANGING, Region.ANSWER, 5),
    "settled": (CellState.SETTLED, Region.ANSWER, 8),
    "accepted": (CellState.ACCEPTED, Region.ANSWER, 8),
    "marker": (CellState.SETTLED, Region.MARKER, 8),
    "after the end": (CellState.NOISE, Region.AFTER_END, 0),
}


def pixels(image: QImage) -> NDArray[np.uint8]:
    """Grey values [height, width]."""
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return rows[:, : grey.width()].copy()


def cell(theme: Theme, look: tuple[int, int, int]) -> NDArray[np.uint8]:
    image = QImage(20, 30, QImage.Format.Format_RGB32)
    image.fill(theme.surface)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    draw_cell(painter, theme, look, QRectF(1, 1, 18, 28))
    painter.end()
    return pixels(image)


@pytest.fixture
def strip(themes: ThemeKeeper, qtbot: QtBot) -> CanvasStrip:
    widget = CanvasStrip(themes)
    qtbot.addWidget(widget)
    widget.resize(680, 80)
    widget.show()
    return widget


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("pair", list(combinations(LOOKS, 2)), ids=" and ".join)
def test_states_differ_in_form_and_not_only_in_colour(pair: tuple[str, str], theme: Theme, qapp: QApplication) -> None:
    """Each cell's grey picture, brought to the same mean and spread, leaves only its form."""
    forms = []
    for name in pair:
        grey = cell(theme, LOOKS[name]).astype(float)
        spread = grey.std()
        forms.append((grey - grey.mean()) / spread if spread > 2 else grey * 0)
    assert np.abs(forms[0] - forms[1]).mean() > 0.15


def test_a_changing_cell_fills_as_the_model_becomes_sure(qapp: QApplication) -> None:
    inks = [int((cell(LIGHT, (CellState.CHANGING, Region.ANSWER, level)) < 215).sum()) for level in (2, 4, 6, 7)]
    assert inks == sorted(set(inks))


def test_the_thought_is_marked_below_its_cells(strip: CanvasStrip, themes: ThemeKeeper) -> None:
    strip.set_frame(frame_of(["x"] * 64, CellState.SETTLED, [Region.THOUGHT] * 32 + [Region.ANSWER] * 32))
    image = strip.grab().toImage()
    below = round(strip.cell_rect(0).bottom()) + 1
    thought, answer = (round(strip.cell_rect(index).center().x()) for index in (4, 40))
    assert image.pixelColor(thought, below).name() == themes.theme.thought
    assert image.pixelColor(answer, below).name() != themes.theme.thought


@pytest.mark.parametrize("width", [120, 312, 360, 640, 760, 1400])
@pytest.mark.parametrize("length", [1, 7, 100, 256, 512])
def test_every_position_has_its_own_place_inside(strip: CanvasStrip, width: int, length: int) -> None:
    strip.resize(width, 80)
    strip.set_frame(frame_of(["x"] * length))
    rects = [strip.cell_rect(index) for index in range(length)]
    assert all(strip.position_at(rect.center().toPoint()) == index for index, rect in enumerate(rects))
    assert max(rect.right() for rect in rects) <= width + 0.01
    assert rects[-1].bottom() <= strip.height()
    assert strip.columns & (strip.columns - 1) == 0


def test_cells_never_move_while_the_canvas_denoises(strip: CanvasStrip) -> None:
    frames = sample_frames(steps=8)
    strip.set_frame(frames[0][0])
    places, size = [strip.cell_rect(index) for index in range(256)], strip.size()
    for frame, _, _ in frames:
        strip.set_frame(frame)
    assert [strip.cell_rect(index) for index in range(256)] == places
    assert strip.size() == size


def test_what_is_drawn_is_the_last_frame_however_it_came(strip: CanvasStrip, themes: ThemeKeeper, qtbot: QtBot) -> None:
    frames = [frame for frame, _, _ in sample_frames(steps=6)]
    for frame in frames[:5]:
        strip.set_frame(frame)
        strip.grab()
    fresh = CanvasStrip(themes)
    qtbot.addWidget(fresh)
    fresh.resize(strip.size())
    fresh.set_frame(frames[4])
    strip.clearFocus()
    assert np.array_equal(pixels(strip.grab().toImage()), pixels(fresh.grab().toImage()))


def test_many_frames_make_one_drawing(strip: CanvasStrip, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: strip.paints > 0)
    before = strip.paints
    for frame, _, _ in sample_frames(steps=20):
        strip.set_frame(frame)
    qtbot.waitUntil(lambda: strip.paints > before)
    assert strip.paints == before + 1


def test_tooltip_tells_position_text_and_certainty(strip: CanvasStrip) -> None:
    frame = frame_of(["The", " sky", "\n"], [CellState.SETTLED, CellState.CHANGING, CellState.NOISE], nats=1.1)
    strip.set_frame(frame)
    assert strip.tooltip(1) == "Position 2 of 3\nText: ␣sky\nStill changing\nThe model weighs about 3 words"
    assert "↵" in strip.tooltip(2)
    strip.set_frame(frame_of(["x"], nats=0.01))
    assert "The model is sure" in strip.tooltip(0)


def test_hovering_shows_the_tooltip_of_the_cell_below(strip: CanvasStrip, qtbot: QtBot) -> None:
    strip.set_frame(frame_of(["alpha", "beta"]))
    at = strip.cell_rect(1).center().toPoint()
    QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, at, strip.mapToGlobal(at)))
    qtbot.waitUntil(lambda: "beta" in QToolTip.text())
    outside = QPoint(600, 5)
    QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, outside, strip.mapToGlobal(outside)))
    qtbot.waitUntil(lambda: not QToolTip.isVisible() or "beta" not in QToolTip.text())


def test_the_keyboard_walks_the_cells_and_tells_each(strip: CanvasStrip, qtbot: QtBot) -> None:
    strip.set_frame(frame_of([f"w{index}" for index in range(128)]))
    keys = [Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down]
    for key in keys:
        QTest.keyClick(strip, key)
    assert f"w{2 + strip.columns}" in strip.accessibleDescription()
    QTest.keyClick(strip, Qt.Key.Key_End)
    assert "w127" in strip.accessibleDescription()
    QTest.keyClick(strip, Qt.Key.Key_Right)
    assert "w127" in strip.accessibleDescription()


def test_it_follows_the_theme_and_the_zoom(strip: CanvasStrip, themes: ThemeKeeper) -> None:
    strip.set_frame(frame_of(["x"] * 256))
    light, height = strip.grab().toImage(), strip.height()
    themes.set_scheme("dark")
    middle = strip.cell_rect(0).center().toPoint()
    assert strip.grab().toImage().pixelColor(middle).name() == themes.theme.settled
    assert light.pixelColor(middle).name() == LIGHT.settled
    themes.set_zoom(2.0)
    assert strip.height() > height


def test_only_the_exposed_part_is_drawn(strip: CanvasStrip) -> None:
    strip.set_frame(frame_of(["x"] * 256))
    image = QImage(strip.size(), QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    strip.render(image, QPoint(0, 0), strip.cell_rect(0).toAlignedRect(), CanvasStrip.RenderFlag(0))
    assert image.pixelColor(strip.cell_rect(0).center().toPoint()).alpha() == 255
    assert image.copy(QRect(40, 0, 200, 20)).allGray()
