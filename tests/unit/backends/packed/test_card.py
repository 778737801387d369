"""The packed backend on an NVIDIA GPU: its kernels, recorded steps, and everything that has to work with them.

By itself: python -m pytest tests/unit/backends/packed/test_card.py -m gpu
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

pytest.importorskip("triton", reason="the kernels need Triton")

from diffdesk.backends.packed import experts_kernel
from diffdesk.backends.packed.denoiser import PackedDenoiser
from diffdesk.backends.packed.experts import (
    ExpertKernels,
    NativeExperts,
    PlainExperts,
    can_multiply_packed,
    one_by_one,
    some_at_a_time,
)
from diffdesk.backends.packed.fused import FusedOperators
from diffdesk.backends.packed.nvfp4 import PackedMatrices, unpacked
from diffdesk.backends.packed.operators import PlainOperators, interleaved
from diffdesk.backends.packed.weights import Routing
from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Prompt, StepResult
from diffdesk.core.denoising import CanvasOutcome, CanvasStart, denoise
from diffdesk.core.errors import Cancelled, EngineError
from diffdesk.core.messages import ImageRef
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ModelSpec
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import Region
from tests.unit.backends import tiny
from tests.unit.backends.gguf_conversion import folders
from tests.unit.backends.parity import Run, follow

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU; this machine has none that works"),
]
HIDDEN, WIDTH, EXPERTS, USED = 384, 320, 8, 2
# Large enough for every kernel; the heads have the published sizes.
WIDE = tiny.Shape(
    "wide",
    layers=(tiny.SLIDING, tiny.SLIDING, tiny.FULL),
    window=24,
    experts=EXPERTS,
    top=USED,
    sees=True,
    canvas=32,
    text={"hidden_size": HIDDEN, "moe_intermediate_size": WIDTH, "head_dim": 256, "global_head_dim": 512},
)


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("wide")
    tiny.save(WIDE, made)
    folders.packed(made, spread=WIDTH**-0.5)
    return made


def loaded(folder: Path, **how: Any) -> PackedDenoiser:
    denoiser = load(ModelSpec(folder, **{"device": "cuda", **how}), lambda _stage, _share: None)
    assert isinstance(denoiser, PackedDenoiser)
    return denoiser


@pytest.fixture(scope="module")
def denoiser(folder: Path) -> PackedDenoiser:
    return loaded(folder)


def matrices(rows: int, columns: int, parts: int, seed: int) -> PackedMatrices:
    rng = torch.Generator("cuda").manual_seed(seed)
    packed = torch.randint(0, 256, (EXPERTS, rows, columns // 2), generator=rng, dtype=torch.uint8, device="cuda")
    scales = torch.randint(0, 127, (EXPERTS, rows, columns // 16), generator=rng, dtype=torch.uint8, device="cuda")
    wholes = torch.rand(EXPERTS, parts, generator=rng, device="cuda") * 1e-3 + 1e-4
    return PackedMatrices(packed, scales.view(torch.float8_e4m3fn), wholes)


def routing(counts: list[int]) -> Routing:
    """One expert for each row, in order: so many rows for each of the experts."""
    chosen = torch.repeat_interleave(torch.arange(EXPERTS), torch.tensor(counts)).int().cuda()[:, None]
    order = torch.arange(len(chosen)).int().cuda()
    offsets = torch.nn.functional.pad(torch.tensor(counts).cumsum(0), (1, 0)).int().cuda()
    return Routing(chosen, torch.ones_like(chosen).float(), offsets, order, order[:, None])


def copies(matrices: PackedMatrices) -> PackedMatrices:
    return PackedMatrices(matrices.packed, matrices.scales, matrices.wholes)


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected.double()).norm() / expected.double().norm())


@pytest.mark.parametrize(
    "counts",
    [[0, 1, 256, 0, 33, 32, 7, 8], [0] * 7 + [1], [16] * 8, [64, 0, 0, 0, 0, 0, 0, 65]],
    ids=["ragged", "one", "even", "few"],
)
def test_packed_products_are_those_of_the_unpacked_matrices(counts: list[int]) -> None:
    gate_up, down, where = matrices(2 * WIDTH, HIDDEN, 2, 1), matrices(HIDDEN, WIDTH, 1, 2), routing(counts)
    x = torch.randn(sum(counts), HIDDEN, device="cuda", dtype=torch.bfloat16)
    exact = PlainExperts(copies(gate_up), copies(down), one_by_one)(x.double(), where)
    grouped = PlainExperts(copies(gate_up), copies(down), some_at_a_time)(x, where)
    experts = NativeExperts(gate_up, down, ExpertKernels(HIDDEN, WIDTH, EXPERTS, x.device))
    native = experts(interleaved(x).contiguous(), where)
    assert error(native, exact) < 1e-2
    assert error(grouped, exact) < 2e-2
    assert torch.equal(native, experts(interleaved(x).contiguous(), where)), "the same rows gave other bits"


def test_every_pair_of_byte_and_scale_is_unpacked_exactly() -> None:
    """A row of one 1 picks a column: what comes out is the value itself, which bfloat16 holds exactly."""
    bytes_ = torch.arange(256, dtype=torch.uint8, device="cuda")
    scales = torch.arange(256, dtype=torch.uint8, device="cuda")
    scales = torch.where(scales & 127 == 127, 0, scales)
    # Experts × rows are all scales; the bytes of a row's groups of 8 are all 256, in turns over 32 groups.
    experts, rows, columns = 2, 128, 512
    packed = bytes_.view(1, 1, 256).expand(experts, rows, 256).contiguous()
    by_row = scales.view(experts, rows, 1).expand(experts, rows, columns // 16).contiguous().view(torch.float8_e4m3fn)
    expected = unpacked(packed, by_row, torch.float32)
    blocks = experts_kernel.arranged(packed, by_row, is_gated=False)
    kernels = ExpertKernels(rows, columns, experts, packed.device)
    ones = torch.eye(columns, device="cuda", dtype=torch.bfloat16).repeat(experts, 1)
    out = torch.empty(experts * columns, rows, device="cuda", dtype=torch.bfloat16)
    offsets = torch.tensor([0, columns, 2 * columns], dtype=torch.int32, device="cuda")
    arguments = (blocks, torch.ones(experts, device="cuda"), interleaved(ones).contiguous(), offsets, offsets, out, 1)
    kernels.plain.launch((1, experts * columns // experts_kernel.TOKENS), experts_kernel.THREADS, arguments)
    assert torch.equal(out.float().view(experts, columns, rows).transpose(1, 2), expected)


def test_the_kernels_are_used_where_they_can_be(denoiser: PackedDenoiser) -> None:
    assert can_multiply_packed(HIDDEN, WIDTH, torch.device("cuda"))
    assert isinstance(denoiser.model.network.operators, FusedOperators)
    assert isinstance(denoiser.model.network.weights.layers[0].experts, NativeExperts)


def steps(
    denoiser: PackedDenoiser, prompt: Prompt, rounds: int = 3, confidence: Any = None, length: int = WIDE.canvas
) -> list[StepResult]:
    denoiser.prefill(prompt, ignore)
    canvas, rng = tiny.random_ids(length, 5), np.random.default_rng(6)
    denoiser.start_canvas(canvas, confidence)
    found = []
    for _ in range(rounds):
        found.append(denoiser.step(canvas, 0.6, rng.random(length)))
        canvas = found[-1].sampled
    return found


def assert_same(found: list[StepResult], expected: list[StepResult]) -> None:
    for mine, other in zip(found, expected, strict=True):
        for name in ("argmax", "sampled", "entropy", "probability", "kept_probability"):
            assert np.array_equal(getattr(mine, name), getattr(other, name)), name


def is_recorded(denoiser: PackedDenoiser) -> bool:
    return denoiser.model.stepper.graph is not None


PROMPTS = {"short": 9, "past-the-window": 61, "long": 700}


@pytest.mark.parametrize("tokens", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("length", [WIDE.canvas, 20])
def test_recorded_steps_are_the_plain_ones(
    denoiser: PackedDenoiser, monkeypatch: pytest.MonkeyPatch, tokens: int, length: int
) -> None:
    """To the bit, for prompts of any length by one recording, from noise and from a draft."""
    drafts = (None, np.linspace(0, 1, length).astype(np.float32))
    prompts = [Prompt(tiny.random_ids(tokens, seed)) for seed in (1, 2)]
    recorded = [steps(denoiser, one, confidence=draft, length=length) for one in prompts for draft in drafts]
    assert is_recorded(denoiser)
    monkeypatch.setattr(denoiser.model.stepper, "_records", False)
    denoiser.model.stepper.forget()
    plain = [steps(denoiser, one, confidence=draft, length=length) for one in prompts for draft in drafts]
    assert not is_recorded(denoiser)
    for mine, other in zip(recorded, plain, strict=True):
        assert_same(mine, other)
    denoiser.model.stepper.forget()


def test_an_answer_of_several_canvases_with_an_image(
    denoiser: PackedDenoiser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image = ImageRef(tiny.picture(tmp_path / "one.png", 64, 64, 2), is_frame=True)
    run = [tiny.OPEN_IMAGE, *[tiny.IMAGE] * denoiser.image_tokens(image), tiny.CLOSE_IMAGE]
    ids = np.concatenate([tiny.random_ids(5, 1), np.array(run, np.int32), tiny.random_ids(6, 2)])
    runs = []
    for records in (True, False):
        monkeypatch.setattr(denoiser.model.stepper, "_records", records)
        denoiser.model.stepper.forget()
        runs.append(Run())
        follow(denoiser, Prompt(ids, (image,)), 3, 4, runs[-1])
    mine, other = runs
    assert len(mine.argmax) > len(mine.committed) >= 1
    assert len(mine.argmax) == len(other.argmax)
    assert all(np.array_equal(a, b) for a, b in zip(mine.argmax, other.argmax, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(mine.committed, other.committed, strict=True))


def test_pinned_positions_and_a_stopped_canvas(denoiser: PackedDenoiser, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the denoising loop itself, recorded and not: the same canvases, the pinned positions as they were."""
    settings = SamplerSettings.resolve(GenerationParameters(steps=6, refresh=1), denoiser.defaults)
    ids, pinned = tiny.random_ids(WIDE.canvas, 7), np.arange(WIDE.canvas) % 3 == 0
    start = CanvasStart(0, 1, ids, np.full(WIDE.canvas, 0.7, np.float32), is_warm=True, pinned=pinned)
    found = []
    for records in (True, False):
        monkeypatch.setattr(denoiser.model.stepper, "_records", records)
        denoiser.model.stepper.forget()
        denoiser.prefill(Prompt(tiny.random_ids(30, 1)), ignore)
        for most in (100, 3):  # looks at the stop button before it says yes
            looks = iter([False] * most + [True] * 100)
            run = denoise(denoiser, start, settings, Draws(3, 300), Plain(), partial(next, looks))
            found.append(ended(run))
    whole, stopped, plain_whole, plain_stopped = found
    assert whole.ids[pinned].tolist() == ids[pinned].tolist()
    assert stopped.is_cancelled
    assert stopped.steps == 3
    for mine, other in ((whole, plain_whole), (stopped, plain_stopped)):
        assert (mine.ids.tolist(), mine.steps) == (other.ids.tolist(), other.steps)


class Plain:
    """Every position is answer."""

    def regions(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        return np.full(len(ids), Region.ANSWER, np.uint8)

    def pieces(self, ids: NDArray[np.int32], positions: NDArray[np.int64]) -> tuple[str, ...]:
        return ("x",) * len(ids)


def ended(run: Generator[object, None, CanvasOutcome]) -> CanvasOutcome:
    outcomes = []

    def keep() -> Generator[object]:
        outcomes.append((yield from run))

    list(keep())
    return outcomes[0]


def test_alternatives_come_beside_recorded_steps(denoiser: PackedDenoiser) -> None:
    prompt = Prompt(tiny.random_ids(30, 1))
    plain = steps(denoiser, prompt, rounds=1)[0]
    denoiser.start_canvas(tiny.random_ids(WIDE.canvas, 5))
    found = denoiser.step(tiny.random_ids(WIDE.canvas, 5), 0.6, np.random.default_rng(6).random(WIDE.canvas), 4)
    assert_same([found], [plain])
    assert np.array_equal(found.alternatives[:, 0], found.argmax)
    assert found.alternative_probabilities[:, 0] == pytest.approx(found.probability, rel=1e-5)
    assert (np.diff(found.alternative_probabilities) <= 0).all()


def test_fused_operators_compute_what_the_plain_ones_do(denoiser: PackedDenoiser) -> None:
    """Through one layer; further on the rounding of bfloat16 lets experts change places."""
    network = denoiser.model.network
    fused, rows = network.operators, torch.randn(40, HIDDEN, device="cuda", dtype=torch.bfloat16)
    layer = network.weights.layers[0]
    plain = PlainOperators(network.model.epsilon)
    for mine, other in zip(
        fused.after_attention(rows, rows.flip(0), layer), plain.after_attention(rows, rows.flip(0), layer), strict=True
    ):
        assert error(mine, other) < 1e-2
    one, two = fused.route(rows, layer, USED), plain.route(rows, layer, USED)
    agree = (one.chosen == two.chosen).float().mean()
    assert agree > 0.95
    assert torch.equal(one.offsets.sort().values, one.offsets)


def test_a_stopped_prompt_and_a_new_one(denoiser: PackedDenoiser) -> None:
    def stop(done: int, _total: int) -> None:
        if done:
            raise Cancelled

    prompt = Prompt(tiny.random_ids(50, 8))
    expected = steps(denoiser, prompt)
    denoiser.prefill(Prompt(tiny.random_ids(20, 9)), ignore)
    with pytest.raises(Cancelled):
        denoiser.prefill(Prompt(tiny.random_ids(600, 10)), stop)
    assert_same(steps(denoiser, prompt), expected)


def test_the_lean_way(folder: Path) -> None:
    lean = loaded(folder, precision="int8")
    assert lean.capabilities.precision == "NVFP4, lean"
    found = steps(lean, Prompt(tiny.random_ids(40, 1)))
    assert is_recorded(lean)
    assert all(np.isfinite(one.entropy).all() for one in found)
    lean.close()


def test_closing_frees_the_memory(folder: Path) -> None:
    sizes = []
    for _ in range(2):  # what libraries keep they have after the first time
        one = loaded(folder)
        steps(one, Prompt(tiny.random_ids(40, 1)))
        full = torch.cuda.memory_allocated()
        one.close()
        sizes.append(torch.cuda.memory_allocated())
        assert full > sizes[-1] + (8 << 20)
    assert sizes[1] <= sizes[0] + (1 << 20)


def test_too_little_memory_is_said_before_loading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _index=0: (1 << 20, 1 << 34))
    with pytest.raises(EngineError, match="Not enough memory to load this model") as caught:
        loaded(folder)
    assert "free on" in caught.value.text


def test_memory_that_runs_out_ends_a_step_and_no_more(denoiser: PackedDenoiser) -> None:
    """A real failure: everything that is free is taken away before the step."""
    prompt = Prompt(tiny.random_ids(30, 3))
    expected = steps(denoiser, prompt)
    denoiser.model.stepper.forget()
    denoiser.start_canvas(tiny.random_ids(WIDE.canvas, 5))
    torch.cuda.empty_cache()
    held = hold_all_memory()
    canvas = tiny.random_ids(WIDE.canvas, 5)
    try:
        with pytest.raises(EngineError, match="Not enough memory"):
            denoiser.step(canvas, 0.6, np.full(WIDE.canvas, 0.5))
    finally:
        held.clear()
    torch.cuda.empty_cache()
    assert_same(steps(denoiser, prompt), expected)


def hold_all_memory() -> list[torch.Tensor]:
    held, size = [], 1 << 30
    while size >= 512:
        try:
            held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            size //= 2
    return held


def test_another_folder_after_the_first(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    one = loaded(other)
    assert steps(one, Prompt(tiny.random_ids(12, 1)), rounds=1)[0].argmax.shape == (WIDE.canvas,)
    one.close()
