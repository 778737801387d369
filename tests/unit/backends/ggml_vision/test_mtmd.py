"""Our files in llama.cpp's own multimodal library: it opens them and finds the same soft tokens.

It rounds more than we do (its GELU goes by a table in half precision), and it resizes images in its own way, so the
images here have sizes that need no resizing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffdesk.backends.ggml.devices import Device
from diffdesk.backends.ggml.vision import open_vision
from diffdesk.backends.gguf.conversion import convert
from diffdesk.backends.image_patches import STILL_TOKENS, ImageReader
from diffdesk.core.messages import ImageRef
from tests.unit.backends import tiny
from tests.unit.backends.ggml_vision import towers

llama = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
mtmd: ModuleType = pytest.importorskip("llama_cpp.mtmd_cpp", reason="llama-cpp-python has no libmtmd here")

STARTER = Path(__file__).parents[4] / "resources" / "starter"
IMAGE_CHUNK = 1  # MTMD_INPUT_CHUNK_TYPE_IMAGE
LEAST_TOKENS = 70  # of an image; smaller ones are enlarged


@contextmanager
def context(text: Path, mmproj: Path) -> Iterator[Any]:
    """A context of the library over the vocabulary of `text`, and that vocabulary's model."""
    model = llama.Llama(str(text), vocab_only=True, verbose=False, kv_overrides={"general.architecture": "gemma4"})
    options = mtmd.mtmd_context_params_default()
    options.use_gpu, options.n_threads, options.warmup, options.flash_attn_type = False, 1, False, 0
    made = mtmd.mtmd_init_from_file(str(mmproj).encode(), model._model.model, options)
    try:
        assert made, "the library refuses the file"
        assert mtmd.mtmd_support_vision(made)
        yield made
    finally:
        if made:
            mtmd.mtmd_free(made)
        model.close()


def encoded(opened: Any, pixels: NDArray[np.uint8], hidden: int) -> towers.Array:
    """float32[tokens, hidden] of uint8[rows, columns, 3]."""
    data = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    bitmap = mtmd.mtmd_bitmap_init(pixels.shape[1], pixels.shape[0], data)
    chunks = mtmd.mtmd_input_chunks_init()
    try:
        said = mtmd.mtmd_default_marker()
        text = mtmd.mtmd_input_text()
        text.text, text.text_len, text.add_special, text.parse_special = said, len(said), False, True
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
        assert mtmd.mtmd_tokenize(opened, chunks, ctypes.byref(text), bitmaps, 1) == 0
        parts = [mtmd.mtmd_input_chunks_get(chunks, index) for index in range(mtmd.mtmd_input_chunks_size(chunks))]
        (image,) = [one for one in parts if mtmd.mtmd_input_chunk_get_type(one) == IMAGE_CHUNK]
        assert mtmd.mtmd_encode_chunk(opened, image) == 0
        count = mtmd.mtmd_input_chunk_get_n_tokens(image)
        found: towers.Array = np.ctypeslib.as_array(mtmd.mtmd_get_output_embd(opened), (count, hidden)).copy()
        return found
    finally:
        mtmd.mtmd_input_chunks_free(chunks)
        mtmd.mtmd_bitmap_free(bitmap)


def made(name: str, folder: Path) -> Path:
    """A checkpoint folder; the library knows one θ only."""
    if name == "starter":
        return STARTER
    shape = towers.BY_NAME[name]
    rope = {"rope_parameters": {"rope_type": "axial", "rope_theta": 100.0}}
    return tiny.save(replace(shape, vision={**shape.vision, **rope}), folder)


@pytest.mark.parametrize("name", ["starter", *(one.name for one in towers.SHAPES)])
@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0"])
def test_the_library_finds_the_same_soft_tokens(tmp_path: Path, name: str, kind: str) -> None:
    folder = made(name, tmp_path / name)
    hidden = 320 if name == "starter" else towers.HIDDEN
    text, mmproj = tmp_path / "text.gguf", tmp_path / "mmproj.gguf"
    convert(folder, text, "q8_0", lambda _stage, _share: None, mmproj=mmproj, mmproj_kind=kind)
    tower = open_vision(Device(1), mmproj, hidden)
    reader = ImageReader(replace(tower.images, is_resized=False, soft_tokens=STILL_TOKENS))
    side = tower.images.side
    path = tiny.picture(tmp_path / "a.png", 10 * side, 8 * side, 7)
    image = reader.prepare(ImageRef(path))
    assert image.tokens == 80 >= LEAST_TOKENS
    with Image.open(path) as opened, context(text, mmproj) as library:
        theirs = encoded(library, np.array(opened), hidden)
    ours = tower.encode(image.patches, image.positions)
    assert ours.shape == theirs.shape
    assert towers.relative_error(ours, theirs) < (0.03 if kind == "q8_0" else 0.002)
    tower.close()
