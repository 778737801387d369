"""What can be asked of an engine, and what it says of a model: plain data with a JSON form.

A run request names messages and parameters; how they become a prompt is the matter of a task. Knows nothing of pipes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from diffdesk.core.errors import ProtocolError
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters, SamplerDefaults


class TaskKind(StrEnum):
    """What a run is for."""

    CHAT = "chat"
    CORRECT = "correct"
    REWRITE = "rewrite"  # one row of a table, by an instruction
    EDIT = "edit"  # a span of a text, with all around it pinned


@dataclass(frozen=True, slots=True)
class ReadWord:
    """A word of a line that a recogniser read: its characters, its left and right edges in pixels, 0…1 how sure."""

    text: str
    left: float
    right: float
    confidence: float


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line of a draft as a recogniser read it from an image.

    Attributes:
        text: the line.
        image: the file that it stands in.
        turned: how far the upright image was turned clockwise before: 0, 90, 180 or 270 degrees.
        box: left, top, right, bottom in pixels of the turned image; right and bottom are exclusive.
        words: from left to right.
        confidence: 0…1, of the whole line.
        slant: how far it sinks to the right, in radians; its box holds all of it.
    """

    text: str
    image: Path
    turned: int
    box: tuple[int, int, int, int]
    words: tuple[ReadWord, ...] = ()
    confidence: float = 1.0
    slant: float = 0.0

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {**asdict(self), "image": str(self.image)}

    @staticmethod
    def from_json(data: Mapping[str, object]) -> ReadLine:
        """From a JSON object; raises what Python raises where it is none."""
        box, words = data["box"], data["words"]
        if not isinstance(box, Sequence) or not isinstance(words, Sequence):
            raise TypeError("a line's box or words are no list")
        left, top, right, bottom = (int(edge) for edge in box)
        turned = int(str(data["turned"]))
        if turned not in (0, 90, 180, 270) or left >= right or top >= bottom:
            raise ValueError("a line has an impossible place")
        return ReadLine(
            text=str(data["text"]),
            image=Path(str(data["image"])),
            turned=turned,
            box=(left, top, right, bottom),
            words=tuple(
                ReadWord(str(one["text"]), float(one["left"]), float(one["right"]), float(one["confidence"]))
                for one in words
            ),
            confidence=float(str(data["confidence"])),
            slant=float(str(data.get("slant", 0.0))),
        )


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run, on the last message's text: a question, a draft to correct, a row to rewrite, a text to edit.

    Attributes:
        read_lines: `CORRECT` only: lines that a recogniser found for the draft. The draft may have been edited since:
            only lines that are still the same count as read.
        instruction: `REWRITE` and `EDIT`: what to do with the text; an edit without one only denoises anew.
        span: `EDIT` only: the characters [start, end) of the text that may change.
    """

    task: TaskKind
    messages: tuple[Message, ...]
    parameters: GenerationParameters = field(default_factory=GenerationParameters)
    read_lines: tuple[ReadLine, ...] = ()
    instruction: str = ""
    span: tuple[int, int] | None = None

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "task": self.task.value,
            "messages": [message_to_json(one) for one in self.messages],
            "parameters": self.parameters.to_json(),
            "read_lines": [one.to_json() for one in self.read_lines],
            "instruction": self.instruction,
            "span": None if self.span is None else list(self.span),
        }

    @staticmethod
    def from_json(data: Mapping[str, object]) -> RunRequest:
        """From a JSON object; raises `ProtocolError` where it isn't one, `SettingError` for a bad value."""
        messages, parameters, lines = data.get("messages"), data.get("parameters"), data.get("read_lines", [])
        if not isinstance(messages, Sequence) or not isinstance(parameters, Mapping) or not isinstance(lines, Sequence):
            raise ProtocolError("a run request without messages or parameters")
        try:
            task = TaskKind(str(data.get("task")))
            said = tuple(message_from_json(one) for one in messages)
            read = tuple(ReadLine.from_json(one) for one in lines)
            span = _span_from(data.get("span"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"a run request can't be read: {error!r}") from error
        made = GenerationParameters.from_json(parameters)
        return RunRequest(task, said, made, read, str(data.get("instruction", "")), span)


def _span_from(data: object) -> tuple[int, int] | None:
    if data is None:
        return None
    if not isinstance(data, Sequence):
        raise TypeError("a span is no pair")
    start, end = (int(one) for one in data)
    return start, end


def message_to_json(message: Message) -> dict[str, object]:
    """A message as a JSON object; images by path."""
    images = [{**asdict(one), "path": str(one.path)} for one in message.images]
    return {"role": message.role.value, "text": message.text, "thought": message.thought, "images": images}


def message_from_json(data: Mapping[str, object]) -> Message:
    """The message that `message_to_json` described."""
    images = data.get("images", [])
    if not isinstance(images, Sequence):
        raise ProtocolError("a message's images are no list")
    return Message(
        role=Role(str(data["role"])),
        text=str(data["text"]),
        images=tuple(
            ImageRef(Path(str(one["path"])), str(one["name"]), bool(one["is_frame"]), str(one["stamp"]))
            for one in images
        ),
        thought=str(data.get("thought", "")),
    )


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model to load and how.

    Attributes:
        path: its folder or file.
        backend: a name of the registry; empty chooses by what lies at the path.
        device, precision: as the backend takes them; "auto" lets it choose.
        context: tokens of prompt and answer that there has to be room for; 0 lets the backend choose.
        conditioning: most likely tokens of each position that self-conditioning counts; 0 counts all, as published.
    """

    path: Path
    backend: str = ""
    device: str = "auto"
    precision: str = "auto"
    context: int = 0
    conditioning: int = 0

    def to_json(self) -> dict[str, str | int]:
        """As a JSON object."""
        return {**asdict(self), "path": str(self.path)}

    @staticmethod
    def from_json(data: Mapping[str, object]) -> ModelSpec:
        """From a JSON object."""
        return ModelSpec(
            Path(str(data["path"])),
            str(data["backend"]),
            str(data["device"]),
            str(data["precision"]),
            int(str(data["context"])),
            int(str(data["conditioning"])),
        )


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a window needs to know of a loaded model.

    Attributes:
        name: for people.
        path: its folder or file.
        backend: which backend runs it.
        device, precision: as in `Capabilities`.
        parameters: number of weights, 0 if unknown.
        canvas_length, context_length: in tokens.
        can_chat: False for a model that is made for correction only.
        can_see_images: whether images may be sent to it.
        why_no_images: one sentence where they may not.
        defaults: the sampler settings that came with it.
        memory_bytes: resident memory after loading.
        load_seconds: how long loading took.
    """

    name: str
    path: str
    backend: str
    device: str
    precision: str
    parameters: int
    canvas_length: int
    context_length: int
    can_chat: bool
    can_see_images: bool
    why_no_images: str
    defaults: SamplerDefaults = field(default_factory=SamplerDefaults)
    memory_bytes: int = 0
    load_seconds: float = 0.0

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> ModelInfo:
        """From a JSON object."""
        return ModelInfo(
            name=str(data["name"]),
            path=str(data["path"]),
            backend=str(data["backend"]),
            device=str(data["device"]),
            precision=str(data["precision"]),
            parameters=int(str(data["parameters"])),
            canvas_length=int(str(data["canvas_length"])),
            context_length=int(str(data["context_length"])),
            can_chat=bool(data["can_chat"]),
            can_see_images=bool(data["can_see_images"]),
            why_no_images=str(data["why_no_images"]),
            defaults=_defaults_from(data["defaults"]),
            memory_bytes=int(str(data["memory_bytes"])),
            load_seconds=float(str(data["load_seconds"])),
        )


def _defaults_from(data: object) -> SamplerDefaults:
    if not isinstance(data, Mapping):
        raise ProtocolError("a model's sampler settings are no object")
    ends = data["end_ids"]
    return SamplerDefaults(
        steps=int(data["steps"]),
        t_max=float(data["t_max"]),
        t_min=float(data["t_min"]),
        entropy_bound=float(data["entropy_bound"]),
        confidence=float(data["confidence"]),
        stability=int(data["stability"]),
        refresh=int(data["refresh"]),
        end_ids=tuple(int(one) for one in ends),
        pad_id=int(data["pad_id"]),
    )
