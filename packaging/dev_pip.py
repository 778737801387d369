"""Installing with pip: whole lock files, and the build of torch that fits the machine.

What pip says is passed on; where it fails, the reason is put into a sentence with a remedy.
It must not know where the environment comes from. Standard library only.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev_report import SetupError, say

_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Failed to establish a new connection|name resolution"
    r"|Network is unreachable|ConnectTimeout|ReadTimeout|ProxyError|Connection refused|connection broken"
    r"|getaddrinfo failed"
)
_NO_SPACE = re.compile(r"No space left on device|Errno 28|not enough space on the disk|Disk quota exceeded")
_NO_MATCH = re.compile(r"No matching distribution found for (\S+)")


class PipError(SetupError):
    """pip failed.

    Args:
        text: why, in a sentence.
        remedy: what to do.
        is_disk_full: no other way of installing can succeed either.
    """

    def __init__(self, text: str, remedy: str, *, is_disk_full: bool = False) -> None:
        super().__init__(text, remedy)
        self.is_disk_full = is_disk_full


def explain_pip_failure(log: str) -> PipError:
    """Turn what pip wrote to its error stream into an error with a remedy."""
    if _NO_SPACE.search(log):
        return PipError(
            "the disk is full.",
            "Free some gigabytes (`pip cache purge` may help), then run this again.",
            is_disk_full=True,
        )
    missing = _NO_MATCH.search(log)
    # Without a network pip ends in "no matching distribution" too, so this comes first.
    if _NO_NETWORK.search(log):
        return PipError(
            "the package index can't be reached.",
            "Check the network or the proxy (HTTPS_PROXY), then run this again; what was fetched is kept.",
        )
    if missing:
        return PipError(
            f"no package index offers {missing[1]} for this system and this Python.",
            "Use 64-bit CPython 3.11, 3.12 or 3.13 on Linux, Windows or macOS with Apple silicon.",
        )
    return PipError("pip failed.", "Its messages are above; after mending the cause run this again.")


def install(python: Path, *arguments: str) -> None:
    """Run `pip install` in the environment of `python`; raises `PipError`.

    Its progress goes to our standard output, and only on a terminal. Its complaints are passed on line by
    line, and kept to explain a failure.
    """
    command = pip_command(python, "install")
    if not sys.stdout.isatty():
        command.append("--quiet")
    with subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True, errors="replace") as pip:
        assert pip.stderr is not None
        complaints = []
        for line in pip.stderr:
            complaints.append(line)
            print("      " + line.rstrip(), file=sys.stderr, flush=True)
    if pip.returncode != 0:
        raise explain_pip_failure("".join(complaints))


def uninstall(python: Path, name: str) -> None:
    """Remove one distribution from the environment of `python`; raises `PipError`."""
    command = [*pip_command(python, "uninstall"), "--quiet", "--yes", name]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        print(result.stderr, file=sys.stderr)
        raise explain_pip_failure(result.stderr)


def pip_command(python: Path, verb: str) -> list[str]:
    """Begin a command of pip in the environment of `python`."""
    command = [str(python), "-m", "pip", verb, "--disable-pip-version-check", "--no-input"]
    if verb in {"install", "uninstall"} and hasattr(os, "geteuid") and os.geteuid() == 0:
        # pip warns root about installations into the system; this is not one.
        command.append("--root-user-action=ignore")
    return command


@dataclass(frozen=True)
class TorchBuild:
    """A build of torch that the default package index does not have for this machine.

    Attributes:
        suffix: its local version, such as "+cpu".
        index: where PyTorch publishes it.
    """

    suffix: str
    index: str


def special_build(platform: str, accelerator: str) -> TorchBuild | None:
    """Name the build to look for beyond the default index; None where the default one is right.

    The default index has the CUDA 13.0 build for Linux and processor builds for Windows and macOS
    (https://pytorch.org/get-started/locally/).
    """
    if platform.startswith("linux") and accelerator == "none":
        return TorchBuild("+cpu", "https://download.pytorch.org/whl/cpu")
    if platform == "win32" and accelerator == "nvidia":
        return TorchBuild("+cu130", "https://download.pytorch.org/whl/cu130")
    return None


def fits(installed: str | None, version: str, accelerator: str) -> bool:
    """Tell whether an installed torch is of this version and can use the accelerator.

    A CUDA build on a machine without a GPU fits: it computes on the processor, and is only larger.
    """
    if installed is None or installed.partition("+")[0] != version:
        return False
    return accelerator == "none" or not installed.endswith("+cpu")


def install_torch(python: Path, version: str, accelerator: str, locks: Sequence[Path]) -> None:
    """Install torch in the build for this machine; raises `PipError`.

    First as this user's pip is set up: a company's index or a folder of wheels may have the special build.
    Then from PyTorch's own index, which networks that only mirror PyPI can't reach. The last resort is the
    default build, which works everywhere and on Linux brings gigabytes of CUDA packages.
    """
    build = special_build(sys.platform, accelerator)
    if build is not None:
        wheels = ("--no-deps", "--only-binary=:all:", f"torch=={version}{build.suffix}")
        for source in ((), (f"--extra-index-url={build.index}", "--retries=1")):
            try:
                install(python, *source, *wheels)
            except PipError as error:
                if error.is_disk_full:
                    raise
                say(f"      There is no torch{build.suffix} in {build.index if source else 'the usual places'}.")
            else:
                return
        say("      Taking the default build instead; on Linux that is some gigabytes more.")
    # Dependencies are let in here alone: the CUDA packages belong to the build, our pins hold for the rest.
    # "===" keeps a "+cpu" wheel, which counts as newer, from being preferred.
    pins = [f"--constraint={lock}" for lock in locks]
    install(python, "--only-binary=:all:", *pins, f"torch==={version}")


def check_torch(python: Path, accelerator: str) -> None:
    """Import the installed torch in a process of its own; raises `SetupError` when it doesn't start."""
    probe = "import torch; print(torch.__version__, torch.cuda.is_available())"
    result = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        last_line = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
        raise SetupError(
            f"torch is installed but doesn't start: {last_line}",
            f"Remove the folder {python.parent.parent}, then run this again.",
        )
    version, has_cuda = result.stdout.split()[-2:]
    if accelerator == "nvidia" and has_cuda == "False":
        say(f"      Note: torch {version} can't use the NVIDIA GPU here, so models run on the processor.")
    elif sys.platform.startswith("linux") and accelerator == "none" and not version.endswith("+cpu"):
        say(f"      Note: torch {version} is the build for GPUs. It works on the processor; it is only larger.")
