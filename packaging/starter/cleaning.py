"""Cleaning of texts: decoding, typed characters, tags, tidy paragraphs, and which of them are worth keeping."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

from starter.sources import Text

_SPACES = re.compile(r"[ \t\r\n\f\v\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_UNWANTED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
BOILERPLATE = re.compile(
    r"copyright|©|all rights reserved|licen[sc]ed? under|the licen[sc]e|project gutenberg|permission is hereby granted"
    r"|without warranty|https?://\S+licen",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?[a-z][a-z0-9]*[ />]|&(?:amp|lt|gt|nbsp|quot);|\{\{|\}\}|_{3,}|\*{3,}|={4,}|-{4,}|\.{6,}")
_SIGNS = re.compile(r"[|{}<>=\\_#~^@]")


def word_set(text: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(text.split())


_ENGLISH = word_set(
    "the of and to a in is for that be this with it are by or if on as not from an will can you which at was were he "
    "his her they we i she their has have had but when there been who may must should would all no so"
)
_FOREIGN = word_set(
    "le la les des du et est une un pour dans que qui sur par avec ne pas ce cette vous der die das und ist nicht ein "
    "eine den dem mit von zu auf für werden wird el los las y del por con para una se su como lo di il che per non "
    "della dei sono alla do da dos em não uma os no ao het een van niet op te zijn voor och att det som är på af er "
    "til ikke og jest nie się w na je v že ve bir için"
)


def tidy(text: str) -> str:
    """One paragraph on one line: NFC, plain spaces, no control or invisible characters."""
    text = _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()
    if not text.isprintable():
        text = "".join(c for c in text if unicodedata.category(c) not in _UNWANTED_CATEGORIES)
    return text


def is_prose(text: str) -> bool:
    """Whether a paragraph is running text: words in mostly lower case, few digits and signs."""
    if len(text) < 20 or text.count(" ") < 3 or _SIGNS.search(text):
        return False
    letters = sum(c.isalpha() for c in text)
    solid = len(text) - text.count(" ")
    upper = sum(c.isupper() for c in text)
    digits = sum(c.isdigit() for c in text)
    return letters >= 0.8 * solid and upper <= 0.3 * letters and digits <= 0.1 * solid and not _MARKUP.search(text)


def is_latin(text: str) -> bool:
    """Whether nearly all letters of a paragraph are Latin."""
    foreign = sum(1 for c in text if c.isalpha() and ord(c) > 0x024F and not 0x1E00 <= ord(c) <= 0x1EFF)
    return foreign * 50 <= len(text)


def is_english(text: str) -> bool:
    """Whether the small words of a paragraph are English ones rather than those of another language."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    english = sum(word in _ENGLISH for word in words)
    foreign = sum(word in _FOREIGN for word in words)
    return english > foreign and english * 12 >= len(words)


def keep(text: str, source: Text) -> bool:
    """Whether a cleaned paragraph goes into the corpus of its kind."""
    if not text or not is_latin(text):
        return False
    words = text.count(" ") + 1
    match source.kind:
        case "code":
            return len(text.strip()) >= 4
        case "names":
            return True
        case "prose":
            return is_prose(text) and "project gutenberg" not in text.lower()
        case "verse":
            return len(text) >= 12 and words >= 3 and not _MARKUP.search(text) and not _SIGNS.search(text)
        case "other-language":
            good = len(text) >= 20 and words >= 3 and not is_english(text)
        case "manual":
            good = len(text) >= 30 and words >= 5 and is_english(text)
        case _:
            good = len(text) >= 30 and words >= 5
    return good and not _MARKUP.search(text) and not BOILERPLATE.search(text)


_SENTENCE_END = re.compile(r"(?<=[.!?][\"'”’)])\s+(?=[A-Z\"“‘(])|(?<=[.!?])\s+(?=[A-Z\"“‘(])")
_TITLE_END = re.compile(r"(?:^|[\s(\"“])(?:Mr|Mrs|Ms|Dr|St|Rev|Hon|Gen|Col|Capt|Messrs|No|Vol|cf|viz|[A-Z])\.$")


def sentences(text: str, size: int) -> Iterator[str]:
    """Cut a very long paragraph at sentence ends into pieces of about ``size`` characters."""
    piece = ""
    for sentence in _SENTENCE_END.split(text):
        if piece and len(piece) + len(sentence) > size and not _TITLE_END.search(piece):
            yield piece
            piece = ""
        piece = f"{piece} {sentence}" if piece else sentence
    if piece:
        yield piece


def decode(data: bytes) -> str:
    """Text from bytes: UTF-8 if it is that, else Windows-1252."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def typed(text: str) -> str:
    """Undo what typists of plain text do: underscores for italics, double hyphens for dashes, back-quotes."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"(?<![A-Za-z0-9])_((?:[^_\n]|\n(?!\s*\n)){1,2000}?)_(?![A-Za-z0-9])", r"\1", text)
    text = re.sub(r"(?<!-)--(?!-)", "—", text)
    text = re.sub(r"(?<!-)----(?!-)", "——", text)
    if text.count("`") > 5:
        text = text.replace("``", '"').replace("''", '"').replace("`", "'")
    return text


def strip_tags(text: str) -> str:
    """Text without XML tags and entities."""
    return html.unescape(re.sub(r"<[^>]*>", "", text))
