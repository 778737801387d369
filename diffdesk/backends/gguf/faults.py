"""What is said of GGUF files that can't be used. Knows nothing of their contents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diffdesk.core.errors import CheckpointError

AGAIN = "Download it again, or choose another one."


def damaged(path: Path, how: str) -> CheckpointError:
    """A file that breaks the format; `how` fits after its name."""
    return CheckpointError("The model file is damaged", f"{path.name} {how}.", AGAIN)


def cut_off(path: Path, size: int, missing: int, where: str = "") -> CheckpointError:
    """A file that ends too early: `size` bytes are there, `missing` are not; `where` says where it ends."""
    if missing > 1 << 50:
        return damaged(path, f"is {size:,} bytes long, but claims to be longer than any file")
    return CheckpointError(
        "The model file is incomplete",
        f"{path.name} ends after {size:,} bytes{where}; {missing:,} more are missing.",
        "The download was cut off, or is still going on: download it again.",
    )


def unreadable(path: Path, error: OSError) -> CheckpointError:
    """A file that the system doesn't let us read."""
    return CheckpointError(
        "The model can't be read",
        f"{error.filename or path}: {error.strerror or error}.",
        "Check that the disk is connected and that you may read this file.",
        repr(error),
    )


def changed(path: Path) -> CheckpointError:
    """A file that is another one than a moment ago."""
    return CheckpointError(
        "The model file has changed",
        f"{path.name} was changed or replaced while it was being opened.",
        "Wait until it is complete, then open it again.",
    )


def broken_description(what: str) -> CheckpointError:
    """Metadata that contradict themselves or can't be; `what` is a sentence without its full stop."""
    return CheckpointError("The file describes its model wrongly", f"{what}.", AGAIN)


def shown(text: str, most: int = 80) -> str:
    """A name from a file, fit for a message."""
    plain = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def few(names: Sequence[str], most: int = 3) -> str:
    """The first of some names, and how many more there are."""
    listed = ", ".join(shown(one) for one in names[:most])
    return f"{listed} and {len(names) - most:,} more" if len(names) > most else listed
