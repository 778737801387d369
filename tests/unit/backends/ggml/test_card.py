"""On a graphics card the same file says the same as on the processor, wherever its parts lie.

Needs llama-cpp-python built for a card; skipped elsewhere. Random models are chaotic: the last bits of a product grow
tenfold in each layer where attention is sharp, and a rounding may choose another expert. So the random model here is in
float32, uses all its experts, has flat attention, and the card's products run in full precision.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.backends.ggml.denoiser import GgufDenoiser
from diffdesk.backends.ggml.devices import CARD, HOST, find_cards
from diffdesk.backends.ggml.loading import CARD_VARIABLE
from diffdesk.backends.ggml.placement import Machine, Placement, place
from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.backends.gguf.model_file import inspect_gguf
from diffdesk.backends.gguf.types import TensorType
from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Prompt
from diffdesk.core.requests import ModelSpec
from diffdesk.paths import starter_dir
from diffdesk.tasks.aligned import AlignedAlphabet, text_window
from tests.bench.synthetic import cut, vocabulary, write_random

os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")  # read when the card's products are first computed
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not find_cards(), reason="llama-cpp-python finds no graphics card, or was built without one"),
]
STARTER = starter_dir() / "starter-q8_0.gguf"
CLOSE = 0.02  # of the largest logit
LAYERS = 6


def opened(file: Path, device: str) -> GgufDenoiser:
    denoiser = load(ModelSpec(file, device=device, context=1024), lambda _stage, _share: None)
    assert isinstance(denoiser, GgufDenoiser)
    return denoiser


def logits_of(denoiser: GgufDenoiser, prompt: NDArray[np.int32], canvas: NDArray[np.int32]) -> NDArray[np.float32]:
    denoiser.prefill(Prompt(prompt), lambda _done, _total: None)
    denoiser.start_canvas(canvas)
    denoiser.step(canvas, 0.7, np.full(len(canvas), 0.5))
    return denoiser.all_logits(canvas)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published layout, narrow and short."""
    file = tmp_path_factory.mktemp("narrow") / "narrow.gguf"
    words = vocabulary(20_480)
    small = {"hidden": 512, "heads": 4, "dense_width": 512, "experts": 4, "experts_used": 4, "expert_width": 256}
    heads = {"kv_heads": (2, 2, 2, 2, 2, 1), "head_dim": 128, "head_dim_sliding": 64}
    made = cut(LAYERS, vocab_size=20_480, window=64, **small, **heads)
    write_random(file, made, FileKind.F32, words=words)
    _calm(file)
    return file


def _calm(file: Path) -> None:
    """Make attention flat: the norms of queries and keys are divided by the fourth root of a head's length."""
    found = inspect_gguf(file)
    with file.open("r+b") as opened_file:
        for name, one in found.tensors.items():
            if "attn_q_norm" in name or "attn_k_norm" in name:
                opened_file.seek(one.offset)
                values = np.frombuffer(opened_file.read(one.bytes), np.float32) * one.shape[0] ** -0.25
                opened_file.seek(one.offset)
                opened_file.write(values.astype(np.float32).tobytes())


@pytest.fixture
def on_cpu(narrow: Path) -> Iterator[GgufDenoiser]:
    denoiser = opened(narrow, "cpu")
    yield denoiser
    denoiser.close()


def budget_for(file: Path, is_wanted: Callable[[Placement], bool]) -> float:
    """The least memory of a card, in GiB, with which the parts lie as wanted."""
    facts, card = inspect_gguf(file), find_cards()[0]
    sizes = {name: one.bytes for name, one in facts.tensors.items()}
    for megabytes in range(300, 1200):
        machine = Machine(64 << 30, 1, replace(card, free=megabytes << 20))
        if is_wanted(place(facts.architecture, sizes, machine, context=1024, cache=TensorType.F32)):
            return megabytes / 1024
    raise AssertionError("no memory is right")


WHERE: dict[str, Callable[[Placement], bool]] = {
    "everything": lambda one: HOST not in (*one.layers, *one.experts),
    "no experts": lambda one: HOST not in one.layers and CARD not in one.experts,
    "some experts": lambda one: HOST not in one.layers and 2 <= one.experts.count(CARD) < LAYERS,
    "some layers": lambda one: CARD in one.layers and HOST in one.layers,
}


@pytest.mark.parametrize("where", WHERE)
def test_logits_are_those_of_the_processor(
    narrow: Path, on_cpu: GgufDenoiser, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CARD_VARIABLE, str(budget_for(narrow, WHERE[where])))
    on_card = opened(narrow, "gpu")
    rng = np.random.default_rng(3)
    prompt = rng.integers(600, 20_000, 200, dtype=np.int32)
    canvas = rng.integers(600, 20_000, 256, dtype=np.int32)
    theirs, ours = logits_of(on_cpu, prompt, canvas), logits_of(on_card, prompt, canvas)
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"{where}: {on_card.capabilities.device}, {on_card.splits} parts, off by {error:.2g}")
    assert error < CLOSE
    assert (ours.argmax(-1) == theirs.argmax(-1)).mean() > 0.98
    on_card.close()


def test_the_starter_corrects_on_a_card() -> None:
    denoiser = opened(STARTER, "gpu")
    assert not denoiser.capabilities.device.startswith("CPU")
    window = text_window("Tbe old man sat by the fire and told the chi1dren a story about the sea.", 128)
    alphabet = AlignedAlphabet(denoiser)
    slots = alphabet.encode(window)
    denoiser.prefill(alphabet.prompt(window, slots), lambda _done, _total: None)
    denoiser.start_canvas(slots)
    canvas = slots
    for _ in range(4):
        canvas = denoiser.step(canvas, 0.5, np.full(128, 0.5)).argmax
    assert "told the children a story about the sea" in denoiser.tokenizer.decode(canvas.tolist())
    denoiser.close()
