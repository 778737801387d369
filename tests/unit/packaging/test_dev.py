"""dev.py from outside: verbs, exit statuses, and what it lists before anything is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dev
import pytest
from dev_checks import Result, Stage, run_stages, stages, summary
from dev_environment import Environment

ROOT = Path(__file__).parents[3]


def _dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "dev.py"), *arguments], capture_output=True, text=True, check=False
    )


def test_help_names_every_verb() -> None:
    result = _dev("--help")
    assert result.returncode == 0
    for verb in dev.VERBS:
        assert f"packaging/dev.py {verb}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Which verb?"),
        (["frobnicate"], "There is no verb 'frobnicate'."),
        (["exec"], "exec needs a command."),
        (["screenshot", "one", "two"], "screenshot takes one folder."),
    ],
)
def test_wrong_usage_is_told_with_the_right_usage(arguments: list[str], complaint: str) -> None:
    result = _dev(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(complaint)
    assert "python3 packaging/dev.py run" in result.stderr


def test_only_the_standard_library_is_imported() -> None:
    """The script must start on a bare machine, whatever its own Python lacks."""
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'packaging')!r}); import dev; print(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in result.stdout.split()} - {"__main__"}
    ours = {path.stem for path in (ROOT / "packaging").glob("dev*.py")}
    assert roots - sys.stdlib_module_names == ours


def test_variables_put_the_environment_first(tmp_path: Path) -> None:
    environment = Environment(tmp_path, "none")
    inside = dev.variables(environment, {"PATH": "/usr/bin", "PYTHONHOME": "/elsewhere", "LANG": "C"})
    assert inside == {
        "PATH": f"{environment.scripts}{os.pathsep}/usr/bin",
        "VIRTUAL_ENV": str(tmp_path / ".venv"),
        "LANG": "C",
    }


# --- the stages of `test`


def _names(*pytest_arguments: str, is_fast: bool = False) -> list[str]:
    return [stage.name for stage in stages(Path("python"), pytest_arguments, ROOT, is_fast=is_fast)]


CHECKS = ["ruff check", "ruff format", "mypy", "import-linter"]


def test_all_checks_and_rings_in_order() -> None:
    assert _names() == [*CHECKS, "tests: unit", "tests: gui", "tests: e2e"]
    assert _names(is_fast=True) == [*CHECKS, "tests: unit", "tests: gui"]


def test_options_for_pytest_go_to_every_ring() -> None:
    todo = stages(Path("python"), ["-k", "sampler"], ROOT, is_fast=False)
    assert [stage.command[-3:] for stage in todo[4:]] == [
        ("tests/unit", "-k", "sampler"),
        ("tests/gui", "-k", "sampler"),
        ("tests/e2e", "-k", "sampler"),
    ]
    # A ring where nothing matches is no failure then, but an empty ring is one.
    assert 5 in todo[4].passing
    assert 5 not in stages(Path("python"), [], ROOT, is_fast=False)[4].passing


def test_a_path_makes_one_stage_of_just_that() -> None:
    here = str(Path(__file__).relative_to(ROOT))
    assert _names(f"{here}::test_help_names_every_verb", "-x") == [*CHECKS, "chosen tests"]


def _exit(name: str, status: int) -> Stage:
    return Stage(name, (sys.executable, "-c", f"print('output of {name}'); raise SystemExit({status})"))


def test_a_failure_ends_the_run_and_shows_its_output(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    results = run_stages([_exit("one", 0), _exit("two", 4), _exit("three", 0)], tmp_path, os.environ)
    assert [result.status for result in results] == [0, 4, None]
    output = capfd.readouterr().out
    assert "output of two" in output
    assert "output of three" not in output
    text = summary(results)
    assert "FAILED with exit status 4" in text
    assert "not run" in text
    assert "Not all checks passed" in text


def test_keep_going_runs_the_rest(tmp_path: Path) -> None:
    results = run_stages([_exit("one", 1), _exit("two", 0)], tmp_path, os.environ, keep_going=True)
    assert [result.has_passed for result in results] == [False, True]


def test_summary_of_success() -> None:
    assert "All checks passed (3 s)." in summary([Result(_exit("one", 0), 0, 1.5), Result(_exit("two", 0), 0, 1.4)])
