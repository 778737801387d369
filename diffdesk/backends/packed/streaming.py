"""Weight files to where their tensors are wanted, a piece at a time.

Files are read in their own order into two buffers that the device can copy from while the other one is filled, so that
the main memory never holds more than those. Knows nothing of what the tensors mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from diffdesk.backends.packed.device import new_event
from diffdesk.backends.safetensors_header import TensorEntry
from diffdesk.core.errors import CheckpointError

BUFFER_BYTES = 64 << 20
FORMATS: Mapping[str, torch.dtype] = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "U8": torch.uint8,
    "F8_E4M3": torch.float8_e4m3fn,
}


@dataclass(frozen=True, slots=True)
class _Run:
    """Bytes that follow each other in a file, and the tensors that they belong to."""

    file: str
    offset: int
    size: int
    parts: tuple[tuple[str, int, int, int], ...]  # name, where in the run, where in the tensor, bytes


def stream(
    folder: Path, entries: Mapping[str, TensorEntry], targets: Mapping[str, Tensor], progress: Callable[[float], None]
) -> None:
    """Fill `targets`, contiguous tensors on any device, from the weight files of `folder`.

    Tensors without a target are skipped. A target may have another number format than the file. `progress` is told
    the share that is done, and may raise. Raises `CheckpointError` where a file ends early, and `OSError`.
    """
    runs = list(_runs({name: entries[name] for name in targets}))
    total, done = sum(one.size for one in runs), 0
    on_gpu = any(one.is_cuda for one in targets.values())
    buffers = [torch.empty(BUFFER_BYTES, dtype=torch.uint8, pin_memory=on_gpu) for _ in range(2)]
    copied: list[torch.cuda.Event | None] = [None, None]
    name, file = "", None
    try:
        for turn, run in enumerate(runs):
            progress(done / max(1, total))
            buffer, event = buffers[turn % 2], copied[turn % 2]
            if event is not None:
                event.synchronize()
            if file is None or name != run.file:
                if file is not None:
                    file.close()
                name, file = run.file, (folder / run.file).open("rb", buffering=0)
            _fill(file.seek, file.readinto, buffer[: run.size], run)
            for part, here, there, size in run.parts:
                _copy(buffer[here : here + size], targets[part], entries[part], there)
            if on_gpu:
                event = new_event()
                event.record()
                copied[turn % 2] = event
            done += run.size
    finally:
        if file is not None:
            file.close()
        if on_gpu:
            torch.cuda.synchronize()
    progress(1.0)


def _runs(entries: Mapping[str, TensorEntry]) -> Iterator[_Run]:
    """Tensors in the order of the files, in runs that fit a buffer; larger tensors are cut."""
    parts: list[tuple[str, int, int, int]] = []
    file, begin, end = "", 0, 0
    for name, entry in sorted(entries.items(), key=lambda one: (one[1].file, one[1].offset)):
        done = 0
        while done < entry.bytes:
            at = entry.offset + done
            if parts and (entry.file != file or at != end or end - begin == BUFFER_BYTES):
                yield _Run(file, begin, end - begin, tuple(parts))
                parts = []
            if not parts:
                file, begin, end = entry.file, at, at
            # Cut at whole values: formats have 1, 2 or 4 bytes.
            size = min(entry.bytes - done, (BUFFER_BYTES - (end - begin)) // 4 * 4)
            if size <= 0:
                yield _Run(file, begin, end - begin, tuple(parts))
                parts = []
                continue
            parts.append((name, end - begin, done, size))
            end += size
            done += size
    if parts:
        yield _Run(file, begin, end - begin, tuple(parts))


def _fill(seek: Callable[[int], int], read_into: Callable[[memoryview], int | None], buffer: Tensor, run: _Run) -> None:
    seek(run.offset)
    view = buffer.numpy().data
    filled = 0
    while filled < run.size:
        got = read_into(view[filled:])
        if not got:
            raise CheckpointError(
                "A weight file is damaged",
                f"{run.file} ends early.",
                "Download the folder again, or choose another one.",
            )
        filled += got


def _copy(raw: Tensor, target: Tensor, entry: TensorEntry, there: int) -> None:
    """Bytes of a tensor, from `there` on, to their place in the target."""
    kind = FORMATS[entry.dtype]
    if raw.data_ptr() % kind.itemsize:
        raw = raw.clone()
    values = raw.view(kind)
    begin = there // kind.itemsize
    target.view(-1)[begin : begin + len(values)].copy_(values, non_blocking=True)
