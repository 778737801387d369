"""A table rewritten in the real program: paused, gone on with, decided on, exported; and killed meanwhile."""

from __future__ import annotations

import csv
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from diffdesk.core.requests import ModelSpec
from diffdesk.paths import Places
from diffdesk.store import RowState, Store
from diffdesk.ui.app import Program
from diffdesk.ui.place_presenter import NO_TABLE
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.rewrite.rewrite_presenter import LIMITED
from diffdesk.ui.rewrite.rewrite_views import RowSign
from diffdesk.ui.rewrite.row_model import Shown
from tests.e2e.conftest import wait_for_model
from tests.e2e.rewriter import NOISY, Rewriter, open_rewriter
from tests.e2e.test_kills import Typing
from tests.e2e.test_window import drop, say, wait_for_answer

GERMAN = "Der Zug ist nicht mit der Fähre gekommen und die Leute sind auf dem Weg zu dem Haus."
CONTROL = Qt.KeyboardModifier.ControlModifier


def table_of(path: Path, texts: list[str]) -> bytes:
    """A CSV file with quirks that have to come back: a mark, both kinds of quoting, CRLF, no end of the last line."""
    lines = ['id,"text",when', *(f'{number:03},"{text}",2026-03-03' for number, text in enumerate(texts))]
    data = b"\xef\xbb\xbf" + "\r\n".join(lines).encode()
    path.write_bytes(data)
    return data


def press(rewriter: Rewriter, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(rewriter.view.table, key, modifier)


@pytest.fixture
def rewriter(qtbot: QtBot, start: Callable[[], Program]) -> Rewriter:
    program = start()
    wait_for_model(qtbot, program)
    return open_rewriter(program)


def test_twelve_lines_are_rewritten_paused_resumed_decided_on_and_exported(
    qtbot: QtBot, rewriter: Rewriter, tmp_path: Path
) -> None:
    view, work = rewriter.view, rewriter.presenter.work
    original = table_of(tmp_path / "in.csv", [*NOISY, *NOISY])
    view.files_offered.emit([tmp_path / "in.csv"])
    rewriter.wait_for_sheet(qtbot)
    assert view.notice.text.text() == LIMITED
    assert view.bar.instruction.isReadOnly()
    assert rewriter.state.sheet.chosen == (1,)

    view.bar.work_button.click()
    rewriter.wait_until_done(qtbot, 1)
    view.bar.work_button.click()
    assert view.bar.work_button.text().strip() == "Pausing"
    rewriter.wait_until_rested(qtbot)
    done = [row for row in rewriter.rows() if row.state is not RowState.WAITING]
    assert 0 < len(done) < 12
    assert not rewriter.state.working
    assert view.bar.work_button.text().strip() == "Resume"

    view.bar.work_button.click()
    rewriter.wait_until_done(qtbot, 12)
    rewriter.wait_until_rested(qtbot)
    assert {row.state for row in rewriter.rows()} == {RowState.DONE}
    assert rewriter.rows()[0].answer == "The quick brown fox jumps over the lazy dog while the moon rises."
    assert [row for row in rewriter.rows() if row in done] == done

    view.table.setFocus()
    press(rewriter, Qt.Key.Key_A)
    press(rewriter, Qt.Key.Key_R)
    press(rewriter, Qt.Key.Key_R)
    press(rewriter, Qt.Key.Key_U)
    states = [row.state for row in rewriter.rows()[:4]]
    assert states == [RowState.ACCEPTED, RowState.REJECTED, RowState.DONE, RowState.DONE]
    press(rewriter, Qt.Key.Key_E)
    view.detail.editor.setPlainText("Mine, with a comma.")
    QTest.keyClick(view.detail.editor, Qt.Key.Key_Return)
    assert rewriter.rows()[2].answer == "Mine, with a comma."
    view.bar.accept_all_button.click()
    assert rewriter.state.with_state(RowState.DONE) == []

    view.export_requested.emit(tmp_path / "out.csv")
    qtbot.waitUntil((tmp_path / "out.csv").exists, timeout=30_000)
    assert (tmp_path / "in.csv").read_bytes() == original
    written = (tmp_path / "out.csv").read_bytes()
    before, after = original.split(b"\r\n"), written.split(b"\r\n")
    assert len(before) == len(after)
    assert all(new.startswith(old + b",") for old, new in zip(before, after, strict=True))
    found = list(csv.reader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert found[0][-1] == "text (rewritten)"
    expected = [row.text if row.state is RowState.REJECTED else row.answer for row in rewriter.rows()]
    assert [cells[-1] for cells in found[1:]] == expected
    assert work.state is not None
    rewriter.settle(qtbot)


def test_a_table_dropped_on_a_conversation_opens_in_the_rewriter(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    table_of(tmp_path / "in.csv", NOISY)
    drop(program, tmp_path / "in.csv", on=program.window.centre.welcome)
    assert program.window.place is WindowPlace.REWRITER
    rewriter = open_rewriter(program)
    rewriter.wait_for_sheet(qtbot)
    assert len(rewriter.rows()) == len(NOISY)
    drop(program, tmp_path, on=program.window.header)
    assert program.window.toast.text.text() == NO_TABLE


def test_a_question_comes_in_between_two_rows(qtbot: QtBot, start: Callable[[], Program], tmp_path: Path) -> None:
    program = start()
    wait_for_model(qtbot, program)
    rewriter = open_rewriter(program)
    rewriter.view.text_offered.emit("\n".join(NOISY * 6))
    rewriter.wait_for_sheet(qtbot)
    rewriter.view.work_pressed.emit()
    rewriter.wait_until_done(qtbot, 1)
    say(program, "Tbe cat sat on tlie mat.")
    wait_for_answer(qtbot, program)
    assert rewriter.presenter.work.is_running
    assert rewriter.state.waiting()


def test_what_the_model_cannot_do_stays_in_its_row_and_can_be_tried_again(qtbot: QtBot, rewriter: Rewriter) -> None:
    view = rewriter.view
    view.text_offered.emit(f"{NOISY[0]}\n{GERMAN}\n\n{NOISY[1]}\n")
    rewriter.wait_for_sheet(qtbot)
    view.work_pressed.emit()
    rewriter.wait_until_done(qtbot, 4)
    rewriter.wait_until_rested(qtbot)
    states = [row.state for row in rewriter.rows()]
    assert states == [RowState.DONE, RowState.FAILED, RowState.ACCEPTED, RowState.DONE]
    failed = view.rows.row(1)
    assert failed.error is not None
    assert "knows English only" in failed.error.text
    assert view.bar.work_button.text().strip() == "Retry errors"
    view.bar.filters[Shown.ERRORS].click()
    assert view.shown.rowCount() == 1
    view.table.setFocus()
    view.table.go_to(0)
    press(rewriter, Qt.Key.Key_R, CONTROL)
    assert view.rows.row(1).sign in (RowSign.WORKING, RowSign.WAITING)
    rewriter.wait_until_done(qtbot, 4)
    rewriter.wait_until_rested(qtbot)
    assert view.rows.row(1).sign is RowSign.FAILED


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9 on Windows")
def test_an_engine_that_dies_costs_no_row(qtbot: QtBot, start: Callable[[], Program]) -> None:
    program = start()
    wait_for_model(qtbot, program)
    rewriter = open_rewriter(program)
    rewriter.view.text_offered.emit("\n".join(NOISY * 2))
    rewriter.wait_for_sheet(qtbot)
    rewriter.view.work_pressed.emit()
    rewriter.wait_until_done(qtbot, 1)
    engine = program.controller.engine.pid
    assert engine is not None
    os.kill(engine, signal.SIGKILL)
    rewriter.wait_until_done(qtbot, 12)
    assert {row.state for row in rewriter.rows()} == {RowState.DONE}
    assert program.controller.engine.pid not in (None, engine)


def test_a_model_that_cannot_be_loaded_pauses_the_work(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    rewriter = open_rewriter(program)
    rewriter.view.text_offered.emit("\n".join(NOISY))
    rewriter.wait_for_sheet(qtbot)
    rewriter.view.work_pressed.emit()
    program.controller.engine.load(ModelSpec(tmp_path / "gone.gguf"))
    rewriter.wait_until_rested(qtbot)
    assert rewriter.view.bar.work_button.text().strip() in ("Resume", "Start")
    assert not rewriter.state.with_state(RowState.FAILED)


def test_kills_of_the_program_lose_and_repeat_no_row(tmp_path: Path, places: Places) -> None:
    texts = NOISY * 4
    table_of(tmp_path / "in.csv", texts)
    kept: dict[int, str] = {}
    for kill in range(2):
        typing = Typing(places.data, module="tests.e2e.rewriting_child", arguments=[str(tmp_path / "in.csv")])
        said: list[dict[str, object]] = []
        while sum("kept" in one for one in said) < 2 + kill:
            said.append(typing.next())
        said += typing.kill()
        numbers = [one["kept"] for one in said if "kept" in one]
        assert len(numbers) == len(set(map(str, numbers)))
        for one in said:
            if "kept" in one:
                assert one["kept"] not in kept, "a row that was done is done again"
                kept[int(str(one["kept"]))] = str(one["answer"])
        with Store.open(places.data) as store:
            (sheet,) = store.rewrites.sheets()
            rows = {row.number: row for row in store.rewrites.rows(sheet.id)}
            assert store.integrity() == "ok"
        assert [rows[number].text for number in range(len(texts))] == texts
        for number, answer in kept.items():
            assert (rows[number].answer, rows[number].state) == (answer, RowState.DONE)
        begun = [one["begun"] for one in said if "begun" in one]
        assert begun == [["Start"], ["Resume"]][kill]
    assert len(kept) >= 5
