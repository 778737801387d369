"""dev.py from outside: verbs, exit statuses, and what it lists before anything is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dev
import pytest
from dev_checks import Result, Stage, run_stages, stages, summary
from dev_environment import BASE, TORCH, Environment, Layer

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
        (["add-torch", "now"], "add-torch takes nothing more."),
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


@pytest.mark.parametrize(
    ("accelerator", "card", "had", "expected"),
    [
        ("none", False, False, [BASE]),
        ("nvidia", False, False, [BASE]),
        ("nvidia", True, False, [BASE, TORCH]),
        ("none", False, True, [BASE, TORCH]),
    ],
)
def test_torch_comes_with_a_large_card_and_stays_where_it_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accelerator: str, card: bool, had: bool, expected: list[Layer]
) -> None:
    monkeypatch.setattr(dev, "has_large_card", lambda: card)
    environment = Environment(tmp_path, accelerator)
    if had:
        environment.folder.mkdir()
        environment.stamp_file.write_text('{"base": "x", "torch": "x"}', encoding="utf-8")
    assert dev.wanted_layers(environment) == expected


# --- the stages of `test`


def _names(*pytest_arguments: str, is_fast: bool = False) -> list[str]:
    return [stage.name for stage in stages(Path("python"), pytest_arguments, ROOT, is_fast=is_fast)]


CHECKS = ["ruff check", "ruff format", "mypy", "import-linter"]


def test_all_checks_and_rings_in_order() -> None:
    assert _names() == [*CHECKS, "tests: unit", "tests: gui", "tests: e2e, base install", "tests: e2e, torch"]
    assert _names(is_fast=True) == [*CHECKS, "tests: unit", "tests: gui"]


def test_options_for_pytest_go_to_every_ring() -> None:
    todo = stages(Path("python"), ["-k", "sampler"], ROOT, is_fast=False)
    assert [stage.command[3:] for stage in todo[4:]] == [
        ("tests/unit", "-k", "sampler"),
        ("tests/gui", "-k", "sampler"),
        ("tests/e2e", "-k", "sampler"),
        ("tests/e2e", "-m", "torch", "-k", "sampler"),
    ]
    # A ring where nothing matches is no failure then, but an empty ring is one.
    assert 5 in todo[4].passing
    assert 5 not in stages(Path("python"), [], ROOT, is_fast=False)[4].passing


def test_a_path_makes_one_stage_of_just_that() -> None:
    here = str(Path(__file__).relative_to(ROOT))
    assert _names(f"{here}::test_help_names_every_verb", "-x") == [*CHECKS, "chosen tests"]


# --- the base install, made by hiding what the extra `gpu` brings


def _probe(code: str) -> str:
    """What a Python process of the stage "e2e, base install" prints."""
    base = next(stage for stage in stages(Path("python"), [], ROOT, is_fast=False) if "base install" in stage.name)
    inside = {**os.environ, **base.variables}
    return subprocess.run([sys.executable, "-c", code], env=inside, capture_output=True, text=True, check=True).stdout


def test_the_stage_of_the_base_install_finds_no_torch_and_nothing_that_comes_with_it() -> None:
    lock = (ROOT / "packaging" / "requirements-gpu.lock").read_text(encoding="utf-8")
    hidden = [line.partition("==")[0] for line in lock.splitlines() if "==" in line]
    assert {"torch", "transformers", "accelerate", "safetensors", "tokenizers", "huggingface-hub"} <= set(hidden)
    code = (
        "import importlib.util, importlib.metadata\n"
        f"for name in {hidden}:\n"
        "    assert importlib.util.find_spec(name.replace('-', '_')) is None, name\n"
        "    try: print(importlib.metadata.version(name))\n"
        "    except importlib.metadata.PackageNotFoundError: pass\n"
    )
    assert _probe(code) == ""


def test_what_the_stage_of_the_base_install_starts_finds_no_torch_either() -> None:
    child = "import numpy, PySide6, llama_cpp, torch"
    code = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {child!r}]).returncode != 1)"
    _probe(code)


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


def test_a_stage_has_its_own_variables(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = "import os; print(os.environ['ONE'], os.environ['TWO'])"
    stage = Stage("shows", (sys.executable, "-c", code), variables={"TWO": "own"})
    assert run_stages([stage], tmp_path, {**os.environ, "ONE": "all", "TWO": "all"})[0].has_passed
    assert "all own" in capfd.readouterr().out


def test_keep_going_runs_the_rest(tmp_path: Path) -> None:
    results = run_stages([_exit("one", 1), _exit("two", 0)], tmp_path, os.environ, keep_going=True)
    assert [result.has_passed for result in results] == [False, True]


def test_summary_of_success() -> None:
    assert "All checks passed (3 s)." in summary([Result(_exit("one", 0), 0, 1.5), Result(_exit("two", 0), 0, 1.4)])
