"""The composer: sending, input methods, history, images, the place, the draft."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage, QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.ui.composer import CHAT_HINT, READING, SENT_AS_TEXT
from diffdesk.ui.composer_edit import MOST_LINES
from diffdesk.ui.drops import Dropped
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.message_parts import label
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.views import ImageView, Place
from tests.gui.window.samples import BLIND, collect, image, mine, model, png


def test_enter_sends_and_shift_enter_breaks(window: MainWindow) -> None:
    sent = collect(window.sent)
    edit = window.composer.edit
    QTest.keyClicks(edit, "tbe cat")
    QTest.keyClick(edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(edit, "sat")
    assert sent == []
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert sent == [("correct", "tbe cat\nsat", ())]


def test_nothing_is_sent_while_an_input_method_composes(window: MainWindow) -> None:
    sent = collect(window.sent)
    edit = window.composer.edit
    QTest.keyClicks(edit, "a")
    QApplication.sendEvent(edit, QInputMethodEvent("にほ", []))
    QTest.keyClick(edit, Qt.Key.Key_Return)
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert sent == []
    commit = QInputMethodEvent("", [])
    commit.setCommitString("日本")
    QApplication.sendEvent(edit, commit)
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert sent == [("correct", "a日本", ())]


def test_ctrl_enter_sends_from_anywhere(window: MainWindow) -> None:
    sent = collect(window.sent)
    window.set_composer("hello", ())
    window.sidebar.search.setFocus()
    QTest.keyClick(window.sidebar.search, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert [one[1] for one in sent] == ["hello"]


def test_nothing_is_sent_when_empty_or_busy(window: MainWindow) -> None:
    sent, stopped = collect(window.sent), collect(window.stop_requested)
    QTest.keyClicks(window.composer.edit, "   ")
    QTest.keyClick(window.composer.edit, Qt.Key.Key_Return)
    assert not window.composer.send_button.isEnabled()
    window.set_composer("text", ())
    window.set_busy(True)
    QTest.keyClick(window.composer.edit, Qt.Key.Key_Return)
    assert sent == []
    window.composer.send_button.click()
    assert len(stopped) == 1
    QTest.keyClick(window.composer.edit, Qt.Key.Key_Escape)
    assert len(stopped) == 2


def test_it_grows_to_ten_lines_and_no_further(window: MainWindow) -> None:
    edit = window.composer.edit
    heights = []
    for lines in (1, 2, 10, 11, 40):
        window.set_composer("\n".join("x" * lines), ())
        heights.append(edit.height())
    assert heights[0] < heights[1] < heights[2]
    assert heights[2] == heights[3] == heights[4]
    assert heights[4] <= edit.fontMetrics().lineSpacing() * MOST_LINES + 16


def test_alt_arrows_walk_my_prompts_and_come_back(window: MainWindow) -> None:
    window.show_conversation("t", Place.CHAT, [mine(1, "first"), mine(2, "second")])
    edit = window.composer.edit
    QTest.keyClicks(edit, "unsent")
    alt = Qt.KeyboardModifier.AltModifier
    seen = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down):
        QTest.keyClick(edit, key, alt)
        seen.append(edit.toPlainText())
    assert seen == ["second", "first", "first", "second", "unsent"]


def test_a_pasted_picture_is_offered_as_png(window: MainWindow) -> None:
    offered = collect(window.images_offered)
    QGuiApplication.clipboard().setImage(QImage.fromData(png()))
    window.composer.edit.paste()
    content = offered[0][0]
    assert isinstance(content, list)
    assert [QImage.fromData(one).width() for one in content] == [40]
    assert window.composer.text == ""


def test_pasted_files_are_offered_and_pasted_text_is_plain(window: MainWindow, tmp_path: Path) -> None:
    offered = collect(window.images_offered)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.png"))])
    window.composer.edit.insertFromMimeData(data)
    assert offered == [([tmp_path / "a.png"],)]
    rich = QMimeData()
    rich.setHtml("<b>bold</b>")
    rich.setText("bold")
    window.composer.edit.insertFromMimeData(rich)
    assert window.composer.text == "bold"


def drop(window: MainWindow, data: QMimeData, on: QWidget | None = None) -> None:
    """Drop something on the composer, or on another part of the window."""
    part = on or window.composer
    at = part.mapTo(window, part.rect().center())
    actions, buttons, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(at, actions, data, buttons, none)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(at), actions, data, buttons, none))


def test_images_dropped_on_the_composer_are_offered(window: MainWindow, tmp_path: Path) -> None:
    offered, chosen = collect(window.images_offered), collect(window.model_chosen)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "x.jpg")), QUrl.fromLocalFile(str(tmp_path / "y.png"))])
    drop(window, data)
    assert offered == [([tmp_path / "x.jpg", tmp_path / "y.png"],)]
    assert chosen == []


def test_what_is_dropped_elsewhere_is_asked_about(window: MainWindow, tmp_path: Path) -> None:
    offered, dropped = collect(window.images_offered), collect(window.sources_dropped)
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "a.png").touch()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(one)) for one in (scans, tmp_path / "b.pdf", tmp_path / "c.jpg")])
    drop(window, data, window.centre.welcome)
    assert offered == []
    (found,) = [one[0] for one in dropped]
    assert isinstance(found, Dropped)
    assert found.sources == (scans, tmp_path / "b.pdf", tmp_path / "c.jpg")
    assert found.images == (scans / "a.png", tmp_path / "c.jpg")
    assert (found.has_pdf, found.noun) == (True, "item")
    assert Dropped(sources=(scans,)).noun == "folder"
    assert Dropped(sources=(tmp_path / "b.pdf", b"a picture")).noun == "file"
    assert Dropped(sources=(b"a picture",)).noun == "image"


def test_a_table_is_no_image_and_other_places_get_what_is_dropped_on_them(window: MainWindow, tmp_path: Path) -> None:
    offered = collect(window.images_offered)
    dropped: list[Dropped] = []
    window.sources_dropped.connect(dropped.append)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "rows.csv"))])
    drop(window, data)
    assert (offered, [one.is_table for one in dropped]) == ([], [True])
    window.add_place(WindowPlace.REWRITER, QWidget())
    window.open_place(WindowPlace.REWRITER)
    words = QMimeData()
    words.setText("one\ntwo")
    drop(window, words, window.header)
    assert dropped[-1].text == "one\ntwo"
    assert window.composer.text == ""


def test_the_drop_sheet_shows_while_something_hovers(window: MainWindow) -> None:
    data = QMimeData()
    data.setText("words")
    event = QDragEnterEvent(
        QPoint(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(window, event)
    assert window.drops.sheet.isVisible()
    drop(window, data)
    assert not window.drops.sheet.isVisible()
    assert window.composer.text == "words"


def test_a_dropped_folder_is_a_model_or_its_images(window: MainWindow, tmp_path: Path) -> None:
    offered, chosen = collect(window.images_offered), collect(window.model_chosen)
    pictures, checkpoint, ggufs = tmp_path / "pictures", tmp_path / "model", tmp_path / "ggufs"
    for folder, names in {
        pictures: ("b.png", "a.JPG", "notes.txt"),
        checkpoint: ("config.json", "logo.png"),
        ggufs: ("one-Q4_K_M.GGUF", "logo.png"),
    }.items():
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(b"")
        drop_files(window, folder)
    assert offered == [([pictures / "a.JPG", pictures / "b.png"],)]
    assert chosen == [(checkpoint,), (ggufs,)]


def test_a_dropped_gguf_file_is_a_model(window: MainWindow, tmp_path: Path) -> None:
    offered, chosen = collect(window.images_offered), collect(window.model_chosen)
    file = tmp_path / "diffusiongemma-00002-of-00003.gguf"
    file.touch()
    drop_files(window, file)
    drop_files(window, tmp_path / "picture.png", file)
    assert chosen == [(file,), (file,)]
    assert offered == []


def drop_files(window: MainWindow, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    drop(window, data)


# --- images that the model can't see


def blind_chat(window: MainWindow, *images: ImageView) -> None:
    window.set_model(model())
    window.set_place(Place.CHAT)
    window.set_composer("", images)


def test_what_becomes_of_an_image_that_cant_be_seen_is_said_at_once(window: MainWindow) -> None:
    notice = window.composer.notice
    blind_chat(window)
    assert not notice.isVisible()
    window.add_composer_image(image("1", "one.png"))
    assert notice.isVisible()
    assert BLIND in notice.text.text()
    assert SENT_AS_TEXT in notice.text.text()
    assert notice.button.text() == "Read its text instead"
    window.add_composer_image(image("2", "two.png"))
    assert notice.button.text() == "Read their text instead"
    window.set_place(Place.CORRECT)
    assert not notice.isVisible(), "there images are read in any case"
    window.set_place(Place.CHAT)
    window.set_model(model(can_see=True))
    assert not notice.isVisible()
    window.set_model(model(can_chat=False))
    assert not notice.isVisible(), "the hint on chatting says more"


def test_the_text_of_images_takes_their_place_in_the_message(window: MainWindow) -> None:
    wanted = collect(window.image_text_requested)
    first, second = image("1", "one.png"), image("2", "two.png")
    blind_chat(window, first, second)
    window.composer.edit.setPlainText("What is this?")
    button = window.composer.notice.button
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert wanted == [((first, second),)]
    window.replace_images_by_text(["1", "2"], "Dear Sir,\nyours")
    assert window.composer.text == "What is this?\n\nDear Sir,\nyours"
    assert window.composer.images == ()
    assert not window.composer.notice.isVisible()
    assert window.composer.edit.hasFocus()
    window.composer.edit.undo()
    assert window.composer.text == "What is this?"


def test_in_an_empty_message_the_question_comes_after_the_text(window: MainWindow) -> None:
    blind_chat(window, image("1"))
    window.replace_images_by_text(["1"], "Dear Sir,")
    QTest.keyClicks(window.composer.edit, "Translate")
    assert window.composer.text == "Dear Sir,\n\nTranslate"


def test_reading_can_be_stopped_and_what_comes_too_late_is_dropped(window: MainWindow) -> None:
    stopped, wanted = collect(window.image_text_stopped), collect(window.image_text_requested)
    blind_chat(window, image("1"))
    window.set_reading_images(True)
    assert window.composer.notice.text.text() == READING
    window.composer.notice.button.click()
    assert (len(stopped), wanted) == (1, [])
    window.set_reading_images(False)
    window.set_composer("another conversation", (image("2"),))
    window.replace_images_by_text(["1"], "too late")
    assert window.composer.text == "another conversation"
    assert [one.key for one in window.composer.images] == ["2"]


def test_images_can_be_taken_away_with_the_keyboard_and_are_sent(window: MainWindow) -> None:
    removed, sent = collect(window.image_removed), collect(window.sent)
    first, second = image("1", "one.png"), image("2", "two.png")
    for one in (first, second, first):
        window.add_composer_image(one)
    assert window.composer.images == (first, second)
    button = window.composer.tray.buttons[0]
    assert button.accessibleName() == "Remove image one.png"
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert removed == [("1",)]
    QTest.keyClick(window.composer.edit, Qt.Key.Key_Return)
    assert sent == [("correct", "", (second,))]


def test_the_place_can_be_switched_and_chat_explains_itself(window: MainWindow) -> None:
    sent = collect(window.sent)
    window.set_model(model(can_chat=False))
    window.composer.place_button(Place.CHAT).click()
    assert window.composer.hint.text() == CHAT_HINT
    assert window.composer.hint.isVisible()
    window.set_composer("hi", ())
    QTest.keyClick(window.composer.edit, Qt.Key.Key_Return)
    assert sent[0][0] == "chat"
    window.set_model(model(can_chat=True))
    assert not window.composer.hint.isVisible()


def test_a_draft_is_reported_after_a_pause_and_at_the_end(window: MainWindow, qtbot: QtBot) -> None:
    drafts = collect(window.draft_changed)
    QTest.keyClicks(window.composer.edit, "abc")
    assert drafts == []
    qtbot.waitUntil(lambda: bool(drafts))
    assert drafts == [("abc",)]
    QTest.keyClicks(window.composer.edit, "d")
    closed = collect(window.closed)
    window.close()
    assert drafts[-1] == ("abcd",)
    assert len(closed) == 1


def test_showing_a_composer_reports_nothing(window: MainWindow) -> None:
    drafts, removed = collect(window.draft_changed), collect(window.image_removed)
    window.set_composer("text", (image(),))
    window.clear_composer()
    window.composer.flush_draft()
    assert (drafts, removed) == ([], [])


def test_the_room_is_told_in_words(window: MainWindow) -> None:
    window.set_room(1204, 8192)
    assert "1,204 of 8,192 tokens" in window.composer.room.accessibleDescription()
    assert "5,170 words" in window.composer.room.accessibleDescription()
    window.set_room(0, 0)
    assert not window.composer.room.isVisible()


def test_labels_show_text_literally(qtbot: QtBot) -> None:
    made = label("<b>x</b>", "body")
    qtbot.addWidget(made)
    assert made.textFormat() == Qt.TextFormat.PlainText
