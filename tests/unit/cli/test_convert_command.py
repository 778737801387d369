"""``diffdesk convert``: what is printed and which exit codes there are."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from diffdesk.backends.gguf.conversion_names import FileKind
from diffdesk.cli import convert as command
from diffdesk.cli.arguments import build_parser
from diffdesk.cli.main import run_command
from diffdesk.paths import choose_places
from tests.unit.backends import tiny

Progress = Callable[[str, float], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tiny.BY_NAME["plain"], tmp_path_factory.mktemp("models") / "plain")


def no_window(seconds: float, rate: int) -> Mapping[str, object]:
    raise AssertionError


def run(folder: Path, out: Path, *options: str) -> int:
    arguments = build_parser().parse_args(["convert", str(folder), str(out), *options])
    return run_command(arguments, choose_places(out.parent / "data"), no_window)


def test_it_writes_the_file_and_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.gguf"
    assert run(folder, out) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: 0.")
    assert "q8_0" in said.out
    lines = said.err.splitlines()
    assert lines[0] == "0 %"
    assert lines[-1] == "100 %"
    assert len(lines) == len(set(lines)) <= 11
    assert out.read_bytes()[:4] == b"GGUF"


def test_json_is_one_object(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.gguf"
    assert run(folder, out, "--json", "--type", "f16") == 0
    data = json.loads(capsys.readouterr().out)
    assert data.pop("seconds") >= 0
    assert data == {"file": str(out), "type": "f16", "bytes": out.stat().st_size}


def test_both_files_are_made_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seeing = tiny.save(tiny.BY_NAME["seeing"], tmp_path / "seeing")
    out, mmproj = tmp_path / "a.gguf", tmp_path / "b.gguf"
    assert run(seeing, out, "--mmproj", str(mmproj), "--mmproj-type", "f32") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [str(out), str(mmproj)]
    assert [line.split(", ")[1] for line in lines] == ["q8_0", "f32"]
    assert run(seeing, out, "--mmproj", str(mmproj), "--force", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["file"] == str(out)
    assert data["mmproj"] == {"file": str(mmproj), "type": "f16", "bytes": mmproj.stat().st_size}


def test_a_model_that_cant_see_makes_neither_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blind = Path(shutil.copytree(folder, tmp_path / "blind"))
    weights = load_file(blind / "model.safetensors")
    save_file({name: one for name, one in weights.items() if "vision" not in name}, blind / "model.safetensors")
    assert run(blind, tmp_path / "a.gguf", "--mmproj", str(tmp_path / "b.gguf")) == 2
    said = capsys.readouterr().err
    assert "can't see images" in said
    assert "--mmproj" in said
    assert not list(tmp_path.glob("*.gguf*"))


def test_a_file_that_is_there_is_refused_and_forced(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.gguf"
    out.write_bytes(b"precious")
    assert run(folder, out, "--json") == 2
    said = capsys.readouterr()
    assert "--force" in json.loads(said.out)["error"]["remedy"]
    assert "--force" in said.err
    assert out.read_bytes() == b"precious"
    assert run(folder, out, "--force") == 0
    assert out.read_bytes()[:4] == b"GGUF"


def test_an_interrupt_ends_with_its_code_and_tells_how_to_go_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "convert_checkpoint", interrupted)
    assert run(folder, tmp_path / "a.gguf") == 130
    assert "same command" in capsys.readouterr().err


@pytest.mark.parametrize("kind", FileKind)
def test_every_type_can_be_asked_for(kind: FileKind) -> None:
    assert build_parser().parse_args(["convert", "a", "b.gguf", "--type", kind.value]).type == kind


def test_a_terminal_has_one_line_that_is_redrawn() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    printer = command.ProgressPrinter(stream)
    for stage, share in (("Embedding", 0.0), ("Embedding", 0.004), ("Layer 1 of 3", 0.5)):
        printer.show(stage, share)
    printer.clear()
    assert stream.getvalue() == "\r\x1b[K  0 %  Embedding\r\x1b[K 50 %  Layer 1 of 3\r\x1b[K"
