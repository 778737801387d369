"""Error rates of a set, and whether they meet the aims, on texts whose figures can be counted by hand."""

from __future__ import annotations

import pytest

from diffdesk.services.starter_figures import Figures, Result, figures_of, judge

TRUTH = "abcdefghij"


def result(draft: str, corrected: str, ungated: str = TRUTH, steps: tuple[int, ...] = (2,), ms: float = 1.0) -> Result:
    return Result(TRUTH, draft, corrected, ungated, {0.5: TRUTH, 0.9: draft}, steps, ms)


def figures(draft: float, corrected: float, no_gate: float = 0.0, unchanged: float = 1.0, steps: float = 2) -> Figures:
    return Figures(9, draft, corrected, no_gate, unchanged, steps, 1.0, {}, (draft, corrected), (draft, corrected))


def test_error_rates_are_summed_before_they_are_divided() -> None:
    found = figures_of(
        [
            result("abcdefghij", "abcdefghij", ms=10),
            result("XXcdefghij", "aXcdefghij", steps=(3, 4), ms=30),
            result("abcdefghi", "abcdefghi", ungated="abcdefghiXY"),
        ]
    )
    assert found.lines == 3
    assert found.cer_draft == pytest.approx(3 / 30)
    assert found.cer_corrected == pytest.approx(2 / 30)
    assert found.cer_no_gate == pytest.approx(2 / 30)
    assert found.unchanged_share == pytest.approx(1 - 1 / 29)
    assert found.steps_median == 2.5
    assert found.ms_per_line == 10
    assert found.by_gate == {0.5: 0.0, 0.9: pytest.approx(3 / 30)}
    assert found.poor_drafts == pytest.approx((3 / 20, 2 / 20))
    assert found.good_drafts == (0.0, 0.0)


def test_a_set_without_drafts_has_nothing_to_leave_unchanged() -> None:
    found = figures_of([result("", "abcdefghiX", ungated="abcdefghiX")])
    assert (found.cer_draft, found.unchanged_share) == (1.0, 1.0)
    assert found.cer_corrected == pytest.approx(0.1)
    assert found.by_draft() == {}


def test_the_json_names_what_the_issue_asks_for() -> None:
    data = figures_of([result("aXcdefghij", "abcdefghij")]).to_json()
    assert {"cer_draft", "cer_corrected", "unchanged_share", "steps_median", "ms_per_line", "lines"} <= data.keys()
    assert data["cer_by_gate"] == {"0.5": 0.0, "0.9": 0.1}
    assert data["poor_drafts"] == {"cer_draft": 0.1, "cer_corrected": 0.0}


@pytest.mark.parametrize(
    ("name", "given", "met"),
    [
        ("books_mixed", figures(0.07, 0.034, 0.028), [True, True, True]),
        ("books_mixed", figures(0.07, 0.036, 0.029), [False, False, True]),
        ("books_classic", figures(0.08, 0.053, 0.044), [True, False, True]),
        ("clean", figures(0, 0, unchanged=0.9997), [True, True]),
        ("clean", figures(0, 0, unchanged=0.99969), [False, True]),
        ("lines_bad", figures(0.05, 0.034), [True, True, True]),
        ("lines_bad", figures(0.05, 0.036), [False, True, True]),
        ("lines_bad", figures(0.05, 0.051), [False, False, True]),
        ("pictures_moderate", figures(1.0, 0.08), [True, True]),
        ("pictures_moderate", figures(1.0, 0.081), [False, True]),
        ("tokenised", figures(0, 0.001), [True, True]),
        ("tokenised", figures(0, 0.0011, steps=9), [False, False]),
        ("something else", figures(0.03, 0.0301), []),
    ],
)
def test_aims_are_met_or_not(name: str, given: Figures, met: list[bool]) -> None:
    assert [one.is_met for one in judge(name, given)] == met
