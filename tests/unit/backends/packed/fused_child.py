"""Compares the Triton kernels with plain torch in Triton's interpreter; prints the largest differences as JSON.

By itself, because Triton reads TRITON_INTERPRET when it is imported: `test_fused` starts this and looks at the numbers.
Differences are in parts of the largest wanted value, or counts where the name says so.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from typing import Any

if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import torch
from torch import Tensor

from diffdesk.backends.packed import fused
from diffdesk.backends.packed.experts import PlainExperts, one_by_one
from diffdesk.backends.packed.fused import FusedOperators, Tiling
from diffdesk.backends.packed.matrices import PlainMatrix
from diffdesk.backends.packed.nvfp4 import PackedMatrices
from diffdesk.backends.packed.operators import LayerCache, Places, PlainOperators
from diffdesk.backends.packed.weights import LayerWeights, Routing
from diffdesk.backends.transformers_backend.reduction import StepInputs

EPSILON = 1e-6
CPU = torch.device("cpu")
PLAIN = PlainOperators(EPSILON)
# The interpreter cuts numbers off where they become bfloat16, and takes their bits for integers in products.
FORMATS = (torch.float32, torch.float16)
ALMOST_ONE = float(np.nextafter(1.0, 0.0))

Numbers = dict[str, float]


class Interleaved(PlainExperts):
    """Experts that want their rows in the order of the packed kernels."""

    is_interleaved = True


class Cut(FusedOperators):
    """Attention in small tiles, its slots split as for a device of many processors."""

    def __init__(self, processors: int) -> None:
        super().__init__(EPSILON, CPU)
        self._processors = processors

    def _tiling(self, width: int) -> Tiling:
        return Tiling(16, 16, 4, 1, self._processors)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape)


def apart(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, in parts of the largest wanted value."""
    assert found.shape == wanted.shape
    return float((found.double() - wanted.double()).abs().max() / wanted.double().abs().max())


def layer_of(
    hidden: int, heads: tuple[int, int, int], *, has_values: bool = True, experts: int = 6, is_interleaved: bool = False
) -> LayerWeights:
    """A layer with random vectors; its matrices, which no operator looks at, hold nothing."""
    query_heads, key_heads, width = heads
    nothing = PlainMatrix(torch.zeros(1, 1))
    empty = PackedMatrices(*(torch.zeros(0) for _ in range(3)))
    kind = Interleaved if is_interleaved else PlainExperts
    names = (
        "before_attention after_attention before_dense before_experts router_scale after_dense after_experts after_both"
    )
    return LayerWeights(
        is_sliding=True,
        heads=query_heads,
        key_heads=key_heads,
        head_dim=width,
        has_values=has_values,
        qkv=nothing,
        out=nothing,
        gate_up=nothing,
        down=nothing,
        router=normal(experts, hidden) / hidden**0.5,
        experts=kind(empty, empty, one_by_one),
        query_norm=torch.rand(width) + 0.5,
        key_norm=torch.rand(width) + 0.5,
        expert_scales=torch.rand(experts) + 0.5,
        encoder_scalar=torch.rand(1),
        decoder_scalar=torch.rand(1),
        **{name: torch.rand(hidden) + 0.5 for name in names.split()},
    )


def in_format(layer: LayerWeights, dtype: torch.dtype) -> LayerWeights:
    """The same with its vectors and the router in a number format."""
    found = {each.name: getattr(layer, each.name) for each in fields(LayerWeights)}
    changed: dict[str, Any] = {name: one.to(dtype) for name, one in found.items() if isinstance(one, Tensor)}
    return replace(layer, **changed)


def both(layer: LayerWeights, dtype: torch.dtype) -> tuple[LayerWeights, LayerWeights]:
    """A layer in a format for the kernels, and the same values in float32 for plain torch."""
    narrow = in_format(layer, dtype)
    return narrow, in_format(narrow, torch.float32)


def norms() -> Numbers:
    kernels, made = FusedOperators(EPSILON, CPU), {}
    for dtype in FORMATS:
        for rows, width in ((5, 48), (1, 64), (3, 700)):
            x, weight = (normal(rows, width) * 3).to(dtype), torch.rand(width).to(dtype)
            for name, each in (("", weight), (", no weight", None)):
                wanted = PLAIN.norm(x.float(), None if each is None else each.float())
                made[f"{dtype}, {rows} × {width}{name}"] = apart(kernels.norm(x, each), wanted)
    return made


def places_of(rows: int, width: int, first: Tensor, last: Tensor, slot: int = 0) -> Places:
    angles = torch.rand(rows, width // 2) * 6
    return Places(angles.cos(), angles.sin(), torch.tensor([slot], dtype=torch.int32), first.int(), last.int())


def heads() -> Numbers:
    kernels, made = FusedOperators(EPSILON, CPU), {}
    for dtype in FORMATS:
        for has_values in (True, False):
            for queries, keys, width in ((4, 2, 16), (3, 1, 32), (6, 3, 64)):
                layer, exact = both(layer_of(48, (queries, keys, width), has_values=has_values), dtype)
                rows = 7
                projected = normal(rows, (queries + keys * (2 if has_values else 1)) * width).to(dtype)
                places = places_of(rows, width, torch.zeros(rows), torch.zeros(rows), slot=11)
                there = LayerCache(*(normal(30, keys, width).to(dtype) for _ in range(2)))
                wanted = LayerCache(there.keys.float(), there.values.float())
                found = kernels.heads(projected, layer, there, places)
                name = f"{dtype}, {queries} and {keys} heads of {width}{'' if has_values else ', no values'}"
                made[name] = apart(found, PLAIN.heads(projected.float(), exact, wanted, places))
                made[f"{name}: keys"] = apart(there.keys, wanted.keys)
                made[f"{name}: values"] = apart(there.values, wanted.values)
    return made


def bounds_of(kind: str, rows: int, slots: int) -> tuple[Tensor, Tensor]:
    """What each row of a pass sees."""
    at = torch.arange(rows) + slots - rows
    if kind == "all":
        return torch.full((rows,), 3), torch.full((rows,), slots - 1)
    if kind == "causal":
        return torch.zeros(rows), at
    if kind == "window":
        return (at - 9).clamp_min(0), at
    if kind == "image":  # the rows from 5 to 20 see each other
        return torch.where((at >= 5) & (at <= 20), 2, at.clamp_min(6) - 6), torch.where((at >= 5) & (at <= 20), 20, at)
    far = torch.arange(rows) % 3 * (slots // 3)  # each a few slots, far from the next row's
    return far, (far + torch.arange(rows) % 5).clamp_max(slots - 1)


def attention() -> Numbers:
    made: Numbers = {}
    many = FusedOperators(EPSILON, CPU)
    many._processors = 64
    small = ((12, 100, 4, 2, 16), (1, 77, 2, 2, 32), (22, 22, 3, 1, 16))
    large = ((34, 130, 4, 1, 16),)  # 136 rows for a key head: two tiles
    for name, kernels, sizes in (
        ("as on a card", FusedOperators(EPSILON, CPU), large),
        ("as on a card, split", many, large),
        ("small tiles", Cut(1), small),
        ("small tiles, split", Cut(64), small),
    ):
        for kind in ("all", "causal", "window", "image", "far"):
            for rows, slots, queries, keys, width in sizes:
                for dtype in FORMATS if kernels is many and kind == "window" else FORMATS[:1]:
                    places = places_of(rows, width, *bounds_of(kind, rows, slots))
                    query = (normal(rows, queries, width) * width**-0.25).to(dtype)
                    cache = LayerCache(*(normal(slots + 5, keys, width).to(dtype) for _ in range(2)))
                    # What nobody sees doesn't matter, whatever it is.
                    unseen = torch.arange(slots + 5) > places.last.max()
                    cache.keys[unseen] = cache.values[unseen] = float("nan")
                    wanted = PLAIN.attend(query.float(), LayerCache(cache.keys.float(), cache.values.float()), places)
                    made[f"{name}, {kind}, {dtype}, {rows} of {slots}"] = apart(
                        kernels.attend(query, cache, places), wanted
                    )
    return made


def after_attention() -> Numbers:
    kernels, made = FusedOperators(EPSILON, CPU), {}
    outputs = ("residual", "for the dense MLP", "for the experts", "for the router")
    for dtype in FORMATS:
        for is_interleaved in (True, False):
            for width in (48, 64, 1000):
                layer, exact = both(layer_of(width, (2, 1, 16), is_interleaved=is_interleaved), dtype)
                residual, attended = normal(5, width).to(dtype), normal(5, width).to(dtype)
                found = kernels.after_attention(residual, attended, layer)
                wanted = PLAIN.after_attention(residual.float(), attended.float(), exact)
                for name, one, other in zip(outputs, found, wanted, strict=True):
                    made[f"{dtype}, {width}, interleaved {is_interleaved}: {name}"] = apart(one, other)
    return made


def routed(dtype: torch.dtype, rows: int, width: int, experts: int, used: int) -> tuple[Routing, Routing]:
    layer, exact = both(layer_of(width, (2, 1, 16), experts=experts), dtype)
    x = (normal(rows, width) * 2).to(dtype)
    return FusedOperators(EPSILON, CPU).route(x, layer, used), PLAIN.route(x.float(), exact, used)


def routing() -> Numbers:
    made: Numbers = {}
    few, many = ((5, 48, 6, 3), (40, 600, 9, 1), (1, 16, 1, 1)), ((140, 64, 20, 8), (33, 300, 128, 8))
    for dtype in FORMATS:
        for rows, width, experts, used in (*few, *many) if dtype == torch.float32 else few:
            found, wanted = routed(dtype, rows, width, experts, used)
            name = f"{dtype}, {rows} rows of {width}, {used} of {experts}"
            made[f"{name}: shares"] = apart(found.shares, wanted.shares)
            for part in ("chosen", "offsets", "order", "slots"):
                one, other = getattr(found, part), getattr(wanted, part)
                assert one.dtype == other.dtype == torch.int32
                assert one.shape == other.shape
                made[f"{name}: {part}, count"] = float((one != other).sum())
    return made


def gating() -> Numbers:
    kernels, made = FusedOperators(EPSILON, CPU), {}
    for dtype in FORMATS:
        for rows, width in ((15, 12), (1, 96), (2, 2112)):
            x = (normal(rows, 2 * width) * 3).to(dtype)
            made[f"{dtype}, {rows} × {width}"] = apart(kernels.gated(x), PLAIN.gated(x.float()))
    return made


def after_experts() -> Numbers:
    kernels, made = FusedOperators(EPSILON, CPU), {}
    for dtype in FORMATS:
        for rows, width, experts, used in ((5, 48, 6, 3), (9, 64, 3, 1), (4, 700, 16, 8)):
            layer, exact = both(layer_of(width, (2, 1, 16), experts=experts), dtype)
            _, route = routed(dtype, rows, width, experts, used)
            residual, dense, sorted_rows = (normal(many, width).to(dtype) for many in (rows, rows, rows * used))
            ends = torch.tensor([0.9]).to(dtype), torch.rand(width).to(dtype)
            found = kernels.after_experts(residual, (dense, sorted_rows, route), layer, ends)
            branches = (dense.float(), sorted_rows.float(), route)
            wanted = PLAIN.after_experts(residual.float(), branches, exact, (ends[0].float(), ends[1].float()))
            for name, one, other in zip(("residual", "for what follows"), found, wanted, strict=True):
                made[f"{dtype}, {rows} × {width}, {used} of {experts}: {name}"] = apart(one, other)
    return made


def misdrawn(logits: Tensor, cap: float, inputs: StepInputs, drawn: Tensor) -> float:
    """How far the running sums of weights up to a draw are from the uniform number that it was drawn by."""
    exact = logits.double()
    exact = cap * torch.tanh(exact / cap) if cap else exact
    shares = torch.softmax(exact / inputs.temperature, -1)
    after = shares.cumsum(-1).gather(-1, drawn[:, None])[:, 0]
    before = after - shares.gather(-1, drawn[:, None])[:, 0]
    return float(torch.maximum(before - inputs.uniforms, inputs.uniforms - after).clamp_min(0).max())


def reduced(name: str, logits: Tensor, inputs: StepInputs, cap: float) -> Numbers:
    kernels = FusedOperators(EPSILON, CPU)
    found_rows, wanted_rows = logits.clone(), logits.clone()
    found = kernels.reduce(found_rows, inputs, cap)
    wanted = PLAIN.reduce(wanted_rows, inputs, cap)
    assert found.dtype == wanted.dtype == torch.float32
    made = {f"{name}: {part}": float((found[:, at] - wanted[:, at]).abs().max())
            for at, part in ((2, "entropy"), (3, "probability"), (4, "kept"))}  # fmt: skip
    made[f"{name}: argmax, count"] = float((found[:, 0] != wanted[:, 0]).sum())
    is_edge = (inputs.uniforms == 0) | (inputs.uniforms == ALMOST_ONE)
    made[f"{name}: draws, count"] = float((found[:, 1] != wanted[:, 1])[~is_edge].sum())
    made[f"{name}: draws, in sums of shares"] = misdrawn(logits, cap, inputs, found[:, 1].long())
    made[f"{name}: conditioning"] = float((found_rows.double() - wanted_rows.double()).abs().max())
    # No token may be drawn whose weight is nothing.
    weight = wanted_rows.double().gather(-1, found[:, 1].long()[:, None])
    made[f"{name}: impossible draws, count"] = float((weight == 0).sum())
    return made


def reduction() -> Numbers:
    made: Numbers = {}
    for scan, vocabulary in ((64, 300), (128, 520), (fused.SCAN, 300), (fused.SCAN, 2 * fused.SCAN + 5), (64, 64)):
        fused.SCAN = scan
        for dtype in (torch.float32, torch.bfloat16):
            for cap in (30.0, 0.0):
                rows = 8
                logits = (normal(rows, vocabulary) * 6).to(dtype)
                uniforms = torch.rand(rows, dtype=torch.float64)
                uniforms[:2], uniforms[2:4] = 0.0, ALMOST_ONE
                canvas = torch.randint(0, vocabulary, (rows,))
                canvas[3:6] = logits[3:6].argmax(-1)  # a draft that is settled
                inputs = StepInputs(canvas, torch.tensor([0.6]), uniforms, 0)
                made |= reduced(f"{dtype}, {vocabulary} in {scan}, cap {cap:g}", logits, inputs, cap)
    return made


def sure_rows() -> Numbers:
    """Rows that are sure of a token: it is drawn, the entropy is next to nothing, and not below it."""
    fused.SCAN = 64
    made: Numbers = {}
    for cap in (30.0, 0.0):
        logits = torch.full((4, 300), -30.0)
        logits[:, 200] = torch.tensor([60.0, 5.0, 0.0, -25.0])
        inputs = StepInputs(torch.full((4,), 200), torch.tensor([0.4]), torch.full((4,), 0.5, dtype=torch.float64), 0)
        made |= reduced(f"sure, cap {cap:g}", logits, inputs, cap)
        found = FusedOperators(EPSILON, CPU).reduce(logits.clone(), inputs, cap)
        made[f"sure, cap {cap:g}: below nothing, count"] = float((found[:, 2] < 0).sum())
    return made


def ends() -> Numbers:
    """Tokens without any weight at both ends of the vocabulary, whole blocks of them, are never drawn."""
    fused.SCAN = 64
    logits = normal(6, 300)
    logits[:, :70] = logits[:, 230:] = -500.0
    uniforms = torch.tensor([0.0, ALMOST_ONE, 0.5, 0.0, ALMOST_ONE, 1e-9], dtype=torch.float64)
    inputs = StepInputs(torch.zeros(6, dtype=torch.int64), torch.tensor([0.4]), uniforms, 0)
    return reduced("ends, cap 0", logits, inputs, 0.0)


def overflows() -> Numbers:
    """A row with something that is no number gives none, and no other row does."""
    fused.SCAN = 64
    logits = normal(3, 300)
    logits[1, 150] = float("nan")
    inputs = StepInputs(torch.zeros(3, dtype=torch.int64), torch.tensor([0.6]), torch.full((3,), 0.5).double(), 0)
    found = FusedOperators(EPSILON, CPU).reduce(logits, inputs, 30.0)
    return {"rows with numbers": float(found.isfinite().all(-1)[[0, 2]].sum() - found.isfinite().all(-1)[1].sum())}


def main() -> None:
    """Print every comparison by its operator."""
    torch.manual_seed(0)
    operators = {
        "norm": norms,
        "heads": heads,
        "attend": attention,
        "after_attention": after_attention,
        "route": routing,
        "gated": gating,
        "after_experts": after_experts,
        "reduce": reduction,
        "sure": sure_rows,
        "ends": ends,
        "overflow": overflows,
    }
    print(json.dumps({name: compare() for name, compare in operators.items()}))


if __name__ == "__main__":
    main()
