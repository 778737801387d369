"""Frames made by hand, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffdesk.core.trace import CanvasFold, CanvasFrame, CellState, Region, quantise_entropy
from diffdesk.ui.canvas.sample_run import sample_run


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def frame_of(
    pieces: Sequence[str],
    states: Sequence[int] | int = CellState.SETTLED,
    regions: Sequence[int] | int = Region.ANSWER,
    *,
    canvas: int = 0,
    canvases: int = 1,
    step: int = 3,
    nats: float = 0.01,
    is_closed: bool = False,
) -> CanvasFrame:
    """A frame of these pieces; one state or region stands for all positions."""
    length = len(pieces)
    return CanvasFrame(
        canvas=canvas,
        canvases=canvases,
        step=step,
        steps=48,
        temperature=0.6,
        milliseconds=12.0,
        ids=np.zeros(length, np.int32),
        pieces=tuple(pieces),
        entropy=quantise_entropy(np.full(length, nats)),
        states=np.array([states] * length if isinstance(states, int) else states, np.uint8),
        regions=np.array([regions] * length if isinstance(regions, int) else regions, np.uint8),
        is_closed=is_closed,
        is_settled=is_closed,
    )


def words_of(text: str) -> list[str]:
    """A text as pieces: words with the space before them."""
    first, *others = text.split(" ")
    return [first, *(" " + word for word in others)]


def sample_frames(canvases: int = 1, **options: int) -> list[tuple[CanvasFrame, str, str]]:
    """All frames of a made-up run, each with what is committed."""
    fold = CanvasFold()
    frames = []
    for event in sample_run(canvases, has_thought=True, **options):
        frame = fold.apply(event)
        frames.append((frame, fold.answer, fold.thought))
    return frames
