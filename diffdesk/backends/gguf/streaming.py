"""Writes GGUF files from tensors that are read a block of rows at a time.

A block is read, checked, turned into its number format and appended, so that models far larger than the memory can be
written. Several files that belong together get their names only when all of them are complete, so that the same job
goes on where it was cut off. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from diffdesk.backends.gguf.quantise import Quantiser, Rows
from diffdesk.backends.gguf.tensor_source import RowSource
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import GgufWriter, TensorPlan, Value
from diffdesk.core.errors import CheckpointError, UserError

BLOCK_VALUES = 1 << 21  # values read at a time: 8 MiB of float32, and as much again a few times over while they change

_LARGEST = 65504.0  # of float16, in which all formats but two keep their scales
_WIDE = frozenset({TensorType.F32, TensorType.BF16})

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Output:
    """A file to be written.

    Attributes:
        path: its final name.
        metadata: in the order in which it is written.
        tensors: in the order in which they are written.
        sources: the values of each tensor, by name.
        identity: says what the values come from, for `GgufWriter`.
        stage: what people are told while a tensor is written.
    """

    path: Path
    metadata: Mapping[str, Value]
    tensors: Sequence[TensorPlan]
    sources: Mapping[str, RowSource] = field(repr=False)
    identity: str = field(repr=False)
    stage: Callable[[str], str] = field(repr=False)


def write_files(outputs: Sequence[Output], quantiser: Quantiser, progress: Progress) -> None:
    """Write all files, or go on with what an earlier attempt has left.

    `progress` is told the stage and the share of all work after each block; what it raises (`Cancelled`) ends the
    work, and what is complete is kept. Raises `CheckpointError` for values that can't be written, and `UserError`.
    """
    told = _Told(progress, sum(plan.bytes for one in outputs for plan in one.tensors))
    with ExitStack() as stack:
        writers = [
            stack.enter_context(GgufWriter(one.path, one.metadata, one.tensors, one.identity)) for one in outputs
        ]
        for output, writer in zip(outputs, writers, strict=True):
            told.done += sum(plan.bytes for plan in output.tensors[: writer.complete])
        for output, writer in zip(outputs, writers, strict=True):
            for plan in output.tensors[writer.complete :]:
                told.stage = output.stage(plan.name)
                writer.write_next(_chunks(output.sources[plan.name], plan, quantiser, told))
        progress("Finishing", 1.0)
        for writer in writers:
            writer.finish()


class _Told:
    """Passes on progress by bytes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self.stage = ""
        self.done = 0

    def add(self, size: int) -> None:
        self.done += size
        self._progress(self.stage, self.done / self._total)


def check_place(out: Path, *, is_forced: bool) -> None:
    """Raise `UserError` where a GGUF file should not be written; `is_forced`: one that is there may be replaced."""
    if out.suffix.lower() != ".gguf":
        raise UserError(
            "The name doesn't fit", f"{out.name} should end in .gguf.", f"Call it {out.with_suffix('.gguf').name}."
        )
    if not out.parent.is_dir():
        raise UserError("There is no such folder", f"{out.parent} does not exist.", "Make it, or choose another one.")
    if out.is_dir():
        raise UserError("This is a folder", f"{out} is no file.", "Choose another name.")
    if out.exists() and not is_forced:
        raise UserError(
            "There is such a file already",
            f"{out} would be overwritten.",
            "Choose another name, or add --force to replace it.",
        )


def _chunks(rows: RowSource, plan: TensorPlan, quantiser: Quantiser, told: _Told) -> Iterator[bytes]:
    step = max(1, BLOCK_VALUES // rows.length)
    for begin in range(0, rows.count, step):
        block = rows.rows(begin, min(begin + step, rows.count))
        _check_values(block, plan)
        made = quantiser(plan.kind, block)
        del block
        yield made
        told.add(len(made))


def _check_values(block: Rows, plan: TensorPlan) -> None:
    largest = float(np.abs(block).max(initial=0.0))
    if not np.isfinite(largest):
        raise CheckpointError(
            "The weights are damaged",
            f"{plan.name} holds values that are no numbers.",
            "Download the folder again, or choose another one.",
        )
    if largest > _LARGEST and plan.kind not in _WIDE:
        raise CheckpointError(
            "The weights are too large for this type",
            f"{plan.name} holds values up to {largest:g}.",
            "Choose the type bf16 or f32.",
        )
