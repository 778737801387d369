"""A prompt that begins like the last one is not read again, and the model computes the same as if it had been."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffdesk.backends.prefix import TokenKeys, common_prefix
from diffdesk.backends.registry import load
from diffdesk.backends.transformers_backend.cache import PrefixCache
from diffdesk.backends.transformers_backend.denoiser import TransformersDenoiser
from diffdesk.core.denoiser import Prompt
from diffdesk.core.errors import Cancelled, PromptError
from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import ModelSpec
from tests.unit.backends.parity import Ids, relative_error, to_tensor
from tests.unit.backends.tiny import BY_NAME, CLOSE_IMAGE, IMAGE, OPEN_IMAGE, line_picture, picture, random_ids, save

WINDOW = BY_NAME["narrow-window"].window  # 8: a sliding layer keeps 7 tokens
CANVAS = random_ids(16, 77)


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    names = ("narrow-window", "plain", "all-full", "seeing-narrow-window")
    return {name: save(BY_NAME[name], tmp_path_factory.mktemp(name)) for name in names}


def fresh(folder: Path) -> TransformersDenoiser:
    denoiser = load(ModelSpec(folder, device="cpu", precision="float32"), lambda _stage, _share: None)
    assert isinstance(denoiser, TransformersDenoiser)
    return denoiser


def logits_of(denoiser: TransformersDenoiser) -> Tensor:
    """Logits of one canvas after whatever is cached."""
    denoiser.start_canvas(CANVAS)
    with torch.inference_mode():
        return denoiser.logits(to_tensor(CANVAS)[0])


def assert_like_fresh(used: TransformersDenoiser, prompt: Prompt, folder: Path) -> None:
    """Same logits as a model that never saw anything else."""
    expected = fresh(folder)
    expected.prefill(prompt, ignore)
    assert relative_error(logits_of(used), logits_of(expected)) < 1e-5


def joined(*parts: Ids) -> Ids:
    return np.concatenate(parts)


@pytest.mark.parametrize("name", ["narrow-window", "plain", "all-full"])
def test_the_next_turn_reuses_the_last_one(folders: dict[str, Path], name: str) -> None:
    denoiser, first, answer = fresh(folders[name]), random_ids(30, 1), random_ids(16, 2)
    assert denoiser.prefill(Prompt(first), ignore) == 0
    denoiser.commit(answer)
    follow_up = Prompt(joined(first, answer, random_ids(9, 3)))
    assert denoiser.prefill(follow_up, ignore) == 46
    assert_like_fresh(denoiser, follow_up, folders[name])


@pytest.mark.parametrize("name", ["narrow-window", "plain", "all-full"])
def test_an_answer_that_was_taken_out_costs_only_itself(folders: dict[str, Path], name: str) -> None:
    """After a thought is removed, or for another try: back to the end of the prompt."""
    denoiser, first = fresh(folders[name]), random_ids(30, 1)
    denoiser.prefill(Prompt(first), ignore)
    denoiser.commit(random_ids(16, 2))
    denoiser.commit(random_ids(16, 3))
    again = Prompt(joined(first, random_ids(5, 4)))
    assert denoiser.prefill(again, ignore) == 30
    assert_like_fresh(denoiser, again, folders[name])
    assert denoiser.prefill(Prompt(first), ignore) == 30
    assert_like_fresh(denoiser, Prompt(first), folders[name])


def test_a_change_within_the_prompt_goes_back_to_a_snapshot(folders: dict[str, Path]) -> None:
    """Past the window a sliding layer can only return to where a snapshot was taken; other layers anywhere."""
    first, second = random_ids(20, 1), random_ids(20, 2)
    for name, reused in (("narrow-window", 20), ("all-full", 33)):
        denoiser = fresh(folders[name])
        denoiser.prefill(Prompt(first), ignore)
        denoiser.prefill(Prompt(joined(first, second)), ignore)
        changed = Prompt(joined(first, second[:13], random_ids(9, 3)))
        assert denoiser.prefill(changed, ignore) == reused
        assert_like_fresh(denoiser, changed, folders[name])


def test_while_nothing_is_forgotten_any_length_can_be_had(folders: dict[str, Path]) -> None:
    denoiser, first = fresh(folders["plain"]), random_ids(40, 1)
    denoiser.prefill(Prompt(first), ignore)
    shorter = Prompt(joined(first[:17], random_ids(3, 2)))
    assert denoiser.prefill(shorter, ignore) == 17
    assert_like_fresh(denoiser, shorter, folders["plain"])


def test_a_snapshot_from_before_the_window_was_full_can_be_cut(folders: dict[str, Path]) -> None:
    denoiser, first = fresh(folders["narrow-window"]), random_ids(WINDOW - 1, 1)
    denoiser.prefill(Prompt(first), ignore)
    denoiser.prefill(Prompt(joined(first, random_ids(30, 2))), ignore)
    changed = Prompt(joined(first[:4], random_ids(12, 3)))
    assert denoiser.prefill(changed, ignore) == 4
    assert_like_fresh(denoiser, changed, folders["narrow-window"])


@pytest.mark.parametrize("length", [WINDOW - 2, WINDOW - 1, WINDOW, WINDOW + 1])
def test_lengths_around_the_window(folders: dict[str, Path], length: int) -> None:
    denoiser, first = fresh(folders["narrow-window"]), random_ids(length, 1)
    denoiser.prefill(Prompt(first), ignore)
    changed = Prompt(joined(first[: length - 1], random_ids(4, 2)))
    assert denoiser.prefill(changed, ignore) == (length - 1 if length <= WINDOW - 1 else 0)
    assert_like_fresh(denoiser, changed, folders["narrow-window"])


def test_nothing_in_common_begins_anew(folders: dict[str, Path]) -> None:
    denoiser = fresh(folders["narrow-window"])
    denoiser.prefill(Prompt(random_ids(30, 1)), ignore)
    other = Prompt(random_ids(12, 2))
    assert denoiser.prefill(other, ignore) == 0
    assert_like_fresh(denoiser, other, folders["narrow-window"])


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_sequence_of_prompts_ends_like_a_fresh_one(folders: dict[str, Path], data: st.DataObject) -> None:
    """Prompts grown, cut, branched and stopped half-way in any order."""
    denoiser, base = fresh(folders["narrow-window"]), random_ids(60, 1)
    denoiser.chunk = 5
    prompt = base[:1]
    for _ in range(data.draw(st.integers(1, 5))):
        kept = base[: data.draw(st.integers(1, 40))]
        prompt = joined(kept, random_ids(data.draw(st.integers(0, 12)), data.draw(st.integers(2, 4))))
        stop_after = data.draw(st.sampled_from([0, 0, 10]))

        def progress(done: int, _total: int, stop_after: int = stop_after) -> None:
            if stop_after and done >= stop_after:
                raise Cancelled

        try:
            denoiser.prefill(Prompt(prompt), progress)
        except Cancelled:
            continue
        if data.draw(st.booleans()):
            denoiser.commit(random_ids(16, 9))
    denoiser.prefill(Prompt(prompt), ignore)
    assert_like_fresh(denoiser, Prompt(prompt), folders["narrow-window"])


def test_a_stopped_prefill_keeps_what_it_read(folders: dict[str, Path]) -> None:
    denoiser, ids = fresh(folders["narrow-window"]), random_ids(40, 1)
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
    assert_like_fresh(denoiser, Prompt(ids), folders["narrow-window"])


def test_snapshots_are_few_and_hold_no_more_than_the_window(folders: dict[str, Path]) -> None:
    denoiser = fresh(folders["narrow-window"])
    cache = PrefixCache(denoiser.model.config.text_config, most_snapshots=3)
    for length in range(10, 60, 10):
        with torch.inference_mode():
            denoiser.model.model.encoder.language_model(
                input_ids=to_tensor(random_ids(10, length)), past_key_values=cache.cache
            )
        cache.remember()
    assert list(cache.snapshot_lengths) == [30, 40, 50]
    for layer in cache.cache.layers[:2]:
        assert layer.keys.shape[-2] == WINDOW - 1
        assert layer.keys.untyped_storage().nbytes() == layer.keys.numel() * layer.keys.element_size()
    assert cache.take_back(45) == 40
    assert list(cache.snapshot_lengths) == [30, 40]
    assert cache.take_back(29) == 0
    assert list(cache.snapshot_lengths) == []


# images


def image_prompt(denoiser: TransformersDenoiser, image: ImageRef, after: Ids) -> Prompt:
    run = [OPEN_IMAGE, *[IMAGE] * denoiser.image_tokens(image), CLOSE_IMAGE]
    return Prompt(joined(random_ids(5, 1), np.array(run, np.int32), after), (image,))


def test_an_image_is_reused_if_its_contents_are_the_same(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = folders["seeing-narrow-window"]
    one = ImageRef(picture(tmp_path / "one.png", 64, 64, 1), is_frame=True)
    copy = ImageRef(Path(shutil.copy(one.path, tmp_path / "copy.png")), is_frame=True)
    other = ImageRef(picture(tmp_path / "other.png", 64, 64, 2), is_frame=True)
    denoiser = fresh(folder)
    first = image_prompt(denoiser, one, random_ids(6, 2))
    denoiser.prefill(first, ignore)
    same = image_prompt(denoiser, copy, joined(random_ids(6, 2), random_ids(4, 3)))
    assert denoiser.prefill(same, ignore) == len(first.ids)
    assert_like_fresh(denoiser, same, folder)
    different = image_prompt(denoiser, other, random_ids(6, 2))
    assert denoiser.prefill(different, ignore) == 0, "up to the image, and the window has forgotten that"
    assert_like_fresh(denoiser, different, folder)


def test_a_file_that_changed_is_another_image(folders: dict[str, Path], tmp_path: Path) -> None:
    denoiser = fresh(folders["seeing-narrow-window"])
    image = ImageRef(picture(tmp_path / "one.png", 64, 64, 1), is_frame=True)
    prompt = image_prompt(denoiser, image, random_ids(6, 2))
    denoiser.prefill(prompt, ignore)
    picture(image.path, 64, 64, 5)
    assert denoiser.prefill(prompt, ignore) == 0
    assert_like_fresh(denoiser, prompt, folders["seeing-narrow-window"])


def test_the_same_file_with_another_budget_is_another_image(folders: dict[str, Path], tmp_path: Path) -> None:
    denoiser = fresh(folders["seeing-narrow-window"])
    path = picture(tmp_path / "one.png", 64, 64, 1)
    still, frame = ImageRef(path), ImageRef(path, is_frame=True)
    assert denoiser.image_tokens(frame) <= 70 < denoiser.image_tokens(still) <= 280


def test_images_and_places_must_agree(folders: dict[str, Path], tmp_path: Path) -> None:
    denoiser = fresh(folders["seeing-narrow-window"])
    image = ImageRef(picture(tmp_path / "one.png", 64, 64, 1), is_frame=True)
    with pytest.raises(PromptError, match="2 places"):
        denoiser.prefill(Prompt(np.array([20, IMAGE, IMAGE, 20], np.int32), (image,)), ignore)


def test_a_line_with_words_between_its_squares_is_reused_wholly_or_not_at_all(tmp_path: Path) -> None:
    folder = save(BY_NAME["reading-lines"], tmp_path / "model")
    line = line_picture(3, 1)
    denoiser = fresh(folder)
    head, words = random_ids(5, 1), random_ids(6, 2)
    squares = np.array([IMAGE, 40, IMAGE, 41, 42, IMAGE], np.int32)
    first = Prompt(joined(head, squares, words), (line,))
    denoiser.prefill(first, ignore)
    longer = Prompt(joined(head, squares, words[:4], head), (line_picture(3, 1),))
    assert denoiser.prefill(longer, ignore) == 15
    assert_like_fresh(denoiser, longer, folder)
    squares[3] = 50
    other_words = Prompt(joined(head, squares, words), (line,))
    assert denoiser.prefill(other_words, ignore) == 5
    assert_like_fresh(denoiser, other_words, folder)


@pytest.mark.parametrize(
    ("old", "new", "shared"),
    [
        ([1, 2, 3], [1, 2, 4], 2),
        ([], [1], 0),
        ([1, 2], [1, 2, 3], 2),
        ([1, -7, -7, 2], [1, -7, -7, 3], 3),
        ([1, -7, -7, 2], [1, -9, -9, 2], 1),
        ([-7, -7], [-7, -7, -7, -7], 2),
        ([1, -7, 5, -7, 2], [1, -7, 5, -7, 3], 4),
        ([1, -7, 5, -7, 2], [1, -7, 6, -7, 2], 1),
        ([1, -7, 5, -7, 6, -7, -7], [1, -7, 5, -7, 6, -7, 4, -7], 5),
        ([-8, 5, 6], [-8, 5, 7], 2),
    ],
)
def test_an_image_is_shared_wholly_or_not_at_all(old: list[int], new: list[int], shared: int) -> None:
    assert common_prefix(token_keys(old), token_keys(new)) == shared


def token_keys(keys: list[int]) -> TokenKeys:
    """Images of two places have odd keys, and of one place even ones."""
    begins, open_since = list(range(len(keys))), -1
    for at, key in enumerate(keys):
        if key < 0 and key % 2 and open_since < 0:
            open_since = at
        elif key < 0 and open_since >= 0:
            begins[open_since : at + 1] = [open_since] * (at + 1 - open_since)
            open_since = -1
    return TokenKeys(np.array(keys, np.int64), np.array(begins, np.int64))
