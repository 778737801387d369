"""The same run twice: DiffDesk's loop, and transformers' own `generate` with the same random draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from diffdesk.backends.image_patches import FRAME_TOKENS, STILL_TOKENS
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.denoiser import Denoiser, Prompt
from diffdesk.core.generation import Job, generate
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.sampler import Draws, SamplerSettings
from diffdesk.core.trace import CanvasClosed, CanvasOpened, StepDelta

Ids = NDArray[np.int32]


@dataclass
class Run:
    """What a run did.

    Attributes:
        going_in: the canvas that entered the decoder, for each step.
        argmax: the argmax canvas after each step.
        committed: the final canvases.
    """

    going_in: list[Ids] = field(default_factory=list)
    argmax: list[Ids] = field(default_factory=list)
    committed: list[Ids] = field(default_factory=list)


def to_ids(tensor: Tensor) -> Ids:
    return tensor.detach().cpu().numpy().reshape(-1).astype(np.int32)


@contextmanager
def canvases_recorded(model: DiffusionGemmaForBlockDiffusion, run: Run) -> Iterator[None]:
    """Note every canvas that enters the decoder."""

    def note(_module: torch.nn.Module, _args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        run.going_in.append(to_ids(kwargs["decoder_input_ids"]))

    handle = model.model.decoder.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


class _Drafts:
    """A streamer of transformers: collects what `generate` would show."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._is_prompt = True

    def put(self, value: Tensor) -> None:
        if not self._is_prompt:
            self._run.committed.append(to_ids(value))
        self._is_prompt = False

    def put_draft(self, value: Tensor) -> None:
        self._run.argmax.append(to_ids(value))

    def end(self) -> None:
        self._is_prompt = True


def inverse_cdf(probabilities: Tensor, uniforms: NDArray[np.float64]) -> Tensor:
    """int64[R, 1]: for each row the first id whose cumulative probability is above u · total."""
    running = probabilities.double().cumsum(-1)
    targets = torch.from_numpy(uniforms).to(running.device)[:, None] * running[:, -1:]
    return torch.searchsorted(running, targets, right=True).clamp_max(running.shape[-1] - 1)


def run_transformers(model: DiffusionGemmaForBlockDiffusion, ids: Ids, canvases: int, seed: int, **inputs: Any) -> Run:
    """`generate` with its multinomial and randint replaced by the draws of `seed`."""
    run, draws = Run(), Draws(seed, model.config.text_config.vocab_size)

    def multinomial(probabilities: Tensor, num_samples: int) -> Tensor:
        assert num_samples == 1
        return inverse_cdf(probabilities, draws.uniforms(probabilities.shape[0]))

    def randint(low: int, high: int, size: tuple[int, int], device: torch.device) -> Tensor:
        assert (low, high) == (0, model.config.text_config.vocab_size)
        return torch.from_numpy(draws.noise(size[1]).astype(np.int64)).to(device)[None]

    prompt = to_tensor(ids, model.device)
    with pytest.MonkeyPatch.context() as patch, canvases_recorded(model, run):
        patch.setattr(torch, "multinomial", multinomial)
        patch.setattr(torch, "randint", randint)
        # Only marks steps for compiled code, of which there is none here, but imports the whole compiler.
        patch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)
        model.generate(prompt, streamer=_Drafts(run), max_new_tokens=canvases * model.config.canvas_length, **inputs)
    return run


def run_diffdesk(denoiser: TransformersDenoiser, prompt: Prompt, canvases: int, seed: int) -> Run:
    """DiffDesk's own loop, to the end of the answer."""
    run = Run()
    with canvases_recorded(denoiser.model, run):
        follow(denoiser, prompt, canvases, seed, run)
    return run


def follow(denoiser: Denoiser, prompt: Prompt, canvases: int, seed: int, run: Run) -> None:
    """Note what DiffDesk's loop shows and commits, with whole steps as published."""
    settings = SamplerSettings.resolve(GenerationParameters(refresh=1), denoiser.defaults)
    job = Job(prompt, settings, seed, canvases, denoiser.capabilities.canvas_length, patience=0)
    visible = np.zeros(0, np.int32)
    for event in generate(denoiser, job, lambda _: None, lambda: False):
        if isinstance(event, CanvasOpened):
            visible = event.ids.copy()
        elif isinstance(event, StepDelta):
            visible[event.positions] = event.ids
            run.argmax.append(visible.copy())
        elif isinstance(event, CanvasClosed):
            run.committed.append(visible.copy())


def image_inputs(denoiser: TransformersDenoiser, prompt: Prompt) -> dict[str, Tensor]:
    """What `generate` and the model take besides token ids for a prompt whose images have one budget."""
    device = denoiser.model.device
    processor = Gemma4ImageProcessorPil.from_pretrained(denoiser.model.config.name_or_path, local_files_only=True)
    opened, is_small = [], False
    for one in prompt.images:
        is_small = isinstance(one, LinePicture) or one.is_frame
        opened.append(Image.fromarray(one.pixels) if isinstance(one, LinePicture) else Image.open(one.path))
    resized = {} if all(isinstance(one, ImageRef) for one in prompt.images) else {"do_resize": False}
    made = processor(
        [one.convert("RGB") for one in opened],
        max_soft_tokens=FRAME_TOKENS if is_small else STILL_TOKENS,
        return_tensors="pt",
        **resized,
    )
    is_image = prompt.ids == denoiser.model.config.image_token_id
    return {
        "pixel_values": made["pixel_values"].to(device),
        "image_position_ids": made["image_position_ids"].to(device),
        "mm_token_type_ids": torch.from_numpy(is_image.astype(np.int64))[None].to(device),
    }


def to_tensor(ids: Ids, device: str | torch.device = "cpu") -> Tensor:
    """int64[1, n]."""
    return torch.from_numpy(ids.astype(np.int64))[None].to(device)


def assert_same(ours: Run, theirs: Run, end_ids: tuple[int, ...], pad: int = 0) -> None:
    """The same canvases at every step and the same answer."""
    assert len(ours.argmax) == len(theirs.argmax)
    assert len(theirs.argmax) > len(theirs.committed), "every canvas was finished in one step: nothing was compared"
    for step, (mine, other) in enumerate(zip(ours.going_in, theirs.going_in, strict=True)):
        assert np.array_equal(mine, other), f"the canvas entering step {step} differs"
    for step, (mine, other) in enumerate(zip(ours.argmax, theirs.argmax, strict=True)):
        assert np.array_equal(mine, other), f"the argmax canvas of step {step} differs"
    for mine, other in zip(ours.committed, theirs.committed, strict=True):
        assert np.array_equal(padded(mine, end_ids, pad), other)


def padded(ids: Ids, end_ids: tuple[int, ...], pad: int) -> Ids:
    """The canvas as `generate` returns it: padding after the first end token."""
    ends = np.flatnonzero(np.isin(ids, end_ids))
    return np.concatenate([ids[: ends[0] + 1], np.full(len(ids) - ends[0] - 1, pad, np.int32)]) if ends.size else ids


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Largest difference, in parts of the largest expected value."""
    return float((found - expected).abs().max() / expected.abs().max())
