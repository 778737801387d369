"""Error rates of pages, and whether they meet the aims, on texts whose figures can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from diffdesk.services.page_figures import PageResult, page_figures_of

TRUTH = "the cat sat on a mat"


def page(draft: str, corrected: str, truth: str = TRUTH, seconds: float = 1.0) -> PageResult:
    return PageResult(truth, draft, corrected, draft, corrected, (1, 2), (4,), seconds)


def test_errors_are_summed_before_they_are_divided() -> None:
    found = page_figures_of(
        [
            page("tbe cat sat on a mat", TRUTH, seconds=3.0),
            page("the cat sat on a mat", "the cat sat on a hat", seconds=1.0),
        ]
    )
    assert found.pages == 2
    assert [found.cer_draft, found.cer_corrected] == pytest.approx([1 / 40, 1 / 40])
    assert [found.wer_draft, found.wer_corrected] == pytest.approx([1 / 12, 1 / 12])
    assert found.over_correction == pytest.approx(1 / 11)  # "mat", of 5 + 6 right words
    assert (found.steps_warm, found.steps_cold, found.seconds_per_page) == (1.5, 4.0, 2.0)


def test_how_lines_are_broken_is_no_error() -> None:
    found = page_figures_of([page("the cat\n\nsat  on a mat\n", "the cat sat\non a mat")])
    assert (found.cer_draft, found.cer_corrected, found.wer_draft, found.over_correction) == (0, 0, 0, 0)


def test_a_wrong_word_made_wrong_otherwise_is_no_over_correction() -> None:
    found = page_figures_of([page("tbe cat sat on a mat", "tie cat sat on a mat")])
    assert found.over_correction == 0


def test_cold_and_ungated_texts_have_rates_of_their_own() -> None:
    one = replace(page(TRUTH, TRUTH), cold="the cat sat on a ma", ungated="he cat sat on a ma")
    found = page_figures_of([one])
    assert [found.cer_corrected, found.cer_cold, found.cer_no_gate] == pytest.approx([0, 0.05, 0.1])


def test_clean_pages_are_judged_by_themselves() -> None:
    long = " ".join([TRUTH] * 10)
    spoilt = long.replace("the", "thee", 1)
    found = page_figures_of([page(long, spoilt, long), page("dog", "dog", "the cat")])
    assert found.clean_pages == 1
    assert found.clean == pytest.approx((0.0, 1 / len(long)))
    clean, over, worse = found.aims()
    assert (clean.is_met, over.is_met, worse.is_met) == (False, False, False)
    assert clean.aim.startswith("clean pages (1)")
    assert over.figure == "1.67%"


def test_without_clean_pages_there_is_no_aim_for_them() -> None:
    found = page_figures_of([page("the dog", "the cat", "the cat")])
    assert found.clean is None
    assert [one.is_met for one in found.aims()] == [True, True]


def test_an_empty_page_divides_by_nothing() -> None:
    found = page_figures_of([PageResult("", "", "", "", "", (), (), 0.1)])
    assert (found.cer_draft, found.over_correction, found.steps_warm) == (0, 0, 0)


def test_the_json_has_what_scripts_read() -> None:
    data = page_figures_of([page("tbe cat sat on a mat", TRUTH)]).to_json()
    wanted = {"cer_draft", "cer_corrected", "wer_draft", "wer_corrected", "over_correction"}
    assert wanted | {"steps_cold", "steps_warm", "seconds_per_page"} <= data.keys()
    assert data["cer_draft"] == 0.05
    assert data["cer_corrected"] == 0
