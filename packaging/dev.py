"""Set DiffDesk up in a checkout, run it, and run its checks: one script for developers and for CI.

    python3 packaging/dev.py run [ARGS…]         open the window, or run a subcommand of diffdesk
    python3 packaging/dev.py add-torch           add torch and transformers, for folders of safetensors files
    python3 packaging/dev.py test [--fast] [--keep-going] [PYTEST ARGS…]
                                                 run every check and all tests
    python3 packaging/dev.py exec COMMAND…       run a command inside the environment
    python3 packaging/dev.py screenshot [FOLDER] take the screenshots of the README

Each sets up what is missing first: system libraries and a compiler (with apt-get when run as root), and the
environment in .venv at the locked versions. llama-cpp-python is compiled, once, which takes minutes. `run`
adds torch by itself where there is an NVIDIA card of 24 GB or more; `test` and `exec` need it everywhere.
The second time all that takes no time.

test --fast leaves out the end-to-end ring; test --keep-going does not stop at the first check that fails.
Exit status: 0 success, 1 a check failed, 2 wrong usage, 3 the set-up could not be done, 130 interrupted;
`run` and `exec` end with the status of what they ran.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from dev_checks import run_stages, stages, summary
from dev_environment import BASE, DEV, TORCH, Environment, Layer, find_accelerator, has_large_card
from dev_report import SetupError, Step, carry_out, fail, say
from dev_system import TEST_NEEDS, WINDOW_NEEDS, Need, install_needs, missing_needs

ROOT = Path(__file__).resolve().parent.parent


def set_up(layers: Sequence[Layer], needs: Sequence[Need]) -> Environment:
    """Bring the system and the environment into the wanted state, and return the environment."""
    environment = Environment(ROOT, find_accelerator())
    if _steps(environment, layers, needs):
        with _alone() if environment.steps(layers) else nullcontext():
            # Listed again: another set-up may have done it all while this one waited.
            carry_out(_steps(environment, layers, needs))
    return environment


def _steps(environment: Environment, layers: Sequence[Layer], needs: Sequence[Need]) -> list[Step]:
    missing = missing_needs(needs)
    system = [Step("Installing system libraries", partial(install_needs, missing))] if missing else []
    return system + environment.steps(layers)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one set-up of this checkout run at a time; the system frees the lock when a process dies."""
    try:
        file = (ROOT / ".venv.lock").open("a")
    except OSError as error:
        raise SetupError(
            f"{ROOT} can't be written: {error.strerror}.",
            "Run this as the user who owns the folder, or make a checkout of your own.",
        ) from error
    with file:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another set-up of this checkout is running; waiting for it …")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def variables(environment: Environment, outside: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a program inside the environment, as its activation would set them."""
    inside = {key: value for key, value in outside.items() if key != "PYTHONHOME"}
    inside["VIRTUAL_ENV"] = str(environment.folder)
    inside["PATH"] = os.pathsep.join(filter(None, [str(environment.scripts), outside.get("PATH", "")]))
    return inside


def _become(command: Sequence[str], environment: Environment) -> int:
    """Hand over to `command`: this process turns into it where the system can do that."""
    inside = variables(environment, os.environ)
    sys.stdout.flush()
    if os.name == "nt":
        return subprocess.run(command, env=inside, check=False).returncode
    try:
        os.execvpe(command[0], list(command), inside)
    except OSError as error:
        say(f"{command[0]}: {error.strerror}")
        return 127


def run(arguments: Sequence[str]) -> int:
    """Open the window, or run a subcommand of diffdesk."""
    environment = set_up(wanted_layers(Environment(ROOT, find_accelerator())), WINDOW_NEEDS)
    return _become([str(environment.python), "-m", "diffdesk", *arguments], environment)


def wanted_layers(environment: Environment) -> list[Layer]:
    """What the program itself needs on this machine; torch is kept in step where it has been added once."""
    wants_torch = environment.has_had(TORCH) or (environment.accelerator == "nvidia" and has_large_card())
    return [BASE, TORCH] if wants_torch else [BASE]


def add_torch(arguments: Sequence[str]) -> int:
    """Add the backend for folders of safetensors files."""
    if arguments:
        return _wrong_usage("add-torch takes nothing more.")
    set_up([BASE, TORCH], WINDOW_NEEDS)
    say("torch and transformers are in place.")
    return 0


def test(arguments: Sequence[str]) -> int:
    """Run every check and all rings of tests."""
    own = {"--fast", "--keep-going"}
    for_pytest = [argument for argument in arguments if argument not in own]
    environment = set_up([BASE, TORCH, DEV], [*WINDOW_NEEDS, *TEST_NEEDS])
    todo = stages(environment.python, for_pytest, ROOT, is_fast="--fast" in arguments)
    inside = variables(environment, os.environ)
    inside.setdefault("QT_QPA_PLATFORM", "offscreen")
    results = run_stages(todo, ROOT, inside, keep_going="--keep-going" in arguments)
    say(summary(results))
    return 0 if all(result.has_passed for result in results) else 1


def execute(arguments: Sequence[str]) -> int:
    """Run any command inside the environment."""
    if not arguments:
        return _wrong_usage("exec needs a command.")
    return _become(arguments, set_up([BASE, TORCH, DEV], WINDOW_NEEDS))


def screenshot(arguments: Sequence[str]) -> int:
    """Take the screenshots of the README."""
    if len(arguments) > 1:
        return _wrong_usage("screenshot takes one folder.")
    folder = Path(arguments[0] if arguments else ROOT / "build" / "screenshots").absolute()
    environment = set_up(wanted_layers(Environment(ROOT, find_accelerator())), WINDOW_NEEDS)
    script = str(ROOT / "packaging" / "screenshots.py")
    return _become([str(environment.python), script, str(folder)], environment)


VERBS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "add-torch": add_torch,
    "test": test,
    "exec": execute,
    "screenshot": screenshot,
}


def _wrong_usage(message: str) -> int:
    print(f"{message}\n\n{__doc__}", file=sys.stderr)
    return 2


def main(arguments: Sequence[str]) -> int:
    """Carry out one verb and return the exit status."""
    if not arguments:
        return _wrong_usage("Which verb?")
    verb, *rest = arguments
    if verb in {"-h", "--help", "help"}:
        say(__doc__ or "")
        return 0
    if verb not in VERBS:
        return _wrong_usage(f"There is no verb {verb!r}.")
    try:
        return VERBS[verb](rest)
    except SetupError as error:
        fail(error)
        return 3
    except KeyboardInterrupt:
        say("\nInterrupted. Run the same command again to go on.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
