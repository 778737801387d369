"""A chat model that answers as a function says: what a task makes of answers, without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffdesk.core.denoiser import Capabilities, Prompt, StepResult
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import SamplerDefaults
from tests.unit.core.letters import LetterTokenizer

ENDS = "<turn|>"


@dataclass
class ScriptedChat:
    """Answers the text of the last turn with what `answer` makes of it, and ends its turn.

    Attributes:
        answer: the user's text → what is written, in one canvas.
        sure: probability of every token …
        unsure: … but of those of these words.
        sees: whether prompts may hold images.
        length: of a canvas.
        is_endless: it never ends its turn.
        asked: the user's text of each prompt.
        systems: the system's.
        looked: size in pixels and place of each image that it was shown, for each prompt.
        starts: ids and confidence of each canvas.
    """

    answer: Callable[[str], str] = lambda text: text
    sure: float = 0.95
    unsure: Mapping[str, float] = field(default_factory=dict)
    sees: bool = False
    length: int = 256
    is_endless: bool = False
    can_warm_start: bool = True
    tokenizer: LetterTokenizer = field(default_factory=LetterTokenizer)
    asked: list[str] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    looked: list[list[tuple[int, int, Path]]] = field(default_factory=list)
    starts: list[tuple[NDArray[np.int32], NDArray[np.float32] | None]] = field(default_factory=list)
    is_closed: bool = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            backend="scripted",
            parameters=1,
            canvas_length=self.length,
            context_length=8192,
            can_see_images=self.sees,
            why_no_images="" if self.sees else "It has no eyes.",
            can_warm_start=self.can_warm_start,
            device="CPU",
            precision="float32",
        )

    @property
    def defaults(self) -> SamplerDefaults:
        (end,) = self.tokenizer.ids(ENDS)
        return SamplerDefaults(steps=4, end_ids=(end,), pad_id=self.tokenizer.ids("<pad>")[0])

    def image_tokens(self, image: ImageRef | LinePicture) -> int:
        return 5

    def prefill(self, prompt: Prompt, progress: Callable[[int, int], None]) -> int:
        text = "".join(self.tokenizer.pieces(prompt.ids.tolist()))
        system, turn = text.split("<|turn>")[1:3]
        self.systems.append(system.removeprefix("system\n").removesuffix("<turn|>\n"))
        self.asked.append(turn.removeprefix("user\n").split("<image|>")[-1].removesuffix("<turn|>\n"))
        looked = []
        for one in prompt.images:
            assert isinstance(one, ImageRef)
            with Image.open(one.path) as image:
                looked.append((*image.size, one.path))
        self.looked.append(looked)
        progress(len(prompt.ids), len(prompt.ids))
        return 0

    def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
        self.starts.append((ids, confidence))

    def step(
        self, canvas: NDArray[np.int32], temperature: float, uniforms: NDArray[np.float64], alternatives: int = 0
    ) -> StepResult:
        written = self.answer(self.asked[-1])
        ids = self.tokenizer.encode(written)
        probability = np.full(len(canvas), self.sure, np.float32)
        for word, sure in self.unsure.items():
            at = written.find(word)
            if at >= 0:
                first = len(self.tokenizer.encode(written[:at]))
                probability[first : first + len(self.tokenizer.encode(word))] = sure
        fill = self.tokenizer.ids("x" if self.is_endless else "<pad>")
        ids = [*ids, *([] if self.is_endless else self.tokenizer.ids(ENDS))]
        wanted = np.array([*ids, *fill * (len(canvas) - len(ids))], np.int32)
        nothing = np.zeros((len(canvas), 0))
        entropy = np.zeros(len(canvas), np.float32)
        return StepResult(
            wanted, wanted, entropy, probability, probability, nothing.astype(np.int32), nothing.astype(np.float32)
        )

    def commit(self, ids: NDArray[np.int32]) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True
