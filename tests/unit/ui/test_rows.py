"""From rows of a real store to what widgets draw and what a model is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffdesk.core.errors import EngineError, PromptError
from diffdesk.core.events import AnswerState, Finished, FinishReason, RunStats
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.proposals import Proposal
from diffdesk.core.requests import TaskKind
from diffdesk.services.export import as_markdown
from diffdesk.store import Store
from diffdesk.ui import rows

STATS = RunStats(steps=20, canvases=2, milliseconds_per_step=40.4, tokens_per_second=12.34)


def test_a_correction_shows_its_draft_only_when_it_came_to_an_end(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CORRECT)
        asked = store.add_message(conversation.id, Role.USER, "tbe", parent_id=None)
        answer = store.add_message(
            conversation.id, Role.ASSISTANT, "", parent_id=asked.id, state=MessageState.STREAMING, draft="tbe"
        )
        done = rows.message_view(store.finish_message(answer.id, MessageState.COMPLETE, "the", stats=STATS))
        assert (done.draft, done.text, done.figures) == (
            "tbe",
            "the",
            "2 canvases · 20 steps · 40 ms a step · 12.3 tok/s",
        )
        assert done.has_trace
        failed = rows.message_view(
            store.finish_message(answer.id, MessageState.FAILED, "", error=EngineError("T", "t", "r", "d"))
        )
        assert failed.draft == ""
        assert failed.error is not None
        assert failed.error.details == "d"


def test_the_program_s_sentence_is_the_message_where_there_is_no_answer(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CHAT)
        row = store.add_message(conversation.id, Role.ASSISTANT, "", parent_id=None, state=MessageState.STREAMING)
        view = rows.message_view(store.finish_message(row.id, MessageState.COMPLETE, "", note="It can't chat."))
    assert (view.text, view.note, view.is_program) == ("It can't chat.", "", True)


def test_a_model_is_not_told_of_answers_that_never_came(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CHAT).id
        parent = None
        for role, text in (
            (Role.USER, "one"),
            (Role.ASSISTANT, ""),
            (Role.USER, "two"),
            (Role.ASSISTANT, "answer"),
            (Role.USER, "three"),
        ):
            parent = store.add_message(conversation, role, text, parent_id=parent).id
        told = rows.history(store.branch(conversation))
    assert [(one.role, one.text) for one in told] == [
        (Role.USER, "two"),
        (Role.ASSISTANT, "answer"),
        (Role.USER, "three"),
    ]


@pytest.mark.parametrize(
    ("finished", "state", "note"),
    [
        (Finished(FinishReason.END_TOKEN, STATS, "a"), MessageState.COMPLETE, ""),
        (Finished(FinishReason.LENGTH, STATS, "a"), MessageState.COMPLETE, rows.ROOM_USED_UP),
        (Finished(FinishReason.CANCELLED, STATS, "a"), MessageState.STOPPED, rows.STOPPED),
        (Finished(FinishReason.NOT_SETTLED, STATS, "a"), MessageState.COMPLETE, rows.NOT_SETTLED),
        (Finished(FinishReason.END_TOKEN, STATS, "", state=AnswerState.EMPTY), MessageState.EMPTY, ""),
        (Finished(FinishReason.LENGTH, STATS, "", state=AnswerState.THOUGHT_ONLY), MessageState.THOUGHT_ONLY, None),
        (Finished(FinishReason.FAILED, STATS, "a", error=PromptError("T", "t")), MessageState.FAILED, None),
    ],
)
def test_every_end_has_a_state_and_words(finished: Finished, state: MessageState, note: str | None) -> None:
    assert rows.stored_state(finished) is state
    said = rows.closing_note(finished, TaskKind.CHAT, "", "")
    assert note is None or said == note


def test_a_correction_that_changed_nothing_says_so() -> None:
    finished = Finished(FinishReason.END_TOKEN, STATS, "same")
    assert rows.closing_note(finished, TaskKind.CORRECT, "same", "Read by a machine.") == (
        f"Read by a machine. {rows.NO_CHANGES}"
    )


def test_an_export_has_everyone_s_words(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CHAT, "Skies").id
        asked = store.add_message(conversation, Role.USER, "Why blue?", parent_id=None)
        store.add_message(conversation, Role.ASSISTANT, "**Rayleigh**", parent_id=asked.id)
        text = as_markdown("Skies", store.branch(conversation))
    assert text == "# Skies\n\n## You\n\nWhy blue?\n\n## DiffusionGemma\n\n**Rayleigh**\n"


def test_lines_that_were_left_as_they_were_read_are_told_of() -> None:
    held = Proposal(0, 3, "x", 0.9, is_made=False, is_held=True)
    finished = Finished(FinishReason.END_TOKEN, RunStats(steps=4), "as read", proposals=(held,))
    assert rows.closing_note(finished, TaskKind.CORRECT, "as read", "") == rows.HELD
