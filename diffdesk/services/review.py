"""The review of one corrected page: what was proposed, what the user decided, and the text that follows from both.

Each segment of the draft has at most one decision; decisions are steps that can be undone without end. Plain values, so
that a review can be kept and opened again; knows nothing of widgets and of the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from diffdesk.core.proposals import Doubt, Proposal
from diffdesk.documents.recognised_page import RecognisedPage
from diffdesk.services.segments import segments_of


class Decision(StrEnum):
    """What the user said of a segment."""

    ACCEPTED = "accepted"  # what the model wrote; of a word without a change, that it is right
    REJECTED = "rejected"  # what was read stays
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Said:
    """A decision on a segment; `text` is what the user typed."""

    decision: Decision
    text: str = ""


Step = Mapping[int, Said | None]
"""Decisions that were made together: by segment, None where one was taken back."""


class Review:
    """A page under review.

    Attributes:
        draft: what was read.
        segments: in reading order; they join to the draft.
    """

    def __init__(
        self,
        draft: str,
        proposals: Sequence[Proposal],
        doubts: Sequence[Doubt] = (),
        page: RecognisedPage | None = None,
        kept: str = "",
    ) -> None:
        """Open a review; `kept` is what `to_json` gave, empty for a new one.

        Raises `ValueError` if the parts don't belong together.
        """
        self.draft = draft
        self.segments = segments_of(draft, proposals, doubts, page)
        self._steps: list[Step] = []
        self._done = 0
        self._said: dict[int, Said] = {}
        if kept:
            self._open(kept)

    # --- what is so -----------------------------------------------------------------------------------

    def said(self, index: int) -> Said | None:
        """What the user decided on a segment."""
        return self._said.get(index)

    def text_of(self, index: int) -> str:
        """What stands in the text now in the place of a segment."""
        segment, said = self.segments[index], self._said.get(index)
        if said is None:
            return segment.made
        if said.decision is Decision.EDITED:
            return said.text
        return segment.wanted if said.decision is Decision.ACCEPTED else segment.drafted

    @property
    def text(self) -> str:
        """The whole text as it stands."""
        return "".join(self.text_of(index) for index in range(len(self.segments)))

    def doubt_of(self, index: int) -> float:
        """How doubtful a segment is; nothing that was decided is."""
        return 0.0 if index in self._said else self.segments[index].doubt

    @property
    def changes(self) -> tuple[int, ...]:
        """The segments that the model or the user would change."""
        return tuple(
            index
            for index, one in enumerate(self.segments)
            if one.is_change or (index in self._said and self.text_of(index) != one.drafted)
        )

    @property
    def undecided(self) -> tuple[int, ...]:
        """The changes that nobody decided on."""
        return tuple(index for index in self.changes if index not in self._said)

    @property
    def can_undo(self) -> bool:
        """Whether there is a decision to take back."""
        return self._done > 0

    @property
    def can_redo(self) -> bool:
        """Whether a decision was taken back and can be made again."""
        return self._done < len(self._steps)

    def summary(self) -> str:
        """How much the model changed, in a sentence."""
        made = [one for one in self.segments if one.made != one.drafted]
        words = sum(not one.drafted.isspace() for one in self.segments)
        offered = sum(one.is_change and one.made != one.wanted and not one.is_held for one in self.segments)
        held = len({one.line for one in self.segments if one.is_held})
        if not made and not offered and not held:
            return "Nothing was changed."
        share = 100 * len(made) / max(1, words)
        parts = [f"{len(made):,} of {words:,} words changed ({share:.1f} %)" if made else "Nothing was changed"]
        if offered:
            parts.append(f"{offered:,} {'more ' if made else ''}suggested for you to decide")
        if held:
            parts.append(f"{held:,} {'line' if held == 1 else 'lines'} left as read for you to decide")
        return "; ".join(parts) + "."

    # --- deciding -------------------------------------------------------------------------------------

    def accept(self, index: int) -> None:
        """Take what the model would write; of an uncertain word, say that it is right."""
        self._do({index: Said(Decision.ACCEPTED)})

    def reject(self, index: int) -> None:
        """Keep what was read."""
        self._do({index: Said(Decision.REJECTED)})

    def edit(self, index: int, text: str) -> None:
        """Write `text` in the place of a segment."""
        self._do({index: Said(Decision.EDITED, text)})

    def accept_above(self, certainty: float) -> int:
        """Accept every undecided change that the model was so sure of; how many. One step to undo."""
        found = {
            index: Said(Decision.ACCEPTED) for index in self.undecided if self.segments[index].certainty >= certainty
        }
        if found:
            self._do(found)
        return len(found)

    def settle(self, certainty: float) -> None:
        """Decide without a user: changes that the model was so sure of are accepted, the others rejected."""
        self._do(
            {
                index: Said(Decision.ACCEPTED if self.segments[index].certainty >= certainty else Decision.REJECTED)
                for index in self.undecided
            }
        )

    def undo(self) -> tuple[int, ...]:
        """Take the last step back; the segments it concerned, none if there was no step."""
        if not self.can_undo:
            return ()
        self._done -= 1
        concerned = tuple(self._steps[self._done])
        self._replay()
        return concerned

    def redo(self) -> tuple[int, ...]:
        """Make the step again that was taken back last; the segments it concerns."""
        if not self.can_redo:
            return ()
        self._done += 1
        self._replay()
        return tuple(self._steps[self._done - 1])

    def _do(self, step: Step) -> None:
        if not step:
            return
        if any(not 0 <= index < len(self.segments) for index in step):
            raise ValueError("there is no such segment")
        self._steps[self._done :] = [step]
        self._done += 1
        self._apply(step)

    def _apply(self, step: Step) -> None:
        for index, said in step.items():
            if said is None:
                self._said.pop(index, None)
            else:
                self._said[index] = said

    def _replay(self) -> None:
        self._said.clear()
        for step in self._steps[: self._done]:
            self._apply(step)

    # --- keeping --------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """The decisions and the way to them, to be kept."""
        steps = [
            {str(index): None if said is None else [said.decision.value, said.text] for index, said in step.items()}
            for step in self._steps
        ]
        return json.dumps({"done": self._done, "steps": steps}, ensure_ascii=False, separators=(",", ":"))

    def _open(self, kept: str) -> None:
        try:
            data = json.loads(kept)
            steps = [
                {
                    int(index): None if said is None else Said(Decision(said[0]), str(said[1]))
                    for index, said in step.items()
                }
                for step in data["steps"]
            ]
            done = int(data["done"])
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"a review that can't be read: {error!r}") from error
        if not 0 <= done <= len(steps) or any(not 0 <= at < len(self.segments) for step in steps for at in step):
            raise ValueError("a review of another text")
        self._steps, self._done = list(steps), done
        self._replay()
