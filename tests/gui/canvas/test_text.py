"""The live text: still lines, few re-breaks, clipped drawing, calm mode."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from PySide6.QtCore import QRect, QTimer
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.core.trace import CanvasFrame, CellState
from diffdesk.ui.canvas.runs import DOT
from diffdesk.ui.canvas.text import FRAME_SECONDS, REBREAK_SECONDS, CanvasText
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.canvas.frames import Clock, frame_of, sample_frames, words_of

N, C, S, A = CellState.NOISE, CellState.CHANGING, CellState.SETTLED, CellState.ACCEPTED
SENTENCE = "The sky looks blue because air scatters short waves of light more than it scatters all the long ones"


@dataclass
class Shown:
    """A text in a window, with the clock it goes by."""

    window: QWidget
    text: CanvasText
    clock: Clock

    def show(self, frame: CanvasFrame, prefix: str = "", *, after: float = FRAME_SECONDS * 1.01) -> None:
        """Let time pass, then give a frame."""
        self.clock.now += after
        self.text.set_frame(frame, prefix)


@pytest.fixture
def shown(themes: ThemeKeeper, qtbot: QtBot) -> Shown:
    clock = Clock()
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    column.setContentsMargins(0, 0, 0, 0)
    text = CanvasText(themes, clock=clock)
    column.addWidget(text)
    column.addStretch(1)
    window.resize(300, 600)
    window.show()
    qtbot.waitUntil(lambda: text.width() == 300)
    return Shown(window, text, clock)


def with_word(index: int, word: str) -> CanvasFrame:
    pieces = words_of(SENTENCE)
    pieces[index] = word
    return frame_of(pieces, C)


def test_lines_keep_their_breaks_while_words_change(shown: Shown) -> None:
    shown.show(with_word(3, " blue"))
    before, rebreaks, height = shown.text.lines(), shown.text.rebreaks, shown.text.height()
    assert len(before) > 2
    for word in (" extraordinarily", " x", " ultramarine"):
        shown.show(with_word(3, word))
    after = shown.text.lines()
    changed = [index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert len(changed) == 1
    assert "ultramarine" in after[changed[0]]
    assert shown.text.rebreaks == rebreaks
    assert shown.text.height() == height


def test_only_the_lines_that_changed_are_set_again(shown: Shown) -> None:
    shown.show(with_word(3, " blue"))
    count = shown.text.lines_set
    shown.show(with_word(3, " green"))
    assert shown.text.lines_set == count + 1
    shown.show(with_word(3, " green"))
    assert shown.text.lines_set == count + 1


def test_lines_are_broken_at_most_twice_a_second(shown: Shown) -> None:
    shown.show(with_word(0, "The"))
    before = shown.text.rebreaks
    frames = 60
    for number in range(frames):
        shown.show(with_word(number % 12, f" word{number}"), after=1.01 / frames)
    assert before < shown.text.rebreaks <= before + 2


def test_words_that_no_longer_fit_bring_the_rebreak_forward_but_not_a_third_one(shown: Shown) -> None:
    shown.show(with_word(3, " blue"), after=2)
    before = shown.text.rebreaks
    times: list[float] = []
    for number in range(120):
        shown.show(with_word(number % 9, " " + "M" * (20 + number % 7)), after=1 / 60)
        if shown.text.rebreaks > before + len(times):
            times.append(number / 60)
    assert times[0] < REBREAK_SECONDS / 2
    assert all(later - sooner >= 0.99 for sooner, later in zip(times, times[2:], strict=False))


def test_a_rebreak_that_is_due_comes_without_another_frame(shown: Shown, qtbot: QtBot) -> None:
    shown.show(with_word(3, " blue"))
    shown.show(with_word(3, " blue and yet very much longer than before"))
    before = shown.text.rebreaks
    shown.clock.now += REBREAK_SECONDS
    qtbot.waitUntil(lambda: shown.text.rebreaks == before + 1)


def test_a_new_canvas_and_a_commit_break_at_once(shown: Shown) -> None:
    shown.show(with_word(3, " blue"))
    before = shown.text.rebreaks
    shown.show(frame_of([*words_of(SENTENCE)], is_closed=True), SENTENCE)
    assert shown.text.rebreaks == before + 1
    assert " ".join(line.strip() for line in shown.text.lines()) == SENTENCE
    shown.show(frame_of(["x"] * 40, N, canvas=1, canvases=2), SENTENCE)
    assert shown.text.rebreaks == before + 2


def test_height_changes_only_at_rebreaks(shown: Shown) -> None:
    told: list[int] = []
    shown.text.height_changed.connect(lambda: told.append(shown.text.rebreaks))
    for frame, _, _ in sample_frames(steps=40):
        shown.show(frame)
    assert told
    assert len(told) == len(set(told))


def test_many_frames_make_one_drawing(shown: Shown, qtbot: QtBot) -> None:
    shown.show(with_word(0, "The"))
    qtbot.waitUntil(lambda: shown.text.paints > 0)
    set_before = shown.text.lines_set
    shown.show(with_word(1, " first"))
    for number in range(50):
        shown.text.set_frame(with_word(1, f" n{number}"))  # no time passes: all but the first wait
    assert shown.text.lines_set == set_before + 1
    shown.clock.now += FRAME_SECONDS
    qtbot.waitUntil(lambda: any("n49" in line for line in shown.text.lines()))
    assert shown.text.lines_set == set_before + 2


def test_it_rests_when_no_frame_comes(shown: Shown, qtbot: QtBot) -> None:
    shown.show(with_word(0, "The"))
    shown.show(with_word(0, "An"))
    shown.clock.now += 1
    drawn = shown.text.paints
    qtbot.waitUntil(lambda: shown.text.paints > drawn)
    beats: list[int] = []
    timer = QTimer(interval=5)
    timer.timeout.connect(lambda: beats.append(shown.text.paints))
    timer.start()
    qtbot.waitUntil(lambda: len(beats) > 20)
    assert beats[-1] - beats[10] == 0


def test_a_text_out_of_sight_waits_and_is_right_when_it_is_seen(shown: Shown, qtbot: QtBot) -> None:
    shown.show(with_word(0, "The"))
    shown.window.hide()
    count = shown.text.lines_set
    shown.show(with_word(0, "An"))
    shown.show(with_word(0, "Any"))
    assert shown.text.lines_set == count
    shown.window.show()
    qtbot.waitUntil(lambda: shown.text.lines()[0].startswith("Any "))


def test_noise_is_dots_and_never_garbage(shown: Shown) -> None:
    shown.show(frame_of(["garbage"] * 30, N))
    together = "".join(shown.text.lines())
    assert "garbage" not in together
    assert set(together) == {DOT, " "}


def test_calm_mode_shows_words_when_they_settle_and_moves_only_at_rebreaks(shown: Shown) -> None:
    shown.text.set_calm(True)
    pieces = words_of(SENTENCE)
    shown.show(frame_of(pieces, [S, S, *[C] * (len(pieces) - 2)]))
    assert shown.text.lines()[0].startswith("The sky ·")
    before = shown.text.lines()
    shown.show(frame_of(pieces, [*[S] * 6, *[C] * (len(pieces) - 6)]))
    assert shown.text.lines() == before
    shown.show(frame_of(pieces, [*[S] * 6, *[C] * (len(pieces) - 6)]), after=REBREAK_SECONDS)
    assert "looks blue because" in " ".join(shown.text.lines())


def rendered(widget: QWidget) -> list[list[QColor]]:
    image = widget.grab().toImage()
    return [[image.pixelColor(x, y) for x in range(image.width())] for y in range(image.height())]


def test_a_changed_word_fades_and_not_with_reduced_motion(shown: Shown, themes: ThemeKeeper) -> None:
    shown.show(with_word(0, "Aaaa"))
    shown.show(with_word(0, "MMMM"))
    fresh = rendered(shown.text)
    shown.clock.now += 0.2
    assert rendered(shown.text) != fresh
    themes.set_motion("reduced")
    shown.show(with_word(0, "WWWW"))
    fresh = rendered(shown.text)
    shown.clock.now += 0.2
    assert rendered(shown.text) == fresh


def test_states_differ_without_colour(shown: Shown) -> None:
    pictures = []
    for state in (S, A, C, N):
        shown.show(frame_of(["wonder"], state), after=REBREAK_SECONDS * 2)
        shown.clock.now += 1
        pictures.append([[pixel.lightness() < 150 for pixel in row] for row in rendered(shown.text)])
    ink = [sum(map(sum, picture)) for picture in pictures]
    assert all(one != other for at, one in enumerate(pictures) for other in pictures[at + 1 :])
    assert ink[3] < ink[0] < ink[1]  # dots are faint; an accepted word has a line that a settled one has not


def test_a_line_that_outgrows_its_width_stays_inside(shown: Shown) -> None:
    shown.show(with_word(3, " blue"))
    shown.show(with_word(3, " " + "W" * 60))
    shown.clock.now += 1
    image = shown.text.grab().toImage()
    assert image.width() == 300
    assert any("W" * 60 in line for line in shown.text.lines())


def test_painting_is_clipped_to_what_is_exposed(shown: Shown, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    shown.show(frame_of(words_of(" ".join([SENTENCE] * 20))))
    count = len(shown.text.lines())
    assert count > 40
    drawn: list[int] = []
    paint = shown.text._paint_line

    def note(painter: QPainter, index: int, now: float) -> None:
        drawn.append(index)
        paint(painter, index, now)

    monkeypatch.setattr(shown.text, "_paint_line", note)
    qtbot.waitUntil(lambda: shown.text.height() > 600)
    qtbot.waitUntil(lambda: bool(drawn))
    drawn.clear()
    pitch = shown.text.height() / count
    shown.text.repaint(QRect(0, round(2 * pitch), 300, round(3 * pitch)))
    assert set(drawn) <= {1, 2, 3, 4, 5}
    assert {2, 3, 4} <= set(drawn)


@pytest.mark.parametrize("width", [60, 120, 360, 900])
def test_any_width_shows_all_words(shown: Shown, width: int, qtbot: QtBot) -> None:
    shown.window.setMinimumWidth(0)
    shown.show(frame_of(words_of(SENTENCE)))
    shown.window.resize(width, 600)
    qtbot.waitUntil(lambda: shown.text.width() == width)
    assert "".join("".join(shown.text.lines()).split()) == SENTENCE.replace(" ", "")


def test_letters_beyond_the_first_plane_and_from_right_to_left(shown: Shown) -> None:
    pieces = ["😀😀", " 𠀀𠀁", " שלום", " عالم", " end"]
    shown.show(frame_of(pieces, [S, C, A, C, N]))
    shown.show(frame_of([*pieces[:4], " 🎉🎉"], [S, A, C, A, C]))
    assert not shown.text.grab().isNull()
    assert "".join(shown.text.lines()).split() == ["😀😀", "𠀀𠀁", "שלום", "عالم", "🎉🎉"]


def test_a_run_of_2048_tokens_lays_out_the_live_canvas_alone(shown: Shown) -> None:
    worst = 0
    for frame, answer, _ in sample_frames(8, steps=6):
        shown.show(frame, answer[answer.rfind("\n\n") + 2 :])
        worst = max(worst, len(shown.text.lines()))
    assert worst < 60  # eight canvases at this width would be more than 250 lines


def test_theme_and_zoom_are_followed_at_once(shown: Shown, themes: ThemeKeeper) -> None:
    shown.show(frame_of(words_of(SENTENCE)))
    height, lines = shown.text.height(), len(shown.text.lines())
    themes.set_zoom(2.0)
    assert len(shown.text.lines()) > lines
    assert shown.text.height() > 2 * height
    themes.set_scheme("dark")
    shown.window.repaint()
    lightest = max(pixel.lightness() for row in rendered(shown.window) for pixel in row)
    assert lightest > 200


def test_nothing_to_show_takes_no_room(shown: Shown) -> None:
    shown.show(frame_of([]))
    assert shown.text.is_empty
    assert shown.text.height() == 0
