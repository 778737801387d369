"""The text under review: marks, hovering, choosing, typing over, copying, long pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from diffdesk.ui.desk.desk_views import PieceState
from diffdesk.ui.desk.review_text import ReviewText
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.desk.samples import AGAIN, AT, CLOCK, COME, TURNED, decided, long_page, page, with_piece


@pytest.fixture
def text(themes: ThemeKeeper, qtbot: QtBot) -> Iterator[ReviewText]:
    themes.set_motion("reduced")
    made = ReviewText(themes)
    made.resize(520, 400)
    made.show()
    qtbot.waitExposed(made)
    made.show_page(page().pieces)
    yield made
    made.close()
    made.deleteLater()


def middle(text: ReviewText, index: int) -> QPoint:
    return text.piece_rects(index)[0].center().toPoint()


def move_to(text: ReviewText, place: QPoint) -> None:
    QTest.mouseMove(text.viewport(), place)
    QTest.mouseMove(text.viewport(), place + QPoint(1, 0))


def is_editing(text: ReviewText) -> bool:
    return text.field is not None


def test_the_text_shows_what_was_taken_away_and_what_is_offered(text: ReviewText) -> None:
    said = text.toPlainText().replace("\u2009", " ")
    assert said == (
        "The tumed turned again. [again,] clock\nAt [Around] trust  left as read for you to decide\ncorne come end"
    )


def test_a_word_knows_its_place_and_the_place_its_word(text: ReviewText) -> None:
    for index, piece in enumerate(text.pieces):
        if piece.text.strip():
            assert text.piece_at(QPointF(middle(text, index))) == index
    assert text.piece_at(QPointF(500, 390)) == -1
    assert text.piece_at(text.piece_rects(1)[0].center()) == -1, "white space is no word"


def test_hovering_and_clicking_are_told(text: ReviewText, qtbot: QtBot) -> None:
    hovered: list[int] = []
    chosen: list[int] = []
    text.piece_hovered.connect(hovered.append)
    text.piece_chosen.connect(chosen.append)
    move_to(text, middle(text, CLOCK))
    QTest.mouseClick(text.viewport(), Qt.MouseButton.LeftButton, pos=middle(text, AGAIN))
    assert hovered[:1] == [CLOCK]
    assert chosen == [AGAIN]


def test_dragging_selects_and_chooses_nothing(text: ReviewText) -> None:
    chosen: list[int] = []
    text.piece_chosen.connect(chosen.append)
    start = text.piece_rects(0)[0]
    QTest.mousePress(text.viewport(), Qt.MouseButton.LeftButton, pos=start.topLeft().toPoint() + QPoint(0, 5))
    QTest.mouseMove(text.viewport(), middle(text, CLOCK))
    QTest.mouseRelease(text.viewport(), Qt.MouseButton.LeftButton, pos=middle(text, CLOCK))
    assert text.textCursor().hasSelection()
    assert chosen == []


def test_what_is_copied_is_the_text_as_it_stands(text: ReviewText) -> None:
    text.setFocus()
    QTest.keyClick(text, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(text, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "The turned again. clock\nAt trust\ncome end"
    first, last = text.map.span(TURNED)
    cursor = QTextCursor(text.document())
    cursor.setPosition(first)
    cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
    text.setTextCursor(cursor)
    assert text.createMimeDataFromSelection().text() == "turned"


@pytest.mark.parametrize("is_accepted", [True, False])
@pytest.mark.parametrize("index", [TURNED, AGAIN, AT, COME])
def test_a_page_brought_up_to_date_equals_one_set_anew(text: ReviewText, index: int, is_accepted: bool) -> None:
    after = decided(page(), index, is_accepted=is_accepted)
    text.update_pieces(after.pieces)
    said, looks = text.toPlainText(), text.toHtml()
    text.show_page(after.pieces)
    assert text.toPlainText() == said
    assert text.toHtml() == looks


def test_a_current_piece_can_be_seen_and_so_can_each_state(text: ReviewText) -> None:
    pictures = []
    for state in PieceState:
        piece = replace(page().pieces[TURNED], state=state, offer="tuned")
        text.update_pieces(with_piece(page(), piece).pieces)
        pictures.append(text.viewport().grab().toImage())
    assert all(a != b for number, a in enumerate(pictures) for b in pictures[:number])
    text.set_current(TURNED)
    assert text.viewport().grab().toImage() != pictures[-1]


def test_typing_over_a_word_takes_it_with_enter_and_leaves_it_with_escape(text: ReviewText) -> None:
    edited: list[tuple[int, str]] = []
    text.edited.connect(lambda index, new: edited.append((index, new)))
    text.edit_piece(CLOCK)
    assert text.field is not None
    assert text.viewport().rect().contains(text.field.geometry())
    QTest.keyClicks(text.field, "clock-j")
    QTest.keyClick(text.field, Qt.Key.Key_Escape)
    assert not is_editing(text)
    assert edited == []
    text.edit_piece(CLOCK)
    assert text.field is not None
    QTest.keyClicks(text.field, "lock")
    QTest.keyClick(text.field, Qt.Key.Key_Return)
    assert not is_editing(text)
    assert edited == [(CLOCK, "lock")]
    text.edit_piece(CLOCK)
    assert text.field is not None
    QTest.keyClick(text.field, Qt.Key.Key_Return)
    assert edited == [(CLOCK, "lock")], "nothing was changed"


def test_going_elsewhere_takes_what_was_typed(text: ReviewText) -> None:
    edited: list[tuple[int, str]] = []
    text.edited.connect(lambda index, new: edited.append((index, new)))
    text.edit_piece(CLOCK)
    assert text.field is not None
    QTest.keyClicks(text.field, "lock")
    text.setFocus(Qt.FocusReason.MouseFocusReason)
    assert edited == [(CLOCK, "lock")]
    assert not is_editing(text)


def test_twenty_thousand_characters_are_scrolled_to_and_brought_up_to_date_in_place(text: ReviewText) -> None:
    view = long_page()
    text.show_page(view.pieces)
    shown: list[int] = []
    text.document().contentsChange.connect(lambda place, gone, come: shown.append(gone + come))
    last = [piece.index for piece in view.pieces if piece.state is PieceState.MADE][-40]
    text.set_current(last)
    rect = text.piece_rects(last)[0]
    assert text.viewport().rect().contains(rect.toRect())
    place = text.verticalScrollBar().value()
    assert place > 5000
    after = decided(view, last, is_accepted=True)
    text.update_pieces(after.pieces)
    assert text.verticalScrollBar().value() == place
    assert sum(shown) < 100, "only the word was set again"
    made = text.map
    assert made.text_between(0, made.starts[-1]) == "".join(piece.text for piece in after.pieces)


def test_only_pieces_in_sight_are_drawn(text: ReviewText) -> None:
    view = long_page()
    text.show_page(view.pieces)
    assert len(text.visible_pieces()) < len(view.pieces) / 10
    text.verticalScrollBar().setValue(text.verticalScrollBar().maximum())
    seen = text.visible_pieces()
    assert len(seen) < len(view.pieces) / 10
    assert len(view.pieces) - 1 in seen


def test_theme_and_zoom_set_the_text_anew_and_keep_the_piece_in_hand(text: ReviewText, themes: ThemeKeeper) -> None:
    text.set_current(COME)
    small = text.piece_rects(COME)[0]
    light = text.viewport().grab().toImage()
    themes.set_scheme("dark")
    assert text.viewport().grab().toImage() != light
    themes.set_zoom(2.0)
    large = text.piece_rects(COME)[0]
    assert large.height() > 1.7 * small.height()
    assert text.current == COME
    assert text.lineWrapColumnOrWidth() <= text.viewport().width()


def test_lines_are_never_longer_than_one_reads_with_ease(text: ReviewText) -> None:
    text.resize(2400, 400)
    assert text.lineWrapColumnOrWidth() < 1200
