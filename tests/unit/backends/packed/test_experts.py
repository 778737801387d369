"""Experts on the processor, their routing, and matrices in 8 bits, against slow computations in float64."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffdesk.backends.packed.experts import PlainExperts, one_by_one
from diffdesk.backends.packed.matrices import PlainMatrix, RoundedMatrix, make_matrix, rounded
from diffdesk.backends.packed.nvfp4 import PackedMatrices
from diffdesk.backends.packed.operators import PlainOperators
from diffdesk.backends.packed.weights import LayerWeights, Routing

HIDDEN, WIDTH = 64, 48


def numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def packed(experts: int, rows: int, columns: int, parts: int, seed: int) -> PackedMatrices:
    """Random matrices of all experts, with values of about 1 / √columns."""
    random = np.random.default_rng(seed)
    values = torch.from_numpy(random.integers(0, 256, (experts, rows, columns // 2), dtype=np.uint8))
    scales = torch.from_numpy(random.uniform(0.5, 2.0, (experts, rows, columns // 16))).to(torch.float8_e4m3fn)
    wholes = torch.from_numpy(random.uniform(0.02, 0.08, (experts, parts)).astype(np.float32))
    return PackedMatrices(values, scales, wholes)


def routing_of(groups: list[int], used: int, seed: int) -> Routing:
    """A routing that gives each expert so many rows; their number is a multiple of `used`."""
    flat = np.repeat(np.arange(len(groups)), groups)
    np.random.default_rng(seed).shuffle(flat)
    order = np.argsort(flat, kind="stable")
    slots = np.empty_like(order)
    slots[order] = np.arange(len(order))
    tokens = len(flat) // used

    def ints(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
        return torch.from_numpy(values).int()

    offsets = np.concatenate([[0], np.cumsum(groups)])
    shares = torch.rand(tokens, used)
    return Routing(
        ints(flat.reshape(tokens, used)), shares, ints(offsets), ints(order), ints(slots.reshape(tokens, used))
    )


def exact(x: Tensor, routing: Routing, gate_up: PackedMatrices, down: PackedMatrices) -> Tensor:
    """Every entry by itself, in float64."""
    experts = len(routing.offsets) - 1
    both, last = (one.values(0, experts, torch.float32).double() for one in (gate_up, down))
    out = torch.zeros(routing.chosen.numel(), HIDDEN, dtype=torch.float64)
    for token, chosen in enumerate(routing.chosen.tolist()):
        for place, expert in enumerate(chosen):
            gate, up = (both[expert] @ x[token].double()).chunk(2)
            bent = 0.5 * gate * (1 + torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)))
            out[int(routing.slots[token, place])] = last[expert] @ (bent * up)
    return out


@pytest.mark.parametrize(
    ("groups", "used"),
    [([0, 1, 256, 0, 7], 2), ([256], 1), ([0, 0, 1], 1), ([1, 0, 0, 0], 1), ([100, 0, 100, 56], 4), ([3] * 20, 6)],
    ids=str,
)
def test_ragged_groups(groups: list[int], used: int) -> None:
    gate_up = packed(len(groups), 2 * WIDTH, HIDDEN, 2, seed=1)
    down = packed(len(groups), HIDDEN, WIDTH, 1, seed=2)
    routing = routing_of(groups, used, seed=3)
    x = numbers(sum(groups) // used, HIDDEN, seed=4)
    experts = PlainExperts(gate_up, down, one_by_one)
    wanted = exact(x, routing, gate_up, down)
    assert wanted.abs().max() > 0.1
    for dtype, within in ((torch.float32, 2e-6), (torch.bfloat16, 2e-2)):
        found = experts(x.to(dtype), routing)
        assert found.dtype == dtype
        assert float((found.double() - wanted).norm() / wanted.norm()) < within


# routing


def layer_of(experts: int, seed: int) -> LayerWeights:
    """What routing reads of a layer."""
    scales = 0.5 + torch.rand(experts, generator=torch.Generator().manual_seed(seed))
    return cast(LayerWeights, SimpleNamespace(router=numbers(experts, HIDDEN, seed=seed), expert_scales=scales))


@settings(max_examples=50)
@given(tokens=st.integers(1, 60), experts=st.integers(1, 9), data=st.data())
def test_a_routing_agrees_with_itself(tokens: int, experts: int, data: st.DataObject) -> None:
    used = data.draw(st.integers(1, experts))
    layer, x = layer_of(experts, seed=experts), numbers(tokens, HIDDEN, seed=tokens) * 0.2
    routing = PlainOperators(1e-6).route(x, layer, used)
    for one in (routing.chosen, routing.offsets, routing.order, routing.slots):
        assert one.dtype == torch.int32
    assert routing.shares.dtype == torch.float32
    assert routing.chosen.shape == routing.shares.shape == routing.slots.shape == (tokens, used)
    flat, order = routing.chosen.flatten().long(), routing.order.long()
    # Sorted by expert, within one in the order of the rows; `slots` is the way back.
    wanted = sorted(range(tokens * used), key=lambda entry: (int(flat[entry]), entry))
    assert order.tolist() == wanted
    assert routing.slots.flatten()[order].tolist() == list(range(tokens * used))
    offsets = routing.offsets.tolist()
    assert (len(offsets), offsets[0], offsets[-1]) == (experts + 1, 0, tokens * used)
    for expert in range(experts):
        assert (flat[order[offsets[expert] : offsets[expert + 1]]] == expert).all()
    assert offsets == sorted(offsets)


def test_the_likeliest_experts_share_by_their_probabilities() -> None:
    layer, x, used = layer_of(7, seed=1), numbers(30, HIDDEN, seed=2) * 0.2, 3
    routing = PlainOperators(1e-6).route(x, layer, used)
    scores = x.double() @ layer.router.double().T
    for token in range(30):
        probabilities = torch.softmax(scores[token], -1)
        best = probabilities.argsort(descending=True)[:used]
        assert routing.chosen[token].tolist() == best.tolist()
        wanted = probabilities[best] / probabilities[best].sum() * layer.expert_scales[best].double()
        torch.testing.assert_close(routing.shares[token].double(), wanted, rtol=1e-5, atol=0)


# matrices in 8 bits


def test_rounding_keeps_within_half_a_step_of_each_row() -> None:
    weight = numbers(40, 96, seed=1) * torch.logspace(-6, 3, 40)[:, None]
    weight[7] = 0.0
    weight[8, 1:] = 0.0
    whole, factors = rounded(weight)
    assert (whole.dtype, factors.dtype, factors.shape) == (torch.int8, torch.float32, (40,))
    assert whole.abs().amax(1).tolist() == [0 if row == 7 else 127 for row in range(40)]
    step = weight.abs().amax(1, keepdim=True) / 127
    assert ((whole * factors[:, None] - weight).abs() <= step * 0.5001).all()
    assert (whole[7] == 0).all()
    torch.testing.assert_close(whole[8] * factors[8], weight[8])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_products_of_rounded_matrices_are_near(dtype: torch.dtype) -> None:
    weight, x = numbers(120, 256, seed=1) / 16, numbers(50, 256, seed=2)
    wanted = x.double() @ weight.double().T
    plain, coarse = (make_matrix(weight.to(dtype), is_rounded=one) for one in (False, True))
    assert isinstance(plain, PlainMatrix)
    assert isinstance(coarse, RoundedMatrix)
    errors = [float((one(x.to(dtype)).double() - wanted).norm() / wanted.norm()) for one in (plain, coarse)]
    assert coarse(x.to(dtype)).dtype == dtype
    assert errors[0] < errors[1] < 1e-2
