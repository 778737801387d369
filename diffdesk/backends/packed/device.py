"""What is asked of a GPU in more than one place, with the types that torch leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import torch

_cuda: Any = torch.cuda


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """What decides how kernels are cut.

    Attributes:
        shared: bytes of shared memory that a block may have.
        shared_of_processor: bytes that all blocks on one multiprocessor share.
        processors: number of multiprocessors.
        capability: compute capability, such as (9, 0).
    """

    shared: int
    shared_of_processor: int
    processors: int
    capability: tuple[int, int]


def limits_of(device: torch.device) -> DeviceLimits:
    """The limits of a GPU."""
    about: Any = torch.cuda.get_device_properties(device)
    return DeviceLimits(
        int(about.shared_memory_per_block_optin),
        int(about.shared_memory_per_multiprocessor),
        int(about.multi_processor_count),
        torch.cuda.get_device_capability(device),
    )


@cache
def stream_for(purpose: str, device: torch.device) -> torch.cuda.Stream:
    """A stream for one purpose, always the same one: libraries keep work space for each stream that they ever met."""
    return cast(torch.cuda.Stream, _cuda.Stream(device))


def new_event() -> torch.cuda.Event:
    """An event that was not recorded."""
    return cast(torch.cuda.Event, _cuda.Event())
