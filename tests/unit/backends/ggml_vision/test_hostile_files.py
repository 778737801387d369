"""Files for images that are of another kind, damaged, or made to do harm: a reason each time, and never a crash."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.vision import open_vision
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.conversion_vision import convert_vision
from diffdesk.backends.gguf.quantise import quantise
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.gguf.writer import GgufWriter, Scalar, TensorPlan, Value, ValueType
from diffdesk.backends.image_patches import ImageReader
from diffdesk.core.errors import CheckpointError, EngineError, ImageError, UserError
from diffdesk.core.messages import ImageRef
from tests.unit.backends import tiny
from tests.unit.backends.ggml_vision import towers
from tests.unit.backends.gguf_conversion.reader import File, Tensor, read

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")

MUTANTS = 300
ODD = (0, 1, 1 << 31, (1 << 63) - 1, (1 << 64) - 1)


def silent(stage: str, share: float) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(towers.BY_NAME["grouped-and-bounded"], tmp_path_factory.mktemp("towers") / "model")


@pytest.fixture(scope="module")
def good(folder: Path) -> Path:
    path = folder.with_name("good.gguf")
    convert_vision(folder, path, "f32", silent)
    return path


def refused(path: Path, words: str, hidden: int = towers.HIDDEN) -> None:
    with pytest.raises(CheckpointError, match=words) as caught:
        open_vision(Device(1), path, hidden)
    assert caught.value.remedy
    assert len(caught.value.text) < 400


@dataclass
class Changed:
    """A copy of a file that says or holds something else."""

    file: File

    def write(self, path: Path) -> Path:
        metadata = {key: self._value(key, value) for key, value in self.file.keys.items()}
        plans = [TensorPlan(name, TensorType(one.kind), one.shape) for name, one in self.file.tensors.items()]
        with GgufWriter(path, metadata, plans) as writer:
            for one in self.file.tensors.values():
                writer.write_next([one.data])
            writer.finish()
        return path

    def _value(self, key: str, value: Scalar | Sequence[Scalar]) -> Value:
        return Value(ValueType(self.file.types[key]), value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("general.architecture", "llama", "nothing that sees"),
        ("general.architecture", "\x1b[2J" * 50, "nothing that sees"),
        ("clip.has_vision_encoder", False, "nothing that sees"),
        ("clip.vision.projector_type", "gemma3", "of the kind gemma3"),
        ("clip.vision.projection_dim", 0, "projection_dim"),
        ("clip.vision.projection_dim", 128, "another model"),
        ("clip.vision.block_count", 0, "block_count"),
        ("clip.vision.block_count", 1, "not known here: v.blk.1"),
        ("clip.vision.block_count", 3, "has no v.blk.2"),
        ("clip.vision.block_count", 1 << 31, "block_count"),
        ("clip.vision.attention.head_count", 3, "can't be"),
        ("clip.vision.attention.head_count_kv", 8, "head_count_kv"),
        ("clip.vision.attention.head_dim", 6, "can't be"),
        ("clip.vision.attention.head_dim", 1 << 30, "head_dim"),
        ("clip.vision.embedding_length", 64, "instead of"),
        ("clip.vision.feed_forward_length", 1 << 31, "feed_forward_length"),
        ("clip.vision.patch_size", 16, "instead of"),
        ("clip.vision.projector.scale_factor", 0, "scale_factor"),
        ("clip.vision.projector.scale_factor", 1000, "scale_factor"),
        ("clip.vision.projector.scale_factor", 16, "soft_tokens"),
        ("clip.vision.attention.layer_norm_epsilon", float("nan"), "layer_norm_epsilon"),
        ("clip.vision.attention.layer_norm_epsilon", -1.0, "layer_norm_epsilon"),
        ("clip.vision.image_mean", [0.5, 0.5, 0.5], "image_mean"),
        ("diffdesk.vision.rope_base", 0.0, "rope_base"),
        ("diffdesk.vision.soft_tokens", 1 << 31, "soft_tokens"),
    ],
)
def test_keys_that_make_no_sense(good: Path, tmp_path: Path, key: str, value: object, words: str) -> None:
    file = read(good)
    assert isinstance(value, bool | int | float | str | list)
    file.keys[key] = value
    refused(Changed(file).write(tmp_path / "a.gguf"), words)


@pytest.mark.parametrize(
    "key", ["clip.vision.projection_dim", "clip.vision.attention.layer_norm_epsilon", "clip.vision.patch_size"]
)
def test_keys_that_are_missing(good: Path, tmp_path: Path, key: str) -> None:
    file = read(good)
    del file.keys[key]
    refused(Changed(file).write(tmp_path / "a.gguf"), f"{key} is missing")


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("v.position_embd.weight", None, "has no v.position_embd.weight"),
        ("mm.input_projection.weight", None, "has no mm.input_projection"),
        ("v.blk.0.attn_q.bias", Tensor(0, (32,), bytes(128)), "not known here: v.blk.0.attn_q.bias"),
        ("v.blk.0.out_scale.weight", Tensor(0, (1,), bytes(4)), "not known here"),
        ("v.std_bias", Tensor(0, (32,), bytes(128)), "has no v.std_scale"),
        ("v.position_embd.weight", Tensor(0, (32, 2), bytes(256)), "instead of"),
        ("v.blk.0.ln1.weight", Tensor(8, (32,), bytes(34)), "too coarsely"),
        ("v.blk.1.attn_k.input_min", Tensor(0, (1,), struct.pack("<f", float("nan"))), "bounds of v.blk.1.attn_k"),
        ("v.blk.1.attn_k.input_min", Tensor(0, (1,), struct.pack("<f", 9.0)), "bounds of v.blk.1.attn_k"),
    ],
)
def test_tensors_that_make_no_sense(good: Path, tmp_path: Path, name: str, tensor: Tensor | None, words: str) -> None:
    file = read(good)
    file.tensors.pop(name, None)
    if tensor is not None:
        file.tensors[name] = tensor
    refused(Changed(file).write(tmp_path / "a.gguf"), words)


def test_files_of_other_programs_are_read(good: Path, tmp_path: Path) -> None:
    """With neither our own keys nor those that have a usual value, and with a part that hears."""
    file = read(good)
    for key in [key for key in file.keys if key.startswith("diffdesk.") or key.endswith(("head_dim", "use_gelu"))]:
        del file.keys[key]
    file.tensors["a.blk.0.ffn_up.weight"] = Tensor(0, (4,), bytes(16))
    file.tensors["mm.a.input_projection.weight"] = Tensor(0, (4,), bytes(16))
    tower = open_vision(Device(1), Changed(file).write(tmp_path / "a.gguf"), towers.HIDDEN)
    assert replace(tower.of, rope_base=50.0) == open_vision(Device(1), good, towers.HIDDEN).of
    assert tower.of.rope_base == 100


def test_a_text_model(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "text.gguf", "q8_0", silent)
    refused(tmp_path / "text.gguf", "diffusion-gemma")


@pytest.mark.parametrize("contents", [b"", b"GGUF", b"<html>", b"\0" * 4096])
def test_files_that_are_none(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "a.gguf").write_bytes(contents)
    refused(tmp_path / "a.gguf", "a.gguf")
    refused(tmp_path / "none.gguf", "none.gguf")


def test_numbers_that_overflow_are_told(good: Path, tmp_path: Path) -> None:
    file = read(good)
    weights = file.tensors["mm.input_projection.weight"]
    huge = np.full(weights.shape[::-1], 3e38, np.float32)
    file.tensors["mm.input_projection.weight"] = Tensor(0, weights.shape, quantise(TensorType.F32, huge))
    tower = open_vision(Device(1), Changed(file).write(tmp_path / "a.gguf"), towers.HIDDEN)
    image = ImageReader(tower.images).prepare(ImageRef(tiny.picture(tmp_path / "a.png", 40, 40, 1), is_frame=True))
    with pytest.raises(EngineError, match="overflowed"):
        tower.encode(image.patches, image.positions)


def test_mutated_files(good: Path, tmp_path: Path) -> None:
    """Bits that flip and numbers that are replaced, most of all in the header; then files that end too early."""
    raw = np.frombuffer(good.read_bytes(), np.uint8)
    header = raw.tobytes().index(b"v.patch_embd.weight") + 2048
    image = ImageRef(tiny.picture(tmp_path / "a.png", 40, 40, 1), is_frame=True)
    rng = np.random.default_rng(0)
    device, opened = Device(1), 0
    said: list[UserError] = []
    for _ in range(MUTANTS):
        mutant = raw.copy()
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(0, header if rng.random() < 0.9 else len(raw) - 8))
            if rng.random() < 0.6:
                mutant[place] ^= 1 << int(rng.integers(8))
            else:
                odd = struct.pack("<Q", ODD[int(rng.integers(len(ODD)))])
                mutant[place : place + 8] = np.frombuffer(odd, np.uint8)
        if rng.random() < 0.2:
            mutant = mutant[: int(rng.integers(1, len(mutant)))]
        path = tmp_path / "mutant.gguf"
        path.write_bytes(mutant.tobytes())
        try:
            tower = open_vision(device, path, towers.HIDDEN)
        except CheckpointError as error:
            said.append(error)
            continue
        opened += 1
        try:
            prepared = ImageReader(tower.images).prepare(image)
            tower.encode(prepared.patches, prepared.positions)
        except (EngineError, ImageError) as error:
            said.append(error)
        tower.close()
    assert all(one.title and one.text for one in said)
    assert all(one.remedy for one in said if isinstance(one, CheckpointError))
    assert MUTANTS // 50 < opened < MUTANTS // 2
