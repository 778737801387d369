"""Conversations and their trees of messages, written and read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.errors import EngineError
from diffdesk.core.events import RunStats
from diffdesk.core.messages import MessageState, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import TaskKind
from diffdesk.store import Store
from diffdesk.store.conversations import title_from
from diffdesk.store.database import storable


def ids(store: Store, query: str = "") -> list[int]:
    return [one.id for one in store.conversations(query=query)]


def test_everything_said_is_there_after_a_restart(tmp_path: Path) -> None:
    parameters = GenerationParameters(canvases=3, seed=7, system="Be brief.")
    stats = RunStats(answer_tokens=12, canvases=1, tokens_per_second=3.5, seed=7)
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CORRECT, model="Starter")
        image = store.add_attachment(b"\x89PNG", ".png", width=3, height=4, name="scan.png")
        asked = store.add_message(
            conversation.id,
            Role.USER,
            "Correct the text.\n\n\tŽluťoučký 漢字 🙂",
            parent_id=None,
            attachments=[(image.sha256, "invoice.png"), (image.sha256, "again.png")],
            draft="Corect teh text",
        )
        answer = store.add_message(
            conversation.id,
            Role.ASSISTANT,
            "",
            parent_id=asked.id,
            state=MessageState.STREAMING,
            model="Starter 9M",
            parameters=parameters,
        )
        error = EngineError("The model stopped", "It ran out of memory.", "Close other programs.", "rc 9")
        finished = store.finish_message(
            answer.id, MessageState.FAILED, "Correct", "Thinking", stats=stats, note="Partly.", error=error
        )
        before = store.conversation(conversation.id)
    with Store.open(tmp_path) as store:
        assert store.conversation(conversation.id) == before
        assert before.title == "Correct the text. Žluťoučký 漢字 🙂"
        assert (before.place, before.model, before.leaf) == (TaskKind.CORRECT, "Starter 9M", answer.id)
        first, second = store.branch(conversation.id)
        assert first == asked
        assert second == finished
        assert [one.name for one in first.attachments] == ["invoice.png", "again.png"]
        assert first.attachments[0].path.read_bytes() == b"\x89PNG"
        assert (first.draft, first.state) == ("Corect teh text", MessageState.SENT)
        assert (second.text, second.thought, second.note) == ("Correct", "Thinking", "Partly.")
        assert (second.stats, second.parameters) == (stats, parameters)
        assert isinstance(second.error, EngineError)
        assert second.error.to_wire() == error.to_wire()


@given(text=st.text(st.characters(exclude_categories=())))
def test_any_text_comes_back_as_it_was(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Store.open(tmp_path_factory.mktemp("text")) as store:
        conversation = store.new_conversation(TaskKind.CHAT, text)
        message = store.add_message(conversation.id, Role.USER, text, parent_id=None, draft=text, model=text)
        updated = store.update_message(message.id, thought=text, note=text)
        kept = storable(text)
        assert (updated.text, updated.thought, updated.note, updated.draft) == (kept, kept, kept, kept)
        assert kept == text or any("\ud800" <= one <= "\udfff" for one in text)
        assert store.integrity() == "ok"


def test_half_surrogates_are_joined_or_replaced() -> None:
    assert storable("a\ud83d\ude42b") == "a🙂b"
    assert storable("a\ud83d") == "a\ufffd"
    assert storable("\ufeffa\udc00") == "\ufeffa\ufffd"


def test_editing_and_asking_again_keep_earlier_versions(store: Store) -> None:
    conversation = store.new_conversation(TaskKind.CHAT).id
    question = store.add_message(conversation, Role.USER, "one", parent_id=None)
    answer = store.add_message(conversation, Role.ASSISTANT, "a1", parent_id=question.id)
    follow_up = store.add_message(conversation, Role.USER, "more", parent_id=answer.id)
    again = store.add_message(conversation, Role.ASSISTANT, "a2", parent_id=question.id)
    assert [one.text for one in store.branch(conversation)] == ["one", "a2"]
    assert [one.id for one in store.siblings(answer.id)] == [answer.id, again.id]
    assert [(one.version, one.versions) for one in store.siblings(again.id)] == [(1, 2), (2, 2)]
    store.set_leaf(conversation, store.tip(answer.id))
    assert store.conversation(conversation).leaf == follow_up.id
    assert [one.text for one in store.branch(conversation)] == ["one", "a1", "more"]
    edited = store.add_message(conversation, Role.USER, "one, edited", parent_id=None)
    assert [one.text for one in store.branch(conversation)] == ["one, edited"]
    assert [one.id for one in store.siblings(edited.id)] == [question.id, edited.id]
    assert store.conversation(conversation).title == "one"


def test_first_messages_of_two_conversations_are_no_versions_of_each_other(store: Store) -> None:
    for _ in range(2):
        conversation = store.new_conversation(TaskKind.CHAT).id
        message = store.add_message(conversation, Role.USER, "hello", parent_id=None)
        assert (message.version, message.versions) == (1, 1)
        assert store.siblings(message.id) == [message]


def test_newest_first_pinned_before_and_archived_apart(store: Store) -> None:
    first, second, third = (store.new_conversation(TaskKind.CHAT, title).id for title in ("a", "b", "c"))
    assert ids(store) == [third, second, first]
    store.add_message(second, Role.USER, "hello", parent_id=None)
    assert ids(store) == [second, third, first]
    store.set_pinned(first, True)
    assert ids(store) == [first, second, third]
    store.set_archived(third, True)
    assert ids(store) == [first, second]
    assert [one.id for one in store.conversations(is_archived=True)] == [third]
    assert [one.id for one in store.conversations(limit=1, offset=1)] == [second]


def test_the_list_is_filtered_by_title_and_by_what_was_said(store: Store) -> None:
    by_title = store.new_conversation(TaskKind.CHAT, "Invoices of March").id
    by_text = store.new_conversation(TaskKind.CHAT, "Other").id
    store.add_message(by_text, Role.USER, "where is the invoice?", parent_id=None)
    store.new_conversation(TaskKind.CHAT, "Neither")
    assert ids(store, "invoic") == [by_text, by_title]
    assert ids(store, "march") == [by_title]
    assert ids(store, "is the?") == [by_text]
    assert ids(store, "nothing of that") == []


def test_a_deleted_conversation_can_come_back_until_it_is_purged(store: Store) -> None:
    kept = store.new_conversation(TaskKind.CHAT, "kept").id
    gone = store.new_conversation(TaskKind.CHAT, "gone").id
    parent = None
    # Longer than SQLite's limit of 1,000 nested triggers.
    with store.database.write() as connection:
        for number in range(1500):
            cursor = connection.execute(
                "INSERT INTO messages (conversation_id, parent_id, role, text, state, created)"
                " VALUES (?, ?, 'user', ?, 'sent', 0)",
                (gone, parent, f"secret {number}"),
            )
            parent = cursor.lastrowid
        connection.execute("UPDATE conversations SET leaf = ? WHERE id = ?", (parent, gone))
    assert len(store.branch(gone)) == 1500
    store.delete(gone)
    assert ids(store) == [kept]
    assert store.search("secret") == []
    assert store.conversation(gone).deleted is not None
    store.undelete(gone)
    assert ids(store) == [gone, kept]
    store.delete(gone)
    assert store.purge_deleted() == 1
    assert ids(store) == [kept]
    assert store.integrity() == "ok"
    with pytest.raises(LookupError):
        store.conversation(gone)
    assert store.new_conversation(TaskKind.CHAT).id > gone


def test_what_was_purged_is_not_in_the_files_any_more(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CHAT).id
        store.add_message(conversation, Role.USER, "xyzzyplugh " * 2000, parent_id=None)
        store.delete(conversation)
        store.purge_deleted()
        files = [path for path in tmp_path.iterdir() if path.is_file()]
        assert all(b"xyzzyplugh xyzzyplugh" not in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", ""),
        ("  Short\n\n one ", "Short one"),
        ("word " * 30, "word word word word word word word word word word word…"),
        ("x" * 100, "x" * 59 + "…"),
        ("漢" * 100, "漢" * 59 + "…"),
        ("short " + "x" * 100, "short " + "x" * 53 + "…"),
        ("a\x00b\x1b[1m", "a b [1m"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert title_from(text) == title


def test_a_title_comes_once_and_an_image_gives_one_too(store: Store) -> None:
    conversation = store.new_conversation(TaskKind.CHAT).id
    image = store.add_attachment(b"1", ".png")
    first = store.add_message(conversation, Role.USER, " ", parent_id=None, attachments=[(image.sha256, "scan.png")])
    assert store.conversation(conversation).title == "scan.png"
    store.rename(conversation, "Mine\n ")
    store.add_message(conversation, Role.USER, "another", parent_id=first.id)
    assert store.conversation(conversation).title == "Mine"


def test_references_to_nothing_are_refused_and_leave_nothing(store: Store) -> None:
    conversation = store.new_conversation(TaskKind.CHAT).id
    other = store.new_conversation(TaskKind.CHAT).id
    foreign = store.add_message(other, Role.USER, "x", parent_id=None).id
    with pytest.raises(LookupError):
        store.add_message(conversation, Role.USER, "x", parent_id=foreign)
    with pytest.raises(LookupError):
        store.add_message(conversation, Role.USER, "x", parent_id=None, attachments=[("0" * 64, "x")])
    with pytest.raises(LookupError):
        store.add_message(999, Role.USER, "x", parent_id=None)
    with pytest.raises(LookupError):
        store.set_leaf(conversation, foreign)
    calls: list[Callable[[], object]] = [
        lambda: store.rename(999, "x"),
        lambda: store.update_message(999, text="x"),
        lambda: store.message(999),
        lambda: store.tip(999),
        lambda: store.delete(999),
        lambda: store.undelete(999),
    ]
    for call in calls:
        with pytest.raises(LookupError):
            call()
    assert store.branch(conversation) == []


def test_parameters_that_no_longer_fit_do_not_hide_a_message(store: Store) -> None:
    conversation = store.new_conversation(TaskKind.CHAT).id
    message = store.add_message(
        conversation, Role.USER, "x", parent_id=None, parameters=GenerationParameters(canvases=2)
    )
    with store.database.write() as connection:
        connection.execute("UPDATE messages SET parameters = '{\"canvases\": 100000}'")
    assert store.message(message.id).parameters is None
