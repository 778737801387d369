"""The correction desk as its user sees it: dropping, reviewing by keyboard, exporting, wrong files, kills."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from diffdesk.core.messages import MessageState
from diffdesk.documents.exports.placing import placed
from diffdesk.paths import Places, resource_dir
from diffdesk.services import desk_work
from diffdesk.store import DeskState, Store
from diffdesk.ui.answering import BEHIND_ANOTHER
from diffdesk.ui.app import Program
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.desk.desk_views import ExportFormat, PageState
from diffdesk.ui.desk.drop_question import DropQuestion
from diffdesk.ui.desk.export_dialog import ExportDialog
from diffdesk.ui.place_switch import WindowPlace
from tests.e2e.conftest import wait_for_model
from tests.e2e.desk import DONE, LINES, Desk, draw_page, make_pdf, open_desk
from tests.e2e.test_kills import Typing
from tests.e2e.test_window import banner_text, composer, drop, say
from tests.unit.documents.exports.pdfs import assert_words_lie_there, pdfium_text, pdfium_words, poppler_text

SAMPLE = resource_dir() / "samples" / "sample.png"


@pytest.fixture
def desk(qtbot: QtBot, start: Callable[[], Program]) -> Desk:
    program = start()
    wait_for_model(qtbot, program)
    return open_desk(program)


def export(qtbot: QtBot, desk: Desk, kind: ExportFormat, target: Path) -> Path:
    """Export the document that is open, by the dialog."""
    desk.presenter.view.toolbar.export_button.click()
    dialog = desk.program.window.findChild(ExportDialog)
    assert dialog is not None
    dialog.format_buttons[kind].click()
    dialog.target.setText(str(target))
    dialog.export_button.click()
    qtbot.waitUntil(target.exists, timeout=60_000)
    return target


def test_a_scan_is_dropped_walked_through_by_keyboard_and_exported_as_a_searchable_pdf(
    qtbot: QtBot, start: Callable[[], Program], places: Places, tmp_path: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    window = program.window
    original = SAMPLE.read_bytes()
    drop(program, SAMPLE, on=window.centre.welcome)
    question = window.findChild(DropQuestion)
    assert question is not None
    assert not question.ask_button.isEnabled()
    QTest.keyClick(question, Qt.Key.Key_C)
    assert window.place is WindowPlace.DESK
    desk = open_desk(program)
    desk.wait_for_review(qtbot)
    qtbot.waitUntil(lambda: "Fluent is not correct" in banner_text(program), timeout=30_000)

    panes = desk.presenter.view.review
    panes.text.setFocus()
    doubtful = [one.index for one in panes.pieces if one.doubt >= 0.5]
    assert doubtful
    seen = []
    for _ in doubtful:
        desk.press("w")
        seen.append(panes.current)
    assert sorted(seen) == doubtful

    changes = desk.review.changes
    assert len(changes) >= 2
    panes.set_current(changes[0])
    rejected = desk.review.segments[changes[0]]
    desk.press("r")
    assert desk.review.text_of(changes[0]) == rejected.drafted
    desk.press_key(Qt.Key.Key_U)
    assert desk.review.text_of(changes[0]) == rejected.made != rejected.drafted
    panes.set_current(changes[0])
    desk.press("r" + "a" * (len(changes) - 1))
    assert desk.review.undecided == ()
    desk.settle(qtbot)
    assert desk.rows[0].state is DeskState.REVIEWED

    text = desk.review.text
    assert rejected.drafted in text.split()
    target = export(qtbot, desk, ExportFormat.SEARCHABLE_PDF, tmp_path / "out.pdf")
    assert pdfium_text(target)[0].split() == text.split()
    with Store.open(places.data) as store:
        content = store.desk.content(desk.rows[0].id)
    assert content is not None
    page = desk_work.page_of(content)
    assert page is not None
    assert_words_lie_there(list(pdfium_words(target, 0, placed(page, text))), placed(page, text))
    drafted = {word.box for line in page.lines for word in line.words}
    kept = {word.box for line in placed(page, text).lines for word in line.words}
    assert kept <= drafted, "every word of the text stands where the draft had one"
    assert SAMPLE.read_bytes() == original


@pytest.mark.skipif(not any((Path(one) / "pdftotext").exists() for one in os.get_exec_path()), reason="no pdftotext")
def test_another_program_reads_the_accepted_text_of_a_pdf(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    desk.presenter.add([make_pdf(tmp_path / "in.pdf", 2)])
    desk.wait_until_done(qtbot, 2)
    desk.presenter.opening.open(desk.rows[0].id)
    desk.wait_for_review(qtbot)
    index = next(at for at, one in enumerate(desk.review.segments) if one.drafted == "lamp")
    desk.presenter.view.edited.emit(index, "lantern")
    desk.settle(qtbot)
    target = export(qtbot, desk, ExportFormat.SEARCHABLE_PDF, tmp_path / "out.pdf")
    found = poppler_text(target)
    assert "The lantern on the pier was lit" in found
    assert found.count("keeper did not trust the sky.") == 2


def test_decisions_are_there_after_a_restart_and_can_still_be_undone(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    desk = open_desk(program)
    desk.presenter.add([SAMPLE])
    desk.wait_for_review(qtbot)
    first = desk.review.changes[0]
    desk.presenter.view.rejected.emit(first)
    text = desk.review.text
    program.window.close()
    qtbot.waitUntil(lambda: program.controller.is_closed, timeout=30_000)

    again = open_desk(start())
    again.wait_for_review(qtbot)
    assert again.review.text == text
    again.presenter.view.undo_requested.emit()
    assert first in again.review.undecided
    target = export(qtbot, again, ExportFormat.CHANGES, tmp_path / "changes.csv")
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8-sig"))))
    assert len(rows) == len(again.review.changes)
    assert {row["decision"] for row in rows} == {"made"}


def test_a_text_is_corrected_without_being_read_and_copied(qtbot: QtBot, desk: Desk) -> None:
    QApplication.clipboard().setText("Tbe quick brown f0x jumps ovcr the lazy d0g.")
    QTest.keyClick(desk.presenter.view, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    desk.wait_for_review(qtbot)
    assert desk.review.text == "The quick brown fox jumps over the lazy dog."
    desk.presenter.view.toolbar.export_button.click()
    dialog = desk.program.window.findChild(ExportDialog)
    assert dialog is not None
    dialog.format_buttons[ExportFormat.CLIPBOARD].click()
    dialog.export_button.click()
    qtbot.waitUntil(lambda: QApplication.clipboard().text() == desk.review.text, timeout=30_000)


def test_a_question_that_waits_behind_a_page_says_so_is_shown_whole_and_can_be_stopped_at_once(
    qtbot: QtBot, desk: Desk
) -> None:
    program, long = desk.program, "Tbe quick brown f0x jumps ovcr the lazy d0g. " * 120
    desk.presenter.add_text(long)
    with qtbot.waitSignal(program.controller.engine.frames.arrived, timeout=60_000):
        pass
    program.window.open_place(WindowPlace.CONVERSATIONS)
    say(program, "Tbe cat sat on tlie mat.")
    transcript = program.window.transcript
    qtbot.waitUntil(lambda: transcript.findChild(LiveMessage) is not None, timeout=30_000)
    live = transcript.findChild(LiveMessage)
    assert live is not None
    qtbot.waitUntil(lambda: live.status_text == BEHIND_ANOTHER, timeout=30_000)
    assert live.height() >= live.sizeHint().height()
    with qtbot.waitSignal(program.controller.answering.ended, timeout=30_000) as caught:
        program.window.stop_requested.emit()
    assert caught.args is not None
    assert caught.args[0].state is MessageState.STOPPED
    assert not any(one.state in DONE for one in desk.rows)
    desk.wait_until_done(qtbot, 1)
    assert all(one.state in DONE for one in desk.rows)


def test_images_are_asked_about_in_a_chat(
    qtbot: QtBot, start: Callable[[], Program], chat_file: Path, tmp_path: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    drop(program, chat_file)
    qtbot.waitUntil(
        lambda: bool(program.controller.models.info and program.controller.models.info.can_chat), timeout=90_000
    )
    drop(program, SAMPLE, on=program.window.centre.welcome)
    question = program.window.findChild(DropQuestion)
    assert question is not None
    QTest.keyClick(question, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: len(composer(program).images) == 1, timeout=30_000)
    assert composer(program).place == "chat"
    assert program.window.place is WindowPlace.CONVERSATIONS


def test_what_can_not_be_opened_stands_in_its_row_with_why(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    whole = SAMPLE.read_bytes()
    for number in range(100):
        (folder / f"{number:03d} cut.png").write_bytes(whole[: 40 + 97 * number])
        (folder / f"{number:03d} not.pdf").write_bytes(b"%PDF-1.7\n" + os.urandom(50 + number))
        (folder / f"{number:03d} noise.jpg").write_bytes(os.urandom(200 + number))
    draw_page().save(folder / "whole.png")
    desk.presenter.add([folder])
    desk.wait_until_done(qtbot, 301)
    assert len(desk.rows) == 301
    failed = [one for one in desk.rows if one.state is DeskState.FAILED]
    assert len(failed) == 300
    assert all(one.error is not None and one.error.title and one.error.remedy for one in failed)
    (good,) = [one for one in desk.rows if one.state in DONE]
    assert good.name == "whole.png"
    desk.presenter.opening.open(good.id)
    desk.wait_for_review(qtbot)
    assert desk.review.text.split()[:5] == LINES[0].split()[:5]


def test_one_wrong_file_alone_is_said_at_once(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "notes.pdf").write_text("no PDF at all")
    desk.presenter.add([tmp_path / "notes.pdf"])
    qtbot.waitUntil(lambda: "Not a PDF" in banner_text(desk.program), timeout=30_000)
    assert desk.rows == ()


def test_pages_are_paused_moved_removed_and_brought_back(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    view, queue = desk.presenter.view, desk.presenter.queue
    view.paused.emit()
    desk.presenter.add([make_pdf(tmp_path / "in.pdf", 3)])
    qtbot.waitUntil(lambda: len(desk.rows) == 3, timeout=30_000)
    assert not queue.is_running
    first, second, third = desk.rows
    view.moved.emit(third.id, first.id)
    view.removed.emit([second.id])
    desk.settle(qtbot)
    assert [one.id for one in desk.rows] == [third.id, first.id]
    desk.program.window.toast.button.click()
    desk.settle(qtbot)
    assert [one.id for one in desk.rows] == [third.id, first.id, second.id]
    view.resumed.emit()
    desk.wait_until_done(qtbot, 3)
    assert {one.state for one in desk.rows} <= set(DONE)


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_an_engine_that_dies_costs_no_page(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    engine = desk.program.controller.engine
    lines = [f"{LINES[row % 3]} {row}" for row in range(12)]
    for number in range(2):
        draw_page(lines, number).save(tmp_path / f"{number}.png")
    killed: list[int] = []

    def kill_once(page: int, _: object) -> None:
        if not killed and engine.pid is not None:
            killed.append(page)
            os.kill(engine.pid, 9)

    desk.presenter.queue.framed.connect(kill_once)
    desk.presenter.add([tmp_path / "0.png", tmp_path / "1.png"])
    desk.wait_until_done(qtbot, 2)
    assert killed
    assert {one.state for one in desk.rows} <= set(DONE)


def test_a_model_that_is_changed_in_the_middle_of_a_page_costs_no_page(
    qtbot: QtBot, desk: Desk, tmp_path: Path
) -> None:
    models = desk.program.controller.models
    changed: list[int] = []

    def change_once(page: int, _: object) -> None:
        if not changed:
            changed.append(page)
            models.choose(None)

    desk.presenter.queue.framed.connect(change_once)
    desk.presenter.add([make_pdf(tmp_path / "in.pdf", 2)])
    desk.wait_until_done(qtbot, 2)
    assert changed
    assert {one.state for one in desk.rows} <= set(DONE)


def test_a_page_that_is_stopped_in_the_middle_waits_and_is_corrected_later(
    qtbot: QtBot, desk: Desk, tmp_path: Path
) -> None:
    queue, view = desk.presenter.queue, desk.presenter.view
    lines = [f"{LINES[row % 3]} {row}" for row in range(12)]
    draw_page(lines).save(tmp_path / "scan.png")
    stopped: list[int] = []

    def stop_once(page: int, _: object) -> None:
        if not stopped:
            stopped.append(page)
            queue.stop()

    queue.framed.connect(stop_once)
    desk.presenter.add([tmp_path / "scan.png"])
    qtbot.waitUntil(lambda: bool(stopped) and not queue.is_running, timeout=180_000)
    (row,) = view.queue.model.rows
    assert row.state is PageState.WAITING
    assert view.review.live.live is None
    assert queue.is_paused
    view.resumed.emit()
    desk.wait_until_done(qtbot, 1)
    assert desk.rows[0].state in DONE


def test_an_original_that_is_gone_leaves_the_text_and_says_so(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    draw_page().save(scan)
    desk.presenter.add([scan])
    desk.wait_for_review(qtbot)
    scan.unlink()
    text = desk.review.text
    desk.presenter.view.toolbar.export_button.click()
    dialog = desk.program.window.findChild(ExportDialog)
    assert dialog is not None
    dialog.format_buttons[ExportFormat.SEARCHABLE_PDF].click()
    dialog.target.setText(str(tmp_path / "out.pdf"))
    dialog.export_button.click()
    qtbot.waitUntil(lambda: "not there" in banner_text(desk.program), timeout=30_000)
    assert not (tmp_path / "out.pdf").exists()
    assert desk.review.text == text


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_kills_of_the_program_lose_and_repeat_no_page(tmp_path: Path, places: Places) -> None:
    pdf = make_pdf(tmp_path / "in.pdf", 8)
    seen: dict[int, str] = {}
    read: list[int] = []
    for kill in range(2):
        typing = Typing(places.data, module="tests.e2e.desk_child", arguments=[str(pdf)])
        said: list[dict[str, object]] = []
        while sum("kept" in one for one in said) < 2 + kill:
            said.append(typing.next())
        said += typing.kill()
        for one in said:
            if "kept" in one:
                assert int(str(one["kept"])) not in seen, "a page that was done is done again"
                seen[int(str(one["kept"]))] = str(one["note"])
            if "read" in one:
                read.append(int(str(one["read"])))
        assert len(read) == len(set(read)), "a page that was read is read again"
        with Store.open(places.data) as store:
            rows = {one.id: one for one in store.desk.pages()}
            assert len(rows) == 8
            for page, note in seen.items():
                assert rows[page].state in DONE
                assert rows[page].note == note
            assert store.integrity() == "ok"
    typing = Typing(places.data, module="tests.e2e.desk_child", arguments=[str(pdf)])
    while len(seen) < 8:
        one = typing.next()
        if "kept" in one:
            assert int(str(one["kept"])) not in seen
            seen[int(str(one["kept"]))] = str(one["note"])
    typing.kill()
    with Store.open(places.data) as store:
        assert {one.state for one in store.desk.pages()} <= set(DONE)
        texts = [content.draft for one in store.desk.pages() if (content := store.desk.content(one.id))]
    assert [text[-1] for text in texts] == [str(number + 1) for number in range(8)]


def test_images_and_pages_of_a_tiff_are_pages(qtbot: QtBot, desk: Desk, tmp_path: Path) -> None:
    first, second = draw_page(number=0), draw_page(number=1)
    first.save(tmp_path / "two.tiff", save_all=True, append_images=[second])
    first.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "upside.webp", lossless=True)
    desk.presenter.add([tmp_path / "two.tiff", tmp_path / "upside.webp"])
    desk.wait_until_done(qtbot, 3)
    assert [one.name for one in desk.rows] == ["two.tiff, page 1 of 2", "two.tiff, page 2 of 2", "upside.webp"]
    for row in desk.rows:
        desk.presenter.opening.open(row.id)
        desk.wait_for_review(qtbot)
        assert desk.review.text.startswith("The lamp on the pier"), row.name
