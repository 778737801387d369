"""Readers of the files that texts come in: books, pages, catalogues, code and lists.

Each reader turns one file of a package into raw paragraphs; `CLEANERS` has them by the names that the sources use.
"""

from __future__ import annotations

import ast
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

from starter.cleaning import BOILERPLATE, decode, sentences, strip_tags, typed, word_set
from starter.errors import FetchError
from starter.reference_readers import dictd, sword, sword_dictionary, wordnet

_POEM_WIDTH = 68


def _wrapped_text(text: str) -> Iterator[str]:
    """Plain text in lines of about 70 characters, paragraphs parted by blank lines; verse stays in lines."""
    text = re.sub(r"\[(?:Illustration|Footnote|Pg|Page)[^\]]*\]", " ", typed(text))
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        indented = sum(line.startswith(("    ", "\t")) for line in lines)
        if len(lines) > 2 and indented > 0.6 * len(lines) and max(map(len, lines)) < _POEM_WIDTH:
            yield from (line.strip() for line in lines)
        else:
            yield re.sub(r"(\w)- (?=[a-z])", r"\1-", " ".join(line.strip() for line in lines))


def _wrapped(path: Path) -> Iterator[str]:
    """A book in wrapped lines."""
    yield from _wrapped_text(decode(path.read_bytes()))


_BOOK = re.compile(
    r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG EBOOK,? (?P<title>[^*\n]+?) ?\*\*\*$(?P<text>.*?)"
    r"^(?:End of (?:the )?Project Gutenberg|\*\*\* ?END OF TH)",
    re.MULTILINE | re.DOTALL,
)
_GUTENBERG_TITLES = frozenset({"THE ADVENTURES OF SHERLOCK HOLMES", "MANUAL OF SURGERY", "WAR AND PEACE"})


def _gutenberg(path: Path) -> Iterator[str]:
    """Books glued together with their Project Gutenberg headers: those whose authors died before 1955."""
    for book in _BOOK.finditer(decode(path.read_bytes()).replace("\r\n", "\n")):
        if book["title"].strip() in _GUTENBERG_TITLES:
            for paragraph in _wrapped_text(book["text"]):
                if "transcriber" not in paragraph.lower() and "produced by" not in paragraph.lower():
                    yield paragraph


def _lines(path: Path) -> Iterator[str]:
    """Verse and plays: every printed line is a paragraph of its own."""
    yield from typed(decode(path.read_bytes())).split("\n")


def _speech(path: Path) -> Iterator[str]:
    """One address in one very long line: cut at sentence ends."""
    for line in typed(decode(path.read_bytes())).split("\n"):
        yield from sentences(line, 700)


def _rdata(path: Path) -> Iterator[str]:
    """Character vectors in an R lazy-load database: the lines of wrapped text."""
    data = path.read_bytes()
    at = 0
    while at + 4 < len(data):
        unpacker = zlib.decompressobj()
        block = unpacker.decompress(data[at + 4 :])
        at = len(data) - len(unpacker.unused_data)
        yield from _wrapped_text("\n".join(_r_strings(block)))


_R_STRINGS = 16


def _r_strings(block: bytes) -> Iterator[str]:
    """The strings of a serialised R character vector (XDR format, version 2 or 3)."""
    if block[:2] != b"X\n":
        raise FetchError("an R data block is not in the XDR format")
    version, _writer, _reader = struct.unpack_from(">iii", block, 2)
    at = 14
    if version == 3:
        (length,) = struct.unpack_from(">i", block, at)
        at += 4 + length
    flags, count = struct.unpack_from(">ii", block, at)
    if flags & 0xFF != _R_STRINGS:
        return
    at += 8
    for _ in range(count):
        (length,) = struct.unpack_from(">i", block, at + 4)
        at += 8
        yield decode(block[at : at + max(length, 0)])
        at += max(length, 0)


_VOID = word_set("area base br col embed hr img input link meta param source track wbr")
_SKIPPED = word_set("script style pre table nav header footer form svg head noscript textarea h1 h2 h3 h4 h5")
_PARAGRAPHS = frozenset({"p", "li", "dd"})
_BREAKS = frozenset({"ul", "ol", "dl", "div", "dt", "blockquote", "section", "tr", "td"})
_NAVIGATION = re.compile(
    r"navheader|navfooter|sphinxsidebar|related|footer|toctree|contents|toplang|page-header|quickview|menu|index|"
    r"breadcrumb|nodisplay|versionadded|comments|leftnav|donate|seealso|headerlink|hash-link|top$"
)
_NAVIGABLE = frozenset({"div", "ul", "p", "aside", "a", "span"})


class _Page(HTMLParser):
    """Gathers the paragraphs of an HTML page: no tables, listings, menus or headings."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = []
        self._text: list[str] = []
        self._inside = False
        self._stack: list[tuple[str, bool]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element: a new paragraph, or something to be skipped."""
        if tag in _VOID:
            if tag == "br" and self._inside:
                self._text.append(" ")
            return
        if tag in _PARAGRAPHS or tag in _BREAKS:
            self._end()
            while self._stack and tag in _PARAGRAPHS and self._stack[-1][0] in ("p", tag):
                self._pop()
        marks = " ".join(value or "" for name, value in attrs if name in ("class", "id")).strip()
        hidden = tag in _SKIPPED or (tag in _NAVIGABLE and bool(marks) and bool(_NAVIGATION.search(marks)))
        self._stack.append((tag, hidden))
        self._hidden += hidden
        self._inside = self._inside or tag in _PARAGRAPHS

    def handle_endtag(self, tag: str) -> None:
        """Close an element and those that were left open inside it."""
        if tag in _PARAGRAPHS or tag in _BREAKS:
            self._end()
        if any(name == tag for name, _ in self._stack):
            while self._pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Text inside a paragraph."""
        if self._inside and not self._hidden:
            self._text.append(data)

    def close(self) -> None:
        """The end of the page ends its last paragraph."""
        super().close()
        self._end()

    def _pop(self) -> str:
        tag, hidden = self._stack.pop()
        self._hidden -= hidden
        return tag

    def _end(self) -> None:
        if self._text:
            self.paragraphs.append("".join(self._text))
        self._text = []
        self._inside = False


def _html(path: Path) -> Iterator[str]:
    """The paragraphs of an HTML page."""
    page = _Page()
    page.feed(decode(path.read_bytes()))
    page.close()
    yield from page.paragraphs


def _factbook(path: Path) -> Iterator[str]:
    """Every text of a country profile."""

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from walk(inner)
        elif isinstance(value, str):
            yield from (strip_tags(piece) for piece in re.split(r"\s*\+\+\s*|<br\s*/?>|\n", value))

    yield from walk(json.loads(path.read_text(encoding="utf-8")))


_LONGEST_CODE = 160


def _code(path: Path) -> Iterator[str]:
    """Source code, line by line; the indentation stays, the licence at the top goes."""
    for raw in decode(path.read_bytes()).splitlines():
        line = raw.rstrip().replace("\t", "    ")
        if line and not BOILERPLATE.search(line) and len(line) <= _LONGEST_CODE and line.isprintable():
            yield line


def _string_array(path: Path) -> Iterator[str]:
    """A JavaScript file that holds one array of strings: the texts of an interface."""
    for match in re.finditer(r'^\s*("(?:[^"\\]|\\.)*"),?\s*$', path.read_text(encoding="utf-8"), re.MULTILINE):
        plain = str(json.loads(match.group(1)))
        if not re.search(r"\{\d+\}|`|\]\(", plain):
            yield plain.replace("&&", "")


def _gettext(path: Path) -> Iterator[str]:
    """The translations of a gettext catalogue, without those that have gaps to fill in."""
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r'^msgstr(?:\[\d\])? ((?:"(?:[^"\\\n]|\\.)*"\n)+)', text, re.MULTILINE):
        whole = "".join(str(ast.literal_eval(line)) for line in match.group(1).splitlines())
        if "Content-Type" not in whole and not re.search(r"%[(sd]|\{[a-z]", whole):
            yield strip_tags(whole)


def _list(path: Path) -> Iterator[str]:
    """A list with one entry a line."""
    yield from path.read_text(encoding="utf-8").splitlines()


def _addresses(path: Path) -> Iterator[str]:
    """Postal addresses, each on one line."""
    for entry in json.loads(path.read_text(encoding="utf-8"))["addresses"]:
        street = " ".join(part for part in (entry.get("address1"), entry.get("address2")) if part)
        yield f"{street}, {entry.get('city', '')}, {entry.get('state', '')} {entry.get('postalCode', '')}"


CLEANERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "wrapped": _wrapped,
    "gutenberg": _gutenberg,
    "lines": _lines,
    "speech": _speech,
    "rdata": _rdata,
    "sword": sword,
    "sword-dictionary": sword_dictionary,
    "dictd": dictd,
    "wordnet": wordnet,
    "html": _html,
    "factbook": _factbook,
    "code": _code,
    "string-array": _string_array,
    "gettext": _gettext,
    "list": _list,
    "addresses": _addresses,
}
