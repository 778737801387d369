"""A correction with its changes: what is marked, how, and what is copied."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QGuiApplication, QTextCharFormat
from pytestqt.qtbot import QtBot

from diffdesk.ui.differences_view import MAX_COMPARED, DifferencesView
from diffdesk.ui.theme import ThemeKeeper


def formats(view: DifferencesView) -> list[tuple[str, QTextCharFormat]]:
    found = []
    block = view.document().begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            found.append((iterator.fragment().text(), iterator.fragment().charFormat()))
            iterator += 1
        block = block.next()
    return found


def view_of(themes: ThemeKeeper, qtbot: QtBot, draft: str, corrected: str) -> DifferencesView:
    view = DifferencesView(themes, draft, corrected)
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()
    return view


def test_marks_have_a_second_sign_besides_their_colour(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = view_of(themes, qtbot, "Tbe cat sat here", "The cat sat")
    struck = [text for text, look in formats(view) if look.fontStrikeOut()]
    underlined = [text for text, look in formats(view) if look.fontUnderline()]
    assert "Tbe" in struck
    assert any("here" in one for one in struck)
    assert underlined == ["The"]


@pytest.mark.parametrize(
    ("draft", "corrected"),
    [
        ("Tbe quiek brown fox", "The quick brown fox"),
        ("one  two\nthree", "one two three"),
        ("\U0001d4b3 tbe \U0001d4b4 end", "\U0001d4b3 the \U0001d4b4 end"),
        ("gone words here", ""),
        ("", "all of it is new"),
        ("a\n\nb", "a\nb"),
    ],
)
def test_what_is_copied_is_the_corrected_text(themes: ThemeKeeper, qtbot: QtBot, draft: str, corrected: str) -> None:
    view = view_of(themes, qtbot, draft, corrected)
    QGuiApplication.clipboard().setText("before")
    view.text_view.selectAll()
    assert view.text_view.createMimeDataFromSelection().text() == corrected
    view.marked.set_marks(False)
    assert view.text_view.plain_text() == corrected


def test_equal_texts_say_so(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = view_of(themes, qtbot, "same", "same")
    assert view.count.text() == "Nothing changed"
    assert not view.toggle.isVisible()


def test_very_long_texts_are_shown_without_marks(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = view_of(themes, qtbot, "tbe " * MAX_COMPARED, "the " * MAX_COMPARED)
    assert view.count.text() == "Too long to mark what changed"
    assert not view.marked.has_marks


def test_colours_follow_the_theme(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = view_of(themes, qtbot, "Tbe", "The")
    themes.set_scheme("dark")
    view.text_view.refresh()
    colours = {look.foreground().color().name() for _, look in formats(view)}
    assert {themes.theme.insertion, themes.theme.deletion} <= colours
