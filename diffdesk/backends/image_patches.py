"""Images for a model that sees: opened, cut into the patches that its vision tower takes, known again by contents.

To the bit what `Gemma4ImageProcessorPil` of transformers 5.23 makes, but without its padding up to the budget. The
files were checked when they came into the program; here they are only opened. The picture of a line comes in memory
and is taken as it is, one token for each square. Knows nothing of prompts and of model libraries.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from diffdesk.backends.checkpoint_config import read_json
from diffdesk.core.errors import CheckpointError, ImageError
from diffdesk.core.lines import CELL_PIXELS
from diffdesk.core.messages import ImageRef, LinePicture

STILL_TOKENS = 280  # soft tokens at most for an image, Gemma 4's default
FRAME_TOKENS = 70  # for one of several frames of a video
MOST_KEPT = 8  # prepared images; 280 soft tokens are 8 MB

BUDGETS = (70, 140, 280, 560, 1120)  # that Gemma 4 was trained with
SHADE = 1 / 255

_NESTED_FILE, _PLAIN_FILE = "processor_config.json", "preprocessor_config.json"
_SHADES = (np.arange(256) * SHADE).astype(np.float32)
_BICUBIC = int(Image.Resampling.BICUBIC)
_BROKEN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # what Pillow raises for damaged files


@dataclass(frozen=True, slots=True)
class PatchSettings:
    """How a model wants its images.

    Attributes:
        patch: side of a patch, in pixels.
        pooling: side of the square of patches that becomes one soft token.
        places: columns and rows of patches that the model knows positions for.
        soft_tokens: most soft tokens of a still.
        is_resized: whether images are brought to the size that fills their budget; else they are taken as they are.
    """

    patch: int = 16
    pooling: int = 3
    places: int = 10_240
    soft_tokens: int = STILL_TOKENS
    is_resized: bool = True

    @property
    def side(self) -> int:
        """Of the square that becomes one soft token, in pixels."""
        return self.patch * self.pooling


def read_settings(folder: Path, places: int) -> PatchSettings:
    """What the folder of a checkpoint says; absent keys have the values that transformers 5.23 gives them.

    Raises `CheckpointError` where images would have to be prepared in a way that is not made here, and `OSError`
    where nothing is said or it can't be read.
    """
    said: object = None
    if (folder / _NESTED_FILE).is_file():
        said = read_json(folder / _NESTED_FILE).get("image_processor")
    if not isinstance(said, dict):
        said = read_json(folder / _PLAIN_FILE)
    plain = PatchSettings()
    made = PatchSettings(
        patch=_whole(said, "patch_size", plain.patch),
        pooling=_whole(said, "pooling_kernel_size", plain.pooling),
        places=places,
        soft_tokens=_whole(said, "max_soft_tokens", plain.soft_tokens),
        is_resized=said.get("do_resize", True) is not False,
    )
    means, widths = said.get("image_mean", [0.0] * 3), said.get("image_std", [1.0] * 3)
    is_known = (
        made.soft_tokens in BUDGETS
        and said.get("do_rescale", True) is True
        and said.get("rescale_factor", SHADE) == SHADE
        and said.get("resample", _BICUBIC) in (_BICUBIC, None)
        and (not said.get("do_normalize", False) or (means == [0] * 3 and widths == [1] * 3))
    )
    if not is_known:
        raise CheckpointError(
            "Its images are prepared in an unknown way",
            "The model's folder asks for another preparation of images than Gemma 4's.",
            "Use the model without images, or choose another one.",
        )
    return made


def _whole(said: Mapping[str, object], key: str, default: int) -> int:
    value = said.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
        raise CheckpointError(
            "The description of images is broken",
            f"{key} should be a number, not {value!r:.60}.",
            "Download the folder again, or choose another one.",
        )
    return value


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """An image as the vision tower takes it.

    Attributes:
        key: negative, the same for the same contents and budget only.
        tokens: soft tokens it becomes.
        patches: float32[P, 3·patch²], from 0 to 1; a patch by rows, the three colours of a pixel side by side.
        positions: int64[P, 2], the patches' columns and rows.
    """

    key: int
    tokens: int
    patches: NDArray[np.float32]
    positions: NDArray[np.int64]


class ImageReader:
    """Prepares images as a model wants them and keeps the last few."""

    def __init__(self, settings: PatchSettings) -> None:
        self._settings = settings
        self._kept: OrderedDict[tuple[str, int], PreparedImage] = OrderedDict()
        self._digests: dict[tuple[Path, int, int], str] = {}

    def prepare(self, image: ImageRef | LinePicture) -> PreparedImage:
        """The image as arrays; raises `ImageError` where it can't be read."""
        if isinstance(image, LinePicture):
            return self._prepare_line(image)
        budget = self._settings.soft_tokens
        if image.is_frame:
            budget = min(budget, FRAME_TOKENS)
        try:
            where = (self._digest(image.path), budget)
            if where not in self._kept:
                self._kept[where] = self._prepare(image, *where)
        except _BROKEN as error:
            raise ImageError(
                "The image can't be read",
                f"{_name(image)}: {error}.",
                "Remove it from the message, or save it again as PNG or JPEG.",
            ) from error
        self._kept.move_to_end(where)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[where]

    def _prepare_line(self, picture: LinePicture) -> PreparedImage:
        if self._settings.side != CELL_PIXELS or picture.cells * self._settings.pooling > self._settings.places:
            raise ImageError(
                "This model can't read lines",
                f"It doesn't make {picture.cells} tokens of a picture of {picture.cells} squares.",
                "Choose the starter model, or send the text alone.",
            )
        pixels = np.repeat(picture.pixels[:, :, None], 3, axis=2)
        return self._cut(_key(picture.pixels.tobytes(), f"line {picture.cells}"), pixels)

    def _digest(self, path: Path) -> str:
        """SHA-256 of the file, read again only when its time or size has changed."""
        state = path.stat()
        known = (path, state.st_mtime_ns, state.st_size)
        if known not in self._digests:
            self._digests[known] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[known]

    def _prepare(self, image: ImageRef, digest: str, budget: int) -> PreparedImage:
        with Image.open(image.path) as opened:
            upright = _on_white(ImageOps.exif_transpose(opened))
        if self._settings.is_resized:
            width, height = fitted_size(upright.width, upright.height, self._settings.side, budget)
            if (width, height) != upright.size:
                upright = upright.resize((width, height), Image.Resampling.BICUBIC)
        self._require_fit(image, upright.width, upright.height, budget)
        return self._cut(_key(digest.encode(), str(budget)), np.asarray(upright))

    def _require_fit(self, image: ImageRef, width: int, height: int, budget: int) -> None:
        """Raise `ImageError` for pictures that can't be cut, or have patches in places that the model doesn't know."""
        side = self._settings.side
        is_whole = width % side == 0 and height % side == 0 and width * height <= budget * side**2
        if not is_whole or max(width, height) > self._settings.places * self._settings.patch:
            raise ImageError(
                "The image has a shape that this model can't see",
                f"{_name(image)} would be {width} × {height} pixels.",
                "Cut it to a shape that is less long, or choose another model.",
            )

    def _cut(self, key: int, pixels: NDArray[np.uint8]) -> PreparedImage:
        """uint8[rows, columns, 3], whole squares, as patches."""
        patch = self._settings.patch
        rows, columns = pixels.shape[0] // patch, pixels.shape[1] // patch
        squares = pixels.reshape(rows, patch, columns, patch, 3).transpose(0, 2, 1, 3, 4)
        places = np.indices((rows, columns), np.int64)[::-1].reshape(2, -1).T
        return PreparedImage(
            key=key,
            tokens=rows * columns // self._settings.pooling**2,
            patches=_SHADES[squares.reshape(rows * columns, -1)],
            positions=np.ascontiguousarray(places),
        )


def fitted_size(width: int, height: int, side: int, budget: int) -> tuple[int, int]:
    """Width and height, multiples of `side`, that keep the shape and fill at most `budget` squares.

    Very long images become one square high, or wide. The formula is `get_aspect_ratio_preserving_size` of
    transformers, whose roundings decide.
    """
    factor = math.sqrt(budget * side**2 / (height * width))
    wide, high = math.floor(factor * width / side), math.floor(factor * height / side)
    if not high:
        high, wide = 1, min(width // height, budget)
    elif not wide:
        wide, high = 1, min(height // width, budget)
    return wide * side, high * side


def _on_white(image: Image.Image) -> Image.Image:
    """The image in RGB; what is transparent lets white shine through."""
    if "A" in image.getbands() or image.info.get("transparency") is not None:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _name(image: ImageRef) -> str:
    return image.name or image.path.name


def _key(contents: bytes, how: str) -> int:
    """Below zero; the same for the same contents, prepared in the same way."""
    digest = hashlib.sha256(contents + b" " + how.encode()).digest()
    return -1 - int.from_bytes(digest[:7], "big")
