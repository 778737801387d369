"""A child process that opens files and tells how that went and how much memory it took.

``python -m tests.unit.backends.gguf_reading.watch open FILE`` opens one; ``… bear FILE HARMS`` opens it again and
again, each time harmed in another way of a JSON list; ``… run FILE HARMS`` also runs what is accepted for a step. The
answer is JSON on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import psutil

from diffdesk.backends.ggml.tokenizer import load_tokenizer
from diffdesk.backends.gguf.model_file import inspect_gguf
from diffdesk.backends.gguf.reader import map_parts, read_gguf
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import CheckpointError, UserError
from diffdesk.core.requests import ModelSpec

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Harm:
    """What is done to a file: bytes (hexadecimal) that are put at places, and its new size; the old one if None."""

    patches: tuple[tuple[int, str], ...] = ()
    size: int | None = None

    def done_to(self, raw: bytes, path: Path) -> None:
        """Write the harmed file."""
        harmed = bytearray(raw)
        for place, patch in self.patches:
            harmed[place : place + len(patch) // 2] = bytes.fromhex(patch)
        path.write_bytes(harmed)
        if self.size is not None:
            os.truncate(path, self.size)


class Told(TypedDict):
    """What became of a harmed file: the peak of memory so far, and the errors of reading and of inspecting."""

    size: int
    peak: int
    reader: dict[str, str] | None
    error: dict[str, str] | None


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    if _STATUS.exists():  # on Linux getrusage begins with what the parent held
        return int(_STATUS.read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) * 1024
    held = psutil.Process().memory_info()
    return int(getattr(held, "peak_wset", held.rss))


def opened(path: Path) -> dict[str, float]:
    """Open a sound file as far as it goes without running it; figures of each stage."""
    begin, before = time.perf_counter(), peak_bytes()
    read_gguf(path)
    facts = inspect_gguf(path)
    parts = map_parts(facts.file)
    opened_at = time.perf_counter()
    figures: dict[str, float] = {
        "bytes_before": before,
        "seconds_to_open": opened_at - begin,
        "bytes_opened": peak_bytes(),
        "tensors": len(facts.tensors),
        "size": sum(part.nbytes for part in parts),
        "keys": len(facts.metadata),
    }
    tokenizer = load_tokenizer(facts)
    loaded_at = time.perf_counter()
    text = "гвоздика в саду, ёж и щавель;\n" * 190
    ids = tokenizer.encode(text)
    done_at = time.perf_counter()
    return figures | {
        "seconds_to_load_the_tokenizer": loaded_at - opened_at,
        "bytes_with_the_tokenizer": peak_bytes(),
        "seconds_to_encode": done_at - loaded_at,
        "encoded_characters": len(text),
        "encoded_tokens": len(ids),
        "comes_back": tokenizer.decode(ids) == text,
    }


def borne(path: Path, harms: list[Harm]) -> list[Told]:
    """Open a file harmed in each of the ways."""
    raw, harmed = path.read_bytes(), path.with_name(f"harmed-{path.name}")
    found: list[Told] = []
    for harm in harms:
        harm.done_to(raw, harmed)
        told: Told = {"size": harmed.stat().st_size, "peak": 0, "reader": None, "error": None}
        try:
            read_gguf(harmed)
        except CheckpointError as error:
            told["reader"] = error.to_wire()
        try:
            _use(harmed)
        except CheckpointError as error:
            told["error"] = error.to_wire()
        told["peak"] = peak_bytes()
        found.append(told)
    return found


def _use(path: Path) -> None:
    """All that may be done with a file that was found sound: touch every tensor, and its words."""
    facts = inspect_gguf(path)
    parts = map_parts(facts.file)
    for name, one in facts.tensors.items():
        data = parts[one.part][one.offset : one.offset + one.bytes]
        if data.nbytes != one.bytes:
            raise AssertionError(f"{name} reaches over its file")
        data.sum()
    load_tokenizer(facts).encode("a <|turn> ж\n")


def run(path: Path, harms: list[Harm]) -> dict[str, int]:
    """Load and run a file harmed in each of the ways; how often it was refused, failed with an error, or ran."""
    from diffdesk.backends.ggml.loading import load

    raw, harmed = path.read_bytes(), path.with_name(f"harmed-{path.name}")
    found = {"refused": 0, "failed": 0, "ran": 0}
    for harm in harms:
        harm.done_to(raw, harmed)
        try:
            denoiser = load(ModelSpec(path=harmed, device="cpu"), lambda stage, share: None)
        except UserError:
            found["refused"] += 1
            continue
        canvas = np.full(min(64, denoiser.capabilities.canvas_length), 25, np.int32)
        try:
            denoiser.prefill(Prompt(np.arange(20, 40, dtype=np.int32)), lambda done, total: None)
            denoiser.start_canvas(canvas)
            denoiser.step(canvas, 0.8, np.full(len(canvas), 0.5))
            found["ran"] += 1
        except UserError:
            found["failed"] += 1
        finally:
            denoiser.close()
    return found


def main(task: str, path: Path, *rest: str) -> None:
    """Do what the command line says."""
    if task == "open":
        print(json.dumps(opened(path)))
        return
    listed = json.loads(Path(rest[0]).read_text(encoding="utf-8"))
    harms = [Harm(tuple(map(tuple, one["patches"])), one["size"]) for one in listed]
    print(json.dumps(run(path, harms) if task == "run" else borne(path, harms)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
