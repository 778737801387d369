"""From the logits of a step to a few numbers for each position, on the device where the logits are.

How a token is drawn, for every backend to reproduce: with z the processed logits (logits / temperature, float32),
weights w = exp(z − max z) in float32 are summed in the order of token ids in float64, c = cumsum(w); for a uniform
number u in [0, 1) the draw is the first id with c > u · c_last. Rounding can make u · c_last equal to c_last; then the
draw is the first id with c = c_last, the last one whose weight counts.

Works through a few rows at a time, so that next to the logits no second tensor of their size is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.core.denoiser import StepResult
from diffdesk.core.errors import EngineError

CHUNK_BYTES = 64 * 1024 * 1024  # of the float64 running sums: 32 rows of 262,144 tokens
SUREST = 1.0 - 1e-6  # a confidence above this is taken as this: its logit would be infinite


@dataclass(frozen=True, slots=True)
class StepInputs:
    """What a reduction needs besides the logits.

    Attributes:
        canvas: int64[L] on the device, the tokens that went into the step.
        temperature: > 0, a number or float32[1] on the device.
        uniforms: float64[L] on the device, in [0, 1).
        alternatives: how many of the most probable tokens to return.
    """

    canvas: Tensor
    temperature: float | Tensor
    uniforms: Tensor
    alternatives: int


def reduce_logits(logits: Tensor, inputs: StepInputs) -> StepResult:
    """The numbers of a step from float32[L, V] logits, which become the processed logits in place.

    Raises `EngineError` where the model computed no numbers (overflow in a narrow format).
    """
    # One copy to the host: ids below 2^53 are exact in float64.
    return as_result(reduce_rows(logits, inputs).cpu().numpy())


def reduce_rows(logits: Tensor, inputs: StepInputs) -> Tensor:
    """float64[L, 5 + 2k] on the device, as `as_result` takes it; the logits become the processed ones in place."""
    length, vocab = logits.shape
    rows = max(1, CHUNK_BYTES // (vocab * 8))
    return torch.cat([_reduce_rows(logits[at : at + rows], inputs, at) for at in range(0, length, rows)])


def as_result(host: NDArray[np.float64]) -> StepResult:
    """The numbers of a step by their names: five for each position, then k ids and k probabilities.

    Raises `EngineError` where one of them is none.
    """
    if not np.isfinite(host).all():
        raise EngineError(
            "The model computed no valid numbers",
            "Its number format overflowed, or its weights are damaged.",
            "Load the model with precision float32 or bfloat16; if that does not help, download it again.",
        )
    many = (host.shape[1] - 5) // 2
    return StepResult(
        argmax=host[:, 0].astype(np.int32),
        sampled=host[:, 1].astype(np.int32),
        entropy=host[:, 2].astype(np.float32),
        probability=host[:, 3].astype(np.float32),
        kept_probability=host[:, 4].astype(np.float32),
        alternatives=host[:, 5 : 5 + many].astype(np.int32),
        alternative_probabilities=host[:, 5 + many :].astype(np.float32),
    )


def _reduce_rows(rows: Tensor, inputs: StepInputs, at: int) -> Tensor:
    """float64[R, 5 + 2k] for the rows that begin at position `at`."""
    here = slice(at, at + rows.shape[0])
    plain_sum = torch.logsumexp(rows, dim=-1)
    columns = [torch.exp(rows.amax(dim=-1) - plain_sum)]
    kept = rows.gather(-1, inputs.canvas[here, None]).squeeze(-1)
    columns.append(torch.exp(kept - plain_sum))
    best, best_ids = torch.topk(rows, inputs.alternatives, dim=-1) if inputs.alternatives else (rows[:, :0],) * 2
    best_probabilities = torch.exp(best - plain_sum[:, None])
    rows.div_(inputs.temperature)
    argmax = rows.argmax(dim=-1)
    sampled, entropy = _draw(rows, inputs.uniforms[here])
    numbers = torch.stack([one.double() for one in (argmax, sampled, entropy, *columns)], dim=-1)
    return torch.cat([numbers, best_ids.double(), best_probabilities.double()], dim=-1)


def _draw(processed: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """int64[R] draws and float64[R] entropies in nats from processed logits [R, V]."""
    below = processed - processed.amax(dim=-1, keepdim=True)
    weights = below.exp()
    # H = log Σw + Σ w·(max − z) / Σw: two sums of one sign each, so nothing cancels for sure positions.
    spread = -(weights * below).sum(dim=-1, dtype=torch.float64)
    del below
    running = weights.cumsum(dim=-1, dtype=torch.float64)
    total = running[:, -1:].contiguous()
    drawn = torch.searchsorted(running, uniforms[:, None] * total, right=True)
    last = torch.searchsorted(running, total, right=False)
    entropy = total.log() + spread[:, None] / total
    return torch.minimum(drawn, last).squeeze(-1), entropy.squeeze(-1)


def peaked_logits(ids: Tensor, confidence: Tensor, vocab_size: int, dtype: torch.dtype) -> Tensor:
    """Logits [1, L, V] whose softmax has `confidence` on `ids` and spreads the rest evenly.

    `ids` int64[L], `confidence` float32[L] in 0…1; below 1 / V it counts as 1 / V (no token is then preferred).
    """
    sure = confidence.double().clamp(1.0 / vocab_size, SUREST)
    peak = torch.log(sure * (vocab_size - 1) / (1.0 - sure))
    logits = torch.zeros((ids.shape[0], vocab_size), dtype=dtype, device=ids.device)
    return logits.scatter_(-1, ids[:, None], peak[:, None].to(dtype)).unsqueeze(0)
