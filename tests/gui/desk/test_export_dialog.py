"""The export sheet and the question after a drop."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from diffdesk.ui.desk.desk_views import ExportChoice, ExportFacts, ExportFormat, ExportReach, ExportScope
from diffdesk.ui.desk.drop_question import DropQuestion
from diffdesk.ui.desk.export_dialog import FORMATS, ExportDialog
from diffdesk.ui.theme import ThemeKeeper


def facts(folder: Path) -> ExportFacts:
    reach = {
        ExportScope.PAGE: ExportReach(1, 1, 1),
        ExportScope.DOCUMENT: ExportReach(40, 1, 12, 3),
        ExportScope.ALL: ExportReach(52, 4, 14),
    }
    return ExportFacts("register", folder, reach)


@pytest.fixture
def sheet(themes: ThemeKeeper, qtbot: QtBot, tmp_path: Path) -> ExportDialog:
    made = ExportDialog(themes, facts(tmp_path), ExportChoice(ExportFormat.WORD, keeps_lines=False, joins_hyphens=True))
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_last_choice_is_offered_again(sheet: ExportDialog, tmp_path: Path) -> None:
    target = tmp_path / "register.docx"
    assert sheet.choice() == ExportChoice(ExportFormat.WORD, ExportScope.DOCUMENT, False, True, target)


@pytest.mark.parametrize("chosen", list(ExportFormat))
def test_each_format_comes_with_its_name_its_options_and_a_place(
    sheet: ExportDialog, tmp_path: Path, chosen: ExportFormat
) -> None:
    sheet.format_buttons[chosen].click()
    said = FORMATS[chosen]
    choice = sheet.choice()
    assert choice.format is chosen
    assert sheet.keeps_lines.isVisible() == said.is_text
    if not said.suffix:
        assert choice.target is None
        assert not sheet.target.isVisible()
        assert sheet.export_button.text().strip() == "Copy"
    else:
        assert choice.target is not None
        assert (choice.target.parent, choice.target.suffix) == (tmp_path, said.suffix)
    if chosen is ExportFormat.SEARCHABLE_PDF:
        assert choice.target != tmp_path / "register.pdf", "the original may be called that"


def test_several_documents_go_into_a_folder(sheet: ExportDialog, tmp_path: Path) -> None:
    sheet.scope_buttons[ExportScope.ALL].click()
    assert sheet.choice().target == tmp_path
    assert sheet.scope_buttons[ExportScope.ALL].text() == "All corrected pages (52 pages in 4 documents)"


def test_what_is_open_unfinished_or_in_the_way_is_said(sheet: ExportDialog, tmp_path: Path) -> None:
    assert sheet.note.text().splitlines() == [
        "12 pages have changes that are not decided yet: they are written as the text stands now.",
        "3 pages are not corrected yet and will be left out.",
    ]
    (tmp_path / "register.txt").write_text("old", encoding="utf-8")
    sheet.scope_buttons[ExportScope.PAGE].click()
    sheet.format_buttons[ExportFormat.TEXT].click()
    assert sheet.note.text().splitlines() == [
        "1 page has changes that are not decided yet: they are written as the text stands now.",
        "register.txt is there already and will be replaced.",
    ]


def test_pages_that_are_not_there_cannot_be_chosen(sheet: ExportDialog) -> None:
    button = sheet.scope_buttons[ExportScope.REVIEWED]
    assert (button.isEnabled(), button.text()) == (False, "All reviewed pages (none yet)")


def test_a_place_of_ones_own_is_kept_and_follows_the_format(sheet: ExportDialog, tmp_path: Path) -> None:
    chosen: list[ExportChoice] = []
    sheet.export_chosen.connect(chosen.append)
    sheet.target.selectAll()
    QTest.keyClicks(sheet.target, "mine.docx")
    sheet.format_buttons[ExportFormat.HOCR].click()
    QTest.mouseClick(sheet.export_button, Qt.MouseButton.LeftButton)
    assert [one.target for one in chosen] == [tmp_path / "mine.hocr"]
    assert not sheet.isVisible()


def test_nothing_is_written_without_a_place(sheet: ExportDialog) -> None:
    sheet.target.selectAll()
    QTest.keyClick(sheet.target, Qt.Key.Key_Delete)
    assert not sheet.export_button.isEnabled()


@pytest.mark.parametrize(
    ("key", "answer"), [(Qt.Key.Key_C, ["correct"]), (Qt.Key.Key_A, ["ask"]), (Qt.Key.Key_Escape, [])]
)
def test_the_question_after_a_drop_is_answered_with_a_key(
    themes: ThemeKeeper, qtbot: QtBot, key: Qt.Key, answer: list[str]
) -> None:
    question = DropQuestion(themes, 1)
    question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(question)
    chosen: list[str] = []
    question.chosen.connect(chosen.append)
    question.show()
    qtbot.waitExposed(question)
    QTest.keyClick(question, key)
    assert chosen == answer
    assert not question.isVisible()


def test_a_model_that_cannot_chat_cannot_be_asked_and_it_is_said_why(themes: ThemeKeeper, qtbot: QtBot) -> None:
    question = DropQuestion(themes, 3, "image", "The starter model only corrects text.")
    question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(question)
    chosen: list[str] = []
    question.chosen.connect(chosen.append)
    question.show()
    QTest.keyClick(question, Qt.Key.Key_A)
    QTest.mouseClick(question.ask_button, Qt.MouseButton.LeftButton)
    assert chosen == []
    assert question.reason.isVisible()
    QTest.keyClick(question, Qt.Key.Key_Return)
    assert chosen == ["correct"]


def test_a_pdf_is_called_a_file(themes: ThemeKeeper, qtbot: QtBot) -> None:
    question = DropQuestion(themes, 2, "file")
    question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(question)
    said = [one.text() for one in question.findChildren(QLabel)]
    assert "What should be done with these 2 files?" in said
    assert not any("image" in one for one in said)
