"""Readers of dictionaries and Bible modules: the files of the SWORD library and of the DICT protocol.

Each reader turns one file of a package into raw paragraphs.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from starter.cleaning import decode, sentences, strip_tags, tidy, typed

_PARAGRAPH_MARK = re.compile(
    r"<(?:lb|p|l|lg|div|milestone)\b[^>]*(?:x-p|begin-paragraph|end-paragraph|type=\"(?:section|introduction|paragraph))"
    r"[^>]*>|</?p>|<p\b[^>]*>|</div>|<title\b|<lb\s*/>|<lg\b|</lg>|¶"
)
_ASIDE = re.compile(
    r"<note\b.*?</note>|<title\b.*?</title>|<reference\b[^>]*annotateRef.*?</reference>", re.DOTALL | re.IGNORECASE
)
_CROSS_REFERENCE = re.compile(r"\(?,? ?See Scofield \"[^\"]*\"\)?")
_TRANSCRIBED_HEBREW = re.compile(r"\s*\((?=[^)\s]*[a-z][A-Z])[^)\s]{2,14}\)")


def sword(path: Path) -> Iterator[str]:
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
        running += " " + strip_tags(pieces[0])
        for piece in pieces[1:]:
            yield from _flush(running)
            running = strip_tags(piece)
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


def sword_dictionary(path: Path) -> Iterator[str]:
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
                yield re.sub(r"^\s*→\s*|\s*→\s*$", "", strip_tags(piece))


def dictd(path: Path) -> Iterator[str]:
    """A dictionary in the DICT format: indented paragraphs under headwords."""
    text = typed(decode(gzip.decompress(path.read_bytes())))
    text = re.sub(r"\{([^{}]*)\}", lambda match: " ".join(match.group(1).split()), text)
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.split("\n") if line.strip()]
        if len(lines) > 1 and max(len(line) for line in lines) < 60:
            yield from (line.strip() for line in lines)
        else:
            yield " ".join(line.strip() for line in lines)


def wordnet(path: Path) -> Iterator[str]:
    """Definitions and examples of WordNet in the DICT format, without the lists of synonyms."""
    text = decode(gzip.decompress(path.read_bytes()))
    text = re.sub(r"\[(?:syn|ant|also):.*?\]", " ", text, flags=re.DOTALL)
    for entry in re.split(r"\n(?=\S)", text):
        head, _, body = entry.partition("\n")
        for sense in re.split(r"\n\s+(?:(?:n|v|adj|adv)\s+)?(?:\d+)?:\s", "\n" + body)[1:]:
            yield f"{head.strip()}: {' '.join(sense.split()).strip(' ;')}"
