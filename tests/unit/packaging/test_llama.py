"""Compiling llama-cpp-python: what is needed, what is said while it goes on, and why it failed. Nothing is compiled."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import dev_llama
import pytest
from dev_llama import (
    COMPILERS,
    JOB_BYTES,
    Ticker,
    explain_build_failure,
    free_memory,
    install_llama,
    is_cached,
    missing_compilers,
    parallel_jobs,
)
from dev_report import SetupError

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for programs on the search path")
LOG = Path("build.log")
# As ninja and the compilers write it, indented by pip.
BEGUN = (
    "Building wheels for collected packages: llama-cpp-python\n  Building wheel for llama-cpp-python\n  [12/193] g++\n"
)


def _tools(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch(mode=0o755)


@linux
def test_any_c_and_cxx_compiler_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    assert missing_compilers() == list(COMPILERS)
    _tools(tmp_path, "clang")
    assert [need.package for need in missing_compilers()] == ["g++"]
    _tools(tmp_path, "my-c++")
    monkeypatch.setenv("CXX", "my-c++ -m64")
    assert missing_compilers() == []


@linux
def test_without_a_compiler_and_without_root_the_reader_gets_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tools(tmp_path, "apt-get")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(dev_llama, "_install_wheel", lambda *_: False)
    with pytest.raises(SetupError) as caught:
        install_llama(Path(sys.executable), "0.3.36", tmp_path / "log")
    assert "g++ (program)" in caught.value.text
    assert "sudo apt-get install -y --no-install-recommends g++ gcc" in caught.value.remedy


@pytest.mark.parametrize(("platform", "remedy"), [("win32", "Visual Studio"), ("darwin", "xcode-select --install")])
def test_elsewhere_the_reader_gets_the_name_of_the_tools(
    monkeypatch: pytest.MonkeyPatch, platform: str, remedy: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(SetupError) as caught:
        dev_llama.provide_compilers(list(COMPILERS))
    assert "no C++ compiler" in caught.value.text
    assert remedy in caught.value.remedy


def test_a_small_disk_is_told_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dev_llama, "missing_compilers", list)
    monkeypatch.setattr(dev_llama, "is_cached", lambda *_: False)
    monkeypatch.setattr(dev_llama, "BUILD_BYTES", 10**18)
    with pytest.raises(SetupError, match="are free in") as caught:
        install_llama(Path(sys.executable), "0.3.36", tmp_path / "log")
    assert "TMPDIR" in caught.value.remedy
    assert not (tmp_path / "log").exists()


def test_no_more_compilers_work_than_the_memory_holds() -> None:
    assert parallel_jobs(8, 100 * JOB_BYTES) == 8
    assert parallel_jobs(8, 3 * JOB_BYTES) == 3
    assert parallel_jobs(8, JOB_BYTES // 2) == 1
    assert parallel_jobs(8, None) == 8
    if sys.platform.startswith("linux"):
        assert (free_memory() or 0) > 2**20


def test_what_pip_has_built_before_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache as pip keeps it, with one wheel in it."""
    monkeypatch.delenv("PIP_NO_CACHE_DIR", raising=False)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))
    assert not is_cached(Path(sys.executable), "0.3.36")
    folder = tmp_path / "wheels" / "a7" / "aa" / "8f" / ("0" * 50)
    folder.mkdir(parents=True)
    (folder / "llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl").write_bytes(b"")
    assert is_cached(Path(sys.executable), "0.3.36")
    assert not is_cached(Path(sys.executable), "0.3.3")


def test_progress_is_read_from_the_build() -> None:
    ticker = Ticker()
    stages = []
    for line in (
        "Collecting llama-cpp-python==0.3.36\n",
        "  Downloading llama_cpp_python-0.3.36.tar.gz (76.6 MB)\n",
        "  Building wheel for llama-cpp-python (pyproject.toml): started\n",
        "  [12/193] /usr/bin/g++ -DGGML_BUILD [1/2]\n",
        "  In file included from ggml.c:[3/4]\n",
        "  [ 45%] Building CXX object\n",
    ):
        ticker.read(line)
        stages.append(ticker.text)
    assert all(re.match(r"\d+:\d\d  \w", one) for one in stages)
    assert [one.partition("  ")[2] for one in stages] == [
        "asking the package index",
        "fetching the source",
        "preparing the build",
        "compiled 12 of 193 parts",
        "compiled 12 of 193 parts",
        "compiled 45 %",
    ]


@pytest.mark.parametrize(
    ("output", "text", "remedy"),
    [
        ("ERROR: No matching distribution found for llama-cpp-python==0.3.36", "no package index offers", "CPython"),
        ("NewConnectionError(…)\nERROR: No matching distribution found for x", "can't be reached", "proxy"),
        (BEGUN + "  fatal error: error writing to /tmp/x.s: No space left on device", "disk filled up", "TMPDIR"),
        (BEGUN + "  c++: fatal error: Killed signal terminated program cc1plus", "too little memory", "LEVEL=1"),
        (BEGUN + "  ggml.c:7:10: error: unknown type name 'x'\n  ninja: stopped.", "unknown type name", "build.log"),
        (BEGUN + "  CMake Error at CMakeLists.txt:1: no", "CMake Error", "build.log"),
        (BEGUN + "  it just\n  ended", "it just", "build.log"),
    ],
)
def test_why_it_failed_is_said_with_a_remedy(output: str, text: str, remedy: str) -> None:
    error = explain_build_failure(output, LOG)
    assert text in error.text
    assert remedy in error.remedy


def test_a_failure_of_pip_itself_comes_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real pip that may look nowhere."""
    monkeypatch.setattr(dev_llama, "missing_compilers", list)
    monkeypatch.setattr(dev_llama, "_check_space", lambda _: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "never"))
    with pytest.raises(SetupError, match=r"no package index offers llama-cpp-python==0\.0\.0"):
        install_llama(Path(sys.executable), "0.0.0", tmp_path / "log")
    assert "No matching distribution" in (tmp_path / "log").read_text(encoding="utf-8")
    assert not (tmp_path / "never").exists()


def test_a_package_that_does_not_work_here_is_told_with_the_way_to_build_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another package of its name stands in front of the real one."""
    package = tmp_path / "llama_cpp"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libggml.so: no such file')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"doesn't work here: .*libggml.so") as caught:
        dev_llama.check_llama(Path(sys.executable), tmp_path)
    assert "cache remove llama_cpp_python" in caught.value.remedy


def test_the_installed_package_works_here() -> None:
    dev_llama.check_llama(Path(sys.executable), Path(__file__).parents[3])
