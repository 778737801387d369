"""Whether the library that runs GGUF files works on this machine: asked in a process of its own, which may crash.

Run as ``python -m diffdesk.engine.probe`` it loads the library, lets it compute a small test and prints one JSON
object; whoever asks imports no model library.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import metadata

from diffdesk.core.errors import UserError

PACKAGE = "llama-cpp-python"
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class LibraryState:
    """What was found.

    Attributes:
        package: version of llama-cpp-python; empty where it is not installed.
        ggml: version of ggml; empty where it could not be loaded.
        cards: names of the graphics cards that this build of ggml can use; none for the ordinary build.
        seconds: how long loading and the test took.
        problem: why GGUF files can't be run, with a remedy; empty where they can.
    """

    package: str
    ggml: str = ""
    cards: tuple[str, ...] = ()
    seconds: float = 0.0
    problem: str = ""


def ask_library() -> LibraryState:
    """Start the process and wait for what it says; blocks for about a second."""
    try:
        package = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return LibraryState("", problem=f"not installed: GGUF files can't be run; run: pip install '{PACKAGE}==0.3.36'")
    command = [sys.executable, "-m", "diffdesk.engine.probe"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return LibraryState(package, problem=f"it did not answer within {_PATIENCE_SECONDS:.0f} s. {_again()}")
    try:
        return LibraryState(**json.loads(ended.stdout.splitlines()[-1]))
    except (ValueError, TypeError, IndexError):
        return LibraryState(package, problem=f"it {_how_it_ended(ended.returncode)}. {_again()}")


def _how_it_ended(code: int) -> str:
    if code == -getattr(signal, "SIGILL", 0):
        return "was compiled for another processor"
    return f"crashed while it was loaded (exit code {code})"


def _again() -> str:
    return f"Have it compiled again: pip install --force-reinstall --no-cache-dir --no-deps '{PACKAGE}==0.3.36'."


def try_library() -> LibraryState:
    """Load the library into this process and have it compute what is known."""
    began = time.perf_counter()
    package = metadata.version(PACKAGE)
    try:
        # Here, so that whoever only asks does not load what the process does.
        from diffdesk.backends.ggml.binding import load
        from diffdesk.backends.ggml.check import check_library
        from diffdesk.backends.ggml.devices import find_cards

        version = bytes(load().version() or b"").decode()
        check_library()
        cards = tuple(one.name for one in find_cards())
    except UserError as error:
        return LibraryState(package, problem=f"{error.text} {error.remedy}".strip())
    return LibraryState(package, version, cards, time.perf_counter() - began)


if __name__ == "__main__":
    state = try_library()
    print(json.dumps(asdict(state)))
    sys.exit(1 if state.problem else 0)
