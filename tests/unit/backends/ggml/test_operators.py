"""The operators that are our own, against numpy, and what is refused before the library would end the process."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diffdesk.backends.ggml import binding, check, network
from diffdesk.backends.ggml.binding import I32, I64
from diffdesk.backends.ggml.check import check_library, self_test
from diffdesk.backends.ggml.compute import Computation, read, write
from diffdesk.backends.ggml.devices import Device, find_cards
from diffdesk.backends.ggml.graph import F32, Builder, Node, full_shape
from diffdesk.backends.ggml.loading import load
from diffdesk.backends.ggml.tail import TailInputs, block_of, tail
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import EngineError, SettingError
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.ggml.models import as_gguf, ignore, open_gguf, silent
from tests.unit.backends.tiny import BY_NAME, random_ids, save

Values = NDArray[np.float32]


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    made = Device(1)
    yield made
    made.close()


def computed(device: Device, build: Callable[..., Node], *values: NDArray[np.generic]) -> NDArray[np.generic]:
    """What an operator makes of arrays, whose last axis is the row's."""
    kinds = {np.dtype(np.float32): F32, np.dtype(np.int32): I32, np.dtype(np.int64): I64}
    with Computation(device) as computation:
        nodes = [computation.input(kinds[one.dtype], *one.shape[::-1]) for one in values]
        made = computation.output(build(computation.build, *nodes))
        computation.plan()
        for node, one in zip(nodes, values, strict=True):
            write(node, one)
        computation.run()
        return read(made).copy()


def random(*shape: int, seed: int = 0, spread: float = 1.0) -> Values:
    return (np.random.default_rng(seed).standard_normal(shape) * spread).astype(np.float32)


def test_the_library_is_the_right_one_and_computes_right() -> None:
    assert binding.load() is binding.load()
    assert self_test() < 1e-6
    check_library()


def test_functions_are_found_in_whichever_library_has_them() -> None:
    """As on Windows, where each library answers for itself only."""
    handles = [ctypes.CDLL(None), *binding._handles(importlib.import_module("llama_cpp.llama_cpp")._lib._name)]
    assert binding.Library(handles).version() == binding.load().version()
    with pytest.raises(AttributeError, match="ggml_version"):
        binding.Library(handles[:1])


def missing(name: str) -> None:
    raise ImportError(name)


def test_another_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    binding.load.cache_clear()
    monkeypatch.setattr(binding, "VERSIONS", ("9.9.",))
    with pytest.raises(EngineError, match=r"another version.*ggml 9\.9\.x"):
        binding.load()
    monkeypatch.undo()
    monkeypatch.setattr("diffdesk.backends.ggml.binding.importlib.import_module", missing)
    with pytest.raises(EngineError, match="can't be loaded"):
        binding.load()
    monkeypatch.undo()
    binding.load.cache_clear()
    binding.load()


def test_wrong_numbers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    check_library.cache_clear()
    for wrong in (0.01, float("nan")):
        monkeypatch.setattr(check, "self_test", lambda wrong=wrong: wrong)
        with pytest.raises(EngineError, match="wrong numbers"):
            check_library()
    monkeypatch.undo()
    check_library()


# --- element by element ---------------------------------------------------------------------------


def test_gelu_is_exact(device: Device) -> None:
    gate, other = random(5, 64, spread=4), random(5, 64, seed=1)
    gate[0, :4] = [0, 1e-30, -80, 80]
    made = computed(device, Builder.gelu_times, gate, other).reshape(5, 64)
    wide = gate.astype(np.float64)
    expected = 0.5 * wide * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))) * other
    assert np.abs(made - expected).max() < 2e-6 * np.abs(expected).max()


def test_the_cap_is_a_tanh(device: Device) -> None:
    one = random(3, 64, spread=40)
    one[0, :5] = [0, -0.0, 1e-30, 500, -500]
    made = computed(device, lambda build, node: build.capped(node, 30.0), one).reshape(3, 64)
    assert np.abs(made - 30 * np.tanh(one.astype(np.float64) / 30)).max() < 1e-5


# --- the end of a step ----------------------------------------------------------------------------


def said(
    device: Device, logits: Values, temperature: float, uniforms: NDArray[np.float64], canvas: NDArray[np.int32]
) -> dict[str, NDArray[np.generic]]:
    """What the tail says of float32[rows, vocabulary]."""
    rows, many = logits.shape
    block = block_of(many)
    with Computation(device) as computation:
        given_logits = computation.input(F32, many, rows)
        given_inputs = TailInputs(
            computation.input(I32, rows),
            computation.input(F32, many),
            computation.input(F32, 1, rows),
            computation.input(F32, block),
        )
        made = tail(computation.build, given_logits, given_inputs, 3)
        told = ("argmax", "block", "within", "entropy", "probability", "kept_probability", "alternatives")
        nodes = {name: computation.output(getattr(made, name)) for name in told}
        computation.plan()
        write(given_logits, logits)
        write(given_inputs.canvas, canvas)
        write(given_inputs.coldness, np.full(many, 1 / temperature, np.float32))
        write(given_inputs.uniforms, uniforms.astype(np.float32))
        write(given_inputs.ones, np.ones(block, np.float32))
        computation.run()
        found = {name: read(node).reshape(rows, -1) for name, node in nodes.items()}
    found["drawn"] = found["block"].astype(np.int64)[:, 0] * block + found["within"].astype(np.int64)[:, 0]
    return found


@settings(max_examples=40)
@given(
    st.sampled_from([64, 300, 1280, 1536, 20_480]),
    st.floats(0.3, 1.5),
    st.sampled_from([0.0, 0.1, 3.0, 30.0]),
    st.integers(0, 1000),
)
def test_a_step_says_what_numpy_says(many: int, temperature: float, spread: float, seed: int) -> None:
    device = Device(1)
    rng = np.random.default_rng(seed)
    logits = np.clip(random(7, many, seed=seed, spread=spread), -30, 30)
    logits[0, 5] = 30.0
    uniforms, canvas = rng.random(7), rng.integers(0, many, 7, dtype=np.int32)
    uniforms[:2] = [0.0, np.nextafter(1.0, 0.0)]
    found = said(device, logits, temperature, uniforms, canvas)
    device.close()

    wide = logits.astype(np.float64)
    raised = np.exp((wide - wide.max(1, keepdims=True)) / temperature)
    shares = raised / raised.sum(1, keepdims=True)
    plain = np.exp(wide - wide.max(1, keepdims=True))
    plain /= plain.sum(1, keepdims=True)
    rows = np.arange(7)
    assert (logits[rows, found["argmax"][:, 0].astype(int)] == logits.max(1)).all()
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(np.where(shares > 0, shares * np.log(shares), 0), axis=1)
    assert np.abs(found["entropy"][:, 0] - entropy).max() < 5e-5
    assert np.abs(found["probability"][:, 0] - plain.max(1)).max() < 1e-5
    assert np.abs(found["kept_probability"][:, 0] - plain[rows, canvas]).max() < 1e-5
    for row in range(7):
        best = np.sort(plain[row, found["alternatives"][row].astype(int)])
        assert np.allclose(best, np.sort(plain[row])[-3:], rtol=1e-4)
    upto = np.cumsum(shares, axis=1)
    for row, token in enumerate(found["drawn"].tolist()):
        if token >= many:
            assert uniforms[row] > 1 - 1e-6, "nothing was drawn"
            continue
        # Rounding may move a border by a hair: the drawn token's share of [0, 1) must reach to the number.
        low = upto[row, token - 1] if token else 0.0
        assert low - 2e-6 <= uniforms[row] <= upto[row, token] + 2e-6


def test_draws_follow_the_distribution(device: Device) -> None:
    logits = np.tile(random(1, 1280, seed=4, spread=2), (50, 1))
    rng, counts = np.random.default_rng(2), np.zeros(1280)
    for _ in range(200):
        drawn = said(device, logits, 1.0, rng.random(50), np.zeros(50, np.int32))["drawn"]
        counts += np.bincount(drawn.astype(np.int64), minlength=1280)
    shares = np.exp(logits[0] - logits[0].max())
    shares /= shares.sum()
    often = shares * 10_000 >= 5
    expected = np.append(shares[often], shares[~often].sum()) * 10_000
    observed = np.append(counts[often], counts[~often].sum())
    chi = float(((observed - expected) ** 2 / expected).sum())
    assert chi < len(expected) + 5 * np.sqrt(2 * len(expected))


# --- self-conditioning ----------------------------------------------------------------------------


def test_the_embedding_in_parts_or_turned_or_the_best_of_it_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(BY_NAME["plain"], tmp_path_factory.mktemp("plain"))
    file = as_gguf(folder, tmp_path_factory.mktemp("plain"))
    canvas, found = random_ids(16, 5), []

    def second_logits(top: int = 0) -> Values:
        denoiser = open_gguf(file)
        denoiser.top = top
        denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
        denoiser.start_canvas(canvas)
        denoiser.all_logits(canvas, 0.7)
        made = denoiser.all_logits(canvas)
        denoiser.close()
        return made

    found.append(second_logits())
    found.append(second_logits(top=300))
    coarse = second_logits(top=8)
    monkeypatch.setattr(network, "EMBEDDING_ROWS", 64)
    found.append(second_logits())
    monkeypatch.setattr("diffdesk.backends.ggml.placement._turns", lambda _of, _room: True)
    found.append(second_logits())
    largest = np.abs(found[0]).max()
    for other, within in zip(found[1:], (1e-5, 1e-5, 2e-3), strict=True):
        assert np.abs(other - found[0]).max() / largest < within
    assert 1e-5 < np.abs(coarse - found[0]).max() / largest < 0.5


# --- refusals -------------------------------------------------------------------------------------


BAD: list[tuple[str, Callable[[Builder, Node, Node, Node], Node]]] = [
    ("add", lambda build, one, other, ids: build.add(other, one)),
    ("matmul", lambda build, one, other, ids: build.matmul(one, other)),
    ("rows", lambda build, one, other, ids: build.rows(one, other)),
    ("with_rows", lambda build, one, other, ids: build.with_rows(one, other, ids)),
    ("with_columns", lambda build, one, other, ids: build.with_columns(one, other, 3)),
    ("top", lambda build, one, other, ids: build.top(one, 99)),
    ("largest", lambda build, one, other, ids: build.largest(one, 0)),
    ("softmax", lambda build, one, other, ids: build.softmax(build.permute(one, 1, 0, 2, 3))),
    ("reshape", lambda build, one, other, ids: build.reshape(one, 5, 5)),
    ("view", lambda build, one, other, ids: build.view(one, (8, 5))),
    ("permute", lambda build, one, other, ids: build.permute(one, 0, 0, 1, 2)),
    ("rope", lambda build, one, other, ids: build.rope(one, ids, 100.0, None)),
    ("chosen", lambda build, one, other, ids: build.matmul_chosen(one, other, ids)),
    ("gelu", lambda build, one, other, ids: build.gelu_times(one, other)),
    ("dots", lambda build, one, other, ids: build.dots(one, other)),
    ("copied", lambda build, one, other, ids: build.copied(one, other)),
    ("argmax", lambda build, one, other, ids: build.argmax(ids)),
]


@pytest.mark.parametrize(("name", "call"), BAD, ids=[name for name, _ in BAD])
def test_what_does_not_fit_is_refused(
    device: Device, name: str, call: Callable[[Builder, Node, Node, Node], Node]
) -> None:
    with Computation(device) as computation:
        one, other, ids = computation.input(F32, 8, 4), computation.input(F32, 12, 3), computation.input(I32, 4)
        with pytest.raises(ValueError):
            call(computation.build, one, other, ids)


def test_shapes_and_contents_that_are_none_are_refused(device: Device) -> None:
    for shape in ((), (1, 2, 3, 4, 5), (0,), (3, -1)):
        with pytest.raises(ValueError, match="not the shape"):
            full_shape(shape)
    with Computation(device) as computation:
        node = computation.input(F32, 4, 2)
        with pytest.raises(ValueError, match="without memory"):
            write(node, np.zeros(8, np.float32))
        computation.plan()
        for wrong in (np.zeros(7, np.float32), np.zeros(8, np.float64), np.zeros(8, np.int32)):
            with pytest.raises(ValueError, match="fill"):
                write(node, wrong)


def test_settings_that_a_file_can_t_follow_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = save(BY_NAME["plain"], tmp_path_factory.mktemp("plain"))
    file = as_gguf(folder, tmp_path_factory.mktemp("plain"))
    for spec, words in (
        (ModelSpec(file, precision="bfloat16"), "Precision"),
        (ModelSpec(file, device="tpu"), "Device"),
        (ModelSpec(file, context=-1), "Context"),
        (ModelSpec(file, conditioning=-5), "Self-conditioning"),
    ):
        with pytest.raises(SettingError, match=words):
            load(spec, silent)
    if not find_cards():
        with pytest.raises(EngineError, match="No graphics card"):
            load(ModelSpec(file, device="gpu"), silent)
