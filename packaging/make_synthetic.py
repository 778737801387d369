"""Make a checkpoint folder in the exact layout of a published DiffusionGemma 26B, with random values.

    python packaging/make_synthetic.py --layout nvfp4|bf16 [--layers N] [--shards K] [--seed S] [--config FILE] OUT

For measuring and trying loaders where the weights themselves can't be had. It is full size (30 layers), or has the
last N layers only. Values are drawn once, as pools of a few MB; tensors are pieces of the pools that begin at
different places, so 19 GB take as long as the disk does. The same arguments give the same bytes.

Progress goes to stderr; a line of JSON on stdout tells at the end what was made, its `bytes` those of all tensors.
The exit code is 2 where nothing is written because of what was asked for, 1 where writing failed.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# The program's own modules, from the checkout that this file lies in: nothing needs to be installed but numpy.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from synthetic_layout import LAYOUTS, PUBLISHED, Config, Tensor, cut, index, small_files, spread, tensors

from diffdesk.backends.checkpoint import INDEX_FILE, reading_explained
from diffdesk.backends.checkpoint_config import read_json
from diffdesk.backends.gguf.conversion_config import read_architecture
from diffdesk.core.errors import CheckpointError

_EMBEDDING = 0.8  # spread of an embedding's values, times √hidden, by which the model multiplies
_SCALE_BYTES = (0x70, 0x7F)  # of E4M3: 128 to 448, the upper end of the range, which is what ModelOpt's scales fill
_BUFFER = 1 << 20  # bytes that small tensors are gathered in before they are written
_ROOM = 64 << 20  # bytes on the disk beside the weights: the small files and what a file system needs itself


# --- values ---------------------------------------------------------------------------------------


@functools.cache
def packed_spread() -> float:
    """Standard deviation of nibble × scale where both are as random as here."""
    nibbles = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    codes = np.arange(*_SCALE_BYTES)
    scales = (8 + (codes & 7)) * 2.0 ** ((codes >> 3) - 10)
    return float(np.sqrt((nibbles**2).mean() * (scales**2).mean()))


@dataclass(frozen=True, slots=True)
class Fill:
    """What a pool holds: values of the standard deviation `low` ("normal"), bfloat16 values between `low` and `high`
    ("even"), or bytes from `low` to below `high` ("bytes").
    """

    kind: str
    low: float
    high: float = 0.0


def fill_of(tensor: Tensor) -> Fill:
    """The random values for a tensor that is no scalar: a layer's output stays of the size of its input."""
    name, columns = tensor.name, tensor.shape[-1]
    if tensor.dtype == "U8":
        return Fill("bytes", 0, 256)
    if tensor.dtype == "F8_E4M3":
        return Fill("bytes", *_SCALE_BYTES)
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return Fill("even", columns**-0.25, columns**-0.25)  # so that the scores of attention are of order 1
    if name.endswith("layer_scalar"):
        return Fill("even", 0.91, 0.95) if ".decoder." in name else Fill("even", 0.85, 0.89)
    if name.endswith("std_bias"):
        return Fill("normal", 0.1)
    if len(tensor.shape) == 1:
        return Fill("even", 0.7, 1.3)
    return Fill("normal", (_EMBEDDING if name.endswith("embed_tokens.weight") else 1.0) * columns**-0.5)


class Values:
    """The bytes of every tensor of a model; may be asked from several threads."""

    _LONGEST_POOL = 1 << 23  # values, unless a single row is longer
    _SHORTEST_POOL = 1 << 16
    _PIECE = 1 << 21  # values that are taken from a pool at a time
    _STRIDE = 2_654_435_761  # a prime, so that multiples of it come near to each other late
    _NUMBERS = 1_021  # numbers from one tensor to the next: more than any tensor has pieces

    def __init__(self, config: Config, listed: Sequence[Tensor], seed: int) -> None:
        self._architecture = read_architecture(config)
        self._rng = np.random.default_rng(seed)
        self._numbers = {one.name: number * self._NUMBERS for number, one in enumerate(listed)}
        arrays = [one.shape for one in listed if one.shape]
        # At least four of the longest rows; for small models no more than they need.
        self._short = max(self._SHORTEST_POOL, *(4 * shape[-1] for shape in arrays))
        wanted = 2 * max(math.prod(shape) for shape in arrays)
        self._length = max(self._short, min(self._LONGEST_POOL, wanted))
        self._normals = self._rng.standard_normal(self._length, np.float32)
        self._jitter = self._rng.random(4096)
        # All pools are made here and not on demand: threads would make them in an order of their own.
        fills = dict.fromkeys(fill_of(one) for one in listed if one.shape)
        self._pools = {fill: self._pool(fill) for fill in fills}

    def pieces(self, tensor: Tensor) -> Iterator[bytes | memoryview]:
        """The tensor's bytes, a few MB at a time."""
        if not tensor.shape:
            yield np.float32(self._scalar(tensor.name)).astype("<f4").tobytes()
            return
        pool, columns = self._pools[fill_of(tensor)], tensor.shape[-1]
        rows = math.prod(tensor.shape[:-1])
        at_once = max(1, min(rows, self._PIECE // columns, len(pool) // columns // 2))
        for number, first in enumerate(range(0, rows, at_once), self._numbers[tensor.name]):
            many = min(at_once, rows - first)
            # A row may begin anywhere, but at another place than any other row of the tensor: no two are equal.
            begin = number * self._STRIDE % (len(pool) // columns - many) * columns + number % columns
            yield pool[begin : begin + many * columns].data

    def _pool(self, fill: Fill) -> NDArray[np.uint8] | NDArray[np.uint16]:
        if fill.kind == "bytes":
            return self._rng.integers(int(fill.low), int(fill.high), self._length, np.uint8)
        if fill.kind == "normal":
            return as_bf16(self._normals * np.float32(fill.low))
        return as_bf16(self._rng.uniform(fill.low, fill.high, self._short).astype(np.float32))

    def _scalar(self, name: str) -> float:
        """A scale of an expert's matrix; one for the gate and another for the rows above it in a few experts only."""
        layer, expert, part, kind = name.removeprefix("model.decoder.layers.").replace("experts.", "").split(".")
        is_down, of = part == "down_proj", self._architecture
        place = (int(layer) * of.experts + int(expert)) * 2 + is_down
        jitter = float(self._jitter[place % len(self._jitter)])
        if kind == "input_scale":
            return 0.001 + 0.003 * jitter
        columns = of.expert_width if is_down else of.hidden
        is_apart = part == "up_proj" and int(expert) % 16 == 1
        return (0.9 + 0.2 * jitter) * (1.25 if is_apart else 1.0) / math.sqrt(columns) / packed_spread()


def as_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The nearest bfloat16 of each value, as its bits."""
    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16).astype("<u2")


# --- files ----------------------------------------------------------------------------------------


class _Progress:
    """Tells of every tenth of the way on stderr; counts for several threads, which it can ask to stop."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._told = total, 0, 0
        self._lock, self._begin = threading.Lock(), time.monotonic()
        self.is_stopped = False

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            tenths = self._done * 10 // self._total
            if tenths == self._told:
                return
            self._told = tenths
            done, speed = self._done / 1e9, self._done / 1e9 / max(self.seconds, 1e-3)
        print(f"{tenths * 10:3d} %: {done:.2f} of {self._total / 1e9:.2f} GB, {speed:.2f} GB/s", file=sys.stderr)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begin


def header(listed: Sequence[Tensor]) -> bytes:
    """What a weight file begins with, its length before it; see `diffdesk.backends.safetensors_header`."""
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for one in listed:
        begin, end = end, end + one.bytes
        table[one.name] = {"dtype": one.dtype, "shape": one.shape, "data_offsets": (begin, end)}
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the first tensor is aligned
    return len(text).to_bytes(8, "little") + text


def write_checkpoint(
    out: Path, config: Config, layout: str, shards: int | None = None, seed: int = 0
) -> dict[str, object]:
    """Write the folder `out`; returns what the line of JSON says.

    Raises `CheckpointError` where `out` can't be taken or the configuration can't be used, and `OSError`.
    """
    listed = tensors(config, layout)
    files = spread(listed, shards)
    beside = small_files(config, layout)
    total = sum(one.bytes for one in listed)
    _check_place(out, total)
    out.mkdir(parents=True, exist_ok=True)
    print(f"{out}: {len(listed):,} tensors, {total / 1e9:.2f} GB, weight files: {len(files)}", file=sys.stderr)
    progress = _Progress(total)
    _write_shards(out, files, Values(config, listed, seed), progress)
    if len(files) > 1:
        _write_json(out / INDEX_FILE, index(files))
    for name, contents in beside.items():
        _write_json(out / name, contents)
    return {
        "layout": layout,
        "layers": read_architecture(config).layers,
        "tensors": len(listed),
        "bytes": total,
        "seconds": round(progress.seconds, 2),
    }


def _check_place(out: Path, total: int) -> None:
    if out.exists() and not out.is_dir():
        raise CheckpointError("This is no folder", f"{out} is a file.", "Name a new folder.")
    held = sorted(one.name for one in out.iterdir()) if out.is_dir() else []
    models = [one for one in held if one in ("config.json", INDEX_FILE) or one.endswith((".safetensors", ".gguf"))]
    if models:
        raise CheckpointError("There is a model already", f"{out} holds {models[0]}.", "Name a new folder.")
    there = next(one for one in (out.absolute(), *out.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    if free < total + _ROOM:
        raise CheckpointError(
            "The disk is too full",
            f"{(total + _ROOM) / 1e9:.1f} GB are needed in {there}, {free / 1e9:.1f} GB are free.",
            "Make room, name another disk, or ask for fewer layers.",
        )


def _write_shards(out: Path, files: Mapping[str, Sequence[Tensor]], values: Values, progress: _Progress) -> None:
    """Write the weight files side by side under temporary names, and give them their own once all are whole."""
    unfinished = {name: out / f"{name}.part" for name in files}
    try:
        with ThreadPoolExecutor(min(len(files), os.cpu_count() or 1)) as threads:
            jobs = [threads.submit(_write_shard, unfinished[name], files[name], values, progress) for name in files]
            try:
                for job in as_completed(jobs):
                    job.result()
            finally:
                progress.is_stopped = True  # where one has failed the others need not go on
        for name, path in unfinished.items():
            path.replace(out / name)
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)


def _write_shard(path: Path, listed: Sequence[Tensor], values: Values, progress: _Progress) -> None:
    with path.open("wb", buffering=_BUFFER) as file:
        file.write(header(listed))
        for one in listed:
            for piece in values.pieces(one):
                if progress.is_stopped:
                    return
                progress.add(file.write(piece))


def _write_json(path: Path, contents: object) -> None:
    path.write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


# --- command line ---------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """Make what the arguments ask for; returns the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--layout", choices=LAYOUTS, required=True, help="of Google (bf16) or of NVIDIA (nvfp4)")
    parser.add_argument("--layers", type=int, help="the last so many layers; all of them if it is left out")
    parser.add_argument("--shards", type=int, help="weight files; as many as have 10 GB at most if it is left out")
    parser.add_argument("--seed", type=int, default=0, help="of the random values")
    parser.add_argument("--config", type=Path, help="config.json of a model of another size")
    parser.add_argument("out", type=Path, help="the folder, new or without a model")
    asked = parser.parse_args(arguments)
    if asked.shards is not None and asked.shards < 1:
        parser.error("--shards should be 1 or more")
    if asked.seed < 0:
        parser.error("--seed should not be negative")
    try:
        config = PUBLISHED if asked.config is None else _read_config(asked.config)
        if asked.layers is not None:
            config = cut(config, asked.layers)
        made = write_checkpoint(asked.out, config, asked.layout, asked.shards, asked.seed)
    except CheckpointError as error:
        print(error.plain(), file=sys.stderr)
        return 2
    except OSError as error:
        print(f"It can't be written or read: {error}.", file=sys.stderr)
        return 1
    print(json.dumps(made))
    return 0


def _read_config(path: Path) -> Config:
    with reading_explained(path):
        return read_json(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
