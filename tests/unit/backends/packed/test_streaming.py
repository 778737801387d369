"""Tensors come out of the files as they lie there, whatever the order and however small the pieces."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffdesk.backends.checkpoint import reading_explained
from diffdesk.backends.packed import streaming
from diffdesk.backends.packed.streaming import FORMATS, stream
from diffdesk.backends.safetensors_header import TensorEntry, read_header
from diffdesk.core.errors import Cancelled, CheckpointError

Tensors = dict[str, Tensor]
Entries = dict[str, TensorEntry]
SHAPES: tuple[tuple[int, ...], ...] = ((3, 7), (1,), (), (40,), (2, 3, 5), (0, 4), (129,), (5, 16))
BUFFERS = (4, 64, 100, 1 << 16)


def random_tensor(kind: str, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
    """Any bits whatever, NaN among them, of a format."""
    count = math.prod(shape)
    if not count:
        return torch.empty(shape, dtype=FORMATS[kind])
    raw = random.integers(0, 256, count * FORMATS[kind].itemsize, dtype=np.uint8)
    return torch.from_numpy(raw).view(FORMATS[kind]).reshape(shape)


def bits(tensor: Tensor) -> bytes:
    return b"" if not tensor.numel() else tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def write(path: Path, kinds: dict[str, str], tensors: Tensors, order: list[str]) -> None:
    """A file with its tensors in some order, without a byte between them, even where formats would like one."""
    header: dict[str, Any] = {}
    data = b""
    for name in order:
        raw = bits(tensors[name])
        places = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kinds[name], "shape": list(tensors[name].shape), "data_offsets": places}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def folder_of(folder: Path, seed: int, files: int = 3) -> tuple[Tensors, Entries]:
    """A folder with a tensor of each format and shape, in any order over some files."""
    random = np.random.default_rng(seed)
    kinds = {f"{kind}.{index}": kind for kind in FORMATS for index in range(len(SHAPES))}
    tensors = {name: random_tensor(kind, SHAPES[int(name[-1])], random) for name, kind in kinds.items()}
    names = random.permutation(list(tensors)).tolist()
    entries: Entries = {}
    for file in range(files):
        path = folder / f"model-{file}.safetensors"
        write(path, kinds, tensors, names[file::files])
        entries |= read_header(path)
    order = random.permutation(list(entries)).tolist()
    return tensors, {name: entries[name] for name in order}


def nothing(_share: float) -> None:
    """Progress that nobody looks at."""


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 30), buffer=st.sampled_from(BUFFERS), files=st.integers(1, 4))
def test_tensors_arrive_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, buffer: int, files: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    tensors, entries = folder_of(folder, seed, files)
    targets = {name: torch.zeros_like(one) for name, one in tensors.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "BUFFER_BYTES", buffer)
        stream(folder, entries, targets, nothing)
    for name, wanted in tensors.items():
        assert bits(targets[name]) == bits(wanted), name


@pytest.mark.parametrize("buffer", BUFFERS)
def test_targets_may_have_another_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer: int) -> None:
    monkeypatch.setattr(streaming, "BUFFER_BYTES", buffer)
    tensors, entries = folder_of(tmp_path, 5)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        targets = {name: torch.zeros(one.shape, dtype=dtype) for name, one in tensors.items()}
        stream(tmp_path, entries, targets, nothing)
        for name, wanted in tensors.items():
            torch.testing.assert_close(targets[name], wanted.to(dtype), rtol=0, atol=0, equal_nan=True)


def test_what_has_no_target_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BUFFER_BYTES", 64)
    tensors, entries = folder_of(tmp_path, 6)
    wanted = {name: one for name, one in tensors.items() if name.startswith(("BF16", "U8"))}
    targets = {name: torch.zeros_like(one) for name, one in wanted.items()}
    stream(tmp_path, entries, targets, nothing)
    assert {name: bits(one) for name, one in targets.items()} == {name: bits(one) for name, one in wanted.items()}
    shares: list[float] = []
    stream(tmp_path, entries, {}, shares.append)
    assert shares == [1.0]


def test_a_part_of_a_larger_tensor_may_be_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BUFFER_BYTES", 64)
    tensors, entries = folder_of(tmp_path, 7)
    joined = torch.zeros(9, 7)
    targets = {"F32.0": joined[0:3], "F16.0": joined[3:6], "BF16.0": joined[6:9]}
    stream(tmp_path, entries, targets, nothing)
    wanted = torch.cat([tensors[name].float() for name in targets])
    torch.testing.assert_close(joined, wanted, rtol=0, atol=0, equal_nan=True)


def test_progress_grows_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BUFFER_BYTES", 100)
    tensors, entries = folder_of(tmp_path, 8)
    shares: list[float] = []
    stream(tmp_path, entries, {name: torch.zeros_like(one) for name, one in tensors.items()}, shares.append)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert shares.count(1.0) == 1, "not all is done before it is"
    assert len(shares) > sum(one.nbytes for one in tensors.values()) // 100


def open_files(folder: Path) -> list[str]:
    return [one.path for one in psutil.Process().open_files() if Path(one.path).is_relative_to(folder.resolve())]


@pytest.mark.parametrize("kind", [Cancelled, KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("at", [0, 1, 9, -1])
def test_stopped_at_any_time_no_file_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[], BaseException], at: int
) -> None:
    monkeypatch.setattr(streaming, "BUFFER_BYTES", 100)
    tensors, entries = folder_of(tmp_path, 9)
    targets = {name: torch.zeros_like(one) for name, one in tensors.items()}
    were_open: list[bool] = []

    def stop(share: float) -> None:
        were_open.append(bool(open_files(tmp_path)))
        if len(were_open) == at + 1 or (at < 0 and share == 1.0):
            raise kind()

    with pytest.raises(kind):  # type: ignore[call-overload]
        stream(tmp_path, entries, targets, stop)
    assert any(were_open) == (at != 0)
    assert not open_files(tmp_path)


@pytest.mark.parametrize("left", [0, 5, 1000])
def test_a_file_that_was_cut_off_since_it_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    monkeypatch.setattr(streaming, "BUFFER_BYTES", 100)
    tensors, entries = folder_of(tmp_path, 10)
    file = tmp_path / "model-1.safetensors"
    assert file.stat().st_size > left
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        stream(tmp_path, entries, {name: torch.zeros_like(one) for name, one in tensors.items()}, nothing)
    assert "model-1.safetensors ends early" in caught.value.text
    assert caught.value.remedy
    assert not open_files(tmp_path)


def test_a_file_that_has_gone_is_said(tmp_path: Path) -> None:
    tensors, entries = folder_of(tmp_path, 11)
    (tmp_path / "model-2.safetensors").unlink()
    targets = {name: torch.zeros_like(one) for name, one in tensors.items()}
    with pytest.raises(CheckpointError, match="can't be read") as caught, reading_explained(tmp_path):
        stream(tmp_path, entries, targets, nothing)
    assert "model-2.safetensors" in caught.value.text
    assert not open_files(tmp_path)
