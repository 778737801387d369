"""The writer alone: what it writes, where it goes on, and what it says when the disk doesn't play along."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import GgufWriter, TensorPlan, Value, ValueType
from diffdesk.core.errors import Cancelled, UserError
from tests.unit.backends.gguf_conversion.reader import read

KEYS = {
    "a.u32": Value(ValueType.UINT32, 7),
    "a.i32": Value(ValueType.INT32, -7),
    "a.f32": Value(ValueType.FLOAT32, 0.5),
    "a.u64": Value(ValueType.UINT64, 1 << 40),
    "a.flag": Value(ValueType.BOOL, True),
    "a.text": Value(ValueType.STRING, "naïve ▁"),
    "a.texts": Value(ValueType.STRING, ["", "é"]),
    "a.flags": Value(ValueType.BOOL, (True, False)),
    "a.numbers": Value(ValueType.INT32, [1, -2, 3]),
    "a.none": Value(ValueType.STRING, []),
}
PLANS = [
    TensorPlan("one", TensorType.F32, (3, 2)),
    TensorPlan("two", TensorType.F16, (5,)),
    TensorPlan("three", TensorType.Q8_0, (32, 4)),
]
DATA = [bytes(range(1, plan.bytes + 1)) for plan in PLANS]


def write(path: Path, upto: int = 3, source: str = "") -> int:
    """Write tensors up to a number; gives how many an earlier attempt had left."""
    with GgufWriter(path, KEYS, PLANS, source) as made:
        there = made.complete
        for data in DATA[there:upto]:
            made.write_next([data[:5], data[5:]])
        if upto == len(PLANS):
            made.finish()
    return there


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write(tmp_path / "a.gguf")
    found = read(tmp_path / "a.gguf")
    assert found.keys == {key: list(one.data) if isinstance(one.data, list | tuple) else one.data
                          for key, one in KEYS.items()}  # fmt: skip
    assert found.types == {key: int(one.kind) for key, one in KEYS.items()}
    assert [(name, one.kind, one.shape) for name, one in found.tensors.items()] == [
        (plan.name, int(plan.kind), plan.shape) for plan in PLANS
    ]
    assert [one.data for one in found.tensors.values()] == DATA
    assert [one.name for one in tmp_path.iterdir()] == ["a.gguf"]


def test_it_goes_on_after_the_last_complete_tensor(tmp_path: Path) -> None:
    write(tmp_path / "whole.gguf")
    assert write(tmp_path / "a.gguf", upto=2) == 0
    with (tmp_path / "a.gguf.part").open("ab") as file:
        file.write(b"half a tensor")
    assert write(tmp_path / "a.gguf") == 2
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()


@pytest.mark.parametrize("harm", ["source", "header", "shorter", "journal", "no journal"])
def test_it_begins_anew_where_the_earlier_attempt_is_another_or_damaged(tmp_path: Path, harm: str) -> None:
    write(tmp_path / "whole.gguf")
    write(tmp_path / "a.gguf", upto=2)
    part, journal = tmp_path / "a.gguf.part", tmp_path / "a.gguf.part.json"
    if harm == "header":
        part.write_bytes(b"X" + part.read_bytes()[1:])
    elif harm == "shorter":
        part.write_bytes(part.read_bytes()[:-1])
    elif harm == "journal":
        journal.write_text("[1")
    elif harm == "no journal":
        journal.unlink()
    assert write(tmp_path / "a.gguf", source="another" if harm == "source" else "") == 0
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()


def test_too_many_and_too_few_bytes_are_bugs(tmp_path: Path) -> None:
    with GgufWriter(tmp_path / "a.gguf", KEYS, PLANS) as made, pytest.raises(ValueError, match="more"):
        made.write_next([DATA[0], b"x"])
    with GgufWriter(tmp_path / "b.gguf", KEYS, PLANS) as made:
        with pytest.raises(ValueError, match="missing"):
            made.write_next([DATA[0][1:]])
        with pytest.raises(ValueError, match="missing"):
            made.finish()
    assert not (tmp_path / "b.gguf").exists()


def test_what_stops_the_values_comes_through_and_keeps_what_is_complete(tmp_path: Path) -> None:
    def cancelled() -> Iterator[bytes]:
        yield DATA[1][:4]
        raise Cancelled

    with GgufWriter(tmp_path / "a.gguf", KEYS, PLANS) as made:
        made.write_next([DATA[0]])
        with pytest.raises(Cancelled):
            made.write_next(cancelled())
    assert write(tmp_path / "a.gguf") == 1
    assert [one.data for one in read(tmp_path / "a.gguf").tensors.values()] == DATA


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind on Windows")
def test_a_full_disk_is_told_and_the_rest_can_be_written_later(tmp_path: Path) -> None:
    import resource

    write(tmp_path / "whole.gguf")
    write(tmp_path / "a.gguf", upto=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "a.gguf.part").stat().st_size + 70, limits[1]))
    try:
        with pytest.raises(UserError, match="disk is full") as caught:
            write(tmp_path / "a.gguf")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "goes on" in caught.value.remedy
    assert write(tmp_path / "a.gguf") == 2
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()


def test_a_disk_without_room_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage)
    with pytest.raises(UserError, match="not enough room"):
        write(tmp_path / "a.gguf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "words"), [(errno.EROFS, "not allowed"), (errno.ENOSPC, "disk is full"), (errno.EIO, "can't be written")]
)
def test_refusals_of_the_system_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(UserError, match=words) as caught:
        write(tmp_path / "a.gguf")
    assert caught.value.remedy
    assert not (tmp_path / "a.gguf").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked on Windows")
def test_two_writers_of_one_file_are_kept_apart(tmp_path: Path) -> None:
    with GgufWriter(tmp_path / "a.gguf", KEYS, PLANS) as made:
        made.write_next([DATA[0]])
        with pytest.raises(UserError, match="being written"):
            GgufWriter(tmp_path / "a.gguf", KEYS, PLANS)
        for data in DATA[1:]:
            made.write_next([data])
        made.finish()
    assert [one.data for one in read(tmp_path / "a.gguf").tensors.values()] == DATA
