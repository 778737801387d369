"""Conversations in the real program: versions, edits, switching while an answer is written, deleting, finding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

from diffdesk.core.messages import MessageState, Role
from diffdesk.paths import Places
from diffdesk.store import Store
from diffdesk.ui.app import Program
from diffdesk.ui.canvas import LiveMessage, ReplayDialog
from diffdesk.ui.conversation_model import ConversationModel
from diffdesk.ui.views import ConversationView
from tests.e2e.conftest import wait_for_model
from tests.e2e.test_window import CORRECT, NOISY, composer, rows, say, shown_text, wait_for_answer

OTHER = "A sccond text about ships."


def settle(qtbot: QtBot, program: Program) -> None:
    """Wait until everything that was asked of the store is done and told."""
    done: list[str] = []
    program.controller.store.submit(lambda store: "done", done.append)
    qtbot.waitUntil(lambda: bool(done), timeout=30_000)


def listed(qtbot: QtBot, program: Program, query: str = "") -> list[ConversationView]:
    """What the list shows for a search; empty text shows all."""
    model = program.window.findChildren(ConversationModel)[0]
    with qtbot.waitSignal(model.modelReset, timeout=30_000):
        program.window.searched.emit(query)
    views = (model.view_at(model.index(number)) for number in range(model.rowCount()))
    return [view for view in views if view is not None]


def test_answering_again_keeps_the_earlier_version_and_both_can_be_seen(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    say(program, NOISY)
    first = wait_for_answer(qtbot, program)
    program.window.regenerate_requested.emit(first.id)
    second = wait_for_answer(qtbot, program)
    assert second.id != first.id
    assert (second.version, second.versions) == (2, 2)
    program.window.version_requested.emit(second.id, -1)
    settle(qtbot, program)
    assert rows(places)[-1].id == first.id

    question = rows(places)[0]
    program.window.edit_requested.emit(question.id, OTHER)
    edited = wait_for_answer(qtbot, program)
    assert edited.draft == OTHER
    asked = rows(places)[0]
    assert (asked.text, asked.version, asked.versions) == (OTHER, 2, 2)
    program.window.version_requested.emit(asked.id, -1)
    settle(qtbot, program)
    assert rows(places)[0].text == NOISY


def test_an_answer_goes_on_while_another_conversation_is_open(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    say(program, OTHER)
    wait_for_answer(qtbot, program)
    short = listed(qtbot, program)[0].id
    program.window.new_requested.emit()
    composer(program).edit.setPlainText(" ".join([NOISY] * 25))
    with qtbot.waitSignal(program.controller.engine.frames.arrived, timeout=60_000):
        composer(program).send()
    working = program.controller.answering.message_id
    program.window.conversation_opened.emit(short)
    qtbot.waitUntil(lambda: "ships" in shown_text(program), timeout=30_000)
    assert not [live for live in program.window.findChildren(LiveMessage) if live.isVisible()]
    back = next(one.id for one in listed(qtbot, program) if one.id != short)
    assert program.controller.answering.message_id == working  # it has not ended while we were away
    program.window.conversation_opened.emit(back)
    qtbot.waitUntil(lambda: any(live.isVisible() for live in program.window.findChildren(LiveMessage)), timeout=30_000)
    row = wait_for_answer(qtbot, program)
    assert row.id == working
    assert row.state is MessageState.COMPLETE
    assert row.text.count("lazy dog") == 25


def test_deleting_can_be_undone_and_searching_finds_words(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    say(program, NOISY)
    wait_for_answer(qtbot, program)
    conversation = listed(qtbot, program)[0].id
    assert [one.id for one in listed(qtbot, program, "lazy")] == [conversation]
    assert listed(qtbot, program, "zebra") == []
    program.window.conversation_renamed.emit(conversation, "Foxes")
    program.window.conversation_deleted.emit(conversation)
    settle(qtbot, program)
    assert listed(qtbot, program) == []
    program.window.deletion_undone.emit(conversation)
    settle(qtbot, program)
    assert [one.title for one in listed(qtbot, program)] == ["Foxes"]


def test_a_conversation_can_be_exported_and_its_run_replayed(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    say(program, NOISY)
    row = wait_for_answer(qtbot, program)
    program.window.export_requested.emit(row.conversation_id, tmp_path / "out.md")
    qtbot.waitUntil((tmp_path / "out.md").exists, timeout=30_000)
    qtbot.waitUntil(lambda: CORRECT in (tmp_path / "out.md").read_text(encoding="utf-8"), timeout=30_000)
    program.window.replay_requested.emit(row.id)
    qtbot.waitUntil(lambda: len(program.window.findChildren(ReplayDialog)) == 1, timeout=30_000)
    program.window.findChildren(ReplayDialog)[0].close()


def test_what_is_typed_and_not_sent_is_there_after_a_restart(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    say(program, NOISY)
    wait_for_answer(qtbot, program)
    composer(program).edit.insertPlainText("half a thou")
    program.window.close()
    qtbot.waitUntil(lambda: program.controller.is_closed, timeout=30_000)
    with Store.open(places.data) as store:
        row = store.conversations()[0]
        assert [one.role for one in store.branch(row.id)] == [Role.USER, Role.ASSISTANT]
        assert store.draft(row.id).text == "half a thou"
    again = start()
    qtbot.waitUntil(lambda: composer(again).text == "half a thou", timeout=30_000)
