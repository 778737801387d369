"""Patches of images, to the bit those of transformers' own processor; settings that are not understood are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from diffdesk.backends import image_patches
from diffdesk.backends.image_patches import (
    FRAME_TOKENS,
    STILL_TOKENS,
    ImageReader,
    PatchSettings,
    PreparedImage,
    fitted_size,
    read_settings,
)
from diffdesk.core.errors import CheckpointError, ImageError
from diffdesk.core.messages import ImageRef
from tests.unit.backends import tiny

STARTER = Path(__file__).parents[3] / "resources" / "starter"
FULL = PatchSettings()
NARROW = PatchSettings(patch=8, pooling=2)


def processor(settings: PatchSettings) -> Gemma4ImageProcessorPil:
    return Gemma4ImageProcessorPil(patch_size=settings.patch, pooling_kernel_size=settings.pooling)


def assert_same(ours: PreparedImage, theirs: Gemma4ImageProcessorPil, image: Image.Image, **options: object) -> None:
    """Theirs without its padding, bit by bit."""
    made = theirs(image, return_tensors="np", **options)
    patches, places = made["pixel_values"][0], made["image_position_ids"][0]
    is_true = (places >= 0).all(axis=1)
    assert ours.tokens == int(made["num_soft_tokens_per_image"][0])
    assert (str(ours.patches.dtype), str(ours.positions.dtype)) == ("float32", "int64")
    np.testing.assert_array_equal(ours.positions, places[is_true])
    np.testing.assert_array_equal(ours.patches, patches[is_true])


@pytest.mark.parametrize(
    "size", [(1, 1), (640, 480), (480, 640), (3000, 4), (7, 900), (48, 48), (1000, 999), (13, 14), (2500, 310)]
)
@pytest.mark.parametrize("settings", [FULL, NARROW], ids=["full", "narrow"])
@pytest.mark.parametrize("is_frame", [False, True])
def test_images_of_any_size(tmp_path: Path, size: tuple[int, int], settings: PatchSettings, is_frame: bool) -> None:
    path = tiny.picture(tmp_path / "a.png", *size, seed=1)
    ours = ImageReader(settings).prepare(ImageRef(path, is_frame=is_frame))
    budget = FRAME_TOKENS if is_frame else STILL_TOKENS
    with Image.open(path) as image:
        assert_same(ours, processor(settings), image, max_soft_tokens=budget)
    assert ours.tokens <= budget
    assert ours.key < 0


def test_sizes_are_those_of_transformers() -> None:
    """Roundings decide here, so many sizes are tried."""
    from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size

    rng = np.random.default_rng(0)
    for _ in range(20_000):
        width, height = (int(one) for one in rng.integers(1, 40, 2) * rng.choice([1, 7, 16, 48, 100], 2))
        patch, pooling = int(rng.choice([8, 14, 16])), int(rng.choice([2, 3]))
        budget = int(rng.choice([70, 280, 1120]))
        expected = get_aspect_ratio_preserving_size(height, width, patch, budget * pooling**2, pooling)
        assert fitted_size(width, height, patch * pooling, budget) == expected[::-1]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_images_of_every_mode(tmp_path: Path, mode: str) -> None:
    noise = Image.open(tiny.picture(tmp_path / "noise.png", 70, 50, 2))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(noise.convert("L")).astype(np.uint16) * 257)
    elif mode in ("LA", "RGBA"):
        image = noise.convert(mode)
        image.putalpha(Image.linear_gradient("L").resize(noise.size))
    else:
        image = noise.convert(mode)
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
    image.save(path)
    ours = ImageReader(NARROW).prepare(ImageRef(path, is_frame=True))
    with Image.open(path) as opened:
        assert_same(ours, processor(NARROW), opened, max_soft_tokens=FRAME_TOKENS)


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.open(tiny.picture(tmp_path / "noise.png", 70, 50, 2)).quantize(16)
    image.save(tmp_path / "a.gif", transparency=3)
    ours = ImageReader(NARROW).prepare(ImageRef(tmp_path / "a.gif", is_frame=True))
    with Image.open(tmp_path / "a.gif") as opened:
        assert_same(ours, processor(NARROW), opened, max_soft_tokens=FRAME_TOKENS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.open(tiny.picture(tmp_path / "noise.png", 64, 32, 3))
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    stored.save(tmp_path / "a.png", exif=exif)
    ours = ImageReader(NARROW).prepare(ImageRef(tmp_path / "a.png", is_frame=True))
    assert_same(ours, processor(NARROW), upright, max_soft_tokens=FRAME_TOKENS)


@pytest.mark.parametrize("cells", [1, 2, 17, 40])
def test_lines_are_taken_as_they_are(cells: int) -> None:
    line = tiny.line_picture(cells, cells)
    settings = read_settings(STARTER, 80)
    ours = ImageReader(settings).prepare(line)
    assert ours.tokens == cells
    theirs = Gemma4ImageProcessorPil.from_pretrained(str(STARTER), local_files_only=True)
    image = Image.fromarray(line.pixels).convert("RGB")
    assert_same(ours, theirs, image, do_resize=False, max_soft_tokens=FRAME_TOKENS)


@pytest.mark.parametrize("settings", [FULL, NARROW, PatchSettings(16, 2, places=79)])
def test_lines_for_a_model_that_cant_read_them(settings: PatchSettings) -> None:
    with pytest.raises(ImageError, match="can't read lines"):
        ImageReader(settings).prepare(tiny.line_picture(40, 1))


def test_models_that_want_images_as_they_are(tmp_path: Path) -> None:
    reader = ImageReader(PatchSettings(16, 2, places=40, soft_tokens=70, is_resized=False))
    path = tiny.picture(tmp_path / "a.png", 96, 64, 1)
    ours = reader.prepare(ImageRef(path))
    with Image.open(path) as image:
        assert_same(ours, processor(PatchSettings(16, 2)), image, do_resize=False, max_soft_tokens=70)
    for width, height in ((95, 64), (32 * 71, 32), (32, 32 * 21), (320, 320)):
        with pytest.raises(ImageError, match=rf"b\.png would be {width} × {height}"):
            reader.prepare(ImageRef(tiny.picture(tmp_path / "b.png", width, height, 1)))


def test_places_that_the_model_does_not_know(tmp_path: Path) -> None:
    image = ImageRef(tiny.picture(tmp_path / "a.png", 3000, 20, 1))
    with pytest.raises(ImageError, match="shape"):
        ImageReader(PatchSettings(places=200)).prepare(image)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns of what it then refuses or mends
def test_damaged_files_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    reader, failed = ImageReader(NARROW), 0
    for name in ("a.png", "a.jpg", "a.gif", "a.webp", "a.tif", "a.bmp"):
        whole = tmp_path / name
        Image.open(tiny.picture(tmp_path / "noise.png", 40, 30, 1)).save(whole)
        raw = np.frombuffer(whole.read_bytes(), np.uint8)
        for index in range(60):
            mutant = raw.copy()
            mutant[rng.integers(0, min(len(raw), 200), 3)] = rng.integers(0, 256, 3)
            path = tmp_path / f"{index}-{name}"
            path.write_bytes(mutant[: int(rng.integers(len(raw) // 2, len(raw)))].tobytes())
            try:
                reader.prepare(ImageRef(path, is_frame=True))
            except ImageError:
                failed += 1
    assert failed > 100


def test_only_the_last_few_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_patches, "MOST_KEPT", 2)
    reader = ImageReader(NARROW)
    refs = [ImageRef(tiny.picture(tmp_path / f"{one}.png", 20, 20, one), is_frame=True) for one in range(3)]
    first = [reader.prepare(one) for one in refs]
    assert reader.prepare(refs[2]) is first[2]
    assert reader.prepare(refs[1]) is first[1]
    again = reader.prepare(refs[0])
    assert again is not first[0]
    assert again.key == first[0].key
    assert len({one.key for one in first}) == 3


# --- settings -------------------------------------------------------------------------------------


def test_the_settings_of_folders(tmp_path: Path) -> None:
    assert read_settings(STARTER, 80) == PatchSettings(16, 2, 80, 70, is_resized=False)
    folder = tiny.save(tiny.BY_NAME["seeing"], tmp_path / "model")
    assert read_settings(folder, 600) == PatchSettings(8, 2, 600)
    with pytest.raises(OSError, match="preprocessor_config"):
        read_settings(tmp_path, 600)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patch_size": "16"}, "patch_size"),
        ({"pooling_kernel_size": 0}, "pooling_kernel_size"),
        ({"max_soft_tokens": 71}, "another preparation"),
        ({"do_rescale": False}, "another preparation"),
        ({"rescale_factor": 0.5}, "another preparation"),
        ({"resample": 2}, "another preparation"),
        ({"do_normalize": True, "image_mean": [0.5, 0.5, 0.5]}, "another preparation"),
    ],
)
def test_settings_that_are_not_understood(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    folder = Path(shutil.copytree(STARTER, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors")))
    tiny.edit_json(folder / "preprocessor_config.json", **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_settings(folder, 80)
    assert caught.value.remedy


def test_the_newer_file_comes_first(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"patch_size": 8}))
    (tmp_path / "processor_config.json").write_text(json.dumps({"audio": {}}))
    assert read_settings(tmp_path, 9).patch == 8
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": {"patch_size": 4}}))
    assert read_settings(tmp_path, 9).patch == 4
