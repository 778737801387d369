"""Canvases that begin with a draft: sure words as they are, unsure ones as noise, room at the end."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.core.sampler import Draws
from diffdesk.tasks.draft_start import LEAST_ROOM, PLACE, ROOM, SUREST, TYPED, draft_start, token_confidence
from tests.unit.core.letters import LetterTokenizer
from tests.unit.tasks.scripted_chat import ScriptedChat

TOKENIZER = LetterTokenizer()
LENGTH = 64
TEXT = "a cat or a\ndog"


def confidence_of(**words: float) -> NDArray[np.float32]:
    found = np.zeros(len(TEXT), np.float32)
    for word, sure in words.items():
        at = TEXT.index(word)
        found[at : at + len(word)] = sure
    return found


SURE = confidence_of(**{"a cat or a": 0.9, "dog": 0.99})


def test_a_sure_draft_begins_as_it_is_with_the_end_of_the_turn_behind_it() -> None:
    start = draft_start(ScriptedChat(), TEXT, SURE, LENGTH, 3)
    assert start is not None
    assert start.is_warm
    said = TOKENIZER.pieces(start.ids.tolist())
    used = len(TEXT) + 1
    assert "".join(said[:used]) == f"{TEXT}<turn|>"
    assert start.confidence is not None
    expected = [0.9 if not one.isspace() else SUREST for one in TEXT[:11]] + [SUREST] * 4
    assert start.confidence[:used].tolist() == pytest.approx(expected)
    room = start.confidence[used:] == 0
    assert room.tolist() == [True] * LEAST_ROOM + [False] * (LENGTH - used - LEAST_ROOM)
    assert set(said[used + LEAST_ROOM :]) == {"<pad>"}
    # The noise is the run's own: see `Job.start`.
    noise = Draws(3, TOKENIZER.vocab_size).noise(LENGTH)
    assert start.ids[used : used + LEAST_ROOM].tolist() == noise[used : used + LEAST_ROOM].tolist()


def test_an_unsure_word_begins_as_noise_and_makes_the_places_behind_it_less_sure() -> None:
    confidence = confidence_of(**{"a cat or a": 0.9, "dog": 0.9})
    confidence[2:5] = 0.3  # cat
    start = draft_start(ScriptedChat(), TEXT, confidence, LENGTH, 3)
    assert start is not None
    assert start.confidence is not None
    noise = Draws(3, TOKENIZER.vocab_size).noise(LENGTH)
    assert start.ids[2:5].tolist() == noise[2:5].tolist()
    assert start.confidence[2:5].tolist() == [0, 0, 0]
    assert start.confidence[0] == pytest.approx(0.9)
    assert start.confidence[6] == pytest.approx(0.9 * PLACE)
    assert start.confidence[len(TEXT)] == pytest.approx(SUREST * PLACE)  # the end
    assert start.confidence[-1] == pytest.approx(SUREST * PLACE)  # padding


def test_a_long_draft_has_more_room_behind_it() -> None:
    text = "a cat or a dog " * 8
    start = draft_start(ScriptedChat(), text.strip(), None, 256, 3)
    assert start is not None
    assert start.confidence is not None
    assert int((start.confidence == 0).sum()) == round(ROOM * len(text.strip()))


def test_a_typed_draft_and_lines_that_were_edited_are_trusted_moderately() -> None:
    tokens = TOKENIZER.encode(TEXT)
    assert token_confidence(TOKENIZER, tokens, None).tolist() == pytest.approx([TYPED] * len(tokens))
    edited = SURE.copy()
    edited[11:] = np.nan
    assert token_confidence(TOKENIZER, tokens, edited)[-3:].tolist() == pytest.approx([TYPED] * 3)


def test_a_token_of_several_letters_is_as_sure_as_the_least_sure_of_them() -> None:
    sure = np.array([0.99, 0.85, 0.9], np.float32)
    assert token_confidence(TOKENIZER, TOKENIZER.encode("the"), sure).tolist() == pytest.approx([0.85, 0.9])


def test_what_can_not_begin_so_begins_with_noise() -> None:
    assert draft_start(ScriptedChat(), TEXT, SURE, len(TEXT), 3) is None
    assert draft_start(ScriptedChat(), TEXT, SURE, len(TEXT) + 1, 3) is not None
    assert draft_start(ScriptedChat(can_warm_start=False), TEXT, SURE, LENGTH, 3) is None
    without = LetterTokenizer(specials=("<pad>", "<eos>", "<unk>"))
    assert draft_start(ScriptedChat(tokenizer=without), TEXT, SURE, LENGTH, 3) is None
