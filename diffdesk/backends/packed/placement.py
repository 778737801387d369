"""Where a packed model runs and how it lies there; says before anything is loaded that it won't fit."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from diffdesk.backends.checkpoint import CheckpointFacts
from diffdesk.backends.packed.layout import PackedLayout
from diffdesk.backends.packed.plan import GIB, USABLE, MemoryPlan, choose_plan, plan_memory
from diffdesk.backends.transformers_backend.failures import not_enough_memory
from diffdesk.backends.transformers_backend.placement import check_device, gpus_asked_for, set_threads
from diffdesk.core.errors import EngineError, SettingError
from diffdesk.core.requests import ModelSpec

PRECISIONS = ("auto", "bfloat16", "int8", "float32")
LEAST_CAPABILITY = (8, 0)


@dataclass(frozen=True, slots=True)
class PackedPlacement:
    """Where a packed model runs.

    Attributes:
        device: one GPU, or the CPU, on which it is slow and meant for tests.
        dtype: number format of activations and of what isn't packed.
        plan: of its memory.
        snapshot_bytes: that snapshots of the cache may take.
        text: for people.
    """

    device: torch.device
    dtype: torch.dtype
    plan: MemoryPlan
    snapshot_bytes: int
    text: str


def place_packed(spec: ModelSpec, facts: CheckpointFacts, layout: PackedLayout) -> PackedPlacement:
    """Choose a device and a plan.

    Raises `SettingError` for a device or precision that there is none of, `EngineError` where the machine has no such
    device or too little memory.
    """
    if spec.precision not in PRECISIONS:
        raise SettingError(
            f"Precision can't be “{spec.precision}”",
            "A packed model takes auto, bfloat16, or int8 (attention and dense layers in 8 bits, for small cards).",
            "Choose one of these.",
        )
    if spec.context < 0:
        raise SettingError(
            f"Context can't be {spec.context}", "It is a number of tokens; 0 lets DiffDesk choose.", "Choose 0 or more."
        )
    kind = check_device(spec.device)
    if kind == "cuda":
        return _on_gpu(spec, facts, layout)
    return _on_cpu(spec, facts, layout)


def _on_cpu(spec: ModelSpec, facts: CheckpointFacts, layout: PackedLayout) -> PackedPlacement:
    dtype = torch.float32 if spec.precision in ("auto", "float32") else torch.bfloat16
    free = psutil.virtual_memory().available
    plan = plan_memory(
        layout.architecture,
        facts.entries,
        is_lean=spec.precision == "int8",
        context=min(spec.context or 4096, facts.context_length),
        width=dtype.itemsize,
    )
    if plan.needed + plan.in_main_memory > free * USABLE:
        raise not_enough_memory(
            "load this model",
            f"Without a graphics card it takes {plan.needed / GIB:.1f} GiB of memory; {free / GIB:.1f} GiB are free. "
            "It would be slow as well: for processors there is the GGUF file of this model.",
        )
    threads = set_threads()
    text = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    return PackedPlacement(torch.device("cpu"), dtype, plan, 1 << 29, text)


def _on_gpu(spec: ModelSpec, facts: CheckpointFacts, layout: PackedLayout) -> PackedPlacement:
    if spec.precision == "float32":
        raise SettingError(
            "Precision can't be “float32”", "On a graphics card a packed model works in bfloat16.", "Choose auto."
        )
    free = {index: int(torch.cuda.mem_get_info(index)[0]) for index in gpus_asked_for(spec.device)}
    roomiest = max(free, key=lambda index: free[index])
    name = torch.cuda.get_device_name(roomiest)
    if torch.cuda.get_device_capability(roomiest) < LEAST_CAPABILITY:
        raise EngineError(
            "This graphics card is too old for this model",
            f"{name} can't compute in bfloat16; cards from the year 2020 on can.",
            "Use the GGUF file of this model, which runs on any card and on the processor.",
        )
    lean = {"auto": None, "bfloat16": False, "int8": True}[spec.precision]
    plan = choose_plan(layout.architecture, facts.entries, free[roomiest], spec.context, lean)
    if plan.needed > free[roomiest] * USABLE:
        raise not_enough_memory(
            "load this model",
            f"It takes {plan.describe()}. {free[roomiest] / GIB:.1f} GiB are free on {name}.",
            on_gpu=True,
        )
    spare = free[roomiest] - plan.needed
    device = torch.device("cuda", roomiest)
    return PackedPlacement(device, torch.bfloat16, plan, min(1 << 30, max(0, spare // 4)), name)
