"""Replaying a stored run: scrubbing, playing, the keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QSlider, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.core.errors import ProtocolError
from diffdesk.core.trace import decode_event, encode_event
from diffdesk.ui.canvas import ReplayBar, ReplayDialog
from diffdesk.ui.canvas.replay import fold_run
from diffdesk.ui.canvas.sample_run import sample_run
from diffdesk.ui.theme import ThemeKeeper


@pytest.fixture
def dialog(themes: ThemeKeeper, qtbot: QtBot) -> ReplayDialog:
    stored = [decode_event(encode_event(event)) for event in sample_run(2, steps=6, has_thought=True)]
    shown = ReplayDialog(stored, themes)
    qtbot.addWidget(shown)
    shown.show()
    return shown


def test_every_event_is_a_frame_to_scrub_to(dialog: ReplayDialog) -> None:
    frames = fold_run(sample_run(2, steps=6, has_thought=True))
    assert len(frames) == 2 * (6 + 2)
    seen = []
    for index in range(len(frames)):
        dialog.bar.set_index(index)
        seen.append(dialog.status_text)
    assert seen[0] == "starting · 256 positions · canvas 1 of 2"
    assert seen[3].startswith("step 3 of 6 · ")
    assert seen[-1] == "settled after 6 steps · canvas 2 of 2"
    dialog.bar.set_index(0)
    assert dialog.status_text == seen[0]


def test_the_end_shows_the_whole_answer(dialog: ReplayDialog, qtbot: QtBot) -> None:
    last = fold_run(sample_run(2, steps=6, has_thought=True))[-1]
    dialog.bar.set_index(15)
    qtbot.waitUntil(lambda: "".join("".join(dialog.text.lines()).split()) == "".join(last.answer.split()))
    assert "".join("".join(dialog.thought.lines()).split()) == "".join(last.thought.split())


def test_playing_runs_to_the_end_and_stops(themes: ThemeKeeper, qtbot: QtBot) -> None:
    bar = ReplayBar(themes)
    qtbot.addWidget(bar)
    seen: list[int] = []
    bar.moved.connect(seen.append)
    bar.set_durations([1.0, 1.0, 1.0])
    bar.toggle()
    qtbot.waitUntil(lambda: not bar.is_playing)
    assert seen == [1, 2]
    bar.toggle()  # again from the start
    assert bar.index == 0
    bar.toggle()
    assert not bar.is_playing


def test_the_keyboard_plays_pauses_and_scrubs(dialog: ReplayDialog, qtbot: QtBot) -> None:
    slider = dialog.findChild(QSlider)
    assert slider is not None
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert dialog.bar.index == 1
    playing = []
    for _ in range(2):
        QTest.keyClick(dialog, Qt.Key.Key_Space)
        playing.append(dialog.bar.is_playing)
    assert playing == [True, False]
    controls: list[QWidget] = [*dialog.bar.findChildren(QAbstractButton), slider]
    assert all(one.accessibleName() and one.focusPolicy() & Qt.FocusPolicy.TabFocus for one in controls)


def test_a_run_without_events_is_an_empty_dialog(themes: ThemeKeeper, qtbot: QtBot) -> None:
    empty = ReplayDialog([], themes)
    qtbot.addWidget(empty)
    empty.show()
    empty.bar.toggle()
    assert not empty.bar.is_playing


def test_events_that_do_not_follow_are_refused(themes: ThemeKeeper) -> None:
    events = list(sample_run(1, steps=2))
    with pytest.raises(ProtocolError):
        ReplayDialog(events[1:], themes)
