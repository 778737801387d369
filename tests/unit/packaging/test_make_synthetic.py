"""Synthetic checkpoints: the published names, shapes and sizes, values that a model can run on, and refusals."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import make_synthetic
import numpy as np
import pytest
import synthetic_layout
from numpy.typing import NDArray
from synthetic_layout import BF16, LAYOUTS, NVFP4, PUBLISHED, Config, cut, spread, tensors

from diffdesk.backends.checkpoint import INDEX_FILE, SINGLE_FILE, inspect_checkpoint
from diffdesk.backends.checkpoint_config import read_defaults
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.nvfp4_source import Nvfp4Rows
from diffdesk.backends.gguf.tensor_source import PlainRows, StoredTensor, read_tensors
from diffdesk.backends.image_patches import STILL_TOKENS, read_settings
from diffdesk.backends.registry import load
from diffdesk.backends.safetensors_header import read_header
from diffdesk.core.denoiser import Prompt
from diffdesk.core.parameters import SamplerDefaults
from diffdesk.core.requests import ModelSpec

ROOT = Path(__file__).parents[3]
VOCABULARY, CANVAS, EXPERTS = 300, 16, 4
TEXT: dict[str, Any] = {
    **PUBLISHED["text_config"],
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_global_key_value_heads": 1,
    "head_dim": 16,
    "global_head_dim": 32,
    "num_experts": EXPERTS,
    "top_k_experts": 2,
    "sliding_window": 24,
    "max_position_embeddings": 2048,
}
SMALL_VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "global_head_dim": 16,
    "position_embedding_size": 200,
}
TINY: Config = {
    **PUBLISHED,
    "canvas_length": CANVAS,
    "boi_token_id": 11,
    "image_token_id": 10,
    "eoi_token_id": 12,
    "text_config": TEXT,
    "vision_config": {**PUBLISHED["vision_config"], **SMALL_VISION},
}


def made(folder: Path, layout: str, *arguments: str, config: Config = TINY) -> Path:
    """A folder with three layers of the tiny model, and whatever else is asked for."""
    file = folder.parent / f"{folder.name}.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    asked = ["--layout", layout, "--config", str(file), "--layers", "3", *arguments, str(folder)]
    assert make_synthetic.main(asked) == 0
    return folder


def stored(folder: Path) -> dict[str, StoredTensor]:
    """Where each tensor of a folder lies."""
    return read_tensors(folder, sorted(one.name for one in folder.glob("*.safetensors")))


def values(one: StoredTensor) -> NDArray[np.float32]:
    rows = PlainRows(one)
    return rows.rows(0, rows.count)


def silent(_stage: str, _share: float) -> None:
    """Progress that nobody looks at."""


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


# names, shapes and sizes of the published files


@pytest.mark.torch
def test_names_and_shapes_are_those_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaConfig
    from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion

    with torch.device("meta"):
        model = DiffusionGemmaForBlockDiffusion(DiffusionGemmaConfig(**PUBLISHED))
    tied = model.all_tied_weights_keys
    wanted = {name: tuple(one.shape) for name, one in model.state_dict().items() if name not in tied}
    plain = tensors(PUBLISHED, BF16)
    assert {one.name: one.shape for one in plain} == wanted
    assert len(plain) == len(wanted) == 1_047
    buffers = ("layer_scalar", "std_bias", "std_scale")
    assert sum(math.prod(one.shape) for one in plain if not one.name.endswith(buffers)) == 25_823_778_864
    packed = tensors(PUBLISHED, NVFP4)
    others = {one.name: one.shape for one in packed if ".experts." not in one.name}
    assert others == {name: shape for name, shape in wanted.items() if ".experts." not in name}


def test_four_bit_experts_are_laid_out_as_published() -> None:
    listed = {one.name: one for one in tensors(PUBLISHED, NVFP4)}
    assert len(listed) == len(tensors(PUBLISHED, NVFP4)) == 47_067
    assert Counter(one.dtype for one in listed.values()) == {
        "F32": 23_040,
        "U8": 11_520,
        "F8_E4M3": 11_520,
        "BF16": 987,
    }
    name = "model.decoder.layers.29.experts.127"
    found = {one.removeprefix(f"{name}."): (listed[one].dtype, listed[one].shape) for one in listed if name in one}
    sizes = [("gate_proj", 704, 2816), ("up_proj", 704, 2816), ("down_proj", 2816, 704)]
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {}
    for part, rows, columns in sizes:
        wanted[f"{part}.weight"] = ("U8", (rows, columns // 2))
        wanted[f"{part}.weight_scale"] = ("F8_E4M3", (rows, columns // 16))
        wanted[f"{part}.weight_scale_2"] = wanted[f"{part}.input_scale"] = ("F32", ())
    assert found == wanted


def test_weight_files_have_the_published_sizes() -> None:
    files = spread(tensors(PUBLISHED, NVFP4))
    sizes = {
        name: len(make_synthetic.header(listed)) + sum(one.bytes for one in listed) for name, listed in files.items()
    }
    assert sizes == {
        "model-00001-of-00002.safetensors": 10_002_097_536,
        "model-00002-of-00002.safetensors": 8_821_758_352,
    }
    plain = spread(tensors(PUBLISHED, BF16))
    assert len(plain) == 6
    assert max(sum(one.bytes for one in listed) for listed in plain.values()) <= 10_000_000_000


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_as_many_files_as_asked_for(shards: int) -> None:
    listed = tensors(PUBLISHED, NVFP4)
    files = spread(listed, shards)
    assert len(files) == shards
    assert sorted(one.name for part in files.values() for one in part) == sorted(one.name for one in listed)
    sizes = [sum(one.bytes for one in part) for part in files.values()]
    assert max(sizes) - min(sizes) < 0.01 * max(sizes)


def test_fewer_layers_are_the_last_ones() -> None:
    few = cut(PUBLISHED, 2)
    assert few["text_config"]["layer_types"] == ["sliding_attention", "full_attention"]
    names = {one.name for one in tensors(few, BF16)}
    assert "model.decoder.layers.0.self_attn.v_proj.weight" in names
    assert "model.decoder.layers.1.self_attn.v_proj.weight" not in names
    assert not any(name.startswith("model.decoder.layers.2.") for name in names)
    assert sum(".vision_tower." in name for name in names) == 27 * 13 + 4


def test_layers_that_are_listed_one_by_one_are_renumbered() -> None:
    full = {"head_dim": 512, "num_key_value_heads": 2}  # in the form in which transformers saves them
    by_layer = {f"{layer:02d}": full for layer in range(5, 30, 6)}
    saved = {**PUBLISHED, "text_config": {**PUBLISHED["text_config"], "per_layer_config": by_layer}}
    assert tensors(saved, BF16) == tensors(PUBLISHED, BF16)
    few = cut(saved, 7)
    assert few["text_config"]["per_layer_config"] == {"00": full, "06": full}
    assert tensors(few, BF16) == tensors(cut(PUBLISHED, 7), BF16)


# what is written


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_holds_what_it_says(tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path / "model", layout, "--shards", "2")
    said = capsys.readouterr()
    summary = json.loads(said.out)
    wanted = tensors(cut(TINY, 3), layout)
    total = sum(one.bytes for one in wanted)
    assert {**summary, "seconds": 0} == {
        "layout": layout, "layers": 3, "tensors": len(wanted), "bytes": total, "seconds": 0
    }  # fmt: skip
    assert "100 %" in said.err
    listed = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
    assert listed["metadata"]["total_size"] == total
    found = {}
    for shard in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
        for name, one in read_header(folder / shard).items():
            assert listed["weight_map"][name] == shard
            found[name] = (one.dtype, one.shape)
            assert one.offset % min(one.bytes, 2 if one.dtype == "BF16" else 1) == 0
    assert found == {one.name: (one.dtype, one.shape) for one in wanted}
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_are_sane(tmp_path: Path, layout: str) -> None:
    listed = stored(made(tmp_path / "model", layout))
    for name, one in listed.items():
        if one.dtype == "U8":
            rows = Nvfp4Rows(listed, name.removesuffix(".weight"))
            wanted = (1.25 if ".1.up_proj" in name else 1.0) * rows.length**-0.5
            assert rows.rows(0, rows.count).std() == pytest.approx(wanted, rel=0.25), name
        elif one.dtype == "F8_E4M3":
            scales = one.read(0, math.prod(one.shape))
            assert scales.min() >= 0x70, name
            assert scales.max() < 0x7F, name
        elif one.dtype == "F32":
            assert 0 < values(one)[0, 0] < 0.01, name
        elif name.endswith(("q_norm.weight", "k_norm.weight")):
            assert values(one) == pytest.approx(one.shape[0] ** -0.25, rel=0.01), name
        elif name.endswith("std_bias"):
            assert np.abs(values(one)).max() < 1, name
        elif len(one.shape) > 1:
            wanted = (0.8 if "embed_tokens" in name else 1.0) * one.shape[-1] ** -0.5
            chance = 5 * math.prod(one.shape) ** -0.5  # far more than a mean of so many values may be off
            assert values(one).std() == pytest.approx(wanted, rel=chance), name
            assert abs(values(one).mean()) < chance * wanted, name
        else:
            assert ((values(one) > 0.69) & (values(one) < 1.31)).all(), name


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_differ_and_so_do_rows(tmp_path: Path, layout: str) -> None:
    listed = stored(made(tmp_path / "model", layout))
    seen = {name: values(one) for name, one in listed.items() if one.dtype != "F32" and "_norm.w" not in name}
    assert len({one.tobytes() for one in seen.values() if one.size > 8}) == sum(one.size > 8 for one in seen.values())
    for name, one in seen.items():
        assert one.shape[-1] < 16 or len(np.unique(one, axis=0)) == len(one), name
    for layer in range(3):
        pair = [seen[f"model.{half}.layers.{layer}.layer_scalar"] for half in ("decoder", "encoder.language_model")]
        assert pair[0] > pair[1]


def test_large_tensors_are_made_of_pieces_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_synthetic.Values, "_PIECE", 1 << 10)
    monkeypatch.setattr(make_synthetic.Values, "_LONGEST_POOL", 1 << 12)
    monkeypatch.setattr(make_synthetic.Values, "_SHORTEST_POOL", 1 << 10)
    listed = tensors(TINY, BF16)
    source = make_synthetic.Values(TINY, listed, 0)
    for one in listed:
        pieces = [bytes(piece) for piece in source.pieces(one)]
        assert sum(map(len, pieces)) == one.bytes
        assert len(set(pieces)) == len(pieces)
    table = next(one for one in listed if one.name.endswith("embed_tokens.weight"))
    rows = np.frombuffer(b"".join(source.pieces(table)), "<u2").reshape(table.shape)
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_gate_and_up_have_scales_of_their_own_in_few_experts(tmp_path: Path) -> None:
    listed = stored(made(tmp_path / "model", NVFP4))
    for layer in range(3):
        for expert in range(EXPERTS):
            stem = f"model.decoder.layers.{layer}.experts.{expert}"
            for kind in ("weight_scale_2", "input_scale"):
                gate, up = (values(listed[f"{stem}.{part}_proj.{kind}"])[0, 0] for part in ("gate", "up"))
                assert (gate != up) == (expert == 1 and kind == "weight_scale_2")


def test_the_same_seed_makes_the_same_files(tmp_path: Path) -> None:
    first, again, other = (
        made(tmp_path / name, NVFP4, "--shards", "3", "--seed", seed)
        for name, seed in (("a", "5"), ("b", "5"), ("c", "6"))
    )
    for one in first.iterdir():
        assert one.read_bytes() == (again / one.name).read_bytes()
    assert any(one.read_bytes() != (other / one.name).read_bytes() for one in first.glob("*.safetensors"))


def test_the_script_needs_no_model_library(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(TINY), encoding="utf-8")
    asked = ["--layout", BF16, "--layers", "1", "--config", str(file), str(tmp_path / "model")]
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'packaging')!r}); import make_synthetic\n"
        f"assert make_synthetic.main({asked!r}) == 0\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    summary, modules = done.stdout.splitlines()
    assert json.loads(summary)["layers"] == 1
    assert not {"torch", "transformers", "safetensors", "tokenizers", "PIL", "llama_cpp"} & set(modules.split())


# the small files


def test_the_programs_own_readers_understand_the_small_files(tmp_path: Path) -> None:
    folder = made(tmp_path / "model", BF16)
    assert (folder / SINGLE_FILE).is_file()
    assert not (folder / INDEX_FILE).exists()
    facts = inspect_checkpoint(folder)
    assert (facts.layers, facts.canvas_length, facts.precision, facts.problems) == (3, CANVAS, "bfloat16", ())
    assert facts.can_see_images
    names = frozenset(one.name for one in folder.iterdir())
    assert read_defaults(folder, names, ()) == replace(SamplerDefaults(), end_ids=(1, 106, 50))
    settings = read_settings(folder, 200)
    assert (settings.patch, settings.pooling, settings.soft_tokens) == (16, 3, STILL_TOKENS)


def test_a_four_bit_folder_says_so_twice(tmp_path: Path) -> None:
    folder = made(tmp_path / "model", NVFP4)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    said = config["quantization_config"]
    assert (said["quant_method"], said["quant_algo"]) == ("modelopt", "NVFP4")
    beside = json.loads((folder / "hf_quant_config.json").read_text(encoding="utf-8"))
    assert beside["producer"]["name"] == "modelopt"
    beside = beside["quantization"]
    assert beside["exclude_modules"] == said["ignore"]
    assert (beside["quant_algo"], beside["kv_cache_quant_algo"], beside["group_size"]) == ("NVFP4", None, 16)


@pytest.mark.torch
@pytest.mark.parametrize("config", [TINY, PUBLISHED], ids=["tiny", "full"])
def test_the_tokenizer_knows_its_control_tokens(tmp_path: Path, config: Config) -> None:
    pytest.importorskip("tokenizers")
    from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer

    file, size = tmp_path / "tokenizer.json", config["text_config"]["vocab_size"]
    file.write_text(json.dumps(synthetic_layout.tokenizer_json(config)), encoding="utf-8")
    tokenizer = FastTokenizer(file, size)
    known = {"<pad>": 0, "<bos>": 2, "<unk>": 3, "<|tool_response>": 50, "<|turn>": 105, "<turn|>": 106}
    images = {"<|image>": "boi_token_id", "<|image|>": "image_token_id", "<image|>": "eoi_token_id"}
    known |= {name: config[key] for name, key in images.items()}
    assert {name: tokenizer.special_id(name) for name in known} == known
    text = "a baby, naïve ☃ had\n2 bad cabs" if config is PUBLISHED else "abcde abc\nå"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert not set(tokenizer.encode("<|turn>user<turn|><bos>")) & set(known.values())
    assert all(tokenizer.pieces([0, 5, 107, size // 2, size - 1]))
    assert len(tokenizer.encode(" the")) < 4 or config is TINY


# a model that runs


@pytest.mark.torch
@pytest.mark.parametrize("shards", ["1", "2"])
def test_a_plain_folder_loads_and_steps(tmp_path: Path, shards: str) -> None:
    pytest.importorskip("torch")
    folder = made(tmp_path / "model", BF16, "--shards", shards)
    for precision in ("float32", "bfloat16"):
        denoiser = load(ModelSpec(folder, device="cpu", precision=precision), silent)
        assert denoiser.capabilities.can_see_images
        rng = np.random.default_rng(0)
        denoiser.prefill(Prompt(rng.integers(20, VOCABULARY, 40, dtype=np.int32)), ignore)
        canvas = rng.integers(20, VOCABULARY, CANVAS, dtype=np.int32)
        denoiser.start_canvas(canvas)
        results = [denoiser.step(canvas, 0.8, np.full(CANVAS, 0.5)) for _ in range(3)]
        for one in results:
            assert np.isfinite(one.entropy).all()
            assert (one.entropy > 1).all()  # of a random model, which is not sure of anything
        assert (results[0].entropy != results[2].entropy).any()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_can_be_converted(tmp_path: Path, layout: str) -> None:
    folder = made(tmp_path / "model", layout, "--shards", "2")
    convert(folder, tmp_path / "a.gguf", "q8_0", silent, mmproj=tmp_path / "b.gguf")
    assert (tmp_path / "a.gguf").stat().st_size > 100_000
    assert (tmp_path / "b.gguf").stat().st_size > 10_000


# refusals


def refused(folder: Path, capsys: pytest.CaptureFixture[str], config: Config = TINY, *arguments: str) -> str:
    """What is said to someone who asks for a folder that can't be made."""
    file = folder.parent / "asked.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    assert make_synthetic.main(["--layout", NVFP4, "--config", str(file), *arguments, str(folder)]) == 2
    said = capsys.readouterr()
    assert not said.out
    return said.err


@pytest.mark.parametrize("name", ["config.json", "model-00001-of-00002.safetensors", "model.gguf"])
def test_a_model_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / name).write_text("mine", encoding="utf-8")
    assert name in refused(folder, capsys)
    assert [one.name for one in folder.iterdir()] == [name]
    assert "is a file" in refused(folder / name, capsys)


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    assert "disk is too full" in refused(tmp_path / "model", capsys)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("config", "arguments", "words"),
    [
        (TINY, ("--layers", "31"), "31 of 30 layers"),
        (TINY, ("--layers", "0"), "0 of 30 layers"),
        ({**TINY, "architectures": ["Other"]}, (), "another kind of model"),
        ({**TINY, "text_config": {**TEXT, "moe_intermediate_size": 40}}, (), "groups of 16"),
        ({**TINY, "vision_config": {**TINY["vision_config"], "use_clipped_linears": True}}, (), "use_clipped_linears"),
        ({**TINY, "vision_config": {"hidden_size": 32}}, (), "intermediate_size"),
    ],
)
def test_what_cannot_be_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: Config, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused(tmp_path / "model", capsys, config, *arguments)
    assert not (tmp_path / "model").exists()


def test_a_missing_configuration_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--layout", BF16, "--config", str(tmp_path / "none.json"), str(tmp_path / "model")]
    assert make_synthetic.main(asked) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--shards", "0"], ["--seed", "-1"], ["--layout", "other"]])
def test_odd_arguments_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        make_synthetic.main(["--layout", BF16, *arguments, str(tmp_path / "model")])
    assert ended.value.code == 2


def test_a_failed_write_leaves_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_listed: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(make_synthetic, "header", fail)
    file = tmp_path / "asked.json"
    file.write_text(json.dumps(TINY), encoding="utf-8")
    asked = ["--layout", NVFP4, "--config", str(file), "--shards", "3", str(tmp_path / "model")]
    assert make_synthetic.main(asked) == 1
    assert "No space left" in capsys.readouterr().err
    assert not list((tmp_path / "model").iterdir())
