"""Files that are no GGUF, and every way in which one can be broken."""

from __future__ import annotations

import errno
import io
import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest

from diffdesk.backends.gguf import header
from diffdesk.backends.gguf.reader import map_parts, read_gguf
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import GgufWriter, TensorPlan, Value, ValueType
from diffdesk.core.errors import CheckpointError
from tests.unit.backends.gguf_reading import files
from tests.unit.backends.gguf_reading.plain import DATA, KEYS, PLANS, array, write


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write(tmp_path / "a.gguf")


# --- what is no GGUF ------------------------------------------------------------------------------


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("data.pkl", b"x")
    return made.getvalue()


SAFETENSORS = (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}').ljust(64)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds nothing"),
        (bytes(5000), "zeros only"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Please log in", "web page"),
        (b"<html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 16800000000\n", "Git LFS"),
        (struct.pack("<Q", 64) + SAFETENSORS + bytes(4), "safetensors"),
        (zipped(), "any code"),
        (b"\x80\x04\x95\x00\x00", "any code"),
        (b"tjgg" + bytes(20), "before GGUF"),
        (b'{"model_type": "diffusion_gemma"}', "JSON"),
        (b"hello, world", "does not begin as GGUF files do"),
        (b"GGU", "does not begin as GGUF files do"),
    ],
)
def test_a_file_that_is_no_gguf_is_told_what_it_looks_like(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_gguf(path)
    assert "a.gguf" in caught.value.text
    assert caught.value.remedy


def test_a_folder_and_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="folder"):
        read_gguf(tmp_path)
    for path in (tmp_path / "no.gguf", tmp_path / "no\0.gguf", write(tmp_path / "a.gguf") / "b.gguf"):
        with pytest.raises(CheckpointError, match="no such file"):
            read_gguf(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes and circular links in folders on Windows")
def test_a_pipe_and_a_circle_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    (tmp_path / "circle.gguf").symlink_to(tmp_path / "circle.gguf")
    with pytest.raises(CheckpointError, match="device or a pipe"):
        read_gguf(tmp_path / "pipe.gguf")
    with pytest.raises(CheckpointError, match="circle"):
        read_gguf(tmp_path / "circle.gguf")


def test_what_the_system_refuses_is_explained(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_gguf(sound)

    def fails(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(sound))

    monkeypatch.setattr(Path, "open", fails)
    for use in (lambda: read_gguf(sound), lambda: map_parts(found), array(found.metadata["a.texts"]).strings):
        with pytest.raises(CheckpointError, match="can't be read") as caught:
            use()
        assert "you may read this file" in caught.value.remedy


# --- what is broken -------------------------------------------------------------------------------


def test_a_file_that_is_cut_off_says_how_much_is_missing(sound: Path) -> None:
    last = list(read_gguf(sound).tensors.values())[-1]
    os.truncate(sound, last.offset + last.bytes - 7)
    with pytest.raises(CheckpointError, match=r"incomplete: .* 7 more are missing") as caught:
        read_gguf(sound)
    assert "download it again" in caught.value.remedy


def test_every_cut_through_the_header_is_found(sound: Path) -> None:
    whole = sound.read_bytes()
    end = next(iter(read_gguf(sound).tensors.values())).offset
    for length in range(4, end):
        sound.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"incomplete|damaged"):
            read_gguf(sound)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("version", 1, "version 1"),
        ("version", 4, "version 4; DiffDesk reads versions 2 and 3"),
        ("version", 0x03000000, "big-endian"),
        ("number of keys", 1 << 62, "claims 4,611,686,018,427,387,904 entries of metadata"),
        ("number of keys", 11, "damaged|incomplete"),
        ("number of tensors", 1 << 20, "entries of tensors"),
        ("number of tensors", 4, "damaged|incomplete"),
        ("key 0: length", 0, "key without a name"),
        ("key 0: length", (1 << 64) - 1, "longer than any file"),
        ("a.text: length", 1 << 63, "longer than any file"),
        ("a.text: length", 3, "no valid text for a.text"),
        ("a.u32: type", 13, "unknown type 13 for a.u32"),
        ("a.numbers: type of items", 9, "lists inside a list for a.numbers"),
        ("a.numbers: type of items", 77, "unknown type 77 for a.numbers"),
        ("a.numbers: count", 1 << 60, "longer than any file"),
        ("a.texts: count", 1 << 60, "claims 1,152,921,504,606,846,976 texts for a.texts"),
        ("a.texts: item 0: length", 1 << 63, "longer than any file"),
        ("tensor 0: length", 0, "too short"),
        ("one: dimensions", 0, "one of 0 dimensions"),
        ("one: dimensions", 5, "one of 5 dimensions"),
        ("one: size 0", 0, "one of an impossible shape"),
        ("one: size 0", (1 << 63) - 1, "one of an impossible shape"),
        ("one: size 1", 1 << 62, "one of an impossible shape"),
        ("one: size 1", 1 << 33, "incomplete"),
        ("one: type", 39, r"type 39 \(MXFP4\)"),
        ("one: type", 1234, "is of type 1234"),
        ("one: type", 8, r"wrong tensor one \(Q8_0\): a row of 3 values is no multiple of 32"),
        ("two: offset", 8, "two at a place that is not aligned"),
        ("two: offset", 0, "overlap: one, two|overlap: two, one"),
        ("three: offset", 1 << 62, "longer than any file"),
    ],
)
def test_a_wrong_number_anywhere_is_told(sound: Path, field: str, value: int, words: str) -> None:
    files.patch(sound, field, value)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_gguf(sound)
    assert caught.value.remedy


def test_names_twice_and_names_that_are_too_long(tmp_path: Path) -> None:
    long = TensorPlan("x" * 64, TensorType.F32, (3, 2))
    with GgufWriter(tmp_path / "long.gguf", KEYS, [long]) as made:
        made.write_next([DATA[0]])
        made.finish()
    with pytest.raises(CheckpointError, match="too long"):
        read_gguf(tmp_path / "long.gguf")
    with pytest.raises(CheckpointError, match="the tensor one twice"):
        read_gguf(write(tmp_path / "b.gguf", plans=[PLANS[0], PLANS[0]]))
    path = write(tmp_path / "a.gguf")
    path.write_bytes(path.read_bytes().replace(b"a.i32", b"a.u32", 1))
    with pytest.raises(CheckpointError, match=r"key a\.u32 twice"):
        read_gguf(path)


@pytest.mark.parametrize("alignment", [Value(ValueType.UINT32, one) for one in (0, 3, 48)] + [KEYS["a.text"]])
def test_an_alignment_that_is_none(tmp_path: Path, alignment: Value) -> None:
    path = write(tmp_path / "a.gguf", {**KEYS, "general.alignment": alignment})
    with pytest.raises(CheckpointError, match="power of two"):
        read_gguf(path)


def test_texts_that_are_no_utf_8(sound: Path) -> None:
    raw = sound.read_bytes()
    sound.write_bytes(raw.replace("▁▁".encode(), b"\xff" * 6, 1))
    texts = array(read_gguf(sound).metadata["a.texts"])
    with pytest.raises(CheckpointError, match=r"no valid text at place 2 of a\.texts"):
        texts.strings()
    sound.write_bytes(raw.replace(b"a.i32", b"a.i3\xff", 1))
    with pytest.raises(CheckpointError, match="no valid text for a key"):
        read_gguf(sound)


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("MOST_TEXT", 60, "far too much text"), ("MOST_ITEMS", 3, "claims 4 texts"), ("MOST_KEYS", 5, "entries of meta")],
)
def test_headers_that_would_fill_the_memory(
    sound: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    monkeypatch.setattr(header, limit, value)
    with pytest.raises(CheckpointError, match=words):
        read_gguf(sound)


def test_names_from_a_file_can_t_disturb_a_message(tmp_path: Path) -> None:
    name = "\x1b[31m\n" + "very long " * 500
    path = write(tmp_path / "a.gguf", {name: Value(ValueType.UINT32, 1)})
    files.patch(path, f"{name}: type", 99)
    with pytest.raises(CheckpointError) as caught:
        read_gguf(path)
    assert caught.value.text.isprintable()
    assert len(caught.value.text) < 200
