"""Where things lie: the program's own resources, and everything it writes.

One place decides it: the option ``--data-dir``, the variable ``DIFFDESK_DATA_DIR``, ``--temp-profile`` (a folder that
is deleted at the end), or the platform's usual folder. Nothing is written anywhere else.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from diffdesk.core.errors import StoreError

DATA_DIR_VARIABLE = "DIFFDESK_DATA_DIR"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one profile. All below `data`.

    Attributes:
        data: conversations, attachments, settings.
        logs: the program's log and the fault files of native crashes.
        is_temporary: delete `data` when the program ends.
    """

    data: Path
    logs: Path
    is_temporary: bool = False


def choose_places(data_dir: Path | None = None, *, is_temporary: bool = False) -> Places:
    """The profile to use, created if need be; raises `StoreError` where it can't be written."""
    if is_temporary:
        data = Path(tempfile.mkdtemp(prefix="diffdesk-"))
    elif data_dir is not None:
        data = data_dir.expanduser().absolute()
    elif os.environ.get(DATA_DIR_VARIABLE):
        data = Path(os.environ[DATA_DIR_VARIABLE]).expanduser().absolute()
    else:
        data = Path(platformdirs.user_data_dir("DiffDesk", appauthor=False))
    places = Places(data, data / "logs", is_temporary)
    _make_writable(places)
    return places


def _make_writable(places: Places) -> None:
    try:
        places.logs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=places.data) as probe:
            probe.write(b"x")
    except OSError as error:
        raise StoreError(
            "The profile folder can't be written",
            f"DiffDesk keeps conversations in {places.data}, and writing there failed: {error.strerror or error}.",
            "Free some space or fix the folder's permissions, or start with --data-dir FOLDER to use another place.",
            repr(error),
        ) from error


def resource_dir() -> Path:
    """The folder of icons, samples and the starter model: beside the package, or inside it when installed."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "_resources", package.parent / "resources"):
        if candidate.is_dir():
            return candidate
    raise StoreError(
        "The program's own files are missing",
        f"There is no resources folder beside {package}.",
        "Install DiffDesk again.",
    )


def starter_dir() -> Path:
    """The starter model's folder."""
    return resource_dir() / "starter"


def sync_folder(folder: Path) -> None:
    """Put the names in `folder` on the disk. Windows has no such call and writes them with the file."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
