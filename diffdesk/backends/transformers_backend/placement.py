"""Where a model's weights go and in which number format: the CPU, one GPU, or a stack of layers over several GPUs.

Decides from sizes alone, before anything is loaded, so that too little memory is said at once and not after minutes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil
import torch

from diffdesk.backends.checkpoint import CheckpointFacts
from diffdesk.backends.threads import usable_cores
from diffdesk.backends.transformers_backend.failures import not_enough_memory
from diffdesk.core.errors import EngineError, SettingError
from diffdesk.core.requests import ModelSpec

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
USABLE = 0.9  # share of the free memory that weights and work space may take
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model runs.

    Attributes:
        dtype: number format of weights and activations.
        device_map: module name → device, as transformers takes it; None for the CPU.
        text: for people.
    """

    dtype: torch.dtype
    device_map: Mapping[str, str] | None
    text: str


def place(spec: ModelSpec, facts: CheckpointFacts) -> Placement:
    """Choose device and number format.

    Raises `SettingError` for a device or precision that there is none of, `EngineError` where the machine has no such
    device or too little memory.
    """
    if spec.precision not in ("auto", *DTYPES):
        raise SettingError(
            f"Precision can't be “{spec.precision}”", f"It is auto, {' or '.join(DTYPES)}.", "Choose one of these."
        )
    if check_device(spec.device) == "cpu":
        return _on_cpu(spec.precision, facts)
    return _on_gpus(spec, facts)


def check_device(asked: str) -> str:
    """The kind of device to use, "cpu" or "cuda", from what was asked for, such as "auto" or "cuda:1".

    Raises `SettingError` for one that there is none of, `EngineError` where the machine has no such device.
    """
    kind = asked.partition(":")[0]
    if kind not in ("auto", "cpu", "cuda"):
        raise SettingError(
            f"Device can't be “{asked}”", "It is auto, cpu, cuda, or cuda:0 for one card.", "Choose one of these."
        )
    if kind == "cpu" or (kind == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise EngineError(
            "No NVIDIA graphics card can be used",
            "None was found, or its driver does not fit the installed PyTorch.",
            "Choose the device “auto” or “cpu”, or install the driver and the CUDA build of PyTorch.",
        )
    return "cuda"


def work_bytes(facts: CheckpointFacts) -> int:
    """Memory of a step besides weights and KV cache: logits and self-conditioning, twice, and running sums."""
    return 4 * facts.canvas_length * facts.vocab_size * 4 + (256 << 20)


def _on_cpu(precision: str, facts: CheckpointFacts) -> Placement:
    memory = psutil.virtual_memory()
    work = work_bytes(facts)
    fits_float32 = facts.parameters * 4 + work < memory.available * USABLE
    chosen = precision if precision != "auto" else "float32" if fits_float32 else "bfloat16"
    dtype = DTYPES[chosen]
    needed = facts.parameters * dtype.itemsize + work
    if needed > memory.total:
        raise not_enough_memory(
            "load this model",
            f"It takes {needed / GIB:.1f} GiB as {chosen}; this computer has {memory.total / GIB:.1f} GiB.",
        )
    threads = set_threads()
    return Placement(dtype, None, f"CPU, {threads} thread{'s' if threads > 1 else ''}")


def set_threads() -> int:
    """Have torch use the cores that there are, unless OMP_NUM_THREADS says otherwise; gives their number."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(usable_cores())
    return torch.get_num_threads()


def _on_gpus(spec: ModelSpec, facts: CheckpointFacts) -> Placement:
    chosen = spec.precision if spec.precision != "auto" else "bfloat16"
    dtype = DTYPES[chosen]
    indices = gpus_asked_for(spec.device)
    free = {index: int(torch.cuda.mem_get_info(index)[0] * USABLE) for index in indices}
    weights = facts.parameters * dtype.itemsize
    roomiest = max(free, key=lambda index: free[index])
    needed = weights + work_bytes(facts)
    if needed <= free[roomiest]:
        name = torch.cuda.get_device_name(roomiest)
        return Placement(dtype, {"": f"cuda:{roomiest}"}, name)
    sizes = {name: one.elements * dtype.itemsize for name, one in facts.entries.items()}
    device_map = spread_layers(sizes, facts.layers, free, work_bytes(facts))
    if device_map is None:
        raise not_enough_memory(
            "load this model",
            f"It takes {needed / GIB:.1f} GiB as {chosen}; {sum(free.values()) / GIB:.1f} GiB are free on "
            f"{len(free)} graphics card{'s' if len(free) > 1 else ''}.",
        )
    used = sorted(set(device_map.values()))
    text = f"{len(used)} × {torch.cuda.get_device_name(indices[0])}"
    return Placement(dtype, device_map, text)


def gpus_asked_for(device: str) -> list[int]:
    """The numbers of the cards that may be used; raises `SettingError` where there is none of the number given."""
    count = torch.cuda.device_count()
    _, _, number = device.partition(":")
    if not number:
        return list(range(count))
    if not number.isdecimal() or int(number) >= count:
        raise SettingError(
            f"Device can't be “{device}”", f"There are {count} graphics cards, numbered from 0.", "Choose one of them."
        )
    return [int(number)]


def spread_layers(sizes: Mapping[str, int], layers: int, free: Mapping[int, int], work: int) -> dict[str, str] | None:
    """Put whole layers on GPUs one after the other; None where they don't fit.

    `sizes` are bytes by tensor name, `free` the usable bytes of each GPU. A layer's encoder and decoder halves share
    their weights and the KV cache, so they always stand together. All that is no layer, and the work space of a step,
    goes to the first GPU, where steps begin and end. Each GPU gets a share of layers in proportion to its room, so that
    room for the KV cache is left on all of them.
    """
    of_layer = [0] * layers
    rest = work
    for name, size in sizes.items():
        layer = _text_layer(name)
        if layer is not None and layer < layers:
            of_layer[layer] += size
        else:
            rest += size
    devices = list(free)
    room = {index: size - (rest if index == devices[0] else 0) for index, size in free.items()}
    if min(room.values()) < 0:
        return None
    share = _share(of_layer, [room[index] for index in devices])
    if share is None:
        return None
    first = f"cuda:{devices[0]}"
    device_map = dict.fromkeys(_NOT_LAYERS, first)
    for layer, place_in_list in enumerate(share):
        for stack in ("model.encoder.language_model", "model.decoder"):
            device_map[f"{stack}.layers.{layer}"] = f"cuda:{devices[place_in_list]}"
    return device_map


def _text_layer(name: str) -> int | None:
    """The layer that a tensor belongs to; None for the vision tower's and for what is in no layer."""
    number = name.partition(".layers.")[2].partition(".")[0]
    return int(number) if number.isdecimal() and ".vision_tower." not in name else None


_NOT_LAYERS = (
    "model.encoder.vision_tower",
    "model.encoder.embed_vision",
    "model.encoder.language_model.embed_tokens",
    "model.encoder.language_model.norm",
    "model.encoder.language_model.rotary_emb",
    "model.decoder.embed_tokens",
    "model.decoder.norm",
    "model.decoder.rotary_emb",
    "model.decoder.self_conditioning",
    "lm_head",
)


def _share(of_layer: Sequence[int], room: Sequence[int]) -> list[int] | None:
    """The device of each layer, in order; None where they don't fit."""
    total, everywhere = sum(of_layer), sum(room)
    if total > everywhere:
        return None
    chosen: list[int] = []
    device, used, placed = 0, 0, 0
    for size in of_layer:
        # Go on to the next device when this one has its proportion of all layers, or is full.
        while device < len(room) - 1 and (
            used + size > room[device] or placed + size / 2 > total * sum(room[: device + 1]) / everywhere
        ):
            device, used = device + 1, 0
        if used + size > room[device]:
            return None
        chosen.append(device)
        used, placed = used + size, placed + size
    return chosen
