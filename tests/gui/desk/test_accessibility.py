"""Every control of the desk can be reached with the keyboard and says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from diffdesk.ui.desk.desk_view import DeskView
from diffdesk.ui.desk.desk_views import ExportChoice, PageStand, PageState, QueueStatus
from diffdesk.ui.desk.export_dialog import ExportDialog
from diffdesk.ui.theme import ThemeKeeper
from tests.gui.desk.samples import BROKEN, page
from tests.gui.desk.test_export_dialog import facts


def stops(root: QWidget) -> list[QWidget]:
    """Visible and enabled widgets that Tab may stop at."""
    policy = Qt.FocusPolicy.TabFocus
    return [
        one
        for one in root.findChildren(QWidget)
        if one.isVisible() and one.isEnabled() and one.focusPolicy() & policy and one.focusProxy() is None
    ]


def said(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text.strip()


def check_names(root: QWidget) -> None:
    names = [said(one) for one in stops(root)]
    assert all(names)
    assert sorted(set(names)) == sorted(names)
    bare = [one for one in root.findChildren(QAbstractButton) if one.isVisible() and not one.text()]
    assert [said(one) for one in bare if not one.toolTip()] == []


@pytest.mark.parametrize("width", [1280, 800, 480])
def test_every_stop_has_a_name_of_its_own(desk: DeskView, width: int) -> None:
    desk.resize(width, 700)
    desk.set_status(QueueStatus(12, 300, 2, True))
    desk.show_page(page(can_undo=True, can_redo=True))
    check_names(desk)
    desk.show_page(PageStand(2, "scan-2.png", PageState.FAILED, error=BROKEN))
    check_names(desk)


def test_the_empty_desk_is_named_too(empty_desk: DeskView) -> None:
    check_names(empty_desk)


def test_the_export_sheet_is_named_too(themes: ThemeKeeper, qtbot: QtBot, tmp_path: Path) -> None:
    sheet = ExportDialog(themes, facts(tmp_path), ExportChoice())
    sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(sheet)
    sheet.show()
    check_names(sheet)


def test_tab_reaches_everything_and_comes_round(desk: DeskView) -> None:
    desk.set_status(QueueStatus(12, 300, 2, True))
    start = desk.review.text
    start.setFocus()
    reached: set[QWidget] = set()
    for _ in range(60):
        focused = QApplication.focusWidget()
        assert focused is not None
        if focused is start and reached:
            break
        reached.add(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    wanted = [one for one in stops(desk) if one.metaObject().className() != "QLineEdit"]
    assert [said(one) for one in wanted if one not in reached] == []


def test_the_keyboard_can_be_seen_in_image_text_and_list(desk: DeskView) -> None:
    for widget in (desk.review.image, desk.review.text, desk.queue.list):
        desk.toolbar.add_button.setFocus()
        before = widget.grab().toImage()
        QTest.keyClick(desk.toolbar.add_button, Qt.Key.Key_Tab)
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        assert widget.grab().toImage() != before
