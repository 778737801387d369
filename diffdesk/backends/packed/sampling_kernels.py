"""From the logits of a step to a few numbers for each position and the next step's probabilities, in Triton.

Logits stay in the format in which they were computed; nothing of their size is made in float32. They are read twice:
`scan` finds for each block of the vocabulary the largest logit and the sums of weights at the step's temperature and
at 1, `decide` puts a position's blocks together (soft cap, log-sum-exp, entropy, argmax, and the block in which the
draw falls), `spread` writes the probabilities over the logits and finds the draw within its block.

How a token is drawn is in `transformers_backend.reduction`: the first id whose running sum of weights, in float64 and
in the order of ids, is above u times the sum of all.
"""

from __future__ import annotations

import triton
import triton.language as tl

STATISTICS = 4  # float32 for each block: sum of weights at 1, sum and mean distance at the temperature, largest logit


def _capped(value: tl.tensor, cap: tl.tensor) -> tl.tensor:
    """Cap · tanh(value / cap), or the value where there is no cap (0)."""
    inner = 2.0 * value / tl.where(cap > 0.0, cap, 1.0)
    return tl.where(cap > 0.0, cap * (2.0 * tl.sigmoid(inner) - 1.0), value)


capped = triton.jit(_capped)


def _scan(
    pointers: tl.tuple, numbers: tl.tuple, blocks: tl.tensor, block: tl.constexpr, statistics: tl.constexpr
) -> None:
    logits, temperature, found, best = pointers
    vocabulary, cap = numbers
    row, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = part * block + tl.arange(0, block)
    inside = at < vocabulary
    plain = capped(tl.load(logits + row * vocabulary + at, mask=inside, other=0.0).to(tl.float32), cap)
    plain = tl.where(inside, plain, float("-inf"))
    largest = tl.max(plain, 0)
    below = tl.where(inside, plain - largest, 0.0)
    heat = 1.0 / tl.load(temperature)
    weight = tl.where(inside, tl.exp(below * heat), 0.0)
    place = (row * blocks + part) * statistics
    tl.store(found + place, tl.sum(tl.where(inside, tl.exp(below), 0.0), 0))
    tl.store(found + place + 1, tl.sum(weight, 0))
    tl.store(found + place + 2, tl.sum(tl.where(inside, weight * below, 0.0), 0) * heat)
    tl.store(found + place + 3, largest)
    tl.store(best + row * blocks + part, part * block + tl.argmax(plain, 0))


def _decide(
    pointers: tl.tuple, step: tl.tuple, outputs: tl.tuple, numbers: tl.tuple, places: tl.constexpr,
    statistics: tl.constexpr,
) -> None:  # fmt: skip
    logits, found, best = pointers
    canvas, temperature, uniforms = step
    result, chosen, sums = outputs
    vocabulary, cap, blocks, columns = numbers
    row = tl.program_id(0).to(tl.int64)
    part = tl.arange(0, places)
    inside = part < blocks
    place = (row * blocks + part) * statistics
    largest = tl.load(found + place + 3, mask=inside, other=float("-inf"))
    top = tl.max(largest, 0)
    winner = tl.load(best + row * blocks + tl.argmax(largest, 0))
    plain_sum = tl.sum(tl.load(found + place, mask=inside, other=0.0) * tl.exp(largest - top), 0)
    heat = 1.0 / tl.load(temperature)
    behind = tl.where(inside, (largest - top) * heat, float("-inf"))
    fading = tl.exp(behind)
    weight = tl.load(found + place + 1, mask=inside, other=0.0)
    distance = tl.load(found + place + 2, mask=inside, other=0.0) + weight * tl.where(inside, behind, 0.0)
    share = (weight * fading).to(tl.float64)
    total = tl.sum(share, 0)
    entropy = tl.log(total) - tl.sum((distance * fading).to(tl.float64), 0) / total
    running = tl.cumsum(share, 0)
    target = tl.load(uniforms + row) * total
    # Rounding can make the target equal to the sum: then it falls into the last block whose weight counts.
    is_above = (running > target) & inside
    last = tl.max(tl.where((share > 0.0) & inside, part, 0), 0)
    drawn = tl.minimum(tl.min(tl.where(is_above, part, places), 0), last)
    passed = tl.sum(tl.where(part < drawn, share, 0.0), 0)
    kept = capped(tl.load(logits + row * vocabulary + tl.load(canvas + row)).to(tl.float32), cap)
    line = result + row * columns
    tl.store(line, winner.to(tl.float32))
    tl.store(line + 2, entropy.to(tl.float32))
    tl.store(line + 3, 1.0 / plain_sum)
    tl.store(line + 4, tl.exp(kept - top) / plain_sum)
    tl.store(chosen + row, drawn)
    tl.store(sums + row * 3, top.to(tl.float64))
    tl.store(sums + row * 3 + 1, total)
    tl.store(sums + row * 3 + 2, target - passed)


def _spread(pointers: tl.tuple, outputs: tl.tuple, numbers: tl.tuple, block: tl.constexpr) -> None:
    logits, temperature, chosen, sums = pointers
    (result,) = outputs
    vocabulary, cap, columns = numbers
    row, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = part * block + tl.arange(0, block)
    inside = at < vocabulary
    place = logits + row * vocabulary + at
    plain = capped(tl.load(place, mask=inside, other=0.0).to(tl.float32), cap)
    top = tl.load(sums + row * 3).to(tl.float32)
    total = tl.load(sums + row * 3 + 1)
    weight = tl.where(inside, tl.exp((plain - top) * (1.0 / tl.load(temperature))), 0.0)
    tl.store(place, weight / total.to(tl.float32), mask=inside)
    if part == tl.load(chosen + row):
        running = tl.cumsum(weight.to(tl.float64), 0)
        is_above = (running > tl.load(sums + row * 3 + 2)) & inside
        last = tl.max(tl.where(weight > 0.0, at, part * block), 0)
        drawn = tl.minimum(tl.min(tl.where(is_above, at, vocabulary), 0), last)
        tl.store(result + row * columns + 1, drawn.to(tl.float32))


scan = triton.jit(_scan)
decide = triton.jit(_decide)
spread = triton.jit(_spread)
