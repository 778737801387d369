"""How many threads a model may compute on: the physical cores that this process may use and that are free.

Hyper-threads slow matrix products down, and a thread too many makes all the others wait for it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

THREADS_VARIABLE = "DIFFDESK_THREADS"
_TOLERANCE = 0.4  # a core that is busy for more than the rest of its time counts as busy
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Physical cores that the system lets this process use, at least 1."""
    allowed = len(psutil.Process().cpu_affinity() or [0]) if hasattr(psutil.Process, "cpu_affinity") else None
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, min(cores, allowed or cores, _quota() or cores))


def asked_threads() -> int | None:
    """What the environment variable `DIFFDESK_THREADS` says, None where it says nothing."""
    asked = os.environ.get(THREADS_VARIABLE, "")
    return min(int(asked), os.cpu_count() or 1) if asked.isdecimal() and int(asked) else None


def free_threads(seconds: float = 0.1) -> int:
    """Threads for a model: the usable cores less those that are busy, measured for so many seconds.

    To be asked while the model itself rests. What was asked for in the environment comes first.
    """
    asked = asked_threads()
    if asked is not None:
        return asked
    busy = sum(psutil.cpu_percent(seconds, percpu=True)) / 100.0
    return max(1, usable_cores() - int(busy + _TOLERANCE))


def _quota() -> int | None:
    """Cores that the process's control group may use, None where there is no limit."""
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    return None
