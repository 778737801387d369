"""From what is selected in a shown text to the characters of its source: the right place, or none at all.

A selection in set Markdown has no place of its own in the source. Candidates for its ends are looked for by their
words, and each is proved by setting the source again with a sign put in there: the sign must come out exactly where
the selection begins or ends, and nothing else may change. So a place is never guessed. Knows documents only as texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from diffdesk.ui.markdown import BREAK

Setter = Callable[[str], str]
"""A source → the text of its document, as `QTextDocument.toRawText` gives it, without invisible breaks."""

PARAGRAPH = "\u2029"
_SIGNS = ("\ue000", "\ue001", "\ue002")  # of the private use area: no mark of Markdown, no letter, no space
_MOST_TRIES = 40  # of setting a source, for one end
_MARKS = "*_~`"


def selected(raw: str, first: int, last: int) -> tuple[str, str]:
    """What stands before the positions [first, last) of a document and what stands there, without invisible breaks.

    Positions are counted as Qt counts, in UTF-16 units.
    """
    units = raw.encode("utf-16-le", "surrogatepass")
    before, part = units[: 2 * first], units[2 * first : 2 * last]
    decoded = (one.decode("utf-16-le", "surrogatepass").replace(BREAK, "") for one in (before, part))
    return next(decoded), next(decoded)


def span_in_plain(source: str, raw: str, first: int, last: int) -> tuple[int, int] | None:
    """The characters [start, end) of a source that is shown literally; None if it isn't."""
    if raw.replace(BREAK, "").replace(PARAGRAPH, "\n") != source:
        return None
    before, part = selected(raw, first, last)
    return len(before), len(before) + len(part)


def span_in_pieces(pieces: Sequence[tuple[int, str]], first: int, last: int) -> tuple[int, int] | None:
    """The characters of a source that is shown in pieces among other text; None if none of them is selected.

    `pieces` are (position in the document, text with invisible breaks) in the order of the source; [first, last) are
    the selected positions of the document.
    """
    start, end, at = -1, -1, 0
    for place, text in pieces:
        before, part = selected(text, max(0, first - place), max(0, last - place))
        if part and start < 0:
            start = at + len(before)
        if part:
            end = at + len(before) + len(part)
        at += len(text.replace(BREAK, ""))
    return None if start < 0 else (start, end)


def span_in_markdown(source: str, raw: str, first: int, last: int, set_text: Setter) -> tuple[int, int] | None:
    """The characters of a Markdown source that a selection shows; None where that can't be proved.

    Replacing them by a word changes the selected part of the set text and nothing else. Marks that open or close
    inside the selection alone are taken in.
    """
    reference = raw.replace(BREAK, "")
    sign = next((one for one in _SIGNS if one not in source), "")
    if not sign or set_text(source) != reference:
        return None
    before, part = selected(raw, first, last)
    if not part.strip():
        return None
    left = len(before) + len(part) - len(part.lstrip())
    right = left + len(part.strip())

    def is_at(place: int, wanted: int) -> bool:
        return set_text(source[:place] + sign + source[place:]) == reference[:wanted] + sign + reference[wanted:]

    words = part.split()
    start = next((one for one in _starts(source, reference, left, words[0]) if is_at(one, left)), None)
    end = next((one for one in _ends(source, reference, right, words[-1]) if is_at(one, right)), None)
    if start is None or end is None or start >= end:
        return None
    wanted = reference[:left] + sign + reference[right:]
    for grown_start, grown_end in _with_marks(source, start, end):
        if set_text(source[:grown_start] + sign + source[grown_end:]) == wanted:
            return grown_start, grown_end
    return None


def _starts(source: str, reference: str, at: int, word: str) -> Iterator[int]:
    """Places in the source where the word at `at` of the set text may begin, likely ones first."""
    return _nearest(_places(source, word), reference.count(word, 0, at))


def _ends(source: str, reference: str, at: int, word: str) -> Iterator[int]:
    """Places in the source where the word that ends at `at` of the set text may end, likely ones first."""
    places = [one + len(word) for one in _places(source, word)]
    return _nearest(places, reference.count(word, 0, max(0, at - 1)))


def _places(source: str, word: str) -> list[int]:
    found, at = [], source.find(word)
    while at >= 0:
        found.append(at)
        at = source.find(word, at + 1)
    return found


def _nearest(places: Sequence[int], number: int) -> Iterator[int]:
    """The places by how far their numbers are from `number`, no more than may be tried."""
    order = sorted(range(len(places)), key=lambda index: (abs(index - number), -index))
    return (places[index] for index in order[:_MOST_TRIES])


def _with_marks(source: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span itself, then with the marks that stand at its ends."""
    grown_start, grown_end = start, end
    while grown_start > 0 and source[grown_start - 1] in _MARKS:
        grown_start -= 1
    while grown_end < len(source) and source[grown_end] in _MARKS:
        grown_end += 1
    yield start, end
    if grown_start < start:
        yield grown_start, end
    if grown_end > end:
        yield start, grown_end
    if grown_start < start and grown_end > end:
        yield grown_start, grown_end
