"""The image of the page: fitting, zooming, panning, boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from diffdesk.ui.desk.page_image import MOST_ZOOM, PageImage
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.desk.samples import AGAIN, CLOCK, HEIGHT, IMAGE, TURNED, WIDTH, long_page, page


@pytest.fixture
def image(themes: ThemeKeeper, qtbot: QtBot) -> Iterator[PageImage]:
    themes.set_motion("reduced")
    made = PageImage(themes)
    made.resize(500, 400)
    made.show()
    qtbot.waitExposed(made)
    made.set_image(QImage(str(IMAGE)))
    made.set_pieces(page().pieces)
    yield made
    made.close()
    made.deleteLater()


def centre(image: PageImage, index: int) -> QPoint:
    return image.box_rect(index).center().toPoint()


def turn_wheel(image: PageImage, place: QPointF, steps: int) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    event = QWheelEvent(
        place,
        place,
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        control,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(image.viewport(), event)


def test_a_page_fits_its_width_or_as_a_whole(image: PageImage) -> None:
    assert image.fit == "width"
    assert 400 < WIDTH * image.zoom < 500
    tall = QImage(800, 3000, QImage.Format.Format_RGB32)
    image.set_image(tall)
    assert image.verticalScrollBar().maximum() > 0
    assert image.horizontalScrollBar().maximum() == 0
    image.fit_page()
    assert image.verticalScrollBar().maximum() == 0
    assert 3000 * image.zoom <= 400
    image.toggle_fit()
    assert image.fit == "width"


def test_resizing_follows_the_fit_but_not_a_zoom_of_ones_own(image: PageImage) -> None:
    before = image.zoom
    image.resize(900, 400)
    assert image.zoom > before
    image.zoom_by(1.25)
    own = image.zoom
    image.resize(500, 400)
    assert image.zoom == own


def test_zooming_with_the_wheel_keeps_what_is_under_the_mouse(image: PageImage) -> None:
    place = QPointF(centre(image, AGAIN))
    turn_wheel(image, place, 3)
    assert image.fit == ""
    assert image.piece_at(place) == AGAIN
    for _ in range(30):
        turn_wheel(image, place, 1)
    assert image.zoom == MOST_ZOOM
    image.grab()  # a page of 6,560 pixels: only the part in sight is drawn


def test_boxes_are_where_their_words_are_even_if_the_picture_is_smaller_than_the_page(image: PageImage) -> None:
    whole = image.box_rect(TURNED)
    half = QImage(str(IMAGE)).scaled(WIDTH // 2, HEIGHT // 2)
    image.set_image(half, QSize(WIDTH, HEIGHT))
    assert image.box_rect(TURNED) == whole
    assert image.piece_at(whole.center()) == TURNED
    assert image.piece_at(QPointF(1, 1)) == -1
    assert image.box_rect(1).isEmpty(), "white space has no box"


def test_hovering_and_clicking_are_told_and_dragging_pans(image: PageImage) -> None:
    hovered: list[int] = []
    chosen: list[int] = []
    image.piece_hovered.connect(hovered.append)
    image.piece_chosen.connect(chosen.append)
    QTest.mouseMove(image.viewport(), centre(image, CLOCK))
    QTest.mouseClick(image.viewport(), Qt.MouseButton.LeftButton, pos=centre(image, CLOCK))
    assert hovered[-1] == CLOCK
    assert chosen == [CLOCK]
    image.zoom_by(4.0)
    bar = image.horizontalScrollBar()
    before, start = bar.value(), QPoint(250, 200)
    QTest.mousePress(image.viewport(), Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(image.viewport(), start + QPoint(-60, 0))
    QTest.mouseRelease(image.viewport(), Qt.MouseButton.LeftButton, pos=start + QPoint(-60, 0))
    assert bar.value() == before + 60
    assert chosen == [CLOCK]


def test_a_piece_in_hand_is_scrolled_into_sight(image: PageImage) -> None:
    view = long_page()
    image.set_image(QImage(WIDTH, view.height, QImage.Format.Format_RGB32))
    image.set_pieces(view.pieces)
    last = max(piece.index for piece in view.pieces if piece.box is not None)
    image.set_current(last)
    assert QRectF(image.viewport().rect()).contains(image.box_rect(last))
    place = image.verticalScrollBar().value()
    image.set_current(last - 2)
    assert image.verticalScrollBar().value() == place, "it was in sight"


def test_scrolling_moves_smoothly_where_things_may_move(image: PageImage, themes: ThemeKeeper, qtbot: QtBot) -> None:
    themes.set_motion("full")
    view = long_page()
    image.set_image(QImage(WIDTH, view.height, QImage.Format.Format_RGB32))
    image.set_pieces(view.pieces)
    last = max(piece.index for piece in view.pieces if piece.box is not None)
    image.set_current(last)
    assert not QRectF(image.viewport().rect()).contains(image.box_rect(last))
    qtbot.waitUntil(lambda: QRectF(image.viewport().rect()).contains(image.box_rect(last)))


def test_marks_differ_in_more_than_colour(image: PageImage, tmp_path: Path) -> None:
    blank = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
    blank.fill(0xFFFFFF)
    image.set_image(blank)

    def dark_share(index: int) -> float:
        """How much of the upper edge of a box is drawn."""
        rect = image.box_rect(index)
        picture = image.viewport().grab().toImage()
        row = [
            picture.pixelColor(x, round(rect.top()) - 1) for x in range(round(rect.left()) + 4, round(rect.right()) - 4)
        ]
        return sum(colour.lightness() < 190 for colour in row) / len(row)

    solid, dotted = dark_share(TURNED), dark_share(CLOCK)
    assert solid > 0.9
    assert 0.2 < dotted < 0.8
    before = image.viewport().grab().toImage()
    image.set_current(TURNED)
    assert image.viewport().grab().toImage() != before


def test_what_is_missing_is_said_in_words(image: PageImage) -> None:
    image.set_note("The image can't be shown.")
    image.set_image(QImage())
    first = image.viewport().grab().toImage()
    image.set_note("Loading the page …")
    assert image.viewport().grab().toImage() != first
    assert image.piece_at(QPointF(50, 50)) == -1
