"""The words of a line within its text: where each stands, whether a space follows it, and in which row of print."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from diffdesk.documents.exports.gaps import is_right_to_left, union
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedWord

Span = tuple[int, int]

_SAME_ROW = 0.3  # of the height that two words of one row share, at least


def word_spans(line: RecognisedLine) -> list[Span]:
    """Where each word of a line stands in its text; empty if the words are not all of its text, in its order."""
    spans: list[Span] = []
    at = 0
    for word in line.words:
        start = line.text.find(word.text, at)
        if start < 0 or not word.text or line.text[at:start].strip():
            return []
        at = start + len(word.text)
        spans.append((start, at))
    return [] if line.text[at:].strip() else spans


def has_all_words(line: RecognisedLine) -> bool:
    """Whether every word of the line's text is among its words."""
    return len(word_spans(line)) == len(line.words) and bool(line.words or not line.text.strip())


def spaced_words(line: RecognisedLine) -> list[tuple[RecognisedWord, bool]]:
    """Each word, and whether white space comes between it and the next; of a line that `has_all_words`."""
    spans = word_spans(line)
    following = [start for start, _ in spans[1:]] + [spans[-1][1]] if spans else []
    return [(word, end < after) for word, (_, end), after in zip(line.words, spans, following, strict=True)]


def in_rows(line: RecognisedLine) -> list[RecognisedLine]:
    """The line as the rows of print that its words stand in; of a line that `has_all_words`.

    Whoever edits a text may join its lines, but the words stay where they are printed.
    """
    spans = word_spans(line)
    is_mirrored = is_right_to_left(line.text)
    cuts = [at for at, pair in enumerate(pairwise(line.words), start=1) if _begins_row(*pair, is_mirrored=is_mirrored)]
    if not cuts:
        return [line]
    rows = []
    for start, end in pairwise([0, *cuts, len(line.words)]):
        words = line.words[start:end]
        text = line.text[spans[start][0] : spans[end - 1][1]]
        rows.append(replace(line, text=text, words=words, box=union(word.box for word in words)))
    return rows


def _begins_row(word: RecognisedWord, following: RecognisedWord, *, is_mirrored: bool) -> bool:
    """Whether the second word stands in another row than the first: above or below it, and back where rows begin."""
    _, top, _, bottom = word.box
    _, other_top, _, other_bottom = following.box
    shared = min(bottom, other_bottom) - max(top, other_top)
    is_apart = shared < _SAME_ROW * min(bottom - top, other_bottom - other_top)
    return is_apart and (following.box[0] < word.box[0]) != is_mirrored
