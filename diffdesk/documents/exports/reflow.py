"""From printed lines to paragraphs: lines joined, words that a line's end divided made whole again.

A hyphen at the end of a line is the printer's or the writer's, and only the text itself can tell: a compound that is
written with a hyphen elsewhere keeps it, and so does what goes on with a capital or a digit. Paragraphs inside a block
are told by indentation and by a last line that ends early. Pure functions; knows nothing of files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

from diffdesk.core.lines import character_widths
from diffdesk.documents.exports.export_page import TextOptions
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage

Paragraph = list[str]
"""Its lines; one where lines are joined."""

_SOFT = "\u00ad¬"  # a soft hyphen, and what stands for one in old prints: never part of a word
_DIVIDED = re.compile(rf"((?:[^\W_]+[-'’\u2010])*[^\W_]*[^\W_])([-\u2010{_SOFT}])$")
_WORD = re.compile(r"[^\W_]+(?:[-'’\u2010][^\W_]+)*")
# "Vor- und Nachteile", "pre- and post-war": the hyphen stands for a word that is left out.
_AFTER_HANGING = frozenset({"and", "or", "und", "oder", "bis", "u", "et", "ou", "y", "o", "e", "of", "en", "och"})
_UNSPACED = re.compile(r"[\u3001-\u30ff\u3400-\u9fff\uff01-\uff60]")
_DASHED = re.compile(r"\S(?:—|--)$")
_SHORT_PART = 3  # letters: "mother-in-", "up-to-"

_NEAR = 3  # lines above and below that show where a column begins and ends
_INDENT = 0.8  # of the height of a line
_SLACK = 1.0  # of the height: how much more than a word must have had room for a line to be the last
_BLANK = 0.25
_SENTENCE_END = re.compile(r"[.!?:;…][\"'”’»)\]]*$")


class Layout:
    """Lays out the text of pages, one after the other; remembers how words are written on those it has seen.

    Args:
        options: whether lines are kept and hyphens joined.
    """

    def __init__(self, options: TextOptions) -> None:
        self._options = options
        self._written: Counter[str] = Counter()

    def paragraphs(self, page: RecognisedPage) -> list[Paragraph]:
        """The page's paragraphs; where lines are kept, its blocks."""
        lines = [line for line in page.lines if line.text.strip()]
        self._written.update(written_words(line.text for line in lines))
        blocks = [list(block) for _, block in groupby(lines, key=lambda line: line.block)]
        if self._options.keep_lines:
            kept = ([line.text.strip() for line in block] for block in blocks)
            found = [whole_words(block, self._written) if self._options.join_hyphens else block for block in kept]
        else:
            parts = [[line.text.strip() for line in part] for block in blocks for part in parted(block)]
            joined = _over_columns(parts)
            found = [[in_one_line(part, self._written, join_hyphens=self._options.join_hyphens)] for part in joined]
        if self._options.join_hyphens:
            found = [[line.replace("\u00ad", "") for line in paragraph] for paragraph in found]
        return found

    def text(self, page: RecognisedPage) -> str:
        """The page's text, with an empty line between paragraphs."""
        return "\n\n".join("\n".join(paragraph) for paragraph in self.paragraphs(page))


def text_of(pages: Iterable[RecognisedPage], options: TextOptions) -> str:
    """The text of pages as it goes to the clipboard and into TXT files: an empty line between pages too."""
    layout = Layout(options)
    return "\n\n".join(text for page in pages if (text := layout.text(page)))


# --- hyphens ----------------------------------------------------------------------------------------


def written_words(lines: Iterable[str]) -> Counter[str]:
    """How often each word, in small letters and with its inner hyphens, is written inside of a line."""
    found: Counter[str] = Counter()
    for line in lines:
        words = _WORD.findall(line.rstrip())
        if _DIVIDED.search(line.rstrip()):
            words = words[:-1]
        found.update(word.casefold().replace("\u2010", "-") for word in words)
    return found


def joint(line: str, following: str, written: Mapping[str, int]) -> tuple[int, str] | None:
    """How a word goes on over the end of a line: how many characters of the line go, and what is put there.

    Returns:
        None if no word is divided there; ``(1, "")`` where the hyphen is the printer's, ``(0, "")`` where it is the
        writer's.
    """
    divided, continued = _DIVIDED.search(line), _WORD.match(following)
    if divided is None or continued is None or continued[0].casefold() in _AFTER_HANGING:
        return None
    first, second = divided[1], continued[0]
    if divided[2] in _SOFT:
        return 1, ""
    is_capitals = len(first) > 1 and first.isupper() and second.isupper()
    if first[-1].isdigit() or second[0].isdigit() or (second[0].isupper() and not is_capitals):
        return 0, ""
    as_compound = written.get(f"{first}-{second}".casefold().replace("\u2010", "-"), 0)
    as_word = written.get(f"{first}{second}".casefold().replace("\u2010", "-"), 0)
    if as_compound > as_word:
        return 0, ""
    parts = re.split(r"[-\u2010]", first)
    is_chain = len(parts) > 1 and len(parts[-1]) <= _SHORT_PART
    return (0, "") if is_chain and not as_word else (1, "")


def in_one_line(lines: Sequence[str], written: Mapping[str, int], *, join_hyphens: bool) -> str:
    """The lines of one paragraph joined by spaces; divided words lose their hyphen only if asked for."""
    text = lines[0] if lines else ""
    for following in lines[1:]:
        found = joint(text, following, written)
        if found is None:
            text += following if _is_unspaced(text, following) else f" {following}"
            continue
        drop, between = found
        text = (text[: len(text) - drop] if join_hyphens else text) + between + following
    return text


def whole_words(lines: Sequence[str], written: Mapping[str, int]) -> list[str]:
    """The same lines, but the second half of a divided word stands with its first half."""
    done: list[str] = []
    for line in lines:
        found = joint(done[-1], line, written) if done else None
        if found is None or not found[0]:
            done.append(line)
            continue
        half, _, rest = line.partition(" ")
        done[-1] = done[-1][: -found[0]] + half
        if rest.strip():
            done.append(rest.strip())
    return done


def _is_unspaced(line: str, following: str) -> bool:
    """Whether two lines meet in kana or Han, which are written without spaces, or at a dash without one."""
    if _DASHED.search(line):
        return True
    return _UNSPACED.match(line[-1:]) is not None and _UNSPACED.match(following) is not None


def _over_columns(paragraphs: Sequence[list[str]]) -> list[list[str]]:
    """Paragraphs that go on in the next column joined: only where a word is divided and goes on with a small letter."""
    done: list[list[str]] = []
    for paragraph in paragraphs:
        goes_on = done and _DIVIDED.search(done[-1][-1]) and paragraph[0][0].islower()
        if goes_on:
            done[-1] = [*done[-1], *paragraph]
        else:
            done.append(paragraph)
    return done


# --- paragraphs -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where a line begins and ends and how wide its first word is: pixels, or characters of a text without places."""

    left: float
    right: float
    first: float
    height: float


def parted(block: Sequence[RecognisedLine]) -> list[list[RecognisedLine]]:
    """The lines of a block as its paragraphs."""
    if not block:
        return []
    extents = [_extent(line) for line in block]
    usual = median(one.height for one in extents)
    starts = _indented(extents, usual)
    paragraphs = [[block[0]]]
    for number, (line, following) in enumerate(pairwise(block)):
        is_divided = _DIVIDED.search(line.text.strip()) is not None
        if not is_divided and (starts[number + 1] or _ends_early(extents, number, usual, line.text, following.text)):
            paragraphs.append([])
        paragraphs[-1].append(following)
    return paragraphs


def _extent(line: RecognisedLine) -> _Extent:
    left, top, right, bottom = line.box
    text = line.text.strip()
    first = text.split(maxsplit=1)[0] if text else ""
    if right <= left or bottom <= top:
        return _Extent(0, len(text), len(first), 2)
    if line.words:
        left, right = min(word.box[0] for word in line.words), max(word.box[2] for word in line.words)
    widths = character_widths(text)
    share = float(widths[: len(first)].sum() / widths.sum()) if text else 0.0
    return _Extent(left, right, share * (right - left), bottom - top)


def _near(extents: Sequence[_Extent], number: int) -> Sequence[_Extent]:
    # Not the whole block: on a slanting page its edges wander.
    return extents[max(number - _NEAR, 0) : number + _NEAR + 1]


def _indented(extents: Sequence[_Extent], usual: float) -> list[bool]:
    """For each line whether its indentation starts a paragraph."""
    margins = (min(other.left for other in _near(extents, number)) for number in range(len(extents)))
    is_in = [one.left - margin > _INDENT * usual for one, margin in zip(extents, margins, strict=True)]
    # In lists of books the first line of each stands out, and the others are indented.
    is_hanging = 2 * sum(is_in) > len(is_in)
    return [one != is_hanging for one in is_in]


def _ends_early(extents: Sequence[_Extent], number: int, usual: float, text: str, following: str) -> bool:
    """Whether the next line's first word had found room on this line, and a sentence ends or begins here."""
    margin = max(other.right for other in _near(extents, number))
    needed = extents[number + 1].first + (_BLANK + _SLACK) * usual
    if extents[number].right + needed > margin:
        return False
    return _SENTENCE_END.search(text.strip()) is not None or not _begins_small(following)


def _begins_small(text: str) -> bool:
    letters: Iterator[str] = (one for one in text if one.isalnum())
    return next(letters, "A").islower()
