"""What a model is made for, as data. Where it is written down is the matter of the catalogue of models."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layout(StrEnum):
    """How prompt and canvas are laid out."""

    TURNS = "turns"  # Gemma turns, a free canvas
    ALIGNED = "aligned"  # draft character i in slot i of the prompt and in position i of the canvas


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What a model is made for.

    Attributes:
        name: for people; empty takes the folder's name.
        layout: of prompt and canvas.
        slots: `ALIGNED` only: characters of a draft that fit a canvas.
        gate: `ALIGNED` only: probability from which a character of the draft is changed.
        read_gate: the same for a draft that a recogniser read: it errs less than the noise that the model was taught.
        can_chat: whether it answers questions.
        parameters: number of weights, 0 if unknown.
    """

    name: str = ""
    layout: Layout = Layout.TURNS
    slots: int = 0
    gate: float = 0.0
    read_gate: float = 0.0
    can_chat: bool = True
    parameters: int = 0
