"""Which model is meant, how it is loaded, and what is said before: on the starter model in both of its forms."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from diffdesk.backends import registry
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.model_file import inspect_gguf
from diffdesk.core.errors import CheckpointError
from diffdesk.models.profile import read_profile
from diffdesk.paths import starter_dir
from diffdesk.services import models
from diffdesk.services.models import STARTER_FILE, memory_warning, name_of, spec_of, starter_model


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the starter model as a checkpoint and as a GGUF file."""
    folder = tmp_path_factory.mktemp("both") / "starter"
    shutil.copytree(starter_dir(), folder, ignore=shutil.ignore_patterns("*.gguf"))
    convert(starter_dir(), folder / STARTER_FILE, "q8_0", lambda stage, share: None)
    return folder


@pytest.fixture
def gguf(both: Path, tmp_path: Path) -> Path:
    """The starter model as the only thing in a folder."""
    return Path(shutil.copy(both / STARTER_FILE, tmp_path / "small-model-Q8_0.gguf"))


@pytest.mark.parametrize(
    ("installed", "has_weights", "is_file"),
    [
        ({"gguf", "transformers"}, True, True),
        ({"gguf"}, True, True),
        ({"transformers"}, True, False),
        ({"transformers"}, False, True),  # what is said then is how to install the library
        (set(), True, True),
    ],
)
def test_the_starter_is_its_gguf_file_unless_only_the_folder_can_be_run(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: set[str], has_weights: bool, is_file: bool
) -> None:
    folder = Path(shutil.copytree(both, tmp_path / "starter"))
    if not has_weights:
        (folder / "model.safetensors").unlink()
    monkeypatch.setattr(models, "starter_dir", lambda: folder)
    monkeypatch.setattr(registry, "is_installed", lambda name: name in installed)
    assert starter_model() == (folder / STARTER_FILE if is_file else folder)


def test_without_the_file_the_starter_is_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "starter_dir", lambda: tmp_path)
    assert starter_model() == tmp_path


def test_files_and_folders_become_what_is_loaded(both: Path, gguf: Path) -> None:
    assert spec_of(gguf).path == gguf
    assert spec_of(gguf.parent).path == gguf
    assert spec_of(both).path == both, "a folder of safetensors is meant itself"
    assert spec_of(both / STARTER_FILE).path == both / STARTER_FILE


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"not at all")
    for path in (tmp_path / "x.gguf", tmp_path / "gone.gguf", tmp_path / "gone"):
        with pytest.raises(CheckpointError) as caught:
            spec_of(path)
        assert caught.value.remedy


def test_a_file_says_what_it_is_for_as_its_folder_does(both: Path) -> None:
    assert read_profile(both / STARTER_FILE) == read_profile(both)
    assert not read_profile(both / STARTER_FILE).can_chat


def test_names_before_loading(both: Path, gguf: Path) -> None:
    assert name_of(None) == "Starter"
    assert name_of(both) == "Starter"
    assert name_of(gguf) == "small-model-Q8_0"
    assert name_of(gguf.with_name("gone-00001-of-00002.gguf")) == "gone"


def test_memory_is_told_before_loading(gguf: Path) -> None:
    assert memory_warning(gguf) is None
    facts = inspect_gguf(gguf)
    said = models._mapped_warning(facts, facts.bytes)
    assert said is not None, "the weights alone are not all"
    assert "which is slow" in said.text
    assert said.remedy
    assert models._mapped_warning(facts, facts.bytes + 2**30) is None
