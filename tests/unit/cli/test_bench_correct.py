"""``diffdesk bench correct``: a drawn page, read by the recogniser and corrected by the starter model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffdesk.cli.arguments import build_parser
from diffdesk.cli.bench_correct import bench_correct
from diffdesk.core.errors import UserError
from tests.unit.backends import tiny
from tests.unit.backends.ggml.models import as_gguf
from tests.unit.documents import drawing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of one page, and one whose image is none."""
    for name, text in (("good/one", "\n".join(drawing.LEFT_COLUMN)), ("bad/two", "nothing")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.gt.txt").write_text(text, encoding="utf-8")
    drawing.paragraph().save(tmp_path / "good" / "one.png")
    (tmp_path / "bad" / "two.png").write_bytes(b"no image")
    return tmp_path


def run(folder: Path, *options: str) -> int:
    return bench_correct(build_parser().parse_args(["bench", "correct", str(folder), *options]))


def test_json_has_the_figures_of_each_set_and_what_failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--json", "--by-page") == 1
    printed = capsys.readouterr()
    data = json.loads(printed.out)
    assert list(data["sets"]) == ["good"]
    assert list(data["pages"]) == ["good/one.png"]
    good = data["sets"]["good"]
    assert good["cer_draft"] < 0.1
    assert good["cer_corrected"] <= good["cer_draft"]
    assert good["steps_cold"] >= good["steps_warm"] > 0
    assert list(data["failed"]) == ["bad/two.png"]
    assert "bad/two.png: " in printed.err


def test_the_table_has_a_row_for_each_set_and_page_and_its_aims(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad" / "two.png").unlink()
    assert run(folder, "--by-page") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("Starter on CPU")
    assert [line.split()[0] for line in printed[3:5]] == ["good", "one.png"]
    assert any("right words made wrong" in line and "met" in line for line in printed)
    assert len({len(line) for line in printed[1:5]}) == 1


def test_a_folder_without_pages_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pages"):
        run(tmp_path, "--model", str(tmp_path / "missing.gguf"))


@pytest.mark.parametrize("options", [(), ("--warm",)])
def test_a_chat_model_is_measured_through_its_own_way(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    (folder / "bad" / "two.png").unlink()
    model = as_gguf(tiny.save(tiny.BY_NAME["plain"], tmp_path / "folder"), tmp_path / "gguf")
    assert run(folder, "--json", "--model", str(model), "--device", "cpu", *options) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["model"]["name"] == "model-f32"
    good = data["sets"]["good"]
    assert good["cer_corrected"] == good["cer_draft"] == good["cer_cold"]
    assert good["over_correction"] == 0
    assert min(good["steps_cold"], good["steps_warm"]) >= 1
