"""The weights of a packed model in memory, as the network wants them. Knows nothing of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Matrix(Protocol):
    """A matrix that maps rows of k values to rows of n."""

    def __call__(self, x: Tensor) -> Tensor:
        """[T, n] from [T, k]."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Which experts work on which rows.

    Attributes:
        chosen: int32[T, K], experts of each row, best first.
        shares: float32[T, K], their weights.
        offsets: int32[E + 1], where each expert's rows begin among all T·K sorted ones.
        order: int32[T·K], for each sorted row the entry of `chosen` that it belongs to, counted by rows.
        slots: int32[T, K], for each entry its sorted row.
    """

    chosen: Tensor
    shares: Tensor
    offsets: Tensor
    order: Tensor
    slots: Tensor


class Experts(Protocol):
    """The experts of one layer.

    Attributes:
        is_interleaved: rows have to come with the values of each eight in the order 0 4 1 5 2 6 3 7.
        waits: it waits for the device, so that a step with it can't be recorded.
    """

    @property
    def is_interleaved(self) -> bool: ...

    @property
    def waits(self) -> bool: ...

    def __call__(self, x: Tensor, routing: Routing) -> Tensor:
        """Sorted rows [T·K, H] from rows [T, H]: down(GELU(gate) · up) of every entry of the routing."""


@dataclass(slots=True)
class LayerWeights:
    """One layer. Norms and scales are vectors; `qkv` has the rows of queries, keys and, if there are any, values."""

    is_sliding: bool
    heads: int
    key_heads: int
    head_dim: int
    has_values: bool
    qkv: Matrix
    out: Matrix
    gate_up: Matrix
    down: Matrix
    router: Tensor
    experts: Experts
    before_attention: Tensor
    query_norm: Tensor
    key_norm: Tensor
    after_attention: Tensor
    before_dense: Tensor
    before_experts: Tensor
    router_scale: Tensor
    expert_scales: Tensor
    after_dense: Tensor
    after_experts: Tensor
    after_both: Tensor
    encoder_scalar: Tensor
    decoder_scalar: Tensor


@dataclass(slots=True)
class ModelWeights:
    """The whole text model. `conditioning_*` are those of self-conditioning, `embedding` is [V, H] and the head too."""

    embedding: Tensor
    final_norm: Tensor
    conditioning_norm: Tensor
    conditioning_gate_up: Matrix
    conditioning_down: Matrix
    layers: list[LayerWeights]
