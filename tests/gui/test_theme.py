"""Themes, their contrast, the keeper that applies them, and the icons."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QPushButton

from diffdesk.ui.icons import icon, icon_names, pixmap
from diffdesk.ui.stylesheet import build_stylesheet
from diffdesk.ui.theme import (
    AA,
    AA_GRAPHIC,
    AAA,
    CIVIDIS,
    DARK,
    LIGHT,
    REDUCED_MOTION_VARIABLE,
    Theme,
    ThemeKeeper,
    contrast,
)

PAGES = ("window", "surface", "raised", "hover", "accent_soft", "code_background", "selection")
ACCENTS = ("#3584e4", "#e95420", "#f5c211", "#2ec27e", "#9141ac", "#000000", "#ffffff", "#3daee9", "#777777")
THEMES = [LIGHT, DARK, *(base.with_accent(one) for base in (LIGHT, DARK) for one in ACCENTS)]


def name_of(theme: Theme) -> str:
    return f"{theme.name}-{theme.accent}"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WebAIM's well-known example
    assert contrast("#123456", "#123456") == 1.0


@pytest.mark.parametrize("theme", THEMES, ids=name_of)
def test_every_text_reads_on_every_background(theme: Theme) -> None:
    pairs = {("text", page): AAA for page in PAGES}
    pairs |= {("text_muted", page): AA for page in PAGES}
    pairs |= {("accent", page): AA for page in ("window", "surface", "raised", "accent_soft")}
    pairs |= {(tone, page): AA for tone in ("danger", "warning", "ok") for page in PAGES[:4]}
    pairs |= {(tone, f"{tone}_soft"): AA for tone in ("danger", "warning", "ok")}
    pairs |= {("text", f"{tone}_soft"): AAA for tone in ("danger", "warning", "ok")}
    pairs |= {(f"code_{part}", "code_background"): AA for part in ("keyword", "string", "number", "name", "comment")}
    pairs |= {(mark, f"{mark}_background"): AA for mark in ("insertion", "deletion")}
    pairs |= {(mark, "surface"): AA for mark in ("insertion", "deletion", "changing_text")}
    pairs |= {("accent_text", "accent"): AA, ("text", "accepted_tint"): AAA, ("settled_mark", "settled"): AA}
    poor = {
        pair: round(contrast(getattr(theme, pair[0]), getattr(theme, pair[1])), 2)
        for pair, least in pairs.items()
        if contrast(getattr(theme, pair[0]), getattr(theme, pair[1])) < least
    }
    assert not poor


@pytest.mark.parametrize("theme", THEMES, ids=name_of)
def test_marks_can_be_seen_even_in_the_faint_states(theme: Theme) -> None:
    pairs = [
        ("noise_mark", "surface"), ("noise_mark", "noise"), ("changing_mark", "surface"), ("changing_mark", "noise"),
        ("settled", "surface"), ("thought", "surface"), ("border_strong", "surface"), ("border_strong", "window"),
        ("border_strong", "raised"), ("accent", "raised"), ("accepted_line", "surface"),
        ("accepted_mark", "accepted"),
    ]  # fmt: skip
    poor = [pair for pair in pairs if contrast(getattr(theme, pair[0]), getattr(theme, pair[1])) < AA_GRAPHIC]
    assert not poor
    assert all(contrast(one, theme.surface) >= AA_GRAPHIC for one in theme.certain)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=name_of)
def test_certainty_grows_evenly_along_cividis(theme: Theme) -> None:
    assert theme.certainty_colour(0).name() == theme.certain[0]
    assert theme.certainty_colour(1).name() == theme.certain[-1]
    assert theme.certainty_colour(7).name() == theme.certain[-1]
    lightness = [contrast(theme.certainty_colour(step / 20).name(), "#000000") for step in range(21)]
    assert lightness == sorted(lightness)
    assert set(theme.certain) & set(CIVIDIS)


def test_dark_is_designed_and_not_inverted() -> None:
    for name in ("surface", "text", "accent"):
        light, dark = QColor(getattr(LIGHT, name)), QColor(getattr(DARK, name))
        assert (255 - light.red(), 255 - light.green(), 255 - light.blue()) != (dark.red(), dark.green(), dark.blue())


def test_scheme_is_switched_while_it_runs(themes: ThemeKeeper, qapp: QApplication) -> None:
    seen: list[object] = []
    themes.theme_changed.connect(seen.append)
    themes.set_scheme("dark")
    assert themes.theme.is_dark
    assert seen == [themes.theme]
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(DARK.window)
    themes.set_scheme("light")
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(LIGHT.window)
    with pytest.raises(ValueError, match="sepia"):
        themes.set_scheme("sepia")


def test_zoom_scales_text_and_grid_within_bounds(themes: ThemeKeeper, qapp: QApplication) -> None:
    body, grid = qapp.font().pointSizeF(), themes.px(8)
    themes.set_zoom(9)
    assert themes.zoom == 2.0
    assert qapp.font().pointSizeF() == pytest.approx(2 * body)
    assert themes.px(8) == 2 * grid
    themes.zoom_out()
    assert themes.zoom == 1.75
    for _ in range(20):
        themes.zoom_out()
    assert themes.zoom == 0.8
    themes.reset_zoom()
    themes.zoom_in()
    assert themes.zoom == 1.1


def test_reduced_motion_comes_from_the_user_first_then_the_environment(
    themes: ThemeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    themes.motion_changed.connect(told.append)
    choices = [("reduced", ""), ("full", "1"), ("system", "1"), ("system", "0")]
    reduced = []
    for motion, variable in choices:
        monkeypatch.setenv(REDUCED_MOTION_VARIABLE, variable)
        themes.set_motion(motion)
        reduced.append(themes.is_motion_reduced)
    assert reduced == [True, False, True, False]
    assert told == [True, False, True]


@pytest.mark.parametrize("zoom", [0.8, 1.0, 2.0])
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=name_of)
def test_style_sheet_is_complete(theme: Theme, zoom: float, themes: ThemeKeeper) -> None:
    sheet = build_stylesheet(theme, zoom, 10.5)
    assert "$" not in sheet
    assert sheet.count("{") == sheet.count("}")
    assert ":focus" in sheet
    assert not re.findall(r"-\d+px (?!0)", sheet.replace("margin: -", "")), "a negative padding"
    button = QPushButton("x")
    button.setStyleSheet(sheet)  # Qt warns of what it can't parse, and a warning fails the test
    button.ensurePolished()


def test_icons_are_drawn_in_the_colour_asked_for_and_sharp(qapp: QApplication) -> None:
    assert len(icon_names()) > 40
    for name in icon_names():
        image = icon(name, "#12ab34").pixmap(32).toImage()
        strongest = max(
            (image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())),
            key=lambda colour: colour.alpha(),
        )
        assert strongest.alpha() > 100, name
        assert name == "diffdesk" or abs(strongest.green() - 0xAB) < 6, name
    assert pixmap("play", "#000000", 16, 2.0).width() == 32


def test_an_icon_that_is_not_there_is_a_bug(qapp: QApplication) -> None:
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon", "#000000")
