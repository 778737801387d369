"""The desk's queue: its order, what its pages hold, and that nothing of it is lost or left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffdesk.core.errors import ImageError
from diffdesk.core.proposals import Doubt, Proposal
from diffdesk.store import Corrected, DeskRow, DeskState, NewPage, Outcome, Store

FOUND = (Proposal(1, 2, "h", 0.75, True), Proposal(4, 4, "x", 0.25, False, True))


def add(store: Store, count: int = 3) -> list[DeskRow]:
    return store.desk.add([NewPage("pdf", "/scans/a.pdf", at, count, f"page {at + 1}") for at in range(count)])


def names(store: Store) -> list[str]:
    return [one.name for one in store.desk.pages()]


def test_pages_come_in_the_order_in_which_they_were_added(store: Store) -> None:
    add(store, 2)
    store.desk.add([NewPage("image", "/scans/b.png", 0, 1, "b.png")])
    assert names(store) == ["page 1", "page 2", "b.png"]
    assert {one.state for one in store.desk.pages()} == {DeskState.WAITING}
    assert store.desk.pages()[0].path == Path("/scans/a.pdf")


def test_pages_can_be_moved(store: Store) -> None:
    first, second, third = add(store)
    store.desk.move(third.id, first.id)
    assert names(store) == ["page 3", "page 1", "page 2"]
    store.desk.move(third.id, None)
    store.desk.move(first.id, third.id)
    assert names(store) == ["page 2", "page 1", "page 3"]
    assert second.name == "page 2"


def test_removed_pages_come_back_to_their_places_until_they_are_purged(store: Store) -> None:
    _, second, _ = add(store)
    store.desk.remove([second.id])
    assert names(store) == ["page 1", "page 3"]
    store.desk.restore([second.id])
    assert names(store) == ["page 1", "page 2", "page 3"]
    store.desk.remove([second.id])
    store.purge_deleted()
    store.desk.restore([second.id])
    assert names(store) == ["page 1", "page 3"]


def test_what_was_read_proposed_and_decided_is_there_after_a_restart(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        page, other, _ = add(store)
        assert store.desk.content(page.id) is None
        store.desk.save_read(page.id, '{"width": 2}', "tbe \ud800cat", 1.5)
        read = store.desk.page(page.id)
        assert (read.is_read, read.state) == (True, DeskState.WAITING)
        corrected = Corrected(FOUND, (Doubt(0, 3, 0.5),), ("Left as it was.",))
        done = store.desk.save_corrected(page.id, corrected, Outcome(DeskState.READY, "1 change", 1), 2)
        assert (done.state, done.note, done.undecided, done.seconds) == (DeskState.READY, "1 change", 1, 3.5)
        store.desk.save_review(page.id, "steps", Outcome(DeskState.REVIEWED, "", 0))
        store.desk.fail(other.id, ImageError("Title", "Text", "Remedy"))
    with Store.open(tmp_path) as store:
        content = store.desk.content(page.id)
        assert content is not None
        assert (content.page, content.draft, content.review) == ('{"width": 2}', "tbe \ufffdcat", "steps")
        assert content.proposals == FOUND
        assert content.doubts == (Doubt(0, 3, 0.5),)
        assert content.notes == ("Left as it was.",)
        failed = store.desk.page(other.id)
        assert failed.state is DeskState.FAILED
        assert isinstance(failed.error, ImageError)
        store.desk.retry([page.id, other.id])
        assert [one.state for one in store.desk.pages()] == [DeskState.REVIEWED, DeskState.WAITING, DeskState.WAITING]
        assert store.desk.page(other.id).error is None


def test_a_pasted_image_is_kept_as_long_as_its_page_is(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        image = store.add_attachment(b"picture", ".png", name="pasted.png")
        (page,) = store.desk.add([NewPage("image", str(image.path), 0, 1, "Pasted image", image.sha256)])
    moved = tmp_path.with_name("moved")
    tmp_path.rename(moved)
    with Store.open(moved) as store:
        store.purge_deleted()
        assert store.desk.page(page.id).path.read_bytes() == b"picture"
        assert store.desk.page(page.id).path.is_relative_to(moved)
        store.desk.remove([page.id])
        store.purge_deleted()
        assert list((moved / "attachments").rglob("*.png")) == []


def test_a_text_needs_no_reading(store: Store) -> None:
    (page,) = store.desk.add([NewPage("text", "", 0, 1, "Pasted text", draft="tbe cat")])
    content = store.desk.content(page.id)
    assert content is not None
    assert (page.is_read, content.draft, content.page) == (True, "tbe cat", "")


def test_a_page_that_is_not_there_is_a_mistake_of_the_caller(store: Store) -> None:
    with pytest.raises(LookupError, match="no page 7"):
        store.desk.page(7)
    with pytest.raises(LookupError, match="no page 7"):
        store.desk.save_read(7, "", "", 0)


def test_five_thousand_pages_are_listed_without_what_they_hold(store: Store) -> None:
    rows = add(store, 5000)
    store.desk.save_read(rows[0].id, "x" * 10_000, "y" * 10_000, 1)
    assert len(store.desk.pages()) == 5000
    store.desk.move(rows[-1].id, rows[0].id)
    assert store.desk.pages()[0].id == rows[-1].id
