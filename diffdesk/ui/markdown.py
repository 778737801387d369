"""Sets an answer's Markdown as a rich document: safe, bounded in cost, with highlighted code.

Raw HTML is shown as it is written; nothing is ever fetched, neither images nor style sheets; hostile texts (endless
lines, huge tables) are set plainly instead. Knows nothing of messages or of the window.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrame,
    QTextFrameFormat,
    QTextTable,
)

from diffdesk.ui.code_colours import spans_of
from diffdesk.ui.theme import Theme

MAX_MARKDOWN = 200_000
"""Characters: a longer text is set plainly. Qt lays this many out in about 40 ms."""

MAX_TABLE_LINES = 300
"""Lines with a cell bar: Qt's tables take time with the square of their rows (1,000 rows 0.2 s, 10,000 rows 10 s)."""

MAX_TABLE_BARS = 6_000

MAX_PLAIN = 1_000_000
"""Characters set of a plain text (0.3 s); the rest is only copied."""

LONG_RUN = 400
"""Characters without a space after which a break is allowed: Qt's time for such a run grows with its square."""

BREAK = "\u200b"

CODE_HEAD = 34
"""Pixels above the first line of code, for the language and the copy button."""

CODE_PADDING = 12

LINE_HEIGHT = 145
"""Per cent of the font's own line height."""

_RUN = re.compile(rf"\S{{{LONG_RUN + 1},}}")
_FEATURES = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block of code in a document: its first and last text block, its language and what it says."""

    first: int
    last: int
    language: str
    text: str


class SafeDocument(QTextDocument):
    """A document that loads nothing, from nowhere."""

    def loadResource(self, kind: int, name: object) -> object:
        """No image, no style sheet, no file."""
        del kind, name
        return None


def is_too_hard(text: str) -> bool:
    """Whether setting `text` as Markdown would hold up the window."""
    if len(text) > MAX_MARKDOWN:
        return True
    bars = text.count("|")
    if bars <= MAX_TABLE_LINES:
        return False
    return bars > MAX_TABLE_BARS or sum("|" in line for line in text.splitlines()) > MAX_TABLE_LINES


def breakable(text: str) -> str:
    """`text` with an invisible place to break in runs that have none."""
    return _RUN.sub(_broken, text) if len(text) > LONG_RUN else text


def _broken(found: re.Match[str]) -> str:
    run = found.group()
    return BREAK.join(run[start : start + LONG_RUN] for start in range(0, len(run), LONG_RUN))


def set_plain(document: QTextDocument, text: str, theme: Theme) -> bool:
    """Set `text` literally; False if only its beginning was set."""
    document.setPlainText(breakable(text[:MAX_PLAIN]))
    _space_lines(document)
    _colour_all(document, theme)
    return len(text) <= MAX_PLAIN


def set_markdown(document: QTextDocument, text: str, theme: Theme, mono: QFont) -> tuple[CodeBlock, ...]:
    """Set `text` as Markdown in the theme's colours; the code blocks found in it, for their panels and buttons."""
    document.setMarkdown(breakable(text), _FEATURES)
    once = QTextCursor(document)
    once.beginEditBlock()  # one layout for all that follows
    _space_lines(document)
    _shape_blocks(document, theme, mono)
    _shape_tables(document.rootFrame(), theme)
    blocks = _code_blocks(document)
    for block in blocks:
        _set_code(document, block, theme, mono)
    once.endEditBlock()
    return blocks


def _space_lines(document: QTextDocument) -> None:
    everything = QTextCursor(document)
    everything.select(QTextCursor.SelectionType.Document)
    spacing = QTextBlockFormat()
    spacing.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    everything.mergeBlockFormat(spacing)


def _colour_all(document: QTextDocument, theme: Theme) -> None:
    everything = QTextCursor(document)
    everything.select(QTextCursor.SelectionType.Document)
    colour = QTextCharFormat()
    colour.setForeground(QColor(theme.text))
    everything.mergeCharFormat(colour)


def _is_code(block: QTextBlock) -> bool:
    layout = block.blockFormat()
    return layout.hasProperty(QTextFormat.Property.BlockCodeFence) or layout.nonBreakableLines()


def _shape_blocks(document: QTextDocument, theme: Theme, mono: QFont) -> None:
    """Margins of paragraphs and headings, colours of text, links, quotes and code within a line."""
    block = document.begin()
    while block.isValid():
        if not _is_code(block):
            _shape_block(block, theme)
            _shape_fragments(block, theme, mono)
        block = block.next()


def _margins(block: QTextBlock, level: int) -> tuple[int, int]:
    """Above and below a block, in pixels: none in a cell, little in a list."""
    if isinstance(QTextCursor(block).currentTable(), QTextTable):
        return 0, 0
    if block.textList() is not None:
        return 2, 2
    return (0 if block.blockNumber() == 0 else 16 if level else 6), (4 if level else 6)


def _shape_block(block: QTextBlock, theme: Theme) -> None:
    layout = block.blockFormat()
    level = layout.headingLevel()
    top, bottom = _margins(block, level)
    layout.setTopMargin(top)
    layout.setBottomMargin(bottom)
    if top == bottom == 0:
        layout.setLineHeight(115, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    quote = layout.intProperty(QTextFormat.Property.BlockQuoteLevel)
    if quote:
        layout.setLeftMargin(16 * min(quote, 6))
    cursor = QTextCursor(block)
    cursor.setBlockFormat(layout)
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    colour = QTextCharFormat()
    colour.setForeground(QColor(theme.text_muted if quote else theme.text))
    if level:  # Qt's own headings are made for books; +2, +1, 0 steps of size are enough beside a chat
        colour.setProperty(QTextFormat.Property.FontSizeAdjustment, max(0, 3 - level))
        colour.setFontWeight(QFont.Weight.DemiBold)
    cursor.mergeCharFormat(colour)
    cursor.mergeBlockCharFormat(colour)


def _shape_fragments(block: QTextBlock, theme: Theme, mono: QFont) -> None:
    """Code within a line in the monospace font, links in the accent, pictures as their words."""
    spans: list[tuple[int, int, QTextCharFormat]] = []
    pictures: list[tuple[int, int, str]] = []
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        style = fragment.charFormat()
        look = QTextCharFormat()
        if style.isImageFormat():
            words = style.stringProperty(QTextFormat.Property.ImageAltText) or style.toImageFormat().name()
            pictures.append((fragment.position(), fragment.length(), words))
        elif style.isAnchor():
            look.setForeground(QColor(theme.accent))
            look.setFontUnderline(True)
        elif style.fontFixedPitch():
            look.setFont(mono, QTextCharFormat.FontPropertiesInheritanceBehavior.FontPropertiesSpecifiedOnly)
            look.setBackground(QColor(theme.code_background))
        if look.propertyCount():
            spans.append((fragment.position(), fragment.length(), look))
        iterator += 1
    cursor = QTextCursor(block)
    for start, length, look in spans:
        cursor.setPosition(start)
        cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(look)
    quiet = QTextCharFormat()
    quiet.setForeground(QColor(theme.text_muted))
    for start, length, words in reversed(pictures):  # from the end, so that the places before stay true
        cursor.setPosition(start)
        cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(f"[picture, not loaded: {words}]", quiet)


def _shape_tables(frame: QTextFrame, theme: Theme) -> None:
    """Thin lines, room in the cells, a header row that stands out."""
    for child in frame.childFrames():
        if isinstance(child, QTextTable):
            layout = child.format().toTableFormat()
            layout.setBorder(1)
            layout.setBorderCollapse(True)
            layout.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
            layout.setBorderBrush(QBrush(QColor(theme.border)))
            layout.setCellPadding(6)
            layout.setCellSpacing(0)
            layout.setTopMargin(CODE_PADDING + 16 if _follows_code(child) else 8)
            layout.setBottomMargin(8)
            child.setFormat(layout)
            _shape_header(child, theme)
        _shape_tables(child, theme)


def _follows_code(table: QTextTable) -> bool:
    """Qt lets the margins of a block and of a table after it overlap, which would put the table onto the panel."""
    return _is_code(table.document().findBlock(table.firstPosition() - 2))


def _shape_header(table: QTextTable, theme: Theme) -> None:
    first = table.cellAt(0, 0)
    cursor = first.firstCursorPosition()
    if not cursor.block().text() and cursor.block() != first.lastCursorPosition().block():
        cursor.deleteChar()  # Qt's reader leaves an empty paragraph at the head of every table
    bold = QTextCharFormat()
    bold.setFontWeight(QFont.Weight.DemiBold)
    bold.setForeground(QColor(theme.text))
    for column in range(table.columns()):
        cell = table.cellAt(0, column)
        look = cell.format().toTableCellFormat()
        look.setBackground(QColor(theme.code_background))
        cell.setFormat(look)
        cursor = cell.firstCursorPosition()
        cursor.setPosition(cell.lastCursorPosition().position(), QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(bold)


def _code_blocks(document: QTextDocument) -> tuple[CodeBlock, ...]:
    found: list[CodeBlock] = []
    first: QTextBlock | None = None
    block = document.begin()
    while block.isValid():
        if first is None and _is_code(block):
            first = block
        follows = block.next()
        if first is not None and not (follows.isValid() and _continues(first, follows)):
            found.append(_code_block(first, block))
            first = None
        block = follows
    return tuple(found)


def _continues(first: QTextBlock, block: QTextBlock) -> bool:
    return _is_code(block) and _language(block) == _language(first) and block.textList() is first.textList()


def _language(block: QTextBlock) -> str:
    # What follows a fence may be a whole attribute list; its first word is the language.
    said = block.blockFormat().stringProperty(QTextFormat.Property.BlockCodeLanguage)
    return said.split()[0] if said.split() else ""


def _code_block(first: QTextBlock, last: QTextBlock) -> CodeBlock:
    lines: list[str] = []
    block = first
    while block.isValid() and block.blockNumber() <= last.blockNumber():
        lines.append(block.text().replace(BREAK, ""))
        block = block.next()
    return CodeBlock(first.blockNumber(), last.blockNumber(), _language(first), "\n".join(lines))


def _set_code(document: QTextDocument, code: CodeBlock, theme: Theme, mono: QFont) -> None:
    """The monospace font, room for the panel around it, and colours."""
    first, last = document.findBlockByNumber(code.first), document.findBlockByNumber(code.last)
    cursor = QTextCursor(first)
    cursor.setPosition(last.position() + last.length() - 1, QTextCursor.MoveMode.KeepAnchor)
    layout = QTextBlockFormat()
    layout.setNonBreakableLines(False)
    layout.setLeftMargin(CODE_PADDING)
    layout.setRightMargin(CODE_PADDING)
    layout.setLineHeight(130, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    cursor.mergeBlockFormat(layout)
    plain = QTextCharFormat()
    plain.setFont(mono)
    plain.setForeground(QColor(theme.text))
    cursor.setCharFormat(plain)
    for block, top, bottom in ((first, CODE_HEAD + 8, None), (last, None, CODE_PADDING + 8)):
        edge = QTextBlockFormat()
        if top is not None:
            edge.setTopMargin(top)
        if bottom is not None:
            edge.setBottomMargin(bottom)
        QTextCursor(block).mergeBlockFormat(edge)
    _colour_code(cursor, first, code, theme)


def _colour_code(cursor: QTextCursor, first: QTextBlock, code: CodeBlock, theme: Theme) -> None:
    text = code.text
    is_wide = any(ord(one) > 0xFFFF for one in text)
    if BREAK in first.document().toPlainText():
        return  # its positions are no longer those of the code
    for span in spans_of(text, code.language):
        look = QTextCharFormat()
        look.setForeground(QColor(getattr(theme, span.part)))
        if span.part == "code_comment":
            look.setFontItalic(True)
        start, end = span.start, span.start + span.length
        if is_wide:  # Qt counts UTF-16 units, Pygments characters
            start, end = utf16_length(text[:start]), utf16_length(text[:end])
        cursor.setPosition(first.position() + start)
        cursor.setPosition(first.position() + end, QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(look)


def utf16_length(text: str) -> int:
    """How many positions `text` takes in a document of Qt's."""
    return len(text) + sum(ord(one) > 0xFFFF for one in text)
