"""A packed folder is known by its tensors, all of them; whatever else a folder holds or lacks is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from synthetic_layout import NVFP4, PUBLISHED, small_files, tensors
from torch import Tensor

from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.backends.checkpoint_config import QUANT_FILE
from diffdesk.backends.packed.layout import read_layout
from diffdesk.backends.registry import load
from diffdesk.backends.safetensors_header import TensorEntry
from diffdesk.core.errors import CheckpointError
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.gguf_conversion import folders
from tests.unit.backends.packed.packed_folders import Pairs, silent
from tests.unit.backends.tiny import edit_json
from tests.unit.backends.weights import header_of

Tensors = dict[str, Tensor]
LAYER = "model.decoder.layers.1"
GATE, DOWN = f"{LAYER}.experts.2.gate_proj", f"{LAYER}.experts.0.down_proj"
QUERIES = f"{LAYER}.self_attn.q_proj.weight"
SEEING = "model.encoder.vision_tower.patch_embedder.input_proj.weight"
SCALAR = "model.encoder.language_model.layers.2.layer_scalar"


@pytest.fixture
def folder(pairs: Pairs, tmp_path: Path) -> Path:
    """A packed folder, to be damaged."""
    return Path(shutil.copytree(pairs("plain").packed, tmp_path / "model"))


def change(folder: Path, edit: Callable[[Tensors], object]) -> None:
    found = folders.weights(folder)
    edit(found)
    folders.replace(folder, found)


def put(folder: Path, name: str, value: Tensor) -> None:
    change(folder, lambda found: found.update({name: value.contiguous()}))


def drop(folder: Path, name: str) -> None:
    change(folder, lambda found: found.pop(name))


def refused(folder: Path) -> CheckpointError:
    """What is said of a folder, by the check as well as by the loader."""
    with pytest.raises(CheckpointError) as caught:
        load(ModelSpec(folder, device="cpu"), silent)
    with pytest.raises(CheckpointError) as again:
        inspect_checkpoint(folder)
    assert again.value.text == caught.value.text
    assert caught.value.remedy, "a user must be told what to do"
    return caught.value


# what is recognised


@pytest.mark.parametrize("shape", ["plain", "seeing", "one-expert", "all-experts-long"])
def test_a_packed_folder_says_what_its_unpacked_twin_says(pairs: Pairs, shape: str) -> None:
    facts, twin = inspect_checkpoint(pairs(shape).packed), inspect_checkpoint(pairs(shape).twin)
    assert (facts.is_packed, facts.precision) == (True, "NVFP4")
    assert (twin.is_packed, twin.precision) == (False, "float32")
    assert facts.parameters == twin.parameters
    assert facts.bytes < twin.bytes
    assert (facts.canvas_length, facts.context_length, facts.vocab_size, facts.layers) == (
        twin.canvas_length,
        twin.context_length,
        twin.vocab_size,
        twin.layers,
    )
    assert facts.why_no_images == twin.why_no_images
    assert facts.can_see_images == (shape == "seeing")


def test_the_separate_configuration_file_is_enough(folder: Path) -> None:
    edit_json(folder / "config.json", quantization_config=...)
    assert refused(folder).title == "Compressed weights can't be loaded", "nothing says what the bytes are"
    said = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "group_size": 16}}
    (folder / QUANT_FILE).write_text(json.dumps(said))
    assert inspect_checkpoint(folder).is_packed


def test_a_single_number_may_be_a_row_of_one(folder: Path) -> None:
    put(folder, f"{GATE}.weight_scale_2", torch.tensor([0.5]))
    put(folder, SCALAR, torch.tensor(0.5))
    assert inspect_checkpoint(folder).is_packed


def test_what_is_not_packed_may_have_any_of_three_formats(folder: Path) -> None:
    kinds = (torch.bfloat16, torch.float16, torch.float32)

    def spread(found: Tensors) -> None:
        for index, name in enumerate(one for one in sorted(found) if ".experts." not in one):
            found[name] = found[name].to(kinds[index % 3])

    change(folder, spread)
    assert inspect_checkpoint(folder).is_packed


# what is damaged


@pytest.mark.parametrize("matrix", [GATE, DOWN, f"{LAYER}.experts.3.up_proj"])
@pytest.mark.parametrize("part", ["weight", "weight_scale", "weight_scale_2", "input_scale"])
def test_a_missing_part_of_an_expert_is_named(folder: Path, matrix: str, part: str) -> None:
    drop(folder, f"{matrix}.{part}")
    error = refused(folder)
    assert error.title == "Weights are missing"
    assert f"{matrix}.{part} " in error.text


@pytest.mark.parametrize(
    "name",
    [
        QUERIES,
        SCALAR,
        f"{LAYER}.layer_scalar",
        f"{LAYER}.router.scale",
        f"{LAYER}.router.per_expert_scale",
        "model.decoder.norm.weight",
        "model.decoder.embed_tokens.weight",
        "model.decoder.self_conditioning.pre_norm.weight",
    ],
)
def test_another_missing_tensor_is_named(folder: Path, name: str) -> None:
    drop(folder, name)
    assert name in refused(folder).text


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (f"{GATE}.weight", (31, 32)),
        (f"{GATE}.weight", (32, 31)),
        (f"{GATE}.weight", (1024,)),
        (f"{GATE}.weight", (1, 32, 32)),
        (f"{DOWN}.weight", (16, 64)),
        (f"{GATE}.weight_scale", (32, 2)),
        (f"{GATE}.weight_scale", (4, 32)),
        (f"{DOWN}.weight_scale", (64, 1)),
        (f"{GATE}.weight_scale_2", (2,)),
        (f"{GATE}.weight_scale_2", (1, 1)),
        (f"{GATE}.input_scale", (0,)),
        (f"{GATE}.input_scale", (64,)),
        (QUERIES, (64, 63)),
        (SCALAR, (2,)),
        ("model.decoder.norm.weight", (65,)),
    ],
)
def test_another_shape_is_named(folder: Path, name: str, shape: tuple[int, ...]) -> None:
    kind = folders.weights(folder)[name].dtype
    put(folder, name, torch.zeros(shape).to(kind))
    error = refused(folder)
    assert name in error.text
    assert str(list(shape)) in error.text


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        (f"{GATE}.weight", torch.int8, "I8"),
        (f"{GATE}.weight", torch.bool, "BOOL"),
        (f"{GATE}.weight", torch.float8_e4m3fn, "F8_E4M3"),
        (f"{GATE}.weight_scale", torch.bfloat16, "BF16"),
        (f"{GATE}.weight_scale", torch.float32, "F32"),
        (f"{GATE}.weight_scale", torch.uint8, "U8"),
        (f"{GATE}.weight_scale", torch.float8_e5m2, "F8_E5M2"),
        (f"{GATE}.weight_scale_2", torch.bfloat16, "BF16"),
        (f"{GATE}.input_scale", torch.float16, "F16"),
        (QUERIES, torch.uint8, "U8"),
        (QUERIES, torch.float8_e4m3fn, "F8_E4M3"),
        (QUERIES, torch.float64, "F64"),
        (SCALAR, torch.int64, "I64"),
        ("model.decoder.embed_tokens.weight", torch.int8, "I8"),
        (SEEING, torch.uint8, "U8"),
        (SEEING, torch.float8_e4m3fn, "F8_E4M3"),
    ],
)
def test_another_number_format_is_named(folder: Path, name: str, kind: torch.dtype, said: str) -> None:
    put(folder, name, folders.weights(folder)[name].float().to(kind))
    error = refused(folder)
    assert f"{name}: " in error.text
    assert said in error.text


def test_what_is_left_over_is_named(folder: Path) -> None:
    experts = f"{LAYER}.experts"
    for name, value in (
        (f"{experts}.4.gate_proj.weight", torch.zeros(32, 32, dtype=torch.uint8)),
        (f"{experts}.0.gate_up_proj.weight", torch.zeros(64, 32, dtype=torch.uint8)),
        (f"{GATE}.pre_quant_scale", torch.zeros(64)),
        (f"{GATE}.bias", torch.zeros(32)),
        (f"{experts}.gate_up_proj", torch.zeros(4, 64, 64)),
        (f"{experts}.down_proj", torch.zeros(4, 64, 32)),
        ("model.decoder.layers.3.mlp.up_proj.weight", torch.zeros(96, 64)),
        (f"{LAYER}.self_attn.k_proj.k_scale", torch.tensor(1.0)),
        (f"{QUERIES}_scale", torch.tensor(1.0)),
        ("model.encoder.language_model.layers.0.mlp.up_proj.weight", torch.zeros(96, 64)),
        ("lm_head.weight", torch.zeros(300, 64)),
    ):
        put(folder, name, value)
        assert name in refused(folder).text
        drop(folder, name)
    assert inspect_checkpoint(folder).is_packed, "with all of them gone it is whole again"


def test_a_tensor_listed_twice_is_named(folder: Path) -> None:
    """A library keeps the last of two entries and would not say so."""
    folders.replace(folder, folders.weights(folder))  # in one file
    file = folder / folders.SINGLE
    header, data = header_of(file), file.read_bytes()
    name = f"{GATE}.weight_scale_2"
    entry = json.dumps(json.loads(header)[name])
    doubled = header.rstrip()[:-1] + f', "{name}": {entry}}}'.encode()
    file.write_bytes(len(doubled).to_bytes(8, "little") + doubled + data[8 + len(header) :])
    assert f"lists {name} twice" in refused(folder).text


def test_a_tensor_in_two_files_is_named(folder: Path) -> None:
    name = f"{GATE}.weight_scale_2"
    found = folders.weights(folder)
    folders.replace(folder, {**found, "zzz": torch.zeros(1)}, shards=2)
    where = json.loads((folder / folders.INDEX).read_text())["weight_map"]
    (other,) = set(where.values()) - {where[name]}
    save_file({**load_file(folder / other), name: found[name]}, folder / other)
    error = refused(folder)
    assert "repeats" in error.text
    assert name in error.text


@pytest.mark.parametrize(
    ("name", "value"),
    [(SEEING, None), (SEEING, torch.zeros(32, 191)), (f"{SEEING}s", torch.zeros(2))],
    ids=["missing", "of another shape", "too many"],
)
def test_a_tower_that_does_not_fit_is_refused_before_anything_is_read(
    pairs: Pairs, tmp_path: Path, name: str, value: Tensor | None
) -> None:
    """What it has to hold is known to transformers alone, so the check of the folder can't tell."""
    stages: list[str] = []
    folder = Path(shutil.copytree(pairs("seeing").packed, tmp_path / "model"))
    if value is None:
        drop(folder, name)
    else:
        put(folder, name, value)
    with pytest.raises(CheckpointError) as caught:
        load(ModelSpec(folder, device="cpu"), lambda stage, _share: stages.append(stage))
    assert name in caught.value.text
    assert not any(stage.startswith("Reading") for stage in stages)


@pytest.mark.parametrize("byte", [0x7F, 0xFF])
def test_a_scale_that_is_no_number_is_refused(pairs: Pairs, tmp_path: Path, byte: int) -> None:
    folder = Path(shutil.copytree(pairs("plain").packed, tmp_path / "model"))
    name = "model.decoder.layers.1.experts.2.down_proj.weight_scale"
    scales = torch.zeros(64, 2, dtype=torch.uint8)
    scales[5, 1] = byte
    put(folder, name, scales.view(torch.float8_e4m3fn))
    with pytest.raises(CheckpointError, match="no numbers") as caught:
        load(ModelSpec(folder, device="cpu"), silent)
    assert "layer 1, such as those of expert 2" in caught.value.text


# other layouts


FOUR_BITS = {"num_bits": 4, "type": "float", "group_size": 16}
OTHERS: dict[str, dict[str, Any]] = {
    "compressed-tensors": {
        "quant_method": "compressed-tensors",
        "format": "nvfp4-pack-quantized",
        "config_groups": {"group_0": {"weights": FOUR_BITS, "targets": ["Linear"]}},
    },
    "auto-round": {"quant_method": "auto-round", "bits": 4, "data_type": "nv_fp", "group_size": 16},
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    "awq": {"quant_method": "awq", "bits": 4, "version": "gemm"},
    "fp8": {"quant_method": "fp8", "activation_scheme": "dynamic"},
    "fp8, which says NVFP4": {"quant_method": "fp8", "quant_algo": "NVFP4"},
    "modelopt FP8": {"quant_method": "modelopt", "quant_algo": "FP8"},
    "modelopt NVFP4_AWQ": {"quant_method": "modelopt", "quant_algo": "NVFP4_AWQ", "group_size": 16},
    "modelopt mixed": {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
    "modelopt NVFP4 of 32": {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 32},
    "modelopt and no more": {"quant_method": "modelopt"},
}


@pytest.mark.parametrize("said", OTHERS.values(), ids=OTHERS.keys())
def test_other_layouts_are_named_and_never_loaded(folder: Path, said: dict[str, Any]) -> None:
    """Even around tensors that would fit."""
    edit_json(folder / "config.json", quantization_config=said)
    error = refused(folder)
    assert error.title == "Compressed weights can't be loaded"
    assert str(said["quant_method"]) in error.text
    for key in ("quant_algo", "format"):
        assert str(said.get(key, "")) in error.text


@pytest.mark.parametrize("said", [{"quant_algo": "FP8"}, {"quant_algo": "NVFP4", "group_size": 32}, {}, None, "NVFP4"])
def test_other_layouts_in_the_separate_file_are_never_loaded(folder: Path, said: object) -> None:
    edit_json(folder / "config.json", quantization_config=...)
    (folder / QUANT_FILE).write_text(json.dumps({"quantization": said}))
    assert refused(folder).title == "Compressed weights can't be loaded"


def test_a_folder_that_calls_its_unpacked_weights_packed(pairs: Pairs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pairs("plain").twin, tmp_path / "model"))
    edit_json(folder / "config.json", quantization_config={"quant_method": "modelopt", "quant_algo": "NVFP4"})
    assert "experts.0.gate_proj.weight" in refused(folder).text


# the published one


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, TensorEntry]]:
    """A folder with the published config.json, and what its weight files list."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "config.json").write_text(json.dumps(small_files(PUBLISHED, NVFP4)["config.json"]))
    listed = tensors(PUBLISHED, NVFP4)
    entries = {one.name: TensorEntry(one.dtype, one.shape, "model.safetensors", 0, one.bytes) for one in listed}
    return folder, entries


def test_the_published_list_is_accepted(published: tuple[Path, dict[str, TensorEntry]]) -> None:
    folder, entries = published
    assert len(entries) == 47_067
    layout = read_layout(folder, entries)
    assert layout.has_vision
    parts = {part.name: shape for part, shape in layout.expert_parts()}
    assert len(parts) == 30 * 128 * 3 * 4
    assert parts["model.decoder.layers.29.experts.127.down_proj.weight_scale"] == (2816, 44)
    assert parts["model.decoder.layers.0.experts.0.up_proj.weight"] == (704, 1408)
    seeing = sum(".vision_tower." in name or ".embed_vision." in name for name in entries)
    assert len(parts) + len(layout.plain) + seeing == len(entries)


def test_the_published_list_is_refused_without_any_one_of_it(
    published: tuple[Path, dict[str, TensorEntry]],
) -> None:
    folder, entries = published
    names = [name for name in sorted(entries) if "vision" not in name]
    for name in (*names[::9001], *(one for one in names if one.endswith("layers.17.layer_scalar"))):
        fewer = {other: entry for other, entry in entries.items() if other != name}
        with pytest.raises(CheckpointError) as caught:
            read_layout(folder, fewer)
        assert name in caught.value.text


def test_experts_that_do_not_divide_into_groups_are_refused(
    published: tuple[Path, dict[str, TensorEntry]], tmp_path: Path
) -> None:
    text = {**PUBLISHED["text_config"], "moe_intermediate_size": 712}
    (tmp_path / "config.json").write_text(json.dumps({**PUBLISHED, "text_config": text}))
    with pytest.raises(CheckpointError, match="config") as caught:
        read_layout(tmp_path, published[1])
    assert "16" in caught.value.text
