"""Error rates of corrected lines, and whether they meet the starter model's aims. Pure functions on texts.

Knows nothing of models: what was drafted, what came out at which gate and what is true are given.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from diffdesk.core.differences import edit_distance

POOR_DRAFT, GOOD_DRAFT = 0.03, 0.01  # error rates of a line: a poor draft has at least this, a good one less

OTHER_SHAPES = ("old_spelling", "tokenised", "tables", "code", "capitals", "other_languages", "names_addresses")


@dataclass(frozen=True)
class Result:
    """One line that was corrected.

    Attributes:
        truth: what is printed.
        draft: what was read; empty for a picture without a draft.
        corrected: the text as the program would give it.
        ungated: the text with every change that the model wants.
        by_gate: the text at other gates, by gate.
        steps: denoising steps of each of its canvases.
        milliseconds: from the draft to the text.
    """

    truth: str
    draft: str
    corrected: str
    ungated: str
    by_gate: Mapping[float, str]
    steps: tuple[int, ...]
    milliseconds: float

    @cached_property
    def draft_errors(self) -> int:
        """Edit distance of draft and truth."""
        return _distance(self.draft, self.truth)

    @property
    def draft_rate(self) -> float:
        """Errors of the draft for each true character."""
        return self.draft_errors / max(1, len(self.truth))


@dataclass(frozen=True, slots=True)
class Figures:
    """A set's figures; rates are shares, summed over all lines before they are divided.

    Attributes:
        lines: how many.
        cer_draft, cer_corrected, cer_no_gate: character error rates: edit distance over true characters.
        unchanged_share: of the draft's characters; 1 for a set without drafts.
        steps_median: of all canvases.
        ms_per_line: median.
        by_gate: error rate at each gate of a curve.
        poor_drafts, good_drafts: error rates (draft, corrected) of the lines whose draft is poor, or good; None
            where there are none.
    """

    lines: int
    cer_draft: float
    cer_corrected: float
    cer_no_gate: float
    unchanged_share: float
    steps_median: float
    ms_per_line: float
    by_gate: Mapping[float, float]
    poor_drafts: tuple[float, float] | None = None
    good_drafts: tuple[float, float] | None = None

    def by_draft(self) -> dict[str, tuple[float, float]]:
        """Error rates (draft, corrected) by the quality of the lines' drafts."""
        named = {"poor_drafts": self.poor_drafts, "good_drafts": self.good_drafts}
        return {name: pair for name, pair in named.items() if pair is not None}

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        data: dict[str, object] = {
            "lines": self.lines,
            "cer_draft": round(self.cer_draft, 6),
            "cer_corrected": round(self.cer_corrected, 6),
            "cer_no_gate": round(self.cer_no_gate, 6),
            "unchanged_share": round(self.unchanged_share, 6),
            "steps_median": self.steps_median,
            "ms_per_line": round(self.ms_per_line, 1),
        }
        for name, pair in self.by_draft().items():
            data[name] = {"cer_draft": round(pair[0], 6), "cer_corrected": round(pair[1], 6)}
        if self.by_gate:
            data["cer_by_gate"] = {str(gate): round(rate, 6) for gate, rate in self.by_gate.items()}
        return data


def figures_of(results: Sequence[Result]) -> Figures:
    """The figures of a set of at least one line."""
    drafted = sum(len(one.draft) for one in results)
    touched = sum(_distance(one.draft, one.corrected) for one in results if one.draft)
    gates = results[0].by_gate.keys()
    return Figures(
        lines=len(results),
        cer_draft=_draft_rate(results),
        cer_corrected=_rate((one.corrected, one.truth) for one in results),
        cer_no_gate=_rate((one.ungated, one.truth) for one in results),
        unchanged_share=1 - touched / drafted if drafted else 1.0,
        steps_median=statistics.median(steps for one in results for steps in one.steps),
        ms_per_line=statistics.median(one.milliseconds for one in results),
        by_gate={gate: _rate((one.by_gate[gate], one.truth) for one in results) for gate in gates},
        poor_drafts=_pair([one for one in results if one.draft and one.draft_rate >= POOR_DRAFT]),
        good_drafts=_pair([one for one in results if one.draft and one.draft_rate < GOOD_DRAFT]),
    )


def _pair(results: Sequence[Result]) -> tuple[float, float] | None:
    if not results:
        return None
    return _draft_rate(results), _rate((one.corrected, one.truth) for one in results)


def _draft_rate(results: Sequence[Result]) -> float:
    return sum(one.draft_errors for one in results) / max(1, sum(len(one.truth) for one in results))


def _rate(pairs: Iterable[tuple[str, str]]) -> float:
    errors = characters = 0
    for text, truth in pairs:
        errors += _distance(text, truth)
        characters += len(truth)
    return errors / max(1, characters)


def _distance(one: str, other: str) -> int:
    return 0 if one == other else edit_distance(list(one), list(other))


# --- aims -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """An aim, the figure that it is about, and whether that is met."""

    aim: str
    figure: str
    is_met: bool

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {"aim": self.aim, "figure": self.figure, "met": self.is_met}


_DOWN = {"books_mixed": (0.60, 0.50), "books_classic": (0.45, 0.35)}  # without the gate, with it
_UNCHANGED = 0.9997
_PICTURE_RATE = 0.08
_POOR_DOWN = 0.30
_MOST_WORSE = 0.001
_MOST_STEPS = 8
LINES = "lines_"  # begins the names of sets of rendered lines


def judge(name: str, figures: Figures) -> list[Judged]:
    """The aims of a set, with what was reached; none for a set that has none."""
    judged: list[Judged] = []
    if name in _DOWN:
        free, gated = _DOWN[name]
        judged.append(_down("errors down without the gate", figures.cer_draft, figures.cer_no_gate, free))
        judged.append(_down("errors down with the gate", figures.cer_draft, figures.cer_corrected, gated))
    if name == "clean":
        share = figures.unchanged_share
        aim = f"characters unchanged ≥ {_UNCHANGED:.2%}"
        judged.append(Judged(aim, f"{share:.3%}", share >= _UNCHANGED))
    if name.startswith(LINES):
        judged += _judged_by_draft(figures)
    if name.startswith("pictures_"):
        rate = figures.cer_corrected
        judged.append(Judged(f"error rate ≤ {_PICTURE_RATE:.0%}", f"{rate:.2%}", rate <= _PICTURE_RATE))
    if name in OTHER_SHAPES:
        judged.append(not_worse("left alone", figures.cer_draft, figures.cer_corrected, _MOST_WORSE))
    if judged:
        steps = figures.steps_median
        judged.append(Judged(f"steps, median ≤ {_MOST_STEPS}", f"{steps:g}", steps <= _MOST_STEPS))
    return judged


def _judged_by_draft(figures: Figures) -> list[Judged]:
    judged: list[Judged] = []
    if figures.poor_drafts:
        what = f"where {POOR_DRAFT:.0%} or more of the draft is wrong, errors down"
        judged.append(_down(what, *figures.poor_drafts, _POOR_DOWN))
    if figures.good_drafts:
        judged.append(not_worse(f"where less than {GOOD_DRAFT:.0%} is wrong, never worse", *figures.good_drafts, 0.0))
    return judged


def _down(what: str, draft: float, corrected: float, least: float) -> Judged:
    share = 1 - corrected / draft if draft else 0.0
    aim = f"{what} ≥ {least:.0%}, to {100 * draft * (1 - least):.2f}"
    return Judged(aim, f"{share:.1%}", share >= least)


def not_worse(what: str, draft: float, corrected: float, most: float) -> Judged:
    """An aim that `corrected` is at most `most` above `draft`, both error rates."""
    worse = corrected - draft
    aim = f"{what}: at most {100 * most:g} points worse" if most else what
    return Judged(aim, f"{100 * worse:+.3f} points", worse <= most + 1e-12)
