"""What a layer does between its matrix products: the contract, and each operator in plain torch.

The plain ones run on any device and are what the fused ones of `fused` are compared with. Rows are tokens; H is the
width of the residual stream, E the number of experts, K how many of them a token uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from diffdesk.backends.packed.weights import LayerWeights, Routing
from diffdesk.backends.transformers_backend.reduction import StepInputs, reduce_rows


@dataclass(frozen=True, slots=True)
class Places:
    """Where the rows of a pass stand, for the layers of one kind.

    Attributes:
        cosines, sines: float32[T, D/2], of the angles that each pair of a head is turned by.
        slot: int32[1], the cache slot of the first row; the others follow.
        first, last: int32[T], the slots that each row sees.
    """

    cosines: Tensor
    sines: Tensor
    slot: Tensor
    first: Tensor
    last: Tensor


@dataclass(frozen=True, slots=True)
class LayerCache:
    """The keys and values of one layer, [slots, key heads, D] each."""

    keys: Tensor
    values: Tensor


Branches = tuple[Tensor, Tensor, Routing]  # rows of the dense MLP, sorted rows of the experts, and their routing


class Operators(Protocol):
    """The operators between the products of a layer."""

    def norm(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """RMS norm of the rows of [T, H]."""

    def heads(self, projected: Tensor, layer: LayerWeights, cache: LayerCache, places: Places) -> Tensor:
        """Norm and turn the heads of [T, …]; writes keys and values into the cache, gives queries [T, heads, D]."""

    def attend(self, queries: Tensor, cache: LayerCache, places: Places) -> Tensor:
        """Attention of queries [T, heads, D] to the slots that each row sees; [T, heads · D]."""

    def after_attention(
        self, residual: Tensor, attended: Tensor, layer: LayerWeights
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The new residual, and what goes into the dense MLP, the experts and the router; [T, H] each.

        The experts' rows are interleaved where these want them so.
        """

    def route(self, x: Tensor, layer: LayerWeights, used: int) -> Routing:
        """The experts of each row, from what goes into the router, [T, H]."""

    def gated(self, both: Tensor) -> Tensor:
        """GELU (by tanh) of the first half of each row times its second half."""

    def after_experts(
        self,
        residual: Tensor,
        branches: tuple[Tensor, Tensor, Routing],
        layer: LayerWeights,
        ends: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """The layer's output [T, H] and its norm for what follows.

        `branches` are the dense MLP's rows [T, H], the experts' sorted rows [T·K, H] and the routing; `ends` the
        layer's scalar [1] and the weight of the norm that follows.
        """

    def reduce(self, logits: Tensor, inputs: StepInputs, cap: float) -> Tensor:
        """Numbers float32 [L, 5] of each position: argmax, draw, entropy, probability of both argmax and canvas token.

        The logits [L, V] before the soft cap become the probabilities at the step's temperature, in place.
        """

    def beside(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Begin `work`, which may run beside what follows; calling what is returned gives its result."""


class PlainOperators:
    """Each operator in torch, as transformers computes it."""

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    def norm(self, x: Tensor, weight: Tensor | None) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self._epsilon)
        return (wide if weight is None else wide * weight.float()).to(x.dtype)

    def heads(self, projected: Tensor, layer: LayerWeights, cache: LayerCache, places: Places) -> Tensor:
        rows, width = projected.shape[0], layer.head_dim
        split = projected.view(rows, -1, width)
        queries, keys = split[:, : layer.heads], split[:, layer.heads : layer.heads + layer.key_heads]
        values = split[:, -layer.key_heads :]  # the keys themselves where there is no projection of values
        at = places.slot.long() + torch.arange(rows, device=projected.device)
        cache.values.index_copy_(0, at, self.norm(values, None))
        cache.keys.index_copy_(0, at, _turned(self.norm(keys, layer.key_norm), places))
        return _turned(self.norm(queries, layer.query_norm), places)

    def attend(self, queries: Tensor, cache: LayerCache, places: Places) -> Tensor:
        rows, heads, width = queries.shape
        begin, end = int(places.first.min()), int(places.last.max()) + 1
        at = torch.arange(begin, end, device=queries.device)
        seen = (at >= places.first[:, None]) & (at <= places.last[:, None])
        keys, values = cache.keys[begin:end], cache.values[begin:end]
        group = heads // keys.shape[1]
        attended = functional.scaled_dot_product_attention(
            queries.transpose(0, 1)[None],
            keys.repeat_interleave(group, 1).transpose(0, 1)[None],
            values.repeat_interleave(group, 1).transpose(0, 1)[None],
            attn_mask=None if bool(seen.all()) else seen,
            scale=1.0,
        )
        return attended[0].transpose(0, 1).reshape(rows, heads * width)

    def after_attention(
        self, residual: Tensor, attended: Tensor, layer: LayerWeights
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        summed = residual + self.norm(attended, layer.after_attention)
        experts_in = self.norm(summed, layer.before_experts)
        root = residual.shape[-1] ** -0.5
        return (
            summed,
            self.norm(summed, layer.before_dense),
            interleaved(experts_in) if layer.experts.is_interleaved else experts_in,
            self.norm(summed, None) * layer.router_scale * root,
        )

    def route(self, x: Tensor, layer: LayerWeights, used: int) -> Routing:
        scores = functional.linear(x, layer.router)
        shares, chosen = torch.softmax(scores, -1, dtype=torch.float32).topk(used, -1)
        shares = shares / shares.sum(-1, keepdim=True) * layer.expert_scales.float()[chosen]
        flat = chosen.flatten()
        order = torch.argsort(flat, stable=True)
        slots = torch.empty_like(order)
        slots[order] = torch.arange(len(order), device=order.device)
        counts = torch.bincount(flat, minlength=scores.shape[-1])
        offsets = functional.pad(counts.cumsum(0), (1, 0))
        return Routing(chosen.int(), shares, offsets.int(), order.int(), slots.view_as(chosen).int())

    def gated(self, both: Tensor) -> Tensor:
        gate, up = both.chunk(2, -1)
        return functional.gelu(gate, approximate="tanh") * up

    def after_experts(
        self,
        residual: Tensor,
        branches: tuple[Tensor, Tensor, Routing],
        layer: LayerWeights,
        ends: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        dense, experts, routing = branches
        scalar, following = ends
        rows = experts[routing.slots.long().flatten()].view(*routing.slots.shape, -1)
        mixed = (rows.float() * routing.shares[..., None]).sum(1).to(dense.dtype)
        both = self.norm(dense, layer.after_dense) + self.norm(mixed, layer.after_experts)
        out = (residual + self.norm(both, layer.after_both)) * scalar
        return out, self.norm(out, following)

    def reduce(self, logits: Tensor, inputs: StepInputs, cap: float) -> Tensor:
        processed = logits.float()
        if cap:
            processed = processed.div_(cap).tanh_().mul_(cap)
        numbers = reduce_rows(processed, inputs)
        logits.copy_(torch.softmax(processed, -1))
        return numbers[:, :5].float()

    def beside(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        made = work()
        return lambda: made


def interleaved(x: Tensor) -> Tensor:
    """The values of each eight of a row in the order 0 4 1 5 2 6 3 7, as `experts_kernel` wants them."""
    return x.reshape(*x.shape[:-1], -1, 2, 4).transpose(-1, -2).flatten(-3)


def _turned(x: Tensor, places: Places) -> Tensor:
    """Heads [T, n, D] turned by their places: pair i is made of the values i and i + D/2."""
    low, high = x.float().chunk(2, -1)
    cosines, sines = places.cosines[:, None], places.sines[:, None]
    return torch.cat([low * cosines - high * sines, high * cosines + low * sines], -1).to(x.dtype)
