"""A file with exactly the keys, names, types and shapes of the published Q4_K_M is opened; it is one large hole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.backends.gguf.model_file import inspect_gguf
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.denoiser import Prompt
from diffdesk.core.requests import ModelSpec
from tests.bench import synthetic
from tests.unit.backends.gguf_conversion.reader import dequantised
from tests.unit.backends.gguf_reading import files

ROOT = Path(__file__).parents[4]
MOST_BYTES = 300_000_000  # resident, while the file is open


def test_opening_the_published_file_takes_little_memory(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = tmp_path / "diffusiongemma-26B-A4B-it-Q4_K_M.gguf"
    try:
        synthetic.write_sparse(path)
    except OSError:
        pytest.skip("this disk can't hold files with large holes")
    command = [sys.executable, "-m", "tests.unit.backends.gguf_reading.watch", "open", str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    figures = json.loads(run.stdout)
    for name, value in figures.items():
        record_property(name, value)
    print(json.dumps(figures))
    assert figures["tensors"] == 692
    assert figures["keys"] == 44
    assert figures["size"] == path.stat().st_size == pytest.approx(synthetic.PUBLISHED_BYTES, abs=50e6)
    assert figures["bytes_opened"] < MOST_BYTES
    assert figures["bytes_with_the_tokenizer"] < MOST_BYTES
    assert figures["comes_back"]
    assert figures["encoded_tokens"] < 0.8 * figures["encoded_characters"]


def test_the_stand_in_vocabulary_is_of_the_published_size_and_closed() -> None:
    words = synthetic.vocabulary()
    known = set(words.tokens)
    assert (len(known), len(words.tokens), len(set(words.merges))) == (262_144, 262_144, 514_906)
    for merge in words.merges:
        left, right = merge.split(" ")
        assert {left, right, left + right} <= known
    assert Counter(words.kinds) == {1: 261_864, 6: 256, 3: 17, 4: 7}
    assert [words.tokens[index] for index in (1, 50, 106, 107, 238, 258_880)] == [
        *("<eos>", "<|tool_response>", "<turn|>", "\n", "<0x00>", "<|image|>"),
    ]


@pytest.mark.parametrize("kind", [FileKind.Q8_0, FileKind.F32, FileKind.F16, FileKind.BF16])
def test_random_files_hold_values_of_sane_size(tmp_path: Path, kind: FileKind) -> None:
    path = files.small(tmp_path / "a.gguf", kind=kind)
    raw = path.read_bytes()
    for name, one in inspect_gguf(path).tensors.items():
        values = dequantised(one.kind, raw[one.offset : one.offset + one.bytes])
        if len(one.shape) > 1:
            assert values.std() == pytest.approx(0.02, rel=0.2), name
        elif name == "rope_freqs.weight":
            np.testing.assert_array_equal(values, np.array([1.0] * 4 + [1e30] * 12, np.float32))
        else:
            assert 0.7 <= values.min() <= values.max() <= 1.3


def test_the_layout_cut_to_two_layers_mixes_the_same_formats(tmp_path: Path) -> None:
    narrow = synthetic.cut(
        2, hidden=256, heads=4, kv_heads=(2, 1), head_dim=128, head_dim_sliding=64, dense_width=96, experts=4,
        experts_used=2, expert_width=32, vocab_size=600,
    )  # fmt: skip
    synthetic.write_random(tmp_path / "a.gguf", narrow, FileKind.Q4_K_M)
    found = inspect_gguf(tmp_path / "a.gguf")
    assert found.architecture == narrow
    assert found.architecture.is_sliding == (True, False)
    kinds = {one.kind for one in found.tensors.values()}
    assert kinds == {TensorType.F32, TensorType.Q4_K, TensorType.Q5_0, TensorType.Q6_K, TensorType.Q8_0}


@pytest.mark.slow
def test_the_published_layout_cut_to_two_layers_runs(tmp_path: Path) -> None:
    """At its full width: 128 experts, heads of 512, and all 262,144 tokens."""
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    from diffdesk.backends.ggml.loading import load

    if shutil.disk_usage(tmp_path).free < 4e9 or psutil.virtual_memory().available < 5e9:
        pytest.skip("it takes 1.7 GB of the disk and more of the memory")
    path = tmp_path / "two-layers.gguf"
    synthetic.write_random(path, synthetic.cut(2))
    denoiser = load(ModelSpec(path=path, device="cpu"), lambda stage, share: None)
    try:
        ids = np.random.default_rng(0).integers(600, 250_000, 48, dtype=np.int32)
        assert denoiser.prefill(Prompt(ids[:32]), lambda done, total: None) == 0
        denoiser.start_canvas(ids[32:])
        for _ in range(2):
            found = denoiser.step(ids[32:], 0.8, np.full(16, 0.5))
            assert np.isfinite(found.entropy).all()
            assert ((found.probability > 0) & (found.probability <= 1)).all()
            assert ((found.argmax >= 0) & (found.argmax < 262_144)).all()
        assert denoiser.capabilities.parameters > 2e9
    finally:
        denoiser.close()
        path.unlink()
