"""The same parity on an NVIDIA GPU, in float32 and in bfloat16. Skipped where there is none.

By itself: python -m pytest tests/unit/backends/test_cuda.py -m gpu
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diffdesk.backends.registry import load
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import EngineError
from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.parity import (
    assert_same,
    image_inputs,
    relative_error,
    run_diffdesk,
    run_transformers,
    to_tensor,
)
from tests.unit.backends.tiny import (
    BY_NAME,
    CLOSE_IMAGE,
    IMAGE,
    OPEN_IMAGE,
    SHAPES,
    Shape,
    picture,
    random_ids,
    save,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU; this machine has none that works"),
]
TEXT_SHAPES = [one for one in SHAPES if not one.sees]


def loaded(folder: Path, precision: str, device: str = "cuda:0") -> TransformersDenoiser:
    denoiser = load(ModelSpec(folder, device=device, precision=precision), lambda _stage, _share: None)
    assert isinstance(denoiser, TransformersDenoiser)
    return denoiser


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@pytest.mark.parametrize("shape", TEXT_SHAPES, ids=lambda one: one.name)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_canvases_as_generate(tmp_path: Path, shape: Shape, precision: str) -> None:
    denoiser = loaded(save(shape, tmp_path), precision)
    ids = random_ids(41, 1)
    denoiser.prefill(Prompt(random_ids(30, 99)), ignore)
    ours = run_diffdesk(denoiser, Prompt(ids), canvases=3, seed=1)
    theirs = run_transformers(denoiser.model, ids, canvases=3, seed=1)
    assert_same(ours, theirs, denoiser.defaults.end_ids)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_canvases_with_an_image(tmp_path: Path, precision: str) -> None:
    denoiser = loaded(save(BY_NAME["seeing-narrow-window"], tmp_path / "model"), precision)
    image = ImageRef(picture(tmp_path / "one.png", 64, 64, 2), is_frame=True)
    run = [OPEN_IMAGE, *[IMAGE] * denoiser.image_tokens(image), CLOSE_IMAGE]
    prompt = Prompt(np.concatenate([random_ids(5, 1), np.array(run, np.int32), random_ids(6, 2)]), (image,))
    ours = run_diffdesk(denoiser, prompt, canvases=2, seed=5)
    theirs = run_transformers(denoiser.model, prompt.ids, canvases=2, seed=5, **image_inputs(denoiser, prompt))
    assert_same(ours, theirs, denoiser.defaults.end_ids)


@pytest.mark.parametrize("shape", TEXT_SHAPES, ids=lambda one: one.name)
@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-5), ("bfloat16", 0.03)])
def test_logits_are_those_of_a_plain_forward(tmp_path: Path, shape: Shape, precision: str, most: float) -> None:
    """In pieces of 7 tokens and after another prompt; bfloat16 keeps 8 bits, which is what its bound allows for."""
    denoiser = loaded(save(shape, tmp_path), precision)
    denoiser.chunk = 7
    prompt, canvas = random_ids(37, 4), random_ids(shape.canvas, 5)
    denoiser.prefill(Prompt(random_ids(30, 99)), ignore)
    denoiser.prefill(Prompt(prompt), ignore)
    denoiser.start_canvas(canvas)
    with torch.inference_mode():
        expected = denoiser.model(
            input_ids=to_tensor(prompt, "cuda:0"), decoder_input_ids=to_tensor(canvas, "cuda:0")
        ).logits
        assert relative_error(denoiser.logits(to_tensor(canvas, "cuda:0")[0]), expected) < most


def test_the_cpu_computes_the_same(tmp_path: Path) -> None:
    folder = save(BY_NAME["narrow-window"], tmp_path)
    runs = [
        run_diffdesk(loaded(folder, "float32", device), Prompt(random_ids(41, 1)), canvases=3, seed=4)
        for device in ("cuda:0", "cpu")
    ]
    for mine, other in zip(runs[0].argmax, runs[1].argmax, strict=True):
        assert np.array_equal(mine, other)


def test_a_full_card_is_an_error_with_a_remedy_and_leaves_a_usable_model(tmp_path: Path) -> None:
    denoiser = loaded(save(BY_NAME["plain"], tmp_path), "float32")
    denoiser.chunk = 2000
    ids, canvas = random_ids(41, 1), random_ids(16, 2)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)  # less than is in use: no new block can be had
    try:
        with pytest.raises(EngineError, match="Not enough memory") as caught:
            denoiser.prefill(Prompt(random_ids(2000, 1)), ignore)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "graphics card" in caught.value.text
    assert caught.value.remedy
    denoiser.prefill(Prompt(ids), ignore)
    denoiser.start_canvas(canvas)
    assert np.isfinite(denoiser.step(canvas, 0.8, np.full(16, 0.5)).entropy).all()


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_layers_spread_over_two_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too little room reported for one card, the same numbers come from two."""
    from diffdesk.backends.transformers_backend import placement

    folder = save(BY_NAME["narrow-window"], tmp_path)
    expected = run_diffdesk(loaded(folder, "float32"), Prompt(random_ids(41, 1)), canvases=3, seed=4)
    monkeypatch.setattr(placement, "work_bytes", lambda _facts: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _index: (700_000, 700_000))
    denoiser = loaded(folder, "float32", "cuda")
    assert denoiser.capabilities.device.startswith("2 × ")
    found = run_diffdesk(denoiser, Prompt(random_ids(41, 1)), canvases=3, seed=4)
    for mine, other in zip(found.argmax, expected.argmax, strict=True):
        assert np.array_equal(mine, other)
