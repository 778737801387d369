"""The environment and its stamp, in folders made for the test: nothing is installed here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import dev_environment
import pytest
from dev_environment import BASE, DEV, TORCH, Environment, has_large_card, locked_version
from dev_pip import explain_pip_failure, fits, special_build
from dev_report import SetupError, Step, carry_out

ROOT = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the real lock files, without an environment."""
    (tmp_path / "packaging").mkdir()
    for lock in (ROOT / "packaging").glob("*.lock"):
        shutil.copy(lock, tmp_path / "packaging")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def made(checkout: Path) -> Environment:
    """An environment as `python -m venv` leaves it, as far as the stamp can tell."""
    environment = Environment(checkout, "none")
    packages = environment.folder / ("Lib/site-packages" if os.name == "nt" else "lib/python3.11/site-packages")
    for file in (environment.python, packages / "pip" / "__main__.py"):
        file.parent.mkdir(parents=True)
        file.touch()
    (environment.folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.7\n", encoding="utf-8")
    return environment


def _titles(environment: Environment) -> list[str]:
    return [step.title for step in environment.steps([BASE, TORCH, DEV])]


def _install(environment: Environment, name: str, files: dict[str, str]) -> Path:
    """Lay down a distribution as pip does, with RECORD last."""
    packages = environment.packages()
    assert packages is not None
    info = packages / f"{name}.dist-info"
    info.mkdir()
    rows = []
    for path, text in files.items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text(text, encoding="utf-8")
        rows.append(f"{path},sha256=x,{len(text)}\n")
    (info / "RECORD").write_text("".join([*rows, f"{info.name}/RECORD,,\n"]), encoding="utf-8")
    return info


def test_a_bare_checkout_needs_everything(checkout: Path) -> None:
    titles = _titles(Environment(checkout, "none"))
    assert titles[0] == "Making the environment in .venv"
    assert titles[1] == "Installing llama-cpp-python"
    assert titles.index("Installing torch for the processor") > titles.index("Installing packaging/requirements.lock")
    for layer in (BASE, TORCH, DEV):
        for lock in layer.locks:
            assert f"Installing packaging/{lock}" in titles


def test_the_base_needs_no_torch(checkout: Path) -> None:
    environment = Environment(checkout, "nvidia")
    titles = [step.title for step in environment.steps([BASE])]
    assert "Installing llama-cpp-python" in titles
    assert not any("torch" in title or "gpu" in title for title in titles)
    assert environment.needed_bytes([BASE]) < environment.needed_bytes([BASE, TORCH])


def test_an_environment_made_elsewhere_is_adopted(made: Environment) -> None:
    assert made.is_whole()
    assert "Making the environment in .venv" not in _titles(made)
    assert "Installing packaging/requirements.lock" in _titles(made)


def test_nothing_is_left_once_it_is_remembered(made: Environment) -> None:
    made.remember(BASE)
    assert made.is_ready(BASE)
    assert not made.is_ready(DEV)
    assert not made.has_had(TORCH)
    made.remember(DEV)
    assert made.steps([BASE, DEV]) == []
    made.remember(TORCH)
    assert made.has_had(TORCH)


def test_a_changed_lock_brings_back_its_layer_alone(made: Environment) -> None:
    made.remember(BASE)
    made.remember(DEV)
    lock = made.root / "packaging" / "requirements-dev.lock"
    lock.write_text(lock.read_text(encoding="utf-8") + "six==1.17.0\n", encoding="utf-8")
    assert made.is_ready(BASE)
    assert not made.is_ready(DEV)
    assert made.has_had(DEV)


def test_another_python_or_place_brings_everything_back(made: Environment, tmp_path: Path) -> None:
    made.remember(BASE)
    moved = made.root.rename(tmp_path.with_name(tmp_path.name + "-moved"))
    assert not Environment(moved, "none").is_ready(BASE)
    moved.rename(made.root)
    assert made.is_ready(BASE)
    (made.folder / "pyvenv.cfg").write_text("version = 3.12.1\n", encoding="utf-8")
    assert not made.is_ready(BASE)


def test_another_accelerator_brings_back_torch_alone(made: Environment) -> None:
    made.remember(BASE)
    made.remember(TORCH)
    other = Environment(made.root, "nvidia")
    assert (other.is_ready(BASE), other.is_ready(TORCH)) == (True, False)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_stamp_counts_as_none(made: Environment, content: str) -> None:
    made.stamp_file.write_text(content, encoding="utf-8")
    assert not made.is_ready(BASE)
    made.remember(BASE)
    assert made.is_ready(BASE)


def test_a_half_made_environment_is_made_anew(made: Environment) -> None:
    made.remember(BASE)
    (made.folder / "pyvenv.cfg").unlink()
    assert not made.is_whole()
    assert _titles(made)[0] == "Making the environment in .venv"


@pytest.mark.skipif(os.name == "nt", reason="environments are linked to their Python elsewhere only")
def test_an_environment_whose_python_is_gone_is_made_anew(made: Environment) -> None:
    made.python.unlink()
    made.python.symlink_to(made.root / "uninstalled" / "python3.11")
    assert not made.is_whole()


def test_after_a_kill_damaged_packages_are_forgotten_and_whole_ones_kept(made: Environment) -> None:
    made.remember(BASE)
    made.unfinished_file.touch()
    whole = _install(made, "whole-1", {"whole/a.py": "a = 1\n", "whole/__pycache__/a.pyc": "x"})
    cut = _install(made, "cut-1", {"cut/a.py": "a = 1\n", "cut/b.py": "b = 1\n"})
    gone = _install(made, "gone-1", {"gone/a.py": "a = 1\n"})
    early = _install(made, "early-1", {"early/a.py": "a = 1\n"})
    packages = whole.parent
    (packages / "whole/__pycache__/a.pyc").write_text("compiled anew", encoding="utf-8")
    (packages / "cut/b.py").write_text("b =", encoding="utf-8")
    (packages / "gone/a.py").unlink()
    (early / "RECORD").unlink()

    repair, *rest = made.steps([BASE])
    assert repair.title == "Repairing what an interrupted set-up left in .venv"
    assert rest != []
    repair.action()
    assert [info.exists() for info in (whole, cut, gone, early)] == [True, False, False, False]


def test_a_full_disk_is_told_before_anything_is_made(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev_environment, "BASE_BYTES", 10**18)
    environment = Environment(checkout, "none")
    with pytest.raises(SetupError, match="free on the disk"):
        carry_out(environment.steps([BASE]))
    assert not environment.folder.exists()


def test_versions_of_torch_come_from_the_lock(checkout: Path) -> None:
    lock = checkout / "packaging" / "requirements-gpu.lock"
    assert f"\ntorch=={locked_version(lock, 'torch')}\n" in lock.read_text(encoding="utf-8")
    with pytest.raises(SetupError, match="does not pin"):
        locked_version(lock, "numpy")


@pytest.mark.parametrize(
    ("installed", "accelerator", "expected"),
    [
        (None, "none", False),
        ("2.12.0+cpu", "none", False),
        ("2.13.0+cpu", "none", True),
        ("2.13.0", "none", True),
        ("2.13.0+cpu", "nvidia", False),
        ("2.13.0", "nvidia", True),
        ("2.13.0+cu130", "nvidia", True),
    ],
)
def test_which_torch_may_stay(installed: str | None, accelerator: str, expected: bool) -> None:
    assert fits(installed, "2.13.0", accelerator) is expected


def test_which_build_of_torch_is_looked_for() -> None:
    builds = {
        (platform, accelerator): special_build(platform, accelerator)
        for platform in ("linux", "darwin", "win32")
        for accelerator in ("none", "nvidia")
    }
    special = {key: build.suffix for key, build in builds.items() if build is not None}
    assert special == {("linux", "none"): "+cpu", ("win32", "nvidia"): "+cu130"}


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(…)'\n"
            "ERROR: No matching distribution found for numpy==2.4.6",
            "can't be reached",
        ),
        ("ERROR: No matching distribution found for numpy==2.4.6", "no package index offers numpy==2.4.6"),
        ("ERROR: Something else", "pip failed"),
    ],
)
def test_what_pip_says_becomes_a_reason(log: str, text: str) -> None:
    assert text in explain_pip_failure(log).text


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for the driver's tool is a shell script")
@pytest.mark.parametrize(
    ("answer", "expected"), [("24564", True), ("8192\\n81559", True), ("16380", False), ("[N/A]", False), ("", False)]
)
def test_a_card_is_large_from_24_gigabytes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, expected: bool
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{answer}\\n'\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert has_large_card() is expected
    tool.unlink()
    assert has_large_card() is False


def test_steps_are_numbered_and_stop_at_the_first_error(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def break_down() -> None:
        raise SetupError("the disk is full.", "Free some space.")

    steps = [Step("First", lambda: done.append("first")), Step("Second", break_down), Step("Third", done.clear)]
    with pytest.raises(SetupError):
        carry_out(steps)
    output = capsys.readouterr().out
    assert "[1/3] First" in output
    assert "[2/3] Second" in output
    assert "[3/3]" not in output
    assert done == ["first"]


def test_a_file_that_cannot_be_written_is_no_bug_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        carry_out([Step("Writing", (tmp_path / "missing" / "file").touch)])
    assert "file" in caught.value.text
    assert "owns the folder" in caught.value.remedy
