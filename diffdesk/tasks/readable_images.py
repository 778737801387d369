"""Gives backends images that they can open themselves: a HEIC photo goes to them as a PNG.

Knows nothing of what is asked about them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from diffdesk.core.errors import ImageError
from diffdesk.core.events import RunEvent
from diffdesk.core.messages import ImageRef, Message
from diffdesk.core.requests import RunRequest
from diffdesk.documents.images import inspect_image, open_image

_UNKNOWN_TO_BACKENDS = frozenset({"HEIC"})


def with_readable_images(request: RunRequest, run: Callable[[RunRequest], Iterator[RunEvent]]) -> Iterator[RunEvent]:
    """The events of `run`, called with the request whose images can be opened until it ends.

    An image that can't be opened at all goes on as it is: whoever needs it says so.
    """
    if any(_is_foreign(image) for message in request.messages for image in message.images):
        return _with_copies(request, run)
    return run(request)


def _with_copies(request: RunRequest, run: Callable[[RunRequest], Iterator[RunEvent]]) -> Iterator[RunEvent]:
    with tempfile.TemporaryDirectory(prefix="diffdesk-images-") as folder:
        messages = tuple(_readable(message, Path(folder)) for message in request.messages)
        yield from run(replace(request, messages=messages))


def _readable(message: Message, folder: Path) -> Message:
    return replace(message, images=tuple(_opened(image, folder) for image in message.images))


def _opened(image: ImageRef, folder: Path) -> ImageRef:
    if not _is_foreign(image):
        return image
    path = folder / f"{len(list(folder.iterdir()))}.png"
    open_image(image.path).save(path, "PNG", compress_level=1)
    return replace(image, path=path)


def _is_foreign(image: ImageRef) -> bool:
    try:
        return inspect_image(image.path).format in _UNKNOWN_TO_BACKENDS
    except ImageError:
        return False
