"""Chat: the conversation so far becomes a prompt in the turn format, the answer is written canvas by canvas.

An animation is shown to a model that sees as a video is: one frame a second, at most sixty, each with its stamp.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.errors import PromptError
from diffdesk.core.events import RunEvent
from diffdesk.core.generation import Job, generate
from diffdesk.core.messages import ImageRef, Message
from diffdesk.core.turns import assemble, render
from diffdesk.documents.images import inspect_image, sample_frames
from diffdesk.tasks.task_run import TaskRun

ANIMATIONS = frozenset({".gif", ".webp", ".png"})


def chat(run: TaskRun) -> Iterator[RunEvent]:
    """Answer the last message; ends in one `Finished`. Raises `PromptError` if it can't be sent."""
    denoiser, parameters = run.denoiser, run.request.parameters
    with tempfile.TemporaryDirectory(prefix="diffdesk-frames-") as folder:
        messages = [_with_frames(message, Path(folder)) for message in run.request.messages]
        prompt = build_prompt(denoiser, messages, system=parameters.system, thinking=parameters.thinking)
        length = denoiser.capabilities.canvas_length
        canvases = fitting_canvases(denoiser, len(prompt.ids), parameters.canvases)
        job = Job(prompt, run.settings, run.seed, canvases, length)
        yield from generate(denoiser, job, run.report, run.is_cancelled)


def _with_frames(message: Message, folder: Path) -> Message:
    """The message with each animation among its images replaced by sampled frames, written to `folder`."""
    images: list[ImageRef] = []
    for image in message.images:
        if inspect_image(image.path).frames == 1 or image.path.suffix.lower() not in ANIMATIONS:
            images.append(image)
            continue
        for stamp, frame in sample_frames(image.path):
            path = folder / f"{len(list(folder.iterdir()))}.png"
            frame.save(path, "PNG")
            images.append(ImageRef(path, image.name, is_frame=True, stamp=stamp))
    return replace(message, images=tuple(images))


def build_prompt(denoiser: Denoiser, messages: Sequence[Message], *, system: str, thinking: bool) -> Prompt:
    """The prompt for an answer to `messages`; raises `PromptError` where it holds images that the model can't see."""
    if any(message.images for message in messages) and not denoiser.capabilities.can_see_images:
        raise PromptError(
            "This model can't see images",
            denoiser.capabilities.why_no_images,
            "Remove the image, or let its text be read first and ask about the text.",
        )
    parts = render(messages, thinking=thinking, system=system)
    return assemble(parts, denoiser.tokenizer, denoiser.image_tokens)


def fitting_canvases(denoiser: Denoiser, prompt_tokens: int, wanted: int) -> int:
    """How many of the wanted canvases fit the context after the prompt; raises `PromptError` if not even one does."""
    able = denoiser.capabilities
    room = (able.context_length - prompt_tokens) // able.canvas_length
    if room < 1:
        raise PromptError(
            "The conversation is too long for this model",
            f"It has {prompt_tokens:,} tokens, and the model holds {able.context_length:,} together with its answer "
            f"of at least {able.canvas_length:,}.",
            "Begin a new conversation, or shorten the text.",
        )
    return min(wanted, room)
