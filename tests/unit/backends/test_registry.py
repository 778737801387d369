"""Which backend runs what, and what is said where its libraries are missing; nothing is imported to find out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diffdesk.backends.checkpoint import CheckpointFacts
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.gguf.model_file import GgufFacts
from diffdesk.backends.registry import choose, inspect_model, is_installed, load, names
from diffdesk.core.errors import CheckpointError
from diffdesk.core.requests import ModelSpec
from diffdesk.paths import starter_dir

ROOT = Path(__file__).parents[3]
STARTER = starter_dir()


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter model as a GGUF file, alone in its folder."""
    file = tmp_path_factory.mktemp("gguf") / "starter.gguf"
    convert(STARTER, file, "q8_0", lambda stage, share: None)
    return file


def test_the_backend_is_chosen_by_what_lies_there(gguf: Path) -> None:
    assert set(names()) == {"gguf", "transformers"}
    assert choose(ModelSpec(STARTER)) == "transformers"
    assert choose(ModelSpec(gguf)) == "gguf"
    assert choose(ModelSpec(gguf.parent)) == "gguf"
    assert choose(ModelSpec(gguf, backend="transformers")) == "transformers"


def test_a_backend_that_is_not_there() -> None:
    with pytest.raises(CheckpointError, match="called “onnx”"):
        choose(ModelSpec(STARTER, backend="onnx"))


def test_files_and_folders_are_described_alike(gguf: Path) -> None:
    file, folder = inspect_model(gguf.parent), inspect_model(STARTER)
    assert isinstance(file, GgufFacts)
    assert isinstance(folder, CheckpointFacts)
    assert (file.canvas_length, file.context_length, file.vocab_size) == (
        folder.canvas_length,
        folder.context_length,
        folder.vocab_size,
    )
    assert (file.precision, folder.precision) == ("Q8_0", "float16")
    assert file.bytes < folder.bytes


def test_a_backend_that_is_named_refuses_what_it_cant_load(gguf: Path) -> None:
    with pytest.raises(CheckpointError, match="folder") as caught:
        load(ModelSpec(gguf, backend="transformers"), lambda stage, share: None)
    assert "GGUF file" in caught.value.text


def test_nothing_is_imported_for_a_folder_that_is_no_model(tmp_path: Path) -> None:
    seen: list[str] = []
    with pytest.raises(CheckpointError):
        load(ModelSpec(tmp_path), lambda stage, _share: seen.append(stage))
    assert seen == []


CHECK = """
import sys
from pathlib import Path
from diffdesk.backends.registry import choose, is_installed
from diffdesk.core.requests import ModelSpec
print(*(choose(ModelSpec(Path(one))) for one in sys.argv[1:]), is_installed("gguf"), is_installed("transformers"))
print(sorted({"torch", "transformers", "tokenizers", "safetensors", "PIL", "llama_cpp"} & set(sys.modules)))
"""
LOAD = """
import sys
from pathlib import Path
from diffdesk.backends.registry import load
from diffdesk.core.errors import EngineError
from diffdesk.core.requests import ModelSpec
try:
    load(ModelSpec(Path(sys.argv[1])), lambda stage, share: None)
except EngineError as error:
    print(error.plain())
"""


def run(code: str, *arguments: Path, is_base: bool) -> str:
    """What a process prints, in this environment or in one that is like the base install."""
    inside = dict(os.environ)
    if is_base:
        inside["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "base_install"), inside.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=inside, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("is_base", [False, True])
def test_choosing_imports_no_model_library(gguf: Path, is_base: bool) -> None:
    said = run(CHECK, gguf, STARTER, is_base=is_base)
    assert said.splitlines() == [f"gguf transformers True {not is_base}", "[]"]


def test_without_torch_a_folder_is_refused_with_both_ways_out() -> None:
    said = run(LOAD, STARTER, is_base=True)
    assert "not installed" in said
    assert "pip install 'diffdesk[gpu]'" in said
    assert "GGUF" in said


def test_both_backends_are_installed_where_tests_run() -> None:
    assert is_installed("gguf")
    assert is_installed("transformers")
