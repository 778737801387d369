"""The live canvas as lines: what positions show, where they stay when words change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.trace import CellState, Region
from diffdesk.ui.canvas.runs import (
    MAX_TRAILING_NOISE,
    Breaker,
    Look,
    break_lines,
    frozen_length,
    line_of,
    placeholder,
    shown_texts,
)
from tests.gui.canvas.frames import frame_of, words_of

N, C, S, A = CellState.NOISE, CellState.CHANGING, CellState.SETTLED, CellState.ACCEPTED


def breaking_at(width: int) -> Breaker:
    """Breaks after `width` code points or at a line separator, as a text layout does."""

    def breaker(text: str) -> list[tuple[int, int]]:
        bounds, start = [], 0
        while start < len(text):
            end = min(start + width, len(text))
            forced = text.find("\u2028", start, end)
            end = forced + 1 if forced >= 0 else end
            bounds.append((start, end))
            start = end
        return bounds

    return breaker


def lines_of(pieces: list[str], width: int, prefix: str = "") -> list[str]:
    shown = shown_texts(frame_of(pieces), Region.ANSWER, is_calm=False)
    broken = break_lines(prefix, shown, breaking_at(width))
    return [line_of(broken, index, shown).text for index in range(len(broken.lines))]


def test_each_state_has_its_look() -> None:
    shown = shown_texts(frame_of(["a", "b", "c", "d"], [S, A, C, N]), Region.ANSWER, is_calm=False)
    assert shown == {
        0: ("a", Look.SETTLED),
        1: ("b", Look.ACCEPTED),
        2: ("c", Look.CHANGING),
        3: (placeholder(3), Look.NOISE),
    }


def test_markers_padding_and_other_regions_are_left_out() -> None:
    regions = [Region.THOUGHT, Region.MARKER, Region.ANSWER, Region.AFTER_END]
    frame = frame_of(["t", "<channel|>", "yes", "junk"], S, regions)
    assert list(shown_texts(frame, Region.ANSWER, is_calm=False)) == [2]
    assert list(shown_texts(frame, Region.THOUGHT, is_calm=False)) == [0]


def test_noise_stands_still_whatever_the_model_draws() -> None:
    one = shown_texts(frame_of(["xylo", "ph", "one"], N), Region.ANSWER, is_calm=False)
    two = shown_texts(frame_of(["a", "entirely other", "?"], N), Region.ANSWER, is_calm=False)
    assert one == two


def test_noise_after_the_last_word_is_cut_short_but_none_before_it() -> None:
    trailing = shown_texts(frame_of(["x"] * 256, N), Region.ANSWER, is_calm=False)
    assert len(trailing) == MAX_TRAILING_NOISE
    inside = shown_texts(frame_of(["x"] * 256, [*[N] * 255, C]), Region.ANSWER, is_calm=False)
    assert len(inside) == 256


def test_calm_mode_shows_only_what_has_settled() -> None:
    shown = shown_texts(frame_of(["a", "b", "c"], [S, C, A]), Region.ANSWER, is_calm=True)
    assert [look for _, look in shown.values()] == [Look.SETTLED, Look.NOISE, Look.ACCEPTED]
    assert shown[1][0] == placeholder(1)


def test_a_soft_break_swallows_the_space_and_an_indent_after_a_line_feed_stays() -> None:
    assert lines_of(["aaa", " bbb", " ccc"], 4) == ["aaa ", "bbb ", "ccc"]
    assert lines_of(["if x:", "\n", "    y", "\n\n", "z"], 80) == ["if x:", "    y", "", "z"]


def test_a_changed_word_keeps_its_line() -> None:
    before = shown_texts(frame_of(words_of("one two three four")), Region.ANSWER, is_calm=False)
    broken = break_lines("", before, breaking_at(8))
    after = shown_texts(frame_of(["one", " twentytwo", " three", " four"]), Region.ANSWER, is_calm=False)
    first = [line_of(broken, index, before) for index in range(len(broken.lines))]
    second = [line_of(broken, index, after) for index in range(len(broken.lines))]
    assert [one.text for one in first] == ["one two ", "three fo", "ur"]
    assert [one.text for one in second] == ["one twentytwo ", "three fo", "ur"]


def test_a_word_that_ended_shows_nothing_and_moves_nothing() -> None:
    before = shown_texts(frame_of(words_of("one two three")), Region.ANSWER, is_calm=False)
    broken = break_lines("", before, breaking_at(8))
    gone = frame_of(words_of("one two three"), S, [Region.ANSWER, Region.AFTER_END, Region.ANSWER])
    after = shown_texts(gone, Region.ANSWER, is_calm=False)
    assert line_of(broken, 0, after).text.strip() == "one"
    assert line_of(broken, 1, after).text == "three"


def test_the_prefix_is_committed_text_and_flows_into_the_canvas() -> None:
    shown = shown_texts(frame_of([" end"]), Region.ANSWER, is_calm=False)
    broken = break_lines("A start,", shown, breaking_at(80))
    line = line_of(broken, 0, shown)
    assert line.text == "A start, end"
    assert [span.look for span in line.spans] == [Look.COMMITTED, Look.SETTLED]


PIECES = st.lists(st.text(alphabet=" ab\n😀é", min_size=1, max_size=6), min_size=1, max_size=30)


@given(pieces=PIECES, width=st.integers(1, 12))
def test_nothing_is_lost_or_doubled_by_breaking(pieces: list[str], width: int) -> None:
    together = "".join(lines_of(pieces, width))
    assert together.replace(" ", "") == "".join(pieces).replace(" ", "").replace("\n", "")


@given(pieces=PIECES, others=PIECES, width=st.integers(1, 12))
def test_refilled_lines_show_every_position_once(pieces: list[str], others: list[str], width: int) -> None:
    others = (others * len(pieces))[: len(pieces)]
    before = shown_texts(frame_of(pieces), Region.ANSWER, is_calm=False)
    after = shown_texts(frame_of(others), Region.ANSWER, is_calm=False)
    broken = break_lines("", before, breaking_at(width))
    spans = [span for index in range(len(broken.lines)) for span in line_of(broken, index, after).spans]
    changed = [
        span.position for span in spans if pieces[span.position].lstrip(" ") != others[span.position].lstrip(" ")
    ]
    assert len(changed) == len(set(changed))
    for index in range(len(broken.lines)):
        line = line_of(broken, index, after)
        assert "\n" not in line.text
        assert [span.start for span in line.spans][1:] == [span.end for span in line.spans][:-1]


@pytest.mark.parametrize(
    ("answer", "frozen"),
    [
        ("", ""),
        ("one open paragraph", ""),
        ("done\n\nopen", "done\n\n"),
        ("a\n\nb\n\n", "a\n\nb\n\n"),
        ("```py\nx\n\ny\n", ""),
        ("```py\nx\n\ny\n```\n\nafter", "```py\nx\n\ny\n```\n\n"),
    ],
)
def test_only_finished_paragraphs_are_frozen(answer: str, frozen: str) -> None:
    assert answer[: frozen_length(answer)] == frozen
