"""What this machine has, found without importing any model library."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class GraphicsCard:
    """One NVIDIA card. Memory in bytes."""

    name: str
    memory: int
    free: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """The machine. Memory and disk in bytes."""

    system: str
    processor: str
    physical_cores: int
    logical_cores: int
    memory: int
    free_memory: int
    cards: tuple[GraphicsCard, ...]


def look_at_hardware() -> Hardware:
    """Ask the system; takes a few milliseconds, a little longer where there is an NVIDIA driver."""
    memory = psutil.virtual_memory()
    return Hardware(
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        processor=_processor_name(),
        physical_cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        logical_cores=psutil.cpu_count() or 1,
        memory=memory.total,
        free_memory=memory.available,
        cards=_nvidia_cards(),
    )


def free_disk(folder: Path) -> int:
    """Bytes free where `folder` lies."""
    return shutil.disk_usage(folder).free


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _nvidia_cards() -> tuple[GraphicsCard, ...]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    cards: list[GraphicsCard] = []
    for line in answer.splitlines():
        name, total, free = (part.strip() for part in line.rsplit(",", 2))
        if total.isdigit() and free.isdigit():
            cards.append(GraphicsCard(name, int(total) * 2**20, int(free) * 2**20))
    return tuple(cards)
