"""NVIDIA's 4-bit checkpoints: the values are right, and damaged or unlike folders are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.backends.gguf import streaming
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.conversion_names import checkpoint_name
from diffdesk.backends.gguf.nvfp4_source import _SCALES
from diffdesk.core.errors import CheckpointError
from tests.unit.backends import tiny
from tests.unit.backends.gguf_conversion import folders
from tests.unit.backends.gguf_conversion.reader import read

Tensors = dict[str, torch.Tensor]
GATE = "model.decoder.layers.1.experts.2.gate_proj"


def silent(stage: str, share: float) -> None:
    """Progress that nobody looks at."""


@pytest.mark.parametrize("block", [1 << 21, 300])
def test_experts_are_unpacked_and_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(streaming, "BLOCK_VALUES", block)  # 300: blocks end inside matrices
    folder = folders.made(tmp_path / "model", dtype=torch.bfloat16)
    experts = folders.packed(folder)
    plain = folders.weights(folder)
    convert(folder, tmp_path / "a.gguf", "f32", silent)
    found = read(tmp_path / "a.gguf").tensors
    for name, one in found.items():
        if name == "rope_freqs.weight":
            continue
        source = checkpoint_name(name)
        wanted = experts[source] if source in experts else plain[source]
        np.testing.assert_array_equal(one.values(), wanted.float().numpy(), err_msg=name)
    assert sum(checkpoint_name(name) in experts for name in found if name != "rope_freqs.weight") == 6


def test_scales_are_those_of_the_format() -> None:
    wanted = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float().numpy()
    np.testing.assert_array_equal(_SCALES, wanted)


def test_the_separate_configuration_file_is_understood(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model")
    folders.packed(folder)
    tiny.edit_json(folder / "config.json", quantization_config=...)
    (folder / "hf_quant_config.json").write_text('{"quantization": {"quant_algo": "NVFP4", "group_size": 16}}')
    convert(folder, tmp_path / "a.gguf", "q8_0", silent)
    assert read(tmp_path / "a.gguf").tensors


def test_the_check_of_a_folder_counts_what_is_converted(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model")
    folders.packed(folder)
    facts = inspect_checkpoint(folder)
    assert (facts.is_packed, facts.precision) == (True, "NVFP4")
    convert(folder, tmp_path / "a.gguf", "f32", silent)
    found = read(tmp_path / "a.gguf").tensors
    converted = sum(one.values().size for name, one in found.items() if name != "rope_freqs.weight")
    seeing = sum(one.elements for name, one in facts.entries.items() if "vision" in name)
    assert seeing > 0
    assert facts.parameters == converted + seeing


def drop(name: str) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        del tensors[name]

    return change


def put(name: str, value: torch.Tensor) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop(f"{GATE}.weight"), "missing"),
        (drop(f"{GATE}.weight_scale_2"), "missing"),
        (drop("model.decoder.norm.weight"), "missing"),
        (put(f"{GATE}.weight_scale", torch.zeros(32, 4)), "not laid out"),
        (put(f"{GATE}.weight_scale", torch.zeros(32, 3).to(torch.float8_e4m3fn)), "not laid out"),
        (put(f"{GATE}.weight", torch.zeros(31, 32, dtype=torch.uint8)), "not laid out"),
        (put(f"{GATE}.weight_scale_2", torch.tensor(torch.inf)), "no numbers"),
        (put(f"{GATE}.pre_quant_scale", torch.zeros(64)), "no place"),
        (put("model.decoder.layers.0.self_attn.q_proj.weight", torch.zeros(64, 64, dtype=torch.uint8)), "not known"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, change: Callable[[Tensors], None], words: str) -> None:
    folder = folders.made(tmp_path / "model")
    folders.packed(folder)
    tensors = folders.weights(folder)
    change(tensors)
    folders.replace(folder, tensors)
    with pytest.raises(CheckpointError, match=words):
        convert(folder, tmp_path / "a.gguf", "q8_0", silent)


def test_matrices_of_unequal_size_are_refused(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model")
    folders.packed(folder)
    tensors = folders.weights(folder)
    for suffix in (".weight", ".weight_scale"):
        tensors[GATE + suffix] = tensors[GATE + suffix][:16].clone()
    folders.replace(folder, tensors)
    with pytest.raises(CheckpointError, match="different sizes"):
        convert(folder, tmp_path / "a.gguf", "q8_0", silent)


@pytest.mark.parametrize("missing", ["tokenizer.json", "model-1.safetensors", "model.safetensors.index.json"])
def test_missing_files_are_told(tmp_path: Path, missing: str) -> None:
    folder = folders.made(tmp_path / "model")
    folders.packed(folder)
    (folder / missing).unlink()
    with pytest.raises(CheckpointError, match="missing"):
        convert(folder, tmp_path / "a.gguf", "q8_0", silent)
    assert not list(tmp_path.glob("*.part*"))
