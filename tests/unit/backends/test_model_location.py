"""Which file or folder is meant by a path: by names alone, with a look at the first bytes where a name says nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diffdesk.backends.model_location import is_gguf, locate_model, plain_name
from diffdesk.core.errors import CheckpointError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"GGUF")
    return folder


def test_a_file_is_a_gguf_by_its_name_or_its_first_bytes(tmp_path: Path) -> None:
    fill(tmp_path, "a.gguf", "B.GGUF", "sha256-1f", "words.txt")
    (tmp_path / "words.txt").write_text("GG")
    (tmp_path / "folder.gguf").mkdir()
    assert [is_gguf(tmp_path / name) for name in ("a.gguf", "B.GGUF", "sha256-1f", "gone.gguf")] == [True] * 4
    assert [is_gguf(tmp_path / name) for name in ("words.txt", "folder.gguf", "gone", "x\0y")] == [False] * 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not is_gguf(tmp_path / "pipe")


def test_a_folder_with_one_model_stands_for_it_whatever_else_lies_there(tmp_path: Path) -> None:
    fill(tmp_path, "model-Q4_K_M.gguf", "mmproj-model-F16.gguf", "model-mmproj.gguf", ".half.gguf", "config.json")
    assert locate_model(tmp_path) == tmp_path / "model-Q4_K_M.gguf"


def test_the_parts_of_a_split_model_are_one(tmp_path: Path) -> None:
    fill(tmp_path, *(f"model-0000{number}-of-00003.gguf" for number in (1, 2, 3)))
    assert locate_model(tmp_path) == tmp_path / "model-00001-of-00003.gguf"
    assert plain_name(tmp_path / "model-00002-of-00003.gguf") == "model"


def test_weights_in_safetensors_come_first(tmp_path: Path) -> None:
    fill(tmp_path, "config.json", "model.safetensors", "model.gguf")
    assert locate_model(tmp_path) == tmp_path


def test_several_models_are_named_and_none_is_guessed(tmp_path: Path) -> None:
    fill(tmp_path, "small.gguf", "large.gguf")
    with pytest.raises(CheckpointError, match="large, small"):
        locate_model(tmp_path)
    fill(tmp_path, *(f"{number}.gguf" for number in range(9)))
    with pytest.raises(CheckpointError, match="and others"):
        locate_model(tmp_path)


def test_what_holds_no_model_and_what_is_not_there_come_back_as_they_are(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone", tmp_path / "gone.gguf", fill(tmp_path, "a.txt") / "a.txt"):
        assert locate_model(path) == path


def test_names(tmp_path: Path) -> None:
    assert plain_name(tmp_path / "gemma.v1") == "gemma.v1"
    assert plain_name(tmp_path / "gemma.v1-Q4_0.gguf") == "gemma.v1-Q4_0"
    assert plain_name(Path("/")) == "/"
