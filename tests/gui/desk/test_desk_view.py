"""The desk as a whole: keys, walking, page and text in step, states, and little room."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from diffdesk.ui.canvas.live_message import LiveMessage
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import PageStand, PageState, PieceState, QueueStatus
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.desk.samples import (
    AGAIN,
    AT,
    BROKEN,
    CLOCK,
    COME,
    HEIGHT,
    IMAGE,
    TRUST,
    TURNED,
    WIDTH,
    Reviewer,
    decided,
    long_page,
    page,
    rows,
)

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def press(desk: DeskView, *keys: Any) -> list[int]:
    """Type keys where the keyboard is; returns the piece in hand after each."""
    seen = []
    for one in keys:
        key, modifier = one if isinstance(one, tuple) else (one, Qt.KeyboardModifier.NoModifier)
        QTest.keyClick(QApplication.focusWidget() or desk, key, modifier)
        seen.append(desk.review.current)
    return seen


K = Qt.Key


def test_keys_walk_through_changes_and_uncertain_words(desk: DeskView) -> None:
    assert desk.review.current == TURNED, "the first open change is in hand from the start"
    assert press(desk, K.Key_J, K.Key_J, K.Key_J, K.Key_J) == [AGAIN, AT, COME, COME]
    assert press(desk, K.Key_K, K.Key_Up, K.Key_Down) == [AT, AGAIN, AT]
    assert press(desk, K.Key_W, (K.Key_W, SHIFT), K.Key_W) == [TRUST, CLOCK, TRUST]


def test_accepting_and_rejecting_go_on_to_what_is_open(desk: DeskView) -> None:
    review = Reviewer(desk, page())
    press(desk, K.Key_J)
    assert press(desk, K.Key_A, K.Key_R, K.Key_A) == [AT, TURNED, -1]
    assert review.log == [("accept", AGAIN), ("reject", AT), ("accept", TURNED)]
    assert desk.review.bar.change.text == "Every change is decided"
    asked: list[int] = []
    desk.page_requested.connect(asked.append)
    press(desk, K.Key_Return)
    assert asked == [1]


def test_enter_accepts_and_goes_on(desk: DeskView) -> None:
    review = Reviewer(desk, page())
    assert press(desk, K.Key_Return, K.Key_Return, K.Key_Enter) == [AGAIN, AT, -1]
    assert [name for name, *_ in review.log] == ["accept"] * 3


def test_an_uncertain_word_is_said_to_be_right(desk: DeskView) -> None:
    review = Reviewer(desk, page())
    press(desk, K.Key_W)
    assert press(desk, K.Key_A) == [TRUST]
    assert [one[:2] for one in review.log] == [("accept", 6)]
    assert desk.review.bar.accept_button.isHidden()


def test_undo_goes_back_to_the_place_of_the_decision(desk: DeskView) -> None:
    review = Reviewer(desk, page())
    press(desk, K.Key_A, K.Key_A)
    assert press(desk, K.Key_U) == [AGAIN]
    assert press(desk, (K.Key_Z, CONTROL)) == [TURNED]
    assert desk.review.pieces[TURNED].state is PieceState.MADE
    press(desk, K.Key_U)
    assert [name for name, *_ in review.log].count("undo") == 2, "there is nothing more to take back"


def test_redo_has_two_keys_and_needs_something_to_redo(desk: DeskView) -> None:
    asked: list[bool] = []
    desk.redo_requested.connect(lambda: asked.append(True))
    press(desk, (K.Key_U, SHIFT))
    desk.show_page(page(can_redo=True))
    press(desk, (K.Key_U, SHIFT), (K.Key_Z, CONTROL | SHIFT))
    assert asked == [True, True]


def test_a_word_is_typed_over_in_its_place_and_the_keys_are_text_meanwhile(desk: DeskView) -> None:
    review = Reviewer(desk, page())
    press(desk, K.Key_J, K.Key_E)
    field = desk.review.text.field
    assert field is not None
    assert field is QApplication.focusWidget()
    QTest.keyClicks(field, "jar")
    assert (desk.review.current, field.text()) == (AGAIN, "jar")
    QTest.keyClick(field, K.Key_Return)
    assert review.log == [("edit", AGAIN, "jar")]
    assert desk.review.current == AT
    assert QApplication.focusWidget() is desk.review.text
    assert press(desk, K.Key_K) == [AGAIN]


def test_leaving_a_word_that_is_typed_over_takes_it_and_lets_one_go(desk: DeskView) -> None:
    review = Reviewer(desk, page())
    press(desk, K.Key_E)
    field = desk.review.text.field
    assert field is not None
    QTest.keyClicks(field, "turns")
    desk.queue.list.setFocus()
    assert review.log == [("edit", TURNED, "turns")]
    assert QApplication.focusWidget() is desk.queue.list


def test_pages_are_asked_for_with_keys_and_buttons(desk: DeskView) -> None:
    asked: list[int] = []
    desk.page_requested.connect(asked.append)
    press(desk, K.Key_N, K.Key_P, K.Key_PageDown, K.Key_PageUp)
    QTest.mouseClick(desk.review.text_head.next_button, Qt.MouseButton.LeftButton)
    assert asked == [1, -1, 1, -1, 1]


def test_letters_work_in_the_queue_too_but_its_own_keys_stay_its_own(desk: DeskView) -> None:
    desk.queue.list.setFocus()
    assert press(desk, K.Key_J) == [AGAIN]
    assert press(desk, K.Key_Down) == [AGAIN]
    assert desk.queue.current_id() == 5
    review = Reviewer(desk, page())
    press(desk, K.Key_Return)
    assert review.log == [], "Enter leads from the list into the text"
    assert QApplication.focusWidget() is desk.review.text


def test_enter_on_a_button_decides_nothing(desk: DeskView) -> None:
    review = Reviewer(desk, page())
    desk.toolbar.export_button.setEnabled(True)
    desk.toolbar.export_button.setFocus()
    press(desk, K.Key_Return)
    assert review.log == []


def test_page_and_text_keep_in_step(desk: DeskView) -> None:
    view = long_page()
    desk.show_page(view)
    desk.set_image(view.id, QImage(WIDTH, view.height, QImage.Format.Format_RGB32))
    review = desk.review
    far = [piece.index for piece in view.pieces if piece.state is PieceState.MADE][150]
    review.image.piece_chosen.emit(far)
    assert review.text.current == far
    assert review.text.viewport().rect().contains(review.text.piece_rects(far)[0].toRect())
    review.text.piece_chosen.emit(TURNED)
    assert review.image.viewport().rect().contains(review.image.box_rect(TURNED).toRect())
    review.text.piece_hovered.emit(AGAIN)
    review.image.piece_hovered.emit(COME)
    assert review.text.hovered == COME
    place = review.text.verticalScrollBar().value()
    assert place > 0, "the part in which one chose stays where it was"


def test_the_image_is_asked_for_once_for_a_page(desk: DeskView) -> None:
    asked: list[tuple[object, ...]] = []
    desk.image_wanted.connect(lambda *wanted: asked.append(wanted))
    desk.show_page(page())
    desk.show_page(decided(page(), TURNED, is_accepted=True))
    assert asked == []
    desk.show_page(page(9, turned=90))
    assert [(one[0], one[1], one[2]) for one in asked] == [(9, IMAGE, 90)]
    desk.set_image(4, QImage(str(IMAGE)))
    assert not desk.review.image.has_image(), "it was that of another page"
    desk.set_image(9, QImage(str(IMAGE)))
    assert desk.review.image.has_image()


def test_boxes_fit_a_picture_that_came_before_the_text(desk: DeskView) -> None:
    desk.show_page(PageStand(11, "scan.png", PageState.READING, IMAGE, 0, "Reading the page …"))
    desk.set_image(11, QImage(str(IMAGE)).scaled(WIDTH // 2, HEIGHT // 2))
    desk.show_page(page(11))
    image = desk.review.image
    box = desk.review.pieces[TURNED].box
    assert box is not None
    assert image.box_rect(TURNED).width() == pytest.approx((box[2] - box[0]) * image.zoom)
    assert WIDTH * image.zoom < image.width()


def test_a_text_without_an_image_has_the_room_for_itself(desk: DeskView) -> None:
    desk.show_page(page(10, image=None, name="pasted.txt"))
    assert not desk.review.image.isVisible()
    assert desk.review.text.isVisible()
    assert desk.review.text_head.text.text().startswith("pasted.txt · ")
    desk.show_page(page())
    assert desk.review.image.isVisible()


def test_all_above_a_certainty_are_accepted_at_once(desk: DeskView) -> None:
    asked: list[float] = []
    desk.accept_above_requested.connect(asked.append)
    bar = desk.review.bar
    assert bar.all_button.text() == "Accept 2 above"
    bar.limit.setValue(98)
    assert bar.all_button.text() == "Accept 1 above"
    QTest.mouseClick(bar.all_button, Qt.MouseButton.LeftButton)
    assert asked == [0.98]
    bar.limit.setValue(100)
    assert not bar.all_button.isEnabled()


def test_the_bar_says_what_how_sure_and_why(desk: DeskView) -> None:
    bar = desk.review.bar
    assert (bar.change.text, bar.position.text()) == ("tumed → turned", "Change 1 of 4")
    assert bar.reason.text() == "Almost sure, 97 %"
    press(desk, K.Key_J, K.Key_J)
    assert bar.change.text == "At → Around"
    assert "for you to decide" in bar.reason.text()
    press(desk, K.Key_W)
    assert (bar.change.text, bar.position.text()) == ("trust", "Uncertain word 2 of 2")
    press(desk, K.Key_J)
    assert not bar.accept_button.isEnabled(), "it is accepted already"
    assert bar.reject_button.isEnabled()


def test_a_page_that_was_put_right_keeps_what_is_in_hand(desk: DeskView) -> None:
    press(desk, K.Key_J, K.Key_J)
    desk.show_page(decided(page(), TURNED, is_accepted=True))
    assert desk.review.current == AT
    desk.show_page(page(5))
    assert desk.review.current == TURNED


def test_the_note_of_a_page_is_put_away_for_that_page(desk: DeskView) -> None:
    note = desk.review.note
    assert note.isVisible()
    QTest.mouseClick(note.close_button, Qt.MouseButton.LeftButton)
    desk.show_page(decided(page(), TURNED, is_accepted=True))
    assert not note.isVisible()
    desk.show_page(page(5))
    assert note.isVisible()


def test_what_fails_is_said_with_a_remedy_and_can_be_tried_again(desk: DeskView) -> None:
    retried: list[list[int]] = []
    removed: list[list[int]] = []
    desk.retried.connect(retried.append)
    desk.removed.connect(removed.append)
    desk.show_page(PageStand(2, "scan-2.png", PageState.FAILED, error=BROKEN))
    state = desk.review.state
    assert [state.title.text(), state.text.text(), state.remedy.text()] == [BROKEN.title, BROKEN.text, BROKEN.remedy]
    assert not desk.review.bar.isVisible()
    QTest.mouseClick(state.retry_button, Qt.MouseButton.LeftButton)
    QTest.mouseClick(state.remove_button, Qt.MouseButton.LeftButton)
    assert (retried, removed) == ([[2]], [[2]])
    assert QApplication.focusWidget() is not desk.toolbar.add_button
    assert desk.queue.current_id() == 2


def test_a_page_in_work_shows_the_live_canvas_and_then_its_text(desk: DeskView, themes: ThemeKeeper) -> None:
    desk.show_page(PageStand(3, "scan-3.png", PageState.CORRECTING, IMAGE, 0, "Correcting"))
    live = LiveMessage(themes)
    live.begin("Correcting")
    desk.set_live(live)
    assert live.isVisible()
    desk.show_page(page())
    assert not live.isVisible()
    assert desk.review.text.isVisible()
    desk.show_page(PageStand(3, "scan-3.png", PageState.CORRECTING, IMAGE, 0, "Correcting"))
    assert live.isVisible()
    desk.set_live(None)
    assert live.parent() is None
    assert desk.review.state.title.text() == "Correcting"
    live.deleteLater()


def test_an_empty_desk_teaches_what_to_do(empty_desk: DeskView) -> None:
    done: list[str] = []
    empty_desk.add_requested.connect(lambda: done.append("add"))
    empty_desk.add_folder_requested.connect(lambda: done.append("folder"))
    empty_desk.screenshot_requested.connect(lambda: done.append("screenshot"))
    empty_desk.sample_requested.connect(lambda: done.append("sample"))
    empty = empty_desk.empty
    assert not empty_desk.toolbar.isVisible()
    for button in (empty.add_button, empty.folder_button, empty.screenshot_button, empty.sample_button):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert done == ["add", "folder", "screenshot", "sample"]
    empty_desk.set_rows(rows(1))
    assert empty_desk.toolbar.isVisible()
    assert not empty.isVisible()
    empty_desk.set_rows(())
    empty_desk.show_page(None)
    assert empty.isVisible()


def test_the_toolbar_says_how_far_the_work_is_and_pauses_it(desk: DeskView) -> None:
    done: list[str] = []
    desk.paused.connect(lambda: done.append("pause"))
    desk.resumed.connect(lambda: done.append("resume"))
    desk.export_requested.connect(lambda: done.append("export"))
    bar = desk.toolbar
    desk.set_status(QueueStatus(12, 300, 2, True, False, 250, "Starter model, with pictures of the lines"))
    assert bar.progress_text.text() == "12 of 300 · about 4 min left · 2 with errors"
    assert bar.how.text() == "Starter model, with pictures of the lines"
    assert bar.bar.value() == 14
    QTest.mouseClick(bar.pause_button, Qt.MouseButton.LeftButton)
    desk.set_status(QueueStatus(12, 300, 2, False, True))
    QTest.mouseClick(bar.pause_button, Qt.MouseButton.LeftButton)
    QTest.mouseClick(bar.export_button, Qt.MouseButton.LeftButton)
    assert done == ["pause", "resume", "export"]
    desk.set_status(QueueStatus(298, 300, 2))
    assert not bar.pause_button.isVisible()
    desk.set_status(QueueStatus(0, 300))
    assert not bar.export_button.isEnabled()


def test_zoom_keys_belong_to_the_page(desk: DeskView, themes: ThemeKeeper) -> None:
    desk.set_image(4, QImage(str(IMAGE)))
    zoom = desk.review.image.zoom
    press(desk, K.Key_Plus)
    assert desk.review.image.zoom == pytest.approx(zoom * 1.25)
    press(desk, K.Key_Minus)
    assert desk.review.image.zoom == pytest.approx(zoom)
    press(desk, K.Key_0)
    assert desk.review.image.fit == "width"
    assert themes.zoom == 1.0


def parts_in_sight(desk: DeskView) -> dict[str, bool]:
    named: dict[str, QWidget] = {"queue": desk.queue, "page": desk.review.image, "text": desk.review.text}
    return {name: widget.isVisible() for name, widget in named.items()}


def test_little_room_folds_the_queue_and_then_the_page(desk: DeskView) -> None:
    assert parts_in_sight(desk) == {"queue": True, "page": True, "text": True}
    desk.resize(800, 700)
    assert parts_in_sight(desk) == {"queue": False, "page": True, "text": True}
    desk.toolbar.queue_button.setChecked(True)
    assert parts_in_sight(desk)["queue"]
    place = desk.queue.list.visualRect(desk.queue.model.index_of(5)).center()
    QTest.mouseMove(desk.queue.list.viewport(), place)
    QTest.mouseClick(desk.queue.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    desk.resize(480, 500)
    assert desk.width() == 480
    desk.toolbar.queue_button.setChecked(False)
    assert parts_in_sight(desk) == {"queue": False, "page": False, "text": True}
    desk.review.tabs.setCurrentIndex(0)
    assert parts_in_sight(desk) == {"queue": False, "page": True, "text": False}
    press(desk, K.Key_E)
    assert parts_in_sight(desk)["text"], "one types where the text is"
    desk.resize(1280, 800)
    assert parts_in_sight(desk) == {"queue": True, "page": True, "text": True}
    assert desk.splitter.indexOf(desk.queue) == 0


def test_where_it_is_low_the_text_has_the_room(desk: DeskView) -> None:
    bar = desk.review.bar
    assert bar.all_button.isVisible()
    desk.resize(480, 350)
    assert not bar.all_button.isVisible()
    assert bar.accept_button.isVisible()
    assert bar.change.height() >= bar.change.sizeHint().height()
    desk.resize(1280, 800)
    assert bar.all_button.isVisible()


def test_twice_the_size_needs_twice_the_room(desk: DeskView, themes: ThemeKeeper) -> None:
    desk.set_image(4, QImage(str(IMAGE)))
    themes.set_zoom(2.0)
    assert parts_in_sight(desk) == {"queue": False, "page": True, "text": True}
    assert desk.review.current == TURNED
    bar = desk.review.bar
    for button in (bar.accept_button, bar.reject_button, bar.edit_button, bar.all_button):
        inside = QPoint(button.width() - 1, button.height() - 1)
        assert bar.rect().contains(button.mapTo(bar, inside)), button.text()
    themes.set_zoom(1.0)
    assert parts_in_sight(desk)["queue"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_theme_is_followed_everywhere(desk: DeskView, themes: ThemeKeeper, scheme: str) -> None:
    desk.set_image(4, QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32))
    themes.set_scheme(scheme)
    picture = desk.grab().toImage()
    surface = themes.theme.surface
    text = desk.review.text
    corner = text.mapTo(desk, QPoint(text.width() - 40, text.height() - 10))
    assert picture.pixelColor(corner).name() == surface
    themes.set_scheme("dark" if scheme == "light" else "light")
    assert desk.grab().toImage() != picture


def test_nothing_shown_is_a_state_too(desk: DeskView) -> None:
    desk.show_page(None)
    assert desk.page_id is None
    assert desk.review.state.title.text() == "Choose a page"
    assert press(desk, K.Key_J, K.Key_A, K.Key_E, K.Key_U) == [-1] * 4


def test_labels_with_text_of_others_show_it_literally(desk: DeskView) -> None:
    desk.show_page(page(banner="<b>much</b> changed"))
    desk.show_page(PageStand(2, "x", PageState.FAILED, error=replace(BROKEN, title="<i>no</i>")))
    told = (desk.review.note.text, desk.review.state.title)
    assert all(one.textFormat() == Qt.TextFormat.PlainText for one in told)
