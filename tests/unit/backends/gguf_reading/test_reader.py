"""GGUF files read back: keys, arrays, tensors, parts and maps."""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diffdesk.backends.gguf import header, reader
from diffdesk.backends.gguf.reader import StoredTensor, map_parts, read_gguf, whole_name
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import Value, ValueType
from diffdesk.core.errors import CheckpointError
from tests.unit.backends.gguf_reading import files
from tests.unit.backends.gguf_reading.plain import DATA, KEYS, PLANS, array, write


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write(tmp_path / "a.gguf")


# --- what is there --------------------------------------------------------------------------------


def test_single_values_are_read_as_they_were_written(sound: Path) -> None:
    found = read_gguf(sound).metadata
    assert list(found) == list(KEYS)
    for key in ("a.u32", "a.i32", "a.f32", "a.u64", "a.flag", "a.text"):
        assert found[key] == KEYS[key].data
        assert type(found[key]) is type(KEYS[key].data)


def test_arrays_are_left_in_the_file_until_they_are_asked_for(sound: Path) -> None:
    found = read_gguf(sound).metadata
    texts = array(found["a.texts"])
    assert (texts.count, texts.is_text) == (4, True)
    assert texts.strings() == ["", "é", "▁▁", "é"]
    assert texts.places(["é", "", "nothing"]) == {"": 0, "é": 1}
    assert array(found["a.none"]).strings() == []
    assert array(found["a.numbers"]).numbers().tolist() == [1, -2, 3]
    assert array(found["a.flags"]).numbers().tolist() == [True, False]
    with pytest.raises(CheckpointError, match=r"a\.texts should list numbers"):
        texts.numbers()
    with pytest.raises(CheckpointError, match=r"a\.flags should list texts"):
        array(found["a.flags"]).strings()


def test_tensors_have_their_places_and_their_bytes(sound: Path) -> None:
    found = read_gguf(sound)
    assert list(found.tensors) == [plan.name for plan in PLANS]
    (data,) = map_parts(found)
    assert data.dtype == np.uint8
    for plan, expected in zip(PLANS, DATA, strict=True):
        one = found.tensors[plan.name]
        assert (one.kind, one.shape, one.part, one.bytes) == (plan.kind, plan.shape, 0, plan.bytes)
        assert bytes(data[one.offset : one.offset + one.bytes]) == expected
    with pytest.raises(ValueError, match="read-only"):
        data[0] = 1


def raw_file(version: int, kind: int, packed: bytes) -> bytes:
    """A file with one key of a type that our writer doesn't write, and no tensors."""
    return b"GGUF" + struct.pack("<IQQQ", version, 0, 1, 1) + b"k" + struct.pack("<I", kind) + packed


@pytest.mark.parametrize(
    ("kind", "packed", "value"),
    [
        (0, b"\xff", 255),
        (1, b"\xff", -1),
        (2, b"\xff\xff", 65535),
        (3, b"\xfe\xff", -2),
        (7, b"\x02", True),
        (11, struct.pack("<q", -(1 << 40)), -(1 << 40)),
        (12, struct.pack("<d", 0.1), 0.1),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_every_type_of_number_and_both_versions(
    tmp_path: Path, version: int, kind: int, packed: bytes, value: object
) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(raw_file(version, kind, packed))
    assert read_gguf(path).metadata == {"k": value}
    path.write_bytes(raw_file(version, 9, struct.pack("<IQ", kind, 2) + 2 * packed))
    assert array(read_gguf(path).metadata["k"]).numbers().tolist() == [value, value]


def test_a_header_longer_than_what_is_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"word {index}" for index in range(5000)]
    path = write(tmp_path / "a.gguf", {**KEYS, "long": Value(ValueType.STRING, words), "last": KEYS["a.u32"]})
    monkeypatch.setattr(header, "WINDOW", 100)
    found = read_gguf(path)
    assert array(found.metadata["long"]).strings() == words
    assert found.metadata["last"] == 7
    assert list(found.tensors) == ["one", "two", "three"]


@pytest.mark.parametrize("alignment", [1, 8, 256, 4096])
def test_files_may_align_their_tensors_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alignment: int
) -> None:
    monkeypatch.setattr("diffdesk.backends.gguf.writer.ALIGNMENT", alignment)
    path = write(tmp_path / "a.gguf", {**KEYS, "general.alignment": Value(ValueType.UINT32, alignment)})
    found = read_gguf(path)
    (data,) = map_parts(found)
    for one, expected in zip(found.tensors.values(), DATA, strict=True):
        assert one.offset % alignment == 0
        assert bytes(data[one.offset : one.offset + one.bytes]) == expected


def test_a_file_may_lack_the_padding_after_its_last_tensor(sound: Path) -> None:
    last = list(read_gguf(sound).tensors.values())[-1]
    os.truncate(sound, last.offset + last.bytes)
    assert len(read_gguf(sound).tensors) == 3


# --- parts ----------------------------------------------------------------------------------------


def split(folder: Path, second: tuple[int, int] = (1, 3), tensors: int = 3) -> list[Path]:
    """A model in parts as llama.cpp splits them: all keys in the first one, a tensor in each.

    `second` is what the second part says of its number and of how many there are.
    """
    paths = []
    for index, (number, count) in enumerate([(0, 3), second, (2, 3)]):
        keys = {
            **(KEYS if index == 0 else {}),
            "split.no": Value(ValueType.UINT32, number),
            "split.count": Value(ValueType.UINT32, count),
            "split.tensors.count": Value(ValueType.INT32, tensors),
        }
        paths.append(folder / f"model-{index + 1:05}-of-00003.gguf")
        write(paths[-1], keys, [PLANS[index]])
    return paths


def test_any_part_opens_all_of_them(tmp_path: Path) -> None:
    paths = split(tmp_path)
    for path in paths:
        found = read_gguf(path)
        assert found.parts == tuple(paths)
        assert found.sizes == tuple(one.stat().st_size for one in paths)
        assert found.metadata["a.text"] == "naïve ▁"
        assert [one.part for one in found.tensors.values()] == [0, 1, 2]
        data = map_parts(found)
        for one, expected in zip(found.tensors.values(), DATA, strict=True):
            assert bytes(data[one.part][one.offset : one.offset + one.bytes]) == expected
    assert whole_name(paths[1]) == "model"
    assert whole_name(Path("x/single.gguf")) == "single"


def test_missing_parts_are_named(tmp_path: Path) -> None:
    paths = split(tmp_path)
    paths[0].unlink()
    paths[1].unlink()
    with pytest.raises(CheckpointError, match=r"2 of 3 files: model-00001-of-00003\.gguf, model-00002-of-00003\.gguf"):
        read_gguf(paths[2])


def test_a_part_that_was_renamed(tmp_path: Path) -> None:
    path = split(tmp_path)[1].rename(tmp_path / "mine.gguf")
    with pytest.raises(CheckpointError, match=r"one of 3 parts") as caught:
        read_gguf(path)
    assert "-00001-of-00003.gguf" in caught.value.remedy


@pytest.mark.parametrize("second", [(2, 3), (1, 2)])
def test_parts_that_don_t_belong_together(tmp_path: Path, second: tuple[int, int]) -> None:
    with pytest.raises(CheckpointError, match=r"model-00002-of-00003\.gguf is not part 2 of 3"):
        read_gguf(split(tmp_path, second)[0])


def test_parts_with_too_few_or_repeated_tensors(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"should hold 9 tensors, not 3"):
        read_gguf(split(tmp_path, tensors=9)[0])
    for one in tmp_path.iterdir():
        one.unlink()
    paths = split(tmp_path)
    paths[2].unlink()
    keys = {"split.no": Value(ValueType.UINT32, 2), "split.count": Value(ValueType.UINT32, 3)}
    write(paths[2], keys, [PLANS[0]])
    with pytest.raises(CheckpointError, match="repeats tensors of another part: one"):
        read_gguf(paths[0])


def test_a_name_like_a_part_s_alone_makes_no_part(tmp_path: Path) -> None:
    assert len(read_gguf(write(tmp_path / "model-00002-of-00003.gguf")).parts) == 1


# --- maps and changes ----------------------------------------------------------------------------


def another(path: Path) -> None:
    write(path, {**KEYS, "a.texts": Value(ValueType.STRING, ["longer " * 100, "x"])})


def shorter(path: Path) -> None:
    os.truncate(path, 100)


@pytest.mark.parametrize("change", [another, shorter])
def test_a_file_that_changes_after_it_was_read(sound: Path, change: Callable[[Path], None]) -> None:
    found = read_gguf(sound)
    change(sound)
    with pytest.raises(CheckpointError, match="has changed"):
        array(found.metadata["a.texts"]).strings()
    with pytest.raises(CheckpointError, match="has changed"):
        map_parts(found)


@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "no"), OverflowError(), MemoryError(), ValueError()])
def test_no_room_for_a_map(sound: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    found = read_gguf(sound)
    monkeypatch.setattr(mmap, "mmap", fails)
    with pytest.raises(CheckpointError, match="can't be mapped"):
        map_parts(found)


def test_what_is_accepted_is_asked_before_tensors_are_judged(sound: Path) -> None:
    files.patch(sound, "one: type", 39)
    seen: list[tuple[object, int]] = []

    def accept(path: Path, metadata: reader.Metadata, tensors: int) -> None:
        seen.append((metadata["a.u32"], tensors))
        raise CheckpointError("No", "No.")

    with pytest.raises(CheckpointError, match="No"):
        read_gguf(sound, accept)
    assert seen == [(7, 3)]


def test_a_tensor_s_size_is_that_of_its_blocks() -> None:
    assert StoredTensor(TensorType.Q6_K, (256, 10, 2), 0, 0).bytes == 20 * 210
