"""A small model that computes: its logits are a table by position, sharpened by how much of the canvas is right.

It denoises like a real one (the more of the canvas agrees with the text it wants, the surer it is), so the loop, the
sampler and the stop meet honest numbers. Each backend duty is done for real except that its "cache" is a list of ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Capabilities, Prompt, StepResult
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults
from tests.unit.core.letters import LetterTokenizer


@dataclass(slots=True)
class TableDenoiser:
    """Wants to write `texts`, one a canvas (special tokens written out), padded with ``<pad>``.

    Attributes:
        sharpness: how sure it is at best; 0 gives uniform noise for ever.
        can_step_rows: whether it offers to step some rows by themselves.
        stepped: the rows that each step computed.
        trip: called before each piece of work with its name; may raise, as a backend does.
        prefix: what its cache holds.
        fed: the canvases that its steps were given.
        results: what its steps gave back.
        starts: ids and confidence of each canvas started.
    """

    texts: Sequence[str]
    length: int
    sharpness: float = 6.0
    can_step_rows: bool = False
    stepped: list[NDArray[np.int64]] = field(default_factory=list)
    held: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    trip: Callable[[str], None] = lambda _: None
    tokenizer: LetterTokenizer = field(default_factory=LetterTokenizer)
    prefix: list[int] = field(default_factory=list)
    fed: list[NDArray[np.int32]] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)
    starts: list[tuple[NDArray[np.int32], NDArray[np.float32] | None]] = field(default_factory=list)
    committed: list[NDArray[np.int32]] = field(default_factory=list)
    is_closed: bool = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            backend="table",
            parameters=self.length * self.tokenizer.vocab_size,
            canvas_length=self.length,
            context_length=100_000,
            can_see_images=False,
            why_no_images="It has no eyes.",
            can_warm_start=True,
            device="CPU",
            precision="float64",
            can_step_rows=self.can_step_rows,
        )

    @property
    def defaults(self) -> SamplerDefaults:
        end_ids = (self.tokenizer.ids("<eos>")[0], self.tokenizer.ids("<turn|>")[0])
        return SamplerDefaults(end_ids=end_ids, pad_id=self.tokenizer.ids("<pad>")[0])

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        return 0

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        self.trip("prefill")
        ids = prompt.ids.tolist()
        reused = 0
        while reused < min(len(ids), len(self.prefix)) and ids[reused] == self.prefix[reused]:
            reused += 1
        for done in range(reused, len(ids), 4):
            progress(done, len(ids))
        self.prefix = ids
        return reused

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        self.trip("start_canvas")
        self.starts.append((ids, confidence))

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        self.trip("step")
        self.stepped.append(np.arange(len(canvas)))
        self.held = canvas.copy()
        self.fed.append(canvas.copy())
        logits = self.logits(canvas, len(self.starts) - 1)
        result = reduce_logits(logits, canvas, temperature, uniforms, alternatives)
        self.results.append(result)
        return result

    def step_rows(
        self,
        canvas: NDArray[np.int32],
        rows: NDArray[np.int64],
        temperature: float,
        uniforms: NDArray[np.float64],
        alternatives: int = 0,
    ) -> StepResult:
        left_out = np.setdiff1d(np.arange(len(canvas)), rows)
        assert np.array_equal(canvas[left_out], self.held[left_out]), "a row changed and was not computed"
        whole = np.full(len(canvas), 0.5)
        whole[rows] = uniforms
        result = self.step(canvas, temperature, whole, alternatives)
        self.stepped[-1] = rows
        return StepResult(**{name: getattr(result, name)[rows] for name in StepResult.__slots__})

    def commit(self, ids: NDArray[np.int32]) -> None:
        self.trip("commit")
        self.committed.append(ids.copy())
        self.prefix += ids.tolist()

    def close(self) -> None:
        self.is_closed = True

    def logits(self, canvas: NDArray[np.int32], index: int) -> NDArray[np.float64]:
        """float64[L, V]: the wanted token stands out the more, the more of the canvas is right already."""
        wanted = self.wanted(index)
        rows = np.arange(self.length)
        table = np.sin(np.outer(rows + 1, np.arange(self.tokenizer.vocab_size) + 2.5)) * min(1.0, self.sharpness)
        table[rows, wanted] += self.sharpness * (0.4 + (canvas == wanted).mean()) * (1.4 + 0.6 * np.cos(rows))
        return table

    def wanted(self, index: int) -> NDArray[np.int32]:
        """The canvas that it tends to, int32[L]."""
        ids = self.tokenizer.ids(self.texts[index]) if index < len(self.texts) else []
        assert len(ids) <= self.length
        return np.asarray(ids + [self.defaults.pad_id] * (self.length - len(ids)), np.int32)


def reduce_logits(
    logits: NDArray[np.float64],
    canvas: NDArray[np.int32],
    temperature: float,
    uniforms: NDArray[np.float64],
    alternatives: int,
) -> StepResult:
    """What `StepResult` says of float64[L, V] logits, computed in the plainest way."""
    rows = np.arange(len(logits))
    plain, warm = _softmax(logits), _softmax(logits / temperature)
    sampled = (np.cumsum(warm, axis=1) < uniforms[:, None]).sum(axis=1).clip(0, logits.shape[1] - 1)
    entropy = -(warm * np.log(np.maximum(warm, 1e-300))).sum(axis=1)
    best = np.argsort(-logits, axis=1, kind="stable")
    return StepResult(
        argmax=best[:, 0].astype(np.int32),
        sampled=sampled.astype(np.int32),
        entropy=entropy.astype(np.float32),
        probability=plain[rows, best[:, 0]].astype(np.float32),
        kept_probability=plain[rows, canvas].astype(np.float32),
        alternatives=best[:, :alternatives].astype(np.int32),
        alternative_probabilities=np.take_along_axis(plain, best[:, :alternatives], 1).astype(np.float32),
    )


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)
