"""``diffdesk bench starter`` with a model that answers as it is told: what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffdesk.cli import bench_starter
from diffdesk.cli.arguments import build_parser
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import ModelSpec
from diffdesk.paths import choose_places
from diffdesk.services.starter_measure import CURVE, StarterBench
from tests.unit.tasks.scripted import ScriptedDenoiser

PROFILE = ModelProfile("Told", Layout.ALIGNED, 128, gate=0.8, read_gate=0.8, line_gate=0.7, can_chat=False)


@pytest.fixture
def denoiser(monkeypatch: pytest.MonkeyPatch) -> ScriptedDenoiser:
    made = ScriptedDenoiser(sees=True)

    def told(spec: ModelSpec) -> StarterBench:
        return StarterBench(made, PROFILE)

    monkeypatch.setattr(bench_starter, "open_bench", told)
    return made


def run(tmp_path: Path, *options: str) -> int:
    arguments = build_parser().parse_args(["bench", "starter", *options])
    return bench_starter.bench_starter(arguments, choose_places(tmp_path))


def test_json_has_the_figures_of_each_set_and_its_aims(
    denoiser: ScriptedDenoiser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--sets", "tables,lines_bad", "--quick", "--json", "--gate-curve", "--cold") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["model"]["name"] == "Told"
    assert list(data["sets"]) == ["tables", "tables (cold)", "lines_bad", "lines_bad (cold)"]
    tables, lines = data["sets"]["tables"], data["sets"]["lines_bad"]
    assert (tables["cer_draft"], tables["cer_corrected"], tables["unchanged_share"]) == (0, 0, 1)
    assert [one["met"] for one in tables["aims"]] == [True, True]
    assert lines["cer_draft"] == lines["cer_corrected"] > 0.03
    assert len(lines["cer_by_gate"]) == len(CURVE)
    assert [one["met"] for one in lines["aims"]] == [False, True, True]
    assert data["sets"]["tables (cold)"]["aims"] == []
    assert denoiser.is_closed


def test_the_table_says_which_aims_are_met(
    denoiser: ScriptedDenoiser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--sets", "books_mixed", "--quick") == 0
    printed = capsys.readouterr().out
    assert "errors down with the gate ≥ 50%, to 3." in printed
    assert ": 0.0%, NOT MET" in printed
    assert "steps, median ≤ 8: 2, met" in printed
