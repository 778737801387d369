"""The difference of a row as pieces of text, and how a few lines of such pieces are drawn.

Drawn and not set as a document: a table paints a screen of them at each scroll. Which words differ is the matter of
`core.differences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QPointF, QRect
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QTextCharFormat, QTextLayout, QTextLine, QTextOption

from diffdesk.core.differences import changes
from diffdesk.ui.theme import Theme

MOST_COMPARED = 1000
"""Characters of the longer text: above that a row shows the answer alone, and the pane below it the difference."""

MOST_SHOWN = 600
"""Characters of a row: more than fit its few lines in the widest window."""


class Mark(StrEnum):
    """How a piece looks."""

    PLAIN = "plain"
    FAINT = "faint"
    GONE = "gone"  # struck out
    COME = "come"  # underlined
    BAD = "bad"  # an error


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of one look."""

    text: str
    mark: Mark = Mark.PLAIN


def difference(before: str, after: str) -> tuple[Piece, ...]:
    """`before` → `after` as pieces in reading order; `after` alone where comparing would take too long."""
    if max(len(before), len(after)) > MOST_COMPARED:
        return (Piece(one_line(after)),)
    pieces: list[Piece] = []
    place = 0
    for change in changes(before, after):
        pieces.append(Piece(one_line(after[place : change.after_start])))
        gone, come = _visible(change.before), _visible(change.after)
        pieces.append(Piece(gone, Mark.GONE))
        if gone and come and not gone[-1].isspace():
            pieces.append(Piece("\u2009"))  # a thin space: two words that touch read as one
        pieces.append(Piece(come, Mark.COME))
        place = change.after_end
    pieces.append(Piece(one_line(after[place:])))
    return tuple(piece for piece in pieces if piece.text)


def one_line(text: str) -> str:
    """A text with signs for its line breaks and tabs."""
    return text.replace("\r\n", "↵").replace("\n", "↵").replace("\r", "↵").replace("\t", "⇥")


def _visible(text: str) -> str:
    """A changed text such that changed white space can be seen."""
    return one_line(text if text.strip() else text.replace(" ", "␣"))


def paint_pieces(
    painter: QPainter, box: QRect, pieces: Sequence[Piece], font: QFont, theme: Theme, most_lines: int
) -> None:
    """Draw pieces from the upper left of `box`, wrapped at its width, at most `most_lines` lines; what is left over
    ends in an ellipsis.
    """
    shown = _cut(pieces, MOST_SHOWN)
    ranges = _ranges(shown, theme)
    layout = _laid_out("".join(one.text for one in shown), font)
    layout.setFormats(ranges)
    lines, is_whole = _break(layout, box.width(), most_lines)
    top = QPointF(box.topLeft())
    painter.setPen(QColor(theme.text))
    for line in lines if is_whole else lines[:-1]:
        line.draw(painter, top)
    if is_whole or not lines:
        return
    # The last line is laid out anew, shortened: an ellipsis must not cost the marks of the words before it.
    last = lines[-1]
    start, length = last.textStart(), last.textLength()
    text = _part(layout.text(), start, length).rstrip()
    if QFontMetrics(font).horizontalAdvance(text + "…") > box.width():
        text = text[:-2]
    tail = _laid_out(text + "…", font)
    tail.setFormats([_moved(one, -start) for one in ranges])
    _break(tail, box.width(), 1)
    tail.draw(painter, top + QPointF(0, last.y()))


def _cut(pieces: Sequence[Piece], most: int) -> list[Piece]:
    shown: list[Piece] = []
    left = most
    for piece in pieces:
        if left <= 0:
            break
        shown.append(piece if len(piece.text) <= left else Piece(piece.text[:left], piece.mark))
        left -= len(piece.text)
    return shown


def _laid_out(text: str, font: QFont) -> QTextLayout:
    layout = QTextLayout(text, font)
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    return layout


def _break(layout: QTextLayout, width: int, most_lines: int) -> tuple[list[QTextLine], bool]:
    """Up to `most_lines` lines, and whether that is all of the text."""
    lines: list[QTextLine] = []
    height = 0.0
    layout.beginLayout()
    while len(lines) < most_lines:
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(width)
        line.setPosition(QPointF(0, height))
        height += line.height()
        lines.append(line)
    layout.endLayout()
    used = lines[-1].textStart() + lines[-1].textLength() if lines else 0
    return lines, used >= _units(layout.text())


def _ranges(pieces: Sequence[Piece], theme: Theme) -> list[QTextLayout.FormatRange]:
    ranges: list[QTextLayout.FormatRange] = []
    start = 0
    for piece in pieces:
        length = _units(piece.text)
        made = QTextLayout.FormatRange()
        made.start, made.length, made.format = start, length, _look(piece.mark, theme)
        ranges.append(made)
        start += length
    return ranges


def _moved(one: QTextLayout.FormatRange, by: int) -> QTextLayout.FormatRange:
    moved = QTextLayout.FormatRange()
    start = max(0, one.start + by)
    moved.start, moved.length, moved.format = start, max(0, one.start + by + one.length - start), one.format
    return moved


def _units(text: str) -> int:
    """The length as Qt counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _part(text: str, start: int, length: int) -> str:
    """Units [start, start + length) of a text."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units[2 * start : 2 * (start + length)].decode("utf-16-le", "replace")


def _look(mark: Mark, theme: Theme) -> QTextCharFormat:
    look = QTextCharFormat()
    colours = {
        Mark.FAINT: theme.text_muted,
        Mark.GONE: theme.deletion,
        Mark.COME: theme.insertion,
        Mark.BAD: theme.danger,
    }
    colour = QColor(colours.get(mark, theme.text))
    look.setForeground(colour)
    if mark is Mark.GONE:
        look.setBackground(QColor(theme.deletion_background))
        look.setFontStrikeOut(True)
    elif mark is Mark.COME:
        look.setBackground(QColor(theme.insertion_background))
        look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
        look.setUnderlineColor(colour)
    return look
