"""What a step of the published layout, cut to a few layers, costs with its parts on a card or in main memory.

    python tests/bench/card_step.py [--layers 6] [--budgets 0,8,3] [--device gpu|cpu] [--no-lending]

A budget is the card's memory in GiB; 0 is all of it. Prints one JSON object: for each budget where the parts lie, and
the median milliseconds of a step after 1,024 tokens. Random weights: only times mean anything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from diffdesk.backends.ggml.denoiser import GgufDenoiser
from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.loading import CARD_VARIABLE, load
from diffdesk.core.denoiser import Prompt
from diffdesk.core.requests import ModelSpec
from tests.bench.synthetic import cut, write_random

PREFIX, CANVAS, STEPS = 1024, 256, 9


def main() -> None:
    """Measure each budget."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--budgets", default="0,3")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--no-lending", action="store_true", help="weights in main memory are used by the processor")
    given = parser.parse_args()
    Device.lends_weights = not given.no_lending
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cut.gguf"
        write_random(file, cut(given.layers))
        found = {}
        for budget in given.budgets.split(","):
            os.environ.pop(CARD_VARIABLE, None)
            if float(budget):
                os.environ[CARD_VARIABLE] = budget
            denoiser = load(ModelSpec(file, device=given.device, context=4096), lambda _stage, _share: None)
            found[budget] = {"where": denoiser.capabilities.device, **_times(denoiser)}
            denoiser.close()
        size = file.stat().st_size
    print(json.dumps({"layers": given.layers, "bytes": size, "budgets": found}))


def _times(denoiser: GgufDenoiser) -> dict[str, float]:
    rng = np.random.default_rng(1)
    began = time.perf_counter()
    denoiser.prefill(Prompt(rng.integers(1000, 200_000, PREFIX, np.int32)), lambda _done, _total: None)
    prefill = time.perf_counter() - began
    canvas = rng.integers(1000, 200_000, CANVAS, np.int32)
    denoiser.start_canvas(canvas)
    steps = []
    for _ in range(STEPS):
        began = time.perf_counter()
        canvas = denoiser.step(canvas, 0.7, rng.random(CANVAS)).sampled
        steps.append(1000 * (time.perf_counter() - began))
    return {
        "prefill_ms": round(1000 * prefill, 1),
        "first_step_ms": round(steps[0], 1),
        "ms_per_step": round(statistics.median(steps[1:]), 2),
        "splits": denoiser.splits,
        "work_bytes": denoiser.work_bytes,
    }


if __name__ == "__main__":
    main()
