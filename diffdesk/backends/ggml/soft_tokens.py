"""Images as the soft tokens that stand for them in a prompt; those of the last images are kept.

An image of 280 soft tokens takes a CPU half a minute and more with the full model's vision tower, and a conversation
sends it again with every turn. Knows nothing of prompts.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from diffdesk.backends.ggml.vision import VisionTower
from diffdesk.backends.image_patches import ImageReader, PreparedImage
from diffdesk.backends.prefix import ImagePieces
from diffdesk.core.messages import ImageRef, LinePicture

MOST_KEPT_BYTES = 64 << 20  # of soft tokens; 280 of the full model are 3 MB
MOST_KEPT = 32  # images; pictures of lines are small, and thousands of them come once and never again


class ImageTokens:
    """The images of a model's prompts. Takes over `tower` and closes it."""

    def __init__(self, tower: VisionTower) -> None:
        self._tower = tower
        self._reader = ImageReader(tower.images)
        self._kept: OrderedDict[int, NDArray[np.float32]] = OrderedDict()

    @property
    def most_tokens(self) -> int:
        """Soft tokens that an image becomes at most."""
        return self._tower.images.soft_tokens

    def prepare(self, image: ImageRef | LinePicture) -> PreparedImage:
        """Find an image's size in tokens; raises `ImageError` where it can't be read."""
        return self._reader.prepare(image)

    def features(self, image: ImagePieces) -> NDArray[np.float32]:
        """float32[tokens, hidden] of what `prepare` gave; see `VisionTower.encode` for errors."""
        if not isinstance(image, PreparedImage):
            raise TypeError("an image that was prepared elsewhere")
        if image.key not in self._kept:
            self._kept[image.key] = self._tower.encode(image.patches, image.positions)
        self._kept.move_to_end(image.key)
        while len(self._kept) > MOST_KEPT or (len(self._kept) > 1 and self._bytes() > MOST_KEPT_BYTES):
            self._kept.popitem(last=False)
        return self._kept[image.key]

    def _bytes(self) -> int:
        return sum(one.nbytes for one in self._kept.values())

    def close(self) -> None:
        """Free the memory."""
        self._kept.clear()
        self._tower.close()
