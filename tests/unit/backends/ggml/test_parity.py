"""The GGUF backend computes what transformers computes, in float32, operator by operator on ggml."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from diffdesk.core.denoiser import Prompt
from diffdesk.core.messages import ImageRef
from diffdesk.tasks.aligned import AlignedAlphabet, AlignedWindow
from tests.unit.backends.ggml.models import Pair, as_gguf, ignore, open_folder, open_gguf, run_gguf
from tests.unit.backends.parity import Ids, assert_same, image_inputs, run_diffdesk, run_transformers
from tests.unit.backends.test_parity import STARTER, WINDOWS, interleaved_prompt, seeing_prompt
from tests.unit.backends.tiny import FULL, SHAPES, SLIDING, Shape, line_picture, picture, random_ids, save

EXACT = 1e-4  # largest difference of logits, in parts of the largest logit
MORE_SHAPES = (
    Shape("thirty-layers", layers=((SLIDING,) * 5 + (FULL,)) * 5, window=20, scalars_differ=True),
    Shape("two-layers", layers=(SLIDING, FULL), window=1024),
    Shape("long-canvas", layers=(SLIDING, FULL), window=10, canvas=40),
)
ALL_SHAPES = (*SHAPES, *MORE_SHAPES)
Pairs = dict[str, Pair]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Every tiny model by both backends."""
    made: Pairs = {}
    for shape in ALL_SHAPES:
        folder = save(shape, tmp_path_factory.mktemp(shape.name))
        file = as_gguf(folder, tmp_path_factory.mktemp(shape.name), sees=shape.sees)
        made[shape.name] = Pair(open_folder(folder), open_gguf(file))
    return made


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(open_folder(STARTER), open_gguf(as_gguf(STARTER, tmp_path_factory.mktemp("starter"), sees=True)))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageRef, ImageRef]:
    folder = tmp_path_factory.mktemp("pictures")
    still, frame = picture(folder / "still.png", 90, 40, 1), picture(folder / "frame.png", 64, 64, 2)
    return ImageRef(still), ImageRef(frame, is_frame=True)


def assert_alike(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    assert float(np.abs(ours - theirs).max() / np.abs(theirs).max()) < EXACT
    assert np.array_equal(ours.argmax(-1), theirs.argmax(-1))


def assert_same_logits(pair: Pair, prompt: Prompt, canvas: Ids) -> None:
    """The first step's, then those of a step that is conditioned on it, then after a committed canvas."""
    for committed in (False, True):
        for denoiser in (pair.ours, pair.theirs):
            if committed:
                denoiser.commit(canvas)
            else:
                denoiser.prefill(Prompt(random_ids(30, 99)), ignore)  # nothing of another prompt may stay behind
                denoiser.prefill(prompt, ignore)
            denoiser.start_canvas(canvas)
        first = pair.ours.all_logits(canvas, 0.7)
        assert_alike(first, pair.theirs.all_logits(canvas))
        pair.theirs.step(canvas, 0.7, np.full(len(canvas), 0.5))
        second = pair.ours.all_logits(canvas)
        assert_alike(second, pair.theirs.all_logits(canvas))
        assert np.abs(first - second).max() > 0.001, "self-conditioning changed nothing"


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("name", [one.name for one in ALL_SHAPES])
def test_logits_are_those_of_transformers(pairs: Pairs, name: str, chunk: int) -> None:
    pair = pairs[name]
    pair.ours.chunk = chunk
    length = pair.ours.capabilities.canvas_length
    assert_same_logits(pair, Prompt(random_ids(61, 4)), random_ids(length, 5))


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("name", ["seeing", "seeing-narrow-window"])
def test_logits_with_images_are_those_of_transformers(
    pairs: Pairs, name: str, chunk: int, pictures: tuple[ImageRef, ImageRef]
) -> None:
    pair = pairs[name]
    pair.ours.chunk = chunk
    for images in (pictures[:1], pictures[1:], pictures):
        assert pair.ours.image_tokens(images[0]) == pair.theirs.image_tokens(images[0])
        assert_same_logits(pair, seeing_prompt(pair.theirs, images), random_ids(16, 5))


def test_logits_with_lines_are_those_of_transformers(pairs: Pairs) -> None:
    pair = pairs["reading-lines"]
    line, other = line_picture(6, 1), line_picture(3, 2)
    for images in ([line], [line, other, line], [other, other]):
        assert_same_logits(pair, interleaved_prompt(pair.theirs, images), random_ids(16, 5))


@pytest.mark.parametrize("name", [one.name for one in ALL_SHAPES if not one.sees])
def test_the_same_canvases_as_generate_at_every_step(pairs: Pairs, name: str) -> None:
    pair = pairs[name]
    pair.ours.chunk = 9
    ids = random_ids(41, 1)
    for seed in (1, 2):
        ours = run_gguf(pair.ours, Prompt(ids), canvases=3, seed=seed)
        theirs = run_transformers(pair.theirs.model, ids, canvases=3, seed=seed)
        assert_same(ours, theirs, pair.ours.defaults.end_ids)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda one: one.task.name)
def test_the_starter_writes_the_same_canvases(starter: Pair, window: AlignedWindow) -> None:
    prompts = []
    for denoiser in (starter.ours, starter.theirs):
        alphabet = AlignedAlphabet(denoiser)
        prompts.append(alphabet.prompt(window, alphabet.encode(window)))
    assert np.array_equal(prompts[0].ids, prompts[1].ids)
    inputs = image_inputs(starter.theirs, prompts[1]) if prompts[1].images else {}
    for seed in (1, 2):
        ours = run_gguf(starter.ours, prompts[0], canvases=2, seed=seed)
        theirs = run_transformers(starter.theirs.model, prompts[1].ids, canvases=2, seed=seed, **inputs)
        assert_same(ours, theirs, starter.ours.defaults.end_ids)
        again = run_diffdesk(starter.theirs, prompts[1], canvases=2, seed=seed)
        assert all(np.array_equal(mine, other) for mine, other in zip(ours.argmax, again.argmax, strict=True))
    assert_same_logits(starter, prompts[0], random_ids(128, 7))


@pytest.mark.parametrize("name", ["plain", "narrow-window", "all-full"])
def test_what_a_step_says_is_what_the_transformers_backend_says(pairs: Pairs, name: str) -> None:
    pair = pairs[name]
    prompt, canvas = Prompt(random_ids(30, 3)), random_ids(16, 4)
    uniforms = np.random.default_rng(5).random(16)
    said = []
    for denoiser in (pair.ours, pair.theirs):
        denoiser.prefill(prompt, ignore)
        confidence = np.linspace(0, 1, 16, dtype=np.float32)
        denoiser.start_canvas(canvas, confidence)
        said.append([denoiser.step(canvas, temperature, uniforms, 4) for temperature in (0.8, 0.5)])
    for ours, theirs in zip(*said, strict=True):
        for field in ("argmax", "sampled", "alternatives"):
            assert np.array_equal(getattr(ours, field), getattr(theirs, field)), field
        for field in ("entropy", "probability", "kept_probability", "alternative_probabilities"):
            assert np.allclose(getattr(ours, field), getattr(theirs, field), atol=2e-5), field
