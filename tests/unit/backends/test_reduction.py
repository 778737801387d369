"""What a step says of each position, against a slow and obvious computation in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffdesk.backends.transformers_backend import reduction
from diffdesk.backends.transformers_backend.reduction import StepInputs, peaked_logits, reduce_logits
from diffdesk.core.denoiser import StepResult
from diffdesk.core.errors import EngineError

LENGTH, VOCABULARY = 11, 37


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.exp(values - values.max())
    return weights / float(weights.sum())


def random_logits(seed: int, scale: float = 4.0) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=(LENGTH, VOCABULARY)) * scale).astype(np.float32)


def reduced(
    logits: NDArray[np.float32],
    uniforms: NDArray[np.float64],
    temperature: float = 0.6,
    canvas: NDArray[np.int64] | None = None,
    alternatives: int = 0,
) -> StepResult:
    tokens = torch.from_numpy(np.zeros(len(logits), np.int64) if canvas is None else canvas)
    inputs = StepInputs(tokens, temperature, torch.from_numpy(uniforms), alternatives)
    return reduce_logits(torch.from_numpy(logits.copy()), inputs)


@pytest.mark.parametrize("rows_at_a_time", [1, 4, 1000])
def test_every_number_of_a_step(monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int) -> None:
    monkeypatch.setattr(reduction, "CHUNK_BYTES", rows_at_a_time * VOCABULARY * 8)
    random = np.random.default_rng(3)
    logits, uniforms = random_logits(1), random.random(LENGTH)
    canvas = random.integers(0, VOCABULARY, LENGTH)
    result = reduced(logits, uniforms, 0.6, canvas, alternatives=5)
    for row in range(LENGTH):
        exact = logits[row].astype(np.float64)
        plain, processed = softmax(exact), softmax(exact / 0.6)
        assert result.argmax[row] == exact.argmax()
        assert result.sampled[row] == int((processed.cumsum() <= uniforms[row]).sum())
        assert result.entropy[row] == pytest.approx(-(processed * np.log(processed)).sum(), rel=1e-5)
        assert result.probability[row] == pytest.approx(plain.max(), rel=1e-5)
        assert result.kept_probability[row] == pytest.approx(plain[canvas[row]], rel=1e-4)
        assert result.alternatives[row].tolist() == np.argsort(-exact)[:5].tolist()
        assert result.alternative_probabilities[row] == pytest.approx(np.sort(plain)[::-1][:5], rel=1e-4)


def test_the_logits_become_the_processed_ones() -> None:
    logits = torch.from_numpy(random_logits(2))
    expected = logits / 0.4
    reduce_logits(logits, StepInputs(torch.zeros(LENGTH, dtype=torch.int64), 0.4, torch.zeros(LENGTH).double(), 0))
    assert torch.equal(logits, expected)


def test_without_alternatives_there_are_none() -> None:
    result = reduced(random_logits(1), np.full(LENGTH, 0.5))
    assert result.alternatives.shape == result.alternative_probabilities.shape == (LENGTH, 0)


def test_draws_follow_the_probabilities() -> None:
    """Evenly spaced uniforms hit each token in proportion to its probability, to within one draw."""
    many = 20_000
    row = random_logits(4, scale=1.0)[:1]
    logits = np.repeat(row, many, axis=0)
    drawn = reduced(logits, (np.arange(many) + 0.5) / many, temperature=1.0).sampled
    counts = np.bincount(drawn, minlength=VOCABULARY)
    assert np.abs(counts - softmax(row[0].astype(np.float64)) * many).max() <= 1.01


@pytest.mark.parametrize("uniform", [0.0, np.nextafter(1.0, 0.0)])
def test_the_ends_of_the_uniforms_never_draw_an_impossible_token(uniform: float) -> None:
    """Tokens at both ends of the vocabulary whose weight is exactly 0 in float32."""
    logits = np.zeros((40, 9), np.float32)
    logits[:, [0, 1, 7, 8]] = -500.0
    logits += np.random.default_rng(1).normal(size=(40, 1)).astype(np.float32)
    drawn = reduced(logits, np.full(40, uniform), temperature=0.4).sampled
    assert set(drawn.tolist()) == ({2} if uniform == 0.0 else {6})


def test_a_sure_position_has_an_entropy_of_next_to_nothing_and_never_below_it() -> None:
    logits = np.full((3, 1000), -30.0, np.float32)
    logits[:, 4] = [30.0, 0.0, -29.0]
    result = reduced(logits, np.full(3, 0.5), temperature=0.4)
    assert (result.entropy >= 0).all()
    assert result.entropy[0] == 0
    assert result.argmax.tolist() == [4, 4, 4]


def test_equal_logits_have_the_entropy_of_the_uniform_distribution() -> None:
    result = reduced(np.zeros((2, 512), np.float32), np.array([0.0, 0.5]))
    assert result.entropy == pytest.approx([np.log(512)] * 2)
    assert result.sampled.tolist() == [0, 256]
    assert result.argmax.tolist() == [0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_overflow_is_said_and_not_sampled(bad: float) -> None:
    logits = random_logits(1)
    logits[3, 5] = bad
    with pytest.raises(EngineError, match="no valid numbers"):
        reduced(logits, np.full(LENGTH, 0.5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_peaked_logits_put_the_confidence_on_the_ids(dtype: torch.dtype) -> None:
    ids = torch.tensor([3, 0, 36, 7])
    confidence = torch.tensor([0.9, 0.5, 1.0, 0.0])
    soft = peaked_logits(ids, confidence, VOCABULARY, dtype)[0].float().softmax(-1)
    loose = 1e-3 if dtype == torch.float32 else 2e-2
    assert soft.gather(-1, ids[:, None])[:, 0].tolist() == pytest.approx([0.9, 0.5, 1.0, 1 / VOCABULARY], abs=loose)
    rest = soft[1].clone()
    rest[0] = rest[1]
    assert rest.tolist() == pytest.approx([0.5 / 36] * VOCABULARY, rel=0.05)
