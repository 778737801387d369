"""The program's log: a file in the profile, rotated, with no text of any conversation in it; and the fault file that
tells of a native crash of the last run. Knows nothing of Qt or of processes.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
from pathlib import Path
from typing import IO

LOGGER_NAME = "diffdesk"
_open_faults: list[IO[str]] = []  # faulthandler needs its file open as long as the process lives


def start_log(folder: Path, name: str, *, is_verbose: bool = False) -> logging.Logger:
    """Begin logging to ``folder/name.log`` (1 MB, two old ones kept); returns the program's logger."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(logging.DEBUG if is_verbose else logging.INFO)
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{name}.log", maxBytes=1_000_000, backupCount=2, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    return logger


def watch_faults(folder: Path, name: str) -> str:
    """Write native crashes of this process to ``folder/name.fault``; returns what the last run left there."""
    path = folder / f"{name}.fault"
    try:
        left = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        left = ""
    stream = path.open("w", encoding="utf-8")
    faulthandler.enable(stream)
    _open_faults.append(stream)
    return left.strip()
