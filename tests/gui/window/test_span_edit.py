"""Rewriting a selected part: offered beside it, asked for on a card, by mouse and by keyboard alone."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QContextMenuEvent, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from diffdesk.core.trace import CanvasFold, CanvasFrame, CanvasOpened, Region, StepDelta
from diffdesk.ui.composer_edit import ComposerEdit
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.message_widget import MessageWidget
from diffdesk.ui.span_edit import BUSY, LATER_STAY, NOT_IN_TEXT, SELECT_FIRST
from diffdesk.ui.text_views import MarkdownView, TextView
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import MessageView, Place
from tests.gui.window.samples import collect, message, mine, model

CONTROL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
ANSWER = "The sky is **blue**, because the air scatters *short* waves."


def show(window: MainWindow, *views: MessageView, place: Place = Place.CHAT) -> TextView:
    """Show messages; the text of the last one."""
    window.show_conversation("Talk", place, views)
    text = widget_of(window, views[-1].id).text_view
    assert text is not None
    return text


def widget_of(window: MainWindow, number: int) -> MessageWidget:
    widget = window.transcript.widget_of(number)
    assert isinstance(widget, MessageWidget)
    return widget


def shown_text(window: MainWindow, number: int) -> str:
    text = widget_of(window, number).text_view
    assert text is not None
    return text.toPlainText()


def select(text: TextView | ComposerEdit, words: str) -> None:
    cursor = text.document().find(words)
    assert not cursor.isNull()
    text.setTextCursor(cursor)
    text.setFocus()


def press_rewrite(window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_E, CONTROL_SHIFT)


def frame() -> CanvasFrame:
    """Three positions, the middle one of which is being rewritten."""
    fold = CanvasFold()
    fold.apply(CanvasOpened(0, 1, 16, np.arange(3, dtype=np.int32), ("a ", "dog", " sat"), is_warm=True))
    regions = np.array([Region.MARKER, Region.ANSWER, Region.MARKER], np.uint8)
    zeros = np.zeros(3, np.uint8)
    changed = np.array([1], np.uint16)
    ids = np.array([9], np.int32)
    return fold.apply(StepDelta(0, 3, 0.7, 1.0, changed, ids, ("cat",), zeros, zeros + np.uint8(2), regions))


def test_a_button_stands_beside_what_is_selected_and_goes_with_it(window: MainWindow, qtbot: QtBot) -> None:
    text = show(window, mine(1), message(2, ANSWER))
    button = window.spans.button
    select(text, "air")
    qtbot.waitUntil(button.isVisible)
    place = button.mapTo(window, button.rect().topLeft())
    selection = text.viewport().mapTo(window, text.cursorRect().bottomLeft())
    assert abs(place.y() - selection.y()) < 20
    cursor = text.textCursor()
    cursor.clearSelection()
    text.setTextCursor(cursor)
    assert not button.isVisible()


def test_what_should_change_is_asked_and_enter_says_it(window: MainWindow, qtbot: QtBot) -> None:
    text = show(window, mine(1), message(2, ANSWER))
    asked = collect(window.spans.message_edit_requested)
    select(text, "scatters short waves")
    qtbot.waitUntil(window.spans.button.isVisible)
    QTest.mouseClick(window.spans.button, Qt.MouseButton.LeftButton)
    popover = window.spans.popover
    assert popover.isVisible()
    assert popover.field.hasFocus()
    assert not window.spans.button.isVisible()
    QTest.keyClicks(popover.field, "say it simply")
    QTest.keyClick(popover.field, Qt.Key.Key_Return)
    start = ANSWER.index("scatters")
    assert asked == [(2, start, len(ANSWER) - 1, "say it simply")]


def test_the_keyboard_alone_is_enough(window: MainWindow) -> None:
    text = show(window, mine(1), message(2, "one two three"))
    asked = collect(window.spans.message_edit_requested)
    widget = widget_of(window, 2)
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_Return)
    assert text.hasFocus()
    QTest.keyClick(text, Qt.Key.Key_Right, CONTROL_SHIFT)
    assert text.textCursor().selectedText() == "one "
    press_rewrite(window)
    assert window.spans.popover.field.hasFocus()
    QTest.keyClick(window.spans.popover.field, Qt.Key.Key_Escape)
    assert not window.spans.popover.isVisible()
    assert text.hasFocus()
    assert text.textCursor().selectedText() == "one "
    press_rewrite(window)
    QTest.keyClick(window.spans.popover.field, Qt.Key.Key_Return)
    assert asked == [(2, 0, 3, "")]


def test_without_a_selection_it_is_said_what_to_do(window: MainWindow) -> None:
    show(window, mine(1), message(2, ANSWER))
    press_rewrite(window)
    assert window.toast.text.text() == SELECT_FIRST
    assert not window.spans.popover.isVisible()


def test_while_something_is_written_nothing_is_offered(window: MainWindow, qtbot: QtBot) -> None:
    text = show(window, mine(1), message(2, ANSWER))
    select(text, "air")
    qtbot.waitUntil(window.spans.button.isVisible)
    window.set_busy(True)
    assert not window.spans.button.isVisible()
    press_rewrite(window)
    assert window.toast.text.text() == BUSY
    assert not window.spans.popover.isVisible()


def test_questions_and_the_programs_own_words_are_not_offered(window: MainWindow) -> None:
    text = show(window, message(1), mine(2, "my own words"))
    select(text, "own")
    press_rewrite(window)
    assert not window.spans.popover.isVisible()


def test_a_model_without_instructions_is_only_asked_to_try_again(window: MainWindow) -> None:
    window.set_model(model(can_chat=False))
    text = show(window, mine(1, "a dog"), message(2, "a cat", draft="a dog"), place=Place.CORRECT)
    asked = collect(window.spans.message_edit_requested)
    select(text, "cat")
    press_rewrite(window)
    popover = window.spans.popover
    assert not popover.field.isVisible()
    assert "takes no instructions" in popover.said.text()
    assert popover.start_button.text() == "Try again"
    assert popover.start_button.hasFocus()
    QTest.keyClick(popover.start_button, Qt.Key.Key_Space)
    assert asked == [(2, 2, 5, "")]


def test_a_selection_that_cuts_through_formatting_can_be_widened(window: MainWindow) -> None:
    text = show(window, mine(1), message(2, "Look: **one two** three. And four."))
    select(text, "two three")
    press_rewrite(window)
    popover = window.spans.popover
    assert "formatting" in popover.said.text()
    assert popover.widen_button.hasFocus()
    QTest.mouseClick(popover.widen_button, Qt.MouseButton.LeftButton)
    assert text.textCursor().selectedText() == "Look: one two three."
    assert popover.field.hasFocus()
    asked = collect(window.spans.message_edit_requested)
    QTest.keyClick(popover.field, Qt.Key.Key_Return)
    assert asked == [(2, 0, len("Look: **one two** three."), "")]


def test_what_was_taken_out_of_a_text_is_no_part_of_it(window: MainWindow) -> None:
    text = show(window, mine(1, "a black dog"), message(2, "a dog", draft="a black dog"), place=Place.CORRECT)
    select(text, "black")
    press_rewrite(window)
    assert window.spans.popover.said.text() == NOT_IN_TEXT


def test_what_follows_an_earlier_answer_is_spoken_of(window: MainWindow) -> None:
    show(window, mine(1), message(2, ANSWER), mine(3), message(4, "Later."))
    text = widget_of(window, 2).text_view
    assert text is not None
    select(text, "air")
    press_rewrite(window)
    assert window.spans.popover.said.text() == LATER_STAY


def test_the_card_shows_the_part_denoise_and_stop(window: MainWindow) -> None:
    text = show(window, mine(1), message(2, "a dog sat"))
    stopped = collect(window.stop_requested)
    select(text, "dog")
    press_rewrite(window)
    window.set_busy(True)
    window.spans.show_running("Reading the text")
    popover = window.spans.popover
    assert popover.live is not None
    assert popover.live.status_text == "Reading the text"
    window.spans.show_frame(frame())
    assert popover.live.status_text.startswith("step 3 of 16")
    assert frame().text() == "cat"
    QTest.keyClick(popover, Qt.Key.Key_Escape)
    assert len(stopped) == 1
    assert popover.isVisible()
    window.set_busy(False)
    window.spans.end()
    assert not popover.isVisible()
    assert text.hasFocus()


def test_the_card_goes_when_the_keyboard_goes_elsewhere(window: MainWindow) -> None:
    text = show(window, mine(1), message(2, "a dog sat"))
    select(text, "dog")
    press_rewrite(window)
    assert window.spans.popover.isVisible()
    window.composer.edit.setFocus()
    assert not window.spans.popover.isVisible()


@pytest.mark.parametrize(("zoom", "width"), [(1.0, 1280), (1.0, 480), (2.0, 1000)])
def test_the_card_lies_within_the_window(
    window: MainWindow, themes: ThemeKeeper, qtbot: QtBot, zoom: float, width: int
) -> None:
    themes.set_zoom(zoom)
    window.resize(width, 700)
    text = show(window, mine(1), message(2, ANSWER + " word" * 60))
    for words in ("sky", "waves"):
        select(text, words)
        press_rewrite(window)
        popover = window.spans.popover
        qtbot.waitUntil(lambda: window.centre.rect().contains(window.spans.popover.geometry()))
        window.spans.show_running("Reading the text")
        window.spans.show_frame(frame())
        qtbot.waitUntil(lambda: window.centre.rect().contains(window.spans.popover.geometry()))
        assert popover.live is not None
        qtbot.waitUntil(popover.live.head.isVisible)
        window.spans.end()
    themes.set_zoom(1.0)


# what is typed


def test_a_part_of_what_is_typed_is_replaced_in_one_step_of_undo(window: MainWindow, qtbot: QtBot) -> None:
    edit = window.composer.edit
    edit.setFocus()
    QTest.keyClicks(edit, "a dog sat on a mat")
    cursor = edit.textCursor()
    cursor.insertText(" 😀 dog")
    asked = collect(window.spans.composer_edit_requested)
    cursor.setPosition(cursor.position() - 3)
    cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)
    qtbot.waitUntil(window.spans.button.isVisible)
    press_rewrite(window)
    QTest.keyClicks(window.spans.popover.field, "another animal")
    QTest.keyClick(window.spans.popover.field, Qt.Key.Key_Return)
    text = "a dog sat on a mat 😀 dog"
    assert asked == [(len(text) - 3, len(text), "another animal")]
    window.spans.show_running("Reading the text")
    assert edit.isReadOnly()
    window.spans.end()
    assert not edit.isReadOnly()
    window.spans.replace_in_composer(len(text) - 3, len(text), "cow, or two")
    assert edit.toPlainText() == "a dog sat on a mat 😀 cow, or two"
    (mark,) = edit.extraSelections()
    assert mark.cursor.selectedText() == "cow, or two"
    assert edit.hasFocus()
    edit.undo()
    assert edit.toPlainText() == text


def menu_of(widget: ComposerEdit | MessageWidget) -> QMenu:
    """The menu that a right click opens."""
    place = widget.rect().center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, widget.mapToGlobal(place))
    widget.contextMenuEvent(event)
    popup = QApplication.activePopupWidget()
    assert isinstance(popup, QMenu)
    return popup


def action_of(menu: QMenu) -> QAction:
    return next(one for one in menu.actions() if "Rewrite this part" in one.text())


def test_the_menus_offer_it(window: MainWindow) -> None:
    text = show(window, mine(1), message(2, ANSWER))
    select(text, "air")
    menu = menu_of(widget_of(window, 2))
    action_of(menu).trigger()
    menu.close()
    assert window.spans.popover.isVisible()
    QTest.keyClick(window.spans.popover.field, Qt.Key.Key_Escape)
    window.composer.edit.setPlainText("a dog sat")
    select(window.composer.edit, "dog")
    menu = menu_of(window.composer.edit)
    action_of(menu).trigger()
    menu.close()
    assert window.spans.popover.isVisible()


# the new version


def test_an_edited_answer_is_set_as_markdown_without_its_marks(window: MainWindow) -> None:
    show(window, mine(1), message(2, ANSWER, draft=ANSWER.replace("blue", "grey")))
    widget = widget_of(window, 2)
    assert "Answer" in widget.shown_texts()
    assert widget.differences is not None
    widget.differences.toggle.click()
    assert isinstance(widget.text_view, MarkdownView)
    assert "**" not in widget.text_view.toPlainText()
    asked = collect(window.spans.message_edit_requested)
    select(widget.text_view, "blue")
    press_rewrite(window)
    QTest.keyClick(window.spans.popover.field, Qt.Key.Key_Return)
    start = ANSWER.index("blue")
    assert asked == [(2, start, start + 4, "")]
    widget.differences.toggle.click()
    assert "grey" in widget.differences.marked.toPlainText()
    assert "grey" in shown_text(window, 2)


def test_a_new_version_is_shown_where_it_changed(window: MainWindow) -> None:
    lines = "\n".join(f"line {number} of a long text" for number in range(200))
    changed = lines.replace("line 20 of", "line 20 in")
    show(window, mine(1), message(2, changed, draft=lines))
    bar = window.transcript.verticalScrollBar()
    assert bar.value() == bar.maximum()
    window.transcript.show_change(2)
    marked = widget_of(window, 2).differences
    assert marked is not None
    cursor = marked.marked.document().find("line 20 ")
    place = marked.marked.viewport().mapTo(window.transcript, marked.marked.cursorRect(cursor).topLeft())
    assert 0 < place.y() < window.transcript.height() // 2
    assert widget_of(window, 2).hasFocus()
