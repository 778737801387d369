"""Hundreds of broken files: each is opened or refused with a clear message, and none crashes, hangs or swells."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from diffdesk.backends.gguf.layout import OWN_TOKENIZER_KEY
from diffdesk.backends.gguf.writer import Value, ValueType
from tests.unit.backends import tiny
from tests.unit.backends.gguf_reading import files
from tests.unit.backends.gguf_reading.watch import Harm, Told

ROOT = Path(__file__).parents[4]
PATIENCE = 280  # seconds until a child counts as hanging; it takes a few
ROOM = 200 << 20  # bytes that a process may take beside the file
FLIPS, CUTS, WORDS = 120, 60, 60


def mutations(raw: bytes, seed: int) -> Iterator[Harm]:
    """The file with each length, count, type, size and place in turn a hostile number; cut off; with bits and words
    changed, more often in the header.
    """
    chance = random.Random(seed)
    listed = files.fields(raw)
    header = listed[-1].place + 8

    def place(most: int) -> int:
        return chance.randrange(header - 8 if chance.random() < 0.8 else most)

    for field in listed:
        value = chance.choice(list(files.hostile(field, len(raw))))
        yield Harm(((field.place, struct.pack(f"<{field.form}", value).hex()),))
    for _ in range(CUTS):
        yield Harm(size=place(len(raw)))
    for count in (1, 3, 40):
        for _ in range(FLIPS // 3):
            places = {place(len(raw)): 1 << chance.randrange(8) for _ in range(count)}
            yield Harm(tuple((one, f"{raw[one] ^ bit:02x}") for one, bit in places.items()))
    for _ in range(WORDS):
        yield Harm(((place(header - 8), chance.randbytes(8).hex()),))


def answer(task: str, path: Path, harms: list[Harm]) -> Any:
    """What a child process, which must live to the end, says of the file harmed in each of the ways."""
    listed = path.with_suffix(".json")
    listed.write_text(json.dumps([asdict(one) for one in harms]), encoding="utf-8")
    command = [sys.executable, "-m", "tests.unit.backends.gguf_reading.watch", task, str(path), str(listed)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def watched(path: Path, harms: list[Harm]) -> list[Told]:
    """What became of the file, harmed in each of the ways."""
    told: list[Told] = answer("bear", path, harms)
    assert len(told) == len(harms)
    return told


def published(folder: Path) -> Path:
    """A file as they are published."""
    return files.small(folder / "published.gguf")


def own(folder: Path) -> Path:
    """A file with a tokenizer and settings of its own."""
    tiny.tokenizer().save(str(folder / "tokenizer.json"))
    keys = {
        OWN_TOKENIZER_KEY: Value(ValueType.STRING, (folder / "tokenizer.json").read_text(encoding="utf-8")),
        "diffdesk.end_ids": Value(ValueType.UINT32, [1, 6]),
        "diffusion.eb_t_max": Value(ValueType.FLOAT32, 0.8),
    }
    return files.small(folder / "own.gguf", keys)


@pytest.mark.parametrize(("make", "seed"), [(published, 1), (own, 2)])
def test_no_broken_file_crashes_hangs_or_swells(tmp_path: Path, make: Callable[[Path], Path], seed: int) -> None:
    path = make(tmp_path)
    harms = list(mutations(path.read_bytes(), seed))
    assert len(harms) > 500
    told = watched(path, harms)
    for harm, one in zip(harms, told, strict=True):
        assert one["peak"] <= path.stat().st_size + ROOM, harm
        assert one["reader"] is None or one["error"] is not None
        for error in (one["reader"], one["error"]):
            if error is not None:
                assert_clear(error)
    refused = sum(one["error"] is not None for one in told)
    assert len(told) // 2 < refused < len(told)  # flipped bits of weights are no fault that could be seen


def assert_clear(error: dict[str, str]) -> None:
    """A message with title, text and remedy, short and fit to be shown."""
    assert error["kind"] == "checkpoint"
    for part in ("title", "text", "remedy"):
        assert error[part]
        assert len(error[part]) < 500
        assert error[part].isprintable()


def test_claims_of_huge_lengths_take_no_memory(tmp_path: Path) -> None:
    """A file with a hole of 64 GB after it, in which everything that is claimed could lie."""
    path = files.small(tmp_path / "a.gguf")
    size = 64 << 30
    try:
        with (tmp_path / "hole").open("wb") as file:
            file.truncate(size)
    except OSError:
        pytest.skip("this disk can't hold files with large holes")
    counts = [
        one for one in files.fields(path.read_bytes()) if one.name.endswith(("length", "count", "tensors", "keys"))
    ]
    fields = [one for one in counts if one.form == "Q"]
    harms = [Harm(((one.place, struct.pack("<Q", 1 << 33).hex()),), size) for one in fields]
    for field, one in zip(fields, watched(path, harms), strict=True):
        assert one["error"] is not None, field
        assert_clear(one["error"])
        assert one["peak"] < ROOM, field


def test_what_is_accepted_of_broken_files_can_be_run(tmp_path: Path) -> None:
    """A shape that makes no sense would end the process inside ggml."""
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    path = published(tmp_path)
    harms = list(mutations(path.read_bytes(), 3))[::2]
    told = answer("run", path, harms)
    assert sum(told.values()) == len(harms)
    assert told["ran"] > 20
    assert told["refused"] > 100
