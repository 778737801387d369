"""The small kernels of a step, in Triton: norms, rotation, routing, and what stands between the experts' products.

Each does in one pass what is many in torch, for a step of 256 rows is bound by its launches. All compute in float32
and store in the format of what they are given. `fused` launches them; what each computes is written there and, in
torch, in `operators`. A kernel's first arguments are tuples, of pointers and of sizes.

Triton's own restrictions shape the code: no objects, no early return, sizes of blocks known when it is compiled.
"""

from __future__ import annotations

import triton
import triton.language as tl


def _norm(pointers: tl.tuple, sizes: tl.tuple, block: tl.constexpr, has_weight: tl.constexpr) -> None:
    x, weight, out = pointers
    width, epsilon = sizes
    row = tl.program_id(0)
    at = tl.arange(0, block)
    inside = at < width
    value = tl.load(x + row * width + at, mask=inside, other=0.0).to(tl.float32)
    value *= 1.0 / tl.sqrt(tl.sum(value * value, 0) / width + epsilon)
    if has_weight:
        value *= tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + at, value, mask=inside)


def _heads(
    pointers: tl.tuple, tables: tl.tuple, cache: tl.tuple, sizes: tl.tuple, half: tl.constexpr, has_values: tl.constexpr
) -> None:
    """A program for each row and each head of queries, keys and, where they have a projection, values."""
    projected, queries, query_weight, key_weight = pointers
    cosines, sines = tables
    keys, values, slot = cache
    query_heads, key_heads, width, stride, epsilon = sizes
    row, head = tl.program_id(0), tl.program_id(1)
    at = tl.arange(0, half)
    inside = at < width // 2
    source = projected + row * stride + head * width + at
    low = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    high = tl.load(source + width // 2, mask=inside, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt((tl.sum(low * low, 0) + tl.sum(high * high, 0)) / width + epsilon)
    low *= scale
    high *= scale
    place = (tl.load(slot) + row).to(tl.int64)
    is_query = head < query_heads
    is_key = (head >= query_heads) & (head < query_heads + key_heads)
    key_head = tl.where(is_key, head - query_heads, head - query_heads - key_heads)
    stored = (place * key_heads + key_head) * width + at
    # Full-attention layers have no projection of values: theirs are the keys before weight and rotation.
    is_value = head >= query_heads + key_heads if has_values else is_key
    to_value = at < tl.where(is_value, width // 2, 0)
    tl.store(values + stored, low, mask=to_value)
    tl.store(values + stored + width // 2, high, mask=to_value)
    weight = query_weight
    if is_key:
        weight = key_weight
    low *= tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    high *= tl.load(weight + at + width // 2, mask=inside, other=0.0).to(tl.float32)
    cosine = tl.load(cosines + row * (width // 2) + at, mask=inside, other=0.0)
    sine = tl.load(sines + row * (width // 2) + at, mask=inside, other=0.0)
    turned_low = low * cosine - high * sine
    turned_high = high * cosine + low * sine
    to_key = at < tl.where(is_key, width // 2, 0)
    tl.store(keys + stored, turned_low, mask=to_key)
    tl.store(keys + stored + width // 2, turned_high, mask=to_key)
    asked = queries + (row * query_heads + head) * width + at
    to_query = at < tl.where(is_query, width // 2, 0)
    tl.store(asked, turned_low, mask=to_query)
    tl.store(asked + width // 2, turned_high, mask=to_query)


def _after_attention(
    inputs: tl.tuple,
    weights: tl.tuple,
    outputs: tl.tuple,
    sizes: tl.tuple,
    block: tl.constexpr,
    is_interleaved: tl.constexpr,
) -> None:
    """Adds the attention's output to the residual, and norms the sum for the dense MLP, the experts and the router."""
    residual, attended = inputs
    after, for_dense, for_experts, for_router = weights
    summed, dense_in, experts_in, router_in = outputs
    width, epsilon, root = sizes
    row = tl.program_id(0)
    at = tl.arange(0, block)
    inside = at < width
    place = row * width + at
    kind = summed.dtype.element_ty
    value = tl.load(attended + place, mask=inside, other=0.0).to(tl.float32)
    value *= 1.0 / tl.sqrt(tl.sum(value * value, 0) / width + epsilon)
    value *= tl.load(after + at, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(residual + place, mask=inside, other=0.0).to(tl.float32) + value.to(kind).to(tl.float32)
    tl.store(summed + place, value, mask=inside)
    value = value.to(kind).to(tl.float32)
    value *= 1.0 / tl.sqrt(tl.sum(value * value, 0) / width + epsilon)
    tl.store(dense_in + place, value * tl.load(for_dense + at, mask=inside, other=0.0).to(tl.float32), mask=inside)
    # Of each eight values the order 0 4 1 5 2 6 3 7.
    put = (at & -8) | ((at & 3) << 1) | ((at >> 2) & 1) if is_interleaved else at
    scaled = value * tl.load(for_experts + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(experts_in + row * width + put, scaled, mask=inside)
    routed = value.to(kind).to(tl.float32) * tl.load(for_router + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(router_in + place, routed * root, mask=inside)


def _scores(
    pointers: tl.tuple, sizes: tl.tuple, rows: tl.constexpr, block: tl.constexpr, columns: tl.constexpr
) -> None:
    """The router's product, cut along its columns: there are too few rows and experts to fill the device otherwise."""
    x, router, parts = pointers
    tokens, experts, width, span = sizes
    row = tl.program_id(0) * rows + tl.arange(0, rows)
    split = tl.program_id(1)
    expert = tl.arange(0, block)
    total = tl.zeros([rows, block], tl.float32)
    for begin in range(split * span, tl.minimum(split * span + span, width), columns):
        at = begin + tl.arange(0, columns)
        inside = at < width
        left = tl.load(x + row[:, None] * width + at, mask=(row < tokens)[:, None] & inside[None, :], other=0.0)
        right = tl.load(
            router + expert[:, None] * width + at, mask=(expert < experts)[:, None] & inside[None, :], other=0.0
        )
        total = tl.dot(left, tl.trans(right), total)
    place = (split * tokens + row)[:, None] * experts + expert[None, :]
    tl.store(parts + place, total, mask=(row < tokens)[:, None] & (expert < experts)[None, :])


def _route(
    pointers: tl.tuple,
    sizes: tl.tuple,
    used: tl.constexpr,
    block: tl.constexpr,
    places: tl.constexpr,
    splits: tl.constexpr,
) -> None:
    """The most probable experts of a row, best first, the first of equal ones first; their weights sum to 1 before
    each expert's own scale.
    """
    parts, scales, chosen, weights = pointers
    tokens, experts = sizes
    row = tl.program_id(0)
    at = tl.arange(0, block)
    score = tl.zeros([block], tl.float32)
    for split in tl.static_range(splits):
        score += tl.load(parts + (split * tokens + row) * experts + at, mask=at < experts, other=0.0)
    score = tl.where(at < experts, score, float("-inf"))
    share = tl.exp(score - tl.max(score, 0))
    share = share / tl.sum(share, 0)
    share = tl.where(at < experts, share, -1.0)
    place = tl.arange(0, places)
    ids = tl.zeros([places], tl.int32)
    found = tl.zeros([places], tl.float32)
    for turn in tl.static_range(used):
        best = tl.argmax(share, 0)
        ids = tl.where(place == turn, best, ids)
        found = tl.where(place == turn, tl.max(share, 0), found)
        share = tl.where(at == best, -1.0, share)
    found = found / tl.sum(found, 0)
    found *= tl.load(scales + ids, mask=place < used, other=0.0).to(tl.float32)
    tl.store(chosen + row * used + place, ids, mask=place < used)
    tl.store(weights + row * used + place, found, mask=place < used)


def _sort(pointers: tl.tuple, entries: tl.tensor, block: tl.constexpr) -> None:
    """A program for each expert: where its rows begin, and which they are, in their order."""
    chosen, offsets, order, slots = pointers
    expert = tl.program_id(0)
    before = 0
    mine = 0
    for begin in range(0, entries, block):
        at = begin + tl.arange(0, block)
        ids = tl.load(chosen + at, mask=at < entries, other=1 << 30)
        before += tl.sum((ids < expert).to(tl.int32), 0)
        mine += tl.sum((ids == expert).to(tl.int32), 0)
    tl.store(offsets + expert + 1, before + mine)
    if expert == 0:
        tl.store(offsets, 0)
    rank = before
    for begin in range(0, entries, block):
        at = begin + tl.arange(0, block)
        is_mine = tl.load(chosen + at, mask=at < entries, other=1 << 30) == expert
        slot = rank + tl.cumsum(is_mine.to(tl.int32), 0) - 1
        tl.store(order + slot, at, mask=is_mine)
        tl.store(slots + at, slot, mask=is_mine)
        rank += tl.sum(is_mine.to(tl.int32), 0)


def _gated(pointers: tl.tuple, width: tl.tensor, block: tl.constexpr) -> None:
    """GELU (by tanh) of the first half of a row times its second half."""
    both, out = pointers
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * block + tl.arange(0, block)
    inside = at < width
    gate = tl.load(both + row * 2 * width + at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(both + row * 2 * width + width + at, mask=inside, other=0.0).to(tl.float32)
    inner = 1.5957691216057308 * (gate + 0.044715 * gate * gate * gate)  # 2·√(2/π): tanh(u) = 2σ(2u) − 1
    tl.store(out + row * width + at, gate * tl.sigmoid(inner) * up, mask=inside)


def _after_experts(
    inputs: tl.tuple,
    weights: tl.tuple,
    outputs: tl.tuple,
    sizes: tl.tuple,
    used: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """Sums the experts' rows, norms and adds both branches, and begins the next layer with its norm."""
    residual, dense, experts, slots, shares = inputs
    after_dense, after_experts, after_both, scalar, following = weights
    out, normed = outputs
    width, epsilon = sizes
    row = tl.program_id(0)
    at = tl.arange(0, block)
    inside = at < width
    place = row * width + at
    kind = out.dtype.element_ty
    mixed = tl.zeros([block], tl.float32)
    for turn in tl.static_range(used):
        slot = tl.load(slots + row * used + turn).to(tl.int64)
        share = tl.load(shares + row * used + turn)
        mixed += share * tl.load(experts + slot * width + at, mask=inside, other=0.0).to(tl.float32)
    mixed = mixed.to(kind).to(tl.float32)
    mixed *= 1.0 / tl.sqrt(tl.sum(mixed * mixed, 0) / width + epsilon)
    mixed *= tl.load(after_experts + at, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(dense + place, mask=inside, other=0.0).to(tl.float32)
    value *= 1.0 / tl.sqrt(tl.sum(value * value, 0) / width + epsilon)
    value *= tl.load(after_dense + at, mask=inside, other=0.0).to(tl.float32)
    value = (value.to(kind).to(tl.float32) + mixed.to(kind).to(tl.float32)).to(kind).to(tl.float32)
    value *= 1.0 / tl.sqrt(tl.sum(value * value, 0) / width + epsilon)
    value *= tl.load(after_both + at, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(residual + place, mask=inside, other=0.0).to(tl.float32) + value.to(kind).to(tl.float32)
    value = value.to(kind).to(tl.float32) * tl.load(scalar).to(tl.float32)
    tl.store(out + place, value, mask=inside)
    value = value.to(kind).to(tl.float32)
    value *= 1.0 / tl.sqrt(tl.sum(value * value, 0) / width + epsilon)
    tl.store(normed + place, value * tl.load(following + at, mask=inside, other=0.0).to(tl.float32), mask=inside)


norm = triton.jit(_norm)
heads = triton.jit(_heads)
after_attention = triton.jit(_after_attention)
scores = triton.jit(_scores)
route = triton.jit(_route)
sort = triton.jit(_sort)
gated = triton.jit(_gated)
after_experts = triton.jit(_after_experts)
