"""A model with an aligned canvas that answers as a function says: what a task makes of answers, without weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import Capabilities, Prompt, StepResult
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults
from tests.unit.core.letters import LetterTokenizer

WORDS = ("system", "user", "model", "Correct", "Read", " this", " text", " line", "th", '"', "“", "”", "’")
SEES = "▢"  # how a cell reads to `fix`
BLANK = "_"
HEAD, FOOT = 12, 5  # tokens around the slots


def keep(slots: Sequence[str]) -> list[str]:
    """Change nothing."""
    return ["" if one in (SEES, BLANK) else one for one in slots]


@dataclass
class ScriptedDenoiser:
    """Writes what `fix` says into the canvas, with a probability of `sure`.

    Attributes:
        fix: what stands in each slot (a character, `BLANK` or `SEES`) → what the canvas holds, "" for a blank.
        sees: whether prompts may hold images.
        prompts: all that it was given, as text with special tokens by name.
        drafts: the slots of each prompt, as `fix` is given them.
        images: those of each prompt.
        starts: the canvases that it began with.
    """

    fix: Callable[[Sequence[str]], list[str]] = keep
    sure: float = 0.9
    sees: bool = False
    tokenizer: LetterTokenizer = field(default_factory=lambda: LetterTokenizer(words=WORDS))
    prompts: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    images: list[tuple[ImageRef | LinePicture, ...]] = field(default_factory=list)
    starts: list[NDArray[np.int32]] = field(default_factory=list)
    is_closed: bool = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            backend="scripted",
            parameters=1,
            canvas_length=128,
            context_length=2048,
            can_see_images=self.sees,
            why_no_images="" if self.sees else "It has no eyes.",
            can_warm_start=True,
            device="CPU",
            precision="float32",
        )

    @property
    def defaults(self) -> SamplerDefaults:
        return SamplerDefaults(steps=4, pad_id=self.tokenizer.ids("<pad>")[0])

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        return image.cells if isinstance(image, LinePicture) else 70

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        pieces = self.tokenizer.pieces(prompt.ids.tolist())
        self.prompts.append("".join(pieces))
        self.images.append(prompt.images)
        places = sum(piece == "<|image|>" for piece in pieces)
        assert places == sum(self.image_tokens(one) for one in prompt.images)
        names = {"<pad>": BLANK, "<|image|>": SEES}
        self._slots = [names.get(one, one) for one in pieces[HEAD:-FOOT]]
        self.drafts.append("".join("?" if len(one) > 1 else one for one in self._slots))
        progress(len(pieces), len(pieces))
        return 0

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        self.starts.append(ids)

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        pad = self.defaults.pad_id
        wanted = [pad if not one else self.tokenizer.ids(one)[0] for one in self.fix(self._slots)]
        ids = np.array(wanted, np.int32)[: len(canvas)]
        sure = np.full(len(ids), self.sure, np.float32)
        nothing = np.zeros((len(ids), 0))
        entropy = np.zeros(len(ids), np.float32)
        return StepResult(ids, ids, entropy, sure, sure, nothing.astype(np.int32), nothing.astype(np.float32))

    def commit(self, ids: NDArray[np.int32]) -> None:
        raise AssertionError("nothing follows an aligned canvas")

    def close(self) -> None:
        self.is_closed = True
