"""The checks of the project, in the order that tells soonest: style, types, rooms, then the rings of tests.

It must not know how the environment was made. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dev_report import say

# Its folder on PYTHONPATH hides what only the extra `gpu` brings, in every Python process that is started.
BASE_INSTALL = Path("tests", "base_install")
# pytest's exit status for "nothing was collected": no failure when the reader asked for a few tests.
NOTHING_COLLECTED = 5


@dataclass(frozen=True)
class Stage:
    """One check: a command that succeeds, or doesn't.

    Attributes:
        name: for the headline and the summary.
        command: program and arguments; its output goes straight to ours.
        passing: the exit statuses that count as success.
        variables: of the environment, beside those of all stages.
    """

    name: str
    command: tuple[str, ...]
    passing: frozenset[int] = frozenset({0})
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How a stage ended: its exit status and its seconds; None for one that was not run."""

    stage: Stage
    status: int | None
    seconds: float = 0.0

    @property
    def has_passed(self) -> bool:
        return self.status in self.stage.passing


def stages(python: Path, pytest_arguments: Sequence[str], root: Path, *, is_fast: bool) -> list[Stage]:
    """List the stages of `dev.py test`.

    The ring e2e runs as in a base install, without torch; those of its tests that are about torch's backend run
    after it. With `is_fast` it is left out. Arguments for pytest go to every ring; when one of them is a path,
    there is a single stage of tests that runs just those.
    """
    start = str(python)
    checks = [
        Stage("ruff check", (start, "-m", "ruff", "check", ".")),
        Stage("ruff format", (start, "-m", "ruff", "format", "--check", ".")),
        Stage("mypy", (start, "-m", "mypy")),
        Stage("import-linter", (str(python.with_name("lint-imports" + python.suffix)),)),
    ]
    pytest = (start, "-m", "pytest")
    if any(_is_path(argument, root) for argument in pytest_arguments):
        return [*checks, Stage("chosen tests", (*pytest, *pytest_arguments))]
    passing = frozenset({0, NOTHING_COLLECTED}) if pytest_arguments else frozenset({0})

    def ring(name: str, folder: str, *chosen: str, **variables: str) -> Stage:
        return Stage(f"tests: {name}", (*pytest, folder, *chosen, *pytest_arguments), passing, variables)

    rings = [ring("unit", "tests/unit"), ring("gui", "tests/gui")]
    if not is_fast:
        path = os.pathsep.join(filter(None, [str(root / BASE_INSTALL), os.environ.get("PYTHONPATH", "")]))
        rings.append(ring("e2e, base install", "tests/e2e", PYTHONPATH=path))
        rings.append(ring("e2e, torch", "tests/e2e", "-m", "torch"))
    return checks + rings


def _is_path(argument: str, root: Path) -> bool:
    return not argument.startswith("-") and (root / argument.partition("::")[0]).exists()


def run_stages(
    todo: Sequence[Stage], root: Path, environment: Mapping[str, str], *, keep_going: bool = False
) -> list[Result]:
    """Run stages one after the other in `root`, up to the first that fails unless `keep_going`."""
    results: list[Result] = []
    for stage in todo:
        if not keep_going and any(not result.has_passed for result in results):
            results.append(Result(stage, None))
            continue
        say(f"\n━━ {stage.name} " + "━" * (70 - len(stage.name)))
        start = time.monotonic()
        process = subprocess.run(stage.command, cwd=root, env={**environment, **stage.variables}, check=False)
        results.append(Result(stage, process.returncode, time.monotonic() - start))
        say(f"━━ {stage.name}: {_outcome(results[-1])}")
    return results


def _outcome(result: Result) -> str:
    if result.status is None:
        return "not run"
    if result.has_passed:
        return f"passed in {result.seconds:.1f} s"
    return f"FAILED with exit status {result.status} after {result.seconds:.1f} s"


def summary(results: Sequence[Result]) -> str:
    """Tell how every stage ended, one line each, and what that makes of the whole."""
    width = max((len(result.stage.name) for result in results), default=0)
    lines = [f"  {result.stage.name:<{width}}  {_outcome(result)}" for result in results]
    seconds = sum(result.seconds for result in results)
    verdict = "All checks passed" if all(result.has_passed for result in results) else "Not all checks passed"
    return "\n".join(["", "Summary", *lines, f"{verdict} ({seconds:.0f} s)."])
