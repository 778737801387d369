"""The aligned correction on the real starter model, and what its guard lets through."""

from __future__ import annotations

import numpy as np
import pytest

from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Denoiser
from diffdesk.core.denoising import CanvasOutcome
from diffdesk.core.events import Finished, FinishReason
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ModelSpec
from diffdesk.core.sampler import SamplerSettings
from diffdesk.paths import starter_dir
from diffdesk.tasks.aligned import AlignedAlphabet, Draft, Guard, correct_aligned, gated_text

SLOTS = 96


@pytest.fixture(scope="module")
def starter() -> Denoiser:
    return load(ModelSpec(starter_dir()), lambda stage, share: None)


def correct(starter: Denoiser, text: str, guard: Guard) -> str:
    settings = SamplerSettings.resolve(GenerationParameters(), starter.defaults)
    finished = list(correct_aligned(starter, Draft(text, SLOTS, guard), settings, 1, lambda: False))[-1]
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.END_TOKEN
    return finished.answer


def test_corrects_words_and_keeps_every_line_end_and_space(starter: Denoiser) -> None:
    noisy = "Tbe quick brown f0x\njumps ovcr the lazy\n\n  d0g while tlie moon rises.\n"
    expected = "The quick brown fox\njumps over the lazy\n\n  dog while the moon rises.\n"
    assert correct(starter, noisy, Guard(0.7)) == expected


def test_characters_that_the_vocabulary_lacks_stay(starter: Denoiser) -> None:
    assert "日本" in correct(starter, "Tbe word 日本 means Japan.", Guard(0.7))


def test_a_gate_that_nothing_passes_leaves_the_draft(starter: Denoiser) -> None:
    noisy = "Tbe quick brown f0x jumps ovcr the lazy d0g."
    assert correct(starter, noisy, Guard(1.01)) == noisy


def test_numbers_are_protected_where_a_recogniser_read_the_draft(starter: Denoiser) -> None:
    noisy = "Tbe quick brown f0x jumps ovcr the lazy d0g."
    corrected = correct(starter, noisy, Guard(0.7, protects_numbers=True))
    assert corrected == "The quick brown f0x jumps over the lazy d0g."


def test_the_gate_decides_character_by_character(starter: Denoiser) -> None:
    alphabet = AlignedAlphabet(starter)
    drafted, wanted = alphabet.encode("cat\nx1", SLOTS), alphabet.encode("dog e2", SLOTS)
    evidence = np.full(SLOTS, 0.9, np.float32)
    evidence[1] = 0.5
    outcome = CanvasOutcome(wanted, 4, True, False, evidence, 0.0)
    assert gated_text("cat\nx1", drafted, outcome, alphabet, Guard(0.7)) == "dag\ne2"
    assert gated_text("cat\nx1", drafted, outcome, alphabet, Guard(0.7, protects_numbers=True)) == "dag\nx1"
