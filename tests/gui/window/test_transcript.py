"""The transcript: few widgets for many messages, a place that stays, and answers that are being written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from diffdesk.core.messages import MessageState, Role
from diffdesk.core.trace import CanvasFold
from diffdesk.ui.canvas import LiveMessage
from diffdesk.ui.canvas.sample_run import sample_run
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.message_column import MOST_WIDGETS
from diffdesk.ui.message_parts import ThoughtFold
from diffdesk.ui.message_widget import MessageWidget
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ErrorView, MessageView, Place
from tests.gui.window.samples import NOW, collect, image, message, mine, talk


def show(window: MainWindow, views: list[MessageView]) -> None:
    window.show_conversation("Talk", Place.CHAT, views)


def top_of(window: MainWindow, number: int) -> int:
    widget = window.transcript.widget_of(number)
    assert widget is not None
    return widget.mapTo(window, QPoint(0, 0)).y()


def widget_of(window: MainWindow, number: int) -> MessageWidget:
    widget = window.transcript.widget_of(number)
    assert isinstance(widget, MessageWidget)
    return widget


def is_editing(window: MainWindow, number: int) -> bool:
    return widget_of(window, number).is_editing


def is_open(fold: ThoughtFold) -> bool:
    return fold.body is not None


def stream(live: LiveMessage, canvases: int, frames: int = 10_000) -> None:
    fold = CanvasFold()
    for number, event in enumerate(sample_run(canvases, 64, 6)):
        if number >= frames:
            return
        live.show_frame(fold.apply(event), fold.answer, fold.thought)


def test_a_thousand_messages_have_few_widgets(window: MainWindow) -> None:
    show(window, talk(1000))
    transcript, bar = window.transcript, window.transcript.verticalScrollBar()
    seen = [transcript.live_widget_count]
    for value in range(0, bar.maximum(), 3000):
        bar.setValue(value)
        seen.append(transcript.live_widget_count)
    assert max(seen) <= MOST_WIDGETS
    assert min(seen) > 0


def test_the_screen_is_covered_without_gap_or_overlap(window: MainWindow) -> None:
    show(window, talk(300))
    bar = window.transcript.verticalScrollBar()
    for value in (0, 777, bar.maximum() // 2, bar.maximum() - 300, bar.maximum()):
        bar.setValue(value)
        boxes = sorted(
            (widget.geometry() for number in range(1, 301) if (widget := window.transcript.widget_of(number))),
            key=lambda box: box.top(),
        )
        for upper, lower in pairwise(boxes):
            assert lower.top() >= upper.bottom() + 1
        near = [box for box in boxes if -200 < box.top() < window.transcript.viewport().height() + 200]
        assert all(lower.top() == upper.bottom() + 1 for upper, lower in pairwise(near))


def test_every_message_is_as_high_as_its_text(window: MainWindow) -> None:
    show(window, talk(40))
    for number in range(30, 41):
        widget = window.transcript.widget_of(number)
        if isinstance(widget, MessageWidget) and widget.text_view is not None:
            assert widget.text_view.height() >= widget.text_view.document().size().height()


def test_it_opens_at_the_end_and_stays_there_while_text_is_added(window: MainWindow) -> None:
    show(window, talk(60))
    bar = window.transcript.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    window.append_message(message(61, "word " * 300))
    assert bar.value() == bar.maximum()


def test_a_reader_elsewhere_is_left_in_peace(window: MainWindow) -> None:
    show(window, talk(60))
    bar = window.transcript.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    reading = next(number for number in range(1, 61) if window.transcript.widget_of(number))
    before = top_of(window, reading)
    live = window.begin_live(61)
    live.begin("Answer")
    stream(live, 3)
    window.append_message(message(62, "more " * 200))
    assert top_of(window, reading) == before
    assert window.transcript.pill.isVisible()
    window.transcript.pill.click()
    assert bar.value() == bar.maximum()
    assert not window.transcript.pill.isVisible()


def test_my_own_message_takes_me_to_the_end(window: MainWindow) -> None:
    show(window, talk(60))
    bar = window.transcript.verticalScrollBar()
    bar.setValue(0)
    window.append_message(mine(61))
    assert bar.value() == bar.maximum()


def test_a_live_message_stands_where_its_message_stood_and_ends_there(window: MainWindow) -> None:
    show(window, [*talk(20), message(21, "", state=MessageState.STREAMING)])
    live = window.begin_live(21)
    assert window.transcript.widget_of(21) is live
    live.begin("Answer")
    stream(live, 2, frames=9)
    window.update_message(message(21, "partial", state=MessageState.STREAMING))
    assert window.transcript.widget_of(21) is live
    window.end_live(message(21, "The whole answer."))
    assert widget_of(window, 21).view.text == "The whole answer."
    assert [one.id for one in window.transcript.views] == list(range(1, 22))


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_end_of_an_answer_moves_nothing_for_a_reader_elsewhere(window: MainWindow, share: float) -> None:
    show(window, talk(40))
    live = window.begin_live(41)
    live.begin("Answer")
    stream(live, 3)
    bar = window.transcript.verticalScrollBar()
    bar.setValue(round(bar.maximum() * share))
    reading = next(number for number in range(1, 41) if window.transcript.widget_of(number))
    before = top_of(window, reading)
    window.end_live(message(41, "short"))
    assert top_of(window, reading) == before


def test_the_live_message_grows_with_its_text_and_asks_to_stop(window: MainWindow) -> None:
    stopped = collect(window.stop_requested)
    show(window, [mine(1)])
    live = window.begin_live(2)
    live.begin("Answer")
    before = live.height()
    stream(live, 3)
    assert live.height() > before
    live.stop_requested.emit()
    assert len(stopped) == 1


def test_the_same_messages_keep_their_widgets(window: MainWindow) -> None:
    views = talk(6)
    show(window, views)
    first = window.transcript.widget_of(5)
    show(window, [*views, mine(7)])
    assert window.transcript.widget_of(5) is first
    show(window, [mine(5, "another conversation")])
    assert window.transcript.widget_of(5) is not first
    assert window.transcript.widget_of(6) is None


def test_removing_a_message_closes_the_gap(window: MainWindow) -> None:
    show(window, [mine(1), message(2), mine(3)])
    below = top_of(window, 2)
    window.remove_message(2)
    assert top_of(window, 3) == below


def test_actions_say_what_is_wanted(window: MainWindow) -> None:
    again, versions = collect(window.regenerate_requested), collect(window.version_requested)
    replays = collect(window.replay_requested)
    answer = MessageView(2, Role.ASSISTANT, "text", NOW, version=2, versions=3, has_trace=True)
    show(window, [mine(1), answer])
    widget = widget_of(window, 2)
    for key in ("regenerate", "replay", "older", "newer", "copy"):
        widget.perform(key)
    assert (again, replays, versions) == ([(2,)], [(2,)], [(2, -1), (2, 1)])
    assert QGuiApplication.clipboard().text() == "text"
    QTest.keyClick(widget, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert widget.actions_here()[0].key == "copy"


def test_a_message_of_mine_is_edited_in_place(window: MainWindow) -> None:
    edited = collect(window.edit_requested)
    show(window, [mine(1, "tbe"), message(2), mine(3, "last"), message(4)])
    QTest.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    widget = widget_of(window, 3)
    assert is_editing(window, 3)
    before = widget.height()
    editor = widget.editor
    assert editor is not None
    assert editor.isVisible()
    assert editor.geometry().bottom() < before
    editor.setPlainText("better")
    QTest.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert edited == [(3, "better")]
    assert not is_editing(window, 3)
    widget.start_editing()
    QTest.keyClick(widget, Qt.Key.Key_Escape)
    assert not is_editing(window, 3)
    assert len(edited) == 1


def test_a_message_that_is_edited_stays_when_it_scrolls_away(window: MainWindow) -> None:
    show(window, talk(200))
    widget = widget_of(window, 199)
    widget.start_editing()
    window.transcript.verticalScrollBar().setValue(0)
    assert window.transcript.widget_of(199) is widget


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (MessageState.EMPTY, "ended its answer at once"),
        (MessageState.THOUGHT_ONLY, "more room"),
        (MessageState.STOPPED, "You stopped"),
        (MessageState.FAILED, "Out of memory"),
    ],
)
def test_every_state_is_said_to_the_eye_and_the_ear(window: MainWindow, state: MessageState, said: str) -> None:
    error = ErrorView("Out of memory", "It needs 18 GB.", "Close programs.") if state is MessageState.FAILED else None
    show(window, [mine(1), MessageView(2, Role.ASSISTANT, "", NOW, state, error=error)])
    widget = widget_of(window, 2)
    assert said in widget.accessibleName()
    assert any(said in text for text in widget.shown_texts())


def test_a_failed_answer_offers_to_try_again(window: MainWindow) -> None:
    again = collect(window.regenerate_requested)
    show(window, [mine(1), message(2, "", state=MessageState.FAILED)])
    button = widget_of(window, 2).retry_button
    assert button is not None
    button.click()
    assert again == [(2,)]


def test_a_thought_is_folded_and_opens(window: MainWindow) -> None:
    show(window, [mine(1), message(2, thought="one\ntwo\nthree")])
    fold = widget_of(window, 2).thought
    assert fold is not None
    assert fold.button.text().strip() == "Thought (3 lines)"
    assert not is_open(fold)
    height = widget_of(window, 2).height()
    fold.button.click()
    assert fold.body is not None
    assert "two" in fold.body.plain_text()
    assert widget_of(window, 2).height() > height
    fold.button.click()
    assert widget_of(window, 2).height() == height


def test_a_correction_is_shown_with_its_changes(window: MainWindow) -> None:
    show(window, [mine(1), message(2, "The cat sat.", draft="Tbe cat sat.")])
    differences = widget_of(window, 2).differences
    assert differences is not None
    assert differences.count.text().startswith("1 change · ")
    assert "Tbe" in differences.text_view.plain_text()
    differences.toggle.click()
    assert differences.text_view.plain_text() == "The cat sat."


def test_my_text_is_shown_literally(window: MainWindow) -> None:
    text = "# not a heading\n<b>not bold</b> *as it is*"
    show(window, [mine(1, text)])
    view = widget_of(window, 1).text_view
    assert view is not None
    assert view.plain_text() == text


def test_an_image_opens_large(window: MainWindow) -> None:
    show(window, [MessageView(1, Role.USER, "", NOW, images=(image(),))])
    thumbnails = widget_of(window, 1).thumbnails
    assert [one.accessibleName() for one in thumbnails] == ["Image scan.png"]
    opened = collect(window.transcript.image_opened)
    thumbnails[0].click()
    assert opened == [(image(),)]
    window.close()


def test_the_keyboard_walks_messages_and_scrolls(window: MainWindow) -> None:
    show(window, talk(60))
    widget_of(window, 60).setFocus()
    for _ in range(12):
        focused = window.focusWidget()
        assert focused is not None
        QTest.keyClick(focused, Qt.Key.Key_Up)
    assert widget_of(window, 48).hasFocus()
    box = widget_of(window, 48).geometry()
    assert 0 <= box.top() < window.transcript.viewport().height()
    QTest.keyClick(widget_of(window, 48), Qt.Key.Key_End)
    bar = window.transcript.verticalScrollBar()
    assert bar.value() == bar.maximum()
    QTest.keyClick(widget_of(window, 48), Qt.Key.Key_Home)
    assert bar.value() == 0


def test_theme_and_zoom_change_at_run_time(window: MainWindow, themes: ThemeKeeper) -> None:
    show(window, talk(50))
    widget = widget_of(window, 50)
    before = widget.height()
    themes.set_scheme("dark")
    shown = window.grab().toImage()
    place = window.transcript.mapTo(window, QPoint(20, 20))
    assert shown.pixelColor(place).name() == themes.theme.surface
    assert themes.theme.is_dark
    themes.set_zoom(2.0)
    assert widget_of(window, 50).height() > before
    assert window.transcript.verticalScrollBar().value() == window.transcript.verticalScrollBar().maximum()


def test_a_text_is_at_most_76_characters_wide(window: MainWindow) -> None:
    show(window, [message(1, "a sentence of usual words that goes on and on, " * 40)])
    view = widget_of(window, 1).text_view
    assert view is not None
    layout = view.document().begin().layout()
    longest = max(layout.lineAt(number).textLength() for number in range(layout.lineCount()))
    assert longest <= 90  # narrow letters; 76 of average width
    assert view.width() <= view.fontMetrics().averageCharWidth() * 76 + 76
