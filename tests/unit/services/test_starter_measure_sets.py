"""The measuring sets that come with the program, and page images of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from diffdesk.core.differences import character_error_rate
from diffdesk.core.errors import UserError
from diffdesk.paths import resource_dir
from diffdesk.services.starter_sets import KINDS, MeasureSet, SetKind, read_sets

FOLDER = resource_dir() / "measure" / "starter"


@pytest.fixture(scope="module")
def sets() -> dict[str, MeasureSet]:
    return {one.name: one for one in read_sets(FOLDER, [])}


def test_all_sets_are_there_and_large_enough(sets: dict[str, MeasureSet]) -> None:
    assert sets.keys() == KINDS.keys()
    assert all(len(one.samples) >= 40 for one in sets.values())
    assert all(sample.truth.strip() for one in sets.values() for sample in one.samples)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_000_000


def rate(one: MeasureSet) -> float:
    weighed = [(character_error_rate(sample.draft, sample.truth), len(sample.truth)) for sample in one.samples]
    return sum(error * length for error, length in weighed) / sum(length for _, length in weighed)


def test_the_drafts_are_as_noisy_as_their_sets_say(sets: dict[str, MeasureSet]) -> None:
    assert 0.05 < rate(sets["books_mixed"]) < 0.09
    assert 0.05 < rate(sets["books_classic"]) < 0.09
    assert rate(sets["lines_bad"]) >= 0.03
    assert rate(sets["lines_moderate"]) < 0.015
    clean = sets.keys() - {"books_mixed", "books_classic", "lines_bad", "lines_moderate", "pictures_moderate"}
    assert all(sample.draft == sample.truth for name in clean for sample in sets[name].samples)


def test_every_line_stands_on_its_page(sets: dict[str, MeasureSet]) -> None:
    sizes: dict[Path, tuple[int, int]] = {}
    for name, one in sets.items():
        if KINDS[name] is SetKind.TEXT:
            continue
        for sample in one.samples:
            assert sample.line is not None
            if sample.line.image not in sizes:
                with Image.open(sample.line.image) as page:
                    sizes[sample.line.image] = page.size
            width, height = sizes[sample.line.image]
            left, top, right, bottom = sample.line.box
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            assert sample.draft == ("" if one.kind is SetKind.PICTURE else sample.line.text)


def test_quick_takes_every_fifth_line(sets: dict[str, MeasureSet]) -> None:
    (quick,) = read_sets(FOLDER, ["tables"], is_quick=True)
    assert quick.samples == sets["tables"].samples[::5]


def test_a_set_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no measuring set called"):
        read_sets(FOLDER, ["tables", "novels"])
    with pytest.raises(UserError, match="missing"):
        read_sets(tmp_path, ["tables"])
