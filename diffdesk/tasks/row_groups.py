r"""Short rows that share a canvas, for a model that is aligned with its draft: joined by line ends, and taken apart.

Such a model never changes a line end and writes nothing across one, so the rows of a group come back as they were put
in, one line each. It reads the neighbours as running text, so a row's correction may differ now and then from the one
that it gets alone. Knows nothing of engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diffdesk.core.requests import ModelInfo
from diffdesk.tasks.aligned_correction import EDGE
from diffdesk.tasks.guard import LINE_END
from diffdesk.tasks.starter import is_english


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows that are sent as one text.

    Attributes:
        indices: of the rows, as `join_rows` was given them; ascending.
        rows: their texts.
    """

    indices: tuple[int, ...]
    rows: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is sent."""
        return LINE_END.join(self.rows)


def shared_room(info: ModelInfo) -> int:
    """Characters that rows may share a canvas up to; 0 for a model in which every row needs a canvas of its own."""
    return 0 if info.can_chat else max(0, info.canvas_length - EDGE)


def join_rows(rows: Sequence[str], most_characters: int) -> tuple[RowGroup, ...]:
    """All rows in groups, in order, each group short enough for one canvas.

    A row stays alone that is long, empty, in another language, or of several lines, and one whose white space a model
    would be shown differently.
    """
    groups: list[list[int]] = []
    room = 0  # of the last group, with the line end that would come first
    for index, row in enumerate(rows):
        can_share = _can_share(row)
        if can_share and len(row) < room:
            groups[-1].append(index)
            room -= len(row) + len(LINE_END)
        else:
            groups.append([index])
            room = most_characters - len(row) if can_share else 0
    return tuple(RowGroup(tuple(one), tuple(rows[index] for index in one)) for one in groups)


def split_answer(group: RowGroup, answer: str) -> tuple[str, ...] | None:
    """The rows of a group's answer; None where it hasn't as many lines, and the rows have to be sent one by one."""
    lines = (answer,) if len(group.rows) == 1 else tuple(answer.split(LINE_END))
    if len(lines) != len(group.rows) or (len(lines) > 1 and not all(line.strip() for line in lines)):
        return None
    return lines


def _can_share(row: str) -> bool:
    """Whether a row is one line of words with single spaces between them, which may be English."""
    return bool(row) and row == " ".join(row.split()) and is_english(row)
