"""From a packed folder to a running model: what is told on the way, and that it can be stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from diffdesk.backends.packed.denoiser import PackedDenoiser
from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.errors import Cancelled, CheckpointError
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.packed.packed_folders import Pairs, ignore, load_packed
from tests.unit.backends.tiny import edit_json, random_ids


def test_progress_names_stages_and_counts_the_weights(pairs: Pairs) -> None:
    seen: list[tuple[str, float]] = []
    load(ModelSpec(pairs("plain").packed, device="cpu"), lambda stage, share: seen.append((stage, share)))
    stages = list(dict.fromkeys(stage.partition(":")[0] for stage, _ in seen))
    assert stages == ["Starting the model library", "Checking the folder", "Reading the weights", "Getting ready"]
    for stage in stages[2:]:
        shares = [share for name, share in seen if name.startswith(stage)]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("stage", ["Reading the weights", "Getting ready"])
def test_loading_can_be_stopped(pairs: Pairs, stage: str) -> None:
    def stop(name: str, _share: float) -> None:
        if name.startswith(stage):
            raise Cancelled

    with pytest.raises(Cancelled):
        load(ModelSpec(pairs("plain").packed, device="cpu"), stop)


def test_loading_and_running_are_quiet(pairs: Pairs, capfd: pytest.CaptureFixture[str]) -> None:
    """The library of transformers would warn of a layout that it doesn't know."""
    denoiser = load_packed(pairs("seeing").packed)
    denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
    denoiser.start_canvas(random_ids(16, 2))
    denoiser.step(random_ids(16, 2), 0.7, np.full(16, 0.5))
    denoiser.close()
    assert capfd.readouterr() == ("", "")


def test_what_the_folder_says_is_told(pairs: Pairs) -> None:
    for shape in ("plain", "seeing"):
        denoiser: Denoiser = load_packed(pairs(shape).packed)
        able = denoiser.capabilities
        assert (able.canvas_length, able.context_length, able.precision) == (16, 2048, "NVFP4")
        assert able.can_see_images == (not able.why_no_images) == (shape == "seeing")
        assert denoiser.defaults.steps == 6
        assert denoiser.defaults.end_ids == (1,)
        assert denoiser.tokenizer.vocab_size == 300


def test_a_processor_of_another_model_makes_it_blind(pairs: Pairs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pairs("seeing").packed, tmp_path / "model"))
    (name,) = [one.name for one in folder.iterdir() if "processor" in one.name]
    edit_json(folder / name, patch_size=16)
    denoiser = load_packed(folder)
    assert not denoiser.capabilities.can_see_images
    assert "another model" in denoiser.capabilities.why_no_images
    assert denoiser.model.tower is None


def test_self_conditioning_counts_all_tokens_whatever_is_asked_for(pairs: Pairs) -> None:
    """Fewer of them are a matter of GGUF files, as with any other folder."""
    folder, canvas, found = pairs("plain").packed, random_ids(16, 2), []
    for many in (0, 3):
        denoiser = load(ModelSpec(folder, device="cpu", conditioning=many), lambda _stage, _share: None)
        assert isinstance(denoiser, PackedDenoiser)
        denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
        denoiser.start_canvas(canvas)
        found.append([denoiser.step(canvas, 0.7, np.full(16, 0.5)).entropy for _ in range(2)])
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0][0], found[0][1])


def test_a_weight_file_that_is_cut_off_is_named(pairs: Pairs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pairs("plain").packed, tmp_path / "model"))
    file = folder / "model-1.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_packed(folder)
    assert "model-1.safetensors is cut off" in caught.value.text


def test_a_weight_file_that_is_cut_off_while_it_is_read_is_named(pairs: Pairs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pairs("plain").packed, tmp_path / "model"))

    def cut(stage: str, _share: float) -> None:
        if stage.startswith("Reading the weights"):
            for file in folder.glob("*.safetensors"):
                file.write_bytes(file.read_bytes()[:1000])

    with pytest.raises(CheckpointError, match="damaged") as caught:
        load(ModelSpec(folder, device="cpu"), cut)
    assert "ends early" in caught.value.text
