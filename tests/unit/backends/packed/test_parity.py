"""A packed folder gives what transformers gives for the same values unpacked, at every step and with every option."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffdesk.backends.packed.denoiser import PackedDenoiser
from diffdesk.backends.packed.matrices import RoundedMatrix
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.denoiser import Denoiser, Prompt, StepResult
from diffdesk.core.errors import ImageError, PromptError
from diffdesk.core.messages import ImageRef, LinePicture
from tests.unit.backends.packed.packed_folders import (
    Ids,
    Pairs,
    Watched,
    ignore,
    load_packed,
    load_twin,
    with_images,
)
from tests.unit.backends.parity import Run, follow
from tests.unit.backends.tiny import BY_NAME, IMAGE, SHAPES, VOCABULARY, line_picture, picture, random_ids

TEXT_SHAPES = [one.name for one in SHAPES if not one.sees]
SEEING_SHAPES = [one.name for one in SHAPES if one.sees]
NUMBERS = ("entropy", "probability", "kept_probability", "alternative_probabilities")
CHOICES = ("argmax", "sampled", "alternatives")


class Twins:
    """A packed model and its twin by transformers, by the name of their shape, loaded once."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self._loaded: dict[str, tuple[PackedDenoiser, TransformersDenoiser]] = {}

    def __call__(self, shape: str, chunk: int) -> tuple[PackedDenoiser, TransformersDenoiser]:
        """Both, after something else; the packed one reads in chunks of so many tokens, its twin all at once."""
        if shape not in self._loaded:
            pair = self._pairs(shape)
            self._loaded[shape] = load_packed(pair.packed), load_twin(pair.twin)
        packed, twin = self._loaded[shape]
        packed.chunk, twin.chunk = chunk, 1000
        for one in (packed, twin):
            one.prefill(Prompt(random_ids(30, 99)), ignore)
        return packed, twin


@pytest.fixture(scope="module")
def twins(pairs: Pairs) -> Twins:
    return Twins(pairs)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageRef, ImageRef]:
    """A still of the larger budget and a video frame of the smaller one."""
    folder = tmp_path_factory.mktemp("pictures")
    still, frame = picture(folder / "still.png", 90, 40, 1), picture(folder / "frame.png", 64, 64, 2)
    return ImageRef(still), ImageRef(frame, is_frame=True)


def assert_close(found: StepResult, wanted: StepResult, within: float = 1e-4) -> None:
    for name in CHOICES:
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=0, atol=within, err_msg=name)


def assert_same_answer(packed: Denoiser, twin: Denoiser, prompt: Prompt, canvases: int, seed: int) -> None:
    """The same canvases into every step, the same numbers out of it, and the same answer."""
    ours, theirs = Watched(packed), Watched(twin)
    runs = Run(), Run()
    for denoiser, run in zip((ours, theirs), runs, strict=True):
        follow(denoiser, prompt, canvases, seed, run)
    assert len(ours.going_in) == len(theirs.going_in) > len(runs[1].committed) > 0
    for mine, other in zip(ours.going_in, theirs.going_in, strict=True):
        assert np.array_equal(mine, other)
    for result, wanted in zip(ours.results, theirs.results, strict=True):
        assert_close(result, wanted)
    for name in ("argmax", "committed"):
        assert [one.tolist() for one in getattr(runs[0], name)] == [one.tolist() for one in getattr(runs[1], name)]


def steps_of(
    denoiser: Denoiser, canvas: Ids, confidence: NDArray[np.float32] | None = None, steps: int = 3
) -> list[StepResult]:
    """Steps that follow their own draws, each with alternatives."""
    random, results = np.random.default_rng(3), []
    denoiser.start_canvas(canvas, confidence)
    for _ in range(steps):
        results.append(denoiser.step(canvas, 0.7, random.random(len(canvas)), alternatives=5))
        canvas = results[-1].sampled
    return results


# whole answers


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("shape", TEXT_SHAPES)
def test_the_same_answer(twins: Twins, shape: str, chunk: int) -> None:
    packed, twin = twins(shape, chunk)
    for seed in (1, 2):
        assert_same_answer(packed, twin, Prompt(random_ids(41, seed)), canvases=3, seed=seed)


@pytest.mark.parametrize("chunk", [7, 1000])
@pytest.mark.parametrize("shape", SEEING_SHAPES)
def test_the_same_answer_about_images(
    twins: Twins, shape: str, chunk: int, pictures: tuple[ImageRef, ImageRef]
) -> None:
    packed, twin = twins(shape, chunk)
    for images in (pictures[:1], pictures[1:], pictures):
        prompt = with_images(twin, images)
        assert [packed.image_tokens(one) for one in images] == [twin.image_tokens(one) for one in images]
        assert_same_answer(packed, twin, prompt, canvases=2, seed=5)


def interleaved_prompt(denoiser: Denoiser, images: Sequence[ImageRef | LinePicture]) -> Prompt:
    """Each image's places with one to three words after each of them, as a line's cells stand between its letters."""
    parts: list[int] = random_ids(5, 11).tolist()
    for number, image in enumerate(images):
        for place in range(denoiser.image_tokens(image)):
            parts += [IMAGE, *random_ids(1 + place % 3, 100 * number + place).tolist()]
    return Prompt(np.array([*parts, *random_ids(4, 12).tolist()], np.int32), tuple(images))


@pytest.mark.parametrize("chunk", [7, 1000])
def test_the_same_answer_with_words_between_the_pieces_of_an_image(
    twins: Twins, chunk: int, pictures: tuple[ImageRef, ImageRef]
) -> None:
    line, other = line_picture(6, 1), line_picture(3, 2)
    for shape, images in (
        ("reading-lines", [line]),
        ("reading-lines", [line, other, line]),
        ("seeing", [pictures[1]]),
        ("seeing-narrow-window", [pictures[1]]),
    ):
        packed, twin = twins(shape, chunk)
        assert_same_answer(packed, twin, interleaved_prompt(twin, images), canvases=2, seed=5)


def test_images_without_a_word_between_them(twins: Twins, pictures: tuple[ImageRef, ImageRef]) -> None:
    packed, twin = twins("seeing", 1000)
    many = [twin.image_tokens(one) for one in pictures]
    ids = np.concatenate([random_ids(3, 1), np.full(sum(many), IMAGE, np.int32), random_ids(4, 2)])
    assert_same_answer(packed, twin, Prompt(ids, pictures), canvases=2, seed=5)


def test_what_an_image_shows_matters(twins: Twins, pictures: tuple[ImageRef, ImageRef]) -> None:
    """Else the comparisons above would pass with images that nobody looks at."""
    packed, _ = twins("seeing", 1000)
    prompt, canvas = with_images(packed, pictures[1:]), random_ids(16, 3)
    seen = []
    for one in (pictures[1], ImageRef(picture(pictures[1].path.with_name("other.png"), 64, 64, 9), is_frame=True)):
        packed.prefill(Prompt(prompt.ids, (one,)), ignore)
        seen.append(steps_of(packed, canvas)[0].entropy)
    assert np.abs(seen[0] - seen[1]).max() > 0.01


# single steps


@pytest.mark.parametrize("shape", [*TEXT_SHAPES, *SEEING_SHAPES])
def test_every_number_of_a_step_and_of_the_next_ones(twins: Twins, shape: str) -> None:
    packed, twin = twins(shape, 7)
    length, prompt = BY_NAME[shape].canvas, Prompt(random_ids(37, 4))
    drafts: list[tuple[Ids, NDArray[np.float32] | None]] = [(random_ids(length, 5), None)]
    drafts += [(random_ids(many, 6), None) for many in (1, length - 2, length + 9)]  # not of the model's own length
    for sure in (np.full(length, 0.9), np.linspace(0.0, 1.0, length)):
        drafts.append((random_ids(length, 7), sure.astype(np.float32)))
    for one in (packed, twin):
        one.prefill(prompt, ignore)
    for canvas, confidence in drafts:
        ours, theirs = steps_of(packed, canvas, confidence), steps_of(twin, canvas, confidence)
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.alternatives.shape == (len(canvas), 5)
            assert_close(mine, other)


def test_a_draft_guides_the_first_step(twins: Twins) -> None:
    """Else the comparison above would pass with a confidence that nobody looks at."""
    packed, _ = twins("plain", 1000)
    canvas = random_ids(16, 2)
    firsts = [
        steps_of(packed, canvas, confidence)[0].kept_probability
        for confidence in (None, np.full(16, 0.99, np.float32), np.zeros(16, np.float32))
    ]
    assert not np.allclose(firsts[0], firsts[1], rtol=0.01)
    assert not np.allclose(firsts[1], firsts[2], rtol=0.01)


def test_a_step_is_the_same_with_alternatives_and_without(twins: Twins) -> None:
    packed, _ = twins("plain", 1000)
    canvas, uniforms = random_ids(16, 2), np.random.default_rng(1).random(16)
    seen = []
    for many in (0, 3, VOCABULARY):
        packed.start_canvas(canvas)
        seen.append([packed.step(canvas, 0.7, uniforms, alternatives=many) for _ in range(2)])
    for results in seen[1:]:
        for found, wanted in zip(results, seen[0], strict=True):
            for name in ("argmax", "sampled", "entropy", "probability", "kept_probability"):
                assert np.array_equal(getattr(found, name), getattr(wanted, name))
    assert seen[0][0].alternatives.shape == (16, 0)
    np.testing.assert_allclose(seen[2][0].alternative_probabilities.sum(1), 1, atol=1e-5)
    assert (seen[0][0].entropy != seen[0][1].entropy).any(), "the second step is conditioned on the first"


# narrow formats


def agreement(found: Denoiser, wanted: Denoiser, prompts: Sequence[Prompt]) -> float:
    """Share of positions with the same most probable token, in the first steps of canvases after some prompts."""
    same = []
    for prompt in prompts:
        for one in (found, wanted):
            one.prefill(prompt, ignore)
        for seed in range(4):
            canvas = random_ids(16, seed)
            results = [steps_of(one, canvas, steps=1)[0] for one in (found, wanted)]
            same.append(results[0].argmax == results[1].argmax)
    return float(np.mean(same))


@pytest.mark.parametrize(("precision", "named"), [("bfloat16", "NVFP4"), ("int8", "NVFP4, lean")])
def test_narrow_formats_mostly_agree(
    pairs: Pairs, twins: Twins, precision: str, named: str, pictures: tuple[ImageRef, ImageRef]
) -> None:
    """Measured, of 192 and 320 positions: 0.92 and 0.97 in bfloat16, 0.92 and 0.94 with dense layers in 8 bits.

    Tiny random models are far less sure of a token than a trained one is.
    """
    for shape in ("plain", "seeing-narrow-window"):
        packed, (_, twin) = load_packed(pairs(shape).packed, precision), twins(shape, 1000)
        assert packed.capabilities.precision == named
        assert packed.capabilities.can_see_images == (shape != "plain")
        prompts = [Prompt(random_ids(30, seed)) for seed in range(3)]
        if shape != "plain":
            prompts += [with_images(twin, pictures), with_images(twin, pictures[1:])]
        assert agreement(packed, twin, prompts) > 0.85


def test_dense_layers_are_rounded_only_where_memory_is_short(pairs: Pairs) -> None:
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16), ("int8", torch.bfloat16)):
        weights = load_packed(pairs("plain").packed, precision).model.network.weights
        layer = weights.layers[0]
        matrices = (layer.qkv, layer.out, layer.gate_up, layer.down, weights.conditioning_gate_up)
        assert all(isinstance(one, RoundedMatrix) == (precision == "int8") for one in matrices)
        assert weights.embedding.dtype == layer.router.dtype == layer.before_experts.dtype == dtype


# what callers do wrong


def test_bugs_of_callers_are_bugs(pairs: Pairs) -> None:
    denoiser, canvas = load_packed(pairs("plain").packed), random_ids(16, 2)
    with pytest.raises(RuntimeError, match="prompt"):
        denoiser.start_canvas(canvas)
    denoiser.prefill(Prompt(random_ids(20, 1)), ignore)
    with pytest.raises(RuntimeError, match="not started"):
        denoiser.step(canvas, 0.7, np.full(16, 0.5))
    denoiser.start_canvas(canvas)
    with pytest.raises(RuntimeError, match="another length"):
        denoiser.step(canvas[:5], 0.7, np.full(5, 0.5))
    with pytest.raises(ValueError, match="vocabulary"):
        denoiser.prefill(Prompt(np.array([1, VOCABULARY], np.int32)), ignore)
    denoiser.close()
    with pytest.raises(RuntimeError, match="closed"):
        denoiser.prefill(Prompt(random_ids(20, 1)), ignore)


def test_prompts_that_do_not_fit(twins: Twins, pictures: tuple[ImageRef, ImageRef]) -> None:
    packed, _ = twins("plain", 1000)
    with pytest.raises(PromptError, match="too long") as caught:
        packed.prefill(Prompt(random_ids(2033, 1)), ignore)
    assert "2,048" in caught.value.text
    packed.prefill(Prompt(random_ids(2032, 1)), ignore)
    with pytest.raises(PromptError, match="too long"):
        packed.commit(random_ids(16, 2))
    assert np.isfinite(steps_of(packed, random_ids(16, 3))[2].entropy).all()
    for image in (pictures[0], line_picture(3, 1)):
        with pytest.raises(PromptError, match="can't see"):
            packed.image_tokens(image)
    seeing, _ = twins("seeing", 1000)
    with pytest.raises(ImageError, match="7 squares"):
        seeing.image_tokens(line_picture(7, 1))
    with pytest.raises(PromptError, match="2 places"):
        seeing.prefill(Prompt(np.array([20, IMAGE, IMAGE, 20], np.int32), pictures[1:]), ignore)
