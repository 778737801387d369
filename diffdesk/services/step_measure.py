"""Compares the GGUF backend's step with its own matrix products and with the Transformers backend, on the CPU.

Steps are timed in turns, so that what else the machine does weighs on both alike; ratios are of medians. Knows nothing
of how figures are shown.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import psutil
from numpy.typing import NDArray

from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.registry import GGUF, TRANSFORMERS, load
from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.errors import SettingError
from diffdesk.core.requests import ModelSpec

PROMPT = 150  # tokens before the canvas, where the context has room for more than four times as many
ROUNDS = 15
_SEED = 1


class Timed(Protocol):
    """A piece of work that can be repeated."""

    def fill(self) -> None:
        """Get ready; not timed."""

    def run(self) -> None:
        """Do it."""

    def close(self) -> None:
        """Free it."""


@runtime_checkable
class Comparable(Protocol):
    """A denoiser that tells its logits."""

    def all_logits(self, canvas: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[L, V]."""


@runtime_checkable
class Divisible(Protocol):
    """A denoiser that gives out its products."""

    def step_products(self, canvas: NDArray[np.int32]) -> Mapping[str, Timed]:
        """The products of a step, by what they are for."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a step is made of.

    Attributes:
        step_ms: of the whole step.
        product_ms: of its products, by what they are for.
        ratio_to_products: the step's time over that of all its products.
    """

    step_ms: float
    product_ms: Mapping[str, float]
    ratio_to_products: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The GGUF backend beside the Transformers backend in float32.

    Attributes:
        max_relative_logit_difference: of a float32 file made from the same folder, in parts of the largest logit.
        argmax_agreement: share of positions at which both find the same token.
        step_ms, torch_ms: medians.
        ratio_to_torch: of a step of the measured file.
        resident_bytes: of the process with the file loaded and used, before torch comes in.
        torch_resident_bytes: what loading and using the folder by torch adds to a bare process.
    """

    max_relative_logit_difference: float
    argmax_agreement: float
    step_ms: float
    torch_ms: float
    ratio_to_torch: float
    resident_bytes: int
    torch_resident_bytes: int


def measure_parts(spec: ModelSpec, tell: Callable[[str], None]) -> Parts:
    """Time a file's step and its products in turns. Raises what loading raises."""
    tell("Loading the model")
    denoiser = load(spec, lambda _stage, _share: None)
    try:
        canvas = _begun(denoiser)
        if not isinstance(denoiser, Divisible):
            raise SettingError("This model has no parts to measure", "Only GGUF files are taken apart.", "Name one.")
        products = denoiser.step_products(canvas)
        tell("Measuring")
        try:
            return _parts(denoiser, canvas, products)
        finally:
            for one in products.values():
                one.close()
    finally:
        denoiser.close()


def _parts(denoiser: Denoiser, canvas: NDArray[np.int32], products: Mapping[str, Timed]) -> Parts:
    steps: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in products}
    for _ in range(_rounds(denoiser, canvas)):
        steps.append(_step_ms(denoiser, canvas))
        for name, one in products.items():
            one.fill()
            times[name].append(_ms(one.run))
    # Ratios are formed within each round: both sides then met the same neighbours.
    ratios = [step / sum(those) for step, *those in zip(steps, *times.values(), strict=True)]
    found = {name: statistics.median(those) for name, those in times.items()}
    return Parts(statistics.median(steps), found, statistics.median(ratios))


def compare_with_torch(spec: ModelSpec, folder: Path, tell: Callable[[str], None]) -> Comparison:
    """Compare the file of `spec` with the checkpoint in `folder` that it was made of. Raises what loading raises."""
    process = psutil.Process()
    bare = process.memory_info().rss
    tell("Loading the file")
    file = load(spec, lambda _stage, _share: None)
    canvas = _begun(file)
    for _ in range(3):
        _step_ms(file, canvas)
    resident = process.memory_info().rss
    tell("Making a float32 file of the folder")
    with tempfile.TemporaryDirectory(prefix="diffdesk-bench-") as made:
        exact_file = Path(made) / "exact.gguf"
        convert(folder, exact_file, "f32", lambda _stage, _share: None)
        exact = load(ModelSpec(exact_file, GGUF, device="cpu"), lambda _stage, _share: None)
        tell("Loading the folder")
        before = process.memory_info().rss
        theirs = load(ModelSpec(folder, TRANSFORMERS, "cpu", "float32"), lambda _stage, _share: None)
        try:
            tell("Measuring")
            _begun(exact), _begun(theirs)
            difference, agreement = _difference(exact, theirs, canvas)
            mine, others = _in_turns(file, theirs, canvas)
            added = process.memory_info().rss - before
        finally:
            theirs.close()
            exact.close()
            file.close()
    return Comparison(difference, agreement, mine, others, mine / others, resident, bare + added)


def _difference(exact: Denoiser, theirs: Denoiser, canvas: NDArray[np.int32]) -> tuple[float, float]:
    """Of two steps' logits: the largest relative difference, and the share of positions with the same argmax."""
    if not isinstance(exact, Comparable) or not isinstance(theirs, Comparable):
        raise TypeError("these backends don't tell their logits")
    differences, agreements = [], []
    for _ in range(2):  # the second step is conditioned on the first
        ours, expected = exact.all_logits(canvas), theirs.all_logits(canvas)
        theirs.step(canvas, 1.0, np.full(len(canvas), 0.5))
        differences.append(float(np.abs(ours - expected).max() / np.abs(expected).max()))
        agreements.append(float((ours.argmax(-1) == expected.argmax(-1)).mean()))
    return max(differences), min(agreements)


def _in_turns(one: Denoiser, other: Denoiser, canvas: NDArray[np.int32]) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for denoiser, found in zip((one, other), times, strict=True):
            found.append(_step_ms(denoiser, canvas))
    return statistics.median(times[0]), statistics.median(times[1])


def _begun(denoiser: Denoiser) -> NDArray[np.int32]:
    """A random canvas after a random prompt, one step done; the same for every backend."""
    vocabulary, length = denoiser.tokenizer.vocab_size, denoiser.capabilities.canvas_length
    random = np.random.default_rng(_SEED)
    first = min(300, vocabulary // 2)  # control tokens come first
    prompt = random.integers(first, vocabulary, PROMPT, dtype=np.int32)
    canvas = random.integers(first, vocabulary, length, dtype=np.int32)
    denoiser.prefill(Prompt(prompt), lambda _done, _total: None)
    denoiser.start_canvas(canvas)
    return canvas


def _rounds(denoiser: Denoiser, canvas: NDArray[np.int32]) -> int:
    """Few for slow models; the first step, which plans the work, is not counted."""
    _step_ms(denoiser, canvas)
    return 5 if _step_ms(denoiser, canvas) > 1000 else ROUNDS


def _step_ms(denoiser: Denoiser, canvas: NDArray[np.int32]) -> float:
    uniforms = np.full(len(canvas), 0.5)
    return _ms(lambda: denoiser.step(canvas, 0.7, uniforms))


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)
