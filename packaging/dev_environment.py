"""The Python environment in .venv: made, filled from the lock files, remembered by a stamp.

The stamp holds one fingerprint for each layer: the lock files, pyproject.toml, the environment's Python and
the accelerator. While it matches, no process is started and the second call is quick.
It must not know what the environment is used for. Standard library only.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dev_llama
import dev_pip
from dev_report import SetupError, Step
from dev_system import Kind, Need, install_needs, is_present

# transformers 5.23 and numpy 2.4 need 3.11; nothing newer than 3.13 has been tried.
PYTHONS = ((3, 11), (3, 12), (3, 13))
# pip unpacks beside what it downloads, so these are about twice of what is in place on Linux in the end.
BASE_BYTES = 2 * 10**9
TORCH_BYTES = {"none": 3 * 10**9, "nvidia": 12 * 10**9}
# Below that a graphics card holds no model for which torch is the better choice.
LARGE_CARD_BYTES = 24 * 10**9


@dataclass(frozen=True)
class Layer:
    """A part of the environment that is installed, and remembered, as one."""

    name: str
    locks: tuple[str, ...]


BASE = Layer("base", ("requirements.lock",))
TORCH = Layer("torch", ("requirements-gpu.lock",))
DEV = Layer("dev", ("requirements-dev.lock",))


def find_accelerator() -> str:
    """Return "nvidia" where a driver for NVIDIA GPUs is loaded, otherwise "none". Looks at files only."""
    if os.name == "nt":
        traces = [Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvcuda.dll")]
    else:
        traces = [Path("/proc/driver/nvidia/version"), Path("/usr/lib/wsl/lib/libcuda.so.1")]
    return "nvidia" if any(trace.exists() for trace in traces) else "none"


def has_large_card() -> bool:
    """Tell whether an NVIDIA card has memory for models that are best run with torch; asks its driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    command = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    sizes = [int(line) << 20 for line in answer.split() if line.isdigit()]  # said in MiB
    # A card sold as one of 24 GB may say a little less.
    return any(size >= 0.95 * LARGE_CARD_BYTES for size in sizes)


def locked_version(lock: Path, name: str) -> str:
    """Return the version that a lock file pins `name` to."""
    match = re.search(rf"^{re.escape(name)}==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise SetupError(f"{lock} does not pin {name}.", "Restore the file from the repository.")
    return match[1]


class Environment:
    """The environment of one checkout.

    Args:
        root: the checkout; the environment is its folder .venv, the lock files are in its packaging/.
        accelerator: as `find_accelerator` says.
    """

    def __init__(self, root: Path, accelerator: str) -> None:
        self.root = root
        self.accelerator = accelerator
        self.folder = root / ".venv"
        self.scripts = self.folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / ("python.exe" if os.name == "nt" else "python")
        self.stamp_file = self.folder / "diffdesk-setup.json"
        # There while an installation runs; found at the start, it tells of one that was killed.
        self.unfinished_file = self.folder / "diffdesk-setup.unfinished"

    # --- what is there

    def python_version(self) -> str | None:
        """Return the version in pyvenv.cfg, such as "3.11.7"; None without a readable one."""
        try:
            text = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
        except OSError:
            return None
        match = re.search(r"^version(?:_info)?\s*=\s*(\S+)", text, re.MULTILINE)
        return match[1] if match else None

    def packages(self) -> Path | None:
        """Return the site-packages folder, None where there is none."""
        pattern = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
        return next(iter(sorted(self.folder.glob(pattern))), None)

    def is_whole(self) -> bool:
        """Tell whether the environment can at least install: a Python that exists, and pip."""
        packages = self.packages()
        return (
            self.python_version() is not None
            and self.python.exists()
            and packages is not None
            and (packages / "pip" / "__main__.py").exists()
        )

    def installed_version(self, name: str) -> str | None:
        """Return the installed version of a distribution, None where its metadata is missing."""
        packages = self.packages()
        found = sorted(packages.glob(f"{name}-*.dist-info")) if packages else []
        return found[0].name[len(name) + 1 : -len(".dist-info")] if found else None

    # --- what was done

    def fingerprint(self, layer: Layer) -> str:
        """Hash everything that decides what `layer` installs."""
        accelerator = self.accelerator if layer == TORCH else ""
        digest = hashlib.sha256(f"{self.python_version()}\n{accelerator}\n{self.root}\n".encode())
        for file in (self.root / "pyproject.toml", *map(self._lock, layer.locks)):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def is_ready(self, layer: Layer) -> bool:
        """Tell whether `layer` was installed as its files are now, and no set-up was killed since."""
        return (
            self.is_whole()
            and not self.unfinished_file.exists()
            and self._stamp().get(layer.name) == self.fingerprint(layer)
        )

    def has_had(self, layer: Layer) -> bool:
        """Tell whether `layer` was installed here once, if perhaps as its files were then."""
        return layer.name in self._stamp()

    def remember(self, layer: Layer) -> None:
        """Write into the stamp that `layer` is installed as its files are now."""
        stamp = {**self._stamp(), layer.name: self.fingerprint(layer)}
        self.stamp_file.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
        self.unfinished_file.unlink(missing_ok=True)

    def _stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads(self.stamp_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _lock(self, name: str) -> Path:
        return self.root / "packaging" / name

    # --- what there is to do

    def steps(self, layers: Sequence[Layer]) -> list[Step]:
        """List what is left to do until all `layers` are ready; empty when they are."""
        steps = []
        if not self.is_whole():
            steps.append(Step("Making the environment in .venv", partial(self._make, layers)))
        elif self.unfinished_file.exists():
            steps.append(Step("Repairing what an interrupted set-up left in .venv", self._repair))
        for layer in layers:
            if not self.is_ready(layer):
                steps += self._layer_steps(layer)
        return steps

    def _layer_steps(self, layer: Layer) -> list[Step]:
        first, last = [], "Noting what is installed"
        if layer == BASE:
            first = [Step("Installing llama-cpp-python", self._install_llama)]
            last = "Adding diffdesk itself, trying llama-cpp-python"
        elif layer == TORCH:
            build = "for NVIDIA GPUs" if self.accelerator == "nvidia" else "for the processor"
            first = [Step(f"Installing torch {build}", self._install_torch)]
            last = "Trying torch"
        locks = [Step(f"Installing packaging/{name}", partial(self._install_lock, name)) for name in layer.locks]
        return [*first, *locks, Step(last, partial(self._finish, layer))]

    def needed_bytes(self, layers: Sequence[Layer]) -> int:
        """Free space that is wanted before an environment of `layers` is made."""
        return BASE_BYTES + (TORCH_BYTES[self.accelerator] if TORCH in layers else 0)

    def _make(self, layers: Sequence[Layer]) -> None:
        python = _choose_python()
        free, needed = shutil.disk_usage(self.root).free, self.needed_bytes(layers)
        if free < needed:
            raise SetupError(
                f"only {free / 1e9:.1f} GB are free on the disk of {self.root}.",
                f"Free at least {needed / 1e9:.0f} GB, then run this again.",
            )
        ensurepip = Need(Kind.MODULE, "ensurepip", _venv_package())
        if python == sys.executable and sys.platform.startswith("linux") and not is_present(ensurepip):
            install_needs([ensurepip])
        if self.folder.is_symlink() or self.folder.is_file():
            raise SetupError(f"{self.folder} is no folder.", "Remove it, then run this again.")
        try:
            if self.folder.exists():
                shutil.rmtree(self.folder)
            subprocess.run([python, "-m", "venv", str(self.folder)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SetupError(
                f"{self.folder} can't be made: {error}", f"Remove {self.folder} by hand, then run this again."
            ) from error

    def _repair(self) -> None:
        """Forget every distribution with a file missing or cut short, so that pip installs it anew."""
        packages = self.packages()
        for metadata in sorted(packages.glob("*.dist-info")) if packages else []:
            if not _is_complete(metadata):
                shutil.rmtree(metadata)

    def _install_llama(self) -> None:
        self.unfinished_file.touch()
        version = locked_version(self._lock("requirements.lock"), dev_llama.NAME)
        if self.installed_version(dev_llama.NAME.replace("-", "_")) != version:
            dev_llama.install_llama(self.python, version, self.folder / "llama-cpp-python.log")

    def _install_torch(self) -> None:
        self.unfinished_file.touch()
        locks = [self._lock(name) for name in (*BASE.locks, *TORCH.locks)]
        version = locked_version(self._lock("requirements-gpu.lock"), "torch")
        installed = self.installed_version("torch")
        if dev_pip.fits(installed, version, self.accelerator):
            return
        if installed is not None:
            dev_pip.uninstall(self.python, "torch")
        dev_pip.install_torch(self.python, version, self.accelerator, locks)

    def _install_lock(self, name: str) -> None:
        self.unfinished_file.touch()
        dev_pip.install(self.python, "--no-deps", "--only-binary=:all:", f"--requirement={self._lock(name)}")

    def _finish(self, layer: Layer) -> None:
        if layer == BASE:
            dev_pip.install(self.python, "--no-deps", "--no-build-isolation", f"--editable={self.root}")
            dev_llama.check_llama(self.python, self.root)
        elif layer == TORCH:
            dev_pip.check_torch(self.python, self.accelerator)
        self.remember(layer)


def _is_complete(metadata: Path) -> bool:
    """Compare an installed distribution with its RECORD (path, hash, size), which pip writes last."""
    try:
        with (metadata / "RECORD").open(encoding="utf-8", newline="") as file:
            sizes = {row[0]: int(row[2]) for row in csv.reader(file) if len(row) == 3 and row[2]}
        # Python writes compiled files anew when it sees fit.
        return all(
            (metadata.parent / path).stat().st_size == size for path, size in sizes.items() if not path.endswith(".pyc")
        )
    except (OSError, ValueError):
        return False


def _choose_python() -> str:
    """Return a Python that the lock files fit: this one, or else the first on the search path that starts."""
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for major, minor in PYTHONS:
        found = shutil.which(f"python{major}.{minor}")
        # A version manager's stand-in is found, too, for a Python that it has not installed.
        if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0:
            return found
    raise SetupError(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is not one of those that DiffDesk is tested with.",
        "Install Python 3.11, 3.12 or 3.13, and start packaging/dev.py with it.",
    )


def _venv_package() -> str:
    """Name Debian's package with ensurepip for the running Python."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    is_default = Path("/usr/bin/python3").resolve().name == name
    return "python3-venv" if is_default else f"{name}-venv"
