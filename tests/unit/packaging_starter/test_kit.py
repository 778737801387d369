"""The kit's command line, and how the texts that are taken in part are cut."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from starter import fetch, train

KIT = Path(__file__).parents[3] / "packaging" / "kit.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(KIT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)


@pytest.mark.parametrize(("arguments", "status"), [((), 2), (("nothing",), 2), (("--help",), 0)])
def test_it_prints_its_commands(arguments: tuple[str, ...], status: int) -> None:
    done = run(*arguments)
    assert done.returncode == status
    for command in ("fetch", "vocabulary", "train", "sets", "export"):
        assert f"kit.py {command} " in done.stdout


@pytest.mark.parametrize("command", ["fetch", "vocabulary", "train", "sets", "export"])
def test_each_command_says_what_it_takes(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: kit.py {command}" in done.stdout


def test_a_piece_of_training_is_told_by_its_place_in_the_schedule() -> None:
    settings = train.parse(["--data", "d", "--out", "o", "--from", "0.4", "--to", "0.7", "--resume", "o/last"])
    assert (settings.data, settings.start, settings.end, settings.resume) == (Path("d"), 0.4, 0.7, Path("o/last"))


def test_a_part_of_a_text_is_spread_over_all_of_it() -> None:
    rng = random.Random(1)
    lines = [f"{number:05d} {'x' * int(rng.expovariate(1 / 80))}" for number in range(20_000)]
    sizes = [sum(len(line) + 1 for line in lines[begin : begin + 2_000]) for begin in range(0, 20_000, 2_000)]
    for share in (0.12, 0.35, 0.8):
        taken = fetch._spread(lines, int(share * sum(sizes)))
        assert share * sum(sizes) - 10_000 < sum(len(line) + 1 for line in taken) <= share * sum(sizes)
        for tenth, size in enumerate(sizes):
            part = sum(len(line) + 1 for line in taken if int(line[:5]) // 2_000 == tenth)
            assert abs(part / size - share) < 0.03
    assert fetch._spread(lines, 0) == lines


def test_nothing_is_fetched_yet(tmp_path: Path) -> None:
    assert not fetch.complete(tmp_path)
