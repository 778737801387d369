"""From a selection to the source: the right place or none, in set Markdown, in corrections and in plain texts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QTextCursor

from diffdesk.core.differences import changes
from diffdesk.ui.differences_view import MarkedText
from diffdesk.ui.markdown import BREAK, LONG_RUN
from diffdesk.ui.span_mapping import selected
from diffdesk.ui.text_views import MarkdownView, PlainView, TextView
from diffdesk.ui.theme import ThemeKeeper

MARKDOWN = """# The sky, the sky

The sky is **blue** because *the* air scatters `short` waves. 😀 The sky again.

- the sky, [the sky](http://example.org/the-sky) and **the *very* sky**
- another one, the sky

1. first
2. the ~~old~~ sky &amp; more \\*stars\\*

> quoted sky

```python
sky = "the sky"
```

| the | sky |
|---|---|
| the sky | blue |
"""


def select(view: TextView, first: int, last: int) -> None:
    cursor = view.textCursor()
    cursor.setPosition(first)
    cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)


def select_text(view: TextView, text: str, number: int = 0) -> None:
    cursor = view.document().find(text)
    for _ in range(number):
        cursor = view.document().find(text, cursor)
    assert not cursor.isNull()
    view.setTextCursor(cursor)


def selected_source(view: TextView, source: str) -> str | None:
    span = view.source_span()
    return None if span is None else source[slice(*span)]


@pytest.mark.parametrize(
    ("shown", "number", "source"),
    [
        ("blue", 0, "blue"),
        ("blue because the air", 0, "**blue** because *the* air"),
        ("short", 0, "short"),
        ("The sky again", 0, "The sky again"),
        ("very", 0, "very"),
        ("Sky", 1, "sky"),
        ("more *stars", 0, "more \\*stars"),
        ("sky & more", 0, "sky &amp; more"),
        ("quoted sky", 0, "quoted sky"),
        ('"the sky"', 0, '"the sky"'),
    ],
)
def test_words_are_found_in_the_source_with_their_marks(
    themes: ThemeKeeper, shown: str, number: int, source: str
) -> None:
    view = MarkdownView(themes, MARKDOWN)
    select_text(view, shown, number)
    assert selected_source(view, MARKDOWN) == source


def test_every_place_of_a_word_that_stands_there_often_is_told_apart(themes: ThemeKeeper) -> None:
    view = MarkdownView(themes, MARKDOWN)
    places: list[int] = []
    cursor = view.document().find("sky")
    while not cursor.isNull():
        view.setTextCursor(cursor)
        span = view.source_span()
        assert span is not None
        assert MARKDOWN[slice(*span)].casefold() == "sky"
        places.append(span[0])
        cursor = view.document().find("sky", cursor)
    assert places == sorted(set(places))
    assert len(places) == 14
    assert MARKDOWN.index("the-sky") + 4 not in places, "an address is not shown"


def test_half_of_bold_words_and_cells_of_a_table_are_refused(themes: ThemeKeeper) -> None:
    view = MarkdownView(themes, MARKDOWN)
    select_text(view, "and the very")  # from outside into the bold words
    assert view.source_span() is None
    cell = view.document().find("the", view.document().find('"the sky"'))
    select(view, cell.selectionStart(), view.document().find("blue", cell).selectionEnd())
    assert view.source_span() is None


def test_a_selection_can_be_widened_to_the_sentence_and_then_to_the_paragraph(themes: ThemeKeeper) -> None:
    view = PlainView(themes, "One is 😀 here. Two is there! Three.\nFour is elsewhere.")
    select_text(view, "is there")
    view.select_more()
    assert view.textCursor().selectedText() == "Two is there!"
    view.select_more()
    assert view.textCursor().selectedText() == "One is 😀 here. Two is there! Three."
    span = view.source_span()
    assert span == (0, len("One is 😀 here. Two is there! Three."))


def documents() -> st.SearchStrategy[str]:
    word = st.sampled_from(["sky", "the", "a", "😀", "blue", "x1"])
    styled = st.builds(
        lambda mark, inner: f"{mark}{inner}{mark}",
        st.sampled_from(["", "", "**", "*", "`", "~~"]),
        st.lists(word, min_size=1, max_size=3).map(" ".join),
    )
    line = st.builds(
        lambda head, parts: head + " ".join(parts),
        st.sampled_from(["", "", "- ", "> ", "## "]),
        st.lists(styled, min_size=1, max_size=4),
    )
    return st.lists(line, min_size=1, max_size=5).map("\n\n".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents(), st.data())
def test_what_is_found_is_what_was_selected_and_nothing_else_changes_with_it(
    themes: ThemeKeeper, source: str, data: st.DataObject
) -> None:
    view = MarkdownView(themes, source)
    length = view.document().characterCount() - 1
    first = data.draw(st.integers(0, length))
    last = data.draw(st.integers(first, length))
    select(view, first, last)
    span = view.source_span()
    if span is None:
        return
    start, end = span
    cursor = view.textCursor()
    before, inside = selected(view.document().toRawText(), cursor.selectionStart(), cursor.selectionEnd())
    lead = before + inside[: len(inside) - len(inside.lstrip())]
    changed = MarkdownView(themes, source[:start] + "Q" + source[end:]).document().toRawText()
    whole = view.document().toRawText()
    assert changed == f"{lead}Q{whole[len(lead) + len(inside.strip()) :]}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("ab \n😀é", max_size=60), st.text("ab \n😀é", max_size=60), st.data())
def test_a_selection_in_a_correction_is_a_part_of_the_corrected_text(
    themes: ThemeKeeper, draft: str, corrected: str, data: st.DataObject
) -> None:
    view = MarkedText(themes, draft, corrected, changes(draft, corrected))
    length = view.document().characterCount() - 1
    first = data.draw(st.integers(0, length))
    last = data.draw(st.integers(first, length))
    select(view, first, last)
    cursor = view.textCursor()
    span = view.source_span()
    raw = view.document().toRawText()
    assume("\ufffd" not in raw and not any(0xD800 <= ord(one) < 0xE000 for one in selected(raw, first, last)[1]))
    kept = view.createMimeDataFromSelection().text() if cursor.hasSelection() else ""
    assert ("" if span is None else corrected[slice(*span)]) == kept


def test_what_was_taken_away_is_no_part_of_the_text(themes: ThemeKeeper) -> None:
    draft, corrected = "the quick brown fox", "the brown fox"
    view = MarkedText(themes, draft, corrected, changes(draft, corrected))
    select_text(view, "quick")
    assert view.source_span() is None
    select_text(view, "the quick brown")
    assert selected_source(view, corrected) == "the brown"


def test_a_word_with_invisible_breaks_is_found(themes: ThemeKeeper) -> None:
    text = "a" * LONG_RUN + "b" * LONG_RUN + " word"
    for view in (PlainView(themes, text), MarkdownView(themes, text)):
        assert BREAK in view.toPlainText()
        select_text(view, "word")
        assert view.source_span() == (2 * LONG_RUN + 1, 2 * LONG_RUN + 5)
