"""What is found out of a model's file, and every reason why one is refused."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.backends.gguf.layout import END_IDS_KEY, OWN_TOKENIZER_KEY, PROFILE_KEY
from diffdesk.backends.gguf.model_file import inspect_gguf
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import GgufWriter, TensorPlan, Value, ValueType
from diffdesk.core.errors import CheckpointError
from diffdesk.core.parameters import SamplerDefaults
from tests.bench import synthetic
from tests.unit.backends import tiny
from tests.unit.backends.gguf_conversion import folders
from tests.unit.backends.gguf_reading import files


def u32(value: int) -> Value:
    return Value(ValueType.UINT32, value)


def f32(value: float) -> Value:
    return Value(ValueType.FLOAT32, value)


def text(value: str) -> Value:
    return Value(ValueType.STRING, value)


def key(name: str) -> str:
    return f"diffusion-gemma.{name}"


# --- facts ----------------------------------------------------------------------------------------


def test_the_facts_of_a_file(tmp_path: Path) -> None:
    path = files.small(tmp_path / "small.gguf")
    found = inspect_gguf(path)
    assert found.architecture == files.SMALL
    assert (found.path, found.parts, found.projector, found.profile_text) == (path, (path,), None, "")
    assert (found.canvas_length, found.context_length, found.vocab_size) == (16, 256, 600)
    assert found.precision == "Q8_0"
    assert found.name == "Diffusiongemma-26B-A4B-It"
    shapes = files.SMALL.tensors()
    assert {name: one.shape for name, one in found.tensors.items()} == shapes
    assert found.parameters == sum(map(math.prod, shapes.values())) - 16
    assert found.bytes == sum(plan.bytes for plan in synthetic.plans(files.SMALL, FileKind.Q8_0))
    assert found.defaults == SamplerDefaults()
    assert found.problems == ("The file names no sampler settings; the published ones are used.",)


def test_a_converted_model_says_what_its_folder_said(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model", "all-experts-long")
    tiny.edit_json(folder / "generation_config.json", eos_token_id=[1, 6], pad_token_id=4)
    (folder / "diffdesk.json").write_text('{"name": "Mine"}\n')
    convert(folder, tmp_path / "a.gguf", "f16", lambda stage, share: None)
    found = inspect_gguf(tmp_path / "a.gguf")
    assert (found.name, found.profile_text, found.precision, found.problems) == (
        "Mine",
        '{"name": "Mine"}\n',
        "F16",
        (),
    )
    assert found.architecture.is_sliding == (True, False, True, False)
    assert found.architecture.kv_heads == (2, 2, 2, 2)
    assert (found.architecture.window, found.canvas_length, found.context_length) == (12, 5, 2048)
    assert found.architecture.epsilon == 1e-6
    expected = SamplerDefaults(6, 0.8, 0.4, 0.5, 0.05, 1, end_ids=(1, 6), pad_id=0)
    assert replace(found.defaults, pad_id=0) == expected


def test_sampler_settings_are_read_as_they_were_meant(tmp_path: Path) -> None:
    settings = {
        "diffusion.eb_max_steps": u32(12),
        "diffusion.eb_t_max": f32(0.7),
        "diffusion.eb_t_min": f32(0.1),
        "diffusion.eb_entropy_bound": f32(0.3),
        "diffusion.eb_confidence_threshold": f32(0.005),
        "diffusion.eb_stability_threshold": u32(2),
        "tokenizer.ggml.padding_token_id": u32(4),
        END_IDS_KEY: Value(ValueType.UINT32, [7, 9, 7]),
    }
    found = inspect_gguf(files.small(tmp_path / "a.gguf", settings))
    assert found.defaults == SamplerDefaults(12, 0.7, 0.1, 0.3, 0.005, 2, end_ids=(7, 9), pad_id=4)
    assert found.problems == ()


@pytest.mark.parametrize(
    "changes",
    [
        {key("attention.head_count_kv"): u32(2), key("attention.sliding_window_pattern"): u32(2)},
        {
            key("attention.head_count_kv"): Value(ValueType.UINT64, [2, 2]),
            key("block_count"): Value(ValueType.UINT64, 2),
        },
        {key("feed_forward_length"): Value(ValueType.INT32, [64, 64]), key("attention.head_count_kv"): u32(2)},
    ],
)
def test_other_widths_and_single_values_for_all_layers(tmp_path: Path, changes: dict[str, Value]) -> None:
    same = replace(files.SMALL, kv_heads=(2, 2))
    keys = {**synthetic.metadata(same, FileKind.Q8_0, files.WORDS), **changes}
    synthetic.write_tensors(tmp_path / "a.gguf", keys, synthetic.plans(same, FileKind.Q8_0))
    assert inspect_gguf(tmp_path / "a.gguf").architecture == same


def test_full_layers_with_values_of_their_own(tmp_path: Path) -> None:
    own = replace(files.SMALL, values_are_keys=False)
    keys = synthetic.metadata(own, FileKind.F32, files.WORDS)
    synthetic.write_tensors(tmp_path / "a.gguf", keys, synthetic.plans(own, FileKind.F32))
    assert inspect_gguf(tmp_path / "a.gguf").architecture == own


def test_ones_at_the_end_of_a_shape_may_be_left_out(tmp_path: Path) -> None:
    one = replace(files.SMALL, experts=1)
    plans = [
        replace(plan, shape=plan.shape[:2]) if len(plan.shape) == 3 else plan
        for plan in synthetic.plans(one, FileKind.Q8_0)
    ]
    synthetic.write_tensors(tmp_path / "a.gguf", synthetic.metadata(one, FileKind.Q8_0, files.WORDS), plans)
    found = inspect_gguf(tmp_path / "a.gguf")
    assert found.tensors["blk.0.ffn_gate_up_exps.weight"].shape == (64, 64, 1)


def test_names_and_formats_where_the_file_is_silent(tmp_path: Path) -> None:
    changes = {"general.name": None, "general.file_type": None, "general.type": None}
    found = inspect_gguf(files.small(tmp_path / "my model.gguf", changes, kind=FileKind.BF16))
    assert (found.name, found.precision) == ("my model", "BF16")
    odd = {"general.name": text("\x1b[1m" + "x" * 500), "general.file_type": u32(9999)}
    found = inspect_gguf(files.small(tmp_path / "b.gguf", odd))
    assert found.name.isprintable()
    assert len(found.name) <= 80
    assert found.precision == "Q8_0"


def test_end_tokens_are_found_by_their_names(tmp_path: Path) -> None:
    tokens = list(files.WORDS.tokens)
    tokens[50], tokens[120] = tokens[120], tokens[50]
    found = inspect_gguf(files.small(tmp_path / "a.gguf", {"tokenizer.ggml.tokens": Value(ValueType.STRING, tokens)}))
    assert found.defaults.end_ids == (1, 106, 120)


def test_a_split_model_is_one_model(tmp_path: Path) -> None:
    plans = synthetic.plans(files.SMALL, FileKind.Q8_0)
    paths = [tmp_path / f"m-0000{index + 1}-of-00002.gguf" for index in range(2)]
    for index, path in enumerate(paths):
        extra = {"split.no": u32(index), "split.count": u32(2), "split.tensors.count": u32(len(plans))}
        keys = {**(files.keys({"general.name": None}) if not index else {}), **extra}
        synthetic.write_tensors(path, keys, plans[index::2])
    found = inspect_gguf(paths[1])
    assert found.parts == tuple(paths)
    assert found.name == "m"
    assert found.architecture == files.SMALL
    paths[0].unlink()
    with pytest.raises(CheckpointError, match=r"1 of 2 files: m-00001-of-00002\.gguf"):
        inspect_gguf(paths[1])


def test_no_library_is_loaded_and_none_that_models_need() -> None:
    code = (
        "import sys, diffdesk.backends.gguf.model_file, diffdesk.backends.ggml.tokenizer\n"
        "print([one for one in ('llama_cpp', 'torch', 'tokenizers', 'transformers', 'PySide6') if one in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- images ---------------------------------------------------------------------------------------


def projector(path: Path, architecture: str = "clip", hidden: int = files.SMALL.hidden) -> Path:
    keys = {"general.architecture": text(architecture), "clip.vision.projection_dim": u32(hidden)}
    with GgufWriter(path, keys, []) as made:
        made.finish()
    return path


def test_the_projector_beside_a_model_is_found(tmp_path: Path) -> None:
    path = files.small(tmp_path / "diffusiongemma-small-Q8_0.gguf")
    projector(tmp_path / "mmproj-another-model-f16.gguf")
    best = projector(tmp_path / "mmproj-diffusiongemma-small-f16.gguf")
    projector(tmp_path / "mmproj-diffusiongemma-large.gguf")
    assert inspect_gguf(path).projector == best


def test_projectors_of_other_models_are_left_out(tmp_path: Path) -> None:
    path = files.small(tmp_path / "diffusiongemma-Q8_0.gguf")
    projector(tmp_path / "mmproj-diffusiongemma.gguf", hidden=1)
    (tmp_path / "mmproj-diffusiongemma-Q8_0.gguf").write_bytes(b"GGUF")
    found = inspect_gguf(path)
    assert found.projector is None
    assert len(found.problems) == 3
    fits = projector(tmp_path / "MMPROJ.gguf")
    assert inspect_gguf(path).projector == fits


# --- other files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"general.architecture": text("gemma4")},
            "gemma4, made for autoregressive models, which write one word after",
        ),
        ({"general.architecture": text("llama")}, "autoregressive"),
        ({"general.architecture": text("dream")}, "another model that writes by denoising"),
        ({"general.architecture": text("flux")}, "paints pictures"),
        ({"general.architecture": None}, "does not say what kind of model"),
        ({"general.architecture": u32(3)}, "does not say what kind of model"),
        ({"general.architecture": text("clip")}, "the part that sees images"),
        ({"general.type": text("mmproj")}, "the part that sees images"),
        ({"general.type": text("adapter")}, "LoRA"),
        ({"adapter.type": text("lora")}, "LoRA"),
        ({"general.type": text("imatrix")}, "importance matrix"),
        ({"imatrix.datasets": Value(ValueType.STRING, ["a"])}, "importance matrix"),
    ],
)
def test_other_kinds_of_gguf_are_refused_with_a_reason(
    tmp_path: Path, changes: dict[str, Value | None], words: str
) -> None:
    path = files.small(tmp_path / "a.gguf", changes)
    files.patch(path, "token_embd.weight: type", 39)  # what they are comes first, whatever their formats are
    with pytest.raises(CheckpointError, match=words) as caught:
        inspect_gguf(path)
    assert "diffusiongemma" in caught.value.remedy or "beside" in caught.value.remedy or "again" in caught.value.remedy


def test_a_vocabulary_alone(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="only a vocabulary"):
        inspect_gguf(files.small(tmp_path / "a.gguf", tensors=lambda _: []))


# --- tensors --------------------------------------------------------------------------------------


def test_missing_and_surplus_tensors_are_named(tmp_path: Path) -> None:
    names = [f"blk.{layer}.{name}.weight" for layer in range(2) for name in ("attn_q", "ffn_up")]
    path = files.small(tmp_path / "a.gguf", tensors=lambda plans: [one for one in plans if one.name not in names])
    with pytest.raises(CheckpointError, match=r"has no blk\.0\.attn_q\.weight, .* and 1 more"):
        inspect_gguf(path)
    extra = [TensorPlan(name, TensorType.F32, (4,)) for name in ("output.weight", "blk.0.attn_q.bias")]
    with pytest.raises(CheckpointError, match=r"no DiffusionGemma has: output\.weight, blk\.0\.attn_q\.bias"):
        inspect_gguf(files.small(tmp_path / "b.gguf", tensors=lambda plans: [*plans, *extra]))


@pytest.mark.parametrize("name", ["token_embd.weight", "blk.1.attn_v.weight", "blk.0.attn_k.weight"])
def test_some_files_lack_just_one(tmp_path: Path, name: str) -> None:
    own = replace(files.SMALL, values_are_keys=False, is_sliding=(False, False), head_dim_sliding=32)
    plans = [one for one in synthetic.plans(own, FileKind.Q8_0) if one.name != name]
    synthetic.write_tensors(tmp_path / "a.gguf", synthetic.metadata(own, FileKind.Q8_0, files.WORDS), plans)
    with pytest.raises(CheckpointError, match=name):
        inspect_gguf(tmp_path / "a.gguf")


def test_wrong_shapes_are_told(tmp_path: Path) -> None:
    path = files.small(tmp_path / "a.gguf", tensors=files.changed("blk.1.attn_q.weight", shape=(64, 32)))
    with pytest.raises(CheckpointError, match=r"blk\.1\.attn_q\.weight \[64, 32\] instead of \[64, 64\]"):
        inspect_gguf(path)
    path = files.small(tmp_path / "b.gguf", tensors=files.changed("token_embd.weight", shape=(64, 599)))
    with pytest.raises(CheckpointError, match=r"lists 600 tokens, the model has 599"):
        inspect_gguf(path)
    path = files.small(tmp_path / "c.gguf", tensors=files.changed("token_embd.weight", shape=(64 * 600,)))
    with pytest.raises(CheckpointError, match=r"token_embd\.weight has the shape \[38400\]"):
        inspect_gguf(path)


@pytest.mark.parametrize("name", ["output_norm.weight", "blk.0.ffn_gate_inp.weight", "blk.1.ffn_gate_inp.scale"])
def test_vectors_and_routers_are_not_compressed(tmp_path: Path, name: str) -> None:
    path = files.small(tmp_path / "a.gguf", tensors=files.changed(name, kind=TensorType.Q8_0))
    with pytest.raises(CheckpointError, match=rf"{name} \(Q8_0\) should be F32, F16 or BF16"):
        inspect_gguf(path)
    path = files.small(tmp_path / "b.gguf", tensors=files.changed(name, kind=TensorType.BF16))
    assert inspect_gguf(path).tensors[name].kind is TensorType.BF16


def test_tensors_that_ggml_can_t_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffdesk.backends.gguf.writer.ALIGNMENT", 4)
    path = files.small(tmp_path / "a.gguf", {"general.alignment": u32(4)})
    with pytest.raises(CheckpointError, match="does not align its tensors by 32 bytes"):
        inspect_gguf(path)


# --- hyperparameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("block_count", u32(0), "from 1 to 256, not 0"),
        ("block_count", u32(1 << 20), "from 1 to 256"),
        ("block_count", None, "is missing"),
        ("block_count", text("30"), "not '30'"),
        ("block_count", f32(2.0), "not 2.0"),
        ("block_count", Value(ValueType.BOOL, True), "not True"),
        ("block_count", u32(3), "should list 3 values, not 2"),
        ("embedding_length", u32(0), "from 1 to"),
        ("attention.head_count", u32(3), "should divide the 3 heads"),
        ("attention.head_count", u32(0), "from 1 to"),
        ("attention.head_count_kv", Value(ValueType.INT32, [2, 0]), "from 1 to 2, not 0"),
        ("attention.head_count_kv", Value(ValueType.INT32, [2, -1]), "not -1"),
        ("attention.head_count_kv", Value(ValueType.INT32, [2, 1, 1]), "should list 2 values, not 3"),
        ("attention.head_count_kv", Value(ValueType.FLOAT32, [2.0, 1.0]), "not 2.0"),
        ("attention.head_count_kv", Value(ValueType.STRING, ["2", "1"]), "should list numbers"),
        ("attention.key_length", u32(31), "should be even"),
        ("attention.key_length", u32(64), "not 32"),
        ("attention.value_length", u32(16), "should be 32, not 16"),
        ("attention.value_length_swa", u32(8), "not 8"),
        ("rope.dimension_count", u32(16), "not 16"),
        ("rope.dimension_count_swa", u32(32), "not 32"),
        ("attention.sliding_window", u32(0), "from 1"),
        ("attention.sliding_window", None, "is missing"),
        ("attention.sliding_window_pattern", Value(ValueType.BOOL, [True]), "should list 2 values"),
        ("attention.sliding_window_pattern", u32(0), "from 1"),
        ("attention.sliding_window_pattern", None, "is missing"),
        ("attention.shared_kv_layers", u32(1), "should be 0, not 1"),
        ("embedding_length_per_layer_input", u32(256), "should be 0, not 256"),
        ("attention.layer_norm_rms_epsilon", f32(0.0), "number from"),
        ("attention.layer_norm_rms_epsilon", f32(float("nan")), "not nan"),
        ("rope.freq_base", f32(float("inf")), "not inf"),
        ("rope.freq_base_swa", f32(-1.0), "not -1"),
        ("final_logit_softcapping", f32(-30.0), "not -30"),
        ("expert_count", u32(0), "from 1"),
        ("expert_used_count", u32(3), "from 1 to 2, not 3"),
        ("expert_used_count", u32(0), "from 1 to 2, not 0"),
        ("expert_feed_forward_length", None, "is missing"),
        ("feed_forward_length", Value(ValueType.INT32, [64, 128]), "the same for all layers"),
        ("context_length", u32(0), "from 1"),
    ],
)
def test_hyperparameters_that_can_t_be_are_named(tmp_path: Path, name: str, value: Value | None, words: str) -> None:
    path = files.small(tmp_path / "a.gguf", {key(name): value})
    with pytest.raises(CheckpointError, match=words) as caught:
        inspect_gguf(path)
    contradicted = ("attention.head_count_kv", "attention.value_length")
    assert any(key(one) in caught.value.text for one in (name, *contradicted))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("diffusion.canvas_length", u32(0)),
        ("diffusion.canvas_length", u32(1 << 16)),
        ("diffusion.eb_max_steps", u32(0)),
        ("diffusion.eb_t_max", f32(float("nan"))),
        ("diffusion.eb_t_max", f32(0.4)),
        ("diffusion.eb_entropy_bound", text("0.1")),
        ("diffdesk.end_ids", Value(ValueType.UINT32, [1, 600])),
        ("diffdesk.end_ids", Value(ValueType.UINT32, [1] * 65)),
        ("diffdesk.profile", u32(1)),
        ("tokenizer.ggml.eos_token_id", u32(600)),
        ("tokenizer.ggml.padding_token_id", u32(600)),
        ("tokenizer.ggml.tokens", u32(1)),
        ("tokenizer.ggml.tokens", None),
        ("tokenizer.ggml.tokens", Value(ValueType.STRING, ["a"])),
        ("tokenizer.ggml.token_type", Value(ValueType.INT32, [1])),
        ("tokenizer.ggml.merges", None),
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.model", None),
    ],
)
def test_other_keys_that_can_t_be_are_refused(tmp_path: Path, name: str, value: Value | None) -> None:
    with pytest.raises(CheckpointError) as caught:
        inspect_gguf(files.small(tmp_path / "a.gguf", {name: value}))
    assert caught.value.title
    assert caught.value.remedy


def test_an_own_tokenizer_needs_no_merges(tmp_path: Path) -> None:
    keys = {OWN_TOKENIZER_KEY: text("{}"), "tokenizer.ggml.merges": None, "tokenizer.ggml.model": None}
    assert inspect_gguf(files.small(tmp_path / "a.gguf", keys)).profile_text == ""
    assert inspect_gguf(files.small(tmp_path / "b.gguf", {PROFILE_KEY: text("{}")})).profile_text == "{}"


def test_the_file_may_lie_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    target = files.small(tmp_path / "blobs" / "0123")
    link = tmp_path / "model.gguf"
    try:
        link.symlink_to(target)
    except OSError:
        shutil.copy(target, link)
    assert inspect_gguf(link).architecture == files.SMALL
