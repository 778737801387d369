"""Checkpoint folders to convert: tiny ones of every number format, in shards, and in NVIDIA's 4-bit layout."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.unit.backends import tiny

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


def made(folder: Path, shape: str = "plain", dtype: torch.dtype = torch.float32) -> Path:
    """A tiny model whose layers' scalars differ between encoder and decoder, in a number format."""
    tiny.save(tiny.BY_NAME[shape], folder)
    tensors = load_file(folder / SINGLE)
    for index, name in enumerate(sorted(tensors)):
        if name.endswith("layer_scalar"):
            tensors[name] = torch.full((1,), 0.5 + index / 128)
    save_file({name: one.to(dtype) for name, one in tensors.items()}, folder / SINGLE, {"format": "pt"})
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder by name."""
    found: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= load_file(path)
    return found


def replace(folder: Path, tensors: dict[str, torch.Tensor], shards: int = 1) -> Path:
    """Give a folder other tensors, spread over so many files."""
    for path in folder.glob("*.safetensors"):
        path.unlink()
    if shards == 1:
        save_file(tensors, folder / SINGLE)
        return folder
    where = {name: f"model-{index % shards + 1}.safetensors" for index, name in enumerate(sorted(tensors))}
    for shard in set(where.values()):
        save_file({name: one for name, one in tensors.items() if where[name] == shard}, folder / shard)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return folder


def packed(folder: Path, seed: int = 0, spread: float = 0.03) -> dict[str, torch.Tensor]:
    """Turn a folder into NVIDIA's layout with random experts; gives the values of the stacked experts, by name.

    The values are computed one by one, from the layout's description; they spread about so far, as scales are drawn
    evenly from all there are.
    """
    rng = torch.Generator().manual_seed(seed)
    tensors, truth = weights(folder), {}
    for name in [one for one in tensors if ".experts." in one]:
        stacked = tensors.pop(name)
        layer = name.rsplit(".", 1)[0]
        experts = []
        for expert in range(stacked.shape[0]):
            whole = name.endswith("gate_up_proj")
            parts = ("gate_proj", "up_proj") if whole else ("down_proj",)
            experts.append(torch.cat([_pack(tensors, f"{layer}.{expert}.{part}", stacked.shape[1] // len(parts),
                                            stacked.shape[2], rng, spread) for part in parts]))  # fmt: skip
        truth[name] = torch.stack(experts)
    replace(folder, tensors, shards=2)
    tiny.edit_json(folder / "config.json", quantization_config={"quant_method": "modelopt", "quant_algo": "NVFP4"})
    return truth


def _pack(
    tensors: dict[str, torch.Tensor], name: str, rows: int, columns: int, rng: torch.Generator, spread: float
) -> torch.Tensor:
    magnitudes = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    nibbles = torch.randint(0, 16, (rows, columns), generator=rng)
    scales = torch.randint(0, 0x7F, (rows, columns // 16), generator=rng, dtype=torch.uint8).view(torch.float8_e4m3fn)
    whole = torch.rand((), generator=rng) * spread / 30
    tensors[f"{name}.weight"] = (nibbles[:, 0::2] | (nibbles[:, 1::2] << 4)).to(torch.uint8)
    tensors[f"{name}.weight_scale"] = scales
    tensors[f"{name}.weight_scale_2"] = whole
    tensors[f"{name}.input_scale"] = torch.tensor(1.0)
    sign = 1 - 2 * (nibbles >> 3)
    return sign * magnitudes[nibbles & 7] * scales.float().repeat_interleave(16, dim=1) * whole
