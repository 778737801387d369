"""``diffdesk doctor``: versions, hardware, models, and what is missing, each with its remedy."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from diffdesk import __version__
from diffdesk.backends import registry
from diffdesk.backends.checkpoint import inspect_checkpoint
from diffdesk.core.errors import RecogniserError, UserError
from diffdesk.documents.recogniser import Recogniser
from diffdesk.documents.tesseract import find_tesseract
from diffdesk.engine.probe import PACKAGE, ask_library
from diffdesk.models.hardware import Hardware, free_disk, look_at_hardware
from diffdesk.paths import Places, starter_dir
from diffdesk.services.choice import ADD_TORCH, describe_choice
from diffdesk.services.models import STARTER_FILE, starter_model

# package → what is lost without it, and the remedy
_PACKAGES: dict[str, str] = {
    "PySide6-Essentials": "the window can't open; install DiffDesk again",
    "numpy": "nothing works; install DiffDesk again",
    "pillow": "images can't be opened; install DiffDesk again",
    "rapidocr": "text in images can't be read; run: pip install rapidocr onnxruntime",
    "onnxruntime": "text in images can't be read; run: pip install rapidocr onnxruntime",
}
# Of the extra `gpu`: all of them or none.
_TORCH_PACKAGES = ("torch", "transformers", "accelerate", "safetensors")


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
        *_page_findings(),
        _tesseract_finding(),
        _library_finding(),
        *_torch_findings(),
        *_place_findings(places),
        *_starter_findings(),
        Finding("Which model", describe_choice(hardware.cards, has_torch=registry.is_installed(registry.TRANSFORMERS))),
    ]
    is_fine = all(one.is_fine for one in findings)
    if arguments.json:
        print(json.dumps({"is_fine": is_fine, "findings": [asdict(one) for one in findings]}, ensure_ascii=False))
        return 0 if is_fine else 1
    _print(findings)
    return 0 if is_fine else 1


def _print(findings: Sequence[Finding]) -> None:
    """One line each; on a terminal long ones go on below themselves."""
    width = max(len(one.subject) for one in findings)
    columns = max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 10_000
    for one in findings:
        head = f"{'✓' if one.is_fine else '✗'} {one.subject:<{width}}  "
        print(textwrap.fill(one.text, columns, initial_indent=head, subsequent_indent=" " * len(head)))


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
        version = _version(name)
        findings.append(Finding(name, version or f"missing: {loss}", is_fine=bool(version)))
    return findings


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _page_findings() -> list[Finding]:
    """What opens PDFs and HEIC photos; loaded in the process that does it, for it is native code."""
    recogniser = Recogniser()
    try:
        found = recogniser.versions()
    except RecogniserError as error:
        lost = f"{error.title}. {error.text} {error.remedy}"
        return [Finding(subject, lost, is_fine=False) for subject in ("PDF pages", "HEIC photos")]
    finally:
        recogniser.close()
    pdf, heic = found["pdf"], found["heic"]
    return [
        Finding("PDF pages", pdf or "can't be opened; run: pip install pypdfium2", is_fine=bool(pdf)),
        Finding("HEIC photos", heic or "can't be opened; run: pip install pillow-heif", is_fine=bool(heic)),
    ]


def _tesseract_finding() -> Finding:
    """It is only used where the user has it and prefers it."""
    try:
        found = find_tesseract()
    except RecogniserError as error:
        return Finding("Tesseract", f"not used: {error.text} It is optional.")
    return Finding(
        "Tesseract", f"{found.version} with {', '.join(found.languages)}, in {found.program}; it is optional"
    )


def _library_finding() -> Finding:
    """What GGUF files are run with; asked in a process of its own, for it may crash."""
    state = ask_library()
    if not state.package:
        return Finding(PACKAGE, state.problem, is_fine=False)
    known = f"{state.package}, ggml {state.ggml}" if state.ggml else state.package
    if state.problem:
        return Finding(PACKAGE, f"{known}: {state.problem}", is_fine=False)
    cards = f"; it can use {', '.join(state.cards)}" if state.cards else ", built for the processor alone"
    return Finding(PACKAGE, f"{known}{cards}; its self-test is right ({state.seconds:.1f} s)")


def _torch_findings() -> list[Finding]:
    """What folders of safetensors files are run with. None of it is needed; a part of it is a mistake."""
    found = {name: _version(name) for name in _TORCH_PACKAGES}
    if not any(found.values()):
        text = f"not installed; only needed for folders of safetensors files and large GPUs: {ADD_TORCH}"
        return [Finding("torch", text)]
    return [
        Finding(name, version or f"missing, though others of its extra are here; run: {ADD_TORCH}", bool(version))
        for name, version in found.items()
    ]


def _place_findings(places: Places) -> list[Finding]:
    free = free_disk(places.data)
    text = f"{places.data} ({free / 2**30:.1f} GiB free)"
    if free < 200 * 2**20:
        return [Finding("Profile", f"{text}: nearly full; free some space or use --data-dir", is_fine=False)]
    return [Finding("Profile", text)]


def _starter_findings() -> list[Finding]:
    """The starter model in both of its forms, the one that is used first; the other one may be missing."""
    file, folder = starter_dir() / STARTER_FILE, starter_dir()
    found = [
        _model_finding("Starter, GGUF", file, lambda: registry.inspect_model(file)),
        _model_finding("Starter, folder", folder, lambda: inspect_checkpoint(folder)),
    ]
    if starter_model() == folder:
        found.reverse()
    used, other = found
    return [used, other if other.is_fine else Finding(other.subject, "not here; the other form is used")]


def _model_finding(subject: str, path: Path, inspect: Callable[[], registry.ModelFacts]) -> Finding:
    try:
        facts = inspect()
    except UserError as error:
        return Finding(subject, f"{error.title}. {error.text} {error.remedy}", is_fine=False)
    size = f"{facts.parameters / 1e6:.1f} M parameters, {facts.precision}, {facts.bytes / 2**20:.0f} MiB"
    return Finding(subject, f"{size}, canvas of {facts.canvas_length} tokens, in {path}")
