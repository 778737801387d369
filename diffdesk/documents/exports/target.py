"""Writes a file whole or not at all, and never over an original.

What is being written lies beside the target under a hidden name and takes its name only once it is complete and on the
disk. Knows nothing of formats.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diffdesk.core.errors import ExportError
from diffdesk.paths import sync_folder

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_PLACE = frozenset({errno.ENOENT, errno.ENOTDIR})


@contextmanager
def part_of(target: Path) -> Iterator[Path]:
    """A file that becomes the target when the `with` ends well, and is gone when it doesn't.

    Raises:
        ExportError: the place can't be written; also for an `OSError` that is raised inside.
    """
    if target.is_dir():
        raise ExportError("This is a folder", f"{target} is a folder.", "Choose a name for the file.")
    # A short name of its own: the target's may be as long as the system allows.
    part = target.parent / f".{secrets.token_hex(6)}.part"
    try:
        try:
            # Made by `open`, so that it has the permissions of any new file.
            part.open("xb").close()
            yield part
            _sync(part)
            part.replace(target)
            sync_folder(target.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(error, target) from error


def refuse_original(target: Path, original: Path) -> None:
    """Raises `ExportError` if the target is the original, by whatever name or link."""
    is_same = target.absolute() == original.absolute()
    if not is_same:
        # Either may be missing, or lie where nobody may look.
        with suppress(OSError):
            is_same = target.samefile(original)
    if is_same:
        raise ExportError(
            "An original is never overwritten",
            f"{original.name} is one of the files that the pages come from.",
            "Choose another name or folder.",
        )


def not_written(error: OSError, target: Path) -> ExportError:
    """The error for a file that could not be written, by what the system said."""
    reason = f"{target.name} could not be written: {error.strerror or error}."
    if error.errno in _FULL:
        return ExportError("The disk is full", reason, "Free some space or choose another place.", repr(error))
    if error.errno in _FORBIDDEN:
        remedy = "Choose a folder of your own, or close the program that has the file open."
        return ExportError("The file can't be written there", reason, remedy, repr(error))
    if error.errno in _NO_PLACE:
        return ExportError("The folder is not there", reason, "Choose another folder.", repr(error))
    remedy = "Check that its drive is still connected, or choose another place."
    return ExportError("The file couldn't be saved", reason, remedy, repr(error))


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
