"""Number formats: each against its description, and bit for bit against ggml where that is installed."""

from __future__ import annotations

import ctypes
import importlib

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.backends.ggml import binding
from diffdesk.backends.gguf.native_quantise import native_quantiser
from diffdesk.backends.gguf.quantise import quantise
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import EngineError
from tests.unit.backends.gguf_conversion.reader import dequantised, steps

BLOCKWISE = (TensorType.Q8_0, TensorType.Q5_0, TensorType.Q4_0)
Rows = NDArray[np.float32]


def random_rows(seed: int = 0, count: int = 200, length: int = 512) -> Rows:
    return np.random.default_rng(seed).standard_normal((count, length)).astype(np.float32)


def examples() -> dict[str, Rows]:
    plain = random_rows()
    rng = np.random.default_rng(1)
    odd = plain.copy()
    odd[::3] = 0
    odd[1::3, ::2] = 0
    odd[2] *= 1e-7
    odd[4] *= 1e5
    odd[5] = -0.0
    return {
        "plain": plain,
        "as bfloat16": ((plain.view(np.uint32) >> 16) << 16).view(np.float32),
        "halves": (rng.integers(-127, 128, (200, 512)) / np.float32(2)).astype(np.float32),
        "whole": rng.integers(-8, 9, (200, 512)).astype(np.float32),
        "ties": np.tile(np.array([1, -1], np.float32), (8, 256)),
        "odd": odd,
    }


@pytest.mark.parametrize("kind", [TensorType.F32, TensorType.F16, TensorType.BF16])
def test_plain_formats_round_to_the_nearest(kind: TensorType) -> None:
    rows = random_rows()
    found = dequantised(int(kind), quantise(kind, rows)).reshape(rows.shape)
    share = {TensorType.F32: 0.0, TensorType.F16: 2.0**-11, TensorType.BF16: 2.0**-8}[kind]
    assert (np.abs(found - rows) <= np.abs(rows) * share + (2.0**-25 if share else 0)).all()


def test_bfloat16_rounds_halves_to_even_and_keeps_nan() -> None:
    bits = np.array([[0x3F808000, 0x3F818000, 0x3F808001, 0x7F800001, 0xFF800000]], np.uint32)
    made = np.frombuffer(quantise(TensorType.BF16, bits.view(np.float32)), "<u2")
    assert [hex(one) for one in made] == ["0x3f80", "0x3f82", "0x3f81", "0x7fc0", "0xff80"]


@pytest.mark.parametrize("kind", BLOCKWISE)
@pytest.mark.parametrize("name", examples())
def test_blocks_are_within_half_a_step(kind: TensorType, name: str) -> None:
    rows = examples()[name]
    data = quantise(kind, rows)
    assert len(data) == kind.bytes_of(rows.shape[::-1])
    found = dequantised(int(kind), data).reshape(-1, 32)
    # The largest value of either sign may lie a whole step off in the formats whose levels are not symmetric; the
    # scale itself is rounded to float16.
    half = 0.5 if kind is TensorType.Q8_0 else 1.0
    largest = np.abs(rows.reshape(-1, 32)).max(axis=1, keepdims=True)
    slack = largest * 2.0**-10 + 2.0**-24 * 128
    assert (np.abs(found - rows.reshape(-1, 32)) <= half * steps(int(kind), data) + slack).all()


def test_q8_0_is_made_as_its_description_says() -> None:
    row = np.zeros((1, 32), np.float32)
    row[0, :4] = 127, 0.5, -2.5, 0.49999997
    raw = quantise(TensorType.Q8_0, row)
    assert np.frombuffer(raw[:2], "<f2")[0] == 1
    assert np.frombuffer(raw[2:], np.int8)[:4].tolist() == [127, 1, -3, 0]


def test_what_is_not_made_here_is_refused() -> None:
    with pytest.raises(ValueError, match="Q4_K"):
        quantise(TensorType.Q4_K, random_rows())
    with pytest.raises(ValueError, match="multiple"):
        quantise(TensorType.Q8_0, random_rows(length=40))


def test_without_the_library_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    binding.load.cache_clear()
    real = importlib.import_module

    def fails(name: str, package: str | None = None) -> object:
        if name.startswith("llama_cpp"):
            raise ImportError("none")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(EngineError, match="llama-cpp-python") as caught:
        native_quantiser()
    assert "pip install" in caught.value.remedy
    monkeypatch.undo()
    binding.load.cache_clear()


@pytest.mark.parametrize("kind", BLOCKWISE)
@pytest.mark.parametrize("name", examples())
def test_blocks_are_ggmls_bit_for_bit(kind: TensorType, name: str) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    rows = examples()[name]
    assert quantise(kind, rows) == native_quantiser()(kind, rows)


def test_native_threads_change_nothing() -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    rows = random_rows(count=601)
    for kind in (TensorType.Q4_K, TensorType.Q6_K):
        assert native_quantiser(threads=3)(kind, rows) == native_quantiser(threads=1)(kind, rows)


@pytest.mark.parametrize(("kind", "error"), [(TensorType.Q4_K, 0.09), (TensorType.Q6_K, 0.025)])
def test_k_formats_come_back_close(kind: TensorType, error: float) -> None:
    llama = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    rows = random_rows()
    data = native_quantiser()(kind, rows)
    assert len(data) == kind.bytes_of(rows.shape[::-1])
    back = getattr(ctypes.CDLL(llama.llama_cpp._lib._name), f"dequantize_row_{kind.name.lower().replace('k', 'K')}")
    back.argtypes, back.restype = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64), None
    found = np.empty_like(rows)
    back(data, found.ctypes.data, rows.size)
    assert np.sqrt(np.mean((found - rows) ** 2)) < error


def test_native_leaves_plain_formats_to_numpy_and_refuses_the_rest() -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    native, rows = native_quantiser(), random_rows()
    assert native(TensorType.BF16, rows) == quantise(TensorType.BF16, rows)
    with pytest.raises(ValueError, match="importance"):
        native(TensorType.IQ2_XXS, rows)
    with pytest.raises(ValueError, match="multiple"):
        native(TensorType.Q4_K, random_rows(length=320))
