"""A part of a text is rewritten in place: the real program, the real starter model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.requests import TaskKind
from diffdesk.paths import Places
from diffdesk.store import MessageRow, Store
from diffdesk.ui.app import Program
from diffdesk.ui.composer_edit import ComposerEdit
from diffdesk.ui.message_widget import MessageWidget
from diffdesk.ui.text_views import TextView
from diffdesk.workers.engine_lane import LiveView
from tests.e2e.conftest import READY_MILLISECONDS, wait_for_model
from tests.e2e.test_models import wait_for_name
from tests.e2e.test_window import rows, say, wait_for_answer

CONTROL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
LEFT = "Tbe quick brown fox jurnps over the lazy dog while tlie moon rises."
REPAIRED = "The quick brown fox jumps over the lazy dog while the moon rises."


def last_widget(program: Program) -> MessageWidget | None:
    transcript = program.window.transcript
    widget = transcript.widget_of(transcript.views[-1].id) if transcript.views else None
    return widget if isinstance(widget, MessageWidget) else None


def last_text(program: Program) -> TextView:
    widget = last_widget(program)
    assert widget is not None
    assert widget.text_view is not None
    return widget.text_view


def select(text: TextView | ComposerEdit, words: str) -> None:
    cursor = text.document().find(words)
    assert not cursor.isNull()
    text.setTextCursor(cursor)
    text.setFocus()


def press_rewrite(program: Program) -> None:
    QTest.keyClick(program.window, Qt.Key.Key_E, CONTROL_SHIFT)


@pytest.fixture
def left(places: Places) -> MessageRow:
    """A correction that left two errors in a text, as an earlier start of the program has kept it."""
    with Store.open(places.data) as store:
        conversation = store.new_conversation(TaskKind.CORRECT)
        question = store.add_message(conversation.id, Role.USER, LEFT, parent_id=None)
        answer = store.add_message(
            conversation.id, Role.ASSISTANT, LEFT, parent_id=question.id, state=MessageState.COMPLETE, draft=LEFT
        )
        store.set_state("open_conversation", conversation.id)
        return answer


def test_a_word_is_tried_again_seen_as_a_difference_and_undone(
    qtbot: QtBot, start: Callable[[], Program], places: Places, left: MessageRow
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    qtbot.waitUntil(lambda: last_widget(program) is not None, timeout=30_000)
    frames: list[LiveView] = []
    program.controller.engine.frames.arrived.connect(frames.append)
    select(last_text(program), "jurnps")
    press_rewrite(program)
    popover = program.window.spans.popover
    assert popover.start_button.hasFocus()
    QTest.keyClick(popover.start_button, Qt.Key.Key_Space)
    qtbot.waitUntil(
        lambda: len(program.window.transcript.views) == 2 and last_version(program) == (2, 2), timeout=60_000
    )
    view = program.window.transcript.views[-1]
    assert view.text == LEFT.replace("jurnps", "jumps")
    assert view.draft == LEFT
    assert view.note == "Rewritten: “jurnps” → “jumps”"
    shown = last_text(program).toPlainText()
    assert "jumps" in shown
    assert "jurnps" in shown
    assert frames
    assert not popover.isVisible()

    toast = program.window.toast
    assert toast.text.text() == view.note
    toast.button.click()
    qtbot.waitUntil(lambda: last_version(program) == (1, 2), timeout=30_000)
    assert program.window.transcript.views[-1].id == left.id
    widget = last_widget(program)
    assert widget is not None
    widget.perform("newer")
    qtbot.waitUntil(lambda: last_version(program) == (2, 2), timeout=30_000)
    again = last_widget(program)
    assert again is not None
    again.setFocus()
    QTest.keyClick(again, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: last_version(program) == (1, 2), timeout=30_000)
    program.window.close()
    qtbot.waitUntil(lambda: program.controller.is_closed, timeout=30_000)
    assert rows(places)[-1].text == LEFT
    with Store.open(places.data) as store:
        old, new = store.siblings(left.id)
        assert (old.text, new.text, new.state) == (LEFT, view.text, MessageState.COMPLETE)
        assert len(store.trace(new.id)) >= 3
        assert store.integrity() == "ok"


def last_version(program: Program) -> tuple[int, int]:
    view = program.window.transcript.views[-1]
    return view.version, view.versions


def test_what_is_typed_is_rewritten_in_the_field_and_undone_by_key(qtbot: QtBot, start: Callable[[], Program]) -> None:
    program = start()
    wait_for_model(qtbot, program)
    edit = program.window.composer.edit
    edit.setFocus()
    QTest.keyClicks(edit, LEFT)
    cursor = edit.textCursor()
    cursor.movePosition(QTextCursor.MoveOperation.Start)
    cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)
    press_rewrite(program)
    QTest.keyClick(program.window.spans.popover.start_button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: edit.toPlainText() == REPAIRED, timeout=READY_MILLISECONDS)
    assert edit.extraSelections()
    QTest.keyClick(edit, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert edit.toPlainText() == LEFT
    assert not program.controller.spans.is_busy


def test_a_chat_model_is_given_an_instruction_and_touches_nothing_else(
    qtbot: QtBot, start: Callable[[], Program], chat_file: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    program.window.model_chosen.emit(chat_file)
    wait_for_name(qtbot, program, "chatty-Q8_0")
    frames: list[LiveView] = []
    program.controller.engine.frames.arrived.connect(frames.append)
    edit = program.window.composer.edit
    edit.setFocus()
    QTest.keyClicks(edit, "The fox jumps over the lazy dog.")
    select(edit, "jumps over")
    press_rewrite(program)
    field = program.window.spans.popover.field
    assert field.hasFocus()
    QTest.keyClicks(field, "make it slower")
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: program.controller.spans.is_busy, timeout=30_000)
    assert edit.isReadOnly()
    qtbot.waitUntil(lambda: not program.controller.spans.is_busy, timeout=READY_MILLISECONDS)
    # It was never taught this, so it may write anything, or settle on nothing.
    assert {view.frame.canvases for view in frames} == {2}
    assert edit.toPlainText().startswith("The fox ")
    assert edit.toPlainText().endswith(" the lazy dog.")
    assert not program.window.banners.banners
    assert not edit.isReadOnly()


def test_a_stopped_rewriting_leaves_nothing_behind_and_a_question_works_after_it(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    long = " ".join([LEFT] * 60)
    with Store.open(places.data) as store:
        conversation = store.new_conversation(TaskKind.CORRECT)
        question = store.add_message(conversation.id, Role.USER, long, parent_id=None)
        store.add_message(
            conversation.id, Role.ASSISTANT, long, parent_id=question.id, state=MessageState.COMPLETE, draft=long
        )
        store.set_state("open_conversation", conversation.id)
    program = start()
    wait_for_model(qtbot, program)
    qtbot.waitUntil(lambda: last_widget(program) is not None, timeout=30_000)
    text = last_text(program)
    text.setFocus()
    text.selectAll()
    press_rewrite(program)
    with qtbot.waitSignal(program.controller.engine.frames.arrived, timeout=READY_MILLISECONDS):
        QTest.keyClick(program.window.spans.popover.start_button, Qt.Key.Key_Space)
    QTest.keyClick(program.window.spans.popover, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not program.controller.spans.is_busy, timeout=60_000)
    assert program.window.toast.text.text() == "Stopped. The text is as it was."
    assert last_version(program) == (1, 1)
    say(program, "Tbe lazy dog.")
    assert wait_for_answer(qtbot, program).text == "The lazy dog."
    with Store.open(places.data) as store:
        assert [one.text == long for one in store.branch(store.conversations()[0].id)][:2] == [True, True]
