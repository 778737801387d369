"""``diffdesk bench window``: how fast the window starts and how smooth it stays while drafts pour in."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping

from diffdesk.core.errors import EngineError
from diffdesk.ui.app import START_REPORT_VARIABLE
from diffdesk.ui.bench_window import run_bench

_STARTS = 5


def bench_window(seconds: float, rate: int) -> Mapping[str, object]:
    """Start the real program a few times in fresh processes, then pour drafts into a real window in this one.

    Times in milliseconds, memory in bytes. `cold_start_ms` runs from the creation of the process to the first turn of
    the event loop with the window shown, the median of five; the first of them finds the coldest disk cache.
    """
    starts = [_start_once() for _ in range(_STARTS)]
    return {
        "cold_start_ms": round(statistics.median(one["cold_start_ms"] for one in starts)),
        "first_start_ms": round(starts[0]["cold_start_ms"]),
        "resident_bytes": round(statistics.median(one["resident_bytes"] for one in starts)),
        **run_bench(seconds, rate),
    }


def _start_once() -> dict[str, float]:
    # An installed program has its bytecode; the first start in a checkout writes it.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(
        [sys.executable, "-m", "diffdesk", "--temp-profile"],
        env={**environment, START_REPORT_VARIABLE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise EngineError("The window didn't start", answer.stderr[-2000:], "Run diffdesk doctor.")
    report = json.loads(answer.stdout.splitlines()[-1])
    return {key: float(report[key]) for key in ("cold_start_ms", "resident_bytes")}
