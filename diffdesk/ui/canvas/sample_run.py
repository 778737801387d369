"""A made-up but plausible denoising run over real English, as trace events: for the window's benchmark and its tests.

It has the rhythm of the real thing: guesses appear, words settle from the start and around the easy ones, some change
their mind, and each canvas settles within its steps. No model is needed. Knows only the trace's types.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.trace import (
    CanvasClosed,
    CanvasOpened,
    CellState,
    Region,
    StepDelta,
    TraceEvent,
    quantise_entropy,
)

_TEXT = (
    "The sky looks blue because air scatters short waves of light more than long ones. Sunlight carries all colours; "
    "on its way through the air the blue part is sent in every direction, so it reaches the eye from all sides, while "
    "red and yellow pass almost straight on.\n\nIn the evening the path through the air is much longer. Most of the "
    "blue is scattered away before the light arrives, and what is left is orange and red. Dust and small drops make "
    "the effect stronger, which is why the sun sets so brightly over the sea.\n\nOn the moon there is no air, and the "
    "sky is black even at noon.\n\n"
)
_THOUGHT = "The question asks for a cause. Name scattering first, then say why evenings differ. "


def sample_run(
    canvases: int = 8, length: int = 256, steps: int = 16, *, seed: int = 7, has_thought: bool = False
) -> Iterator[TraceEvent]:
    """The events of one run: `canvases` canvases of `length` positions, `steps` steps each."""
    draw = np.random.default_rng(seed)
    words = _pieces(_TEXT)
    thought = _pieces(_THOUGHT) if has_thought else []
    answer_so_far = thought_so_far = ""
    for canvas in range(canvases):
        is_first, is_last = canvas == 0, canvas == canvases - 1
        head = thought if is_first else []
        used = length - length // 6 if is_last else length
        start = canvas * length
        body = [words[(start + at) % len(words)] for at in range(used - len(head))]
        goal = [*head, *body, *([""] * (length - used))]
        regions = np.zeros(length, np.uint8)
        regions[: len(head)] = Region.THOUGHT
        regions[used:] = Region.AFTER_END
        yield from _canvas(draw, (canvas, canvases, steps), goal, regions, words)
        thought_so_far += "".join(head)
        answer_so_far += "".join(body)
        yield CanvasClosed(canvas, steps, True, answer_so_far, thought_so_far)


def _pieces(text: str) -> list[str]:
    """A text cut the way a tokenizer cuts: words with the space before them, long ones in two, line feeds alone."""
    found: list[str] = []
    for paragraph in text.split("\n\n"):
        for at, word in enumerate(paragraph.split()):
            piece = " " + word if at else word
            found += [piece[:6], piece[6:]] if len(piece) > 9 else [piece]
        found.append("\n\n")
    return found[:-1]


def _canvas(
    draw: np.random.Generator,
    place: tuple[int, int, int],
    goal: list[str],
    regions: NDArray[np.uint8],
    words: list[str],
) -> Iterator[TraceEvent]:
    """One canvas, up to but without its closing; `place` is its number, the number of canvases, and of steps."""
    canvas, canvases, steps = place
    length = len(goal)
    # When each position settles: mostly from the left, with easy words early and a few late ones.
    order = np.linspace(0.0, 0.75, length) + draw.normal(0.0, 0.16, length)
    settles = np.clip(1 + order * (steps - 2), 1, steps - 1).round().astype(int)
    settles[regions == Region.AFTER_END] = 1
    guesses = np.maximum(0, settles - draw.integers(1, 5, length))
    shown = [words[one] for one in draw.integers(0, len(words), length)]
    yield CanvasOpened(canvas, canvases, steps, draw.integers(0, 60_000, length).astype(np.int32), tuple(shown))
    for step in range(1, steps + 1):
        states = np.full(length, CellState.NOISE, np.uint8)
        states[step > guesses] = CellState.CHANGING
        states[step == settles] = CellState.ACCEPTED
        states[step > settles] = CellState.SETTLED
        entropy = np.clip((settles - step + 1) * 1.4, 0.01, 9.0) * draw.uniform(0.5, 1.2, length)
        changed: list[int] = []
        for at in range(length):
            is_done = step >= settles[at]
            text = goal[at] if is_done or draw.random() < 0.45 else words[int(draw.integers(0, len(words)))]
            if text != shown[at]:
                shown[at] = text
                changed.append(at)
        yield StepDelta(
            canvas=canvas,
            step=step,
            temperature=0.8 - 0.4 * step / steps,
            milliseconds=5.3,
            positions=np.array(changed, np.uint16),
            ids=draw.integers(0, 60_000, len(changed)).astype(np.int32),
            pieces=tuple(shown[at] for at in changed),
            entropy=quantise_entropy(entropy),
            states=states,
            regions=regions,
        )
