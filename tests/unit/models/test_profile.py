"""The file diffdesk.json: what it leaves out has a sensible value, and what a window is told of a model is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffdesk.core.errors import CheckpointError
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import ModelSpec
from diffdesk.models.profile import describe_model, read_profile
from tests.unit.core.table_model import TableDenoiser
from tests.unit.tasks.scripted import ScriptedDenoiser

ALIGNED = {"layout": "aligned", "slots": 128}


def profile_of(folder: Path, **data: object) -> ModelProfile:
    (folder / "diffdesk.json").write_text(json.dumps(data))
    return read_profile(folder)


def test_without_the_file_a_model_is_an_ordinary_one(tmp_path: Path) -> None:
    assert read_profile(tmp_path) == ModelProfile()
    assert ModelProfile().can_chat


def test_gates_follow_each_other_where_they_are_left_out(tmp_path: Path) -> None:
    bare = profile_of(tmp_path, **ALIGNED)
    assert (bare.layout, bare.slots, bare.gate, bare.read_gate, bare.line_gate) == (Layout.ALIGNED, 128, 0, 0, 0)
    assert (bare.sure, bare.sure_gate, bare.picture_gate) == (2.0, 0.97, None)
    assert profile_of(tmp_path, **ALIGNED, gate=0.7).line_gate == 0.7
    some = profile_of(tmp_path, **ALIGNED, gate=0.7, read_gate=0.8, picture_gate=0.9, sure=0.99, sure_gate=1.01)
    assert (some.read_gate, some.line_gate, some.picture_gate) == (0.8, 0.8, 0.9)
    assert (some.sure, some.sure_gate) == (0.99, 1.01)


def test_a_chat_model_begins_with_noise_unless_its_file_says_otherwise(tmp_path: Path) -> None:
    assert not profile_of(tmp_path, name="Chat").is_warm_started
    assert profile_of(tmp_path, is_warm_started=True).is_warm_started


@pytest.mark.parametrize(
    "data",
    [
        {"layout": "sideways"},
        {"layout": "aligned"},
        {"layout": "aligned", "slots": 5},
        {**ALIGNED, "gate": "high"},
        {**ALIGNED, "picture_gate": []},
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, data: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match=r"diffdesk\.json"):
        profile_of(tmp_path, **data)


def test_a_model_that_only_reads_lines_takes_no_images_of_a_chat(tmp_path: Path) -> None:
    spec = ModelSpec(tmp_path)
    correcting = ModelProfile("Starter", Layout.ALIGNED, 128, can_chat=False)
    for sees, words in ((True, "compared with its picture"), (False, "its text is corrected")):
        info = describe_model(spec, correcting, ScriptedDenoiser(sees=sees), memory_bytes=1, load_seconds=1.0)
        assert not info.can_see_images
        assert words in info.why_no_images
    seeing = describe_model(spec, ModelProfile(), ScriptedDenoiser(sees=True), memory_bytes=1, load_seconds=1.0)
    assert seeing.can_see_images
    blind = describe_model(spec, ModelProfile(), TableDenoiser(["a"], 4), memory_bytes=1, load_seconds=1.0)
    assert blind.why_no_images == "It has no eyes."
