"""What the canvas says in plain words: its status, its figures, a position's certainty, the summary read aloud.

Pure functions of a frame; knows no Qt.
"""

from __future__ import annotations

import math

from diffdesk.core.trace import CanvasFrame, CellState, Region, entropy_in_nats

SURE, NEARLY_SURE = 0.05, 0.5  # nats: e^0.05 ≈ 1.05 and e^0.5 ≈ 1.6 equally likely words
NO_IDEA = 5.0  # nats: about 150 equally likely words

_STATES = {
    CellState.NOISE: "noise",
    CellState.CHANGING: "still changing",
    CellState.SETTLED: "settled",
    CellState.ACCEPTED: "accepted in this step",
}
_REGIONS = {
    Region.ANSWER: "",
    Region.THOUGHT: "part of the thought",
    Region.MARKER: "not part of the text",
    Region.AFTER_END: "after the end of the answer",
}


def status(frame: CanvasFrame) -> str:
    """As in "step 9 of 48 · 171 of 256 settled"; a canvas that is committed says so."""
    if frame.is_closed:
        how = "settled" if frame.is_settled else "kept before it settled"
        return f"{how} after {_count(frame.step, 'step')}"
    if frame.step == 0:
        return f"starting · {frame.length} positions"
    return f"step {frame.step} of {frame.steps} · {frame.settled_count} of {frame.length} settled"


def place(frame: CanvasFrame) -> str:
    """As in "canvas 2 of 8", or nothing where there is only one."""
    return f"canvas {frame.canvas + 1} of {frame.canvases}" if frame.canvases > 1 else ""


def short_place(frame: CanvasFrame) -> str:
    """As in "2/8", for where there is little room."""
    return f"{frame.canvas + 1}/{frame.canvases}" if frame.canvases > 1 else ""


def figures(frame: CanvasFrame, rate: float, first_words: float | None) -> str:
    """The details: `rate` in tokens a second (0 if unknown), `first_words` seconds until the first settled words."""
    parts = []
    if frame.milliseconds > 0:
        parts.append(f"{_milliseconds(frame.milliseconds)} a step")
    if rate > 0:
        parts.append(f"{rate:.0f} tok/s" if rate >= 10 else f"{rate:.1f} tok/s")
    if frame.step:
        parts.append(f"{frame.accepted_count} accepted in this step")
        parts.append(f"mean entropy {frame.mean_entropy:.2f} nats")
        parts.append(f"temperature {frame.temperature:.2f}")
    if first_words is not None:
        parts.append(f"first words after {_seconds(first_words)}")
    return " · ".join(parts)


def summary(frame: CanvasFrame) -> str:
    """One sentence for a screen reader."""
    where = f"Canvas {frame.canvas + 1} of {frame.canvases}" if frame.canvases > 1 else "The answer"
    if frame.is_closed:
        return f"{where} is written."
    share = round(100 * frame.settled_count / max(1, frame.length))
    return f"{where}: step {frame.step} of {frame.steps}, {share} percent settled."


def position(frame: CanvasFrame, index: int) -> str:
    """A position for a tooltip: its number, its text, how far it is and how sure the model is. Several lines."""
    nats = float(entropy_in_nats(frame.entropy[index : index + 1])[0])
    state = CellState(int(frame.states[index]))
    region = _REGIONS[Region(int(frame.regions[index]))]
    lines = [
        f"Position {index + 1} of {frame.length}",
        f"Text: {visible(frame.pieces[index])}",
        _STATES[state][0].upper() + _STATES[state][1:] + (f", {region}" if region else ""),
    ]
    if frame.step or frame.is_closed:
        lines.append(certainty(nats))
    return "\n".join(lines)


def certainty(nats: float) -> str:
    """How sure the model is, from the entropy of its distribution: e^H words would be equally likely at H nats."""
    if nats < SURE:
        return "The model is sure"
    if nats < NEARLY_SURE:
        return "The model is nearly sure"
    if nats < NO_IDEA:
        return f"The model weighs about {max(2, round(math.exp(nats)))} words"
    return "The model has no idea yet"


def visible(piece: str) -> str:
    """A piece of text with its spaces and line breaks made visible, cut to 40 characters."""
    shown = piece.replace("\n", "↵").replace("\t", "⇥").replace(" ", "␣")
    return (shown[:39] + "…") if len(shown) > 40 else (shown or "(nothing)")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _milliseconds(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def _seconds(value: float) -> str:
    return _milliseconds(1000 * value) if value < 60 else f"{value / 60:.1f} min"
