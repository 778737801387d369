"""``diffdesk doctor``: versions, hardware, models, and what is missing, each with its remedy."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from diffdesk import __version__
from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.core.errors import UserError
from diffdesk.models.hardware import Hardware, free_disk, look_at_hardware
from diffdesk.paths import Places, starter_dir

# package → what is lost without it, and the remedy
_PACKAGES: dict[str, str] = {
    "PySide6-Essentials": "the window can't open; install DiffDesk again",
    "numpy": "nothing works; install DiffDesk again",
    "pillow": "images can't be opened; install DiffDesk again",
    "rapidocr": "text in images can't be read; run: pip install rapidocr onnxruntime",
    "onnxruntime": "text in images can't be read; run: pip install rapidocr onnxruntime",
    "torch": 'models can\'t be run; run: pip install "diffdesk[gpu]"',
    "transformers": 'models can\'t be run; run: pip install "diffdesk[gpu]"',
    "accelerate": 'models can\'t be spread over several GPUs; run: pip install "diffdesk[gpu]"',
    "safetensors": 'models can\'t be run; run: pip install "diffdesk[gpu]"',
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    subject: str
    text: str
    is_fine: bool = True


def doctor(arguments: argparse.Namespace, places: Places) -> int:
    """Print the report; exit code 0 if everything that is needed is there."""
    hardware = look_at_hardware()
    findings = [
        Finding("DiffDesk", __version__),
        *_hardware_findings(hardware),
        *_package_findings(),
        *_place_findings(places),
        _starter_finding(),
        Finding("Backend", _choice(hardware)),
    ]
    is_fine = all(one.is_fine for one in findings)
    if arguments.json:
        print(json.dumps({"is_fine": is_fine, "findings": [asdict(one) for one in findings]}, ensure_ascii=False))
        return 0 if is_fine else 1
    width = max(len(one.subject) for one in findings)
    for one in findings:
        print(f"{'✓' if one.is_fine else '✗'} {one.subject:<{width}}  {one.text}")
    return 0 if is_fine else 1


def _hardware_findings(hardware: Hardware) -> list[Finding]:
    cores = f"{hardware.physical_cores} cores, {hardware.logical_cores} threads"
    memory = f"{hardware.memory / 2**30:.1f} GiB, {hardware.free_memory / 2**30:.1f} GiB free"
    cards = [f"{one.name}, {one.memory / 2**30:.0f} GiB, {one.free / 2**30:.0f} GiB free" for one in hardware.cards]
    return [
        Finding("System", hardware.system),
        Finding("Processor", f"{hardware.processor} ({cores})"),
        Finding("Memory", memory),
        Finding("NVIDIA GPU", "; ".join(cards) or "none found; models run on the processor"),
    ]


def _package_findings() -> list[Finding]:
    findings: list[Finding] = []
    for name, loss in _PACKAGES.items():
        try:
            findings.append(Finding(name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            findings.append(Finding(name, f"missing: {loss}", is_fine=False))
    return findings


def _place_findings(places: Places) -> list[Finding]:
    free = free_disk(places.data)
    text = f"{places.data} ({free / 2**30:.1f} GiB free)"
    if free < 200 * 2**20:
        return [Finding("Profile", f"{text}: nearly full; free some space or use --data-dir", is_fine=False)]
    return [Finding("Profile", text)]


def _starter_finding() -> Finding:
    return _model_finding("Starter model", starter_dir())


def _model_finding(subject: str, folder: Path) -> Finding:
    try:
        facts = inspect_checkpoint(folder)
    except UserError as error:
        return Finding(subject, f"{error.title}. {error.text} {error.remedy}", is_fine=False)
    size = f"{facts.parameters / 1e6:.1f} M parameters, {facts.bytes / 2**20:.0f} MiB"
    return Finding(subject, f"{size}, canvas of {facts.canvas_length} tokens, in {folder}")


def _choice(hardware: Hardware) -> str:
    if hardware.cards:
        largest = max(hardware.cards, key=lambda card: card.memory)
        return (
            f"Transformers on {largest.name}. The full model in bfloat16 needs about 52 GB of graphics memory, over "
            "all cards together; smaller checkpoints need the size of their folder and a quarter more."
        )
    return (
        "Transformers on the processor: right for the starter model. The full model would need 104 GB of memory in "
        "float32 and minutes for a canvas here."
    )
