"""The exported folder: the program loads it, and it asks as the program does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from starter import export, vocabulary
from transformers import PreTrainedTokenizerFast

from diffdesk.backends.registry import load
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.lines import LineTask
from diffdesk.core.messages import LinePicture
from diffdesk.core.profile import Layout
from diffdesk.core.requests import ModelSpec
from diffdesk.models.profile import read_profile
from diffdesk.tasks.aligned import AlignedAlphabet, AlignedWindow, line_window, picture_window, text_window
from tests.unit.packaging_starter.models import SMALL, lively_weights

DRAFT = "An ordinary sentcnce, for £5 — “naïve”."
PROFILE: dict[str, Any] = {"name": "Tried", "can_chat": False, "gate": 0.8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("exported")
    size = export.export(lively_weights(), SMALL, PROFILE, made)
    assert size == sum(file.stat().st_size for file in made.iterdir())
    return made


@pytest.fixture(scope="module")
def denoiser(folder: Path) -> TransformersDenoiser:
    made = load(ModelSpec(folder, device="cpu", precision="float32"), lambda _stage, _share: None)
    assert isinstance(made, TransformersDenoiser)
    return made


def padded(text: str) -> list[int]:
    ids: list[int] = vocabulary.encode(text).tolist()
    return ids + [vocabulary.PAD] * (SMALL.slots - len(ids))


def test_the_program_loads_it(denoiser: TransformersDenoiser) -> None:
    able = denoiser.capabilities
    assert (able.canvas_length, able.context_length, able.can_see_images) == (SMALL.slots, 2048, True)
    assert denoiser.defaults.pad_id == vocabulary.PAD
    weights = denoiser.model.state_dict()
    for name, weight in lively_weights().items():
        assert torch.equal(weights[name], weight.half().float()), name


def test_the_profile_tells_the_program_how_to_use_it(folder: Path) -> None:
    profile = read_profile(folder)
    assert (profile.layout, profile.slots, profile.gate) == (Layout.ALIGNED, SMALL.slots, 0.8)
    assert not profile.can_chat


def test_tokens_have_the_ids_that_training_gave_them(folder: Path, denoiser: TransformersDenoiser) -> None:
    listed = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    assert sorted(listed, key=listed.__getitem__) == vocabulary.tokens()
    text = vocabulary.CHARACTERS
    assert list(denoiser.tokenizer.encode(text)) == vocabulary.encode(text).tolist()
    assert denoiser.tokenizer.decode(vocabulary.encode(text).tolist()) == text


def windows() -> list[AlignedWindow]:
    picture = LinePicture(np.full((32, 96), 255, np.uint8))
    return [
        text_window(DRAFT, SMALL.slots),
        line_window("a line", np.linspace(5, 90, 6, dtype=np.float32), picture, SMALL.slots),
        picture_window(picture, SMALL.slots),
    ]


@pytest.mark.parametrize("window", windows(), ids=lambda window: window.task.name)
def test_the_program_asks_as_in_training(denoiser: TransformersDenoiser, window: AlignedWindow) -> None:
    alphabet = AlignedAlphabet(denoiser)
    ids = alphabet.prompt(window, alphabet.encode(window)).ids.tolist()
    head, foot = vocabulary.prompt_head(window.task), vocabulary.prompt_foot()
    assert ids[: len(head)] == head
    assert ids[len(ids) - len(foot) :] == foot
    assert len(ids) == len(head) + SMALL.slots + len(foot)
    if window.task is LineTask.TEXT:
        assert ids[len(head) : len(head) + SMALL.slots] == padded(DRAFT)


@pytest.mark.parametrize("task", LineTask)
def test_the_chat_template_asks_the_same(folder: Path, task: LineTask) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    turns = [{"role": "system", "content": task.value}, {"role": "user", "content": DRAFT}]
    made = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    assert made == [*vocabulary.prompt_head(task), *padded(DRAFT), *vocabulary.prompt_foot()]


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "LARGEST", 100_000)
    with pytest.raises(ValueError, match="too many"):
        export.export(lively_weights(), SMALL, PROFILE, tmp_path)


def test_a_weight_that_float16_can_not_hold_is_refused(tmp_path: Path) -> None:
    weights = lively_weights()
    name = "model.decoder.norm.weight"
    weights[name] = weights[name] * 1e6
    with pytest.raises(ValueError, match=f"{name} does not fit"):
        export.export(weights, SMALL, PROFILE, tmp_path)
