"""The codes of characters in a PDF's invisible text, and how wide they are."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from diffdesk.documents.exports.text_layer import GLYPH_WIDTHS, Codes, advance, number


def test_a_character_has_one_code_and_a_new_one_the_next() -> None:
    codes = Codes()
    assert codes.of("abca") == "0001000200030001"
    assert codes.of("🙂") == "0004"
    tables = codes.tables()
    assert b"<0004> <D83DDE42>" in tables.to_unicode
    assert len(tables.widths) == 4


def test_more_characters_than_codes_are_written_all_the_same() -> None:
    codes = Codes()
    everything = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x20000)]))
    written = codes.of(everything)
    assert len(written) == 4 * len(everything)
    assert written[-4:] == codes.of("\ufffd")
    assert len(codes.tables().widths) <= 0xFFFF


@given(st.text(max_size=20))
def test_each_code_has_a_glyph_of_its_width(text: str) -> None:
    codes = Codes()
    codes.of(text)
    tables = codes.tables()
    glyphs = struct.unpack(f">{len(tables.widths) + 1}H", tables.glyph_of)
    assert (
        [GLYPH_WIDTHS[glyph] for glyph in glyphs[1:]] == tables.widths == [advance(one) for one in dict.fromkeys(text)]
    )


@given(st.floats(-1e5, 1e5))
def test_numbers_are_written_without_exponents(value: float) -> None:
    written = number(value)
    assert "e" not in written
    assert abs(float(written) - value) < 1e-6
