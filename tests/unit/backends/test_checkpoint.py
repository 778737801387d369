"""Every way in which a folder can fail to be a model is found before anything is loaded, and said with a remedy."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.core.errors import CheckpointError
from diffdesk.core.parameters import SamplerDefaults
from tests.unit.backends.weights import header_of, write_safetensors

STARTER = Path(__file__).parents[3] / "resources" / "starter"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the starter model, to be damaged."""
    return Path(shutil.copytree(STARTER, tmp_path / "model", copy_function=_copy_writable))


def _copy_writable(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(stat.S_IRUSR | stat.S_IWUSR)


def edit(path: Path, **changes: object) -> None:
    """Change or (with `...`) remove top-level keys of a JSON file."""
    data = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not ...}))


def edit_text(model: Path, **changes: object) -> None:
    path = model / "config.json"
    text = {**json.loads(path.read_text())["text_config"], **changes}
    edit(path, text_config={key: value for key, value in text.items() if value is not ...})


def refused(path: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        inspect_checkpoint(path)
    error = caught.value
    assert error.title
    assert error.text
    assert error.remedy, "a user must be told what to do"
    return error


def split(model: Path) -> tuple[str, str]:
    """Turn the single weight file into two shards with an index."""
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    entries = json.loads(header_of(model / "model.safetensors"))
    entries.pop("__metadata__", None)
    ordered = sorted(entries, key=lambda one: entries[one]["data_offsets"][0])
    raw = (model / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    weight_map = {}
    for name, part in zip(names, (ordered[:100], ordered[100:]), strict=True):
        base = entries[part[0]]["data_offsets"][0]
        end = entries[part[-1]]["data_offsets"][1]
        moved = {
            one: {**entries[one], "data_offsets": [x - base for x in entries[one]["data_offsets"]]} for one in part
        }
        write_safetensors(model / name, moved, raw[start + base : start + end])
        weight_map.update(dict.fromkeys(part, name))
    (model / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (model / "model.safetensors").unlink()
    return names


# what a good folder says


def test_the_facts_of_the_starter() -> None:
    facts = inspect_checkpoint(STARTER)
    assert facts.architecture == "DiffusionGemmaForBlockDiffusion"
    assert (facts.canvas_length, facts.context_length, facts.vocab_size, facts.layers) == (128, 2048, 1280, 8)
    assert facts.parameters == 15_630_512
    assert facts.precision == "float16"
    assert facts.shards == ("model.safetensors",)
    assert facts.bytes == (STARTER / "model.safetensors").stat().st_size - 8 - len(header_of(STARTER / facts.shards[0]))
    assert facts.defaults == SamplerDefaults(steps=4, end_ids=(1,))
    assert facts.can_see_images
    assert facts.problems == ()


def test_shards_are_read_together(model: Path) -> None:
    whole = inspect_checkpoint(model)
    shards = split(model)
    facts = inspect_checkpoint(model)
    assert facts.shards == shards
    assert (facts.parameters, facts.bytes, facts.entries.keys()) == (
        whole.parameters,
        whole.bytes,
        whole.entries.keys(),
    )


def test_a_link_to_a_folder_is_a_folder(model: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(model)
    assert inspect_checkpoint(tmp_path / "link").name == "model"


def test_without_generation_config_the_published_settings_are_used(model: Path) -> None:
    (model / "generation_config.json").unlink()
    facts = inspect_checkpoint(model)
    assert facts.defaults == SamplerDefaults(end_ids=(1,))
    assert "generation_config.json" in facts.problems[0]


def test_a_single_end_token_and_missing_keys(model: Path) -> None:
    edit(model / "generation_config.json", eos_token_id=7, t_max=..., stability_threshold=0)
    defaults = inspect_checkpoint(model).defaults
    assert (defaults.end_ids, defaults.t_max, defaults.stability) == ((7,), 0.8, 0)


def test_pickles_beside_safetensors_are_ignored_and_mentioned(model: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(b"x")
    assert "pytorch_model.bin" in inspect_checkpoint(model).problems[0]


# images


def test_without_a_processor_a_model_is_blind(model: Path) -> None:
    (model / "preprocessor_config.json").unlink()
    assert "processor_config.json" in inspect_checkpoint(model).why_no_images


# what is no model


def test_nothing_there(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none").text
    assert "does not exist" in refused(tmp_path / "zero\0byte").text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.gguf", "GGUF"),
        ("model.safetensors", "one part"),
        ("pytorch_model.bin", "run any code"),
        ("weights.ckpt", "run any code"),
        ("notes.txt", "no model"),
    ],
)
def test_a_file_instead_of_a_folder(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert said in refused(tmp_path / name).text
    assert "does not exist" in refused(tmp_path / name / "deeper").text


def test_an_empty_folder(tmp_path: Path) -> None:
    assert refused(tmp_path).title == "The folder is empty"


def test_a_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    assert "config.json" in refused(tmp_path).text


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "back to itself" in refused(tmp_path / "a").text


def test_a_circle_inside_the_folder(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors").symlink_to(model / "model.safetensors")
    assert "model.safetensors" in refused(model).text


def test_a_link_to_nothing_inside_the_folder(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    (model / "tokenizer.json").symlink_to(model / "gone")
    assert "tokenizer.json" in refused(model).text


def test_a_folder_in_place_of_a_file(model: Path) -> None:
    (model / "config.json").unlink()
    (model / "config.json").mkdir()
    assert "config.json" in refused(model).text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read everything")
def test_an_unreadable_folder(model: Path) -> None:
    model.chmod(0)
    try:
        assert refused(model).title == "The model can't be read"
    finally:
        model.chmod(stat.S_IRWXU)


# config.json


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_config(model: Path, content: bytes) -> None:
    (model / "config.json").write_bytes(content)
    assert refused(model).title == "config.json is broken"


def test_another_architecture_is_named(model: Path) -> None:
    edit(model / "config.json", architectures=["LlamaForCausalLM"], model_type="llama")
    assert "LlamaForCausalLM" in refused(model).text
    edit(model / "config.json", architectures=...)
    assert "llama" in refused(model).text


def test_its_own_code_is_refused(model: Path) -> None:
    edit(model / "config.json", auto_map={"AutoModel": "modeling_evil.Model"})
    assert "code" in refused(model).title


@pytest.mark.parametrize(
    "said",
    [{"quant_method": "modelopt", "quant_algo": "FP8"}, {"quant_method": "bitsandbytes"}, "odd", {}],
)
def test_compressed_weights_are_named_and_refused(model: Path, said: object) -> None:
    edit(model / "config.json", quantization_config=said)
    error = refused(model)
    assert error.title == "Compressed weights can't be loaded"
    for value in said.values() if isinstance(said, dict) else ():
        assert value in error.text


def test_weights_that_are_called_packed_and_are_not(model: Path) -> None:
    """Folders that are packed so are the matter of packed/test_layout.py."""
    edit(model / "config.json", quantization_config={"quant_method": "modelopt", "quant_algo": "NVFP4"})
    error = refused(model)
    assert error.title == "Weights are missing"
    assert "experts.0.gate_proj.weight" in error.text


def test_the_side_file_of_compressed_weights_is_enough(model: Path) -> None:
    (model / "hf_quant_config.json").write_text("{}")
    assert refused(model).title == "Compressed weights can't be loaded"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vocab_size", ...),
        ("vocab_size", "many"),
        ("num_hidden_layers", -1),
        ("max_position_embeddings", True),
        ("num_experts", None),
        ("top_k_experts", 0),
        ("moe_intermediate_size", 1e9),
    ],
)
def test_numbers_that_are_missing_or_absurd(model: Path, key: str, value: object) -> None:
    edit_text(model, **{key: value})
    assert key in refused(model).text


def test_a_canvas_that_traces_can_not_number(model: Path) -> None:
    edit(model / "config.json", canvas_length=70_000)
    assert "canvas_length" in refused(model).text


def test_no_text_model(model: Path) -> None:
    edit(model / "config.json", text_config=...)
    assert refused(model).title == "config.json is incomplete"


def test_a_model_that_reads_in_both_directions(model: Path) -> None:
    edit_text(model, use_bidirectional_attention="all")
    assert "both directions" in refused(model).text


@pytest.mark.parametrize(
    "changes", [{"t_max": 0.1}, {"t_max": "hot"}, {"max_denoising_steps": 0}, {"t_min": float("nan")}]
)
def test_broken_sampler_settings(model: Path, changes: dict[str, object]) -> None:
    edit(model / "generation_config.json", **changes)
    assert refused(model).title == "generation_config.json is broken"


# weights


def test_no_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert refused(model).title == "The weights are missing"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt", "consolidated.00.pth"])
def test_pickles_alone_are_refused(model: Path, name: str) -> None:
    (model / "model.safetensors").rename(model / name)
    assert name in refused(model).text


def test_missing_shards_are_named(model: Path) -> None:
    _, second = split(model)
    (model / second).unlink()
    error = refused(model)
    assert error.title == "Weight files are missing"
    assert second in error.text


def test_shards_without_their_list(model: Path) -> None:
    split(model)
    (model / "model.safetensors.index.json").unlink()
    assert "model.safetensors.index.json" in refused(model).text


@pytest.mark.parametrize("index", [{}, {"weight_map": {}}, {"weight_map": {"a": 3}}, {"weight_map": []}])
def test_a_list_that_names_nothing(model: Path, index: object) -> None:
    split(model)
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    assert refused(model).title == "The list of weight files is broken"


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "model.bin"])
def test_a_list_that_leads_elsewhere(model: Path, name: str) -> None:
    split(model)
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    assert refused(model).title == "The list of weight files is not trusted"


def test_a_tensor_in_two_shards(model: Path) -> None:
    first, second = split(model)
    shutil.copyfile(model / first, model / second)
    assert "repeats" in refused(model).text


def test_a_cut_off_file_says_how_much_is_there(model: Path) -> None:
    path = model / "model.safetensors"
    os.truncate(path, path.stat().st_size // 2)
    error = refused(model)
    assert "cut off" in error.text
    assert "model.safetensors" in error.text


def test_weights_in_eight_bits(model: Path) -> None:
    header = {"a.weight": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}
    write_safetensors(model / "model.safetensors", header, b"1234")
    assert refused(model).title == "Compressed weights can't be loaded"


def test_a_file_without_tensors(model: Path) -> None:
    write_safetensors(model / "model.safetensors", {}, b"")
    assert refused(model).title == "The weights are missing"


# tokenizer


def test_no_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    (model / "tokenizer.model").write_bytes(b"x")
    error = refused(model)
    assert error.title == "The tokenizer is missing"
    assert "tokenizer.model" in error.text


def test_an_empty_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").write_bytes(b"")
    assert refused(model).title == "The tokenizer is missing"
