"""The message around the live canvas: what it says, freezes, folds and tells a screen reader."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.core.trace import CanvasClosed, CellState, Region
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.canvas.announcer import LEAST_SECONDS
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.canvas.frames import Clock, frame_of, sample_frames, words_of


@dataclass
class Live:
    """A live message in a window, its clock, and the Markdown it had set for good."""

    window: QWidget
    message: LiveMessage
    clock: Clock
    frozen: list[str] = field(default_factory=list)

    def button(self, name: str) -> QAbstractButton:
        return next(one for one in self.message.findChildren(QAbstractButton) if one.accessibleName() == name)


@pytest.fixture
def live(themes: ThemeKeeper, qtbot: QtBot) -> Live:
    clock = Clock()
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    frozen: list[str] = []

    def render(markdown: str) -> QWidget:
        frozen.append(markdown)
        label = QLabel(markdown)
        label.setWordWrap(True)
        return label

    message = LiveMessage(themes, render_markdown=render, clock=clock)
    column.addWidget(message)
    column.addStretch(1)
    window.resize(640, 700)
    window.show()
    message.begin("Answering")
    clock.now += 1
    return Live(window, message, clock, frozen)


def test_waiting_is_told_in_plain_words(live: Live) -> None:
    live.message.show_waiting("Reading the prompt: 512 of 2,048 tokens")
    assert live.message.status_text == "Reading the prompt: 512 of 2,048 tokens"


def test_status_is_plain_and_figures_are_in_the_details(live: Live, qtbot: QtBot) -> None:
    frame = frame_of(["a"] * 4, [CellState.SETTLED, CellState.ACCEPTED, CellState.NOISE, CellState.CHANGING], step=9)
    live.message.show_frame(frame, "", "")
    assert live.message.status_text == "step 9 of 48 · 2 of 4 settled"
    details = live.message._details
    assert details.isHidden()
    QTest.mouseClick(live.button("Details"), Qt.MouseButton.LeftButton)
    assert not details.isHidden()
    for figure in ("12 ms a step", "1 accepted in this step", "mean entropy", "first words after"):
        assert figure in details.text()


def test_figures_change_slowly_and_end_right(live: Live, qtbot: QtBot) -> None:
    live.message.show_frame(frame_of(["a"] * 4, step=1), "", "")
    live.message.show_frame(frame_of(["a"] * 4, step=2), "", "")
    assert live.message.status_text.startswith("step 1 ")
    qtbot.waitUntil(lambda: live.message.status_text.startswith("step 2 "))


def test_the_first_step_is_told_at_once(live: Live) -> None:
    live.message.show_frame(frame_of(["a"] * 4, step=0), "", "")
    assert live.message.status_text.startswith("starting")
    live.message.show_frame(frame_of(["a"] * 4, step=1), "", "")
    assert live.message.status_text.startswith("step 1 ")


def test_rate_counts_what_is_written_in_the_time_it_took(live: Live) -> None:
    live.message.show_frame(frame_of(["a"] * 100, step=1), "", "")
    live.clock.now += 4
    live.message.show_frame(frame_of(["a"] * 100, step=9, canvas=1, canvases=2), "a" * 100, "")
    assert "50 tok/s" in live.message._details.text()


def test_finished_paragraphs_are_set_once_and_the_open_one_flows_on(live: Live) -> None:
    live.message.show_frame(frame_of(["x"], canvas=1, canvases=3), "First.\n\nSecond is", "")
    live.clock.now += 1
    live.message.show_frame(frame_of([" open"], canvas=1, canvases=3, step=4), "First.\n\nSecond is", "")
    assert live.frozen == ["First.\n\n"]
    assert live.message.live_text.lines()[0].startswith("Second is")
    live.clock.now += 1
    live.message.show_frame(frame_of(["y"], canvas=2, canvases=3), "First.\n\nSecond is done.\n\n", "")
    assert live.frozen == ["First.\n\n", "Second is done.\n\n"]


def test_a_closed_canvas_is_not_shown_twice(live: Live) -> None:
    pieces = words_of("all of it")
    live.message.show_frame(frame_of(pieces), "", "")
    live.clock.now += 1
    live.message.show_closed(CanvasClosed(0, 3, True, "all of it", ""))
    assert live.message.live_text.lines() == ["all of it"]
    assert live.message.status_text == "settled after 3 steps"


def test_a_whole_run_shows_its_text_exactly_once(live: Live) -> None:
    answer = ""
    for frame, answer, thought in sample_frames(8, steps=4):
        live.clock.now += 0.02
        live.message.show_frame(frame, answer, thought)
    live.clock.now += 1
    live.message.end()
    shown = "".join(live.frozen) + " ".join(live.message.live_text.lines())
    assert "".join(shown.split()) == "".join(answer.split())
    assert len(live.frozen) <= 8


def test_stop_is_asked_for_once(live: Live, qtbot: QtBot) -> None:
    stop = live.button("Stop writing")
    with qtbot.waitSignal(live.message.stop_requested):
        QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert not stop.isEnabled()
    live.message.end()
    assert stop.isHidden()
    live.message.begin("Answering")
    assert stop.isEnabled()
    assert not stop.isHidden()


def test_the_thought_folds(live: Live, qtbot: QtBot) -> None:
    fold = next(one for one in live.message.findChildren(QToolButton) if "thought" in one.toolTip())
    live.message.show_frame(frame_of(["plain"]), "", "")
    assert fold.isHidden()
    frame = frame_of(["Hm", ","], CellState.CHANGING, Region.THOUGHT)
    live.message.show_frame(frame, "", "")
    assert not fold.isHidden()
    assert fold.text() == "Thinking…"
    assert not live.message.live_thought.isVisible()
    with qtbot.waitSignal(live.message.height_changed):
        QTest.mouseClick(fold, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: live.message.live_thought.lines() == ["Hm,"])
    live.clock.now += 1
    live.message.show_frame(frame_of(["Yes"], canvas=1, canvases=2), "", "Hm, so be it")
    assert fold.text() == "Thought"
    assert any("so be it" in label.text() for label in live.message.findChildren(QLabel))
    assert "Hm" not in "".join(live.message.live_text.lines())


def test_a_screen_reader_is_told_a_summary_now_and_then(live: Live) -> None:
    described: list[str] = []
    spoken: list[str] = []
    live.message.announcer.described.connect(described.append)
    live.message.announcer.spoken.connect(spoken.append)
    for step in range(1, 381):  # two seconds at 190 drafts a second
        live.clock.now += 1 / 190
        live.message.show_frame(frame_of(["a"] * 8, step=min(step, 48)), "", "")
    assert len(described) <= 1
    live.clock.now += LEAST_SECONDS
    live.message.show_frame(frame_of(["a"] * 8, step=30), "", "")
    assert live.message.accessibleDescription() == "The answer: step 30 of 48, 100 percent settled."
    assert spoken == []
    live.message.show_frame(frame_of(["a"] * 8, is_closed=True), "aaaaaaaa", "")
    live.message.show_frame(frame_of(["a"] * 8, is_closed=True), "aaaaaaaa", "")
    live.message.end()
    assert spoken == ["The answer is written.", "The answer is finished."]


def test_reduced_motion_means_calm(live: Live, themes: ThemeKeeper) -> None:
    pieces = words_of("settled changing")
    states = [CellState.SETTLED, CellState.CHANGING]
    live.message.show_frame(frame_of(pieces, states), "", "")
    assert live.message.live_text.lines() == ["settled changing"]
    themes.set_motion("reduced")
    assert live.message.live_text.lines()[0].startswith("settled ·")
    themes.set_motion("full")
    assert live.message.live_text.lines() == ["settled changing"]
    live.message.set_calm(True)
    assert live.message.live_text.lines()[0].startswith("settled ·")


def test_drafts_leave_the_layout_alone_between_rebreaks(live: Live, qtbot: QtBot) -> None:
    pieces = words_of("one two three four five")
    live.message.show_frame(frame_of(pieces, CellState.CHANGING), "", "")
    qtbot.waitUntil(lambda: live.message.live_text.paints > 0)
    told: list[None] = []
    live.message.height_changed.connect(lambda: told.append(None))
    height = live.message.height()
    for number in range(20):
        live.clock.now += 0.02
        pieces[2] = f" w{number}"
        live.message.show_frame(frame_of(pieces, CellState.CHANGING, step=number), "", "")
    assert told == []
    assert live.message.height() == height


@pytest.mark.parametrize(("width", "zoom"), [(320, 1.0), (360, 1.0), (480, 2.0), (1280, 2.0)])
def test_it_fits_into_narrow_windows_and_large_text(live: Live, themes: ThemeKeeper, width: int, zoom: float) -> None:
    themes.set_zoom(zoom)
    for frame, answer, thought in sample_frames(2, steps=4)[:8]:
        live.clock.now += 1
        live.message.show_frame(frame, answer, thought)
    live.window.resize(width, 700)
    assert live.window.minimumSizeHint().width() <= width
    for child in live.message.findChildren(QWidget):
        if child.isVisible():
            assert child.mapTo(live.window, child.rect().topRight()).x() <= live.window.width()


def test_every_control_has_a_name_and_is_reached_by_tab(live: Live, qtbot: QtBot) -> None:
    live.message.show_frame(frame_of(["Hm"], CellState.CHANGING, Region.THOUGHT), "", "")
    controls = [one for one in live.message.findChildren(QAbstractButton) if one.isVisible()]
    controls_and_strip: list[QWidget] = [*controls, live.message.strip]
    assert all(one.accessibleName() for one in controls_and_strip)
    assert all(one.focusPolicy() & Qt.FocusPolicy.TabFocus for one in controls_and_strip)
    assert any(isinstance(one, QPushButton) for one in controls)


def test_the_strip_and_stop_stay_in_sight_in_a_long_answer(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = QWidget()
    qtbot.addWidget(view)
    view.resize(700, 700)
    message = LiveMessage(themes, view)
    message.begin("Answering")
    message.resize(700, 3000)
    view.show()
    qtbot.waitUntil(lambda: message.head.height() == message.head.sizeHint().height())
    own_place = message.head.mapTo(view, QPoint(0, 0)).y()
    floating = [message.head.is_floating]
    message.move(0, -1000)
    floating.append(message.head.is_floating)
    assert message.head.mapTo(view, QPoint(0, 0)).y() == 0
    assert message.strip.visibleRegion().boundingRect().size() == message.strip.size()
    message.move(0, -2990)  # its end is about to leave: the head goes with it
    assert message.head.mapTo(message, message.head.rect().bottomLeft()).y() <= message.height()
    view.resize(700, 200)  # too low for a head that stays
    message.move(0, -500)
    floating.append(message.head.is_floating)
    message.move(0, 0)
    assert message.head.mapTo(view, QPoint(0, 0)).y() == own_place
    assert floating == [False, True, False]
