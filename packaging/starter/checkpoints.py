"""Weights in files: two of float16 for each checkpoint, each under 16 MB."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from starter.network import Weights


def save_checkpoint(weights: Weights, folder: Path, name: str) -> None:
    """Write ``name_a.safetensors`` and ``name_b.safetensors``, of about the same size."""
    halves = {key: weight.detach().to(torch.float16).cpu().contiguous() for key, weight in sorted(weights.items())}
    middle = sum(one.numel() for one in halves.values()) / 2
    parts: tuple[Weights, Weights] = ({}, {})
    total = 0
    for key, half in halves.items():
        parts[total >= middle][key] = half
        total += half.numel()
    for part, letter in zip(parts, "ab", strict=True):
        save_file(part, folder / f"{name}_{letter}.safetensors")


def read_checkpoint(name: Path) -> Weights:
    """float32 weights of the checkpoint whose files begin with this path.

    Raises:
        FileNotFoundError: a part is missing.
    """
    weights: Weights = {}
    for letter in "ab":
        file = name.with_name(f"{name.name}_{letter}.safetensors")
        weights |= {key: weight.float() for key, weight in load_file(file).items()}
    return weights
