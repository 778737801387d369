"""Read-only texts of the transcript: as high as their text, selectable by mouse and keyboard, searchable.

`PlainView` shows a text literally, `MarkdownView` sets it, with panels around code. They scroll nothing themselves and
fetch nothing. They know nothing of messages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache

from PySide6.QtCore import QMimeData, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser, QTextEdit, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.markdown import (
    BREAK,
    CODE_HEAD,
    CODE_PADDING,
    CodeBlock,
    SafeDocument,
    is_too_hard,
    set_markdown,
    set_plain,
)
from diffdesk.ui.span_mapping import span_in_markdown, span_in_plain
from diffdesk.ui.theme import Theme, ThemeKeeper

_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[\u2029\ufdd0\ufdd1]+")

_FLAGS = (
    Qt.TextInteractionFlag.TextSelectableByMouse
    | Qt.TextInteractionFlag.TextSelectableByKeyboard
    | Qt.TextInteractionFlag.LinksAccessibleByMouse
    | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
)


class TextView(QTextBrowser):
    """A read-only text without scroll bars. Subclasses fill `document()` in `_fill`.

    Signals:
        link_clicked(str): the user chose a link; nothing has been opened.
    """

    link_clicked = Signal(str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._measured: dict[int, int] = {}
        document = SafeDocument(self)
        document.setDocumentMargin(0)
        document.setUndoRedoEnabled(False)
        self.setDocument(document)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("kind", "bare")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setLineWrapMode(QTextEdit.LineWrapMode.FixedPixelWidth)
        self.setOpenLinks(False)
        self.setTextInteractionFlags(_FLAGS)
        # The message is the stop of the Tab key; a click, or Enter on the message, leads into its text.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("Text of the message")
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.anchorClicked.connect(lambda url: self.link_clicked.emit(url.toString()))
        self.highlighted.connect(lambda url: self.viewport().setToolTip(url.toString()))

    # --- text -----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Set the text again: the theme, the zoom or the text changed."""
        self.document().setDefaultFont(self._themes.font())
        self._fill(self._themes.theme)
        self._measured.clear()
        self.updateGeometry()

    def plain_text(self) -> str:
        """What can be read, without invisible breaks."""
        return self.toPlainText().replace(BREAK, "")

    def _fill(self, theme: Theme) -> None:
        raise NotImplementedError

    # --- selecting ------------------------------------------------------------------------------------

    def source_span(self) -> tuple[int, int] | None:
        """Which characters [start, end) of the text that is shown here are selected; None if that can't be told."""
        cursor = self.textCursor()
        if not cursor.hasSelection():
            return None
        return self._span_of(cursor.selectionStart(), cursor.selectionEnd())

    def select_more(self) -> None:
        """Select the whole sentences, or where they are selected already, the whole paragraphs."""
        cursor = self.textCursor()
        first, last = cursor.selectionStart(), cursor.selectionEnd()
        start, end = self._sentences(first, last)
        if (start, end) == (first, last):
            document = self.document()
            block = document.findBlock(last)
            start, end = document.findBlock(first).position(), block.position() + block.length() - 1
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)

    def _sentences(self, first: int, last: int) -> tuple[int, int]:
        units = self.document().toRawText().encode("utf-16-le", "surrogatepass")
        # One character for each of Qt's positions.
        text = "".join(chr(int.from_bytes(units[at : at + 2], "little")) for at in range(0, len(units), 2))
        ends = [0, *(found.end() for found in _SENTENCE_END.finditer(text)), len(text)]
        start = max(one for one in ends if one <= first)
        end = min((one for one in ends if one >= last), default=len(text))
        return start, start + len(text[start:end].rstrip())

    def _span_of(self, first: int, last: int) -> tuple[int, int] | None:
        raise NotImplementedError

    # --- size -----------------------------------------------------------------------------------------

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        height = self._measured.get(width)
        if height is None:
            self._wrap_at(width)
            height = math.ceil(self.document().size().height()) + 1
            self._measured = {width: height}
        return height

    def _wrap_at(self, width: int) -> None:
        # A fixed width: with the width of the widget Qt would undo a measurement for another one.
        if width != self.lineWrapColumnOrWidth():
            self.setLineWrapColumnOrWidth(width)

    def sizeHint(self) -> QSize:
        return QSize(200, 40)  # the height follows from the width

    def minimumSizeHint(self) -> QSize:
        return QSize(64, 16)

    # --- searching ------------------------------------------------------------------------------------

    def highlight(self, query: str, current: int = -1) -> int | None:
        """Mark every occurrence of `query`, the one numbered `current` strongly; returns its y, None if it isn't there.

        An empty query takes the marks away.
        """
        marks: list[QTextEdit.ExtraSelection] = []
        top: int | None = None
        for number, cursor in enumerate(self._occurrences(query)):
            mark = QTextEdit.ExtraSelection()
            look = QTextCharFormat()
            theme = self._themes.theme
            is_current = number == current
            look.setBackground(QColor(theme.accepted if is_current else theme.accepted_tint))
            look.setForeground(QColor("#1a1300" if is_current else theme.text))
            mark.format = look
            mark.cursor = cursor
            marks.append(mark)
            if is_current:
                top = self.cursorRect(cursor).top()
        self.setExtraSelections(marks)
        return top

    def _occurrences(self, query: str) -> Iterable[QTextCursor]:
        if not query:
            return
        cursor = self.document().find(query)
        while not cursor.isNull():
            yield cursor
            cursor = self.document().find(query, cursor)

    # --- Qt -------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._wrap_at(self.viewport().width())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The transcript scrolls, not a text in it."""
        event.ignore()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Never: the widget is as high as its text."""
        del dx, dy

    def createMimeDataFromSelection(self) -> QMimeData:
        """What is copied is the text alone, without the invisible breaks."""
        data = QMimeData()
        data.setText(self.textCursor().selection().toPlainText().replace(BREAK, ""))
        return data

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape hands the keyboard back to the message; keys that only scroll are the transcript's."""
        scrolling = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
        if event.key() == Qt.Key.Key_Escape and self.textCursor().hasSelection():
            cursor = self.textCursor()
            cursor.clearSelection()
            self.setTextCursor(cursor)
        elif event.key() in (*scrolling, Qt.Key.Key_Escape):
            event.ignore()
        else:
            super().keyPressEvent(event)


class PlainView(TextView):
    """A text shown as it is written."""

    def __init__(self, themes: ThemeKeeper, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(themes, parent)
        self._text = text
        self.is_whole = True
        self.refresh()

    def set_text(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text = text
            self.refresh()

    def _fill(self, theme: Theme) -> None:
        self.is_whole = set_plain(self.document(), self._text, theme)

    def _span_of(self, first: int, last: int) -> tuple[int, int] | None:
        return span_in_plain(self._text, self.document().toRawText(), first, last)


class MarkdownView(TextView):
    """A text set as Markdown, or plainly where setting it would hold up the window."""

    def __init__(self, themes: ThemeKeeper, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(themes, parent)
        self._text = text
        self.is_plain = False
        self._codes: tuple[CodeBlock, ...] = ()
        self._buttons: list[IconButton] = []
        self.refresh()

    def set_text(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text = text
            self.refresh()

    @property
    def code_blocks(self) -> tuple[CodeBlock, ...]:
        """The blocks of code in the text."""
        return self._codes

    @property
    def copy_buttons(self) -> tuple[IconButton, ...]:
        """A button for each block of code."""
        return tuple(self._buttons)

    def _fill(self, theme: Theme) -> None:
        self.is_plain = is_too_hard(self._text)
        if self.is_plain:
            set_plain(self.document(), self._text, theme)
            self._codes = ()
        else:
            self._codes = set_markdown(self.document(), self._text, theme, self._themes.monospace())
        has_links = "](" in self._text or "http" in self._text or "<" in self._text
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if has_links else Qt.FocusPolicy.ClickFocus)
        self._make_buttons()

    def _span_of(self, first: int, last: int) -> tuple[int, int] | None:
        raw = self.document().toRawText()
        if self.is_plain:
            return span_in_plain(self._text, raw, first, last)
        theme, mono = self._themes.theme, self._themes.monospace()

        def set_text(source: str) -> str:
            document = SafeDocument()
            document.setUndoRedoEnabled(False)
            set_markdown(document, source, theme, mono)
            return document.toRawText().replace(BREAK, "")

        return span_in_markdown(self._text, raw, first, last, set_text)

    def _make_buttons(self) -> None:
        while len(self._buttons) > len(self._codes):
            self._buttons.pop().deleteLater()
        while len(self._buttons) < len(self._codes):
            number = len(self._buttons)
            button = IconButton("copy", f"Copy code block {number + 1}", parent=self.viewport())
            button.setCursor(Qt.CursorShape.ArrowCursor)
            button.clicked.connect(lambda _=False, which=number: self._on_copy_clicked(which))
            button.show()
            self._buttons.append(button)
        self._place_buttons()

    def _on_copy_clicked(self, number: int) -> None:
        QGuiApplication.clipboard().setText(self._codes[number].text)
        self._buttons[number].set_symbol("check")
        self._buttons[number].set_name("Copied")

    def _panel(self, code: CodeBlock) -> QRectF:
        layout = self.document().documentLayout()
        first = layout.blockBoundingRect(self.document().findBlockByNumber(code.first))
        last = layout.blockBoundingRect(self.document().findBlockByNumber(code.last))
        top, bottom = first.top() - CODE_HEAD, last.bottom() + CODE_PADDING
        left = max(0.0, min(first.left(), last.left()) - CODE_PADDING)
        return QRectF(left, top, self.viewport().width() - left, bottom - top)

    def _place_buttons(self) -> None:
        for code, button in zip(self._codes, self._buttons, strict=True):
            panel = self._panel(code)
            side = CODE_HEAD - 4
            corner = QPoint(round(panel.right()) - side - 2, round(panel.top()) + 2)
            button.setFixedSize(side, side)
            button.move(corner)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_buttons()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The panels of code below the text."""
        if self._codes:
            theme = self._themes.theme
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for code in self._codes:
                panel = self._panel(code)
                if not panel.intersects(QRectF(event.rect())):
                    continue
                painter.setPen(QColor(theme.border))
                painter.setBrush(QColor(theme.code_background))
                painter.drawRoundedRect(panel.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
                painter.setPen(QColor(theme.text_muted))
                painter.setFont(self._themes.font(0.85))
                head = QRectF(panel.left() + CODE_PADDING, panel.top(), panel.width() - 60, CODE_HEAD)
                painter.drawText(head, int(Qt.AlignmentFlag.AlignVCenter), code.language or "code")
            painter.end()
        super().paintEvent(event)


@lru_cache(maxsize=2048)
def rendered_text(text: str) -> str:
    """What a reader sees of Markdown, for searching texts that have no widget at the moment."""
    if is_too_hard(text):
        return text
    document = QTextDocument()
    document.setUndoRedoEnabled(False)
    features = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML
    document.setMarkdown(text, features)
    return document.toPlainText()
