"""The words of a line within its text: where each stands, and whether a space follows it."""

from __future__ import annotations

from diffdesk.documents.recognised_page import RecognisedLine, RecognisedWord

Span = tuple[int, int]


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
