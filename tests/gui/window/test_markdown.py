"""Markdown in answers: safe, bounded, and set as one expects."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QGuiApplication, QTextDocument
from pytestqt.qtbot import QtBot

from diffdesk.ui.code_colours import Part, spans_of
from diffdesk.ui.markdown import BREAK, LONG_RUN, breakable, is_too_hard
from diffdesk.ui.text_views import MarkdownView, PlainView
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.window_dialogs import ask_link, is_web_address


def view_of(themes: ThemeKeeper, qtbot: QtBot, text: str, width: int = 560) -> MarkdownView:
    view = MarkdownView(themes, text)
    qtbot.addWidget(view)
    view.resize(width, view.heightForWidth(width))
    view.show()
    return view


def test_nothing_is_ever_loaded(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = view_of(themes, qtbot, "before ![a chart](http://127.0.0.1:9/x.png) ![](file:///etc/hostname) after")
    assert "[picture, not loaded: a chart]" in view.plain_text()
    document = view.document()
    for address in ("http://127.0.0.1:9/x.png", "file:///etc/hostname", "/etc/hostname"):
        for kind in (QTextDocument.ResourceType.ImageResource, QTextDocument.ResourceType.StyleSheetResource):
            assert document.resource(kind.value, QUrl(address)) is None


def test_raw_html_is_shown_as_it_is_written(themes: ThemeKeeper, qtbot: QtBot) -> None:
    text = "<b>x</b> <img src='http://127.0.0.1:9/y.png'> <script>alert(1)</script>"
    assert view_of(themes, qtbot, text).plain_text().strip() == text


def test_structure_is_set(themes: ThemeKeeper, qtbot: QtBot) -> None:
    text = "# Title\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nend **bold** `code`"
    view = view_of(themes, qtbot, text)
    assert view.document().begin().blockFormat().headingLevel() == 1
    assert "|" not in view.plain_text()
    assert "**" not in view.plain_text()


def test_code_is_coloured_and_can_be_copied(themes: ThemeKeeper, qtbot: QtBot) -> None:
    code = 'def f(x: int) -> str:\n    return "\U0001d4b3"  # why'
    view = view_of(themes, qtbot, f"Look:\n\n```python\n{code}\n```\n\nand\n\n```\nplain\n```\n")
    assert [(one.language, one.text) for one in view.code_blocks] == [("python", code), ("", "plain")]
    first = view.document().findBlockByNumber(view.code_blocks[0].first)
    colours = {one.format.foreground().color().name() for one in first.layout().formats()}
    iterator = first.begin()
    while not iterator.atEnd():
        colours.add(iterator.fragment().charFormat().foreground().color().name())
        iterator += 1
    assert themes.theme.code_keyword in colours
    names = [one.accessibleName() for one in view.copy_buttons]
    assert names == ["Copy code block 1", "Copy code block 2"]
    view.copy_buttons[0].click()
    assert QGuiApplication.clipboard().text() == code
    assert view.copy_buttons[0].accessibleName() == "Copied"


def test_the_colours_follow_the_theme(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = view_of(themes, qtbot, "words")
    themes.set_scheme("dark")
    view.refresh()
    colour = view.document().begin().begin().fragment().charFormat().foreground().color().name()
    assert colour == themes.theme.text


def test_spans_name_the_parts_of_code() -> None:
    found = {one.part for one in spans_of('@d\nclass A:\n    x = 1  # c\n    y = "s"\n', "python")}
    assert found == set(Part)
    assert list(spans_of("anything", "no-such-language")) == []
    assert list(spans_of("x" * 60_000, "python")) == []


@pytest.mark.parametrize(
    "text",
    [
        "|a|b|\n|-|-|\n" + "|1|2|\n" * 10_000,
        "|" + "a|" * 4000 + "\n|" + "-|" * 4000 + "\n",
        "word " * 60_000,
    ],
    ids=["rows", "columns", "length"],
)
def test_what_would_hold_up_the_window_is_set_plainly(themes: ThemeKeeper, qtbot: QtBot, text: str) -> None:
    assert is_too_hard(text)
    view = view_of(themes, qtbot, text)
    assert view.is_plain
    assert view.plain_text()[:100] == text[:100]


@pytest.mark.parametrize("text", ["x" * 50_000, ">" * 3000 + "x", "[" * 5000, "*a " * 5000, "\x00\u202e\ufffd" * 9])
def test_hostile_texts_are_shown(themes: ThemeKeeper, qtbot: QtBot, text: str) -> None:
    view = view_of(themes, qtbot, text)
    assert view.heightForWidth(560) > 0
    assert view.document().size().width() <= 560 or view.is_plain


def test_endless_words_can_break_and_are_copied_whole(themes: ThemeKeeper, qtbot: QtBot) -> None:
    word = "y" * (LONG_RUN * 3)
    assert BREAK in breakable(word)
    assert breakable("short words only") == "short words only"
    view = PlainView(themes, word)
    qtbot.addWidget(view)
    assert view.plain_text() == word
    view.selectAll()
    view.copy()
    assert QGuiApplication.clipboard().text() == word


def test_a_text_keeps_its_measured_height_when_it_is_shown(themes: ThemeKeeper, qtbot: QtBot) -> None:
    view = view_of(themes, qtbot, "word " * 400, 300)
    assert view.heightForWidth(600) < view.heightForWidth(300)
    view.resize(300, view.heightForWidth(300))
    assert view.document().textWidth() == 300


def test_only_web_addresses_may_be_opened(themes: ThemeKeeper, qtbot: QtBot) -> None:
    assert is_web_address("https://example.org/a?b=c")
    for address in ("file:///etc/passwd", "javascript:alert(1)", "http://", "ftp://x.org", "mailto:a@b.c", "x"):
        assert not is_web_address(address)
    view = view_of(themes, qtbot, "x")
    asked = ask_link(view, "file:///etc/passwd")
    assert {one.text() for one in asked.buttons()} == {"Copy address", "Close"}
    asked.close()
    asked = ask_link(view, "https://example.org")
    assert {one.text() for one in asked.buttons()} == {"Copy address", "Open in browser", "Cancel"}
    asked.close()
