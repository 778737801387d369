"""From a folder to a running model, and what is said when that can't be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffdesk.backends.registry import load
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.backends.transformers_backend.failures import memory_errors_explained
from diffdesk.backends.transformers_backend.placement import spread_layers
from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.errors import Cancelled, CheckpointError, EngineError, ImageError, PromptError, SettingError
from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.tiny import BY_NAME, edit_json, picture, random_ids, save

STARTER = Path(__file__).parents[3] / "resources" / "starter"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(BY_NAME["plain"], tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(BY_NAME["seeing"], tmp_path_factory.mktemp("seeing"))


@pytest.fixture
def damaged(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "damaged"))


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def loaded(path: Path, precision: str = "float32") -> TransformersDenoiser:
    denoiser = load(ModelSpec(path, device="cpu", precision=precision), lambda _stage, _share: None)
    assert isinstance(denoiser, TransformersDenoiser)
    return denoiser


def test_the_starter_says_what_it_can() -> None:
    denoiser: Denoiser = loaded(STARTER)
    able = denoiser.capabilities
    assert (able.backend, able.parameters, able.canvas_length, able.context_length) == (
        "transformers",
        15_630_512,
        128,
        2048,
    )
    assert able.can_see_images, able.why_no_images
    assert able.device.startswith("CPU, ")
    assert able.precision == "float32"
    assert denoiser.defaults.steps == 4


def test_progress_names_stages_and_counts_the_weights(plain: Path) -> None:
    seen: list[tuple[str, float]] = []
    load(ModelSpec(plain, device="cpu"), lambda stage, share: seen.append((stage, share)))
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert stages == ["Starting the model library", "Checking the folder", "Reading the weights", "Getting ready"]
    reading = [share for stage, share in seen if stage == "Reading the weights"]
    assert reading == sorted(reading)
    assert reading[0] == 0
    assert reading[-1] == 1
    assert len(reading) > 20


def test_loading_can_be_stopped(plain: Path) -> None:
    def stop(stage: str, share: float) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        load(ModelSpec(plain, device="cpu"), stop)


def test_loading_is_quiet(plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    loaded(plain)
    assert capfd.readouterr() == ("", "")


def test_encoder_and_decoder_share_all_but_their_scalars(tmp_path: Path) -> None:
    model = loaded(save(BY_NAME["layer-scalars-differ"], tmp_path)).model.model
    encoder, decoder = model.encoder.language_model.layers[1], model.decoder.layers[1]
    assert encoder.mlp.gate_proj.weight is decoder.mlp.gate_proj.weight
    assert encoder.experts.gate_up_proj is decoder.experts.gate_up_proj
    assert encoder.layer_scalar.item() != decoder.layer_scalar.item()


def test_bfloat16_when_asked_for(plain: Path) -> None:
    denoiser = loaded(plain, "bfloat16")
    assert denoiser.capabilities.precision == "bfloat16"
    denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
    canvas = random_ids(16, 2)
    denoiser.start_canvas(canvas)
    results = [denoiser.step(canvas, 0.8, np.full(16, 0.5)) for _ in range(2)]
    assert all(np.isfinite(one.entropy).all() for one in results)


# what does not fit


def change_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name, value in changes.items():
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    "name",
    ["model.decoder.layers.0.mlp.up_proj.weight", "model.encoder.language_model.layers.2.layer_scalar"],
)
def test_a_missing_tensor_is_named(damaged: Path, name: str) -> None:
    change_weights(damaged, **{name: None})
    with pytest.raises(CheckpointError, match="missing") as caught:
        loaded(damaged)
    assert name in caught.value.text


def test_a_tensor_too_many_is_named(damaged: Path) -> None:
    change_weights(damaged, **{"model.decoder.layers.9.mlp.up_proj.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="another model") as caught:
        loaded(damaged)
    assert "layers.9" in caught.value.text


def test_a_tensor_of_another_shape(damaged: Path) -> None:
    change_weights(damaged, **{"model.decoder.norm.weight": torch.zeros(65)})
    with pytest.raises(CheckpointError):
        loaded(damaged)


def test_a_configuration_that_makes_no_model(damaged: Path) -> None:
    edit_json(damaged / "config.json", vision_config={"model_type": "nothing known"})
    with pytest.raises(CheckpointError, match="can't be loaded") as caught:
        loaded(damaged)
    assert caught.value.details


def test_a_tokenizer_with_more_tokens_than_the_model(damaged: Path) -> None:
    shutil.copyfile(STARTER / "tokenizer.json", damaged / "tokenizer.json")
    with pytest.raises(CheckpointError, match="another model"):
        loaded(damaged)


@pytest.mark.parametrize(
    ("device", "precision"), [("quantum", "auto"), ("cpu", "float3"), ("cpu", "float16"), ("mps", "auto")]
)
def test_settings_that_there_are_none_of(plain: Path, device: str, precision: str) -> None:
    with pytest.raises(SettingError):
        load(ModelSpec(plain, device=device, precision=precision), lambda _stage, _share: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")
def test_no_graphics_card(plain: Path) -> None:
    with pytest.raises(EngineError, match="No NVIDIA"):
        load(ModelSpec(plain, device="cuda"), lambda _stage, _share: None)


def test_a_model_larger_than_the_memory_is_refused_before_it_is_read(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's memory can't be made small; the figure that it reports can."""
    real = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(total=1 << 20, available=1 << 19))
    with pytest.raises(EngineError, match="Not enough memory") as caught:
        loaded(damaged)
    assert "GiB" in caught.value.text


def test_a_tight_memory_is_met_with_bfloat16(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(available=1 << 20))
    assert loaded(plain, "auto").capabilities.precision == "bfloat16"


# memory


def test_an_allocation_that_fails_becomes_an_error_with_a_remedy() -> None:
    with pytest.raises(EngineError, match="Not enough memory to think") as caught, memory_errors_explained("think"):
        torch.empty(1 << 60, dtype=torch.uint8)
    assert caught.value.remedy


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors_explained("think"):
        torch.zeros(2, 3) @ torch.zeros(2, 3)


# several graphics cards


def sizes(layers: int, each: int, rest: int) -> dict[str, int]:
    made = {f"model.decoder.layers.{n}.mlp.up_proj.weight": each for n in range(layers)}
    return {
        **made,
        "model.decoder.embed_tokens.weight": rest,
        "model.encoder.vision_tower.encoder.layers.0.mlp.weight": rest,
    }


def test_layers_are_spread_in_order_with_room_left_on_every_card() -> None:
    plan = spread_layers(sizes(30, 100, 50), 30, {0: 2000, 1: 1900}, work=0)
    assert plan is not None
    places = [plan[f"model.decoder.layers.{n}"] for n in range(30)]
    assert places == sorted(places)
    assert places.count("cuda:0") == 15
    for n in range(30):
        assert plan[f"model.encoder.language_model.layers.{n}"] == places[n]
    assert plan["lm_head"] == plan["model.decoder.embed_tokens"] == "cuda:0"


def test_every_module_of_the_model_has_a_place(plain: Path) -> None:
    plan = spread_layers(sizes(3, 1, 1), 3, {0: 100, 1: 100}, work=0)
    assert plan is not None
    for name, _ in loaded(plain).model.named_parameters(remove_duplicate=False):
        assert any(name.startswith(f"{module}.") for module in plan), name


@pytest.mark.parametrize("free", [{0: 10, 1: 10_000}, {0: 1000, 1: 1000}, {0: 3050}])
def test_what_does_not_fit_is_not_spread(free: dict[int, int]) -> None:
    assert spread_layers(sizes(30, 100, 50), 30, free, work=0) is None


# prompts


def test_a_prompt_longer_than_the_context_names_both_numbers(plain: Path) -> None:
    denoiser = loaded(plain)
    with pytest.raises(PromptError) as caught:
        denoiser.prefill(Prompt(random_ids(2033, 1)), ignore)
    assert "2,033" in caught.value.text
    assert "2,048" in caught.value.text
    denoiser.prefill(Prompt(random_ids(2032, 1)), ignore)
    with pytest.raises(PromptError):
        denoiser.commit(random_ids(16, 2))


def test_an_empty_prompt(plain: Path) -> None:
    with pytest.raises(PromptError, match="nothing to send"):
        loaded(plain).prefill(Prompt(random_ids(0, 1)), ignore)


def test_images_for_a_blind_model(plain: Path, tmp_path: Path) -> None:
    denoiser, image = loaded(plain), ImageRef(picture(tmp_path / "one.png", 20, 20, 1))
    with pytest.raises(PromptError, match="can't see"):
        denoiser.image_tokens(image)
    with pytest.raises(PromptError, match="can't see"):
        denoiser.prefill(Prompt(random_ids(5, 1), (image,)), ignore)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_an_image_that_is_none(seeing: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.png").write_bytes(content)
    with pytest.raises(ImageError, match="odd"):
        loaded(seeing).image_tokens(ImageRef(tmp_path / "odd.png", "odd.png"))
    with pytest.raises(ImageError):
        loaded(seeing).image_tokens(ImageRef(tmp_path / "gone.png"))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3000, 4), (640, 480), (7, 900)])
def test_images_of_any_shape_stay_within_their_budget(seeing: Path, tmp_path: Path, width: int, height: int) -> None:
    denoiser = loaded(seeing)
    path = picture(tmp_path / "one.png", width, height, 1)
    assert 1 <= denoiser.image_tokens(ImageRef(path, is_frame=True)) <= 70
    assert 1 <= denoiser.image_tokens(ImageRef(path)) <= 280


def test_a_processor_of_another_model_makes_it_blind(seeing: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(seeing, tmp_path / "copy"))
    (name,) = [one.name for one in folder.iterdir() if "processor" in one.name]
    edit_json(folder / name, patch_size=16)
    able = loaded(folder).capabilities
    assert not able.can_see_images
    assert "another model" in able.why_no_images


def test_a_processor_inside_the_newer_file_is_read(seeing: Path, tmp_path: Path) -> None:
    """Newer folders keep the image processor's settings as a part of processor_config.json."""
    folder = Path(shutil.copytree(seeing, tmp_path / "copy"))
    (name,) = [one.name for one in folder.iterdir() if "processor" in one.name]
    settings = json.loads((folder / name).read_text())
    (folder / name).unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    able = loaded(folder).capabilities
    assert able.can_see_images, able.why_no_images


# canvases


def test_a_draft_guides_the_first_step(plain: Path) -> None:
    """Self-conditioning on a draft changes the logits; on a draft with no confidence it changes them otherwise."""
    denoiser, canvas = loaded(plain), random_ids(16, 2)
    denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
    seen = []
    for confidence in (None, np.full(16, 0.99, np.float32), np.zeros(16, np.float32)):
        denoiser.start_canvas(canvas, confidence)
        seen.append(denoiser.step(canvas, 1.0, np.full(16, 0.5)).kept_probability)
    assert not np.allclose(seen[0], seen[1], rtol=0.01)
    assert not np.allclose(seen[1], seen[2], rtol=0.01)


def test_a_new_canvas_forgets_the_last_one(plain: Path) -> None:
    denoiser, canvas = loaded(plain), random_ids(16, 2)
    denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
    seen = []
    for _ in range(2):
        denoiser.start_canvas(canvas)
        seen.append([denoiser.step(canvas, 0.7, np.full(16, 0.5)).entropy for _ in range(2)])
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0][0], seen[0][1]), "the second step is conditioned on the first"


def test_a_shorter_canvas_than_the_model_s_own(plain: Path) -> None:
    denoiser = loaded(plain)
    denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
    denoiser.start_canvas(random_ids(5, 2))
    assert denoiser.step(random_ids(5, 2), 0.7, np.full(5, 0.5), alternatives=3).alternatives.shape == (5, 3)


def test_bugs_of_callers_are_bugs(plain: Path) -> None:
    denoiser, canvas = loaded(plain), random_ids(16, 2)
    with pytest.raises(RuntimeError, match="prompt"):
        denoiser.start_canvas(canvas)
    denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
    with pytest.raises(RuntimeError, match="not started"):
        denoiser.step(canvas, 0.7, np.full(16, 0.5))
    with pytest.raises(ValueError, match="vocabulary"):
        denoiser.prefill(Prompt(np.array([1, 300], np.int32)), ignore)
    denoiser.close()
    with pytest.raises(RuntimeError, match="closed"):
        denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
