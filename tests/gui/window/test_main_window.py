"""The window as a whole: lists, banners, toasts, search, keys, layout, looks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QLineEdit, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.ui.banner import MOST_BANNERS
from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.find_bar import matches
from diffdesk.ui.keys_dialog import KeysDialog
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.rewrite.rewrite_views import SheetEntry, SheetView
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import ErrorView, ModelState, ModelView, Place
from tests.gui.desk.samples import page, rows
from tests.gui.window.samples import collect, conversation, image, message, mine, model, talk

CONTROL = Qt.KeyboardModifier.ControlModifier


def test_the_list_is_grouped_and_opens_conversations(window: MainWindow) -> None:
    opened = collect(window.conversation_opened)
    window.show_conversations([conversation(1, "A"), conversation(2, "B", 1), conversation(3, "C", 9)], 1)
    rows = [window.sidebar.model.row(number) for number in range(window.sidebar.model.rowCount())]
    assert [one.heading or (one.view.title if one.view else "") for one in rows] == [
        *("Today", "A", "Yesterday", "B", "Earlier", "C"),
    ]
    rows_list = window.sidebar.list
    rows_list.setFocus()
    QTest.keyClick(rows_list, Qt.Key.Key_Down)
    QTest.keyClick(rows_list, Qt.Key.Key_Return)
    assert opened == [(2,)]
    assert window.windowTitle() == "A – DiffDesk"


def test_conversations_are_renamed_and_deleted_in_the_list(window: MainWindow, qtbot: QtBot) -> None:
    renamed, deleted = collect(window.conversation_renamed), collect(window.conversation_deleted)
    undone = collect(window.deletion_undone)
    window.show_conversations([conversation(1, "A"), conversation(2, "B")], 2)
    rows = window.sidebar.list
    rows.setFocus()
    QTest.keyClick(rows, Qt.Key.Key_F2)
    editor = rows.findChild(QLineEdit)
    assert editor is not None
    editor.setText("  Better \n name ")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(renamed))  # the list takes an edit with the next turn of the event loop
    assert renamed == [(2, "Better name")]
    rows.setFocus()
    QTest.keyClick(rows, Qt.Key.Key_Delete)
    assert deleted == [(2,)]
    QTest.keyClick(rows, Qt.Key.Key_Z, CONTROL)
    assert undone == [(2,)]


def test_the_title_is_edited_in_the_header(window: MainWindow) -> None:
    renamed = collect(window.conversation_renamed)
    window.show_conversations([conversation(7, "Old")], 7)
    title = window.header.title
    title.setFocus()
    title.setText("New")
    QTest.keyClick(title, Qt.Key.Key_Escape)
    assert title.text() == "Old"
    title.setText("New")
    QTest.keyClick(title, Qt.Key.Key_Return)
    assert renamed == [(7, "New")]


def test_search_is_reported_when_the_typing_pauses(window: MainWindow, qtbot: QtBot) -> None:
    searched = collect(window.searched)
    QTest.keyClick(window, Qt.Key.Key_K, CONTROL)
    assert window.sidebar.search.hasFocus()
    QTest.keyClicks(window.sidebar.search, "rent")
    qtbot.waitUntil(lambda: bool(searched))
    assert searched == [("rent",)]
    window.show_conversations([], None)
    assert window.sidebar.empty.text() == "Nothing found."


def test_find_counts_marks_and_goes_round(window: MainWindow) -> None:
    views = [message(one, f"**alpha** number {one}, Alpha again") for one in range(1, 31)]
    window.show_conversation("t", Place.CHAT, views)
    QTest.keyClick(window, Qt.Key.Key_F, CONTROL)
    bar = window.centre.find_bar
    assert bar.field.hasFocus()
    QTest.keyClicks(bar.field, "ALPHA")
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert bar.match_count == 60
    assert bar.count.text() == "60 of 60"
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert bar.count.text() == "1 of 60"
    widget = window.transcript.widget_of(1)
    assert widget is not None
    assert 0 <= widget.geometry().top() < window.transcript.viewport().height()
    QTest.keyClick(bar.field, Qt.Key.Key_Escape)
    assert not bar.isVisible()


def test_matches_are_counted_as_read() -> None:
    assert matches("ss", [(1, "Straße"), (2, "SS ssss")]) == [(1, 0), (2, 0), (2, 1), (2, 2)]
    assert matches("", [(1, "x")]) == []


def test_banners_say_what_to_do_and_go(window: MainWindow) -> None:
    done: list[str] = []
    error = ErrorView("Not a model", "Its config says llama.", "Pick another.", "report")
    for _ in range(2):
        window.show_banner(error, "error", [("Choose", lambda: done.append("choose"))])
    banners = window.banners
    assert len(banners.banners) == 1
    assert banners.banners[0].accessibleName() == "Not a model. Its config says llama. Pick another."
    for number in range(5):
        window.show_banner(ErrorView(f"Note {number}", ""), "info", [])
    assert len(banners.banners) == MOST_BANNERS
    banners.clear()
    window.show_banner(error, "warning", [("Choose", lambda: done.append("choose"))])
    banners.banners[0].action_buttons[0].click()
    assert done == ["choose"]
    assert len(banners.banners) == 0


def test_banners_are_read_whole_where_it_is_tight(window: MainWindow, themes: ThemeKeeper, qtbot: QtBot) -> None:
    themes.set_zoom(2.0)
    long = "It needs about 17 GiB, and 9 GiB are free. What has no room is read from the disk again for every step."
    for number in range(2):
        window.show_banner(
            ErrorView(f"Note {number}", long, "Close other programs."), "warning", [("Do", lambda: None)]
        )
    shown = [one for banner in window.banners.banners for one in banner.findChildren(QLabel) if one.text()]
    assert len(shown) == 6
    qtbot.waitUntil(lambda: all(one.height() >= one.heightForWidth(one.width()) for one in shown))


def test_a_toast_offers_its_action(window: MainWindow) -> None:
    done: list[str] = []
    toast = window.toast
    window.show_toast("Conversation deleted", "Undo", lambda: done.append("undo"))
    assert toast.isVisible()
    assert toast.geometry().bottom() < window.places.height()
    toast.button.click()
    assert done == ["undo"]
    assert not toast.isVisible()
    window.show_toast("Saved as x.md", "", None)
    assert not toast.button.isVisible()


def test_the_welcome_teaches_one_thing(window: MainWindow) -> None:
    samples = collect(window.sample_requested)
    assert window.centre.pages.currentWidget() is window.centre.welcome
    window.set_welcome_line("The full model needs 18 GB.")
    assert window.centre.welcome.line.isVisible()
    window.centre.welcome.image_button.click()
    window.centre.welcome.text_button.click()
    assert samples == [("image",), ("text",)]
    window.show_conversation("t", Place.CORRECT, [mine(1)])
    assert window.centre.pages.currentWidget() is window.transcript
    window.show_conversation("", Place.CORRECT, [])
    assert window.centre.pages.currentWidget() is window.centre.welcome


def test_the_model_chip_tells_the_state(window: MainWindow) -> None:
    chip = window.header.model_chip
    window.set_model(ModelView(ModelState.LOADING, "Big", "weights", 0.43))
    assert "43 %" in chip.text()
    window.set_model(model())
    assert "Starter · CPU" in chip.text()
    assert "9 million parameters, Q8_0 on CPU, 2 threads" in chip.toolTip()
    window.set_model(ModelView(ModelState.FAILED, "Big", error=ErrorView("Broken", "A shard is missing.", "Copy it.")))
    assert "A shard is missing." in chip.accessibleDescription()


def test_the_model_menu(window: MainWindow, tmp_path: Path) -> None:
    chosen, unloaded = collect(window.model_chosen), collect(window.unload_requested)
    long = "diffusiongemma-with-a-name-that-nobody-can-read-at-once-Q4_K_M.gguf"
    window.set_recent_models([tmp_path / "gemma", tmp_path / "a&b.gguf", tmp_path / long])
    window.set_model(model())
    menu = window.header.model_chip.menu()
    menu.aboutToShow.emit()
    actions = {one.text(): one for one in menu.actions()}
    (shortened,) = [text for text in actions if "…" in text and text.startswith("diffusiongemma")]
    assert shortened.endswith("at-once-Q4_K_M.gguf")
    for name in ("Starter model", "gemma", "a&&b.gguf", shortened, "Unload"):
        actions[name].trigger()
    assert chosen == [(None,), (tmp_path / "gemma",), (tmp_path / "a&b.gguf",), (tmp_path / long,)]
    assert len(unloaded) == 1


@pytest.mark.parametrize(("entry", "is_file"), [("Open a GGUF file…", True), ("Open a model folder…", False)])
def test_a_model_is_asked_for_where_the_last_one_lies(
    window: MainWindow, tmp_path: Path, entry: str, is_file: bool
) -> None:
    chosen = collect(window.model_chosen)
    (tmp_path / "one.gguf").touch()
    window.set_recent_models([tmp_path / "one.gguf"])
    menu = window.header.model_chip.menu()
    menu.aboutToShow.emit()
    next(one for one in menu.actions() if one.text() == entry).trigger()
    (dialog,) = window.findChildren(QFileDialog)
    assert Path(dialog.directory().absolutePath()) == tmp_path
    assert any("*.gguf" in one for one in dialog.nameFilters()) is is_file
    picked = tmp_path / "one.gguf" if is_file else tmp_path
    dialog.fileSelected.emit(str(picked))
    dialog.reject()
    assert chosen == [(picked,)]


def test_view_options_take_effect_and_are_reported(window: MainWindow, themes: ThemeKeeper) -> None:
    reported = collect(window.view_option_changed)
    QTest.keyClick(window, Qt.Key.Key_Plus, CONTROL)
    assert themes.zoom == pytest.approx(1.1)
    QTest.keyClick(window, Qt.Key.Key_Minus, CONTROL)
    QTest.keyClick(window, Qt.Key.Key_0, CONTROL)
    assert reported == [("zoom", 1.1), ("zoom", 1.0), ("zoom", 1.0)]
    window.apply_view_option("theme", "dark")
    assert themes.theme.is_dark
    window.apply_view_option("theme", "no such theme")
    window.apply_view_option("calm", True)
    assert window.header.is_calm
    assert len(reported) == 3


def sidebar_shows(window: MainWindow) -> bool:
    return window.stage.is_sidebar_open and window.sidebar.isVisible()


def test_the_settings_push_and_the_sidebar_gives_way(window: MainWindow) -> None:
    stage = window.stage
    wide = stage.centre.width()
    QTest.keyClick(window, Qt.Key.Key_Comma, CONTROL)
    assert stage.is_panel_open
    assert stage.centre.width() == wide - stage.panel.width()
    assert sidebar_shows(window)
    window.resize(900, 640)
    assert not sidebar_shows(window)
    assert stage.centre.geometry().right() < stage.panel.geometry().left()
    QTest.keyClick(window, Qt.Key.Key_Comma, CONTROL)
    assert sidebar_shows(window)
    window.resize(480, 600)
    assert not sidebar_shows(window)
    QTest.keyClick(window, Qt.Key.Key_B, CONTROL)
    assert sidebar_shows(window)
    assert stage.centre.width() == 480
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not sidebar_shows(window)
    window.resize(1280, 800)
    assert sidebar_shows(window)


def test_the_panel_slides_where_motion_is_wanted(window: MainWindow, themes: ThemeKeeper, qtbot: QtBot) -> None:
    themes.set_motion("full")
    window.stage.set_panel(True)
    goal = window.stage.width() - window.stage.panel.width()
    qtbot.waitUntil(lambda: window.stage.panel.x() == goal)
    window.stage.set_panel(False)
    qtbot.waitUntil(lambda: not window.stage.panel.isVisible())


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_nothing_is_cut_off_in_the_smallest_window(
    window: MainWindow, themes: ThemeKeeper, qtbot: QtBot, zoom: float
) -> None:
    window.set_model(model())
    themes.set_zoom(zoom)
    window.resize(480, 400)
    parts = (window.header.more_button, window.header.model_chip, window.composer.send_button)

    def is_inside() -> bool:
        return all(window.rect().contains(one.mapTo(window, one.rect().bottomRight())) for one in parts)

    qtbot.waitUntil(is_inside)
    assert window.size() == window.minimumSize()


def test_the_layout_is_kept_as_json(window: MainWindow, themes: ThemeKeeper, qtbot: QtBot) -> None:
    window.stage.set_panel(True)
    window.stage.set_sidebar(False)
    window.resize(700, 500)  # the offscreen screen is 800 × 800
    kept = json.loads(json.dumps(window.save_layout()))
    other = MainWindow(themes)
    qtbot.addWidget(other)
    other.restore_layout({"geometry": "not base64 at all", "sidebar": 3})
    other.restore_layout(kept)
    assert other.size() == window.size()
    assert other.stage.is_panel_open
    assert not other.stage.wants_sidebar


def test_escape_stops_only_while_an_answer_is_written(window: MainWindow) -> None:
    stopped = collect(window.stop_requested)
    QTest.keyClick(window.composer.edit, Qt.Key.Key_Escape)
    window.set_busy(True)
    window.centre.find_bar.open_bar()
    QTest.keyClick(window.centre.find_bar.field, Qt.Key.Key_Escape)
    assert stopped == []
    QTest.keyClick(window.composer.edit, Qt.Key.Key_Escape)
    assert len(stopped) == 1


@pytest.fixture
def elsewhere(window: MainWindow) -> MainWindow:
    """The window at a desk that is as good as any widget."""
    window.add_place(WindowPlace.DESK, QLineEdit())
    window.open_place(WindowPlace.DESK)
    return window


def test_keys_of_a_conversation_do_nothing_in_another_place(elsewhere: MainWindow) -> None:
    window = elsewhere
    window.show_conversations([conversation(4, "Fresh")], 4)
    window.show_conversation("Fresh", Place.CHAT, [mine(1), message(2)])
    window.composer.set_content("words", ())
    window.set_busy(True)
    sent, stopped = collect(window.sent), collect(window.stop_requested)
    toast = window.toast.isVisible()
    control = Qt.KeyboardModifier.ControlModifier
    for key in (Qt.Key.Key_Return, Qt.Key.Key_E, Qt.Key.Key_F):
        QTest.keyClick(window, key, control)
    QTest.keyClick(window, Qt.Key.Key_E, control | Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(window, Qt.Key.Key_F2)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert (sent, stopped, window.toast.isVisible()) == ([], [], toast)
    assert window.place is WindowPlace.DESK


def test_the_menu_leaves_out_what_is_for_conversations_in_another_place(elsewhere: MainWindow) -> None:
    menu = elsewhere.header.more_button.menu()
    menu.aboutToShow.emit()
    assert not any("conversation" in action.text() for action in menu.actions())
    elsewhere.open_place(WindowPlace.CONVERSATIONS)
    menu.aboutToShow.emit()
    assert sum("conversation" in action.text() for action in menu.actions()) == 2


def test_files_are_opened_where_one_is(elsewhere: MainWindow) -> None:
    wanted = collect(elsewhere.files_requested)
    QTest.keyClick(elsewhere, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    assert wanted == [("desk",)]
    assert elsewhere.findChild(QFileDialog) is None
    elsewhere.open_place(WindowPlace.CONVERSATIONS)
    QTest.keyClick(elsewhere, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    dialog = elsewhere.findChild(QFileDialog)
    assert dialog is not None
    dialog.close()
    assert len(wanted) == 1


def test_tab_goes_to_the_place_where_one_is(elsewhere: MainWindow) -> None:
    switch = elsewhere.header.places
    stops = [one for one in WindowPlace if switch.button(one).focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert stops == [WindowPlace.DESK]
    switch.button(WindowPlace.DESK).setFocus()
    elsewhere.open_place(WindowPlace.CONVERSATIONS)
    stops = [one for one in WindowPlace if switch.button(one).focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert stops == [WindowPlace.CONVERSATIONS]


@pytest.mark.parametrize(("zoom", "width"), [(1.0, 480), (2.0, 640)])
def test_the_keys_can_be_read_in_a_small_dialog(
    window: MainWindow, themes: ThemeKeeper, qtbot: QtBot, zoom: float, width: int
) -> None:
    themes.set_zoom(zoom)
    dialog = KeysDialog(themes, window)
    dialog.resize(width, 400)
    dialog.show()
    qtbot.waitExposed(dialog)
    area = dialog.findChild(QScrollArea)
    assert area is not None
    body = area.widget()
    assert body is not None
    assert body.width() <= area.viewport().width()
    dialog.close()
    themes.reset_zoom()


def test_the_keys_dialog_lists_the_keys(window: MainWindow, qtbot: QtBot) -> None:
    QTest.keyClick(window, Qt.Key.Key_F1)
    dialog = window.findChild(KeysDialog)
    assert dialog is not None
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.findChild(KeysDialog) is None)


def test_a_conversation_of_a_thousand_survives_all_sizes(window: MainWindow, themes: ThemeKeeper) -> None:
    window.show_conversation("t", Place.CHAT, talk(1000))
    for width, zoom in ((480, 1.0), (1280, 2.0), (900, 0.8)):
        themes.set_zoom(zoom)
        window.resize(width, 640)
        bar = window.transcript.verticalScrollBar()
        assert bar.value() == bar.maximum()
        assert window.transcript.live_widget_count < 60


class Windows(QObject):
    """Notes every widget that is shown as a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(type(watched).__name__)
        return False


def test_no_part_is_ever_a_window_of_its_own(qapp: QApplication, themes: ThemeKeeper, qtbot: QtBot) -> None:
    watcher = Windows()
    qapp.installEventFilter(watcher)
    made = MainWindow(themes)
    qtbot.addWidget(made)
    made.show()
    views = [mine(1), message(2, thought="hm", draft="Tbe"), message(3, "```\ncode\n```"), mine(4)]
    made.show_conversation("t", Place.CORRECT, views)
    made.begin_live(5).begin("Answer")
    made.end_live(message(5))
    made.add_composer_image(image())
    made.show_banner(ErrorView("Title", "Text"), "info", [("Do", lambda: None)])
    made.show_toast("Saved", "Undo", lambda: None)
    made.stage.set_panel(True)
    desk, rewriter = DeskView(themes), RewriteView(themes)
    made.add_place(WindowPlace.DESK, desk)
    made.add_place(WindowPlace.REWRITER, rewriter)
    made.open_place(WindowPlace.DESK)
    desk.set_rows(rows(2))
    desk.show_page(page())
    made.open_place(WindowPlace.REWRITER)
    rewriter.set_entries([SheetEntry(1, "in.csv", "3 of 9 rows left")], [])
    rewriter.show_sheet(SheetView(1, "in.csv", ("text",), (0,)), [])
    qapp.removeEventFilter(watcher)
    assert watcher.shown == ["MainWindow"]


def test_the_window_imports_neither_models_nor_pygments() -> None:
    code = (
        "import sys, diffdesk.ui.main_window\n"
        "bad = {'torch', 'transformers', 'pygments', 'sqlite3', 'PIL', 'onnxruntime'} & set(sys.modules)\n"
        "print(sorted(bad))"
    )
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
