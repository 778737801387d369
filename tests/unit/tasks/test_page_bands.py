"""Which part of a page goes with which lines, and what is cut out of its image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from diffdesk.backends.image_patches import STILL_TOKENS, fitted_size
from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import ReadLine
from diffdesk.tasks.page_bands import MOST_CHARACTERS, MOST_LINES, Band, BandPictures, plan_bands

PAGE = Path("page.png")
PITCH, HEIGHT = 40, 30


def column(count: int, left: int = 100, top: int = 100, page: Path = PAGE, width: int = 20) -> list[ReadLine]:
    """Lines below each other, all different."""
    return [
        ReadLine(
            f"{page.stem} {left} {at} ".ljust(width, "x"),
            page,
            0,
            (left, top + at * PITCH, left + 300, top + at * PITCH + HEIGHT),
        )
        for at in range(count)
    ]


def text_of(lines: Sequence[ReadLine]) -> str:
    return "\n".join(line.text for line in lines)


def counts(lines: Sequence[ReadLine], bands: Sequence[Band]) -> list[int]:
    """How many lines begin in each band."""
    text = text_of(lines)
    edges = [*(one.start for one in bands), len(text)]
    return [text[start:end].strip().count("\n") + 1 for start, end in itertools.pairwise(edges)]


def test_a_page_of_few_lines_is_shown_whole() -> None:
    lines = column(MOST_LINES)
    assert plan_bands(text_of(lines), lines) == (Band(0, PAGE, 0, None),)


def test_a_page_of_many_lines_is_cut_into_bands_of_about_the_same_length() -> None:
    lines = column(45)
    bands = plan_bands(text_of(lines), lines)
    assert counts(lines, bands) == [15, 15, 15]
    top = 100 + 15 * PITCH
    margin = HEIGHT // 2
    assert bands[1].box == (100 - margin, top - margin, 400 + margin, top + 14 * PITCH + HEIGHT + margin)


def test_long_lines_fill_a_band_earlier() -> None:
    lines = column(20, width=MOST_CHARACTERS // 10)
    assert counts(lines, plan_bands(text_of(lines), lines)) == [10, 10]


def test_a_single_line_that_is_too_long_is_a_band_of_its_own() -> None:
    lines = [*column(3), *column(1, top=300, left=50, width=2 * MOST_CHARACTERS)]
    bands = plan_bands(text_of(lines), lines)
    assert max(counts(lines, bands)) < 4
    assert sum(counts(lines, bands)) == 4


def test_a_band_does_not_reach_into_the_next_column() -> None:
    lines = [*column(15), *column(15, left=600)]
    bands = plan_bands(text_of(lines), lines)
    assert counts(lines, bands) == [15, 15]
    assert [one.box[0] for one in bands if one.box] == [85, 585]


def test_small_columns_share_a_band() -> None:
    lines = [*column(12), *column(4, left=600), *column(4, left=900), *column(4, left=1200)]
    assert counts(lines, plan_bands(text_of(lines), lines)) == [20, 4]


def test_each_page_has_its_own_bands() -> None:
    other = Path("other.png")
    lines = [*column(3), *column(25, page=other), *[replace(one, turned=90) for one in column(2, left=7)]]
    bands = plan_bands(text_of(lines), lines)
    assert [(one.image, one.turned, one.box is None) for one in bands] == [
        (PAGE, 0, True),
        (other, 0, False),
        (other, 0, False),
        (PAGE, 90, True),
    ]


def test_lines_that_were_edited_go_with_those_before_them() -> None:
    lines = column(40)
    drafted = [line.text for line in lines]
    for at in (0, 19, 20, 21, 39):
        drafted[at] = f"edited {at}"
    draft = "\n".join(drafted)
    bands = plan_bands(draft, lines)
    assert [draft[one.start :].split("\n")[0] for one in bands] == [drafted[0], lines[22].text]
    tops_and_bottoms = [(one.box[1], one.box[3]) for one in bands if one.box]
    margin = HEIGHT // 2
    assert tops_and_bottoms == [
        (lines[0].box[1] - margin, lines[21].box[3] + margin),
        (lines[22].box[1] - margin, lines[39].box[3] + margin),
    ]
    assert plan_bands("nothing of it", lines) == ()


def test_a_band_gives_a_line_about_twice_the_pixels_that_the_whole_page_gives_it() -> None:
    width, height, lines = 1654, 2339, 60  # A4 at 200 dots an inch
    whole = fitted_size(width, height, 48, STILL_TOKENS)
    band = fitted_size(width, height * MOST_LINES // lines, 48, STILL_TOKENS)
    assert (whole, band) == ((672, 912), (1152, 528))
    assert band[1] / MOST_LINES > 1.7 * whole[1] / lines


# --- pictures ---------------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """White, with one black square that says which way is up."""
    image = Image.new("RGB", (200, 100), "white")
    image.paste("black", (0, 0, 10, 10))
    path = tmp_path / "page.png"
    image.save(path)
    return path


def pictures(folder: Path, page: Path) -> BandPictures:
    (folder / "cut").mkdir()
    return BandPictures(folder / "cut", {page: ImageRef(page, "My page.png")})


def test_a_whole_upright_page_is_shown_as_it_is(tmp_path: Path, page: Path) -> None:
    assert pictures(tmp_path, page).picture(Band(0, page, 0, None)) == ImageRef(page, "My page.png")
    assert not list((tmp_path / "cut").iterdir())


def test_a_band_is_cut_out_where_it_lies_on_the_page(tmp_path: Path, page: Path) -> None:
    shown = pictures(tmp_path, page)
    band = Band(0, page, 0, (-5, -5, 50, 40))
    found = shown.picture(band)
    assert found is not None
    assert (found.name, found.path.parent) == ("My page.png", tmp_path / "cut")
    with Image.open(found.path) as image:
        assert image.size == (50, 40)
        assert image.getpixel((0, 0)) == (0, 0, 0)
    assert shown.picture(band) == found
    assert len(list((tmp_path / "cut").iterdir())) == 1


@pytest.mark.parametrize(("turned", "corner"), [(90, (99, 0)), (180, (199, 99)), (270, (0, 199))])
def test_a_page_is_turned_as_the_recogniser_turned_it(
    tmp_path: Path, page: Path, turned: int, corner: tuple[int, int]
) -> None:
    found = pictures(tmp_path, page).picture(Band(0, page, turned, None))
    assert found is not None
    with Image.open(found.path) as image:
        assert image.size == ((200, 100) if turned == 180 else (100, 200))
        assert image.getpixel(corner) == (0, 0, 0)


def test_a_page_that_is_gone_is_told_once_and_by_the_name_that_the_user_knows(tmp_path: Path, page: Path) -> None:
    shown = pictures(tmp_path, page)
    page.unlink()
    assert shown.picture(Band(0, page, 0, (0, 0, 10, 10))) is None
    assert shown.picture(Band(5, page, 0, (0, 20, 10, 30))) is None
    assert shown.lost == ["My page.png"]


def test_a_band_beyond_a_page_that_was_replaced_is_not_shown(tmp_path: Path, page: Path) -> None:
    assert pictures(tmp_path, page).picture(Band(0, page, 0, (300, 300, 400, 400))) is None
