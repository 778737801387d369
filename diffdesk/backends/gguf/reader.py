"""GGUF files, whole or split into parts: what they hold and where, checked before anything is mapped into memory.

Knows nothing of models: `model_file` judges what is found here.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.gguf.faults import changed, damaged, few, shown, unreadable
from diffdesk.backends.gguf.header import Header, StoredArray, Value, read_header
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import CheckpointError

SPLIT_NUMBER, SPLIT_COUNT, SPLIT_TENSORS = "split.no", "split.count", "split.tensors.count"

__all__ = ["GgufFile", "StoredArray", "StoredTensor", "Value", "map_parts", "read_gguf", "whole_name"]

_PART_NAME = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_CHOOSE = "Choose a GGUF file of a DiffusionGemma model."

Metadata = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies.

    Attributes:
        kind: its number format.
        shape: a row's length first.
        part: index of the file.
        offset: of its first byte in that file.
    """

    kind: TensorType
    shape: tuple[int, ...]
    part: int
    offset: int

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.kind.bytes_of(self.shape)


@dataclass(frozen=True, slots=True)
class GgufFile:
    """What a file holds, all of its parts together.

    Attributes:
        parts: the files, in order.
        sizes: of the files, in bytes.
        metadata: by key; arrays stay in the file until they are asked for.
        tensors: by name, in the order of the file.
    """

    parts: tuple[Path, ...]
    sizes: tuple[int, ...]
    metadata: Metadata = field(repr=False)
    tensors: Mapping[str, StoredTensor] = field(repr=False)


def _accept_all(path: Path, metadata: Metadata, tensors: int) -> None:
    """Refuse nothing."""


def read_gguf(path: Path, accept: Callable[[Path, Metadata, int], None] = _accept_all) -> GgufFile:
    """Read the headers of a file and of the other parts that belong to it; `path` may be any of them.

    `accept` sees the metadata and the number of tensors before anything else is judged, and may raise. Raises
    `CheckpointError` with the reason and a remedy where the file can't be used.
    """
    try:
        _require_file(path)
        headers = _all_parts(read_header(path))
    except OSError as error:
        raise unreadable(path, error) from error
    accept(path, headers[0].metadata, sum(len(one.tensors) for one in headers))
    tensors: dict[str, StoredTensor] = {}
    for index, one in enumerate(headers):
        places = one.placed()
        twice = places.keys() & tensors.keys()
        if twice:
            raise damaged(one.path, f"repeats tensors of another part: {few(sorted(twice))}")
        for info in one.tensors:
            kind, offset = places[info.name]
            tensors[info.name] = StoredTensor(kind, info.shape, index, offset)
    _require_total(headers, len(tensors))
    return GgufFile(
        parts=tuple(one.path for one in headers),
        sizes=tuple(one.size for one in headers),
        metadata=headers[0].metadata,
        tensors=tensors,
    )


def whole_name(path: Path) -> str:
    """A file's name without its ending and the number of a part."""
    part = _PART_NAME.fullmatch(path.name)
    return part["name"] if part else path.stem


def _require_file(path: Path) -> None:
    """Refuse what is no plain file: opening a pipe would wait for ever."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise CheckpointError("There is no such file", f"{shown(str(path), 200)} does not exist.", _CHOOSE) from error
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise CheckpointError(
            "The file leads in a circle", f"{path} is a link that points back to itself.", _CHOOSE
        ) from error
    if stat.S_ISDIR(mode):
        raise CheckpointError("This is a folder, not a file", f"{path} holds files.", "Choose the GGUF file in it.")
    if not stat.S_ISREG(mode):
        raise CheckpointError("This is no file", f"{path} is a device or a pipe.", _CHOOSE)


# --- parts ----------------------------------------------------------------------------------------


def _all_parts(opened: Header) -> list[Header]:
    """The headers of all parts of the file that `opened` is one of."""
    count = _whole(opened, SPLIT_COUNT, 1)
    if count <= 1:
        return [opened]
    paths = _part_paths(opened, count)
    headers: list[Header] = []
    for index, path in enumerate(paths):
        one = opened if path == opened.path else read_header(path)
        if _whole(one, SPLIT_COUNT, 0) != count or _whole(one, SPLIT_NUMBER, -1) != index:
            raise CheckpointError(
                "A part belongs to another model",
                f"{path.name} is not part {index + 1} of {count}.",
                "Download all parts again into an empty folder.",
            )
        headers.append(one)
    return headers


def _part_paths(opened: Header, count: int) -> list[Path]:
    path = opened.path
    name = _PART_NAME.fullmatch(path.name)
    if name is None or int(name["count"]) != count:
        raise CheckpointError(
            "The parts of this model can't be found",
            f"{path.name} is one of {count:,} parts, but its name doesn't say so.",
            f"Give the parts their names back, like MODEL-00001-of-{count:05}.gguf.",
        )
    ending = path.name[len(name["name"]) + len("-00001-of-00001") :]
    paths = [path.with_name(f"{name['name']}-{index + 1:05}-of-{name['count']}{ending}") for index in range(count)]
    missing = [one.name for one in paths if not one.is_file()]
    if missing:
        raise CheckpointError(
            "Parts of the model are missing",
            f"{len(missing):,} of {count:,} files: {few(missing)}.",
            "Download them into the same folder, then open the model again.",
        )
    return paths


def _require_total(headers: list[Header], found: int) -> None:
    claimed = _whole(headers[0], SPLIT_TENSORS, found) if len(headers) > 1 else found
    if claimed != found:
        raise damaged(headers[0].path, f"and its other parts should hold {claimed:,} tensors, not {found:,}")


def _whole(header: Header, key: str, default: int) -> int:
    value = header.metadata.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise damaged(header.path, f"has no number for {key}")
    return value


# --- memory ---------------------------------------------------------------------------------------


def map_parts(file: GgufFile) -> list[NDArray[np.uint8]]:
    """uint8[size] of each part, read-only and mapped: pages are read when they are touched.

    A map goes when its array does. Raises `CheckpointError` where a file has changed or can't be mapped.
    """
    return [_mapped(path, size) for path, size in zip(file.parts, file.sizes, strict=True)]


def _mapped(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        with path.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size != size:
                raise changed(path)
            return np.frombuffer(mmap.mmap(opened.fileno(), size, access=mmap.ACCESS_READ), np.uint8)
    except OSError as error:
        if error.errno in (errno.ENOMEM, errno.EOVERFLOW):
            raise _no_room(path, size) from error
        raise unreadable(path, error) from error
    except (OverflowError, ValueError, MemoryError) as error:
        raise _no_room(path, size) from error


def _no_room(path: Path, size: int) -> CheckpointError:
    return CheckpointError(
        "The model can't be mapped into memory",
        f"The system has no place for the {size / 1e9:,.1f} GB of {path.name}.",
        "Close other programs, or choose a smaller model.",
    )
