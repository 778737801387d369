"""Files that are no GGUF, told by their first bytes: what people download or choose by mistake.

Knows nothing of what a GGUF file holds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diffdesk.backends.gguf.faults import AGAIN
from diffdesk.backends.gguf.writer import MAGIC
from diffdesk.core.errors import CheckpointError

HEAD_BYTES = 512  # of a file's beginning, enough to tell

_OLDER = (b"lmgg", b"fmgg", b"tjgg", b"algg")  # what came before GGUF, turned around as it lies in files
_CODE = "files of this kind can run any code when they are opened"
_GGUF = "Choose a file whose name ends in .gguf."


def refuse_foreign(path: Path, head: bytes, size: int) -> None:
    """Raise `CheckpointError` unless `head`, the first bytes of a file of `size` bytes, is a GGUF file's."""
    if head[:4] == MAGIC:
        return
    raise next(
        CheckpointError(title, f"{path.name} {text}.", remedy)
        for is_it, title, text, remedy in _KINDS
        if is_it(head, size)
    )


def _text(head: bytes) -> bytes:
    """The beginning of a text file, in small letters."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()


# How to tell it, title, what it is in words that fit after a file's name, remedy.
_KINDS: tuple[tuple[Callable[[bytes, int], bool], str, str, str], ...] = (
    (lambda head, _: not head, "The file is empty", "holds nothing", AGAIN),
    (
        lambda head, _: not any(head),
        "The model file is incomplete",
        "begins with zeros only, as unfinished downloads do",
        "Wait until the download is complete, or start it again.",
    ),
    (
        lambda head, _: _text(head).startswith((b"<!doctype", b"<html", b"<head", b"<?xml")),
        "This is a web page, not a model",
        "is a web page, as is sent when a download needs a login or has failed",
        "Download the file itself from the model's page.",
    ),
    (
        lambda head, _: _text(head).startswith(b"version https://git-lfs"),
        "This only points to the model",
        "is a Git LFS pointer, which names the true file",
        "Fetch the true file with git lfs pull, or download it by itself.",
    ),
    (
        lambda head, size: head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size,
        "This is another kind of file",
        "is a safetensors file, one part of a model folder",
        "Choose the folder that it lies in, or a GGUF file.",
    ),
    (
        lambda head, _: head[:2] == b"PK",
        "This kind of file is not opened",
        f"is a zip archive or a PyTorch file; {_CODE}",
        _GGUF,
    ),
    (
        lambda head, _: head[:1] == b"\x80" and head[1:2] <= b"\x05",
        "This kind of file is not opened",
        f"is a pickle file; {_CODE}",
        _GGUF,
    ),
    (
        lambda head, _: head[:4] in _OLDER,
        "This file is too old",
        "is of a format that came before GGUF",
        "Download the model as a GGUF file.",
    ),
    (
        lambda head, _: _text(head).startswith((b"{", b"[")),
        "This is another kind of file",
        "is a JSON file",
        "Choose a GGUF file or the folder of a model.",
    ),
    (lambda head, size: True, "This is no GGUF file", "does not begin as GGUF files do", _GGUF),
)
