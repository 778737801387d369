"""Error rates of pages that were read and corrected, and whether they meet their aims. Pure functions on texts.

White space counts as single spaces: how a page's lines are broken is not measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from diffdesk.core.differences import edit_distance, right_words
from diffdesk.services.starter_figures import Judged, not_worse

CLEAN = 0.02  # error rate of a draft below which its page is clean
_MOST_WORSE = 0.001  # of a clean page, in character errors
_MOST_OVER_CORRECTED = 0.01  # of the words that the draft had right


@dataclass(frozen=True)
class PageResult:
    """A page that was corrected twice, from its draft and from noise.

    Attributes:
        truth: what is printed.
        draft: what the recogniser read.
        corrected: what the program makes of that.
        cold: the same with canvases that begin with noise.
        ungated: the text with every change that the model wants.
        steps_warm, steps_cold: denoising steps of each of its canvases.
        seconds: to read it and to correct it as the program does.
    """

    truth: str
    draft: str
    corrected: str
    cold: str
    ungated: str
    steps_warm: tuple[int, ...]
    steps_cold: tuple[int, ...]
    seconds: float

    @cached_property
    def draft_errors(self) -> int:
        """Edit distance of draft and truth in characters."""
        return _errors(self.draft, self.truth)

    @property
    def is_clean(self) -> bool:
        """Whether the recogniser made next to no mistakes on it."""
        return self.draft_errors < CLEAN * len(_spaced(self.truth))


@dataclass(frozen=True, slots=True)
class PageFigures:
    """Figures of some pages; errors are summed over all of them before they are divided.

    Attributes:
        pages: how many.
        cer_draft, cer_corrected, cer_cold, cer_no_gate: character error rates: edit distance over true characters.
        wer_draft, wer_corrected: word error rates: edit distance in words over true words.
        over_correction: share of the true words that the draft had right and the corrected text has not.
        steps_warm, steps_cold: mean over all canvases; 0 where there were none.
        seconds_per_page: median.
        clean_pages: how many of the pages are clean.
        clean: character error rates (draft, corrected) of those; None if there are none.
    """

    pages: int
    cer_draft: float
    cer_corrected: float
    cer_cold: float
    cer_no_gate: float
    wer_draft: float
    wer_corrected: float
    over_correction: float
    steps_warm: float
    steps_cold: float
    seconds_per_page: float
    clean_pages: int
    clean: tuple[float, float] | None

    def aims(self) -> list[Judged]:
        """What these pages should show, and whether they do."""
        share = self.over_correction
        over = f"right words made wrong ≤ {_MOST_OVER_CORRECTED:.0%}"
        judged = [Judged(over, f"{share:.2%}", share <= _MOST_OVER_CORRECTED)]
        if self.clean is not None:
            what = f"clean pages ({self.clean_pages})"
            judged.insert(0, not_worse(what, *self.clean, _MOST_WORSE))
        judged.append(not_worse("never worse", self.cer_draft, self.cer_corrected, 0.0))
        return judged

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        rates = {
            "cer_draft": self.cer_draft,
            "cer_corrected": self.cer_corrected,
            "cer_cold": self.cer_cold,
            "cer_no_gate": self.cer_no_gate,
            "wer_draft": self.wer_draft,
            "wer_corrected": self.wer_corrected,
            "over_correction": self.over_correction,
        }
        return {
            "pages": self.pages,
            **{name: round(rate, 6) for name, rate in rates.items()},
            "steps_cold": round(self.steps_cold, 2),
            "steps_warm": round(self.steps_warm, 2),
            "seconds_per_page": round(self.seconds_per_page, 2),
            "clean_pages": self.clean_pages,
            "aims": [one.to_json() for one in self.aims()],
        }


def page_figures_of(results: Sequence[PageResult]) -> PageFigures:
    """The figures of at least one page."""
    truths = [one.truth for one in results]
    right = [right_words(one.draft, one.truth) for one in results]
    kept = [right_words(one.corrected, one.truth) for one in results]
    lost = sum(was and not still for page in zip(right, kept, strict=True) for was, still in zip(*page, strict=True))
    clean = [one for one in results if one.is_clean]
    return PageFigures(
        pages=len(results),
        cer_draft=_draft_rate(results),
        cer_corrected=_rate([one.corrected for one in results], truths),
        cer_cold=_rate([one.cold for one in results], truths),
        cer_no_gate=_rate([one.ungated for one in results], truths),
        wer_draft=_word_rate([one.draft for one in results], truths),
        wer_corrected=_word_rate([one.corrected for one in results], truths),
        over_correction=lost / max(1, sum(sum(page) for page in right)),
        steps_warm=_mean([steps for one in results for steps in one.steps_warm]),
        steps_cold=_mean([steps for one in results for steps in one.steps_cold]),
        seconds_per_page=statistics.median(one.seconds for one in results),
        clean_pages=len(clean),
        clean=_clean_rates(clean),
    )


def _clean_rates(clean: Sequence[PageResult]) -> tuple[float, float] | None:
    if not clean:
        return None
    return _draft_rate(clean), _rate([one.corrected for one in clean], [one.truth for one in clean])


def _draft_rate(results: Sequence[PageResult]) -> float:
    return sum(one.draft_errors for one in results) / max(1, sum(len(_spaced(one.truth)) for one in results))


def _rate(texts: Sequence[str], truths: Sequence[str]) -> float:
    errors = sum(_errors(text, truth) for text, truth in zip(texts, truths, strict=True))
    return errors / max(1, sum(len(_spaced(truth)) for truth in truths))


def _word_rate(texts: Sequence[str], truths: Sequence[str]) -> float:
    errors = sum(edit_distance(text.split(), truth.split()) for text, truth in zip(texts, truths, strict=True))
    return errors / max(1, sum(len(truth.split()) for truth in truths))


def _errors(text: str, truth: str) -> int:
    return edit_distance(list(_spaced(text)), list(_spaced(truth)))


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _mean(numbers: Sequence[int]) -> float:
    return statistics.fmean(numbers) if numbers else 0.0
