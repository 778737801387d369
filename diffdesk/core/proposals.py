"""What a correction would change, and how sure the model was: plain data with a JSON form, and what follows from it.

All places are characters of the draft. Knows nothing of models, pages and widgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

HELD_SHARE = 0.3
"""The usual share of a line's characters from which its changes are left to the user."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of the draft that the model would make.

    Attributes:
        start, end: characters [start, end) of the draft; equal where something is put in.
        text: what it would write there.
        certainty: 0…1, how steadily the model held to it over its steps.
        is_made: whether it is part of the answer; otherwise the guard asked for more certainty.
        is_held: it is not made because its line would have changed too much.
    """

    start: int
    end: int
    text: str
    certainty: float
    is_made: bool
    is_held: bool = False

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> Proposal:
        """From a JSON object; raises what Python raises where it is none."""
        return Proposal(
            int(str(data["start"])),
            int(str(data["end"])),
            str(data["text"]),
            float(str(data["certainty"])),
            bool(data["is_made"]),
            bool(data["is_held"]),
        )


@dataclass(frozen=True, slots=True)
class Doubt:
    """Characters [start, end) of the draft that the model kept without being sure; `certainty` as in `Proposal`."""

    start: int
    end: int
    certainty: float

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> Doubt:
        """From a JSON object; raises what Python raises where it is none."""
        return Doubt(int(str(data["start"])), int(str(data["end"])), float(str(data["certainty"])))


def made_text(draft: str, proposals: Sequence[Proposal]) -> str:
    """The draft with those proposals that are made; raises `ValueError` if they overlap or lie outside."""
    pieces: list[str] = []
    done = 0
    for one in proposals:
        if not done <= one.start <= one.end <= len(draft):
            raise ValueError(f"a proposal at {one.start}:{one.end} does not belong to this text")
        pieces += [draft[done : one.start], one.text if one.is_made else draft[one.start : one.end]]
        done = one.end
    return "".join([*pieces, draft[done:]])


def with_lines_held(draft: str, proposals: Sequence[Proposal], share: float = HELD_SHARE) -> tuple[Proposal, ...]:
    """The proposals, with none made in a line of which more than `share` of the characters would change."""
    held: set[int] = set()
    start = 0
    for line in draft.split("\n"):
        end = start + len(line)
        inside = [index for index, one in enumerate(proposals) if one.is_made and start <= one.start <= end]
        changed = sum(max(proposals[at].end - proposals[at].start, len(proposals[at].text)) for at in inside)
        if changed > share * max(1, len(line)):
            held.update(inside)
        start = end + 1
    return tuple(
        replace(one, is_made=False, is_held=True) if index in held else one for index, one in enumerate(proposals)
    )
