"""A prompt that begins like the last one is not read again, and the model computes the same as if it had been.

In a roomy cache nothing is ever forgotten. In a tight one sliding layers have slots for hardly more than a window and
a canvas, so that they are moved all the time; a long conversation with the full model does the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from diffdesk.backends.packed import plan
from diffdesk.backends.packed.cache import Room, StaticCache
from diffdesk.backends.packed.denoiser import PackedDenoiser
from diffdesk.backends.packed.network import Network
from diffdesk.backends.packed.operators import LayerCache, Operators, Places, PlainOperators
from diffdesk.backends.packed.step import Stepper
from diffdesk.backends.packed.weights import LayerWeights
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import Cancelled, EngineError
from diffdesk.core.messages import ImageRef
from tests.unit.backends.packed.packed_folders import Ids, Pairs, ignore, load_packed, with_images
from tests.unit.backends.tiny import BY_NAME, IMAGE, VOCABULARY, line_picture, picture, random_ids

WINDOW = BY_NAME["narrow-window"].window  # 8: a sliding layer sees 7 tokens before its own
CANVAS = random_ids(16, 77)
TIGHT, ROOMY = 16, 2048  # tokens that are read in one pass
FRAME = 70  # soft tokens of a frame at most

Fresh = Callable[..., PackedDenoiser]


@pytest.fixture(scope="module")
def fresh(pairs: Pairs) -> Fresh:
    """Makes a model that has seen nothing, with a cache of its own over weights that are loaded once."""
    loaded: dict[str, PackedDenoiser] = {}

    def make(name: str, chunk: int = TIGHT, operators: Operators | None = None) -> PackedDenoiser:
        if name not in loaded:
            loaded[name] = load_packed(pairs(name).packed)
        of = loaded[name]
        network = of.model.network
        # Room for an image of 1,120 tokens would hide what happens when there is none.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "LONGEST_IMAGE", FRAME + 2 if BY_NAME[name].sees else 0)
            room = Room(2048, chunk)
            cache = StaticCache(network.model, room, network.weights.embedding.dtype, torch.device("cpu"))
        network = Network(network.model, network.weights, operators or network.operators, cache)
        stepper = Stepper(network, of.model.frequencies, records=False)
        model = replace(of.model, network=network, stepper=stepper, chunk=chunk)
        return PackedDenoiser(model, of.tokenizer, of.defaults, of.capabilities)

    return make


def logits_of(denoiser: PackedDenoiser) -> NDArray[np.float64]:
    """Logarithms of all probabilities of a canvas after whatever is cached, [L, V]."""
    denoiser.start_canvas(CANVAS)
    result = denoiser.step(CANVAS, 1.0, np.full(16, 0.5), alternatives=VOCABULARY)
    found = np.zeros((16, VOCABULARY))
    np.put_along_axis(found, result.alternatives.astype(np.int64), result.alternative_probabilities, 1)
    return np.log(found)


def assert_like_fresh(used: PackedDenoiser, prompt: Prompt, expected: PackedDenoiser) -> None:
    """Same logits as a model that never saw anything else."""
    expected.prefill(prompt, ignore)
    wanted = logits_of(expected)
    assert np.abs(wanted).max() < 80, "none of the probabilities was lost"
    np.testing.assert_allclose(logits_of(used), wanted, atol=2e-4)


def joined(*parts: Ids) -> Ids:
    return np.concatenate(parts)


both_rooms = pytest.mark.parametrize("chunk", [TIGHT, ROOMY], ids=["tight", "roomy"])
text_shapes = pytest.mark.parametrize("name", ["narrow-window", "plain", "all-full", "all-experts-long"])


def test_another_token_changes_the_logits(fresh: Fresh) -> None:
    """Else the comparisons of this file would say nothing."""
    ids, found = random_ids(40, 1), []
    for at in (None, 0, 39):
        denoiser = fresh("narrow-window")
        changed = ids.copy()
        if at is not None:
            changed[at] = 21 if changed[at] != 21 else 22
        denoiser.prefill(Prompt(changed), ignore)
        found.append(logits_of(denoiser))
    for other in found[1:]:
        assert np.abs(other - found[0]).max() > 0.01


@both_rooms
@text_shapes
def test_the_next_turn_reuses_the_last_one(fresh: Fresh, name: str, chunk: int) -> None:
    denoiser, first, answer = fresh(name, chunk), random_ids(30, 1), random_ids(16, 2)
    assert denoiser.prefill(Prompt(first), ignore) == 0
    denoiser.commit(answer)
    follow_up = Prompt(joined(first, answer, random_ids(9, 3)))
    assert denoiser.prefill(follow_up, ignore) == 46
    assert_like_fresh(denoiser, follow_up, fresh(name, chunk))


@both_rooms
@text_shapes
def test_an_answer_that_was_taken_out_costs_only_itself(fresh: Fresh, name: str, chunk: int) -> None:
    """After a thought is removed, or for another try: back to the end of the prompt."""
    denoiser, first = fresh(name, chunk), random_ids(30, 1)
    denoiser.prefill(Prompt(first), ignore)
    for seed in range(2, 6):
        denoiser.commit(random_ids(16, seed))
    again = Prompt(joined(first, random_ids(5, 4)))
    assert denoiser.prefill(again, ignore) == 30
    assert_like_fresh(denoiser, again, fresh(name, chunk))
    assert denoiser.prefill(Prompt(first), ignore) == 30
    assert_like_fresh(denoiser, Prompt(first), fresh(name, chunk))


@pytest.mark.parametrize(
    ("name", "chunk", "at", "reused"),
    [
        ("narrow-window", TIGHT, 33, 20),  # slots were moved to begin with place 29: back to the snapshot
        ("narrow-window", TIGHT, 35, 20),
        ("narrow-window", TIGHT, 36, 36),  # the 7 places before 36 are still there
        ("narrow-window", TIGHT, 12, 0),
        ("narrow-window", ROOMY, 33, 33),
        ("narrow-window", ROOMY, 1, 1),
        ("all-full", TIGHT, 33, 33),
    ],
)
def test_a_change_within_the_prompt(fresh: Fresh, name: str, chunk: int, at: int, reused: int) -> None:
    """Sliding layers return to any place whose window is still there, else to where a snapshot was taken."""
    denoiser, first, second = fresh(name, chunk), random_ids(20, 1), random_ids(20, 2)
    denoiser.prefill(Prompt(first), ignore)
    denoiser.prefill(Prompt(joined(first, second)), ignore)
    changed = Prompt(joined(joined(first, second)[:at], random_ids(9, 3)))
    assert denoiser.prefill(changed, ignore) == reused
    assert_like_fresh(denoiser, changed, fresh(name, chunk))


def test_a_snapshot_from_before_the_window_was_full_can_be_cut(fresh: Fresh) -> None:
    denoiser, first = fresh("narrow-window"), random_ids(WINDOW - 1, 1)
    denoiser.prefill(Prompt(first), ignore)
    denoiser.prefill(Prompt(joined(first, random_ids(60, 2))), ignore)
    changed = Prompt(joined(first[:4], random_ids(12, 3)))
    assert denoiser.prefill(changed, ignore) == 4
    assert_like_fresh(denoiser, changed, fresh("narrow-window"))


@pytest.mark.parametrize("length", [1, WINDOW - 2, WINDOW - 1, WINDOW, WINDOW + 1])
def test_lengths_around_the_window(fresh: Fresh, length: int) -> None:
    for more, reused in ((0, length - 1), (60, length - 1 if length < WINDOW else 0)):
        denoiser, first = fresh("narrow-window"), random_ids(length, 1)
        denoiser.prefill(Prompt(first), ignore)
        denoiser.prefill(Prompt(joined(first, random_ids(more, 4))), ignore)
        changed = Prompt(joined(first[: length - 1], random_ids(4, 2)))
        assert denoiser.prefill(changed, ignore) == reused
        assert_like_fresh(denoiser, changed, fresh("narrow-window"))


@both_rooms
def test_nothing_in_common_begins_anew(fresh: Fresh, chunk: int) -> None:
    denoiser = fresh("narrow-window", chunk)
    denoiser.prefill(Prompt(random_ids(50, 1)), ignore)
    other = Prompt(random_ids(12, 2))
    assert denoiser.prefill(other, ignore) == 0
    assert_like_fresh(denoiser, other, fresh("narrow-window", chunk))


@both_rooms
@settings(max_examples=40)
@given(data=st.data())
def test_any_sequence_of_prompts_ends_like_a_fresh_one(fresh: Fresh, chunk: int, data: st.DataObject) -> None:
    """Prompts grown, cut, branched and stopped half-way in any order, with canvases and answers between them."""
    denoiser, base = fresh("narrow-window", chunk), random_ids(60, 1)
    denoiser.chunk = data.draw(st.sampled_from([5, 16]))
    prompt = base[:1]
    for _ in range(data.draw(st.integers(1, 6))):
        kept = base[: data.draw(st.integers(1, 50))]
        prompt = joined(kept, random_ids(data.draw(st.integers(0, 12)), data.draw(st.integers(2, 4))))
        stop_after = data.draw(st.sampled_from([0, 0, 10]))

        def progress(done: int, _total: int, stop_after: int = stop_after) -> None:
            if stop_after and done >= stop_after:
                raise Cancelled

        try:
            denoiser.prefill(Prompt(prompt), progress)
        except Cancelled:
            continue
        for seed in range(data.draw(st.integers(0, 3))):
            canvas = CANVAS[: data.draw(st.integers(1, 16))]
            denoiser.start_canvas(canvas)
            denoiser.step(canvas, 1.0, np.full(len(canvas), 0.5))
            denoiser.commit(random_ids(data.draw(st.integers(1, 16)), seed))
    denoiser.prefill(Prompt(prompt), ignore)
    assert_like_fresh(denoiser, Prompt(prompt), fresh("narrow-window", chunk))


@both_rooms
def test_a_stopped_prefill_keeps_what_it_read(fresh: Fresh, chunk: int) -> None:
    denoiser, ids = fresh("narrow-window", chunk), random_ids(40, 1)
    denoiser.chunk = 10
    seen: list[tuple[int, int]] = []

    def stop_at_twenty(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 20:
            raise Cancelled

    with pytest.raises(Cancelled):
        denoiser.prefill(Prompt(ids), stop_at_twenty)
    assert seen == [(0, 40), (10, 40), (20, 40)]
    assert denoiser.prefill(Prompt(ids), ignore) == 20
    assert_like_fresh(denoiser, Prompt(ids), fresh("narrow-window", chunk))


def assert_empty(denoiser: PackedDenoiser) -> None:
    with pytest.raises(RuntimeError, match="prompt"):
        denoiser.start_canvas(CANVAS)


class Failing(PlainOperators):
    """Memory runs out in the middle of a pass."""

    def __init__(self) -> None:
        super().__init__(1e-6)
        self.is_full = False

    def heads(self, projected: Tensor, layer: LayerWeights, cache: LayerCache, places: Places) -> Tensor:
        if self.is_full and not layer.is_sliding:
            raise MemoryError
        return super().heads(projected, layer, cache, places)


def test_a_pass_that_failed_leaves_an_empty_and_usable_cache(fresh: Fresh) -> None:
    """Some layers had the new tokens and others not."""
    operators, ids = Failing(), random_ids(30, 1)
    denoiser = fresh("narrow-window", TIGHT, operators)
    denoiser.prefill(Prompt(ids), ignore)
    operators.is_full = True
    with pytest.raises(EngineError, match="Not enough memory to read the prompt") as caught:
        denoiser.commit(random_ids(16, 2))
    assert caught.value.remedy
    assert_empty(denoiser)
    operators.is_full = False
    assert denoiser.prefill(Prompt(ids), ignore) == 0
    denoiser.start_canvas(CANVAS)
    operators.is_full = True
    with pytest.raises(EngineError, match="Not enough memory to compute the next step"):
        denoiser.step(CANVAS, 1.0, np.full(16, 0.5))
    operators.is_full = False
    assert denoiser.prefill(Prompt(ids), ignore) == 30
    assert_like_fresh(denoiser, Prompt(ids), fresh("narrow-window"))


def test_a_rehearsal_leaves_nothing_behind(fresh: Fresh) -> None:
    denoiser, ids = fresh("narrow-window"), random_ids(30, 1)
    denoiser.prefill(Prompt(ids), ignore)
    denoiser.rehearse()
    assert_empty(denoiser)
    assert denoiser.prefill(Prompt(ids), ignore) == 0
    assert_like_fresh(denoiser, Prompt(ids), fresh("narrow-window"))


# images


def test_an_image_is_reused_if_its_contents_are_the_same(fresh: Fresh, tmp_path: Path) -> None:
    name = "seeing-narrow-window"
    one = ImageRef(picture(tmp_path / "one.png", 64, 64, 1), is_frame=True)
    copy = ImageRef(Path(shutil.copy(one.path, tmp_path / "copy.png")), is_frame=True)
    other = ImageRef(picture(tmp_path / "other.png", 64, 64, 2), is_frame=True)
    for chunk, shared in ((TIGHT, 0), (ROOMY, 6)):
        denoiser = fresh(name, chunk)
        first = with_images(denoiser, (one,))
        denoiser.prefill(first, ignore)
        for _ in range(6 if chunk == TIGHT else 0):
            denoiser.commit(random_ids(16, 8))  # until the slots before the image were given to others
        same = with_images(denoiser, (copy,), joined(first.ids[-6:], random_ids(4, 3)))
        assert denoiser.prefill(same, ignore) == len(first.ids)
        assert_like_fresh(denoiser, same, fresh(name, chunk))
        different = with_images(denoiser, (other,))
        assert denoiser.prefill(different, ignore) == shared
        assert_like_fresh(denoiser, different, fresh(name, chunk))


def test_a_file_that_changed_is_another_image(fresh: Fresh, tmp_path: Path) -> None:
    denoiser = fresh("seeing-narrow-window", ROOMY)
    image = ImageRef(picture(tmp_path / "one.png", 64, 64, 1), is_frame=True)
    prompt = with_images(denoiser, (image,))
    denoiser.prefill(prompt, ignore)
    picture(image.path, 64, 64, 5)
    assert denoiser.prefill(prompt, ignore) == 6, "up to the image"
    assert_like_fresh(denoiser, prompt, fresh("seeing-narrow-window", ROOMY))


def test_a_line_with_words_between_its_squares_is_reused_wholly_or_not_at_all(fresh: Fresh) -> None:
    line, denoiser = line_picture(3, 1), fresh("reading-lines")
    head, words = random_ids(5, 1), random_ids(6, 2)
    squares = np.array([IMAGE, 40, IMAGE, 41, 42, IMAGE], np.int32)
    denoiser.prefill(Prompt(joined(head, squares, words), (line,)), ignore)
    longer = Prompt(joined(head, squares, words[:4], head), (line_picture(3, 1),))
    assert denoiser.prefill(longer, ignore) == 15
    assert_like_fresh(denoiser, longer, fresh("reading-lines"))
    squares[3] = 50
    other_words = Prompt(joined(head, squares, words), (line,))
    assert denoiser.prefill(other_words, ignore) == 5
    assert_like_fresh(denoiser, other_words, fresh("reading-lines"))
