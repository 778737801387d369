"""The queue: thousands of rows, thumbnails of what is in sight, order, removal, trying again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QMimeData, QModelIndex, QPoint, Qt
from PySide6.QtGui import QImage, QImageWriter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import PageState
from diffdesk.ui.desk.queue_delegate import SIGNS, state_colour, word_colour
from diffdesk.ui.desk.queue_model import MIME_TYPE
from diffdesk.ui.theme import AA, AA_GRAPHIC, DARK, LIGHT, Theme, contrast
from tests.gui.desk.samples import BROKEN, rows

ACCENTS = ("", "#3584e4", "#e95420", "#f5c211", "#2ec27e", "#777777")


def thumbnail(colour: int) -> bytes:
    image = QImage(60, 80, QImage.Format.Format_RGB32)
    image.fill(colour)
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    assert QImageWriter(buffer, QByteArray(b"PNG")).write(image)
    return bytes(buffer.data().data())


def test_thumbnails_are_asked_for_once_and_only_for_rows_in_sight(empty_desk: DeskView, qtbot: QtBot) -> None:
    asked: list[int] = []
    empty_desk.thumbnails_wanted.connect(asked.extend)
    empty_desk.set_rows(rows(3000))
    qtbot.waitUntil(lambda: bool(asked))
    first = list(asked)
    assert first[0] == 1
    assert len(first) < 40
    bar = empty_desk.queue.list.verticalScrollBar()
    bar.setValue(bar.maximum())
    qtbot.waitUntil(lambda: 3000 in asked)
    assert len(asked) < 80
    bar.setValue(0)
    empty_desk.update_row(replace(rows(1)[0], note="x"))
    bar.setValue(bar.maximum() // 2)
    qtbot.waitUntil(lambda: 1500 in asked)
    assert sorted(set(asked)) == sorted(asked)


def test_a_thumbnail_that_was_let_go_is_asked_for_again_when_it_is_seen(empty_desk: DeskView, qtbot: QtBot) -> None:
    asked: list[int] = []
    empty_desk.thumbnails_wanted.connect(asked.extend)
    (first, *others) = rows(100)
    empty_desk.set_rows([first, *others])
    qtbot.waitUntil(lambda: 1 in asked)
    empty_desk.update_row(replace(first, thumbnail=thumbnail(0xFF0000)))
    asked.clear()
    empty_desk.update_row(first)
    bar = empty_desk.queue.list.verticalScrollBar()
    bar.setValue(1)
    bar.setValue(0)
    qtbot.waitUntil(lambda: asked == [1])


def test_a_longer_queue_keeps_selection_and_scroll(desk: DeskView) -> None:
    desk.set_rows(rows(3000))
    chosen: list[int] = []
    queue = desk.queue
    queue.set_current(1000)
    place = queue.list.verticalScrollBar().value()
    assert place > 0
    desk.page_chosen.connect(chosen.append)
    desk.set_rows(rows(3100))
    assert (queue.current_id(), queue.list.verticalScrollBar().value()) == (1000, place)
    reordered = [*rows(3100)[1:], rows(1)[0]]
    desk.set_rows(reordered)
    assert queue.current_id() == 1000
    assert queue.selected_ids() == [1000]
    assert queue.list.verticalScrollBar().value() == place
    assert chosen == []


def test_the_page_that_is_opened_is_the_only_one_selected_even_while_ctrl_is_still_down(desk: DeskView) -> None:
    one, other = (row.id for row in desk.queue.model.rows[:2])
    desk.queue.set_current(one)
    QTest.keyPress(desk.queue.list, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    desk.queue.set_current(other)
    QTest.keyRelease(desk.queue.list, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert desk.queue.selected_ids() == [other]


def test_a_row_that_changes_is_drawn_again(desk: DeskView, qtbot: QtBot) -> None:
    index = desk.queue.model.index_of(6)
    area = desk.queue.list.visualRect(index)
    before = desk.queue.list.viewport().grab(area).toImage()
    row = rows(12)[5]
    desk.update_row(replace(row, state=PageState.READY, note="3 changes", thumbnail=thumbnail(0xFF3344)))
    after = desk.queue.list.viewport().grab(area).toImage()
    assert after != before
    desk.update_row(replace(row, id=999))  # not listed any more
    assert desk.queue.model.rowCount() == 12


def test_going_to_a_page_is_told_whether_by_key_or_by_mouse(desk: DeskView) -> None:
    chosen: list[int] = []
    desk.page_chosen.connect(chosen.append)
    listed = desk.queue.list
    listed.setFocus()
    QTest.keyClick(listed, Qt.Key.Key_Down)
    place = listed.visualRect(desk.queue.model.index_of(2)).center()
    QTest.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen == [5, 2]


def test_waiting_pages_are_moved_among_those_that_wait(desk: DeskView) -> None:
    moved: list[tuple[int, object]] = []
    desk.moved.connect(lambda page, before: moved.append((page, before)))
    listed = desk.queue.list
    listed.setFocus()
    for page_id, key in (
        (7, Qt.Key.Key_Up),
        (7, Qt.Key.Key_Down),
        (11, Qt.Key.Key_Down),
        (6, Qt.Key.Key_Up),
        (12, Qt.Key.Key_Down),
        (4, Qt.Key.Key_Down),
    ):
        desk.queue.set_current(page_id)
        QTest.keyClick(listed, key, Qt.KeyboardModifier.AltModifier)
    assert moved == [(7, 6), (7, 9), (11, None)]


@pytest.mark.parametrize(("place", "before"), [(8, 9), (0, 6), (12, None), (-1, None)])
def test_a_dropped_row_is_wanted_before_the_next_one_that_waits(desk: DeskView, place: int, before: int | None) -> None:
    moved: list[tuple[int, object]] = []
    desk.moved.connect(lambda page, other: moved.append((page, other)))
    model = desk.queue.model
    data = model.mimeData([model.index_of(11)])
    assert data.hasFormat(MIME_TYPE)
    assert not model.dropMimeData(data, Qt.DropAction.MoveAction, place, 0, QModelIndex())
    assert moved == [(11, before)]
    assert [row.id for row in model.rows] == list(range(1, 13)), "the presenter moves it, not the list"


def test_only_waiting_pages_can_be_dragged(desk: DeskView) -> None:
    flags = [desk.queue.model.flags(desk.queue.model.index_of(row.id)) for row in desk.queue.model.rows]
    can = [bool(flag & Qt.ItemFlag.ItemIsDragEnabled) for flag in flags]
    assert can == [row.state is PageState.WAITING for row in desk.queue.model.rows]
    nothing = QMimeData()
    assert not desk.queue.model.dropMimeData(nothing, Qt.DropAction.MoveAction, 3, 0, QModelIndex())


def test_selected_pages_are_removed_and_failed_ones_tried_again(desk: DeskView) -> None:
    removed: list[list[int]] = []
    retried: list[list[int]] = []
    desk.removed.connect(removed.append)
    desk.retried.connect(retried.append)
    listed = desk.queue.list
    listed.setFocus()
    desk.queue.set_current(7)
    QTest.keyClick(listed, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(listed, Qt.Key.Key_Delete)
    QTest.mouseClick(desk.queue.retry_button, Qt.MouseButton.LeftButton)
    assert removed == [[7, 8]]
    assert retried == [[2]]


def test_the_menu_offers_what_can_be_done(desk: DeskView) -> None:
    desk.queue.set_current(2)
    desk.queue.list.menu_requested.emit(desk.mapToGlobal(QPoint(50, 200)))
    menu = desk.queue.findChild(QMenu)
    assert menu is not None
    offered = [(one.text().split("\t")[0], one.isEnabled()) for one in menu.actions() if one.text()]
    assert offered == [
        ("Try again", True),
        ("Move up", False),
        ("Move down", False),
        ("Remove from the queue", True),
    ]
    menu.close()


def test_errors_are_said_whole_to_those_who_point_or_listen(desk: DeskView) -> None:
    index = desk.queue.model.index_of(2)
    tip = str(index.data(Qt.ItemDataRole.ToolTipRole))
    assert all(part in tip for part in (BROKEN.title, BROKEN.text, BROKEN.remedy))
    assert str(index.data(Qt.ItemDataRole.AccessibleTextRole)) == f"scan-2.png, Failed, {BROKEN.title}"


@pytest.mark.parametrize("accent", ACCENTS)
@pytest.mark.parametrize("base", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_states_read_on_every_ground_of_a_row(base: Theme, accent: str) -> None:
    theme = base.with_accent(accent) if accent else base
    grounds = (theme.window, theme.hover, theme.accent_soft)
    for state in PageState:
        assert all(contrast(word_colour(theme, state), ground) >= AA for ground in grounds), state
        assert all(contrast(state_colour(theme, state), ground) >= AA_GRAPHIC for ground in grounds), state
    assert len(set(SIGNS.values())) == len(PageState), "a sign for each state"
