"""Installing llama-cpp-python: a package that is compiled here, once, with the C++ compiler of this machine.

It is published as source alone. pip compiles it in a folder of its own, with the build tools from the package index,
and keeps the result in its cache, so that a second environment takes seconds. Nothing here changes what is built:
whoever wants another build (CMAKE_ARGS) has it built just so. It must not know what the package is used for. Standard
library only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from dev_pip import explain_pip_failure, pip_command
from dev_report import SetupError, say
from dev_system import Kind, Need, install_needs

NAME = "llama-cpp-python"
COMPILERS = (Need(Kind.TOOL, "gcc", "gcc"), Need(Kind.TOOL, "g++", "g++"))
# Measured with gcc 12 on Linux: the source, its build and the wheel beside each other, and one compiler at work.
BUILD_BYTES = 1_000_000_000
JOB_BYTES = 900_000_000

_DONE = re.compile(r"^\s*\[\s*(?:(\d+)/(\d+)|(\d+)%)\]")  # of ninja and of make
_KILLED = re.compile(
    r"Killed signal terminated program|fatal error: Killed|virtual memory exhausted|out of (?:memory|heap space)"
)
_COMPILING = re.compile(r"Building wheel for llama.cpp.python", re.IGNORECASE)
_ERROR = re.compile(r"\berror\b|CMake Error", re.IGNORECASE)
_OF_PIP = re.compile(r"subprocess-exited-with-error|problem with pip|did not run|Building wheel|exit code: 1")
_TERMINAL_SECONDS, _LOG_SECONDS = 1.0, 30.0


def install_llama(python: Path, version: str, log: Path) -> None:
    """Install the package in the environment of `python`; raises `SetupError`.

    A wheel that pip finds (its cache, a company's index or folder) is taken; otherwise the source is compiled. What
    pip and the compiler say goes to the file `log`.
    """
    lacking = missing_compilers()
    if lacking and _install_wheel(python, version):
        return
    if lacking:
        provide_compilers(lacking)
    if not is_cached(python, version):
        _check_space(Path(tempfile.gettempdir()))
        say("      This package is compiled here, once: 4 to 14 minutes on two cores. pip keeps the result.")
    arguments = ["--no-deps", f"{NAME}=={version}"]
    if os.environ.get("CMAKE_ARGS"):  # another build is asked for than the one that may lie in the cache
        arguments.insert(0, f"--no-binary={NAME}")
    _build([*pip_command(python, "install"), "--verbose", *arguments], log)


def is_cached(python: Path, version: str) -> bool:
    """Whether pip has built this version before and kept it."""
    command = [*pip_command(python, "cache"), "list", "--format=abspath", f"{NAME.replace('-', '_')}-{version}-*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.returncode == 0 and ".whl" in found.stdout


def _install_wheel(python: Path, version: str) -> bool:
    """Install without compiling; False where pip knows of no wheel."""
    command = [*pip_command(python, "install"), "--quiet", "--no-deps"]
    if not is_cached(python, version):  # what lies in the cache counts as source for pip
        command.append("--only-binary=:all:")
    return subprocess.run([*command, f"{NAME}=={version}"], capture_output=True, check=False).returncode == 0


# --- the compiler


def missing_compilers() -> list[Need]:
    """The compilers that can't be found, by Debian's names; whichever CC and CXX name count as there."""
    if sys.platform == "win32":
        return [] if _has_visual_studio() else list(COMPILERS)
    if sys.platform == "darwin":  # cc is always there, and is a stand-in without the command line tools
        tools = subprocess.run(["xcode-select", "-p"], capture_output=True, check=False)
        return [] if tools.returncode == 0 else list(COMPILERS)
    names = (("CC", ("cc", "gcc", "clang")), ("CXX", ("c++", "g++", "clang++")))
    return [
        need
        for need, (variable, usual) in zip(COMPILERS, names, strict=True)
        if not any(shutil.which(one) for one in (os.environ.get(variable, "").split(" ")[0], *usual) if one)
    ]


def _has_visual_studio() -> bool:
    programs = os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
    finder = Path(programs, "Microsoft Visual Studio", "Installer", "vswhere.exe")
    if not finder.exists():
        return False
    part = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
    command = [str(finder), "-products", "*", "-requires", part, "-property", "installationPath"]
    return bool(subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())


def provide_compilers(lacking: list[Need]) -> None:
    """Install compilers where that can be done; otherwise raise `SetupError` with what to do."""
    text = f"{NAME} is compiled during the set-up, and there is no C++ compiler."
    if sys.platform == "win32":
        raise SetupError(
            text, "Install the Build Tools for Visual Studio with “Desktop development with C++”, then run this again."
        )
    if sys.platform == "darwin":
        raise SetupError(text, "Run `xcode-select --install`, then this again.")
    install_needs(lacking)


# --- memory and disk


def parallel_jobs(cores: int, free_memory: int | None) -> int:
    """How many compilers may work at a time, on `cores` and in `free_memory` bytes (None if unknown)."""
    if free_memory is None:
        return max(1, cores)
    return max(1, min(cores, free_memory // JOB_BYTES))


def free_memory() -> int | None:
    """Bytes that programs can have; None where the system doesn't say it in a file."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < BUILD_BYTES:
        raise SetupError(
            f"only {free / 1e9:.1f} GB are free in {folder}, where {NAME} is compiled.",
            f"Free at least {BUILD_BYTES / 1e9:.1f} GB there, or set TMPDIR to a folder on a larger disk, "
            "then run this again.",
        )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # those that a container may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- the build


class Ticker:
    """Says how far a build is: once a second in place on a terminal, else every half minute in a line of its own."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._start = time.monotonic()
        self._stage = "asking the package index"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join()
        if self._is_terminal:
            print("\r\x1b[K", end="", flush=True)

    def read(self, line: str) -> None:
        """Take a line of the build's output."""
        done = _DONE.match(line)
        if done:
            self._stage = f"compiled {done[1]} of {done[2]} parts" if done[1] else f"compiled {done[3]} %"
        elif "Downloading" in line and ".tar.gz" in line:
            self._stage = "fetching the source"
        elif _COMPILING.search(line):
            self._stage = "preparing the build"

    @property
    def text(self) -> str:
        """The state now."""
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        return f"{minutes}:{seconds:02d}  {self._stage}"

    def _tick(self) -> None:
        while not self._is_over.wait(_TERMINAL_SECONDS if self._is_terminal else _LOG_SECONDS):
            if self._is_terminal:
                print(f"\r\x1b[K      {self.text}", end="", flush=True)
            else:
                say(f"      {self.text}")


def _build(command: list[str], log: Path) -> None:
    inside = dict(os.environ)
    inside.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(parallel_jobs(_cores(), free_memory())))
    kept: deque[str] = deque(maxlen=400)
    with (
        log.open("w", encoding="utf-8") as file,
        Ticker() as ticker,
        subprocess.Popen(
            command, env=inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as pip,
    ):
        assert pip.stdout is not None
        for line in pip.stdout:
            file.write(line)
            ticker.read(line)
            kept.append(line)
    if pip.returncode != 0:
        raise explain_build_failure("".join(kept), log)


def explain_build_failure(output: str, log: Path) -> SetupError:
    """Turn the end of what pip and the compiler said into an error with a remedy."""
    reason = explain_pip_failure(output)
    if reason.is_disk_full:
        return SetupError(
            f"the disk filled up while {NAME} was compiled.",
            f"Free at least {BUILD_BYTES / 1e9:.1f} GB in {tempfile.gettempdir()} (or set TMPDIR to another folder), "
            "then run this again.",
        )
    if _KILLED.search(output):
        return SetupError(
            f"there was too little memory to compile {NAME}.",
            "Close other programs, or let fewer parts be compiled at a time: set CMAKE_BUILD_PARALLEL_LEVEL=1, "
            "then run this again.",
        )
    if not any(_COMPILING.search(line) or _DONE.match(line) for line in output.splitlines()):
        return reason
    lines = "\n".join("      " + line.strip()[:160] for line in _telling(output.splitlines()))
    return SetupError(
        f"{NAME} could not be compiled.\n{lines}",
        f"The whole output is in {log}. GCC 9, Clang 10, Xcode 14 or Visual Studio 2022 and newer are enough; "
        "after mending the cause run this again.",
    )


def _telling(lines: Iterable[str]) -> list[str]:
    """The lines that say what went wrong: the first error with what follows it, else the last words."""
    kept = [line for line in lines if line.strip() and not _OF_PIP.search(line)]
    first = next((at for at, line in enumerate(kept) if _ERROR.search(line)), len(kept) - 5)
    return kept[max(0, first) :][:5]


def check_llama(python: Path, root: Path) -> None:
    """Load the library in a process of its own and let it compute a little; raises `SetupError` where it can't.

    A package from pip's cache that was compiled on another machine may use instructions that this one lacks.
    """
    command = [str(python), "-m", "diffdesk.engine.probe"]
    tried = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return
    # It says what is wrong as JSON on its last line, unless it crashed.
    lines = (tried.stdout.strip() or tried.stderr.strip() or f"exit status {tried.returncode}").splitlines()
    try:
        last_line = str(json.loads(lines[-1])["problem"])
    except (ValueError, TypeError, KeyError):
        last_line = lines[-1]
    again = f'"{python}" -m pip'
    raise SetupError(
        f"{NAME} is installed but doesn't work here: {last_line}",
        f"Have it compiled again:\n    {again} uninstall --yes {NAME}\n"
        f"    {again} cache remove {NAME.replace('-', '_')}\nthen run this again.",
    )
