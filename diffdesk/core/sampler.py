"""The entropy-bound sampler, its temperature schedule and its stopping rule, over a few numbers for each position.

Sources: DiffusionGemma's generation loop as published in transformers (`generation_diffusion_gemma`), and for the
bound "Accelerated Sampling from Masked Diffusion Models via Entropy Bounded Unmasking", arXiv 2505.24857.
Knows nothing of models: a denoiser gives argmax, sample and entropy, this decides what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.errors import SettingError
from diffdesk.core.parameters import GenerationParameters, SamplerDefaults, check_together

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """The resolved settings of one run: the user's where given, the checkpoint's elsewhere."""

    steps: int
    t_max: float
    t_min: float
    entropy_bound: float
    confidence: float
    stability: int
    refresh: int = 1

    @staticmethod
    def resolve(parameters: GenerationParameters, defaults: SamplerDefaults) -> SamplerSettings:
        """The user's values over the checkpoint's; raises `SettingError` where they contradict each other."""
        check_together(parameters, defaults)

        return SamplerSettings(
            steps=_pick(parameters.steps, defaults.steps),
            t_max=_pick(parameters.t_max, defaults.t_max),
            t_min=_pick(parameters.t_min, defaults.t_min),
            entropy_bound=_pick(parameters.entropy_bound, defaults.entropy_bound),
            confidence=_pick(parameters.confidence, defaults.confidence),
            stability=_pick(parameters.stability, defaults.stability),
            refresh=_pick(parameters.refresh, defaults.refresh),
        )


def _pick(given: T | None, default: T) -> T:
    return default if given is None else given


def temperature_at(step: int, settings: SamplerSettings) -> float:
    """Temperature of step `step` (1 … steps): t = t_min + (t_max − t_min)·(steps left, this one included) / steps."""
    if not 1 <= step <= settings.steps:
        raise SettingError("No such step", f"Step {step} of {settings.steps}.", "This is a bug in the caller.")
    left = settings.steps - step + 1
    return settings.t_min + (settings.t_max - settings.t_min) * (left / settings.steps)


def accept(entropy: NDArray[np.float32], bound: float) -> NDArray[np.bool_]:
    """Which positions are kept this step: the surest ones whose joint entropy stays within `bound` nats.

    Positions are taken in ascending entropy while (sum so far, the position's own left out) ≤ bound; so at least one
    is always kept. Input and output have shape [L]. Ties go to the lower position.
    """
    order = np.argsort(entropy, kind="stable")
    ascending = entropy[order]
    is_kept = np.cumsum(ascending, dtype=np.float32) - ascending <= np.float32(bound)
    mask = np.zeros(entropy.shape, np.bool_)
    mask[order] = is_kept
    return mask


class StableAndConfident:
    """Stop when the argmax canvas stayed the same for `stability` steps and its mean entropy is under `confidence`.

    `before` int32[L], where given, counts as the argmax canvas of a step before the first.
    """

    def __init__(self, stability: int, confidence: float, before: NDArray[np.int32] | None = None) -> None:
        self._confidence = confidence
        self._history: list[NDArray[np.int32]] = [] if before is None or not stability else [before]
        self._stability = stability

    def __call__(
        self, argmax: NDArray[np.int32], entropy: NDArray[np.float32], counts: NDArray[np.bool_] | None = None
    ) -> bool:
        """Whether the canvas is done after a step with this argmax int32[L] and entropy float32[L].

        `counts` bool[L] says which positions matter; None for all.
        """
        where = slice(None) if counts is None or not counts.any() else counts
        is_stable = len(self._history) == self._stability and all(
            np.array_equal(argmax[where], earlier[where]) for earlier in self._history
        )
        if self._stability:
            self._history = [*self._history[-(self._stability - 1) :], argmax] if self._stability > 1 else [argmax]
        return is_stable and float(entropy[where].mean(dtype=np.float32)) < self._confidence


class Draws:
    """All randomness of a run, from one seed: the noise tokens and the uniforms that backends draw with."""

    def __init__(self, seed: int, vocab_size: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._vocab_size = vocab_size

    def noise(self, length: int) -> NDArray[np.int32]:
        """int32[length] tokens, uniform over the vocabulary."""
        return self._generator.integers(0, self._vocab_size, length, dtype=np.int32)

    def uniforms(self, length: int) -> NDArray[np.float64]:
        """float64[length] in [0, 1)."""
        return self._generator.random(length)
