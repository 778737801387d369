"""Headers that are cut off, broken or made to do harm are found before anything trusts their numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffdesk.backends.safetensors_header import HeaderError, read_header
from tests.unit.backends.weights import write_safetensors

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "data", "said"),
    [
        ([], b"", "table of contents"),
        ({"a": 3}, b"", "describes"),
        ({"a": {**ONE, "dtype": 3}}, bytes(8), "describes"),
        ({"a": {**ONE, "dtype": "F99"}}, bytes(8), "number format"),
        ({"a": {**ONE, "shape": [-2]}}, bytes(8), "describes"),
        ({"a": {**ONE, "shape": [True]}}, bytes(8), "describes"),
        ({"a": {**ONE, "shape": [2**70, 2**70]}}, bytes(8), "disagree"),
        ({"a": {**ONE, "data_offsets": [0]}}, bytes(8), "describes"),
        ({"a": {**ONE, "data_offsets": [8, 0]}}, bytes(8), "disagree"),
        ({"a": {**ONE, "data_offsets": [4, 12]}}, bytes(12), "gaps"),
        ({"a": ONE, "b": ONE}, bytes(8), "overlap"),
        ({"a": ONE}, bytes(7), "cut off"),
        ({"a": ONE}, bytes(9), "longer"),
    ],
)
def test_headers_that_lie(tmp_path: Path, header: object, data: bytes, said: str) -> None:
    write_safetensors(tmp_path / "x.safetensors", header, data)
    with pytest.raises(HeaderError, match=said):
        read_header(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "0 bytes"),
        (b"1234567", "7 bytes"),
        ((2**63).to_bytes(8, "little"), "does not begin"),
        ((1000).to_bytes(8, "little") + b"{}", "cut off"),
        ((2).to_bytes(8, "little") + b"{]", "broken"),
        ((200_000).to_bytes(8, "little") + b"[" * 200_000, "broken"),
    ],
)
def test_beginnings_that_lie(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "x.safetensors").write_bytes(raw)
    with pytest.raises(HeaderError, match=said):
        read_header(tmp_path / "x.safetensors")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_surprise_the_reader(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "x.safetensors"
    path.write_bytes(raw)
    try:
        entries = read_header(path)
    except HeaderError:
        return
    assert sum(one.bytes for one in entries.values()) < len(raw)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_flipped_byte_is_an_error_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.safetensors"
    write_safetensors(path, {"a": ONE, "b": {**ONE, "data_offsets": [8, 16]}}, bytes(16))
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] = byte
    path.write_bytes(raw)
    try:
        entries = read_header(path)
    except HeaderError:
        return
    assert sum(one.bytes for one in entries.values()) == 16
