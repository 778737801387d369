"""The desk's presenter and its queue where no page is corrected: order, pictures, errors, undo, what is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from diffdesk.core.errors import RecogniserError
from diffdesk.core.requests import ModelSpec
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recogniser import Recogniser
from diffdesk.paths import choose_places
from diffdesk.services import desk_work
from diffdesk.store import Corrected, DeskRow, DeskState, Store
from diffdesk.ui.desk.desk_views import ExportChoice, ExportFormat, ExportScope, PageState
from diffdesk.ui.desk.export_dialog import ExportDialog
from diffdesk.ui.fluent_note import FluentNote
from diffdesk.ui.image_presenter import ImagePresenter
from diffdesk.ui.place_presenter import PlacePresenter
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.desk.presented import DRAFT, Presented, draw, fill, present

DONE = (DeskState.READY, DeskState.REVIEWED)


@pytest.fixture
def open_desk(qtbot: QtBot, themes: ThemeKeeper, tmp_path: Path) -> Iterator[Callable[[], Presented]]:
    """Opens a desk on the test's profile."""
    made: list[Presented] = []

    def begin() -> Presented:
        made.append(present(qtbot, themes, tmp_path / "profile"))
        return made[-1]

    yield begin
    for one in made:
        one.close()
        assert one.bugs == []


@pytest.fixture
def paused(open_desk: Callable[[], Presented]) -> Presented:
    """An empty desk that begins no page."""
    made = open_desk()
    made.desk.start()
    made.desk.view.paused.emit()
    made.settle()
    return made


# --- the queue ------------------------------------------------------------------------------------------


def test_pages_join_at_the_end_in_the_order_of_their_names_and_the_first_is_opened(
    paused: Presented, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("page 10.png", "page 2.png"):
        draw(folder / name)
    (folder / "page 3.png").write_text("no image")
    paused.desk.add([draw(tmp_path / "zero.png")])
    paused.wait(lambda: len(paused.rows) == 1)
    paused.desk.add([folder])
    paused.wait(lambda: len(paused.rows) == 4)
    assert paused.names == ["zero.png", "page 2.png", "page 3.png", "page 10.png"]
    assert [one.state for one in paused.rows] == [
        *(DeskState.WAITING, DeskState.WAITING, DeskState.FAILED, DeskState.WAITING),
    ]
    assert paused.desk.opening.page == paused.rows[0].id == paused.desk.view.page_id


def test_pages_that_were_moved_are_read_in_their_new_order(paused: Presented, tmp_path: Path) -> None:
    paused.desk.add([draw(tmp_path / f"{name}.png") for name in "abc"])
    paused.wait(lambda: len(paused.rows) == 3)
    first, _, third = paused.rows
    paused.desk.view.moved.emit(third.id, first.id)
    paused.settle()
    assert paused.names == ["c.png", "a.png", "b.png"]
    paused.desk.view.resumed.emit()
    paused.wait(lambda: len(paused.reader.begun) >= 2)
    assert [one.name for one in paused.reader.begun[:2]] == ["c.png", "a.png"]


def test_a_pasted_picture_is_kept_and_becomes_a_page(paused: Presented) -> None:
    picture = QImage(40, 20, QImage.Format.Format_RGB32)
    picture.fill(QColor("green"))
    QApplication.clipboard().setImage(picture)
    QTest.keyClick(paused.desk.view, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    paused.wait(lambda: len(paused.rows) == 1)
    (row,) = paused.rows
    assert (row.name, row.is_kept) == ("Pasted image", True)
    assert row.path.is_relative_to(paused.places.data)
    assert paused.do(lambda store: store.desk.files()) == {row.path.stem}


def test_a_page_that_is_taken_away_while_it_is_read_is_let_go_and_the_next_one_begun(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    made = open_desk()
    made.reader.gate.clear()
    made.desk.start()
    made.desk.add([draw(tmp_path / "a.png"), draw(tmp_path / "b.png")])
    made.wait(lambda: len(made.reader.begun) == 1)
    first, second = made.rows
    made.desk.view.removed.emit([first.id])
    made.wait(lambda: len(made.reader.begun) == 2)
    assert made.reader.begun[1].name == "b.png"
    assert made.desk.queue.at_work(second.id) is PageState.READING
    assert made.do(lambda store: store.desk.content(first.id)) is None


def test_a_page_that_is_taken_away_while_its_image_is_drawn_does_not_end_the_work(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    pdf = draw(tmp_path / "two.pdf", 2)
    made = open_desk()
    pages = [desk_work.new_page(PageSource(pdf, number, 2, PageKind.PDF)) for number in range(2)]

    def fill(store: Store) -> None:
        for row in store.desk.add(pages):
            store.desk.save_read(row.id, "", DRAFT, 1.0)

    made.do(fill)
    worked: list[int] = []

    def on_row_changed(row: DeskRow, at_work: object) -> None:
        if at_work is PageState.CORRECTING and row.id not in worked:
            worked.append(row.id)
            if len(worked) == 1:
                made.desk.view.removed.emit([row.id])

    made.desk.queue.row_changed.connect(on_row_changed)
    made.desk.start()
    made.wait(lambda: len(worked) == 2)
    made.wait(lambda: not made.desk.queue.is_running)
    assert len(made.rows) == 1


def test_a_page_that_is_stopped_stands_as_it_stood(open_desk: Callable[[], Presented], tmp_path: Path) -> None:
    pdf = draw(tmp_path / "two.pdf", 2)
    made = open_desk()

    def add(store: Store) -> None:
        (row,) = store.desk.add([desk_work.new_page(PageSource(pdf, 0, 2, PageKind.PDF))])
        store.desk.save_read(row.id, "", DRAFT, 1.0)

    made.do(add)
    shown: list[object] = []
    made.desk.queue.row_changed.connect(lambda _, at_work: shown.append(at_work))
    made.desk.start()
    made.wait(lambda: PageState.CORRECTING in shown)
    made.desk.queue.stop()
    assert not made.desk.queue.is_running
    (row,) = made.desk.view.queue.model.rows
    assert row.state is PageState.WAITING
    assert made.told == []


# --- pictures -------------------------------------------------------------------------------------------


def test_thumbnails_that_were_scrolled_past_come_too(paused: Presented, tmp_path: Path) -> None:
    paused.desk.add([draw(tmp_path / f"{number:02}.png") for number in range(30)])
    paused.wait(lambda: len(paused.rows) == 30)
    ids = [one.id for one in paused.rows]
    paused.desk.view.thumbnails_wanted.emit(ids[:20])
    paused.desk.view.thumbnails_wanted.emit(ids[20:])
    paused.wait(lambda: all(one.thumbnail.startswith(b"\x89PNG") for one in paused.desk.view.queue.model.rows))


def test_pages_that_are_only_passed_by_are_not_drawn(paused: Presented, tmp_path: Path) -> None:
    paused.desk.add([draw(tmp_path / "many.tiff", 12)])
    paused.wait(lambda: len(paused.rows) == 12)
    for row in paused.rows:
        paused.desk.opening.open(row.id)
    last = paused.rows[-1]
    assert paused.desk.view.page_id == last.id
    paused.wait(paused.desk.view.review.image.has_image)
    drawn = list((paused.places.data / "pages").glob("*.png"))
    assert len(drawn) <= 3


# --- what goes wrong ------------------------------------------------------------------------------------


def test_a_page_that_fails_says_why_and_is_read_again_when_it_is_asked_for(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    made = open_desk()
    made.reader.error = RecogniserError("It is too dark", "Nothing can be seen.", "Make some light.")
    made.desk.start()
    made.desk.add([draw(tmp_path / "a.png"), draw(tmp_path / "b.png")])
    made.wait(lambda: [one.state for one in made.rows] == [DeskState.FAILED] * 2)
    assert len(made.reader.begun) == 2
    (first, _) = made.desk.view.queue.model.rows
    assert first.error is not None
    assert (first.error.title, first.error.remedy) == ("It is too dark", "Make some light.")
    assert made.desk.view.review.state.isVisible()
    made.reader.error = None
    made.desk.view.retried.emit([one.id for one in made.rows])
    made.wait(lambda: all(one.is_read for one in made.rows))


def test_a_mistake_of_the_program_costs_one_page(open_desk: Callable[[], Presented], tmp_path: Path) -> None:
    made = open_desk()
    made.reader.error = ZeroDivisionError("a bug")
    made.desk.start()
    made.desk.add([draw(tmp_path / "a.png")])
    made.wait(lambda: [one.state for one in made.rows] == [DeskState.FAILED])
    error = made.rows[0].error
    assert error is not None
    assert "ZeroDivisionError: a bug" in error.details
    made.reader.error = None
    made.desk.add([draw(tmp_path / "b.png")])
    made.wait(lambda: made.rows[-1].is_read)


def test_a_full_disk_stops_the_work_and_fails_no_page(open_desk: Callable[[], Presented], tmp_path: Path) -> None:
    made = open_desk()
    made.reader.gate.clear()
    made.desk.start()
    made.desk.add([draw(tmp_path / "a.png"), draw(tmp_path / "b.png")])
    made.wait(lambda: len(made.reader.begun) == 1)

    def take_away(store: Store) -> None:
        connection = store.database.connection
        connection.execute("PRAGMA query_only = ON")

    made.do(take_away)
    made.reader.gate.set()
    made.wait(lambda: len(made.told) == 1)
    assert [one.state for one in made.rows] == [DeskState.WAITING] * 2
    assert (made.desk.queue.is_paused, made.desk.queue.is_running) == (True, False)
    assert made.told[0].title in made.banners()
    made.do(lambda store: store.database.connection.execute("PRAGMA query_only = OFF"))
    made.press_banner("Go on")
    made.wait(lambda: all(one.is_read for one in made.rows))


def test_pages_wait_for_a_model_and_go_on_by_themselves_when_there_is_one(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    made = open_desk()
    made.lanes.engine.load(ModelSpec(tmp_path / "none.gguf"))
    made.wait(lambda: made.lanes.models.view.error is not None)
    made.desk.start()
    made.desk.add_text("Tbe quick brown fox jumps over the lazy dog.")
    made.desk.add_text("Tbe lamp on the pier was lit.")
    made.wait(lambda: len(made.told) == 1)
    assert [one.state for one in made.rows] == [DeskState.WAITING] * 2
    assert made.desk.queue.is_paused
    made.lanes.models.choose(None)
    made.wait(lambda: all(one.state in DONE for one in made.rows))
    assert made.desk.opening.page == made.rows[0].id
    made.wait(lambda: made.desk.opening.review is not None)
    assert made.review.text.startswith("The quick")


def test_a_desk_without_a_store_says_so_and_loses_nobody_a_click(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    data = choose_places(tmp_path / "profile").data
    (data / "conversations.sqlite3").write_bytes(b"this is no database" * 100)
    made = open_desk()
    made.desk.start()
    made.wait(lambda: made.banners() != "")
    made.desk.add([draw(tmp_path / "a.png")])
    made.desk.add_text("a text")
    told = made.banners()
    made.window.banners.clear()
    made.desk.add_text("another text")
    made.wait(lambda: made.banners() == told)
    assert made.rows == ()
    assert made.desk.view.empty.isVisible()


# --- reviewing ------------------------------------------------------------------------------------------


def test_decisions_are_undone_on_the_page_that_they_were_made_on(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    fill(tmp_path / "profile", 2)
    made = open_desk()
    made.desk.start()
    made.wait(lambda: made.desk.opening.review is not None)
    view, (one, two) = made.desk.view, made.rows
    first = made.review.changes[0]
    view.rejected.emit(first)
    view.page_requested.emit(1)
    made.settle()
    assert made.desk.opening.page == two.id
    assert not made.review.can_undo
    view.undo_requested.emit()
    view.accept_above_requested.emit(0.5)
    made.settle()
    assert [row.state for row in made.rows] == [DeskState.READY, DeskState.REVIEWED]
    view.page_requested.emit(-1)
    made.settle()
    assert made.desk.opening.page == one.id
    assert first not in made.review.undecided
    view.undo_requested.emit()
    assert first in made.review.undecided
    view.redo_requested.emit()
    made.settle()
    assert first not in made.review.undecided
    assert [row.note for row in made.rows] == ["1 of 2 to review", "2 changes reviewed"]


def test_a_page_that_is_opened_twice_at_once_keeps_every_decision(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    fill(tmp_path / "profile", 1)
    made = open_desk()
    made.desk.start()
    made.wait(lambda: made.desk.opening.review is not None)
    page = made.rows[0].id
    made.desk.opening.open(page)
    # Comes between the two answers of the store.
    made.lanes.store.submit(lambda store: 0, made.desk.view.rejected.emit)
    made.desk.opening.open(page)
    made.settle()
    made.settle()
    content = made.do(lambda store: store.desk.content(page))
    assert content is not None
    assert desk_work.review_of(content).text == made.review.text


# --- out ------------------------------------------------------------------------------------------------


def test_an_export_that_is_under_way_when_the_desk_is_closed_leaves_no_file(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    fill(tmp_path / "profile", 1)
    made = open_desk()
    made.desk.start()
    made.wait(lambda: made.desk.opening.review is not None)
    out = tmp_path / "out"
    out.mkdir()
    is_busy, go_on = threading.Event(), threading.Event()

    def block(_: Store) -> None:
        is_busy.set()
        go_on.wait(60)

    made.desk.view.toolbar.export_button.click()
    dialog = made.window.findChild(ExportDialog)
    assert dialog is not None
    made.lanes.store.submit(block)
    dialog.export_chosen.emit(ExportChoice(ExportFormat.WORD, ExportScope.ALL, target=out / "text.docx"))
    dialog.close()
    is_busy.wait(60)
    made.wait(lambda: list(out.iterdir()) != [])
    made.desk.close()
    made.wait(lambda: list(out.iterdir()) == [])
    go_on.set()


def test_files_that_can_be_written_are_written_whatever_the_others_are(
    open_desk: Callable[[], Presented], tmp_path: Path
) -> None:
    fill(tmp_path / "profile", 2)
    scan = draw(tmp_path / "scan.png")
    made = open_desk()

    def add(store: Store) -> None:
        (row,) = store.desk.add([desk_work.new_page(PageSource(scan))])
        reading = desk_work.read_page(scan, made.reader, lambda: False)
        store.desk.save_read(row.id, reading.kept, reading.draft, 1.0)
        content = store.desk.content(row.id)
        assert content is not None
        store.desk.save_corrected(row.id, Corrected(), desk_work.outcome_of(desk_work.review_of(content)), 1.0)

    made.do(add)
    made.desk.start()
    made.wait(lambda: made.desk.opening.review is not None)
    made.desk.view.toolbar.export_button.click()
    dialog = made.window.findChild(ExportDialog)
    assert dialog is not None
    out = tmp_path / "out"
    dialog.export_chosen.emit(ExportChoice(ExportFormat.HOCR, ExportScope.ALL, target=out))
    dialog.close()
    made.wait(lambda: "no image" in made.banners())
    assert "1 more could not be written" in made.banners()
    assert [one.name for one in out.iterdir()] == ["scan.hocr"]


# --- at the start ---------------------------------------------------------------------------------------


def test_pages_that_wait_are_told_of_at_the_start_and_the_desk_is_a_press_away(
    qtbot: QtBot, themes: ThemeKeeper, tmp_path: Path
) -> None:
    fill(tmp_path / "profile", 2)
    made = present(qtbot, themes, tmp_path / "profile")
    made.desk.close()
    made.window.open_place(WindowPlace.CONVERSATIONS)
    made.do(lambda store: store.desk.add([desk_work.new_text("a", "a"), desk_work.new_text("b", "b")]))
    recogniser = Recogniser()
    places = PlacePresenter(
        made.window, themes, made.lanes, made.places, recogniser, FluentNote(made.window, made.lanes.store)
    )
    places.start(ImagePresenter(made.window, made.lanes.pool, made.lanes.store))
    made.settle()
    assert "2 pages wait on the desk" in made.banners()
    places.close()
    recogniser.close()
    made.close()
