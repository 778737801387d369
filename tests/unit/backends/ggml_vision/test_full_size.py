"""Two layers of the full model's vision tower, with random weights: its sizes and all that only it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.backends.gguf.conversion_vision import vision_format_of
from diffdesk.backends.gguf.vision_layout import VisionArchitecture
from diffdesk.backends.image_patches import ImageReader, PatchSettings
from diffdesk.core.messages import ImageRef
from tests.unit.backends import tiny
from tests.unit.backends.ggml_vision import towers

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")

FULL = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 2,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "head_dim": 72,
    "pooling_kernel_size": 3,
    "position_embedding_size": 10_240,
    "standardize": True,
    "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"},
}


def test_two_layers_give_the_same_soft_tokens(tmp_path: Path) -> None:
    folder = tiny.save(tiny.Shape("full", sees=True, patch=16, vision=FULL), tmp_path / "full")
    tower = towers.opened(folder, "f32")
    assert tower.images == PatchSettings()
    image = ImageRef(tiny.picture(tmp_path / "a.png", 640, 480, 1), is_frame=True)
    ours = ImageReader(tower.images).prepare(image)
    assert ours.patches.shape == (567, 768)
    found = tower.encode(ours.patches, ours.positions)
    expected = towers.features(towers.loaded(folder), towers.prepared(folder, image))
    assert found.shape == (63, towers.HIDDEN)
    assert towers.relative_error(found, expected) < 1e-5
    tower.close()


def test_the_layout_of_the_whole_tower() -> None:
    of = VisionArchitecture(27, 1152, 16, 16, 72, 4304, 16, 3, 10_240, 2816, 1e-6, is_standardised=True)
    shapes = of.tensors()
    assert len(shapes) == 5 + 27 * 13
    assert shapes["v.patch_embd.weight"] == (16, 16, 3, 1152)
    assert shapes["v.position_embd.weight"] == (1152, 10_240, 2)
    assert shapes["mm.input_projection.weight"] == (1152, 2816)
    bytes_of = {
        kind: sum(vision_format_of(name, shape, kind).bytes_of(shape) for name, shape in shapes.items())
        for kind in (FileKind.F32, FileKind.F16, FileKind.Q8_0)
    }
    assert bytes_of[FileKind.F16] == pytest.approx(1.19e9, rel=0.01)
    assert bytes_of[FileKind.F32] == pytest.approx(2.28e9, rel=0.01)
    assert bytes_of[FileKind.Q8_0] < 0.85e9
