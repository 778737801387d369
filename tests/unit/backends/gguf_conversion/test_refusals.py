"""Checkpoints that can't be converted: each with its reason, before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.tensor_source import StoredTensor
from diffdesk.core.errors import CheckpointError
from tests.unit.backends import tiny
from tests.unit.backends.gguf_conversion import folders


def silent(stage: str, share: float) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folders.made(tmp_path / "model")


def refused(folder: Path, words: str, kind: str = "q8_0") -> None:
    out = folder.parent / "a.gguf"
    with pytest.raises(CheckpointError, match=words) as caught:
        convert(folder, out, kind, silent)
    assert caught.value.remedy
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_activation": "silu"}, "hidden_activation"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"hidden_size": 96}, "should be"),
        ({"num_key_value_heads": True}, "num_key_value_heads"),
        ({"layer_types": ["sliding_attention"]}, "layer_types"),
        ({"per_layer_config": {"2": {"head_dim": 32, "window": 3}}}, "own way"),
        ({"per_layer_config": {"0": {"head_dim": 8}, "2": {"head_dim": 32}}}, "different sizes"),
        ({"rope_parameters": {"sliding_attention": {}}}, "rope_parameters"),
        ({"rope_parameters": {"sliding_attention": {}, "full_attention": {"rope_type": "yarn"}}}, "turned"),
        (
            {"rope_parameters": {"sliding_attention": {"partial_rotary_factor": 0.5}, "full_attention": {}}},
            "turned",
        ),
        ({"rms_norm_eps": "small"}, "rms_norm_eps"),
        ({"quantization_config": {"quant_algo": "NVFP4"}}, "should be|missing"),
    ],
)
def test_configurations_without_a_place_in_the_layout(folder: Path, changes: dict[str, object], words: str) -> None:
    path = folder / "config.json"
    data = json.loads(path.read_text())
    data["text_config"] |= changes
    path.write_text(json.dumps(data))
    if "quantization_config" in changes:
        tiny.edit_json(path, quantization_config={"quant_method": "modelopt", "quant_algo": "NVFP4"})
    refused(folder, words)


def test_untied_embeddings(folder: Path) -> None:
    tiny.edit_json(folder / "config.json", tie_word_embeddings=False)
    refused(folder, "tie_word_embeddings")


def test_other_compressed_weights(folder: Path) -> None:
    tiny.edit_json(folder / "config.json", quantization_config={"quant_method": "gptq"})
    refused(folder, "Compressed")


def test_parts_that_the_file_has_no_place_for(folder: Path) -> None:
    tensors = folders.weights(folder)
    tensors["model.decoder.layers.0.self_attn.q_proj.bias"] = torch.zeros(64)
    folders.replace(folder, tensors)
    refused(folder, "q_proj.bias")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers(folder: Path, value: float) -> None:
    tensors = folders.weights(folder)
    tensors["model.decoder.layers.1.mlp.up_proj.weight"][3, 5] = value
    folders.replace(folder, tensors)
    refused(folder, "blk.1.ffn_up.weight holds values that are no numbers")


def test_weights_too_large_for_a_type_fit_into_another(folder: Path) -> None:
    tensors = folders.weights(folder)
    tensors["model.decoder.layers.1.mlp.up_proj.weight"][3, 5] = 1e6
    folders.replace(folder, tensors)
    refused(folder, "too large", "f16")
    convert(folder, folder.parent / "b.gguf", "bf16", silent)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": {"type": "Unigram"}}, "BPE"),
        ({"model": {"type": "BPE", "vocab": {"a": 300}}}, "300"),
        ({"model": {"type": "BPE", "vocab": {"a": 0, "b": 0}}, "added_tokens": []}, "same id"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}, "added_tokens": []}, "merge"),
        ({"added_tokens": [{"id": 1}]}, "added token"),
    ],
)
def test_tokenizers_of_other_kinds(folder: Path, changes: dict[str, object], words: str) -> None:
    tiny.edit_json(folder / "tokenizer.json", **changes)
    refused(folder, words)


def test_a_broken_profile(folder: Path) -> None:
    (folder / "diffdesk.json").write_text("{")
    refused(folder, "diffdesk.json")


def test_a_file_that_is_cut_off_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(20))
    with pytest.raises(CheckpointError, match="ends inside a"):
        StoredTensor("a", "F32", (4,), path, 8).read(0, 4)
    path.unlink()
    with pytest.raises(CheckpointError, match="can't be read"):
        StoredTensor("a", "F32", (4,), path, 8).read(0, 4)
