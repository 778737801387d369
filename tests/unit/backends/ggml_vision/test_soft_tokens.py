"""Images of a conversation: encoded once, kept while there is room, forgotten after that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from diffdesk.backends.ggml import soft_tokens
from diffdesk.backends.ggml.soft_tokens import ImageTokens
from diffdesk.backends.ggml.vision import VisionTower
from diffdesk.core.messages import ImageRef
from tests.unit.backends import tiny
from tests.unit.backends.ggml_vision import towers

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")


@dataclass
class Counted:
    """How often a tower has worked."""

    times: int = 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    made, original = Counted(), VisionTower.encode

    def encode(
        self: VisionTower, patches: towers.Array, positions: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    ) -> towers.Array:
        made.times += 1
        return original(self, patches, positions)

    monkeypatch.setattr(VisionTower, "encode", encode)
    return made


@pytest.fixture
def images(tmp_path: Path) -> ImageTokens:
    return ImageTokens(towers.opened(tiny.save(towers.BY_NAME["narrow-heads"], tmp_path / "model")))


def test_the_same_contents_are_encoded_once(images: ImageTokens, counted: Counted, tmp_path: Path) -> None:
    one = ImageRef(tiny.picture(tmp_path / "a.png", 64, 64, 1), is_frame=True)
    copy = ImageRef(tmp_path / "b.png", is_frame=True)
    copy.path.write_bytes(one.path.read_bytes())
    other = ImageRef(tiny.picture(tmp_path / "c.png", 64, 64, 2), is_frame=True)
    first = images.features(images.prepare(one))
    assert first.shape == (images.prepare(one).tokens, towers.HIDDEN)
    assert images.features(images.prepare(copy)) is first
    assert counted.times == 1
    assert not np.array_equal(images.features(images.prepare(other)), first)
    assert counted.times == 2
    images.close()


def test_those_used_last_are_kept(images: ImageTokens, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_tokens, "MOST_KEPT_BYTES", 2 * 3 * towers.HIDDEN * 4)
    one, two, three = (images.prepare(tiny.line_picture(3, seed)) for seed in range(3))
    for line in (one, two, one, three, one):
        images.features(line)
    assert counted.times == 3
    images.features(two)
    assert counted.times == 4
    images.close()


def test_thousands_of_lines_are_not_all_kept(images: ImageTokens, counted: Counted) -> None:
    lines = [images.prepare(tiny.line_picture(3, seed)) for seed in range(soft_tokens.MOST_KEPT + 1)]
    for line in lines:
        images.features(line)
    assert counted.times == len(lines)
    images.features(lines[1])
    assert counted.times == len(lines)
    images.features(lines[0])
    assert counted.times == len(lines) + 1
    images.close()


def test_images_prepared_elsewhere_are_refused(images: ImageTokens) -> None:
    class Other:
        key, tokens = -1, 3

    with pytest.raises(TypeError):
        images.features(Other())
