"""Measuring a model that answers as it is told: the texts behind each gate, and what a set is given to it as."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffdesk.core.denoiser import StepResult
from diffdesk.core.errors import CheckpointError
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.requests import ModelSpec, ReadLine, ReadWord
from diffdesk.services.starter_measure import Manner, StarterBench, open_bench
from diffdesk.services.starter_sets import MeasureSet, Sample, SetKind
from tests.unit.tasks.scripted import ScriptedDenoiser

PROFILE = ModelProfile(layout=Layout.ALIGNED, slots=128, gate=0.8, read_gate=0.8, line_gate=0.7, can_chat=False)
TEXT = MeasureSet("text", SetKind.TEXT, (Sample("cat on a mat", "oat on a mat"), Sample("cotton", "cotton")))


def o_to_c(slots: Sequence[str]) -> list[str]:
    """Every o becomes a c."""
    return ["" if one in "_▢" else "c" if one == "o" else one for one in slots]


def quiet(name: str, done: int, of: int) -> None:
    """No progress."""


@pytest.fixture
def line(tmp_path: Path) -> ReadLine:
    path = tmp_path / "page.png"
    Image.fromarray(np.full((60, 200), 250, np.uint8)).save(path)
    words = (ReadWord("oattail", 12, 60, 0.9), ReadWord("2o", 70, 90, 0.9))
    return ReadLine("oattail 2o", path, 0, (10, 10, 110, 40), words)


def test_one_run_gives_the_text_at_every_gate() -> None:
    denoiser = ScriptedDenoiser(o_to_c, sure=0.75)
    found = StarterBench(denoiser, PROFILE).measure(TEXT, Manner(gates=(0.5, 0.9)), quiet)
    assert found is not None
    assert len(denoiser.prompts) == 2
    assert found.cer_draft == pytest.approx(1 / 18)
    assert found.cer_corrected == pytest.approx(1 / 18)  # 0.75 is under the gate
    assert found.cer_no_gate == pytest.approx(3 / 18)  # "cat cn a mat", "ccttcn"
    assert found.by_gate == {0.5: pytest.approx(3 / 18), 0.9: pytest.approx(1 / 18)}
    assert found.unchanged_share == 1.0


def test_without_the_gate_every_change_is_made() -> None:
    found = StarterBench(ScriptedDenoiser(o_to_c, sure=0.75), PROFILE).measure(TEXT, Manner(is_gated=False), quiet)
    assert found is not None
    assert found.cer_corrected == found.cer_no_gate == pytest.approx(3 / 18)


def test_a_long_passage_is_joined_from_its_windows() -> None:
    long = "\n\n".join("the oat sat on a mat and then on a hat " * 3 for _ in range(2)).strip()
    work = MeasureSet("text", SetKind.TEXT, (Sample(long, long),))
    found = StarterBench(ScriptedDenoiser(sure=1.0), PROFILE).measure(work, Manner(gates=(0.0,)), quiet)
    assert found is not None
    assert (found.cer_corrected, found.cer_no_gate, found.by_gate) == (0, 0, {0.0: 0})


def test_a_line_goes_with_its_picture_and_keeps_its_numbers(line: ReadLine) -> None:
    denoiser = ScriptedDenoiser(o_to_c, sure=0.75, sees=True)
    work = MeasureSet("lines", SetKind.LINE, (Sample("cattail 2o", line.text, line),))
    found = StarterBench(denoiser, PROFILE).measure(work, Manner(), quiet)
    assert found is not None
    assert "Correct this line" in denoiser.prompts[0]
    assert found.cer_corrected == 0
    assert found.cer_no_gate == pytest.approx(1 / 10)


def test_a_picture_alone_is_read_as_it_is(line: ReadLine) -> None:
    answer = [*"▢cat___", *"_" * 121]
    denoiser = ScriptedDenoiser(lambda _: ["" if one in "_▢" else one for one in answer], sees=True)
    work = MeasureSet("pictures", SetKind.PICTURE, (Sample("cat 2o", "", line),))
    found = StarterBench(denoiser, PROFILE).measure(work, Manner(), quiet)
    assert found is not None
    assert "Read this line" in denoiser.prompts[0]
    assert found.cer_corrected == pytest.approx(0.5)


def test_a_line_that_is_too_long_is_not_read_from_its_picture(line: ReadLine) -> None:
    path = line.image.with_name("long.png")
    Image.fromarray(np.full((20, 800), 250, np.uint8)).save(path)
    long = ReadLine("oat", path, 0, (0, 0, 800, 20), (ReadWord("oat", 0, 800, 0.9),))
    work = MeasureSet("pictures", SetKind.PICTURE, (Sample("oat", "", long),))
    assert StarterBench(ScriptedDenoiser(sees=True), PROFILE).measure(work, Manner(), quiet) is None


def test_a_model_that_does_not_see_is_not_asked_to(line: ReadLine) -> None:
    work = MeasureSet("lines", SetKind.LINE, (Sample("cat", "oat", line),))
    assert StarterBench(ScriptedDenoiser(), PROFILE).measure(work, Manner(), quiet) is None


class Watched(ScriptedDenoiser):
    """Keeps the canvas that it is shown first."""

    first: list[int] | None = None

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        self.first = self.first or canvas.tolist()
        return super().step(canvas, temperature, uniforms, alternatives)


def test_a_cold_start_begins_with_noise_the_same_each_time() -> None:
    firsts = []
    for is_cold in (False, True, True):
        denoiser = Watched()
        StarterBench(denoiser, PROFILE).measure(TEXT, Manner(is_cold=is_cold), quiet)
        firsts.append(denoiser.first)
        assert (denoiser.first == denoiser.starts[0].tolist()) is not is_cold
    assert firsts[1] == firsts[2]


def test_an_ordinary_chat_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="aligned"):
        open_bench(ModelSpec(tmp_path))
