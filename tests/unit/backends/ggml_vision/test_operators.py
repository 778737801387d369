"""The operators of ggml that only the vision tower uses, against NumPy, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diffdesk.backends.ggml.binding import I32
from diffdesk.backends.ggml.compute import Computation, read, write
from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.graph import F32
from diffdesk.backends.gguf.types import TensorType
from tests.unit.backends.ggml_vision.towers import Array

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")


def random(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def turned(values: Array, places: np.ndarray[tuple[int, ...], np.dtype[np.int32]], base: float) -> Array:
    """Halves of the last axis turned by places along the first."""
    half = values.shape[-1] // 2
    angles = places[:, None, None] * base ** (-np.arange(half) / half)
    first, second = values[..., :half], values[..., half:]
    made = [first * np.cos(angles) - second * np.sin(angles), first * np.sin(angles) + second * np.cos(angles)]
    return np.concatenate(made, axis=-1).astype(np.float32)


@pytest.mark.parametrize(("begin", "size"), [(0, 6), (6, 6), (4, 8), (2, 2), (0, 12)])
def test_a_part_of_each_head_is_turned(begin: int, size: int) -> None:
    values, places = random(5, 3, 12), np.array([0, 1, 7, 79, 300], np.int32)
    with Computation(Device(1)) as computation:
        given, where = computation.input(F32, 12, 3, 5), computation.input(I32, 5)
        out = computation.output(computation.build.rope_part(given, where, 100.0, begin, size))
        computation.plan()
        write(given, values)
        write(where, places)
        computation.run()
        found = read(out).reshape(values.shape).astype(np.float32)
    expected = values.copy()
    expected[..., begin : begin + size] = turned(values[..., begin : begin + size], places, 100.0)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_values_are_clamped_and_the_given_ones_stay() -> None:
    values = random(4, 8)
    with Computation(Device(1)) as computation:
        given = computation.input(F32, 8, 4)
        build = computation.build
        clamped = build.clamp(given, -0.5, math.inf)
        outs = [computation.output(clamped), computation.output(build.scale(given, 2.0))]
        computation.plan()
        write(given, values)
        computation.run()
        found = [read(one).reshape(4, 8) for one in outs]
    np.testing.assert_array_equal(found[0], np.maximum(values, -0.5))
    np.testing.assert_array_equal(found[1], values * 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_follows_the_other(axis: int) -> None:
    shapes = [[2, 3, 4], [2, 3, 4]]
    shapes[1][2 - axis] = 5
    one, other = random(*shapes[0]), random(*shapes[1]) + 1
    with Computation(Device(1)) as computation:
        first, second = (computation.input(F32, *shape[::-1]) for shape in shapes)
        out = computation.output(computation.build.followed_by(first, second, axis))
        computation.plan()
        write(first, one)
        write(second, other)
        computation.run()
        found = read(out)[0]
    np.testing.assert_array_equal(found, np.concatenate([one, other], axis=2 - axis))


def test_what_would_end_the_process_is_refused() -> None:
    with Computation(Device(1)) as computation:
        build = computation.build
        heads, places = computation.input(F32, 12, 3, 5), computation.input(I32, 5)
        half, wide = computation.input(int(TensorType.F16), 12, 3, 5), computation.input(F32, 12, 4, 5)
        for begin, size in ((0, 14), (8, 6), (1, 4), (0, 5), (-2, 4), (4, 0)):
            with pytest.raises(ValueError):
                build.rope_part(heads, places, 100.0, begin, size)
        for one, at in ((heads, computation.input(I32, 4)), (half, places), (heads, computation.input(F32, 5))):
            with pytest.raises(ValueError):
                build.rope_part(one, at, 100.0, 0, 6)
        for one, other, axis in ((heads, wide, 0), (heads, wide, 2), (half, half, 1)):
            with pytest.raises(ValueError):
                build.followed_by(one, other, axis)
        for least, most in ((1.0, 0.0), (math.nan, 1.0)):
            with pytest.raises(ValueError):
                build.clamp(heads, least, most)
        with pytest.raises(ValueError):
            build.clamp(half, 0.0, 1.0)
