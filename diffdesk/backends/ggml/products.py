"""The matrix products of a graph by themselves: what its time is to be compared with.

The same weights, formats, shapes and threads, in the same order, on random numbers; what a graph does besides is left
out. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from diffdesk.backends.ggml.binding import I32
from diffdesk.backends.ggml.compute import Computation, write, write_bytes
from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.graph import F32, Node, Product
from diffdesk.backends.ggml.plans import Parts
from diffdesk.backends.gguf.types import TensorType

EXPERTS, LAYERS, EMBEDDING, OTHERS = "experts", "dense layers", "embedding", "attention and others"


def products_by_part(parts: Parts, products: Sequence[Product]) -> dict[str, Products]:
    """The products of a graph by what they are for: those with the experts' weights, the layers' other weights, the
    embedding (logits and self-conditioning), and with what the graph itself computes.
    """
    names = {node.address: name for name, node in parts.nodes.items()}
    found: dict[str, list[Product]] = {EXPERTS: [], LAYERS: [], EMBEDDING: [], OTHERS: []}
    for one in products:
        found[_part(names.get(one.origin, ""))].append(one)
    return {part: Products(parts.device, listed, names) for part, listed in found.items() if listed}


def _part(name: str) -> str:
    if name.endswith("_exps.weight"):
        return EXPERTS
    if name.startswith("token_embd"):
        return EMBEDDING
    return LAYERS if name else OTHERS


class Products:
    """A graph of nothing but products.

    Args:
        device: computes it.
        products: of the graph that is measured.
        kept: addresses of tensors that lie in memory of their own, such as weights; everything else on the left side
            of a product is replaced by random numbers.
    """

    def __init__(self, device: Device, products: Sequence[Product], kept: Collection[int]) -> None:
        self._computation = Computation(device)
        self._inputs: dict[tuple[object, ...], Node] = {}
        self._most_chosen: dict[int, int] = {}
        build = self._computation.build
        for one in products:
            dense = one.weights if one.origin in kept else self._input(one.weights.kind, one.weights.shape)
            right = self._input(F32, one.shape)
            if one.chosen is None:
                self._computation.need(build.matmul(dense, right))
            else:
                chosen = self._input(I32, one.chosen)
                self._most_chosen[chosen.address] = one.weights.shape[2]
                self._computation.need(build.matmul_chosen(dense, right, chosen))
        self._computation.plan()

    def _input(self, kind: int, shape: tuple[int, ...]) -> Node:
        key = (kind, shape)
        if key not in self._inputs:
            self._inputs[key] = self._computation.input(kind, *shape)
        return self._inputs[key]

    def run(self) -> None:
        """Compute them all."""
        self._computation.run()

    def fill(self) -> None:
        """Write random numbers on the right sides; before each run."""
        random = np.random.default_rng(1)
        for node in self._inputs.values():
            many = int(np.prod(node.shape))
            if node.kind == I32:
                write(node, random.integers(0, self._most_chosen[node.address], many, dtype=np.int32))
            elif node.kind in (F32, int(TensorType.F16)):
                kind = np.float32 if node.kind == F32 else np.float16
                write(node, random.standard_normal(many, np.float32).astype(kind))
            else:
                write_bytes(node, np.zeros(TensorType(node.kind).bytes_of(node.shape), np.uint8))

    def close(self) -> None:
        """Free it."""
        self._computation.close()
