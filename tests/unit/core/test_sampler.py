"""The sampler against a slow twin in plain Python that follows the published description word for word."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.errors import SettingError
from diffdesk.core.parameters import GenerationParameters, SamplerDefaults
from diffdesk.core.sampler import Draws, SamplerSettings, StableAndConfident, accept, temperature_at

SETTINGS = SamplerSettings(steps=48, t_max=0.8, t_min=0.4, entropy_bound=0.1, confidence=0.005, stability=1)

# Multiples of 1/1024 add up exactly in float32 at these sizes: the twin may use plain Python numbers.
exact_entropies = st.lists(st.integers(0, 2048).map(lambda one: one / 1024), min_size=1, max_size=64)
exact_bounds = st.integers(1, 4096).map(lambda one: one / 1024)
any_entropies = st.lists(st.floats(0, 12.5, width=32), min_size=1, max_size=64)


def twin_accept(entropies: Sequence[float], bound: float) -> list[bool]:
    """Take positions from the surest on, for as long as those already taken stay within the bound."""
    taken = [False] * len(entropies)
    together = 0.0
    while not all(taken):
        surest = min((entropy, place) for place, entropy in enumerate(entropies) if not taken[place])
        if together > bound:
            break
        taken[surest[1]] = True
        together += surest[0]
    return taken


class TwinStop:
    """Remember every canvas; compare with the last few."""

    def __init__(self, stability: int, confidence: float) -> None:
        self.stability, self.confidence = stability, confidence
        self.seen: list[list[int]] = []

    def __call__(self, canvas: list[int], entropies: list[float]) -> bool:
        last = self.seen[len(self.seen) - self.stability :] if self.stability else []
        is_stable = len(last) == self.stability and all(one == canvas for one in last)
        self.seen.append(canvas)
        return is_stable and math.fsum(entropies) / len(entropies) < self.confidence


@given(exact_entropies, exact_bounds)
def test_acceptance_equals_its_twin(entropies: list[float], bound: float) -> None:
    kept = accept(np.asarray(entropies, np.float32), bound)
    assert kept.dtype == np.bool_
    assert kept.tolist() == twin_accept(entropies, bound)


@given(any_entropies, st.floats(0.001, 10))
def test_the_surest_positions_are_kept_and_at_least_one(entropies: list[float], bound: float) -> None:
    kept = accept(np.asarray(entropies, np.float32), bound).tolist()
    inside = [one for one, is_kept in zip(entropies, kept, strict=True) if is_kept]
    outside = [one for one, is_kept in zip(entropies, kept, strict=True) if not is_kept]
    assert inside
    assert not outside or max(inside) <= min(outside)
    assert math.fsum(inside) - max(inside) <= bound + 1e-4
    assert not outside or math.fsum(inside) >= bound - 1e-4


@given(any_entropies, st.floats(0.001, 5), st.floats(0, 5))
def test_a_larger_bound_never_keeps_less(entropies: list[float], bound: float, more: float) -> None:
    given_entropies = np.asarray(entropies, np.float32)
    assert not np.any(accept(given_entropies, bound) & ~accept(given_entropies, bound + more))


def test_equal_entropies_go_to_the_lower_position() -> None:
    assert accept(np.full(5, 0.25, np.float32), 0.5).tolist() == [True, True, True, False, False]


def test_the_bound_itself_is_still_within() -> None:
    assert accept(np.asarray([0.5, 0.5, 0.5], np.float32), 0.5).tolist() == [True, True, False]


@given(st.integers(1, 256), st.floats(0.01, 2), st.floats(0.01, 3))
def test_the_schedule_falls_in_equal_paces_from_t_max_to_just_above_t_min(
    steps: int, t_min: float, above: float
) -> None:
    settings = SamplerSettings(steps, t_min + above, t_min, 0.1, 0.005, 1)
    twin, temperature = [], t_min + above
    for _ in range(steps):
        twin.append(temperature)
        temperature -= above / steps
    assert [temperature_at(step, settings) for step in range(1, steps + 1)] == pytest.approx(twin)


def test_the_published_schedule() -> None:
    assert temperature_at(1, SETTINGS) == pytest.approx(0.8)
    assert temperature_at(25, SETTINGS) == pytest.approx(0.6)
    assert temperature_at(48, SETTINGS) == pytest.approx(0.4 + 0.4 / 48)


@pytest.mark.parametrize("step", [0, 49, -1])
def test_there_is_no_temperature_outside_the_steps(step: int) -> None:
    with pytest.raises(SettingError):
        temperature_at(step, SETTINGS)


few_canvases = st.lists(st.lists(st.integers(0, 1), min_size=2, max_size=2), min_size=1, max_size=12)


@given(few_canvases, st.integers(0, 4), st.data())
def test_the_stop_equals_its_twin(canvases: list[list[int]], stability: int, data: st.DataObject) -> None:
    stop, twin = StableAndConfident(stability, 0.5), TwinStop(stability, 0.5)
    for canvas in canvases:
        entropies = data.draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=2))
        got = stop(np.asarray(canvas, np.int32), np.asarray(entropies, np.float32))
        assert got == twin(canvas, entropies)


def test_stability_of_none_asks_for_confidence_alone() -> None:
    stop = StableAndConfident(0, 0.1)
    assert not stop(np.asarray([1], np.int32), np.asarray([0.2], np.float32))
    assert stop(np.asarray([2], np.int32), np.asarray([0.0], np.float32))


@given(st.integers(0, 2**31 - 1), st.integers(1, 300_000))
def test_draws_repeat_with_their_seed_and_stay_in_the_vocabulary(seed: int, vocab_size: int) -> None:
    one, other = Draws(seed, vocab_size), Draws(seed, vocab_size)
    for _ in range(2):
        noise, uniforms = one.noise(16), one.uniforms(16)
        assert noise.dtype == np.int32
        assert 0 <= noise.min() <= noise.max() < vocab_size
        assert 0.0 <= uniforms.min() <= uniforms.max() < 1.0
        assert noise.tolist() == other.noise(16).tolist()
        assert uniforms.tolist() == other.uniforms(16).tolist()


def test_different_seeds_draw_differently() -> None:
    assert Draws(1, 1000).noise(32).tolist() != Draws(2, 1000).noise(32).tolist()


def test_the_users_values_go_before_the_checkpoints() -> None:
    defaults = SamplerDefaults(steps=10, t_max=0.9, t_min=0.3, entropy_bound=0.2, confidence=0.01, stability=2)
    assert SamplerSettings.resolve(GenerationParameters(), defaults) == SamplerSettings(10, 0.9, 0.3, 0.2, 0.01, 2)
    given_values = GenerationParameters(steps=3, t_max=1.0, stability=0)
    assert SamplerSettings.resolve(given_values, defaults) == SamplerSettings(3, 1.0, 0.3, 0.2, 0.01, 0)


@pytest.mark.parametrize("parameters", [GenerationParameters(t_max=0.4), GenerationParameters(t_min=0.9)])
def test_temperatures_the_wrong_way_round_are_refused(parameters: GenerationParameters) -> None:
    with pytest.raises(SettingError):
        SamplerSettings.resolve(parameters, SamplerDefaults())
