"""``diffdesk doctor`` as a user runs it: what it finds, what it only mentions, and what makes it fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from diffdesk.cli import doctor as report

ROOT = Path(__file__).parents[3]
BASE_INSTALL = ROOT / "tests" / "base_install"
# Runs the command line in this process and tells which model libraries that imported.
PROBE = """
import sys
from diffdesk.__main__ import main
code = 0
try:
    code = main(["--temp-profile", "doctor", "--json"])
except SystemExit as ending:
    code = ending.code
print(sorted({"torch", "transformers", "llama_cpp", "onnxruntime"} & set(sys.modules)))
sys.exit(code)
"""


def run(*path: Path, code: str = PROBE) -> tuple[int, dict[str, tuple[str, bool]], list[str]]:
    """Exit status, findings by subject, and the rest of the output; the folders of `path` stand before all others."""
    inside = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=inside, capture_output=True, text=True, check=False
    )
    assert ended.stdout, ended.stderr
    first, *rest = ended.stdout.splitlines()
    found = json.loads(first)
    assert found["is_fine"] is (ended.returncode == 0)
    return ended.returncode, {one["subject"]: (one["text"], one["is_fine"]) for one in found["findings"]}, rest


def package(folder: Path, name: str, text: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text, encoding="utf-8")
    return folder


def test_all_is_well_here_and_no_model_library_is_imported_to_find_out() -> None:
    code, found, rest = run()
    assert (code, rest) == (0, ["[]"])
    library = found["llama-cpp-python"][0]
    assert metadata.version("llama-cpp-python") in library
    assert "ggml 0.25." in library
    assert "self-test is right" in library
    assert "PDFium" in found["PDF pages"][0]
    assert "libheif" in found["HEIC photos"][0]
    assert "optional" in found["Tesseract"][0]
    assert found["torch"] == (metadata.version("torch"), True)
    assert "15.6 M parameters" in found["Starter, folder"][0]


def test_a_base_install_lacks_nothing() -> None:
    code, found, _ = run(BASE_INSTALL)
    assert code == 0
    text, is_fine = found["torch"]
    assert is_fine
    assert "only needed for folders of safetensors files and large GPUs: pip install 'diffdesk[gpu]'" in text
    assert "transformers" not in found


def test_a_library_that_cant_be_loaded_is_said_with_the_remedy(tmp_path: Path) -> None:
    code, found, _ = run(package(tmp_path, "llama_cpp", "raise ImportError('libgomp.so.1 is missing')"))
    assert code == 1
    text, is_fine = found["llama-cpp-python"]
    assert not is_fine
    assert "libgomp.so.1 is missing" in text
    assert "pip install" in text


def test_a_library_that_crashes_takes_only_its_own_process_along(tmp_path: Path) -> None:
    code, found, _ = run(package(tmp_path, "llama_cpp", "import os; os.abort()"))
    assert code == 1
    text, is_fine = found["llama-cpp-python"]
    assert not is_fine
    assert "crashed while it was loaded" in text
    assert "Have it compiled again: pip install --force-reinstall" in text


def test_what_opens_pages_is_tried_and_not_only_looked_for(tmp_path: Path) -> None:
    broken = package(
        package(tmp_path, "pypdfium2", "raise OSError('libpdfium.so')"), "pillow_heif", "import nothing_at_all"
    )
    code, found, _ = run(broken)
    assert code == 1
    assert found["PDF pages"] == ("can't be opened; run: pip install pypdfium2", False)
    assert found["HEIC photos"] == ("can't be opened; run: pip install pillow-heif", False)


def test_without_tesseract_nothing_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = report._tesseract_finding()
    assert finding.is_fine
    assert "search path. It is optional." in finding.text


def test_a_part_of_the_extra_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_version", lambda name: "" if name == "transformers" else "1.0")
    wrong = [one for one in report._torch_findings() if not one.is_fine]
    assert [one.subject for one in wrong] == ["transformers"]
    assert "diffdesk[gpu]" in wrong[0].text
