"""The sets that the starter model is measured on: passages and rendered lines.

They lie in ``resources/measure/starter``; its README says how they were made. Knows nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from diffdesk.core.errors import UserError
from diffdesk.core.requests import ReadLine

_PICTURES = "pictures_"  # the lines of the set of the same name, without their drafts
_PICTURES_FROM = 2  # every second of them
_QUICK = 5  # every fifth line


class SetKind(StrEnum):
    """How the lines of a set are given to the model."""

    TEXT = "text"
    LINE = "line"  # a picture and a draft
    PICTURE = "picture"  # a picture alone


@dataclass(frozen=True, slots=True)
class Sample:
    """What is measured at once: a passage, or a line with its picture.

    Attributes:
        truth: what is printed.
        draft: what was read.
        line: where it stands in an image; None for a passage.
    """

    truth: str
    draft: str
    line: ReadLine | None = None


@dataclass(frozen=True, slots=True)
class MeasureSet:
    """Samples of one kind."""

    name: str
    kind: SetKind
    samples: tuple[Sample, ...]


KINDS = {
    "books_mixed": SetKind.TEXT,
    "books_classic": SetKind.TEXT,
    "clean": SetKind.TEXT,
    "old_spelling": SetKind.TEXT,
    "tokenised": SetKind.TEXT,
    "tables": SetKind.TEXT,
    "code": SetKind.TEXT,
    "capitals": SetKind.TEXT,
    "other_languages": SetKind.TEXT,
    "names_addresses": SetKind.TEXT,
    "lines_moderate": SetKind.LINE,
    "lines_bad": SetKind.LINE,
    "pictures_moderate": SetKind.PICTURE,
}


def read_sets(folder: Path, names: Sequence[str], *, is_quick: bool = False) -> list[MeasureSet]:
    """The named sets, or all if none is named; raises `UserError` for a name or a file that is not there."""
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise UserError(
            f"There is no measuring set called “{unknown[0]}”",
            f"There are: {', '.join(KINDS)}.",
            "Name them with --sets, separated by commas.",
        )
    step = _QUICK if is_quick else 1
    return [
        MeasureSet(name, KINDS[name], tuple(_samples(folder, name)[::step])) for name in dict.fromkeys(names or KINDS)
    ]


def _samples(folder: Path, name: str) -> list[Sample]:
    path = folder / f"{name.replace(_PICTURES, 'lines_')}.jsonl"
    try:
        rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise UserError(
            "A measuring set is missing",
            f"The file {path} can't be read: {error.strerror or error}.",
            "Install DiffDesk again.",
        ) from error
    if KINDS[name] is SetKind.TEXT:
        return [Sample(row["truth"], row.get("draft", row["truth"])) for row in rows]
    lines = [
        (str(row["truth"]), ReadLine.from_json({**row["line"], "image": folder / row["line"]["image"]})) for row in rows
    ]
    if KINDS[name] is SetKind.PICTURE:
        return [Sample(truth, "", line) for truth, line in lines[::_PICTURES_FROM]]
    return [Sample(truth, line.text, line) for truth, line in lines]
