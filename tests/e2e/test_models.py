"""Choosing models in the real program: GGUF files, folders, and what is none of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from diffdesk.core.messages import MessageState
from diffdesk.paths import Places, resource_dir, starter_dir
from diffdesk.services.models import STARTER_FILE
from diffdesk.ui.app import Program
from diffdesk.ui.composer_notice import ComposerNotice
from diffdesk.ui.views import ModelState, Place
from tests.e2e.conftest import READY_MILLISECONDS, wait_for_model
from tests.e2e.test_window import CORRECT, NOISY, banner_text, composer, drop, rows, say, wait_for_answer

PROJECTOR = starter_dir() / "mmproj-starter-f16.gguf"
SAMPLE = resource_dir() / "samples" / "sample.png"


def wait_for_name(qtbot: QtBot, program: Program, name: str) -> None:
    models = program.controller.models
    qtbot.waitUntil(
        lambda: models.view.state is ModelState.READY and models.view.name == name, timeout=READY_MILLISECONDS
    )


def chat(qtbot: QtBot, program: Program) -> None:
    """Say something to a model that was never taught to chat: any text will do, but there is an answer's end."""
    program.window.sent.emit("chat", "Hello there", ())
    row = wait_for_answer(qtbot, program)
    assert row.state in (MessageState.COMPLETE, MessageState.EMPTY)
    assert row.stats is not None
    assert row.stats.steps > 0


def offer_image_in_chat(qtbot: QtBot, program: Program, file: Path) -> ComposerNotice:
    """Load a model that can't see, go to Chat and drop an image; gives back what the composer says of that."""
    program.window.model_chosen.emit(file)
    wait_for_name(qtbot, program, "chatty-Q8_0")
    composer(program).place_button(Place.CHAT).click()
    drop(program, SAMPLE)
    notice = composer(program).notice
    qtbot.waitUntil(notice.isVisible, timeout=30_000)
    return notice


def chip_text(program: Program) -> str:
    return program.window.header.model_chip.text()


def recent(program: Program) -> list[str]:
    menu = program.window.header.model_chip.menu()
    menu.aboutToShow.emit()
    return [one.toolTip() for one in menu.actions() if one.toolTip().startswith("/")]


def test_the_program_starts_on_the_starters_gguf_file(qtbot: QtBot, start: Callable[[], Program]) -> None:
    program = start()
    wait_for_model(qtbot, program)
    info = program.controller.models.info
    assert info is not None
    assert (info.backend, info.precision) == ("gguf", "Q8_0")
    assert "Starter · CPU" in chip_text(program)
    assert "full DiffusionGemma" in program.window.centre.welcome.line.text()
    say(program, NOISY)
    assert wait_for_answer(qtbot, program).text == CORRECT


def test_a_dropped_gguf_file_is_loaded_chatted_with_and_found_again(
    qtbot: QtBot, start: Callable[[], Program], chat_file: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    drop(program, chat_file)
    wait_for_name(qtbot, program, "chatty-Q8_0")
    assert "chatty-Q8_0 · CPU" in chip_text(program)
    assert not program.window.centre.welcome.line.text(), "what the starter lacks is no matter here"
    assert "Q8_0 on CPU" in program.window.header.model_chip.toolTip()
    chat(qtbot, program)
    qtbot.waitUntil(lambda: recent(program) == [str(chat_file)], timeout=30_000)
    program.window.close()
    qtbot.waitUntil(lambda: program.controller.is_closed, timeout=30_000)
    again = start()
    wait_for_name(qtbot, again, "chatty-Q8_0")
    qtbot.waitUntil(lambda: recent(again) == [str(chat_file)], timeout=30_000)


def test_the_last_of_several_choices_counts(qtbot: QtBot, start: Callable[[], Program], chat_file: Path) -> None:
    program = start()
    window, models = program.window, program.controller.models
    window.model_chosen.emit(chat_file)  # before the program has found out which model was in use last time
    wait_for_name(qtbot, program, "chatty-Q8_0")
    gate = threading.Event()
    for _ in range(2):  # both threads of the pool are busy, so all checks have to wait
        program.controller.pool.submit(gate.wait)
    window.model_chosen.emit(None)
    window.model_chosen.emit(chat_file.with_name("gone.gguf"))
    gate.set()
    qtbot.waitUntil(lambda: "gone.gguf" in banner_text(program), timeout=30_000)
    assert (models.view.state, models.view.name) == (ModelState.READY, "chatty-Q8_0"), "the one in use stays"
    window.model_chosen.emit(chat_file.with_name("gone.gguf"))
    window.model_chosen.emit(None)
    wait_for_name(qtbot, program, "Starter")


def test_a_folder_with_one_gguf_file_stands_for_it(qtbot: QtBot, start: Callable[[], Program], chat_file: Path) -> None:
    program = start()
    wait_for_model(qtbot, program)
    program.window.model_chosen.emit(chat_file.parent)
    wait_for_name(qtbot, program, "chatty-Q8_0")
    qtbot.waitUntil(lambda: recent(program) == [str(chat_file)], timeout=30_000)


def test_an_image_for_a_model_that_cant_see_becomes_its_text(
    qtbot: QtBot, start: Callable[[], Program], chat_file: Path, places: Places
) -> None:
    program = start()
    notice = offer_image_in_chat(qtbot, program, chat_file)
    assert "can't see images" in notice.text.text()
    assert "mmproj" in notice.text.text()
    composer(program).edit.setPlainText("What is this?")
    QTest.mouseClick(notice.button, Qt.MouseButton.LeftButton)
    assert notice.button.text() == "Stop reading"
    qtbot.waitUntil(lambda: "pier" in composer(program).text, timeout=READY_MILLISECONDS)
    assert composer(program).text.startswith("What is this?\n\n")
    assert composer(program).images == ()
    assert not notice.isVisible()
    QTest.keyClick(composer(program).edit, Qt.Key.Key_Return)
    wait_for_answer(qtbot, program)
    assert "pier" in rows(places)[0].text
    assert rows(places)[0].attachments == ()


def test_reading_an_image_can_be_stopped_and_the_image_stays(
    qtbot: QtBot, start: Callable[[], Program], chat_file: Path
) -> None:
    program = start()
    notice = offer_image_in_chat(qtbot, program, chat_file)
    QTest.mouseClick(notice.button, Qt.MouseButton.LeftButton)
    QTest.mouseClick(notice.button, Qt.MouseButton.LeftButton)
    assert notice.button.text() == "Read its text instead"
    assert len(composer(program).images) == 1
    assert composer(program).text == ""
    # What comes of the next reading is not disturbed by the one that was stopped.
    QTest.mouseClick(notice.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "pier" in composer(program).text, timeout=READY_MILLISECONDS)
    assert composer(program).text.count("pier") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("page.gguf", "web page"), ("cut.gguf", "incomplete"), (PROJECTOR.name, "part that sees images")],
)
def test_a_file_that_is_no_model_is_refused_and_the_one_in_use_stays(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path, name: str, said: str
) -> None:
    whole = (starter_dir() / STARTER_FILE).read_bytes()
    (tmp_path / "page.gguf").write_bytes(b"<!DOCTYPE html><html>")
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    shutil.copy(PROJECTOR, tmp_path)
    program = start()
    wait_for_model(qtbot, program)
    drop(program, tmp_path / name)
    qtbot.waitUntil(lambda: said in banner_text(program), timeout=30_000)
    assert program.controller.models.view.name == "Starter"
    say(program, NOISY)
    assert wait_for_answer(qtbot, program).text == CORRECT


def test_a_folder_that_is_no_model_is_refused_and_the_one_in_use_stays(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path
) -> None:
    program = start()
    wait_for_model(qtbot, program)
    (tmp_path / "empty").mkdir()
    with qtbot.waitSignal(program.controller.models.changed, timeout=30_000):
        program.window.model_chosen.emit(tmp_path / "empty")
    qtbot.waitUntil(lambda: program.controller.models.view.state is ModelState.READY, timeout=30_000)
    assert program.controller.models.view.name == "Starter"
    say(program, NOISY)
    assert wait_for_answer(qtbot, program).text == CORRECT
    assert "The folder is empty" in banner_text(program)
    program.window.model_chosen.emit(None)
    qtbot.waitUntil(lambda: "The folder is empty" not in banner_text(program), timeout=30_000)
    wait_for_model(qtbot, program)


@pytest.mark.torch
def test_a_packed_folder_is_chosen_and_chatted_with(qtbot: QtBot, start: Callable[[], Program], tmp_path: Path) -> None:
    from tests.unit.backends.gguf_conversion import folders  # builds its models with torch

    folder = folders.made(tmp_path / "packed")
    folders.packed(folder)
    program = start()
    wait_for_model(qtbot, program)
    program.window.model_chosen.emit(folder)
    wait_for_name(qtbot, program, "packed")
    assert "NVFP4 on CPU" in program.window.header.model_chip.toolTip()
    chat(qtbot, program)


@pytest.mark.torch
def test_another_checkpoint_folder_can_be_chosen_and_chatted_with(
    qtbot: QtBot, start: Callable[[], Program], tmp_path: Path
) -> None:
    from tests.unit.backends import tiny  # builds its models with torch

    folder = tiny.save(tiny.SHAPES[0], tmp_path / "tiny")
    program = start()
    wait_for_model(qtbot, program)
    program.window.model_chosen.emit(folder)
    wait_for_name(qtbot, program, "tiny")
    chat(qtbot, program)


def test_the_command_line_asks_the_starter_and_a_file(tmp_path: Path, chat_file: Path) -> None:
    command = [sys.executable, "-m", "diffdesk", "--data-dir", str(tmp_path / "profile"), "ask"]
    corrected = subprocess.run([*command, NOISY], capture_output=True, text=True, check=False)
    assert (corrected.returncode, corrected.stdout.strip()) == (0, CORRECT)
    asked = [*command, "--model", str(chat_file), "--steps", "2", "--canvases", "1", "--json", "Hello"]
    answered = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert answered.returncode == 0, answered.stderr
    assert '"reason"' in answered.stdout
    refused = subprocess.run(
        [*command, "--model", str(tmp_path / "gone.gguf"), "x"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "does not exist" in refused.stderr
