"""Small state and unsent drafts."""

from __future__ import annotations

from pathlib import Path

from diffdesk.core.requests import TaskKind
from diffdesk.store import DraftRow, Store


def test_state_is_remembered_by_type(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        assert store.state("geometry", "none") == "none"
        store.set_state("geometry", "AAB=\ud800")
        store.set_state("last", 7)
        store.set_state("last", 8)
        store.set_state("sizes", [1, 2])
    with Store.open(tmp_path) as store:
        assert store.state("geometry", "") == "AAB=\ud800"
        assert store.state("last", 0) == 8
        assert store.state("sizes", [0]) == [1, 2]
        assert store.state("sizes", "of another type") == "of another type"


def test_what_was_typed_is_there_after_a_restart(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        conversation = store.new_conversation(TaskKind.CHAT).id
        store.save_draft(conversation, "half a sen", [("a" * 64, "scan.png")])
        store.save_draft(TaskKind.CORRECT, "teh")
        store.save_draft(TaskKind.CORRECT, "teh text")
    with Store.open(tmp_path) as store:
        assert store.draft(conversation) == DraftRow("half a sen", (("a" * 64, "scan.png"),))
        assert store.draft(TaskKind.CORRECT) == DraftRow("teh text")
        assert store.draft(TaskKind.CHAT) == DraftRow()
        store.save_draft(TaskKind.CORRECT, "")
        assert store.draft(TaskKind.CORRECT) == DraftRow()
        store.delete(conversation)
        store.purge_deleted()
        assert store.draft(conversation) == DraftRow()
        store.save_draft(conversation, "too late")
        assert store.draft(conversation) == DraftRow()
