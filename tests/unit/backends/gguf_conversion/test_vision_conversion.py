"""Vision towers of tiny checkpoints as files, read back by a reader that shares nothing with the program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.conversion_vision import KINDS, checkpoint_name, convert_vision
from diffdesk.backends.gguf.reader import read_gguf
from diffdesk.backends.gguf.vision_layout import VisionArchitecture
from diffdesk.backends.gguf.vision_metadata import read_vision_architecture, vision_tensors
from diffdesk.core.errors import Cancelled, CheckpointError, UserError
from tests.unit.backends import tiny
from tests.unit.backends.ggml_vision import towers
from tests.unit.backends.gguf_conversion import folders
from tests.unit.backends.gguf_conversion.reader import File, read

STARTER = Path(__file__).parents[4] / "resources" / "starter"
TOWER = "model.encoder.vision_tower"


def silent(stage: str, share: float) -> None:
    """Progress that nobody looks at."""


def saved(folder: Path, name: str = "pooling-three") -> Path:
    return tiny.save(towers.BY_NAME[name], folder)


def converted(folder: Path, kind: str = "f32") -> File:
    out = folder.with_name(f"{folder.name}-{kind}.gguf")
    convert_vision(folder, out, kind, silent)
    return read(out)


def truth(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The values of the vision tower by the checkpoint's names."""
    return {
        name: one.float().numpy().reshape(one.shape or (1,))
        for name, one in folders.weights(folder).items()
        if "vision" in name
    }


@pytest.mark.parametrize("name", [one.name for one in towers.SHAPES])
def test_float32_keeps_every_value(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path / "model", name)
    expected, found = truth(folder), converted(folder).tensors
    assert {checkpoint_name(one) for one in found} == expected.keys()
    for one, tensor in found.items():
        wanted = expected[checkpoint_name(one)]
        if one == "v.patch_embd.weight":
            patch = towers.BY_NAME[name].patch
            wanted = wanted.reshape(-1, patch, patch, 3).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(tensor.values(), wanted, err_msg=one)


def test_only_matrices_change_their_format(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "narrow-heads")
    for kind, matrix, kernel in (("f16", 1, 1), ("bf16", 30, 0), ("q8_0", 8, 0), ("f32", 0, 0)):
        found = {name: one.kind for name, one in converted(folder, kind).tensors.items()}
        assert found.pop("v.position_embd.weight") == 0
        assert found.pop("v.patch_embd.weight") == kernel
        assert found["v.blk.1.attn_q.weight"] == found["mm.input_projection.weight"] == matrix
        assert found["v.blk.1.ffn_down.weight"] == (1 if kind == "q8_0" else matrix)  # 48 values are no whole blocks
        assert found["v.blk.1.ln1.weight"] == found["v.std_bias"] == found["v.blk.1.attn_q_norm.weight"] == 0
    assert set(KINDS) == {"f16", "bf16", "q8_0", "f32"}
    with pytest.raises(ValueError, match="q4_k_m"):
        convert_vision(folder, tmp_path / "a.gguf", "q4_k_m", silent)


def test_keys_are_those_of_llama_cpp_and_some_of_ours(tmp_path: Path) -> None:
    found = converted(saved(tmp_path / "model"), "f16")
    assert found.keys == {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.name": "model",
        "general.file_type": 1,
        "general.quantization_version": 2,
        "clip.has_vision_encoder": True,
        "clip.vision.projector_type": "gemma4v",
        "clip.use_gelu": True,
        "clip.vision.projection_dim": 64,
        "clip.vision.image_size": 224,
        "clip.vision.patch_size": 4,
        "clip.vision.embedding_length": 36,
        "clip.vision.feed_forward_length": 48,
        "clip.vision.block_count": 2,
        "clip.vision.attention.head_count": 3,
        "clip.vision.attention.head_count_kv": 3,
        "clip.vision.attention.head_dim": 12,
        "clip.vision.attention.layer_norm_epsilon": pytest.approx(1e-6),
        "clip.vision.image_mean": [0, 0, 0],
        "clip.vision.image_std": [1, 1, 1],
        "clip.vision.projector.scale_factor": 3,
        "diffdesk.vision.rope_base": 100,
        "diffdesk.vision.soft_tokens": 280,
        "diffdesk.vision.is_resized": True,
    }


def test_the_starters_tower_is_read_back_as_it_is(tmp_path: Path) -> None:
    convert_vision(STARTER, tmp_path / "a.gguf", "f16", silent)
    file = read_gguf(tmp_path / "a.gguf")
    of = read_vision_architecture(file.metadata, file.tensors)
    assert of == VisionArchitecture(
        layers=4,
        width=256,
        heads=4,
        kv_heads=4,
        head_dim=64,
        mlp_width=384,
        patch=16,
        pooling=2,
        places=80,
        text_width=320,
        epsilon=1e-6,
        rope_base=100.0,
        soft_tokens=70,
        is_resized=False,
    )
    assert vision_tensors(file, of).keys() == file.tensors.keys()


def test_bounds_without_an_end_are_left_out(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "grouped-and-bounded")
    tensors = folders.weights(folder)
    tensors[f"{TOWER}.encoder.layers.0.mlp.up_proj.input_max"] = torch.tensor(torch.inf)
    tensors[f"{TOWER}.encoder.layers.1.self_attn.o_proj.output_min"] = torch.tensor(-torch.inf)
    folders.replace(folder, tensors)
    found = converted(folder).tensors
    bounds = [name for name in found if name.endswith(("_min", "_max"))]
    assert len(bounds) == 2 * 7 * 4 - 2
    assert not {"v.blk.0.ffn_up.input_max", "v.blk.1.attn_out.output_min"} & found.keys()
    value = float(tensors[f"{TOWER}.encoder.layers.1.self_attn.o_proj.output_max"])
    assert float(found["v.blk.1.attn_out.output_max"].values()[0]) == pytest.approx(value)


def test_nvidias_layout_has_a_plain_vision_tower(tmp_path: Path) -> None:
    folder = folders.made(tmp_path / "model", "seeing", torch.bfloat16)
    plain = converted(folder).tensors
    folders.packed(folder)
    convert_vision(folder, tmp_path / "packed.gguf", "f32", silent)
    assert read(tmp_path / "packed.gguf").tensors == plain


# --- both files -----------------------------------------------------------------------------------


def stop_at(share: float) -> Callable[[str, float], None]:
    def told(stage: str, done: float) -> None:
        if done >= share:
            raise Cancelled

    return told


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.8, 1.0])
def test_both_files_go_on_where_they_were_cut_off(tmp_path: Path, share: float) -> None:
    folder = saved(tmp_path / "model", "narrow-heads")
    convert(folder, tmp_path / "whole.gguf", "q8_0", silent)
    convert_vision(folder, tmp_path / "whole-mmproj.gguf", "f16", silent)
    out, mmproj = tmp_path / "a.gguf", tmp_path / "a-mmproj.gguf"
    with pytest.raises(Cancelled):
        convert(folder, out, "q8_0", stop_at(share), mmproj=mmproj)
    assert not out.exists()
    assert not mmproj.exists()
    shares: list[float] = []
    stages: set[str] = set()

    def told(stage: str, done: float) -> None:
        stages.add(stage)
        shares.append(done)

    convert(folder, out, "q8_0", told, mmproj=mmproj)
    assert out.read_bytes() == (tmp_path / "whole.gguf").read_bytes()
    assert mmproj.read_bytes() == (tmp_path / "whole-mmproj.gguf").read_bytes()
    assert shares == sorted(shares)
    assert shares[-1] == 1
    if 0.05 < share < 1:
        assert shares[1] > share - 0.3
    if not share:
        assert {"Images", "Images, layer 3 of 3", "Layer 1 of 3", "Embedding"} <= stages
    assert not list(tmp_path.glob("*.part*"))


def test_places_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    out, mmproj = tmp_path / "a.gguf", tmp_path / "b.gguf"
    with pytest.raises(UserError, match="same name"):
        convert(folder, out, "q8_0", silent, mmproj=tmp_path / "." / "a.gguf")
    with pytest.raises(UserError, match=r"should end in \.gguf"):
        convert(folder, out, "q8_0", silent, mmproj=tmp_path / "b.bin")
    mmproj.write_bytes(b"precious")
    with pytest.raises(UserError, match="already"):
        convert(folder, out, "q8_0", silent, mmproj=mmproj)
    assert not list(tmp_path.glob("a.gguf*"))
    convert(folder, out, "q8_0", silent, mmproj=mmproj, is_forced=True)
    assert read(mmproj).tensors


# --- refusals -------------------------------------------------------------------------------------


def refused(folder: Path, words: str) -> None:
    out, mmproj = folder.parent / "a.gguf", folder.parent / "b.gguf"
    with pytest.raises(CheckpointError, match=words) as caught:
        convert(folder, out, "q8_0", silent, mmproj=mmproj)
    assert caught.value.remedy
    assert not list(folder.parent.glob("*.gguf*"))


def test_a_model_that_cant_see(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    folders.replace(folder, {name: one for name, one in folders.weights(folder).items() if "vision" not in name})
    refused(folder, "can't see images")
    convert(folder, tmp_path / "a.gguf", "q8_0", silent)


def test_a_folder_that_does_not_say_how_images_are_prepared(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    refused(folder, "preprocessor_config.json")


def test_another_preparation_of_images(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    tiny.edit_json(folder / "preprocessor_config.json", patch_size=8)
    refused(folder, "different sizes of patches")
    tiny.edit_json(folder / "preprocessor_config.json", patch_size=4, do_normalize=True, image_mean=[0.5] * 3)
    refused(folder, "another preparation")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_activation": "silu"}, "hidden_activation"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "turned"),
        ({"num_key_value_heads": 2}, "can't be"),
        ({"head_dim": 10}, "can't be"),
        ({"hidden_size": 40}, "should be"),
        ({"num_hidden_layers": 3}, "There is no .*layers.2"),
        ({"num_hidden_layers": 1}, "no place .*layers.1"),
        ({"standardize": False}, "no place .*std_bias"),
        ({"use_clipped_linears": True}, "There is no .*input_min"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps"),
        ({"position_embedding_size": 0}, "position_embedding_size"),
        ({"position_embedding_size": 599}, "should be"),
    ],
)
def test_configurations_without_a_place_in_the_layout(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    folder = saved(tmp_path / "model")
    path = folder / "config.json"
    data = json.loads(path.read_text())
    data["vision_config"] |= changes
    path.write_text(json.dumps(data))
    refused(folder, words)


def test_parts_that_the_file_has_no_place_for(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    tensors = folders.weights(folder)
    tensors[f"{TOWER}.encoder.layers.0.self_attn.q_proj.linear.bias"] = torch.zeros(36)
    folders.replace(folder, tensors)
    refused(folder, "q_proj.linear.bias")


def test_bounds_that_are_no_numbers(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "grouped-and-bounded")
    tensors = folders.weights(folder)
    tensors[f"{TOWER}.encoder.layers.0.mlp.up_proj.input_max"] = torch.tensor(torch.nan)
    folders.replace(folder, tensors)
    refused(folder, "bound of a matrix")
    tensors[f"{TOWER}.encoder.layers.0.mlp.up_proj.input_max"] = torch.ones(2)
    folders.replace(folder, tensors)
    refused(folder, "should be")


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    tensors = folders.weights(folder)
    tensors[f"{TOWER}.encoder.layers.1.mlp.up_proj.linear.weight"][3, 5] = torch.inf
    folders.replace(folder, tensors)
    with pytest.raises(CheckpointError, match=r"v\.blk\.1\.ffn_up\.weight holds values that are no numbers"):
        convert_vision(folder, tmp_path / "a.gguf", "f16", silent)
    assert not (tmp_path / "a.gguf").exists()
