"""Made-up runs that look like real ones, for the tests of the store."""

from __future__ import annotations

import numpy as np

from diffdesk.core.trace import CanvasClosed, CanvasOpened, CellState, Region, StepDelta, TraceEvent, quantise_entropy

WORDS = (
    " the", " total", " of", " is", " due", " within", " thirty", " days", ",", ".", " and", " invoice", " Zürich",
    " 1", "284", "\n", " sky", " scatter", "ed", " light", " because", " wave", "length", " blue", "日本", " 🙂", "\t",
)  # fmt: skip


def make_run(steps: int = 48, length: int = 256, canvases: int = 1, seed: int = 0) -> list[TraceEvent]:
    """A whole run: at first most positions change at each step, in the end few; entropies fall alike.

    The shares follow the shape of published runs: 90 % of the positions change after the first step, 2 % at the last.
    """
    random = np.random.default_rng(seed)
    events: list[TraceEvent] = []
    answer = ""
    for canvas in range(canvases):
        ids = random.integers(0, 262_144, length, dtype=np.int32)
        pieces = [WORDS[one % len(WORDS)] for one in ids.tolist()]
        events.append(CanvasOpened(canvas, canvases, steps, ids, tuple(pieces)))
        for step in range(1, steps + 1):
            rest = 1.0 - step / steps
            changed = np.flatnonzero(random.random(length) < 0.02 + 0.88 * rest**2).astype(np.uint16)
            drawn = random.integers(0, 262_144, changed.size, dtype=np.int32)
            texts = tuple(WORDS[one % len(WORDS)] for one in drawn.tolist())
            for position, text in zip(changed.tolist(), texts, strict=True):
                pieces[position] = text
            entropy = quantise_entropy(random.gamma(0.5, 0.02 + 4.0 * rest, length))
            states = np.where(random.random(length) < rest, CellState.CHANGING, CellState.SETTLED).astype(np.uint8)
            regions = np.full(length, Region.ANSWER, np.uint8)
            events.append(
                StepDelta(canvas, step, 0.4 + 0.4 * rest, 210.5, changed, drawn, texts, entropy, states, regions)
            )
        answer += "".join(pieces)
        events.append(CanvasClosed(canvas, steps, True, answer, ""))
    return events
