"""The checks of the project, in the order that tells soonest: style, types, rooms, then the rings of tests.

It must not know how the environment was made. Standard library only.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev_report import say

RINGS = ("unit", "gui", "e2e")
# pytest's exit status for "nothing was collected": no failure when the reader asked for a few tests.
NOTHING_COLLECTED = 5


@dataclass(frozen=True)
class Stage:
    """One check: a command that succeeds, or doesn't.

    Attributes:
        name: for the headline and the summary.
        command: program and arguments; its output goes straight to ours.
        passing: the exit statuses that count as success.
    """

    name: str
    command: tuple[str, ...]
    passing: frozenset[int] = frozenset({0})


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

    With `is_fast` the ring e2e is left out. Arguments for pytest go to every ring; when one of them is a
    path, there is a single stage of tests that runs just those.
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
    rings = RINGS[:-1] if is_fast else RINGS
    return checks + [Stage(f"tests: {ring}", (*pytest, f"tests/{ring}", *pytest_arguments), passing) for ring in rings]


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
        process = subprocess.run(stage.command, cwd=root, env=dict(environment), check=False)
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
    lines = [f"  {result.stage.name:<14} {_outcome(result)}" for result in results]
    seconds = sum(result.seconds for result in results)
    verdict = "All checks passed" if all(result.has_passed for result in results) else "Not all checks passed"
    return "\n".join(["", "Summary", *lines, f"{verdict} ({seconds:.0f} s)."])
