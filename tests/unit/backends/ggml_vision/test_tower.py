"""The vision tower on ggml against transformers' in float32, on true images and on pictures of lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import DiffusionGemmaForBlockDiffusion

from diffdesk.backends.ggml import vision
from diffdesk.backends.ggml.graph import Node, Shape, Tensors
from diffdesk.backends.ggml.vision import VisionTower, pooling_order
from diffdesk.backends.image_patches import ImageReader
from diffdesk.core.errors import Cancelled
from diffdesk.core.messages import ImageRef
from tests.unit.backends import tiny
from tests.unit.backends.ggml_vision import towers

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")

STARTER = Path(__file__).parents[4] / "resources" / "starter"


class Both:
    """One tower in two programs."""

    def __init__(self, folder: Path, hidden: int = towers.HIDDEN) -> None:
        self.folder = folder
        self.model: DiffusionGemmaForBlockDiffusion = towers.loaded(folder)
        self.tower: VisionTower = towers.opened(folder, hidden=hidden)
        self.reader = ImageReader(self.tower.images)


@pytest.fixture(scope="module", params=[one.name for one in towers.SHAPES])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    name = str(request.param)
    return Both(tiny.save(towers.BY_NAME[name], tmp_path_factory.mktemp("towers") / name))


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("starter") / "starter"
    folder.symlink_to(STARTER)  # the file made of it lies beside it
    return Both(folder, hidden=320)


@pytest.mark.parametrize("cells", [1, 7, 40])
def test_lines_on_the_starter(starter: Both, cells: int) -> None:
    line = tiny.line_picture(cells, cells)
    image = starter.reader.prepare(line)
    found = starter.tower.encode(image.patches, image.positions)
    expected = towers.features(starter.model, towers.prepared(STARTER, line))
    assert found.shape == expected.shape == (cells, 320)
    assert towers.relative_error(found, expected) < 1e-5


@pytest.mark.parametrize(
    ("width", "height", "is_frame"),
    [(64, 64, True), (300, 40, True), (13, 200, True), (900, 5, True), (150, 190, False)],
)
def test_images_of_any_shape(both: Both, tmp_path: Path, width: int, height: int, is_frame: bool) -> None:
    image = ImageRef(tiny.picture(tmp_path / "a.png", width, height, 3), is_frame=is_frame)
    ours, theirs = both.reader.prepare(image), towers.prepared(both.folder, image)
    found = both.tower.encode(ours.patches, ours.positions)
    expected = towers.features(both.model, theirs)
    assert found.shape == expected.shape == (ours.tokens, towers.HIDDEN)
    assert towers.relative_error(found, expected) < 1e-4


def test_padding_changes_nothing(both: Both, tmp_path: Path) -> None:
    image = ImageRef(tiny.picture(tmp_path / "a.png", 150, 31, 4))
    padded = towers.prepared(both.folder, image)
    patches, positions = padded["pixel_values"][0].numpy(), padded["image_position_ids"][0].numpy()
    assert (positions == -1).all(axis=1).any()
    found = both.tower.encode(patches, positions)
    ours = both.reader.prepare(image)
    np.testing.assert_array_equal(found, both.tower.encode(ours.patches, ours.positions))


def test_the_scores_are_computed_in_turns(both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = both.reader.prepare(ImageRef(tiny.picture(tmp_path / "a.png", 90, 70, 5), is_frame=True))
    whole = both.tower.encode(image.patches, image.positions)
    monkeypatch.setattr(vision, "SCORES", 1)
    monkeypatch.setattr(both.tower, "_graphs", type(both.tower._graphs)())
    parts = both.tower.encode(image.patches, image.positions)
    assert towers.relative_error(parts, whole) < 1e-6
    assert both.tower.bytes > 0


def test_a_graph_has_room_for_all_its_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else ggml would end the process."""
    tower = towers.opened(tiny.save(towers.BY_NAME["grouped-and-bounded"], tmp_path / "a"))
    made: list[Tensors] = []
    original = Tensors.node

    def counted(self: Tensors, address: int | None, shape: Shape, kind: int, strides: Shape | None = None) -> Node:
        made.append(self)
        return original(self, address, shape, kind, strides)

    monkeypatch.setattr(Tensors, "node", counted)
    monkeypatch.setattr(vision, "SCORES", 1)
    image = ImageReader(tower.images).prepare(ImageRef(tiny.picture(tmp_path / "a.png", 90, 70, 5)))
    tower.encode(image.patches, image.positions)
    assert len(made) + 10 < made[0].most_nodes < 2 * len(made)


def test_the_kinds_of_files_are_close(tmp_path: Path) -> None:
    folder = tiny.save(towers.BY_NAME["narrow-heads"], tmp_path / "model")
    exact = towers.opened(folder)
    image = ImageReader(exact.images).prepare(ImageRef(tiny.picture(tmp_path / "a.png", 90, 70, 5)))
    expected = exact.encode(image.patches, image.positions)
    errors = {}
    for kind in ("f16", "bf16", "q8_0"):
        tower = towers.opened(folder, kind)
        errors[kind] = towers.relative_error(tower.encode(image.patches, image.positions), expected)
        tower.close()
    assert 0 < errors["f16"] < 0.004
    assert 0 < errors["bf16"] < 0.03
    assert 0 < errors["q8_0"] < 0.06
    exact.close()


def test_few_graphs_are_kept_and_each_is_right(tmp_path: Path) -> None:
    tower = towers.opened(tiny.save(towers.BY_NAME["narrow-heads"], tmp_path / "model"))
    reader = ImageReader(tower.images)
    lines = [reader.prepare(tiny.line_picture(cells, cells)) for cells in range(1, vision.MOST_GRAPHS + 4)]
    first = [tower.encode(one.patches, one.positions) for one in lines]
    assert tower.bytes < 3 * max(one.bytes for one in tower._graphs.values()) * vision.MOST_GRAPHS
    assert len(tower._graphs) == vision.MOST_GRAPHS
    for one, before in zip(lines, first, strict=True):
        np.testing.assert_array_equal(tower.encode(one.patches, one.positions), before)
    tower.close()


def test_a_stop_is_obeyed_and_the_next_image_is_right(both: Both, tmp_path: Path) -> None:
    image = both.reader.prepare(ImageRef(tiny.picture(tmp_path / "a.png", 90, 70, 6), is_frame=True))
    before = both.tower.encode(image.patches, image.positions)
    device = both.tower._device
    device.should_stop = lambda: True
    try:
        with pytest.raises(Cancelled):
            both.tower.encode(image.patches, image.positions)
    finally:
        device.should_stop = lambda: False
    np.testing.assert_array_equal(both.tower.encode(image.patches, image.positions), before)


def test_patches_that_make_no_image_are_refused(both: Both) -> None:
    size, pooling = 3 * both.tower.of.patch**2, both.tower.of.pooling
    places = np.indices((pooling, pooling))[::-1].reshape(2, -1).T
    good = np.zeros((pooling**2, size), np.float32)
    assert both.tower.encode(good, places).shape == (1, towers.HIDDEN)
    for patches, positions in (
        (good[:-1], places[:-1]),
        (good[:, :-1], places),
        (good, np.full_like(places, -1)),
        (good, places + 600),
        (good, np.zeros_like(places) + np.arange(pooling**2)[:, None]),
    ):
        with pytest.raises(ValueError):
            both.tower.encode(patches, positions)


def test_soft_tokens_go_by_rows() -> None:
    places = np.indices((4, 6))[::-1].reshape(2, -1).T
    order = pooling_order(places, 2)
    np.testing.assert_array_equal(places[order][::4] // 2, [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]])
