"""The Triton kernels compute what plain torch does, by Triton's interpreter; on a GPU, test_card.py runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is not installed: there are no kernels to compare")

CHILD = Path(__file__).with_name("fused_child.py")
ROOT = Path(__file__).parents[4]
# Relative, in float32 and in float16, which is rounded once for each number that is stored.
WITHIN = {"torch.float32": 2e-6, "torch.float16": 2e-3}

Numbers = dict[str, float]


@pytest.fixture(scope="module")
def compared() -> dict[str, Numbers]:
    """The largest differences, by operator and case."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    inside = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, str(CHILD)], cwd=ROOT, env=inside, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("operator", "cases"),
    [("norm", 12), ("heads", 36), ("attend", 41), ("after_attention", 48), ("gated", 6), ("after_experts", 12)],
)
def test_an_operator_computes_what_plain_torch_does(compared: dict[str, Numbers], operator: str, cases: int) -> None:
    assert len(compared[operator]) == cases
    for case, difference in compared[operator].items():
        (dtype,) = [one for one in WITHIN if one in case]
        assert difference < WITHIN[dtype], case


def test_rows_go_to_the_same_experts(compared: dict[str, Numbers]) -> None:
    for case, difference in compared["route"].items():
        if case.endswith("count"):
            assert difference == 0, case
        else:
            assert difference < 2e-6, case
    assert sum(case.endswith("chosen, count") for case in compared["route"]) == 8


def test_a_step_says_the_same_of_every_position(compared: dict[str, Numbers]) -> None:
    """Draws by uniform numbers of 0 and of almost 1 may differ by a token whose share is less than float32 tells."""
    bounds = {"entropy": 2e-5, "probability": 5e-6, "kept": 5e-6, "draws, in sums of shares": 1e-6}
    cases = compared["reduce"] | compared["sure"] | compared["ends"]
    for case, difference in cases.items():
        part = case.rpartition(": ")[2]
        if part.endswith("count"):
            assert difference == 0, case
        elif part == "conditioning":
            assert difference < (2**-7 if "bfloat16" in case else 1e-5), case
        else:
            assert difference < bounds[part], case
    assert {case.rpartition(": ")[2] for case in cases} >= {*bounds, "conditioning", "draws, count", "argmax, count"}
    assert len(compared["reduce"]) == 5 * 2 * 2 * 8


def test_what_is_no_number_stays_in_its_row_and_is_told(compared: dict[str, Numbers]) -> None:
    assert compared["overflow"] == {"rows with numbers": 2.0}
