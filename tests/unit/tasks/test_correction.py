"""Splitting for the correction task: pieces join to the text and fit where they can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.messages import Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import RunRequest, TaskKind
from diffdesk.core.sampler import SamplerSettings
from diffdesk.core.trace import CanvasOpened
from diffdesk.tasks.correction import correct_in_turns, fitting_length
from diffdesk.tasks.draft_pieces import split_text
from tests.unit.core.table_model import TableDenoiser


def _fits(text: str) -> bool:
    return len(text) <= 30


@given(st.text(alphabet=st.sampled_from("ab. \n!"), max_size=200))
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(piece + gap for piece, gap in split_text(text, _fits)) == text


def test_paragraphs_are_put_together_while_they_fit() -> None:
    pieces = split_text("One.\n\nTwo.\n\nThree is a good deal longer than two.", _fits)
    assert [piece for piece, _ in pieces] == ["One.\n\nTwo.", "Three is a good deal longer than two."]


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    pieces = split_text("First sentence is here. Second one is here. Third.", _fits)
    assert [piece for piece, _ in pieces] == ["First sentence is here.", "Second one is here. Third."]


def test_a_canvas_is_as_long_as_its_correction_may_become() -> None:
    assert [fitting_length(tokens, 256) for tokens in (1, 19, 20, 44, 45, 96, 97, 150, 900)] == [
        *(32, 32, 64, 64, 64, 128, 256, 256, 256)
    ]
    assert fitting_length(3, 16) == 16
    assert fitting_length(3, 48) == 32


def test_a_canvas_that_is_as_long_as_it_has_to_be_is_asked_for_where_work_is_to_be_saved() -> None:
    for refresh, length in ((8, 32), (1, 256)):
        denoiser = TableDenoiser(["a cat<turn|>"], 256)
        message = Message(Role.USER, "a cot")
        settings = SamplerSettings.resolve(GenerationParameters(refresh=refresh), denoiser.defaults)
        request = RunRequest(TaskKind.CORRECT, (message,))
        events = correct_in_turns(denoiser, request, settings, 1, lambda _event: None, lambda: False)
        opened = next(event for event in events if isinstance(event, CanvasOpened))
        assert len(opened.ids) == length
