"""The turn format of DiffusionGemma: from messages to the parts of a prompt, and from those to tokens.

This is the format of the chat template that Google published on 2026-07-09, for what DiffDesk uses of it
(system prompt, thinking, images, video frames; no tools), whatever template a checkpoint carries: earlier
ones wrote an empty thought channel before each answer, which made models end terse answers at once. Only the
parts named `Special` become special tokens; a user's text stays text, whatever it contains. Knows nothing of
a particular vocabulary or of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffdesk.core.denoiser import Prompt, Tokenizer
from diffdesk.core.errors import CheckpointError, PromptError
from diffdesk.core.messages import ImageRef, Message, Role

BEGIN = "<bos>"
TURN_OPENS = "<|turn>"
TURN_CLOSES = "<turn|>"
THINK = "<|think|>"
CHANNEL_OPENS = "<|channel>"
CHANNEL_CLOSES = "<channel|>"
IMAGE_OPENS = "<|image>"
IMAGE_CLOSES = "<image|>"
IMAGE_PLACEHOLDER = "<|image|>"

_IMAGE_NAMES = (IMAGE_OPENS, IMAGE_PLACEHOLDER, IMAGE_CLOSES)
_SPEAKERS = {Role.SYSTEM: "system", Role.USER: "user", Role.ASSISTANT: "model"}


@dataclass(frozen=True, slots=True)
class Special:
    """One special token, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """A run of text that is tokenised as a whole; never empty, never next to another one."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image: its run of placeholders between begin and end of image."""

    image: ImageRef


Part = Special | Words | Picture


def render(messages: Sequence[Message], *, thinking: bool, system: str = "") -> tuple[Part, ...]:
    """The prompt that asks for the model's next turn.

    A system turn is written if there is a system text or `thinking` is on, which it then names first.
    `system` comes before the text of a system message at the start. Texts lose the white space at their ends,
    assistant messages also every thought; two assistant messages in a row are one turn; images come before
    the text of their turn. After the last message the model's turn is opened and left open.
    """
    parts: list[Part] = [Special(BEGIN)]
    spoken = list(messages)
    opening, images = [system.strip()], tuple[ImageRef, ...]()
    if spoken and spoken[0].role is Role.SYSTEM:
        first = spoken.pop(0)
        opening.append(first.text.strip())
        images = first.images
    instructions = "\n\n".join(one for one in opening if one)
    if thinking or instructions or images:
        parts += _open_turn(Role.SYSTEM)
        parts += (Special(THINK), Words("\n")) if thinking else ()
        parts += [*_pictures(images), Words(instructions)]
        parts += _close_turn()
    for index, message in enumerate(spoken):
        is_assistant = message.role is Role.ASSISTANT
        if not (is_assistant and index and spoken[index - 1].role is Role.ASSISTANT):
            parts += _open_turn(message.role)
        text = without_thoughts(message.text) if is_assistant else message.text.strip()
        parts += [*_pictures(message.images), Words(text)]
        goes_on = is_assistant and index + 1 < len(spoken) and spoken[index + 1].role is Role.ASSISTANT
        parts += () if goes_on else _close_turn()
    parts += _open_turn(Role.ASSISTANT)
    return _merged(parts)


def without_thoughts(text: str) -> str:
    """An assistant's text without channels written out in it, and without white space at its ends.

    Cuts from each ``<|channel>`` to the next ``<channel|>``, or to the end where none follows; a closing
    marker alone goes too. The same as `strip_thinking` of the published template.
    """
    return "".join(one.partition(CHANNEL_OPENS)[0] for one in text.split(CHANNEL_CLOSES)).strip()


def shown(parts: Iterable[Part]) -> str:
    """The parts as one text for logs and people, an image as one placeholder; not fit to be tokenised."""
    return "".join(_shown(part) for part in parts)


def assemble(parts: Sequence[Part], tokenizer: Tokenizer, image_tokens: Callable[[ImageRef], int]) -> Prompt:
    """The prompt as tokens, int32[n].

    Args:
        parts: what `render` made.
        tokenizer: the vocabulary.
        image_tokens: how many placeholders an image takes, without begin and end of image.

    Raises:
        CheckpointError: the vocabulary lacks the tokens of a turn.
        PromptError: it lacks those of images or of thinking, or an image takes no tokens.
    """
    ids: list[int] = []
    images: list[ImageRef] = []
    for part in parts:
        if isinstance(part, Words):
            ids += tokenizer.encode(part.text)
        elif isinstance(part, Special):
            ids.append(_special_id(tokenizer, part.name))
        else:
            opens, placeholder, closes = (_special_id(tokenizer, name) for name in _IMAGE_NAMES)
            count = image_tokens(part.image)
            if count < 1:
                raise _unusable_image(part.image)
            ids += [opens, *[placeholder] * count, closes]
            images.append(part.image)
    return Prompt(np.asarray(ids, np.int32), tuple(images))


def _open_turn(role: Role) -> tuple[Part, ...]:
    return Special(TURN_OPENS), Words(f"{_SPEAKERS[role]}\n")


def _close_turn() -> tuple[Part, ...]:
    return Special(TURN_CLOSES), Words("\n")


def _pictures(images: Sequence[ImageRef]) -> list[Part]:
    """Images in order; a frame after its stamp, frames one space apart, as the model's processor has it."""
    parts: list[Part] = []
    is_after_frame = False
    for image in images:
        if image.is_frame and image.stamp:
            parts.append(Words(f"{' ' if is_after_frame else ''}{image.stamp} "))
        parts.append(Picture(image))
        is_after_frame = image.is_frame
    return parts


def _merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same prompt with neighbouring texts joined, so that tokens may span them, without empty ones."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, Words) and isinstance(last, Words):
            merged[-1] = Words(last.text + part.text)
        elif not isinstance(part, Words) or part.text:
            merged.append(part)
    return tuple(merged)


def _shown(part: Part) -> str:
    if isinstance(part, Words):
        return part.text
    return part.name if isinstance(part, Special) else IMAGE_PLACEHOLDER


def _special_id(tokenizer: Tokenizer, name: str) -> int:
    found = tokenizer.special_id(name)
    if found is not None:
        return found
    details = f"The vocabulary has no special token {name}."
    if name in _IMAGE_NAMES:
        raise PromptError(
            "This model can't take images",
            "Its vocabulary has no place for an image.",
            "Remove the image, or choose a model that can see.",
            details,
        )
    if name == THINK:
        raise PromptError(
            "This model can't think first",
            "Its vocabulary has no word for it.",
            "Turn “Think first” off, or choose another model.",
            details,
        )
    raise CheckpointError(
        "This model can't hold a conversation",
        f"Its vocabulary lacks “{name}”, which every prompt needs.",
        "Choose a DiffusionGemma model, or download this one again.",
        details,
    )


def _unusable_image(image: ImageRef) -> PromptError:
    name = image.name or image.path.name
    return PromptError(
        "An image is too small for the model",
        f"“{name}” takes no place in the prompt, so the model would not see it.",
        "Remove it or use a larger image.",
    )
