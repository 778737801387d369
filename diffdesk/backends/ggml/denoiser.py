"""The `Denoiser` over a GGUF model on ggml: prompt in, a few numbers for each canvas position out.

Logits, KV cache and self-conditioning stay on the device. Knows nothing of turns, sampling decisions or files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.binding import I32
from diffdesk.backends.ggml.compute import Computation, read, write
from diffdesk.backends.ggml.graph import F32
from diffdesk.backends.ggml.memory import Memory
from diffdesk.backends.ggml.plans import Parts, Plans, Sights, StepOutput, StepWish
from diffdesk.backends.ggml.products import Products, products_by_part
from diffdesk.backends.prefix import (
    ImagePieces,
    TokenKeys,
    cant_see,
    common_prefix,
    lay_out,
    require_ids,
    require_room,
)
from diffdesk.backends.threads import free_threads
from diffdesk.core.denoiser import Capabilities, Prompt, StepResult, Tokenizer
from diffdesk.core.errors import EngineError
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults

_LOOK_EVERY, _LOOK = 5.0, 0.04  # seconds between two looks at how busy the processor is, and for one of them


class SoftTokens(Protocol):
    """What turns images into soft tokens."""

    def prepare(self, image: ImageRef | LinePicture) -> ImagePieces:
        """Find an image's size in tokens; raises `ImageError` where it can't be read."""

    def features(self, image: ImagePieces) -> NDArray[np.float32]:
        """float32[tokens, hidden] of a prepared image, as they stand in the encoder's input."""

    def close(self) -> None:
        """Free the memory."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model is run, and what it says of itself.

    Attributes:
        capabilities: what it can do.
        defaults: its sampler settings.
        chunk: tokens of a prompt that are read between two looks at the stop button.
        placeholder: the token that stands for each piece of an image, −1 where there is none.
        sees_both_ways: pieces of an image attend to each other in both directions.
        top: tokens that self-conditioning counts for each position, 0 for all of them.
    """

    capabilities: Capabilities
    defaults: SamplerDefaults
    chunk: int
    placeholder: int = -1
    sees_both_ways: bool = True
    top: int = 0


class GgufDenoiser:
    """A loaded model. One request at a time, from one thread.

    Args:
        parts: the model; closed with the denoiser.
        images: None for a model that can't see.
    """

    def __init__(
        self,
        parts: Parts,
        plans: Plans,
        tokenizer: Tokenizer,
        images: SoftTokens | None,
        manner: Manner,
    ) -> None:
        self._parts = parts
        self._plans = plans
        self._tokenizer = tokenizer
        self._images = images
        self._capabilities = manner.capabilities
        self._manner = manner
        self._held = TokenKeys.of_text(np.zeros(0, np.int32))  # what the cache holds
        self._canvas_length = 0
        self._whole_sights: Sights | None = None  # of the canvas that was begun
        self._mean: NDArray[np.float32] | None = None
        self.chunk = manner.chunk
        self.top = manner.top
        self._looked = time.monotonic()
        self.rows_stepped = 0  # over its life; for measurements

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def defaults(self) -> SamplerDefaults:
        return self._manner.defaults

    @property
    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    @property
    def memory(self) -> Memory:
        """The KV cache; for measurements and comparisons."""
        return self._parts.memory

    @property
    def work_bytes(self) -> int:
        """Memory that graphs and the KV cache take, beside the weights."""
        return self._plans.bytes + self._parts.memory.bytes + self._parts.state.bytes

    @property
    def graphs(self) -> int:
        """How many graphs are kept; for measurements."""
        return self._plans.graphs

    @property
    def splits(self) -> int:
        """Parts of a step, each on the processor or on a card; for measurements."""
        return self._plans.splits

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        """How many placeholder tokens this image takes; raises `PromptError` or `ImageError`."""
        return self._seeing().prepare(image).tokens

    def _seeing(self) -> SoftTokens:
        if self._images is None:
            raise cant_see(self._capabilities)
        return self._images

    # --- the prompt -------------------------------------------------------------------------------

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        """Bring the KV cache to exactly `prompt`; see `Denoiser.prefill`."""
        total = len(prompt.ids)
        tokens, images = lay_out(
            prompt,
            self._capabilities,
            self._parts.of.vocab_size,
            self._manner.placeholder,
            lambda image: self._seeing().prepare(image),
        )
        self._canvas_length = 0
        reused = self._parts.memory.take_back(common_prefix(self._held, tokens))
        self._held = tokens.head(reused)
        progress(reused, total)
        for end in tokens.chunk_ends(reused, min(self.chunk, self._manner.chunk)):
            begin = len(self._held)
            here = [(one, at) for one, at in images if begin <= at[0] < end]
            self._read(prompt.ids[begin:end], tokens.head(end), here)
            progress(end, total)
        self._parts.memory.remember()
        return reused

    def commit(self, ids: NDArray[np.int32]) -> None:
        """Send committed tokens through the encoder; see `Denoiser.commit`."""
        require_room(len(self._held) + len(ids), self._capabilities)
        require_ids(ids, self._parts.of.vocab_size)
        self._canvas_length = 0
        tokens = self._held.followed_by(ids)
        for end in tokens.chunk_ends(len(self._held), min(self.chunk, self._manner.chunk)):
            begin = len(self._held)
            self._read(tokens.keys[begin:end].astype(np.int32), tokens.head(end), [])
        self._parts.memory.remember()

    def _read(
        self, ids: NDArray[np.int32], seen: TokenKeys, images: Sequence[tuple[ImagePieces, NDArray[np.int64]]]
    ) -> None:
        """Append tokens and the images among them to the cache, which then holds `seen`.

        If that fails or is cancelled, the cache is as it was before.
        """
        memory, begin, count = self._parts.memory, len(self._held), len(ids)
        is_image = seen.keys[begin:] < 0
        features = self._features(images, begin, count) if images else None
        positions = np.arange(begin, begin + count)
        starts, ends = _pictures(is_image, positions) if self._manner.sees_both_ways else (positions, positions + 1)
        try:
            sights = Sights(
                memory.sliding.text(begin, count, starts, ends), memory.full.text(begin, count, starts, ends)
            )
            graph = self._plans.reading(count, sights.reach, sees=features is not None)
            graph.run(ids, positions.astype(np.int32), sights, features, is_image)
        except BaseException:
            memory.take_back(begin)
            self._held = self._held.head(memory.length)
            raise
        memory.length = begin + count
        self._held = seen

    def _features(
        self, images: Sequence[tuple[ImagePieces, NDArray[np.int64]]], begin: int, count: int
    ) -> NDArray[np.float32]:
        """float32[count, hidden]: the soft tokens of images at their places, zeros elsewhere."""
        made = np.zeros((count, self._parts.of.hidden), np.float32)
        for image, at in images:
            made[at - begin] = self._seeing().features(image)
        return made

    # --- the canvas -------------------------------------------------------------------------------

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        """Begin a canvas after the cached prefix; see `Denoiser.start_canvas`."""
        if not len(self._held):
            raise RuntimeError("a canvas needs a prompt before it")
        if not 1 <= len(ids) <= self._parts.of.canvas_length:
            raise ValueError(f"a canvas of {len(ids)} positions; the model's has {self._parts.of.canvas_length}")
        require_ids(ids, self._parts.of.vocab_size)
        self._canvas_length, self._whole_sights = len(ids), None
        soft = np.zeros((0, self._parts.of.hidden), np.float32)
        self._parts.state.set_soft(soft if confidence is None else self._peaked(ids, confidence))

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        """One denoising step; see `Denoiser.step`. Raises `EngineError` where numbers overflow."""
        return self.step_rows(canvas, np.arange(len(canvas)), temperature, uniforms, alternatives)

    def step_rows(
        self,
        canvas: NDArray[np.int32],
        rows: NDArray[np.int64],
        temperature: float,
        uniforms: NDArray[np.float64],
        alternatives: int = 0,
    ) -> StepResult:
        """One denoising step of int64[R] rows of the canvas; see `Denoiser.step_rows`."""
        sights = self._sights(canvas, rows)
        graph = self._plans.step(len(rows), sights.reach, StepWish(alternatives, self.top))
        self.rows_stepped += len(rows)
        said = graph.run(canvas[rows], self._positions(rows), sights, rows, temperature, uniforms)
        return _result(said, self._parts.of.vocab_size)

    def all_logits(self, canvas: NDArray[np.int32], temperature: float = 1.0) -> NDArray[np.float32]:
        """float32[L, V] of a step, before the temperature; for comparisons. Counts as a step."""
        rows = np.arange(len(canvas))
        sights = self._sights(canvas, rows)
        graph = self._plans.step(len(rows), sights.reach, StepWish(top=self.top, tells_logits=True))
        graph.run(canvas, self._positions(rows), sights, rows, temperature, np.zeros(len(rows)))
        return graph.logits()

    def soft_embeddings(self) -> NDArray[np.float32]:
        """float32[L, hidden]: what the next step of the canvas is conditioned on; for comparisons."""
        return read(self._parts.state.soft).reshape(-1, self._parts.of.hidden)[: self._canvas_length].astype(np.float32)

    def step_products(self, canvas: NDArray[np.int32]) -> dict[str, Products]:
        """The matrix products of a whole step by what they are for, to be timed; to be closed by whoever asks."""
        rows = np.arange(len(canvas))
        graph = self._plans.step(len(rows), self._sights(canvas, rows).reach, StepWish(top=self.top))
        return products_by_part(self._parts, graph.products)

    def _sights(self, canvas: NDArray[np.int32], rows: NDArray[np.int64]) -> Sights:
        if len(canvas) != self._canvas_length:
            raise RuntimeError("the canvas was not started, or with another length")
        require_ids(canvas, self._parts.of.vocab_size)
        if len(rows) < len(canvas):
            return self._seen_by(rows)
        if self._whole_sights is None:
            self._whole_sights = self._seen_by(rows)  # the same in every step, and tens of megabytes in a long text
        return self._whole_sights

    def _seen_by(self, rows: NDArray[np.int64]) -> Sights:
        memory, size = self._parts.memory, self._canvas_length
        return Sights(memory.sliding.canvas(memory.length, size, rows), memory.full.canvas(memory.length, size, rows))

    def _positions(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        return (self._parts.memory.length + rows).astype(np.int32)

    def _peaked(self, ids: NDArray[np.int32], confidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[L, hidden]: soft embeddings of a draft.

        Each is √hidden times the mean embedding under a distribution that has `confidence` on the draft's token and
        spreads the rest evenly over the others.
        """
        vocab = self._parts.of.vocab_size
        sure = np.clip(confidence.astype(np.float64), 1.0 / vocab, 1.0)
        share = (1.0 - sure) / (vocab - 1)
        own = self._embedded(ids)
        everything = self._mean_embedding() * vocab
        return ((sure - share)[:, None] * own + share[:, None] * everything).astype(np.float32)

    def _mean_embedding(self) -> NDArray[np.float32]:
        """float32[hidden], over the vocabulary, times √hidden; computed once."""
        if self._mean is None:
            with Computation(self._parts.device) as computation:
                network = self._parts.network(computation)
                even = computation.input(F32, self._parts.of.vocab_size, 1)
                mean = computation.output(network.soft_embedding(even))
                computation.plan()
                write(even, np.full(self._parts.of.vocab_size, 1.0 / self._parts.of.vocab_size, np.float32))
                computation.run()
                self._mean = read(mean).reshape(-1).astype(np.float32)
        return self._mean

    def _embedded(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n, hidden], times √hidden."""
        with Computation(self._parts.device) as computation:
            given = computation.input(I32, len(ids))
            made = computation.output(self._parts.network(computation).embedded(given))
            computation.plan()
            write(given, ids)
            computation.run()
            return read(made).reshape(len(ids), -1).astype(np.float32)

    # --- the end ----------------------------------------------------------------------------------

    def stop_when(self, should_stop: Callable[[], bool]) -> None:
        """Ask `should_stop` between operators; see `Interruptible`. A graphics card stops between steps only.

        A request begins with this, so it is also the moment to see how many cores are free for it.
        """
        self._parts.device.should_stop = should_stop
        now = time.monotonic()
        if now - self._looked > _LOOK_EVERY:
            self._parts.device.use_threads(free_threads(_LOOK))
            self._looked = now

    def close(self) -> None:
        """Free the memory."""
        self._plans.close()
        if self._images is not None:
            self._images.close()
        self._parts.close()
        self._held = self._held.head(0)


def _pictures(is_image: NDArray[np.bool_], places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64[n] twice: begin and end of the picture that each place belongs to, or of the place itself.

    A picture is a run of image places without others between.
    """
    begins = is_image & ~np.concatenate([[False], is_image[:-1]])
    ends = is_image & ~np.concatenate([is_image[1:], [False]])
    first, last = np.flatnonzero(begins), np.flatnonzero(ends)
    number = np.cumsum(begins) - 1
    starts, stops = places.copy(), places + 1
    starts[is_image] = places[first[number[is_image]]]
    stops[is_image] = places[last[number[is_image]]] + 1
    return starts, stops


def _result(said: StepOutput, vocab_size: int) -> StepResult:
    """What a graph says, in the form of the contract; raises `EngineError` where it is no number."""
    numbers = (said.entropy, said.probability, said.kept_probability)
    if not all(np.isfinite(one).all() for one in numbers):
        raise EngineError(
            "The model computed no valid numbers",
            "Its weights are damaged.",
            "Download the file again.",
        )
    best_first = np.argsort(-said.alternative_probabilities, axis=1, kind="stable")
    return StepResult(
        argmax=said.argmax,
        # Where rounding leaves nothing above a number drawn close to 1, the surest token stands in.
        sampled=np.where(said.drawn < vocab_size, said.drawn, said.argmax).astype(np.int32),
        entropy=np.maximum(said.entropy, np.float32(0)),
        probability=said.probability,
        kept_probability=said.kept_probability,
        alternatives=np.take_along_axis(said.alternatives, best_first, axis=1),
        alternative_probabilities=np.take_along_axis(said.alternative_probabilities, best_first, axis=1),
    )
