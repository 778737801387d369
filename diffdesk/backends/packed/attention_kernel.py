"""Attention of rows that each see an interval of the cache, in Triton.

A row sees the slots from `first` to `last`: for a canvas the same for every row, in a prompt up to itself or to the
end of the image that it belongs to, in sliding layers from a window before. So one kernel serves all, and a captured
graph serves prefixes of any length, since the bounds are read from the device. Online softmax as in FlashAttention
(arXiv 2205.14135); the scores have no factor, since queries and keys are normed.

The rows of all query heads that share a key head are taken together: row r of such a group is token r // group. Where
there are too few of them to fill the device, the slots are split, and `combine` puts the parts together.
"""

from __future__ import annotations

import triton
import triton.language as tl


def _look(
    state: tl.tuple, cache: tl.tuple, place: tl.tuple, columns: tl.constexpr, is_masked: tl.constexpr
) -> tl.tuple:
    """Goes on with a tile of slots: the largest score, the weights' sum and the weighted sum of each row."""
    query, low, high, end, keys, values = cache
    slot, head, key_heads, across, width = place
    largest, total, summed = state
    at = slot + tl.arange(0, columns)
    here = (at.to(tl.int64) * key_heads + head)[:, None] * width + across[None, :]
    known = at < end
    if is_masked:
        key = tl.load(keys + here, mask=known[:, None], other=0.0)
        value = tl.load(values + here, mask=known[:, None], other=0.0)
    else:
        key = tl.load(keys + here)
        value = tl.load(values + here)
    score = tl.dot(query, tl.trans(key)) * 1.4426950408889634  # powers of 2 from here on
    if is_masked:
        seen = (at[None, :] >= low[:, None]) & (at[None, :] <= high[:, None]) & known[None, :]
        score = tl.where(seen, score, float("-inf"))
    new = tl.maximum(largest, tl.max(score, 1))
    anchor = tl.where(new == float("-inf"), 0.0, new)
    weight = tl.exp2(score - anchor[:, None])
    fading = tl.exp2(largest - anchor)
    total = total * fading + tl.sum(weight, 1)
    summed = tl.dot(weight.to(value.dtype), value, summed * fading[:, None])
    return new, total, summed


look = triton.jit(_look)


def _attend(
    pointers: tl.tuple,
    bounds: tl.tuple,
    sizes: tl.tuple,
    width: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
) -> None:
    """Without splits the output is written, otherwise each split's own and, in `marks`, float32 (splits, tokens ·
    heads), the logarithm to base 2 of its weights' sum.
    """
    queries, keys, values, out, marks = pointers
    first, last = bounds
    tokens, key_heads, group, splits = sizes
    head, split = tl.program_id(1), tl.program_id(2)
    row = tl.program_id(0) * rows + tl.arange(0, rows)
    token = row // group
    inside = token < tokens
    across = tl.arange(0, width)
    line = (token * key_heads * group + head * group + row % group).to(tl.int64)
    query = tl.load(queries + line[:, None] * width + across[None, :], mask=inside[:, None], other=0.0)
    low = tl.load(first + token, mask=inside, other=1 << 30)
    high = tl.load(last + token, mask=inside, other=-1)
    begin = tl.min(low, 0)
    end = tl.max(high, 0) + 1
    # Between these every row sees everything, rows that aren't there included.
    open_begin = tl.max(tl.where(inside, low, 0), 0)
    open_end = tl.min(tl.where(inside, high, 1 << 30), 0) + 1
    if splits > 1:
        part = tl.cdiv(tl.cdiv(end - begin, splits), columns) * columns
        begin = begin + split * part
        end = tl.minimum(begin + part, end)
    largest = tl.full([rows], float("-inf"), tl.float32)
    total = tl.zeros([rows], tl.float32)
    summed = tl.zeros([rows, width], tl.float32)
    state = (largest, total, summed)
    # Tiles before, within and after what is open; all of them count from `begin`.
    tiles = tl.cdiv(tl.maximum(end - begin, 0), columns)
    before = tl.minimum(tl.maximum(tl.cdiv(open_begin - begin, columns), 0), tiles)
    middle = tl.maximum(tl.maximum(tl.minimum(open_end, end) - begin, 0) // columns, before)
    cache = (query, low, high, end, keys, values)
    for slot in range(begin, begin + before * columns, columns):
        state = look(state, cache, (slot, head, key_heads, across, width), columns, True)
    for slot in range(begin + before * columns, begin + middle * columns, columns):
        state = look(state, cache, (slot, head, key_heads, across, width), columns, False)
    for slot in range(begin + middle * columns, end, columns):
        state = look(state, cache, (slot, head, key_heads, across, width), columns, True)
    largest, total, summed = state
    summed = summed / tl.where(total == 0.0, 1.0, total)[:, None]
    if splits > 1:
        line += split.to(tl.int64) * tokens * key_heads * group
        tl.store(marks + line, largest + tl.log2(total), mask=inside)
    tl.store(out + line[:, None] * width + across[None, :], summed, mask=inside[:, None])


def _combine(pointers: tl.tuple, lines: tl.tensor, width: tl.constexpr, splits: tl.constexpr) -> None:
    """One line (a token's head) of all splits."""
    parts, marks, out = pointers
    line = tl.program_id(0).to(tl.int64)
    across = tl.arange(0, width)
    largest = float("-inf")
    for split in tl.static_range(splits):
        largest = tl.maximum(largest, tl.load(marks + split * lines + line))
    total = 0.0
    summed = tl.zeros([width], tl.float32)
    for split in tl.static_range(splits):
        factor = tl.exp2(tl.load(marks + split * lines + line) - largest)
        total += factor
        summed += factor * tl.load(parts + (split * lines + line) * width + across).to(tl.float32)
    tl.store(out + line * width + across, summed / total)


attend = triton.jit(_attend)
combine = triton.jit(_combine)
