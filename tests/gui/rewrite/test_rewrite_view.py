"""The rewriter's view: rows by the thousand, the keys, the ways in, widths, names for a screen reader."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.ui.drops import Dropped
from diffdesk.ui.rewrite.rewrite_view import NO_CLIPBOARD, NOTHING_LEFT, RewriteView
from diffdesk.ui.rewrite.rewrite_views import PresetView, RewriteStatus, RowSign, SheetEntry, SheetView, Work
from diffdesk.ui.rewrite.row_model import RESULT, TEXT, Shown
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.rewrite.sheets import SHEET, fill, row, rows
from tests.gui.window.samples import collect

CONTROL = Qt.KeyboardModifier.ControlModifier
REVIEW, ACCEPTED, FAILED, WAITING = RowSign.REVIEW, RowSign.ACCEPTED, RowSign.FAILED, RowSign.WAITING


def current(view: RewriteView) -> int:
    found = view.table.current()
    return -1 if found is None else found.key[0]


def press(view: RewriteView, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(view.table, key)


def test_ten_thousand_rows_are_shown_scrolled_filtered_and_decided_on(view: RewriteView) -> None:
    many = [row(number, (REVIEW, ACCEPTED, FAILED, WAITING)[number % 4]) for number in range(10_000)]
    begun = time.perf_counter()
    fill(view, many)
    view.grab()
    shown = time.perf_counter()
    bar = view.table.verticalScrollBar()
    for page in range(20):
        bar.setValue(bar.maximum() * page // 19)
        view.table.viewport().grab()
    scrolled = time.perf_counter()
    assert view.table.indexAt(QPoint(10, view.table.viewport().height() - 5)).row() == 9_999
    view.bar.filters[Shown.ERRORS].click()
    assert view.shown.rowCount() == 2_500
    view.bar.filters[Shown.REVIEW].click()
    assert view.shown.rowCount() == 2_500
    view.update_rows([replace(one, sign=ACCEPTED) for one in many if one.sign is REVIEW])
    assert view.shown.rowCount() == 0
    assert view.table.current() is None
    view.bar.filters[Shown.ALL].click()
    assert view.shown.rowCount() == 10_000
    done = time.perf_counter()
    print(
        f"\n10,000 rows: shown in {shown - begun:.3f} s, a page scrolled in {(scrolled - shown) / 20:.3f} s, "
        f"filtered and decided on in {done - scrolled:.3f} s"
    )


def test_j_and_k_walk_through_what_waits_for_a_decision(view: RewriteView) -> None:
    fill(view, rows(REVIEW, ACCEPTED, FAILED, REVIEW, WAITING, REVIEW))
    view.table.setFocus()
    visited = [current(view)]
    for key in (Qt.Key.Key_J, Qt.Key.Key_J, Qt.Key.Key_J, Qt.Key.Key_K, Qt.Key.Key_K):
        press(view, key)
        visited.append(current(view))
    assert visited == [0, 3, 5, 0, 5, 3]
    said = collect(view.said)
    fill(view, rows(ACCEPTED, ACCEPTED))
    press(view, Qt.Key.Key_J)
    assert said == [(NOTHING_LEFT,)]


def test_a_and_r_decide_on_the_row_and_go_on(view: RewriteView) -> None:
    accepted, rejected, undone = collect(view.accepted), collect(view.rejected), collect(view.undo_requested)
    view.accepted.connect(lambda keys: view.update_rows([replace(row(key[0]), sign=ACCEPTED) for key in keys]))
    fill(view, rows(REVIEW, REVIEW, REVIEW))
    view.table.setFocus()
    press(view, Qt.Key.Key_A, Qt.Key.Key_R, Qt.Key.Key_U)
    assert accepted == [([(0, 1)],)]
    assert rejected == [([(1, 1)],)]
    assert undone == [()]
    assert current(view) == 2
    press(view, Qt.Key.Key_Home)
    QTest.keyClick(view.table, Qt.Key.Key_A, CONTROL)
    press(view, Qt.Key.Key_A)
    assert accepted[-1] == ([(0, 1), (1, 1), (2, 1)],)


def test_the_letters_work_from_a_button_too_and_not_from_a_field(view: RewriteView) -> None:
    accepted = collect(view.accepted)
    fill(view, rows(REVIEW, REVIEW))
    view.bar.export_button.setFocus()
    QTest.keyClick(view.bar.export_button, Qt.Key.Key_J)
    QTest.keyClick(view.bar.export_button, Qt.Key.Key_A)
    assert accepted == [([(1, 1)],)]
    view.bar.instruction.setFocus()
    QTest.keyClick(view.bar.instruction, Qt.Key.Key_A)
    assert len(accepted) == 1


def test_a_decided_row_leaves_the_list_of_those_to_review_and_the_next_takes_its_place(view: RewriteView) -> None:
    view.accepted.connect(lambda keys: view.update_rows([replace(row(key[0]), sign=ACCEPTED) for key in keys]))
    fill(view, rows(REVIEW, ACCEPTED, REVIEW, REVIEW))
    view.bar.filters[Shown.REVIEW].click()
    view.table.setFocus()
    seen = []
    for _ in range(3):
        seen.append(current(view))
        press(view, Qt.Key.Key_A)
    assert seen == [0, 2, 3]
    assert view.shown.rowCount() == 0


def test_the_result_is_edited_in_its_place(view: RewriteView) -> None:
    edited = collect(view.edited)
    fill(view, rows(REVIEW, REVIEW))
    view.table.setFocus()
    press(view, Qt.Key.Key_E)
    assert view.detail.editor.hasFocus()
    QTest.keyClicks(view.detail.editor, "one")
    QTest.keyClick(view.detail.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(view.detail.editor, "two")
    QTest.keyClick(view.detail.editor, Qt.Key.Key_Return)
    assert edited == [((0, 1), "one\ntwo")]
    assert view.table.hasFocus()
    press(view, Qt.Key.Key_E)
    QTest.keyClicks(view.detail.editor, "dropped")
    QTest.keyClick(view.detail.editor, Qt.Key.Key_Escape)
    press(view, Qt.Key.Key_E)
    QTest.keyClicks(view.detail.editor, "kept when another row is chosen")
    view.table.go_to(1)
    press(view, Qt.Key.Key_E)
    QTest.keyClick(view.detail.editor, Qt.Key.Key_Return)  # nothing was changed
    assert edited[1:] == [((0, 1), "kept when another row is chosen")]


def test_one_row_is_in_hand_even_while_ctrl_is_still_down(view: RewriteView) -> None:
    fill(view, rows(REVIEW, REVIEW, REVIEW))
    view.table.setFocus()
    QTest.keyPress(view.table, Qt.Key.Key_Z, CONTROL)
    view.go_to(view.rows.row(2).key)
    QTest.keyRelease(view.table, Qt.Key.Key_Z, CONTROL)
    assert view.table.selected_keys() == [view.rows.row(2).key]


def test_a_note_goes_with_another_try_unless_the_model_takes_none(view: RewriteView) -> None:
    asked = collect(view.redo_requested)
    fill(view, rows(REVIEW, FAILED))
    view.table.setFocus()
    QTest.keyClick(view.table, Qt.Key.Key_R, CONTROL)
    assert view.detail.note.hasFocus()
    QTest.keyClicks(view.detail.note, "keep the name")
    QTest.keyClick(view.detail.note, Qt.Key.Key_Return)
    assert asked == [([(0, 1)], "keep the name")]
    assert view.table.hasFocus()
    QTest.keyClick(view.table, Qt.Key.Key_R, CONTROL)
    QTest.keyClick(view.detail.note, Qt.Key.Key_Escape)
    view.set_presets([], is_limited=True)
    QTest.keyClick(view.table, Qt.Key.Key_R, CONTROL)
    assert asked[1:] == [([(0, 1)], "")]


def test_errors_are_said_in_their_row_with_what_to_do(view: RewriteView) -> None:
    fill(view, rows(FAILED, REVIEW))
    assert "Close other programs" in "".join(piece.text for piece in view.rows.pieces(0))
    said = view.rows.data(view.rows.index(0, RESULT), Qt.ItemDataRole.AccessibleTextRole)
    assert said == "Row 1, error. Tbe cat sat. The engine was killed. Close other programs, then try again."


def test_differences_have_a_second_sign_besides_their_colour(view: RewriteView) -> None:
    fill(view, [row(0, text="Tbe cat sat", answer="The cat \U0001f642")])
    marks = [(piece.text, piece.mark.value) for piece in view.rows.pieces(0)]
    assert ("Tbe", "gone") in marks
    assert ("The", "come") in marks
    before = view.table.viewport().grab().toImage()
    fill(view, [row(0, text="The cat \U0001f642", answer="The cat \U0001f642")])
    assert view.table.viewport().grab().toImage() != before


def test_lines_are_pasted_while_there_is_no_table(view: RewriteView) -> None:
    offered, files = collect(view.text_offered), collect(view.files_offered)
    QGuiApplication.clipboard().setText("one\ntwo")
    QTest.keyClick(view.empty.open_button, Qt.Key.Key_V, CONTROL)
    assert offered == [("one\ntwo",)]
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/tmp/in.csv")])
    QGuiApplication.clipboard().setMimeData(data)
    view.empty.paste_button.click()
    assert files == [([Path("/tmp/in.csv")],)]
    said = collect(view.said)
    QGuiApplication.clipboard().clear()
    view.paste()
    assert said == [(NO_CLIPBOARD,)]
    QGuiApplication.clipboard().setText("three")
    fill(view, rows(REVIEW))
    QTest.keyClick(view.table, Qt.Key.Key_V, CONTROL)
    assert len(offered) == 1


def test_files_and_lines_are_taken_and_folders_are_not(view: RewriteView, tmp_path: Path) -> None:
    files, lines = collect(view.files_offered), collect(view.text_offered)
    assert view.take(Dropped(sources=(tmp_path, Path("/tmp/rows.jsonl"))))
    assert view.take(Dropped(text="one\ntwo"))
    assert not view.take(Dropped(sources=(tmp_path,)))
    assert not view.take(Dropped(sources=(b"a picture",), images=(b"a picture",)))
    assert (files, lines) == ([([Path("/tmp/rows.jsonl")],)], [("one\ntwo",)])


def test_menus_offer_columns_presets_and_earlier_tables(view: RewriteView) -> None:
    columns, opened = collect(view.columns_chosen), collect(view.sheet_opened)
    presets = [PresetView("log", "Plain sentence", "Say it plainly."), PresetView("", "Mine & yours", "My words.")]
    fill(view, rows(REVIEW))
    view.set_presets(presets, is_limited=False)
    view.set_entries([], [SheetEntry(7, "in.csv", "done"), SheetEntry(8, "other.csv", "3 of 9 rows left")])
    for chip in (view.bar.columns_chip, view.bar.presets_chip, view.bar.sheet_chip):
        chip.menu().aboutToShow.emit()
    names = [action.text() for action in view.bar.columns_chip.menu().actions()]
    assert names == ["id", "text"]
    view.bar.columns_chip.menu().actions()[1].trigger()  # the only one: it stays
    view.bar.columns_chip.menu().actions()[0].trigger()
    assert columns == [((0, 1),)]
    entry = next(one for one in view.bar.sheet_chip.menu().actions() if "other.csv" in one.text())
    entry.trigger()
    assert opened == [(8,)]
    chosen = collect(view.preset_chosen)
    next(one for one in view.bar.presets_chip.menu().actions() if "yours" in one.text()).trigger()
    assert chosen == [(presets[1],)]
    view.set_presets(presets[:1], is_limited=True)
    view.bar.presets_chip.menu().aboutToShow.emit()
    assert [one.text() for one in view.bar.presets_chip.menu().actions()] == ["Plain sentence"]
    assert view.bar.instruction.isReadOnly()


def test_a_typed_instruction_is_told_after_a_pause_and_before_the_work(view: RewriteView, qtbot: QtBot) -> None:
    fill(view, rows(WAITING), replace(SHEET, instruction=""))
    view.set_status(RewriteStatus(0, 1, 0, 0, Work.START))
    assert view.bar.instruction.hasFocus()
    order: list[str] = []
    view.instruction_changed.connect(order.append)
    view.work_pressed.connect(lambda: order.append("start"))
    QTest.keyClicks(view.bar.instruction, "Shorten it.")
    view.bar.work_button.click()
    assert order == ["Shorten it.", "start"]
    QTest.keyClicks(view.bar.instruction, " Now.")
    qtbot.waitUntil(lambda: order[-1] == "Shorten it. Now.", timeout=5_000)


def stops(view: RewriteView) -> list[QWidget]:
    policy = Qt.FocusPolicy.TabFocus
    return [
        one
        for one in view.findChildren(QWidget)
        if one.isVisible() and one.isEnabled() and one.focusPolicy() & policy and one.focusProxy() is None
    ]


def said(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text.strip()


@pytest.mark.parametrize("fill_in", ["empty", "sheet", "editing"])
def test_every_stop_of_the_keyboard_has_a_name_of_its_own(view: RewriteView, fill_in: str) -> None:
    view.set_entries([SheetEntry(1, "a.csv", "left"), SheetEntry(2, "b.csv", "left")], [])
    if fill_in != "empty":
        fill(view, rows(REVIEW, FAILED))
        view.set_undoable(True)
    if fill_in == "editing":
        view.detail.begin_edit()
        view.detail.open_note(1)
    names = [said(one) for one in stops(view)]
    assert "" not in names
    assert sorted(set(names)) == sorted(names)


def test_the_keyboard_gets_out_of_the_table_and_back(view: RewriteView) -> None:
    fill(view, rows(REVIEW, REVIEW))
    view.table.setFocus()
    reached = set()
    for _ in range(40):
        focused = QApplication.focusWidget()
        assert focused is not None
        reached.add(said(focused))
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    assert {"Rows", "Instruction", "Presets", "Table", "Export", "Accept the row"} <= reached


@pytest.mark.parametrize("zoom", [1.0, 2.0])
@pytest.mark.parametrize("width", [480, 760, 1400])
def test_nothing_is_cut_off_at_any_width(view: RewriteView, themes: ThemeKeeper, width: int, zoom: float) -> None:
    themes.set_zoom(zoom)
    fill(view, rows(REVIEW, FAILED, WAITING), SheetView(7, "a long name of a file.csv", ("id", "text"), (1,), "Do it."))
    view.resize(width, 900)
    QTest.qWait(1)
    assert view.width() == width
    for one in stops(view):
        place = one.mapTo(view, QPoint(0, 0))
        assert place.x() >= 0, said(one)
        assert place.x() + one.width() <= width, said(one)
    assert view.table.isColumnHidden(TEXT) == (width < 640 * zoom)


def test_a_low_window_gives_its_room_to_the_rows_until_something_is_written(view: RewriteView) -> None:
    fill(view, rows(REVIEW))
    view.resize(600, 400)
    assert not view.detail.isVisible()
    view.table.setFocus()
    press(view, Qt.Key.Key_E)
    assert view.detail.isVisible()
    QTest.keyClick(view.detail.editor, Qt.Key.Key_Escape)
    assert not view.detail.isVisible()
    view.resize(600, 800)
    assert view.detail.isVisible()


def test_looks_follow_the_theme(view: RewriteView, themes: ThemeKeeper) -> None:
    fill(view, rows(REVIEW, FAILED))
    light = view.grab().toImage().pixelColor(500, 690).lightness()
    themes.set_scheme("dark")
    assert view.grab().toImage().pixelColor(500, 690).lightness() < 80 < light
