"""What a model is made for, as data. Where it is written down is the matter of the catalogue of models."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from diffdesk.core.proposals import HELD_SHARE


class Layout(StrEnum):
    """How prompt and canvas are laid out."""

    TURNS = "turns"  # Gemma turns, a free canvas
    ALIGNED = "aligned"  # what slot i of the prompt shows belongs to position i of the canvas


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What a model is made for.

    Attributes:
        name: for people; empty takes the folder's name.
        layout: of prompt and canvas.
        slots: `ALIGNED` only: of the prompt, and positions of the canvas; see `core.lines`. The gates are for `ALIGNED`
            only, too.
        gate: probability from which a character of a text is changed.
        read_gate: the same for a text that a recogniser read: it errs less than the noise that the model was taught.
        line_gate: the same where the model sees the line's picture as well.
        sure: confidence of the recogniser from which a word of it is protected; above 1 none is.
        sure_gate: probability from which a character of a protected word is changed.
        picture_gate: mean probability from which a line is taken as the model reads it from the picture alone, where
            the recogniser had no idea; None asks for no such reading.
        held_share: share of a line's characters from which its changes are left to the user, in a text that was read: a
            model that rewrites so much of a line is guessing.
        can_chat: whether it answers questions.
        parameters: number of weights, 0 if unknown.
        is_warm_started: `TURNS` only: whether canvases of a correction begin with the draft instead of noise. Off,
            for noise is the published way, and nobody has measured on the real model what a draft gains.
    """

    name: str = ""
    layout: Layout = Layout.TURNS
    slots: int = 0
    gate: float = 0.0
    read_gate: float = 0.0
    line_gate: float = 0.0
    sure: float = 2.0
    sure_gate: float = 0.97
    picture_gate: float | None = None
    held_share: float = HELD_SHARE
    can_chat: bool = True
    parameters: int = 0
    is_warm_started: bool = False
