"""The whole program as its user sees it: typing, dropping, watching, stopping, closing and coming back."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.trace import CanvasClosed
from diffdesk.paths import Places, resource_dir
from diffdesk.store import MessageRow, Store
from diffdesk.ui.app import Program
from diffdesk.ui.banner import Banner
from diffdesk.ui.composer import Composer
from diffdesk.ui.text_views import TextView
from diffdesk.workers.engine_lane import LiveView
from tests.e2e.conftest import READY_MILLISECONDS, wait_for_model

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
NOISY = "Tbe quick brown f0x jumps ovcr the lazy d0g while tlie m0on rises."
CORRECT = "The quick brown fox jumps over the lazy dog while the moon rises."


def composer(program: Program) -> Composer:
    found = program.window.findChild(Composer)
    assert found is not None
    return found


def say(program: Program, text: str) -> None:
    """Type a text and press Enter, as a user does."""
    edit = composer(program).edit
    edit.setFocus()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def wait_for_answer(qtbot: QtBot, program: Program) -> MessageRow:
    """Wait until the answer at work has ended, and give it back."""
    with qtbot.waitSignal(program.controller.answering.ended, timeout=READY_MILLISECONDS) as caught:
        pass
    assert caught.args is not None
    row = caught.args[0]
    assert isinstance(row, MessageRow)
    return row


def drop(program: Program, *paths: Path, on: QWidget | None = None) -> None:
    """Drop files on the composer, or on another part of the window."""
    part = composer(program) if on is None else on
    at = part.mapTo(program.window, part.rect().center())
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button, modifiers = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(program.window, QDragEnterEvent(at, action, mime, button, modifiers))
    QApplication.sendEvent(program.window, QDropEvent(QPointF(at), action, mime, button, modifiers))


def rows(places: Places) -> list[MessageRow]:
    """The newest conversation as it lies on the disk."""
    with Store.open(places.data) as store:
        return store.branch(store.conversations()[0].id)


def shown_text(program: Program) -> str:
    """All that the messages in view say, the text of corrections without their marks."""
    return "\n".join(view.toPlainText() for view in program.window.findChildren(TextView) if view.isVisible())


def banner_text(program: Program) -> str:
    """All that banners say."""
    labels = [label for banner in program.window.findChildren(Banner) for label in banner.findChildren(QLabel)]
    return "\n".join(label.text() for label in labels)


def test_types_sees_the_canvas_change_closes_and_finds_it_again(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    frames: list[LiveView] = []
    program.controller.engine.frames.arrived.connect(frames.append)
    say(program, NOISY)  # the model is still being loaded: the question waits for it
    row = wait_for_answer(qtbot, program)
    assert row.text == CORRECT
    assert len({frame.frame.step for frame in frames}) >= 2
    program.window.close()
    qtbot.waitUntil(lambda: program.controller.is_closed, timeout=30_000)

    question, answer = rows(places)
    assert (question.role, question.text, answer.text) == (Role.USER, NOISY, CORRECT)
    assert answer.draft == NOISY
    with Store.open(places.data) as store:
        assert len(store.trace(answer.id)) >= 3
        assert store.integrity() == "ok"

    again = start()
    qtbot.waitUntil(lambda: "brown" in shown_text(again), timeout=30_000)
    assert "lazy" in shown_text(again)


def test_a_question_waits_while_the_model_is_still_being_chosen(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    gate = threading.Event()
    for _ in range(2):  # both threads of the pool are busy, so the check of the folder has to wait
        program.controller.pool.submit(gate.wait)
    with qtbot.waitSignal(program.controller.answering.begun, timeout=30_000):
        say(program, NOISY)
    with qtbot.waitSignal(program.controller.answering.ended, timeout=30_000) as caught:
        program.window.stop_requested.emit()
    assert caught.args is not None
    assert caught.args[0].state is MessageState.STOPPED
    with qtbot.waitSignal(program.controller.answering.begun, timeout=30_000):
        say(program, NOISY)
    gate.set()
    assert wait_for_answer(qtbot, program).text == CORRECT


def test_a_dropped_image_is_read_corrected_and_kept(qtbot: QtBot, start: Callable[[], Program], places: Places) -> None:
    program = start()
    wait_for_model(qtbot, program)
    drop(program, resource_dir() / "samples" / "sample.png")
    qtbot.waitUntil(lambda: len(composer(program).images) == 1, timeout=30_000)
    QTest.keyClick(composer(program).edit, Qt.Key.Key_Return)
    row = wait_for_answer(qtbot, program)
    assert row.state is MessageState.COMPLETE
    assert "lamp on the pier" in row.draft
    assert row.stats is not None
    assert row.stats.canvases == row.draft.count("\n") + 1, "each line is compared with its picture"
    assert "fishing boats" in row.text or "boats had come home" in row.text
    question = rows(places)[0]
    assert [one.path.read_bytes() for one in question.attachments] == [
        (resource_dir() / "samples" / "sample.png").read_bytes()
    ]


def test_stop_keeps_what_was_there_and_a_follow_up_works(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    composer(program).edit.setPlainText(" ".join([NOISY] * 60))
    with qtbot.waitSignal(program.controller.engine.frames.arrived, timeout=READY_MILLISECONDS):
        QTest.keyClick(composer(program).edit, Qt.Key.Key_Return)
    with qtbot.waitSignal(program.controller.answering.ended, timeout=60_000) as caught:
        QTest.keyClick(program.window, Qt.Key.Key_Escape)
    assert caught.args is not None
    stopped = caught.args[0]
    assert stopped.state is MessageState.STOPPED
    assert stopped.text.count("jum") == 60
    say(program, NOISY)
    assert wait_for_answer(qtbot, program).text == CORRECT
    assert len(rows(places)) == 4


def test_what_the_starter_cant_do_is_said_in_one_sentence(qtbot: QtBot, start: Callable[[], Program]) -> None:
    program = start()
    wait_for_model(qtbot, program)
    composer(program).edit.setPlainText("Быстрая коричневая лиса прыгает через ленивую собаку")
    QTest.keyClick(composer(program).edit, Qt.Key.Key_Return)
    row = wait_for_answer(qtbot, program)
    assert row.text == "Быстрая коричневая лиса прыгает через ленивую собаку"
    assert "English only" in row.note


@pytest.mark.parametrize("name", ["broken.png", "words.png"])
def test_a_broken_image_is_refused_with_a_remedy_until_another_one_is_dropped(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    good = (resource_dir() / "samples" / "sample.png").read_bytes()
    path.write_bytes(good[: len(good) // 2] if name == "broken.png" else b"just words")
    program = start()
    drop(program, path)
    qtbot.waitUntil(lambda: name in banner_text(program), timeout=30_000)
    assert composer(program).images == ()
    drop(program, resource_dir() / "samples" / "sample.png")
    qtbot.waitUntil(lambda: len(composer(program).images) == 1, timeout=30_000)
    qtbot.waitUntil(lambda: name not in banner_text(program), timeout=30_000)


def test_the_window_never_imports_a_model_library() -> None:
    code = (
        "import sys; from diffdesk.ui.app import build_program; "
        "print(sorted({'torch', 'transformers', 'llama_cpp', 'onnxruntime', 'rapidocr'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_second_start_brings_the_first_window_forward(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    first = subprocess.Popen(
        [sys.executable, "-m", "diffdesk", "--data-dir", str(places.data)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        lock = places.data / "window.lock"
        qtbot.waitUntil(lock.exists, timeout=60_000)
        second = subprocess.run(
            [sys.executable, "-m", "diffdesk", "--data-dir", str(places.data)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        first.kill()
        first.wait()
    assert "in use" in second.stderr or "already open" in second.stderr


def test_a_store_of_a_newer_version_is_left_alone_and_nothing_typed_is_lost(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    with Store.open(places.data) as store:
        path = store.database.path
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    program = start()
    qtbot.waitUntil(lambda: "newer" in banner_text(program), timeout=30_000)
    say(program, NOISY)
    qtbot.waitUntil(lambda: composer(program).text == NOISY, timeout=30_000)
    assert path.read_bytes() == before


def test_a_damaged_store_can_be_set_aside_and_work_goes_on(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    with Store.open(places.data) as store:
        path = store.database.path
    path.write_bytes(b"this is no database" * 1000)
    program = start()
    qtbot.waitUntil(lambda: len(program.window.findChildren(Banner)) == 1, timeout=30_000)
    buttons = [button for banner in program.window.findChildren(Banner) for button in banner.action_buttons]
    next(button for button in buttons if "aside" in button.text()).click()
    say(program, NOISY)
    assert wait_for_answer(qtbot, program).text == CORRECT
    assert any(folder.name.startswith("aside-") for folder in places.data.iterdir())


def test_without_a_screen_it_says_so(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if key not in SCREENS}
    ended = subprocess.run(
        [sys.executable, "-m", "diffdesk", "--data-dir", str(tmp_path)],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    if sys.platform == "linux":
        assert ended.returncode == 2
        assert "no screen" in ended.stderr


def limit_store(program: Program, pages: int) -> None:
    """Let SQLite's file grow to `pages` and no further, as on a full disk; 0 asks for its present size."""

    def work(store: Store) -> None:
        connection = store.database.connection
        size = pages or connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {size}")

    program.controller.store.submit(work)


def test_a_disk_that_fills_up_in_the_middle_costs_no_answer(
    qtbot: QtBot, start: Callable[[], Program], places: Places
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    composer(program).edit.setPlainText(" ".join([NOISY] * 40))
    with qtbot.waitSignal(program.controller.engine.frames.arrived, timeout=60_000):
        composer(program).send()
    limit_store(program, 0)
    row = wait_for_answer(qtbot, program)
    assert row.text.count("lazy dog") == 40
    assert "not saved" in row.note
    assert "disk is full" in banner_text(program)
    limit_store(program, 2**30)
    buttons = [button for banner in program.window.findChildren(Banner) for button in banner.action_buttons]
    next(button for button in buttons if "again" in button.text()).click()
    qtbot.waitUntil(lambda: rows(places)[-1].text.count("lazy dog") == 40, timeout=30_000)
    with Store.open(places.data) as store:
        closed = [event for event in store.trace(row.id) if isinstance(event, CanvasClosed)]
        assert row.stats is not None
        assert len(closed) == row.stats.canvases


def test_a_full_disk_gives_the_question_back(qtbot: QtBot, start: Callable[[], Program]) -> None:
    program = start()
    wait_for_model(qtbot, program)
    limit_store(program, 0)
    text = " ".join([NOISY] * 200)
    composer(program).edit.setPlainText(text)
    composer(program).send()
    qtbot.waitUntil(lambda: "disk is full" in banner_text(program), timeout=30_000)
    assert composer(program).text == text
    assert not program.controller.answering.is_busy
