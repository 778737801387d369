"""What the operating system must have: libraries that Qt loads, a font, tools for headless tests.

It knows Debian's package names and apt-get; on other systems it can only name what is missing.
It must not know the Python environment. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dev_report import SetupError, say


class Kind(Enum):
    """How the presence of a need is found out."""

    LIBRARY = "library"
    TOOL = "program"
    FONT = "font"
    MODULE = "Python module"


@dataclass(frozen=True)
class Need:
    """Something of the system, by the name it is found under, and Debian's package that has it."""

    kind: Kind
    name: str
    package: str


def _library(name: str, package: str) -> Need:
    return Need(Kind.LIBRARY, name, package)


# Loaded by PySide6 itself, on any platform plugin; then by its X11 plugin alone.
WINDOW_NEEDS: tuple[Need, ...] = (
    _library("libglib-2.0.so.0", "libglib2.0-0"),
    _library("libEGL.so.1", "libegl1"),
    _library("libGL.so.1", "libgl1"),
    _library("libxkbcommon.so.0", "libxkbcommon0"),
    _library("libfontconfig.so.1", "libfontconfig1"),
    _library("libdbus-1.so.3", "libdbus-1-3"),
    _library("libxcb-cursor.so.0", "libxcb-cursor0"),
    _library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    _library("libxcb-icccm.so.4", "libxcb-icccm4"),
    _library("libxcb-keysyms.so.1", "libxcb-keysyms1"),
    _library("libxcb-shape.so.0", "libxcb-shape0"),
    Need(Kind.FONT, "any TrueType or OpenType font", "fonts-dejavu-core"),
)
# A virtual display, for tests that look at real windows.
TEST_NEEDS: tuple[Need, ...] = (
    Need(Kind.TOOL, "Xvfb", "xvfb"),
    Need(Kind.TOOL, "xauth", "xauth"),
)


def is_present(need: Need) -> bool:
    """Look for one need on this machine."""
    if need.kind is Kind.LIBRARY:
        try:
            ctypes.CDLL(need.name)
        except OSError:
            return False
        return True
    if need.kind is Kind.TOOL:
        return shutil.which(need.name) is not None
    if need.kind is Kind.FONT:
        return any(_has_font(folder) for folder in _font_folders())
    return _has_module(need.name)


def _font_folders() -> tuple[Path, ...]:
    data_home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return (
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        data_home / "fonts",
        Path.home() / ".fonts",
    )


def _has_font(folder: Path) -> bool:
    # os.walk stops at the first hit: a machine may have thousands of fonts.
    return any(
        name.lower().endswith((".ttf", ".otf", ".ttc"))
        for _, _, names in os.walk(folder, followlinks=True)
        for name in names
    )


def _has_module(name: str) -> bool:
    # In a process of its own: this one remembers what was missing before an installation.
    command = [sys.executable, "-c", f"import {name}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def missing_needs(needs: Iterable[Need], probe: Callable[[Need], bool] = is_present) -> list[Need]:
    """Return the needs that `probe` does not find; nothing outside Linux, where Qt brings all it loads."""
    if not sys.platform.startswith("linux"):
        return []
    return [need for need in needs if not probe(need)]


def apt_command(needs: Sequence[Need], *, is_root: bool) -> list[str]:
    """Build the one command that installs all of `needs` on Debian and its relatives."""
    packages = sorted({need.package for need in needs})
    prefix = [] if is_root else ["sudo"]
    return [*prefix, "apt-get", "install", "-y", "--no-install-recommends", *packages]


def describe(needs: Sequence[Need]) -> str:
    """List needs by name, for a message."""
    return ", ".join(f"{need.name} ({need.kind.value})" for need in needs)


def install_needs(needs: Sequence[Need]) -> None:
    """Install what is missing with apt-get when run as root; otherwise raise with the command to type."""
    text = f"this system lacks {describe(needs)}."
    if shutil.which("apt-get") is None:
        raise SetupError(text, "Install it with your system's package manager, then run this again.")
    is_root = os.geteuid() == 0
    command = apt_command(needs, is_root=is_root)
    if not is_root:
        raise SetupError(text, f"Run this, then the same command again:\n    {' '.join(command)}")
    if not _has_package_lists():
        _apt_get(["apt-get", "update"])
    if not _apt_get(command):
        # Lists that are too old name files which the mirror no longer has.
        _apt_get(["apt-get", "update"])
        _apt_get(command)
    left = missing_needs(needs)
    if left:
        raise SetupError(
            f"apt-get could not provide {describe(left)}.",
            f"Look at its messages above; to try by hand:\n    {' '.join(command)}",
        )


def _has_package_lists() -> bool:
    return any(Path("/var/lib/apt/lists").glob("*_Packages*"))


def _apt_get(command: Sequence[str]) -> bool:
    say("      " + " ".join(command))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode != 0:
        # Hundreds of lines when all goes well; the end is what counts when it does not.
        say("\n".join("      " + line for line in result.stdout.splitlines()[-15:]))
    return result.returncode == 0
