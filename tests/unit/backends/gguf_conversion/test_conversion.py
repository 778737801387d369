"""Whole conversions of tiny checkpoints, read back by a reader that shares nothing with the program."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffdesk.backends.gguf import streaming, writer
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.conversion_config import model_metadata, read_architecture, rope_factors
from diffdesk.backends.gguf.conversion_names import FileKind, checkpoint_name, format_of
from diffdesk.backends.gguf.native_quantise import native_quantiser
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import Cancelled, UserError
from tests.unit.backends import tiny
from tests.unit.backends.gguf_conversion import folders
from tests.unit.backends.gguf_conversion.reader import File, read, steps

Array = NDArray[np.float32]


def silent(stage: str, share: float) -> None:
    """Progress that nobody looks at."""


def converted(folder: Path, kind: str = "f32") -> File:
    out = folder.parent / f"{folder.name}-{kind}.gguf"
    convert(folder, out, kind, silent)
    return read(out)


def truth(folder: Path) -> dict[str, Array]:
    """The checkpoint's values by its own names, float32; scalars have one axis."""
    return {name: one.float().numpy().reshape(one.shape or (1,)) for name, one in folders.weights(folder).items()}


def tensors_of(found: File) -> dict[str, Array]:
    """The file's values by the checkpoint's names."""
    return {checkpoint_name(name): one.values() for name, one in found.tensors.items() if name != "rope_freqs.weight"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_float32_keeps_every_value_of_every_format(tmp_path: Path, dtype: torch.dtype) -> None:
    folder = folders.made(tmp_path / "model", dtype=dtype)
    expected, found = truth(folder), tensors_of(converted(folder))
    assert found.keys() == {name for name in expected if "vision" not in name}
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])
    scalars = [name for name in found if name.endswith("layer_scalar")]
    assert len({float(found[name][0]) for name in scalars}) == len(scalars) == 6


@pytest.mark.parametrize("shape", ["all-experts-long", "all-full", "whole-rotation", "seeing", "one-expert"])
def test_every_shape_of_model_is_converted(tmp_path: Path, shape: str) -> None:
    folder = folders.made(tmp_path / shape, shape)
    expected, found = truth(folder), converted(folder)
    for name, values in tensors_of(found).items():
        np.testing.assert_array_equal(values, expected[name])
    full = [index for index, kind in enumerate(tiny.BY_NAME[shape].layers) if kind == tiny.FULL]
    assert not any(f"blk.{layer}.attn_v.weight" in found.tensors for layer in full)


def test_full_layers_with_values_of_their_own_keep_them(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model")
    tensors = folders.weights(folder)
    tensors["model.decoder.layers.2.self_attn.v_proj.weight"] = torch.rand(32, 64)
    folders.replace(folder, tensors)
    found = converted(folder).tensors["blk.2.attn_v.weight"].values()
    np.testing.assert_array_equal(found, tensors["model.decoder.layers.2.self_attn.v_proj.weight"].numpy())


def test_shards_make_the_same_file(tmp_path: Path) -> None:
    one = folders.made(tmp_path / "model")
    many = Path(shutil.copytree(one, tmp_path / "many" / "model"))
    folders.replace(many, folders.weights(one), shards=3)
    convert(one, tmp_path / "one.gguf", "q8_0", silent)
    convert(many, tmp_path / "many.gguf", "q8_0", silent)
    assert (tmp_path / "one.gguf").read_bytes() == (tmp_path / "many.gguf").read_bytes()


@pytest.mark.parametrize(("kind", "matrix"), [("q8_0", 8), ("f16", 1), ("bf16", 30)])
def test_matrices_get_the_format_and_the_rest_stays_float32(tmp_path: Path, kind: str, matrix: int) -> None:
    folder = folders.made(tmp_path / "model")
    expected, found = truth(folder), converted(folder, kind)
    for name, one in found.tensors.items():
        is_matrix = len(one.shape) > 1 and "ffn_gate_inp" not in name
        assert one.kind == (matrix if is_matrix else 0), name
        if name == "rope_freqs.weight":
            continue
        wanted = expected[checkpoint_name(name)]
        if one.kind == 8:
            slack = 0.5 * steps(8, one.data) + np.abs(wanted).max() * 2.0**-11
            assert (np.abs(one.values() - wanted).reshape(-1, 32) <= slack).all(), name
        else:
            np.testing.assert_allclose(one.values(), wanted, rtol={0: 0, 1: 2.0**-11, 30: 2.0**-8}[one.kind], atol=1e-7)


def test_q4_k_m_mixes_formats_and_is_ggmls_work(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    shape = tiny.Shape("wide", layers=(tiny.SLIDING,) * 7 + (tiny.FULL,), text={"hidden_size": 256})
    folder = tiny.save(shape, tmp_path / "wide")
    expected, found = truth(folder), converted(folder, "q4_k_m")
    kinds = {name: one.kind for name, one in found.tensors.items()}
    assert kinds["token_embd.weight"] == 14
    assert kinds["blk.1.attn_q.weight"] == 12
    assert [kinds[f"blk.{layer}.attn_v.weight"] for layer in range(7)] == [14, 12, 12, 14, 12, 12, 14]
    assert kinds["blk.1.ffn_down.weight"] == 6
    assert kinds["blk.0.ffn_down_exps.weight"] == 8
    assert kinds["blk.0.ffn_gate_inp.weight"] == kinds["output_norm.weight"] == 0
    native = native_quantiser()
    for name, one in found.tensors.items():
        if one.kind in (6, 8, 12, 14):
            rows = expected[checkpoint_name(name)].reshape(-1, one.shape[0])
            assert one.data == native(TensorType(one.kind), rows), name


def test_keys_are_those_of_the_published_files(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model")
    tiny.edit_json(folder / "generation_config.json", eos_token_id=[1, 6])
    (folder / "chat_template.jinja").write_text("{{ a }}\n")
    (folder / "diffdesk.json").write_text('{"name": "Mine", "layout": "chat"}\n')
    found = converted(folder, "q8_0")
    mine = {key.removeprefix("diffusion-gemma."): value for key, value in found.keys.items()}
    for key, value in {
        "general.architecture": "diffusion-gemma",
        "general.name": "Mine",
        "general.file_type": 7,
        "general.quantization_version": 2,
        "block_count": 3,
        "context_length": 2048,
        "embedding_length": 64,
        "feed_forward_length": 96,
        "attention.head_count": 4,
        "attention.head_count_kv": [2, 2, 1],
        "attention.key_length": 32,
        "attention.value_length_swa": 16,
        "attention.sliding_window": 64,
        "attention.sliding_window_pattern": [True, True, False],
        "attention.causal": False,
        "attention.shared_kv_layers": 0,
        "embedding_length_per_layer_input": 0,
        "expert_count": 4,
        "expert_used_count": 2,
        "expert_feed_forward_length": 32,
        "rope.dimension_count": 32,
        "rope.dimension_count_swa": 16,
        "rope.freq_base": 1e6,
        "rope.freq_base_swa": 1e4,
        "final_logit_softcapping": 30.0,
        "diffusion.canvas_length": 16,
        "diffusion.eb_max_steps": 6,
        "diffusion.eb_entropy_bound": 0.5,
        "diffdesk.end_ids": [1, 6],
        "diffdesk.profile": '{"name": "Mine", "layout": "chat"}\n',
        "diffdesk.tokenizer": (folder / "tokenizer.json").read_text(),
        "tokenizer.chat_template": "{{ a }}\n",
    }.items():
        assert mine[key] == value, key
    assert mine["attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    assert mine["diffusion.eb_t_max"] == pytest.approx(0.8)
    assert found.types["diffusion-gemma.attention.head_count_kv"] == 5
    factors = found.tensors["rope_freqs.weight"].values()
    np.testing.assert_array_equal(factors, np.array([1] * 4 + [1e30] * 12, np.float32))


def test_a_rotation_of_the_whole_head_has_factors_of_one(tmp_path: Path) -> None:
    found = converted(folders.made(tmp_path / "model", "whole-rotation"))
    np.testing.assert_array_equal(found.tensors["rope_freqs.weight"].values(), np.ones(16, np.float32))
    assert found.keys["diffusion-gemma.rope.freq_base_swa"] == 200


def test_tokens_are_listed_by_id_with_their_kinds(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model")
    found = converted(folder).keys
    tokens, kinds = found["tokenizer.ggml.tokens"], found["tokenizer.ggml.token_type"]
    assert isinstance(tokens, list)
    assert isinstance(kinds, list)
    pairs = list(zip(tokens, kinds, strict=True))
    assert len(pairs) == tiny.VOCABULARY
    assert pairs[:5] == [("<pad>", 3), ("<eos>", 3), ("<bos>", 3), ("<unk>", 2), ("<mask>", 4)]
    assert pairs[13] == ("<0x00>", 6)
    assert pairs[270] == ("a", 1)
    assert pairs[-1] == ("[PAD299]", 5)
    assert found["tokenizer.ggml.merges"] == ["▁ a"]
    assert found["tokenizer.ggml.model"] == "gemma4"
    special = ("bos", "eos", "unknown", "padding", "mask")
    assert [found[f"tokenizer.ggml.{one}_token_id"] for one in special] == [2, 1, 3, 0, 4]
    assert found["tokenizer.ggml.add_bos_token"] is True
    assert found["tokenizer.ggml.add_space_prefix"] is False


def test_llama_cpp_reads_the_tokenizer(tmp_path: Path) -> None:
    llama = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    folder = folders.made(tmp_path / "model")
    convert(folder, tmp_path / "a.gguf", "q8_0", silent)
    model = llama.Llama(
        str(tmp_path / "a.gguf"), vocab_only=True, verbose=False, kv_overrides={"general.architecture": "gemma4"}
    )
    try:
        assert model.tokenize(b"<|turn>a b", special=True) == [2, 5, *tiny.tokenizer().encode("a b").ids]
    finally:
        model.close()


# --- going on, stopping, and places ---------------------------------------------------------------


def stop_at(share: float, then: Callable[[], None] = lambda: None) -> Callable[[str, float], None]:
    def told(stage: str, done: float) -> None:
        if done >= share:
            then()
            raise Cancelled

    return told


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.97, 1.0])
def test_a_cancelled_conversion_goes_on_to_the_same_file(tmp_path: Path, share: float) -> None:
    folder = folders.made(tmp_path / "model")
    convert(folder, tmp_path / "whole.gguf", "q8_0", silent)
    with pytest.raises(Cancelled):
        convert(folder, tmp_path / "a.gguf", "q8_0", stop_at(share))
    assert not (tmp_path / "a.gguf").exists()
    shares: list[float] = []
    convert(folder, tmp_path / "a.gguf", "q8_0", lambda stage, done: shares.append(done))
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()
    assert shares == sorted(shares)
    assert shares[-1] == 1
    if 0.2 < share < 1:
        assert shares[1] > share - 0.2
    assert not list(tmp_path.glob("*.part*"))


def test_a_conversion_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SYNC_EVERY", 1)
    folder = folders.made(tmp_path / "model")
    convert(folder, tmp_path / "whole.gguf", "q8_0", silent)
    dead = tmp_path / "dead"
    dead.mkdir()

    def snapshot() -> None:
        for name in ("a.gguf.part", "a.gguf.part.json"):
            shutil.copy(tmp_path / name, dead / name)

    with pytest.raises(Cancelled):
        convert(folder, tmp_path / "a.gguf", "q8_0", stop_at(0.6, snapshot))
    assert json.loads((dead / "a.gguf.part.json").read_text())["complete"] > 10
    shares: list[float] = []
    convert(folder, dead / "a.gguf", "q8_0", lambda stage, done: shares.append(done))
    assert shares[1] > 0.4
    assert (dead / "a.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()


def test_it_begins_anew_when_the_weights_or_the_type_have_changed(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model")
    with pytest.raises(Cancelled):
        convert(folder, tmp_path / "a.gguf", "f32", stop_at(0.8))
    tensors = {name: one + 1 for name, one in folders.weights(folder).items()}
    folders.replace(folder, tensors)
    convert(folder, tmp_path / "a.gguf", "f32", silent)
    for name, values in tensors_of(read(tmp_path / "a.gguf")).items():
        np.testing.assert_array_equal(values, tensors[name].numpy())
    with pytest.raises(Cancelled):
        convert(folder, tmp_path / "b.gguf", "f32", stop_at(0.8))
    convert(folder, tmp_path / "b.gguf", "f16", silent)
    assert read(tmp_path / "b.gguf").tensors["token_embd.weight"].kind == 1


def test_a_finished_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    folder, out = folders.made(tmp_path / "model"), tmp_path / "a.gguf"
    out.write_bytes(b"precious")
    with pytest.raises(UserError, match="already"):
        convert(folder, out, "q8_0", silent)
    with pytest.raises(Cancelled):
        convert(folder, out, "q8_0", stop_at(0.5), is_forced=True)
    assert out.read_bytes() == b"precious"
    convert(folder, out, "q8_0", silent, is_forced=True)
    assert read(out).tensors


@pytest.mark.parametrize(("name", "words"), [("a.bin", "name"), ("no/a.gguf", "no such folder"), ("d.gguf", "folder")])
def test_places_that_make_no_sense_are_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "d.gguf").mkdir()
    with pytest.raises(UserError, match=words):
        convert(tmp_path, tmp_path / name, "q8_0", silent)


# --- size -----------------------------------------------------------------------------------------


def test_no_more_than_some_blocks_are_in_memory(tmp_path: Path) -> None:
    text = {"hidden_size": 512, "intermediate_size": 1024, "moe_intermediate_size": 512, "num_experts": 8}
    folder = tiny.save(tiny.Shape("large", text=text), tmp_path / "large")
    for kind in ("f32", "q8_0"):
        tracemalloc.start()
        convert(folder, tmp_path / f"{kind}.gguf", kind, silent)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 6 * 4 * streaming.BLOCK_VALUES  # 48 MiB
    assert (tmp_path / "f32.gguf").stat().st_size > 80e6


def test_the_full_model_has_the_published_layout() -> None:
    text = {
        "hidden_size": 2816,
        "intermediate_size": 2112,
        "num_hidden_layers": 30,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "num_global_key_value_heads": 2,
        "head_dim": 256,
        "global_head_dim": 512,
        "max_position_embeddings": 262_144,
        "moe_intermediate_size": 704,
        "num_experts": 128,
        "top_k_experts": 8,
        "sliding_window": 1024,
        "vocab_size": 262_144,
    }
    config: dict[str, object] = {"architectures": ["DiffusionGemmaForBlockDiffusion"], "text_config": text}
    made = read_architecture(config)
    assert made.kv_heads == (8, 8, 8, 8, 8, 2) * 5
    assert rope_factors(config, made) == [1.0] * 64 + [1e30] * 192
    shapes = made.tensors()
    assert len(shapes) == 692
    assert len(model_metadata(made)) == 25
    sizes = {
        kind: sum(format_of(name, shape, kind, 30).bytes_of(shape) for name, shape in shapes.items()) / 1e9
        for kind in FileKind
    }
    assert sizes[FileKind.Q4_K_M] == pytest.approx(16.8, abs=0.15)
    assert sizes[FileKind.Q8_0] == pytest.approx(26.9, abs=0.15)
    assert sizes[FileKind.BF16] == sizes[FileKind.F16] == pytest.approx(50.5, abs=0.15)
    assert format_of("self_cond_down.weight", (2112, 2816), FileKind.Q4_K_M, 30) is TensorType.Q5_0
    assert format_of("blk.0.ffn_down_exps.weight", (704, 2816, 128), FileKind.Q4_K_M, 30) is TensorType.Q8_0
    assert format_of("blk.0.ffn_down.weight", (40, 8), FileKind.Q4_K_M, 30) is TensorType.F16
