"""What a wheel of DiffDesk holds, and what installing it asks for: built here, from this checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
STARTER = "diffdesk/_resources/starter/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_starter_goes_out_as_gguf_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = {one.removeprefix(STARTER) for one in file.namelist() if one.startswith(STARTER)}
    assert {"starter-q8_0.gguf", "mmproj-starter-f16.gguf", "NOTICE", "README.md"} <= names
    assert "model.safetensors" not in names


def test_its_base_needs_no_torch(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        (metadata,) = [one for one in file.namelist() if one.endswith(".dist-info/METADATA")]
        lines = message_from_bytes(file.read(metadata)).get_all("Requires-Dist") or []
    asked = [Requirement(line) for line in lines]
    base = {one.name.lower() for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})}
    assert "llama-cpp-python" in base
    assert base.isdisjoint({"torch", "transformers", "accelerate", "safetensors", "tokenizers", "huggingface-hub"})
    extra = {one.name for one in asked if one.marker is not None and one.marker.evaluate({"extra": "gpu"})}
    assert {"torch", "transformers", "accelerate", "safetensors"} <= extra
