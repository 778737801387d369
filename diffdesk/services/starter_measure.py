"""Measures a model that corrects aligned drafts: the program's own backend and task on sets with known truth.

Each canvas is run once; what its text is behind other gates is read from the same run. Knows nothing of how figures
are shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.registry import load
from diffdesk.core.denoiser import Capabilities, Denoiser, Prompt, StepResult, Tokenizer
from diffdesk.core.errors import CheckpointError
from diffdesk.core.lines import slots_needed
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import GenerationParameters, SamplerDefaults
from diffdesk.core.profile import Layout, ModelProfile
from diffdesk.core.proposals import Proposal, made_text, with_lines_held
from diffdesk.core.requests import ModelSpec
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.models.profile import read_profile
from diffdesk.services.starter_figures import Figures, Result, figures_of
from diffdesk.services.starter_sets import MeasureSet, Sample, SetKind
from diffdesk.tasks.aligned import (
    AlignedModel,
    AlignedWindow,
    WindowOutcome,
    gated_text,
    picture_window,
    proposals_of,
    read_text,
)
from diffdesk.tasks.aligned_correction import (
    Draft,
    Guards,
    Part,
    TextPart,
    believed_proposals,
    part_window,
    parts_of,
    window_without_draft,
)
from diffdesk.tasks.guard import Guard
from diffdesk.tasks.read_lines import Pages, cut_line

SEED = 1
CURVE = (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)

Progress = Callable[[str, int, int], None]
"""Told the set, how many of its lines are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model is measured.

    Attributes:
        is_gated: False takes every change that the model wants as its correction.
        is_cold: canvases with a draft begin with noise, too.
        gates: at which the error rate is wanted as well.
    """

    is_gated: bool = True
    is_cold: bool = False
    gates: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Text:
    """A part of a sample behind each guard: as the program would change it, without any, and at the curve's gates."""

    drafted: str
    proposals: tuple[Proposal, ...]
    ungated: str
    by_gate: tuple[str, ...]
    steps: tuple[int, ...] = ()

    def __add__(self, other: _Text) -> _Text:
        done = len(self.drafted)
        moved = (replace(one, start=one.start + done, end=one.end + done) for one in other.proposals)
        return _Text(
            self.drafted + other.drafted,
            (*self.proposals, *moved),
            self.ungated + other.ungated,
            tuple(one + more for one, more in zip(self.by_gate, other.by_gate, strict=True)),
            self.steps + other.steps,
        )

    def corrected(self, held: float) -> str:
        """As the program gives it; see `with_lines_held`."""
        return made_text(self.drafted, with_lines_held(self.drafted, self.proposals, held))


def open_bench(spec: ModelSpec) -> StarterBench:
    """Load a model to be measured.

    Raises:
        CheckpointError: it is not laid out for aligned drafts, or can't be loaded.
        EngineError: this machine can't run it.
    """
    profile = read_profile(spec.path)
    if profile.layout is not Layout.ALIGNED:
        raise CheckpointError(
            "This model is not made for correcting aligned drafts",
            f"{spec.path} is an ordinary chat model; these measuring sets are for the starter model's layout.",
            "Name a folder whose diffdesk.json says “aligned”, or leave out --model.",
        )
    return StarterBench(load(spec, lambda stage, share: None), profile)


class StarterBench:
    """A loaded model that corrects aligned drafts, to be measured."""

    def __init__(self, denoiser: Denoiser, profile: ModelProfile) -> None:
        self.denoiser = denoiser
        self.profile = profile
        self._settings = SamplerSettings.resolve(GenerationParameters(), denoiser.defaults)

    @property
    def can_see(self) -> bool:
        """Whether sets with pictures can be measured."""
        return self.denoiser.capabilities.can_see_images

    def close(self) -> None:
        """Free the model's memory."""
        self.denoiser.close()

    def measure(self, measured: MeasureSet, manner: Manner, progress: Progress) -> Figures | None:
        """The figures of a set; None where the model can't take it. The same set gives the same texts."""
        if measured.kind is not SetKind.TEXT and not self.can_see:
            return None
        work = self._work(manner)
        results: list[Result] = []
        if measured.kind is SetKind.PICTURE:
            readable = work.alone(measured.samples)
            for sample, window in readable:
                results.append(work.from_picture(sample, window))
                progress(measured.name, len(results), len(readable))
        else:
            for sample in measured.samples:
                results.append(work.corrected(sample))
                progress(measured.name, len(results), len(measured.samples))
        return figures_of(results) if results else None

    def correct(self, draft: Draft, truth: str, manner: Manner) -> Result:
        """A draft with all its parts, as the program corrects it. The same draft gives the same text."""
        return self._work(manner).draft(draft, truth)

    def _work(self, manner: Manner) -> _Work:
        denoiser = ColdStart(self.denoiser) if manner.is_cold else self.denoiser
        return _Work(AlignedModel(denoiser, self._settings, SEED), self.profile, manner)


class _Work:
    """One set's samples, one after the other, with the randomness of one seed."""

    def __init__(self, model: AlignedModel, profile: ModelProfile, manner: Manner) -> None:
        self._model = model
        self._profile = profile
        self._manner = manner
        self._pages = Pages()

    def corrected(self, sample: Sample) -> Result:
        """A passage, or a line with its picture, as the program corrects it."""
        guards = Guards.of(self._profile, sample.draft, is_read=sample.line is not None)
        lines = () if sample.line is None else (sample.line,)
        return self.draft(Draft(sample.draft, self._profile.slots, guards, lines), sample.truth)

    def draft(self, draft: Draft, truth: str) -> Result:
        """A draft with all its parts."""
        began = time.perf_counter()
        text = _Text("", (), "", ("",) * len(self._manner.gates))
        for part in parts_of(draft, with_pictures=self._model.can_see):
            text += self._part(part, draft)
        corrected = text.corrected(draft.guards.held) if self._manner.is_gated else text.ungated
        return self._result(truth, draft.text, corrected, text, began)

    def alone(self, samples: Sequence[Sample]) -> list[tuple[Sample, AlignedWindow]]:
        """The lines that are short enough to be read from their pictures alone, with what is asked of them."""
        windows = ((one, self._alone(self._picture(one))) for one in samples)
        return [(one, window) for one, window in windows if window is not None]

    def from_picture(self, sample: Sample, window: AlignedWindow) -> Result:
        """A line read from its picture alone."""
        began = time.perf_counter()
        done = self._model.finish(window)
        text, _ = read_text(done)
        return self._result(sample.truth, "", text, self._same(text, (done.canvas.steps,)), began)

    def _picture(self, sample: Sample) -> LinePicture | None:
        pieces = cut_line(sample.line, self._profile.slots) if sample.line is not None else ()
        return self._pages.picture(pieces[0]) if len(pieces) == 1 else None

    def _alone(self, picture: LinePicture | None) -> AlignedWindow | None:
        """What is asked of a picture without a draft; None where there is none or it is too long."""
        if picture is None or slots_needed(0, None, picture.cells) > self._profile.slots:
            return None
        return picture_window(picture, self._profile.slots)

    def _part(self, part: Part, draft: Draft) -> _Text:
        separator = part.window.separator if isinstance(part, TextPart) else part.separator
        if isinstance(part, TextPart) and not part.window.text:
            return self._same(separator, ())
        window = part_window(part, draft.slots, self._pages)
        guards = draft.guards
        steps: tuple[int, ...] = ()
        alone = window_without_draft(part, draft, window)
        if alone is not None:
            read = self._model.finish(alone)
            steps = (read.canvas.steps,)
            believed = believed_proposals(read, window.core, guards)
            if believed is not None:
                text = made_text(window.core, believed) + separator
                return replace(self._same(text, steps), drafted=window.core + separator, proposals=believed)
        done = self._model.finish(window)
        guard = guards.text if window.picture is None else guards.line
        return self._gated(done, guard, separator, (*steps, done.canvas.steps))

    def _gated(self, done: WindowOutcome, guard: Guard, separator: str, steps: tuple[int, ...]) -> _Text:
        ungated = gated_text(done, Guard(0.0)) + separator
        by_gate = (gated_text(done, replace(guard, gate=gate)) + separator for gate in self._manner.gates)
        return _Text(done.window.core + separator, proposals_of(done, guard), ungated, tuple(by_gate), steps)

    def _same(self, text: str, steps: tuple[int, ...]) -> _Text:
        return _Text(text, (), text, (text,) * len(self._manner.gates), steps)

    def _result(self, truth: str, draft: str, corrected: str, text: _Text, began: float) -> Result:
        by_gate = dict(zip(self._manner.gates, text.by_gate, strict=True))
        milliseconds = 1000 * (time.perf_counter() - began)
        return Result(truth, draft, corrected, text.ungated, by_gate, text.steps, milliseconds)


class ColdStart:
    """A denoiser whose canvases begin with noise, whatever they are given: see `Denoiser`."""

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self._draws = Draws(SEED, denoiser.tokenizer.vocab_size)
        self._is_first = False

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Rows by themselves it can't step: the first step's noise stands under none of them."""
        return replace(self._denoiser.capabilities, can_step_rows=False)

    @property
    def defaults(self) -> SamplerDefaults:
        """The sampler settings that came with the checkpoint."""
        return self._denoiser.defaults

    @property
    def tokenizer(self) -> Tokenizer:
        """Its vocabulary."""
        return self._denoiser.tokenizer

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        """How many placeholder tokens this image takes in a prompt."""
        return self._denoiser.image_tokens(image)

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        """Bring the KV cache to exactly `prompt`."""
        return self._denoiser.prefill(prompt, progress)

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        """Begin a canvas without a draft."""
        self._is_first = True
        self._denoiser.start_canvas(ids)

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        """One denoising step; the first of a canvas sees noise."""
        if self._is_first:
            canvas = self._draws.noise(canvas.size)
        self._is_first = False
        return self._denoiser.step(canvas, temperature, uniforms, alternatives)

    def commit(self, ids: NDArray[np.int32]) -> None:
        """Send committed tokens through the encoder."""
        self._denoiser.commit(ids)

    def close(self) -> None:
        """Free the memory."""
        self._denoiser.close()
