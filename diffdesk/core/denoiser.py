"""The contract between the generation loop and whatever runs a model: one class for each backend.

A backend keeps everything large (logits, KV cache, self-conditioning) to itself; a step hands back a few numbers for
each position of the canvas. Randomness comes from outside: a step is given one uniform number for each position and
draws by inverse transform, so the same seed gives the same canvases on every backend and device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as tokens.

    Attributes:
        ids: int32[n]; an image stands as its placeholder token, once for each of its pieces: in one run between
            begin and end of image, or with other tokens between the pieces.
        images: the images, in the order of their placeholders.
    """

    ids: NDArray[np.int32]
    images: tuple[ImageRef | LinePicture, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a loaded model can do, and, for what it can't, one sentence that says why.

    Attributes:
        backend: its name in the registry.
        parameters: number of weights, tied ones once.
        canvas_length: positions in a canvas.
        context_length: most tokens of prompt and answer together.
        can_see_images: whether prompts may hold images.
        why_no_images: said to the user when they may not.
        can_warm_start: whether a canvas may begin from a draft.
        can_step_rows: whether some rows of a canvas can be stepped by themselves, for less work.
        device: where it runs, for people: "CPU, 2 threads", "NVIDIA H200".
        precision: number format of the weights: "float32", "bfloat16", …
    """

    backend: str
    parameters: int
    canvas_length: int
    context_length: int
    can_see_images: bool
    why_no_images: str
    can_warm_start: bool
    device: str
    precision: str
    can_step_rows: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one denoising step says of each position.

    Attributes:
        argmax: int32[L], the most probable token.
        sampled: int32[L], a draw from softmax(logits / temperature).
        entropy: float32[L], nats, of softmax(logits / temperature).
        probability: float32[L], of `argmax` at temperature 1.
        kept_probability: float32[L], at temperature 1, of the token that the canvas held going into the step.
        alternatives: int32[L, k], the k most probable tokens, best first; k is 0 unless asked for.
        alternative_probabilities: float32[L, k], at temperature 1.
    """

    argmax: NDArray[np.int32]
    sampled: NDArray[np.int32]
    entropy: NDArray[np.float32]
    probability: NDArray[np.float32]
    kept_probability: NDArray[np.float32]
    alternatives: NDArray[np.int32]
    alternative_probabilities: NDArray[np.float32]


class Tokenizer(Protocol):
    """Text to tokens and back. Text never becomes a special token, whatever it contains."""

    @property
    def vocab_size(self) -> int:
        """Number of token ids; ids run from 0."""

    @property
    def unknown_id(self) -> int | None:
        """The token for what the vocabulary lacks, if there is one."""

    def special_id(self, name: str) -> int | None:
        """The id of a special token such as ``<|turn>``; None if the vocabulary has none of that name."""

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without begin or end tokens."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; special tokens are left out."""

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The text of each id by itself, special tokens by their name; for showing a canvas."""


class Denoiser(Protocol):
    """A loaded model. One request at a time, from one thread."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    @property
    def defaults(self) -> SamplerDefaults:
        """The sampler settings that came with the checkpoint."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Its vocabulary."""

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        """How many placeholder tokens this image takes in a prompt (without begin and end of image)."""

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        """Bring the KV cache to exactly `prompt`; returns how many tokens were reused from the last one.

        `progress(done, total)` is called between chunks and may raise `Cancelled`; the cache stays usable.
        Raises `PromptError` where the prompt doesn't fit the context or holds what the model can't take.
        """

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        """Begin a canvas of `len(ids)` positions after the cached prefix.

        `confidence` float32[L] in 0…1 gives self-conditioning peaked on `ids` where it is high (a draft's canvas);
        None starts without self-conditioning, as the model's own `generate` does.
        """

    def step(
        self,
        canvas: NDArray[np.int32],
        temperature: float,
        uniforms: NDArray[np.float64],
        alternatives: int = 0,
    ) -> StepResult:
        """One denoising step over int32[L], with uniforms float64[L] in [0, 1) for the draws."""

    def commit(self, ids: NDArray[np.int32]) -> None:
        """Send int32[n] committed tokens through the encoder, so that the next canvas stands after them."""

    def close(self) -> None:
        """Free the memory. The denoiser can't be used afterwards."""


@runtime_checkable
class Interruptible(Protocol):
    """A denoiser whose steps can be stopped half-way."""

    def stop_when(self, should_stop: Callable[[], bool]) -> None:
        """Ask `should_stop` often while something is computed; once it says so, the computing raises `Cancelled`."""


@runtime_checkable
class RowDenoiser(Denoiser, Protocol):
    """A loaded model that can step some rows of a canvas by themselves."""

    def step_rows(
        self,
        canvas: NDArray[np.int32],
        rows: NDArray[np.int64],
        temperature: float,
        uniforms: NDArray[np.float64],
        alternatives: int = 0,
    ) -> StepResult:
        """One denoising step of int64[R] rows of the canvas int32[L], which see the others as they were last computed.

        Every row must have been stepped before since the canvas began, and those left out must hold the tokens that
        they held then. `uniforms` and the result are of the R rows.
        """
