"""Where characters of a laid out document are. Plain geometry in the document's own coordinates."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QTextDocument


def span_rects(document: QTextDocument, first: int, last: int) -> list[QRectF]:
    """The positions [first, last): one rectangle for each line that they stand in."""
    rects: list[QRectF] = []
    block = document.findBlock(first)
    layout = document.documentLayout()
    while block.isValid() and block.position() < last:
        origin = layout.blockBoundingRect(block).topLeft()
        low = max(0, first - block.position())
        high = min(block.length() - 1, last - block.position())
        lines = block.layout()
        for number in range(lines.lineCount()):
            line = lines.lineAt(number)
            a, b = max(low, line.textStart()), min(high, line.textStart() + line.textLength())
            if a < b:
                left, right = _x(line.cursorToX(a)), _x(line.cursorToX(b))
                rect = QRectF(min(left, right), line.y(), abs(right - left), line.height())
                rects.append(rect.translated(origin))
        block = block.next()
    return rects


def _x(value: object) -> float:
    """`QTextLine.cursorToX` gives a pair of the x and the position it stands for."""
    number = value[0] if isinstance(value, tuple) else value
    return float(number) if isinstance(number, int | float) else 0.0
