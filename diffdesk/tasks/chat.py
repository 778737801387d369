"""Chat: the conversation so far becomes a prompt in the turn format, the answer is written canvas by canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.errors import PromptError
from diffdesk.core.events import Prefilled, RunEvent
from diffdesk.core.generation import Job, generate
from diffdesk.core.messages import Message
from diffdesk.core.requests import RunRequest
from diffdesk.core.sampler import SamplerSettings
from diffdesk.core.turns import assemble, render


def chat(
    denoiser: Denoiser,
    request: RunRequest,
    settings: SamplerSettings,
    seed: int,
    report: Callable[[Prefilled], None],
    is_cancelled: Callable[[], bool],
) -> Iterator[RunEvent]:
    """Answer the last message of `request`; ends in one `Finished`. Raises `PromptError` if it can't be sent."""
    parameters = request.parameters
    prompt = build_prompt(denoiser, request.messages, system=parameters.system, thinking=parameters.thinking)
    length = denoiser.capabilities.canvas_length
    canvases = fitting_canvases(denoiser, len(prompt.ids), parameters.canvases)
    job = Job(prompt, settings, seed, canvases, length)
    return generate(denoiser, job, report, is_cancelled)


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
