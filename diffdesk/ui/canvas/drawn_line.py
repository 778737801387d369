"""One line of the live text, laid out and ready to draw, and the setter that makes such lines in a theme's formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from PySide6.QtGui import QColor, QFont, QTextCharFormat, QTextLayout, QTextOption

from diffdesk.ui.canvas.runs import Line, Look, Span
from diffdesk.ui.theme import Theme, blend

Extent = tuple[float, float]
"""Left and right edge in pixels from the line's start."""


@dataclass(slots=True)
class DrawnLine:
    """A line and what is drawn of it.

    Attributes:
        width, height: natural size in pixels; the line is never wrapped.
        noise, accepted: where marks go behind the text.
        units: for each code point its place in UTF-16 units, None where both are the same.
        fading: extents of words that changed at `changed_at`, each with the text before.
    """

    line: Line
    layout: QTextLayout
    width: float
    height: float
    noise: list[Extent]
    accepted: list[Extent]
    units: list[int] | None
    fading: list[tuple[Extent, str]] = field(default_factory=list)
    changed_at: float = float("-inf")

    def word_extent(self, span: Span) -> Extent | None:
        """Where the text of `span` is drawn, without the spaces before it; None if there is nothing else."""
        text = self.line.text[span.start : span.end]
        start, end = span.end - len(text.lstrip()), span.end
        if start == end:
            return None
        edges = [_x(self.layout, at if self.units is None else self.units[at]) for at in (start, end)]
        return min(edges), max(edges)

    def fade_from(self, before: DrawnLine, now: float) -> None:
        """Note which words differ from `before`, so that they can fade from the old to the new."""
        old = {span.position: (before.word(span), span.look) for span in before.line.spans}
        for span in self.line.spans:
            text, look = old.get(span.position, ("", Look.NOISE))
            if text != self.word(span) and (extent := self.word_extent(span)) is not None:
                self.fading.append((extent, "" if look == Look.NOISE else text))
        self.changed_at = now

    def word(self, span: Span) -> str:
        """The text of `span` without the spaces around it."""
        return self.line.text[span.start : span.end].strip()


class LineSetter:
    """Makes `DrawnLine`s in one font and theme."""

    def __init__(self, theme: Theme, font: QFont) -> None:
        self.font = font
        self._formats = _formats(theme)
        self._option = QTextOption()
        self._option.setWrapMode(QTextOption.WrapMode.NoWrap)

    def set(self, line: Line) -> DrawnLine:
        """Lay out one line, unwrapped."""
        layout = QTextLayout(line.text, self.font)
        layout.setTextOption(self._option)
        units = _unit_offsets(line.text)
        layout.setFormats(self._ranges(line, units))
        layout.beginLayout()
        row = layout.createLine()
        row.setLineWidth(1e6)
        layout.endLayout()
        drawn = DrawnLine(line, layout, row.naturalTextWidth(), row.height(), [], [], units)
        for span in line.spans:
            if span.look in (Look.NOISE, Look.ACCEPTED) and (extent := drawn.word_extent(span)) is not None:
                (drawn.noise if span.look == Look.NOISE else drawn.accepted).append(extent)
        drawn.accepted = _joined(drawn.accepted)
        return drawn

    def in_code_points(self, text: str, bounds: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Offsets that Qt counts in UTF-16 units, as code points of `text`."""
        units = _unit_offsets(text)
        if units is None:
            return bounds
        points = {unit: point for point, unit in enumerate(units)}
        return [(points[start], points[end]) for start, end in bounds]

    def _ranges(self, line: Line, units: list[int] | None) -> list[QTextLayout.FormatRange]:
        ranges = []
        for look, group in groupby(line.spans, key=lambda span: span.look):
            members = list(group)
            start, end = members[0].start, members[-1].end
            if look == Look.CHANGING:  # the wave goes under the words, not under the spaces around them
                start, end = _without_blanks(line.text, start, end)
            if start >= end:
                continue
            one = QTextLayout.FormatRange()
            one.start = start if units is None else units[start]
            one.length = (end if units is None else units[end]) - one.start
            one.format = self._formats[look]
            ranges.append(one)
        return ranges


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _x(layout: QTextLayout, unit: int) -> float:
    found: object = layout.lineAt(0).cursorToX(unit)  # PySide gives x and the cursor, its stub names neither
    x = found[0] if isinstance(found, tuple) else found
    return float(x) if isinstance(x, (int, float)) else 0.0


def _joined(extents: list[Extent]) -> list[Extent]:
    """Neighbours less than a word space apart become one mark."""
    joined: list[Extent] = []
    for left, right in sorted(extents):
        if joined and left - joined[-1][1] < 6:
            joined[-1] = (joined[-1][0], max(right, joined[-1][1]))
        else:
            joined.append((left, right))
    return joined


def _unit_offsets(text: str) -> list[int] | None:
    """For each code point its offset in UTF-16 units, and the length at the end; None where both are the same."""
    if not text or max(text) <= "\uffff":
        return None
    offsets = [0]
    for letter in text:
        offsets.append(offsets[-1] + (2 if letter > "\uffff" else 1))
    return offsets


def _formats(theme: Theme) -> dict[Look, QTextCharFormat]:
    formats = {look: QTextCharFormat() for look in Look}
    for look in (Look.COMMITTED, Look.SETTLED, Look.ACCEPTED):
        formats[look].setForeground(QColor(theme.text))
    formats[Look.CHANGING].setForeground(QColor(theme.changing_text))
    formats[Look.CHANGING].setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
    formats[Look.CHANGING].setUnderlineColor(QColor(blend(theme.changing_mark, theme.surface, 0.75)))
    formats[Look.NOISE].setForeground(QColor(theme.noise_mark))
    return formats
