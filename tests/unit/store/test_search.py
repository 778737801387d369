"""Search: what is found, how it is shown, and that nothing typed can break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.requests import TaskKind
from diffdesk.store import Store

SYNTAX = st.sampled_from(
    ['"', "'", "*", "^", ":", "(", ")", "{", "}", "+", "-", "NEAR", "AND", "OR", "NOT", "text:", "rank", "\0", "%", "_",
     "\\", "\ud800", " ", "a", "é", "漢", "\x02", "\x03", "--", ";", "NEAR(a b, 2)", "🙂"]
)  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("search")) as store:
        say(store, "a AND b OR NOT (NEAR) \"quoted\" 'single' 100% under_score back\\slash", "漢字 kanji 🙂")
        yield store


def say(store: Store, *texts: str, title: str = "") -> list[int]:
    conversation = store.new_conversation(TaskKind.CHAT, title).id
    parent: int | None = None
    made: list[int] = []
    for text in texts:
        parent = store.add_message(conversation, Role.USER, text, parent_id=parent).id
        made.append(parent)
    return made


def found(store: Store, query: str) -> list[int | None]:
    return [hit.message_id for hit in store.search(query)]


@given(query=st.one_of(st.text(), st.lists(SYNTAX, max_size=12).map("".join), st.lists(SYNTAX).map(" ".join)))
@example(query='"')
@example(query='"" ""')
@example(query="a\0b")
@example(query='NEAR("a" "b", 10)')
@example(query="text : a")
@example(query="x" * 5000)
@example(query="a " * 5000)
@example(query="ǅ ﬁ \u0661 ⅷ ² \u0308 \u3099")
def test_nothing_typed_can_break_a_search(full: Store, query: str) -> None:
    for hit in full.search(query):
        assert all(0 <= start <= end <= len(hit.snippet) for start, end in hit.positions)
        assert "\n" not in hit.snippet
    full.conversations(query=query)


def test_words_are_found_by_their_beginning_without_case_and_accents(store: Store) -> None:
    first, second = say(store, "Die Rechnung aus München ist fällig.", "Der Preis.", title="Other")
    assert found(store, "munch") == [first]
    assert found(store, "RECHNUNG fallig") == [first]
    assert found(store, "fa\u0308llig") == [first]
    assert found(store, "preis") == [second]
    assert found(store, "reis") == []
    assert found(store, "rechnung preis") == []
    assert found(store, '"aus münchen"') == [first]
    assert found(store, '"münchen aus"') == []
    assert found(store, "  ") == []


def test_a_hit_shows_its_place_and_titles_come_first(store: Store) -> None:
    text = "word " * 200 + "the needle\nin it " + "word " * 200
    (message,) = say(store, text, title="Needles and pins")
    title, hit = store.search("needle")
    assert (title.message_id, title.role, title.snippet, title.positions) == (None, None, "Needles and pins", ((0, 7),))
    assert (hit.message_id, hit.role, hit.title) == (message, Role.USER, "Needles and pins")
    assert [hit.snippet[start:end] for start, end in hit.positions] == ["needle"]
    assert "needle in it" in hit.snippet
    assert len(hit.snippet) < 200
    assert len(store.search("needle", limit=1)) == 1


def test_text_without_spaces_and_signs_are_found_too(store: Store) -> None:
    japanese, thai, code = say(
        store, "これは請求書です。合計は千円。", "สวัสดีครับ ขอบคุณ", "def f(x) -> int: 100%", title="T"
    )
    assert found(store, "請求書") == [japanese]
    assert found(store, "請求書 千円") == [japanese]
    assert found(store, "ขอบ") == [thai]
    assert found(store, "->") == [code]
    assert found(store, "100%") == [code]
    assert found(store, "%") == [code]
    assert found(store, "_") == []
    (hit,) = store.search("千円")
    assert [hit.snippet[start:end] for start, end in hit.positions] == ["千円"]
    assert [one.title for one in store.conversations(query="請求書")] == ["T"]


@pytest.mark.parametrize("query", ["invoice", "請求書"])
def test_titles_leave_room_for_messages(store: Store, query: str) -> None:
    for number in range(30):
        say(store, f"{query} {number}")
    hits = store.search(query, limit=20)
    assert [hit.message_id is None for hit in hits] == [True] * 10 + [False] * 10


def test_the_index_follows_every_change(store: Store) -> None:
    question, answer = say(store, "alpha", "", title="T")
    store.update_message(question, text="beta alpha2")
    assert (found(store, "beta"), found(store, "alpha2")) == ([question], [question])
    store.update_message(question, text="beta gamma")
    assert (found(store, "alpha"), found(store, "beta")) == ([], [question])
    conversation = store.message(question).conversation_id
    store.rename(conversation, "delta")
    assert [one.title for one in store.search("delta")] == ["delta"]
    store.update_message(answer, state=MessageState.STREAMING)
    store.save_progress(answer, "epsilon so far", "", [])
    assert found(store, "epsilon") == []
    store.finish_message(answer, MessageState.COMPLETE, "epsilon and zeta")
    assert (found(store, "epsilon"), found(store, "far")) == ([answer], [])
    assert store.integrity() == "ok"
    store.delete(conversation)
    assert store.search("delta") == []
    assert store.search("beta") == []
    store.purge_deleted()
    assert store.integrity() == "ok"


def test_a_broken_index_is_told_and_made_anew_at_the_next_start(store: Store) -> None:
    (message,) = say(store, "alpha", title="T")
    with store.database.write() as connection:
        connection.execute(
            "INSERT INTO message_index (message_index, rowid, text) VALUES ('delete', ?, 'alpha')", (message,)
        )
    assert found(store, "alpha") == []
    assert "search index" in store.integrity()
    folder = store.database.directory
    store.close()
    with Store.open(folder) as again:
        assert found(again, "alpha") == [message]
        assert again.integrity() == "ok"
