"""The lock files: they parse, agree with pyproject.toml, and are complete for what they install."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "requirements-gpu.lock", "requirements-dev.lock")
# Installed for one file that is read and never imported: see requirements-dev.lock.
NEVER_IMPORTED = "trl"


def _pins(name: str) -> Iterator[Requirement]:
    for line in (ROOT / "packaging" / name).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            yield Requirement(text)


def _versions(locks: tuple[str, ...] = LOCKS) -> dict[str, str]:
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for lock in locks for pin in _pins(lock)}


def _declared() -> list[Requirement]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    texts = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_pins_one_version(lock: str) -> None:
    for pin in _pins(lock):
        operators = [specifier.operator for specifier in pin.specifier]
        assert operators == ["=="], f"{pin} in {lock}"


def test_nothing_is_pinned_twice() -> None:
    names = [canonicalize_name(pin.name) for lock in LOCKS for pin in _pins(lock)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_pins_are_within_what_pyproject_allows(python: str) -> None:
    versions = _versions()
    declared = [
        requirement
        for requirement in _declared()
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python})
    ]
    assert len(declared) > 15
    for requirement in declared:
        pinned = versions.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement} is not locked"
        assert requirement.specifier.contains(pinned), f"{requirement} does not allow the locked {pinned}"


def test_the_base_lock_has_nothing_that_computes_on_torch() -> None:
    names = {canonicalize_name(pin.name) for pin in _pins("requirements.lock")}
    assert names.isdisjoint({"torch", "transformers", "accelerate", "safetensors", "opencv-python"})


@pytest.mark.parametrize("locks", [LOCKS[:1], LOCKS[:2], LOCKS], ids=["base", "gpu", "dev"])
def test_locks_are_closed_under_what_their_packages_require_here(locks: tuple[str, ...]) -> None:
    """`--no-deps` installs just the lines, so a dependency that is in no line is missing."""
    versions = _versions(locks)
    here = [pin for lock in locks for pin in _pins(lock) if pin.marker is None or pin.marker.evaluate()]
    lacking = []
    for pin in here:
        if pin.name in {NEVER_IMPORTED, "torch"}:  # torch's CUDA packages come with its build
            continue
        for text in metadata.requires(pin.name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                pinned = versions.get(canonicalize_name(needed.name))
                if pinned is None or not needed.specifier.contains(pinned):
                    lacking.append(f"{pin.name} needs {needed}, locked is {pinned}")
    assert lacking == []


def test_what_is_bound_to_the_c_functions_of_one_version_is_pinned_in_pyproject_too() -> None:
    """A wheel that is installed by pip alone must not bring another ggml."""
    (bound,) = [one for one in _declared() if one.name == "llama-cpp-python"]
    assert [(one.operator, one.version) for one in bound.specifier] == [("==", _versions()["llama-cpp-python"])]


def test_the_environment_is_what_the_locks_say() -> None:
    different = {
        str(pin): metadata.version(pin.name)
        for lock in LOCKS
        for pin in _pins(lock)
        if (pin.marker is None or pin.marker.evaluate()) and not pin.specifier.contains(metadata.version(pin.name))
    }
    assert different == {}
