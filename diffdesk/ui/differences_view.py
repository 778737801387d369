"""A correction as one reads it: the corrected text, with what was taken away struck out and what came underlined.

Colour is never the only sign. The text alone can be shown too, and says how much changed. Knows nothing of messages;
which words differ is the matter of `core.differences`.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QColor, QTextBlockFormat, QTextCharFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from diffdesk.core.differences import Change, changes, share_changed
from diffdesk.ui.markdown import BREAK, LINE_HEIGHT, breakable, utf16_length
from diffdesk.ui.span_mapping import span_in_pieces
from diffdesk.ui.text_views import MarkdownView, TextView
from diffdesk.ui.theme import Theme, ThemeKeeper

MAX_COMPARED = 60_000
"""Characters of the longer text: above that the texts are shown without marks rather than holding up the window."""


class MarkedText(TextView):
    """The corrected text, with or without the marks of what changed."""

    def __init__(self, themes: ThemeKeeper, draft: str, corrected: str, found: Sequence[Change]) -> None:
        super().__init__(themes)
        self._draft, self._corrected, self._changes = draft, corrected, found
        self._has_marks = bool(found)
        self._pieces: list[tuple[int, str]] = []
        """Where each piece of the corrected text begins in the document."""
        self.refresh()

    @property
    def has_marks(self) -> bool:
        """Whether the changes are shown."""
        return self._has_marks

    def set_marks(self, has_marks: bool) -> None:
        """Show the changes, or the corrected text alone."""
        if has_marks != self._has_marks:
            self._has_marks = has_marks
            self.refresh()

    def createMimeDataFromSelection(self) -> QMimeData:
        """What is copied is corrected text: nothing that was taken away, and white space as it is."""
        selection = self.textCursor()
        first, last = selection.selectionStart(), selection.selectionEnd()
        kept = [_cut(text, first - place, last - place) for place, text in self._pieces]
        data = QMimeData()
        data.setText("".join(kept).replace(BREAK, ""))
        return data

    @property
    def first_change(self) -> int | None:
        """How far below the top of the view the first change stands, in pixels; None if none is marked."""
        if not self.has_marks:
            return None
        place, text = self._pieces[0]
        cursor = self.textCursor()
        cursor.setPosition(place + utf16_length(text))
        return self.cursorRect(cursor).top()

    def _span_of(self, first: int, last: int) -> tuple[int, int] | None:
        span = span_in_pieces(self._pieces, first, last)
        is_whole = "".join(text for _, text in self._pieces).replace(BREAK, "") == self._corrected
        return span if is_whole else None

    def _fill(self, theme: Theme) -> None:
        document = self.document()
        document.clear()
        self._pieces = []
        cursor = QTextCursor(document)
        cursor.beginEditBlock()
        spacing = QTextBlockFormat()
        spacing.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.setBlockFormat(spacing)
        plain = _look(theme.text)
        place = 0
        for change in self._changes if self._has_marks else ():
            self._keep(cursor, breakable(self._corrected[place : change.after_start]), plain)
            self._insert_change(cursor, change, theme)
            place = change.after_end
        self._keep(cursor, breakable(self._corrected[place:]), plain)
        cursor.endEditBlock()

    def _keep(self, cursor: QTextCursor, text: str, look: QTextCharFormat, shown: str = "") -> None:
        """Insert a piece of the corrected text, perhaps with signs in place of its white space."""
        self._pieces.append((cursor.position(), text))
        cursor.insertText(shown or text, look)

    def _insert_change(self, cursor: QTextCursor, change: Change, theme: Theme) -> None:
        plain = _look(theme.text)
        gone, come = _visible(change.before), _visible(change.after)
        if gone:
            cursor.insertText(gone, _look(theme.deletion, theme.deletion_background, is_struck=True))
            if come and not gone[-1].isspace():
                cursor.insertText("\u2009", plain)  # a thin space: two words that touch read as one
        if come:
            look = _look(theme.insertion, theme.insertion_background, is_underlined=True)
            self._keep(cursor, change.after, look, come)
        if change.after.endswith("\n"):
            cursor.insertText("\n", plain)  # its sign alone would not break the line


def _cut(text: str, first: int, last: int) -> str:
    """Positions [first, last) of `text`, counted as Qt counts, in UTF-16 units."""
    if last <= 0:
        return ""
    return text.encode("utf-16-le", "surrogatepass")[max(0, first) * 2 : last * 2].decode("utf-16-le", "replace")


def _visible(text: str) -> str:
    """A changed text such that changed white space can be seen."""
    if text and not text.strip():
        return text.replace("\n", "↵").replace("\t", "⇥").replace(" ", "␣")
    return text.replace("\n", "↵")


def _look(
    colour: str, background: str = "", *, is_struck: bool = False, is_underlined: bool = False
) -> QTextCharFormat:
    look = QTextCharFormat()
    look.setForeground(QColor(colour))
    if background:
        look.setBackground(QColor(background))
    look.setFontStrikeOut(is_struck)
    if is_underlined:
        look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
        look.setUnderlineColor(QColor(colour))
    return look


def counted(found: Sequence[Change], share: float) -> str:
    """How much changed, in words."""
    if not found:
        return "Nothing changed"
    count = f"{len(found):,} change" + ("" if len(found) == 1 else "s")
    return f"{count} · {'less than 0.1' if share < 0.001 else f'{share * 100:.1f}'} % of the text"


class DifferencesView(QWidget):
    """Draft → corrected, with a switch and a count. Unless it is `is_literal`, it is set as Markdown without its marks.

    Signals:
        marks_toggled(bool): its height changed.
    """

    marks_toggled = Signal(bool)

    def __init__(
        self,
        themes: ThemeKeeper,
        draft: str,
        corrected: str,
        parent: QWidget | None = None,
        *,
        is_literal: bool = True,
    ) -> None:
        super().__init__(parent)
        self._themes = themes
        self._corrected = corrected
        self._is_literal = is_literal
        self._set: MarkdownView | None = None
        is_short = max(len(draft), len(corrected)) <= MAX_COMPARED
        found = changes(draft, corrected) if is_short else ()
        share = share_changed(draft, corrected) if is_short else 0.0
        self.marked = MarkedText(themes, draft, corrected, found)
        self.count = QLabel(counted(found, share) if is_short else "Too long to mark what changed")
        self.count.setProperty("kind", "small")
        self.toggle = QPushButton("Show changes")
        self.toggle.setProperty("kind", "quiet")
        self.toggle.setCheckable(True)
        self.toggle.setChecked(bool(found))
        if not found:  # never shown before it has a parent: it would be a window of its own for a moment
            self.toggle.hide()
        self.toggle.setAccessibleName("Show changes")
        self.toggle.setToolTip("Struck out: what was there. Underlined: what stands there now.")
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(self.count)
        line.addWidget(self.toggle)
        line.addStretch(1)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.marked)
        column.addLayout(line)
        self.toggle.toggled.connect(self._on_toggled)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    @property
    def text_view(self) -> TextView:
        """The view that shows the text now."""
        return self.marked if self._set is None or self.toggle.isChecked() else self._set

    def document(self) -> QTextDocument:
        """The document shown."""
        return self.text_view.document()

    def _on_toggled(self, is_checked: bool) -> None:
        self.marked.set_marks(is_checked)
        if not self._is_literal:
            if self._set is None:
                self._set = MarkdownView(self._themes, self._corrected)
                self._column.insertWidget(0, self._set)
            self._set.setVisible(not is_checked)
            self.marked.setVisible(is_checked)
        self.marks_toggled.emit(is_checked)
