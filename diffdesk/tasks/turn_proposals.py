"""What an answer that rewrote a draft comes to: its changes one by one, how sure each is, and which are made.

A chat model writes a whole text, so draft and answer are compared. A change is a word, or a few that only make sense
together, without what both sides begin and end with. Knows nothing of models, images and canvases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.differences import Change, ChangeKind, changes, refine, share_changed
from diffdesk.core.proposals import Doubt, Proposal, with_lines_held
from diffdesk.tasks.guard import LINE_END, Guard, writes_straight

READ_GATE = 0.5
SURE = 0.99
SURE_GATE = 0.8
MOST_CHANGED = 0.6  # of a draft: an answer that shares less with it is a refusal, a comment or another text
DOUBTFUL = 0.5  # evidence below which a word that was kept is doubtful
_SHORT = 20  # characters of a draft: in fewer, a few letters are a large share, and only length tells
_LONGEST = 3  # times the draft, for the answer to a short one
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model wrote, and how sure it was of each character: float32[len(text)], see `core.certainty`."""

    text: str
    certainty: NDArray[np.float32]

    def part(self, start: int, end: int) -> Answer:
        """The characters [start, end)."""
        return Answer(self.text[start:end], self.certainty[start:end])

    def stripped(self) -> Answer:
        """Without white space at its ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self.part(start, max(start, len(self.text.rstrip())))


def turns_guard(draft: str) -> Guard:
    """What the changes of a chat model need in a draft that a recogniser read.

    The evidence for a token is a mean over all steps of its canvas, and from noise the first steps say little: even
    what a model only copies stays well below 1. So a change needs to have been held for half of the steps
    (`READ_GATE`), and for most of them (`SURE_GATE`) inside of words that the recogniser was sure of, names, codes,
    lines of figures, and where only a mark differs. Words with digits in them never change by themselves. These
    numbers are reasoned, not measured: the real model was never at hand. What is not made is still offered.
    """
    return Guard(
        READ_GATE,
        protects_numbers=True,
        sure=SURE,
        sure_gate=SURE_GATE,
        figures_gate=SURE_GATE,
        marks_gate=SURE_GATE,
        names_gate=SURE_GATE,
        straightens=writes_straight(draft),
    )


def has_little_to_do(draft: str, answer: str) -> bool:
    """Whether an answer is no correction of the draft, but a refusal, a comment, nothing, or another text."""
    if not answer.strip():
        return bool(draft.strip())
    if len(draft) < _SHORT:
        return len(answer) > _LONGEST * max(len(draft), _SHORT // 2)
    return share_changed(draft, answer) > MOST_CHANGED


def typed_proposals(draft: str, answer: Answer) -> tuple[Proposal, ...]:
    """The changes to a draft that somebody typed: all are made, so that the answer stands as a whole."""
    found = (_edit(one, answer) for one in changes(draft, answer.text))
    return tuple(Proposal(one.start, one.end, one.text, one.certainty, is_made=True) for one in found)


def read_proposals(
    draft: str, answer: Answer, confidence: NDArray[np.float32] | None, guard: Guard
) -> tuple[Proposal, ...]:
    """The changes to a draft that a recogniser read; which of them are made is the guard's matter.

    Its lines stay as they are broken on the page, however the answer is broken: line breaks are never made or taken
    away, and a change that reaches over one falls into one for each word where the numbers of words allow it. In a
    line that would change too much nothing is made. `confidence` float32[len(draft)] is the recogniser's.
    """
    needed = guard.needed(draft, confidence)
    proposals: list[Proposal] = []
    for one in _changes_but_for_breaks(draft, answer.text):
        after = answer.text[one.after_start : one.after_end]
        for part in _within_lines(one, draft[one.before_start : one.before_end], after):
            edit = _in_its_line(_edit(part, answer), draft)
            before = draft[edit.start : edit.end]
            text = guard.written(edit.text, before)
            if text != before and not _is_layout(draft, edit):
                is_made = edit.certainty >= _need(guard, needed, draft, edit, text)
                proposals.append(Proposal(edit.start, edit.end, text, edit.certainty, is_made))
    return with_lines_held(draft, proposals)


def doubts_of(draft: str, answer: Answer) -> tuple[Doubt, ...]:
    """The words of the draft that the answer has as well, without much evidence; neighbours in a line are one."""
    kept = np.full(len(draft), np.nan, np.float32)
    before = after = 0
    found = _changes_but_for_breaks(draft, answer.text)
    ends = [(one.before_start, one.before_end, one.after_end) for one in found]
    for stop, next_before, next_after in [*ends, (len(draft), len(draft), len(answer.text))]:
        kept[before:stop] = answer.certainty[after : after + stop - before]
        before, after = next_before, next_after
    doubts: list[Doubt] = []
    for word in _WORD.finditer(draft):
        certainty = float(kept[word.start() : word.end()].min())  # not a number where the word was changed
        if not certainty < DOUBTFUL:
            continue
        gap = draft[doubts[-1].end : word.start()] if doubts else LINE_END
        if gap.isspace() and LINE_END not in gap:
            last = doubts.pop()
            doubts.append(Doubt(last.start, word.end(), min(last.certainty, certainty)))
        else:
            doubts.append(Doubt(word.start(), word.end(), certainty))
    return tuple(doubts)


def moved(proposals: Sequence[Proposal], by: int) -> tuple[Proposal, ...]:
    """Proposals for a piece of a draft as those for the draft that it begins in at the character `by`."""
    return tuple(replace(one, start=one.start + by, end=one.end + by) for one in proposals)


def moved_doubts(doubts: Sequence[Doubt], by: int) -> tuple[Doubt, ...]:
    """The same for doubts."""
    return tuple(replace(one, start=one.start + by, end=one.end + by) for one in doubts)


def _changes_but_for_breaks(draft: str, answer: str) -> tuple[Change, ...]:
    """The changes where a line break counts as a blank; places are those of the texts as they are."""
    return changes(draft.replace(LINE_END, " "), answer.replace(LINE_END, " "))


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str
    certainty: float


def _edit(change: Change, answer: Answer) -> _Edit:
    """A change without what both sides begin and end with; its certainty is the lowest of its characters."""
    parts = refine(change)
    start, end = parts[0].before_start, parts[-1].before_end
    text = answer.text[parts[0].after_start : parts[-1].after_end]
    return _Edit(start, end, text, min(_certainty(one, answer.certainty) for one in parts))


def _in_its_line(edit: _Edit, draft: str) -> _Edit:
    """An edit that writes no line break; what is put in beside one of the draft's stands where the answer has it."""
    text = edit.text.replace(LINE_END, " ")
    if edit.start < edit.end or text == edit.text:
        return replace(edit, text=text)
    before, after = draft[: edit.start], draft[edit.start :]
    if edit.text.endswith(LINE_END) and before.endswith(LINE_END):  # "more⏎" after the break: " more" before it
        return replace(edit, start=edit.start - 1, end=edit.end - 1, text=" " + text[:-1])
    if edit.text.startswith(LINE_END) and after.startswith(LINE_END):  # "⏎more" before it: "more " after it
        return replace(edit, start=edit.start + 1, end=edit.end + 1, text=text[1:] + " ")
    return replace(edit, text=text)


def _is_layout(draft: str, edit: _Edit) -> bool:
    """Whether an edit makes a gap wider or narrower, and neither parts nor joins what stands at its sides."""
    if (draft[edit.start : edit.end] + edit.text).strip():
        return False
    around = draft[max(0, edit.start - 1) : edit.start], draft[edit.end : edit.end + 1]
    return not all(one.strip() for one in around) or bool(edit.text and edit.start < edit.end)


def _certainty(part: Change, certainty: NDArray[np.float32]) -> float:
    """The lowest evidence for the new characters; where some are only taken away, for what stands around them."""
    if part.after:
        return float(certainty[part.after_start : part.after_end].min())
    around = certainty[max(0, part.after_start - 1) : part.after_start + 1]
    return float(around.min()) if around.size else 0.0


def _within_lines(change: Change, before: str, after: str) -> Iterator[Change]:
    """A change as it may be made without touching a line break; `before` and `after` are its texts with breaks."""
    if LINE_END not in before and (LINE_END not in after or change.kind is not ChangeKind.SPACE):
        yield change
        return
    if LINE_END not in before or _letters(before) == _letters(after):
        return  # only broken otherwise: a word that was divided at the end of a line and is not any more
    old, new = list(_WORD.finditer(before)), list(_WORD.finditer(after))
    if len(old) != len(new):
        yield change
        return
    for one, other in zip(old, new, strict=True):
        if one[0] != other[0]:
            yield Change(
                change.before_start + one.start(),
                change.before_start + one.end(),
                change.after_start + other.start(),
                change.after_start + other.end(),
                one[0],
                other[0],
                ChangeKind.REPLACED,
            )


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _need(guard: Guard, needed: NDArray[np.float32], draft: str, edit: _Edit, text: str) -> float:
    """The certainty that a change needs: the most that a character of it needs, or one beside it where none is."""
    before = draft[edit.start : edit.end]
    places = range(edit.start, edit.end) or (at for at in (edit.start - 1, edit.start) if 0 <= at < len(draft))
    # What is put in at the end of a line leaves the line break alone.
    inside = [float(needed[at]) for at in places if before or draft[at] != LINE_END]
    writes_figures = any(map(str.isdigit, text)) and not any(map(str.isdigit, before))
    return max([guard.needed_for(before, text), guard.sure_gate if writes_figures else 0.0, *inside])
