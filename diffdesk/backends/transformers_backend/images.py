"""Images for the model: opened, prepared as the model's folder says, and known again by their contents.

The files were checked when they came into the program; here they are only opened. The picture of a line comes in
memory and is taken as it is, one token for each square. Knows nothing of prompts.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from diffdesk.core.errors import ImageError
from diffdesk.core.messages import ImageRef, LinePicture

STILL_TOKENS = 280  # soft tokens at most for an image, Gemma 4's default
FRAME_TOKENS = 70  # for one of several frames of a video, and for a line
MOST_KEPT = 8  # prepared images; 280 soft tokens are 8 MB


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image as the vision tower takes it.

    Attributes:
        key: negative, the same for the same contents and budget only.
        tokens: soft tokens it becomes.
        pixels: float32[1, P, 3·patch²], padded to the budget; those of a line are not padded.
        positions: int64[1, P, 2], the patches' columns and rows, −1 for padding.
    """

    key: int
    tokens: int
    pixels: Tensor
    positions: Tensor


class ImageReader:
    """Prepares images with the processor of the model's folder and keeps the last few."""

    def __init__(self, processor: Gemma4ImageProcessorPil) -> None:
        self._processor = processor
        self._kept: OrderedDict[tuple[str, int], PreparedImage] = OrderedDict()
        self._digests: dict[tuple[Path, int, int], str] = {}

    def prepare(self, image: ImageRef | LinePicture) -> PreparedImage:
        """The image as tensors; raises `ImageError` where it can't be read."""
        if isinstance(image, LinePicture):
            return self._prepare_line(image)
        budget = FRAME_TOKENS if image.is_frame else STILL_TOKENS
        try:
            where = (self._digest(image.path), budget)
            if where not in self._kept:
                self._kept[where] = self._prepare(image.path, *where)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ImageError(
                "The image can't be read",
                f"{image.name or image.path.name}: {error}.",
                "Remove it from the message, or save it again as PNG or JPEG.",
            ) from error
        self._kept.move_to_end(where)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[where]

    def _prepare_line(self, picture: LinePicture) -> PreparedImage:
        grey = Image.fromarray(picture.pixels).convert("RGB")
        made = self._processor(grey, do_resize=False, max_soft_tokens=FRAME_TOKENS, return_tensors="pt")
        tokens = int(made["num_soft_tokens_per_image"][0])
        if tokens != picture.cells:
            raise ImageError(
                "This model can't read lines",
                f"It makes {tokens} tokens of a picture of {picture.cells} squares.",
                "Choose the starter model, or send the text alone.",
            )
        patches = tokens * self._processor.pooling_kernel_size**2
        return PreparedImage(
            key=_key(picture.pixels.tobytes(), f"line {tokens}"),
            tokens=tokens,
            pixels=made["pixel_values"][:, :patches].to(torch.float32),
            positions=made["image_position_ids"][:, :patches],
        )

    def _digest(self, path: Path) -> str:
        """SHA-256 of the file, read again only when its time or size has changed."""
        state = path.stat()
        known = (path, state.st_mtime_ns, state.st_size)
        if known not in self._digests:
            self._digests[known] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[known]

    def _prepare(self, path: Path, digest: str, budget: int) -> PreparedImage:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
        made = self._processor(upright, max_soft_tokens=budget, return_tensors="pt")
        return PreparedImage(
            key=_key(digest.encode(), str(budget)),
            tokens=int(made["num_soft_tokens_per_image"][0]),
            pixels=made["pixel_values"].to(torch.float32),
            positions=made["image_position_ids"],
        )


def _key(contents: bytes, how: str) -> int:
    """Below zero; the same for the same contents, prepared in the same way."""
    digest = hashlib.sha256(contents + b" " + how.encode()).digest()
    return -1 - int.from_bytes(digest[:7], "big")


def read_processor(folder: Path) -> Gemma4ImageProcessorPil:
    """The image processor that the folder describes, in the kind that needs neither torchvision nor the network."""
    return Gemma4ImageProcessorPil.from_pretrained(str(folder), local_files_only=True)
