"""A network of the starter's kind that is small enough for tests."""

from __future__ import annotations

import torch
from starter.network import Shape, Weights, initial_weights

SMALL = Shape(
    hidden=64,
    layers=2,
    heads=2,
    head=32,
    dense=96,
    experts=3,
    expert=32,
    sight=64,
    sight_layers=2,
    sight_heads=2,
    sight_dense=96,
)


def lively_weights(shape: Shape = SMALL) -> Weights:
    """Random weights: norms that differ from each other, and logits that differ from position to position."""
    weights = initial_weights(shape, 0)
    random = torch.Generator().manual_seed(1)
    for name, weight in weights.items():
        if weight.dim() == 1:
            weight.add_(torch.randn(weight.shape, generator=random), alpha=0.1)
        elif "proj" in name:
            weight.mul_(3)
    return weights
