"""DiffDesk's loop over the model's own encoder and decoder computes what transformers computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from diffdesk.backends.registry import load
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import ImageError
from diffdesk.core.messages import ImageRef, LinePicture
from diffdesk.core.requests import ModelSpec
from diffdesk.tasks.aligned import AlignedAlphabet, AlignedWindow, line_window, picture_window, text_window
from tests.unit.backends.parity import (
    Ids,
    assert_same,
    image_inputs,
    relative_error,
    run_diffdesk,
    run_transformers,
    to_tensor,
)
from tests.unit.backends.tiny import (
    CLOSE_IMAGE,
    IMAGE,
    OPEN_IMAGE,
    SHAPES,
    Shape,
    line_picture,
    picture,
    random_ids,
    save,
)

STARTER = Path(__file__).parents[3] / "resources" / "starter"
TEXT_SHAPES = [one for one in SHAPES if not one.sees]
SEEING_SHAPES = [one for one in SHAPES if one.sees]
Models = dict[str, TransformersDenoiser]


def loaded(folder: Path) -> TransformersDenoiser:
    denoiser = load(ModelSpec(folder, device="cpu", precision="float32"), lambda _stage, _share: None)
    assert isinstance(denoiser, TransformersDenoiser)
    return denoiser


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Every tiny model, through the folder and the loader that a user's model goes through."""
    return {shape.name: loaded(save(shape, tmp_path_factory.mktemp(shape.name))) for shape in SHAPES}


@pytest.fixture(scope="module")
def starter() -> TransformersDenoiser:
    return loaded(STARTER)


def starter_prompt(denoiser: TransformersDenoiser, window: AlignedWindow) -> Prompt:
    """What the program sends to the starter model."""
    alphabet = AlignedAlphabet(denoiser)
    return alphabet.prompt(window, alphabet.encode(window))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageRef, ImageRef]:
    """A still of the larger budget and a video frame of the smaller one."""
    folder = tmp_path_factory.mktemp("pictures")
    still = picture(folder / "still.png", 90, 40, 1)
    frame = picture(folder / "frame.png", 64, 64, 2)
    return ImageRef(still), ImageRef(frame, is_frame=True)


def seeing_prompt(denoiser: TransformersDenoiser, images: tuple[ImageRef, ...], before: int = 5) -> Prompt:
    """Words, then the images, with words between and after them."""
    parts: list[int] = random_ids(before, 11).tolist()
    for number, image in enumerate(images):
        parts += [OPEN_IMAGE, *[IMAGE] * denoiser.image_tokens(image), CLOSE_IMAGE]
        parts += random_ids(6, 20 + number).tolist()
    return Prompt(np.array(parts, np.int32), images)


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("shape", TEXT_SHAPES, ids=lambda one: one.name)
def test_the_same_canvases_as_generate_at_every_step(models: Models, shape: Shape, chunk: int) -> None:
    denoiser = models[shape.name]
    denoiser.chunk = chunk
    ids = random_ids(41, 1)
    for seed in (1, 2):
        denoiser.prefill(Prompt(random_ids(30, 99)), ignore)  # nothing of another prompt may stay behind
        ours = run_diffdesk(denoiser, Prompt(ids), canvases=3, seed=seed)
        theirs = run_transformers(denoiser.model, ids, canvases=3, seed=seed)
        assert_same(ours, theirs, denoiser.defaults.end_ids)


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("shape", SEEING_SHAPES, ids=lambda one: one.name)
def test_the_same_canvases_with_images(
    models: Models, shape: Shape, chunk: int, pictures: tuple[ImageRef, ImageRef]
) -> None:
    denoiser = models[shape.name]
    denoiser.chunk = chunk
    for images in (pictures[:1], pictures[1:]):
        denoiser.prefill(Prompt(random_ids(30, 99)), ignore)
        prompt = seeing_prompt(denoiser, images)
        ours = run_diffdesk(denoiser, prompt, canvases=2, seed=5)
        theirs = run_transformers(denoiser.model, prompt.ids, canvases=2, seed=5, **image_inputs(denoiser, prompt))
        assert_same(ours, theirs, denoiser.defaults.end_ids)


def interleaved_prompt(denoiser: TransformersDenoiser, images: Sequence[ImageRef | LinePicture]) -> Prompt:
    """Each image's places with one to three words after each of them, as a line's cells stand between its letters."""
    parts: list[int] = random_ids(5, 11).tolist()
    for number, image in enumerate(images):
        for place in range(denoiser.image_tokens(image)):
            parts += [IMAGE, *random_ids(1 + place % 3, 100 * number + place).tolist()]
    return Prompt(np.array([*parts, *random_ids(4, 12).tolist()], np.int32), tuple(images))


@pytest.mark.parametrize("chunk", [7, 1000])
def test_the_same_canvases_with_words_between_the_pieces_of_an_image(
    models: Models, chunk: int, pictures: tuple[ImageRef, ImageRef]
) -> None:
    line, other = line_picture(6, 1), line_picture(3, 2)
    for name, images in (
        ("reading-lines", [line]),
        ("reading-lines", [line, other, line]),
        ("reading-lines", [other, other]),
        ("seeing", [pictures[1]]),
    ):
        denoiser = models[name]
        denoiser.chunk = chunk
        denoiser.prefill(Prompt(random_ids(30, 99)), ignore)
        prompt = interleaved_prompt(denoiser, images)
        ours = run_diffdesk(denoiser, prompt, canvases=2, seed=5)
        theirs = run_transformers(denoiser.model, prompt.ids, canvases=2, seed=5, **image_inputs(denoiser, prompt))
        assert_same(ours, theirs, denoiser.defaults.end_ids)


def test_a_line_takes_one_token_for_each_square(models: Models) -> None:
    assert models["reading-lines"].image_tokens(line_picture(7, 1)) == 7
    with pytest.raises(ImageError, match="7 squares"):
        models["seeing"].image_tokens(line_picture(7, 1))


def test_several_images_in_one_prompt(models: Models, pictures: tuple[ImageRef, ImageRef], tmp_path: Path) -> None:
    """A batch for transformers must have one budget, so these are all frames."""
    other = ImageRef(picture(tmp_path / "other.png", 40, 90, 3), is_frame=True)
    denoiser = models["seeing"]
    denoiser.chunk = 50
    prompt = seeing_prompt(denoiser, (pictures[1], other, pictures[1]))
    ours = run_diffdesk(denoiser, prompt, canvases=2, seed=6)
    theirs = run_transformers(denoiser.model, prompt.ids, canvases=2, seed=6, **image_inputs(denoiser, prompt))
    assert_same(ours, theirs, denoiser.defaults.end_ids)


def test_the_image_matters(models: Models, pictures: tuple[ImageRef, ImageRef], tmp_path: Path) -> None:
    """Else the comparisons above would pass with images that no one looks at."""
    denoiser = models["seeing"]
    one = seeing_prompt(denoiser, pictures[1:])
    two = Prompt(one.ids, (ImageRef(picture(tmp_path / "other.png", 64, 64, 9), is_frame=True),))
    logits = []
    for prompt in (one, two):
        denoiser.prefill(prompt, ignore)
        logits.append(first_logits(denoiser, random_ids(16, 3)))
    assert relative_error(*logits) > 0.01


def first_logits(denoiser: TransformersDenoiser, canvas: Ids) -> Tensor:
    """Logits of a canvas that has no self-conditioning yet."""
    denoiser.start_canvas(canvas)
    with torch.inference_mode():
        return denoiser.logits(to_tensor(canvas)[0])


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("shape", TEXT_SHAPES, ids=lambda one: one.name)
def test_logits_are_those_of_a_plain_forward(models: Models, shape: Shape, chunk: int) -> None:
    denoiser = models[shape.name]
    denoiser.chunk = chunk
    prompt, canvas = random_ids(37, 4), random_ids(shape.canvas, 5)
    denoiser.prefill(Prompt(random_ids(30, 99)), ignore)
    denoiser.prefill(Prompt(prompt), ignore)
    with torch.inference_mode():
        expected = denoiser.model(input_ids=to_tensor(prompt), decoder_input_ids=to_tensor(canvas)).logits
    assert relative_error(first_logits(denoiser, canvas), expected) < 1e-5

    temperature, uniforms = 0.7, np.full(shape.canvas, 0.5)
    denoiser.step(canvas, temperature, uniforms)
    with torch.inference_mode():
        again = denoiser.model(
            input_ids=to_tensor(prompt),
            decoder_input_ids=to_tensor(canvas),
            self_conditioning_logits=expected / temperature,
        ).logits
        assert relative_error(denoiser.logits(to_tensor(canvas)[0]), again) < 1e-5
    assert relative_error(expected, again) > 0.001, "self-conditioning changed nothing"


@pytest.mark.parametrize("shape", SEEING_SHAPES, ids=lambda one: one.name)
def test_logits_with_images_are_those_of_one_pass(
    models: Models, shape: Shape, pictures: tuple[ImageRef, ImageRef]
) -> None:
    denoiser = models[shape.name]
    denoiser.chunk = 7
    prompt, canvas = seeing_prompt(denoiser, pictures[:1]), random_ids(shape.canvas, 5)
    inputs = image_inputs(denoiser, prompt)
    cache = DynamicCache(config=denoiser.model.config.text_config)
    kinds = inputs.pop("mm_token_type_ids")
    with torch.inference_mode():
        masks = denoiser.model.model.encoder.create_masks_for_generate(
            config=denoiser.model.config,
            inputs_embeds=torch.empty((1, len(prompt.ids), 0)),
            attention_mask=None,
            past_key_values=cache,
            position_ids=None,
            mm_token_type_ids=kinds,
        )
        expected = denoiser.model(
            input_ids=to_tensor(prompt.ids),
            attention_mask=masks,
            past_key_values=cache,
            decoder_input_ids=to_tensor(canvas),
            **inputs,
        ).logits
    denoiser.prefill(Prompt(random_ids(30, 99)), ignore)
    denoiser.prefill(prompt, ignore)
    assert relative_error(first_logits(denoiser, canvas), expected) < 1e-5


DRAFT = "the qvick brown fox jumps ovcr the Iazy dog and then it sleeps"
WINDOWS = (
    text_window(DRAFT, 128),
    line_window(DRAFT, np.linspace(10, 630, len(DRAFT), dtype=np.float32), line_picture(20, 1), 128),
    picture_window(line_picture(25, 2), 128),
)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda one: one.task.name)
def test_the_starter_computes_what_transformers_computes(starter: TransformersDenoiser, window: AlignedWindow) -> None:
    prompt = starter_prompt(starter, window)
    inputs = image_inputs(starter, prompt) if prompt.images else {}
    starter.chunk = 40
    for seed in (1, 2):
        starter.prefill(Prompt(random_ids(200, 99)), ignore)
        ours = run_diffdesk(starter, prompt, canvases=2, seed=seed)
        theirs = run_transformers(starter.model, prompt.ids, canvases=2, seed=seed, **inputs)
        assert_same(ours, theirs, starter.defaults.end_ids)
    canvas = random_ids(128, 7)
    starter.prefill(prompt, ignore)
    inputs.pop("mm_token_type_ids", None)
    with torch.inference_mode():
        expected = starter.model(input_ids=to_tensor(prompt.ids), decoder_input_ids=to_tensor(canvas), **inputs).logits
    assert relative_error(first_logits(starter, canvas), expected) < 1e-5


def test_the_starter_corrects_a_line(starter: TransformersDenoiser) -> None:
    """A warm start from the draft, four steps: the checkpoint, its layout and the loop fit together."""
    window = text_window("Tbe old man sat by the fire and told the chi1dren a story about the sea.", 128)
    slots = AlignedAlphabet(starter).encode(window)
    starter.prefill(starter_prompt(starter, window), ignore)
    starter.start_canvas(slots)
    result = starter.step(slots, 0.5, np.full(128, 0.5))
    for _ in range(3):
        result = starter.step(result.argmax, 0.5, np.full(128, 0.5))
    text = starter.tokenizer.decode(result.argmax.tolist())
    assert "told the children a story about the sea" in text
