"""Makes ``resources/fonts/invisible.ttf``: the font of the text that lies, unseen, over the pages of a searchable PDF.

    python packaging/make_invisible_font.py

A glyph for each width that `text_layer` gives a character, and nothing to see in any of them: its outline is a line
from corner to corner and back, which encloses no area but gives it its extent. (Where glyphs are empty, PDFium takes a
word of one letter for no word.) Viewers need the font for its measures alone; what a character means stands in the
PDF's own table. Written by hand after the description of the format (learn.microsoft.com/typography/opentype/spec), so
that nothing has to be installed for it.
"""

from __future__ import annotations

import struct
from pathlib import Path

from diffdesk.documents.exports.text_layer import ASCENT, DESCENT, FONT_NAME, GLYPH_WIDTHS

TARGET = Path(__file__).resolve().parent.parent / "resources" / "fonts" / "invisible.ttf"

_UNITS = 1000
_WIDEST = max(GLYPH_WIDTHS)
_GLYPHS = len(GLYPH_WIDTHS)
_EPOCH = 3_786_825_600  # 2024-01-01 in seconds since 1904: the same bytes at every run


def font_file() -> bytes:
    """The font as the bytes of a TrueType file."""
    glyphs = [_glyph(width) if width else b"" for width in GLYPH_WIDTHS]
    places = [sum(map(len, glyphs[:number])) // 2 for number in range(_GLYPHS + 1)]
    horizontal = (ASCENT, DESCENT, 0, _WIDEST)
    tables = {
        b"OS/2": _os2(),
        b"cmap": struct.pack(">HHHHI", 0, 1, 3, 1, 12) + _cmap_format_4(),
        b"glyf": b"".join(glyphs),
        b"head": _head(0),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, *horizontal, 0, 0, _WIDEST, 1, *[0] * 7, _GLYPHS),
        b"hmtx": b"".join(struct.pack(">Hh", width, 0) for width in GLYPH_WIDTHS),
        b"loca": struct.pack(f">{_GLYPHS + 1}H", *places),
        b"maxp": struct.pack(">I14H", 0x10000, _GLYPHS, 3, 1, 0, 0, 2, *[0] * 8),
        b"name": _names(),
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, -100, 50, 0, 0, 0, 0, 0),
    }
    whole = _assembled(tables)
    tables[b"head"] = _head((0xB1B0AFBA - _checksum(whole)) & 0xFFFFFFFF)
    return _assembled(tables)


def _glyph(width: int) -> bytes:
    """A line from the lower left to the upper right corner, over the middle, and back."""
    head = struct.pack(">h4hHH", 1, 0, DESCENT, width, ASCENT, 2, 0)
    half, middle = width // 2, (ASCENT - DESCENT) // 2
    across, down = (0, half, width - half), (DESCENT, middle, middle)
    data = head + bytes([1, 1, 1]) + struct.pack(">6h", *across, *down)
    return data + bytes(len(data) % 2)


def _head(adjustment: int) -> bytes:
    box = (0, DESCENT, _WIDEST, ASCENT)
    start = struct.pack(">IIIIHH", 0x10000, 0x10000, adjustment, 0x5F0F3CF5, 3, _UNITS)
    return start + struct.pack(">QQ4hHHhhh", _EPOCH, _EPOCH, *box, 0, 8, 2, 0, 0)


def _os2() -> bytes:
    first = struct.pack(">HhHHH", 3, 500, 400, 5, 0)
    second = struct.pack(">11h10s4I4s", *[0] * 11, bytes(10), 0, 0, 0, 0, b"DIFF")
    third = struct.pack(">HHHhhhHHII", 0x40, 0x20, 0x20, ASCENT, DESCENT, 0, ASCENT, -DESCENT, 1, 0)
    return first + second + third + struct.pack(">hhHHH", 500, 700, 0, 0x20, 1)


def _cmap_format_4() -> bytes:
    """The space is glyph 1; the segment that ends every such table says that nothing else is there."""
    ends, starts, deltas, offsets = (0x20, 0xFFFF), (0x20, 0xFFFF), (-0x1F & 0xFFFF, 1), (0, 0)
    segments = struct.pack(">2HH2H2H2H", *ends, 0, *starts, *deltas, *offsets)
    return struct.pack(">HHHHHHH", 4, 14 + len(segments), 0, 4, 4, 1, 0) + segments


def _names() -> bytes:
    texts = {1: FONT_NAME, 2: "Regular", 3: FONT_NAME, 4: FONT_NAME, 5: "Version 1.0", 6: FONT_NAME}
    records, heap = b"", b""
    for number, text in texts.items():
        data = text.encode("utf-16-be")
        records += struct.pack(">6H", 3, 1, 0x409, number, len(data), len(heap))
        heap += data
    return struct.pack(">3H", 0, len(texts), 6 + len(records)) + records + heap


def _assembled(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = count.bit_length() - 1
    head = struct.pack(">IHHHH", 0x10000, count, 16 << power, power, 16 * count - (16 << power))
    at, body = len(head) + 16 * count, b""
    for tag, data in sorted(tables.items()):
        # A font's own checksum is counted as if it were not there.
        counted = data[:8] + bytes(4) + data[12:] if tag == b"head" else data
        head += tag + struct.pack(">III", _checksum(counted), at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return head + body


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(font_file())
    print(f"{TARGET}: {len(font_file())} bytes")
