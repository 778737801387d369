"""Gives backends images that they can open themselves: a HEIC photo goes to them as a PNG.

Knows nothing of what is asked about them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from diffdesk.core.errors import ImageError
from diffdesk.core.events import RunEvent
from diffdesk.core.requests import RunRequest
from diffdesk.documents.images import inspect_image, open_image

_UNKNOWN_TO_BACKENDS = frozenset({"HEIC"})


def with_readable_images(request: RunRequest, run: Callable[[RunRequest], Iterator[RunEvent]]) -> Iterator[RunEvent]:
    """The events of `run`, called with the request whose images can be opened until it ends.

    An image that is gone or broken is left to whoever looks at it. Lines that were read from a replaced image are said
    to be of its replacement, which has the same pixels.
    """
    photos = {image.path for message in request.messages for image in message.images if _is_unknown(image.path)}
    return _with_pictures(request, photos, run) if photos else run(request)


def _is_unknown(path: Path) -> bool:
    try:
        return inspect_image(path).format in _UNKNOWN_TO_BACKENDS
    except ImageError:
        return False


def _with_pictures(
    request: RunRequest, photos: Collection[Path], run: Callable[[RunRequest], Iterator[RunEvent]]
) -> Iterator[RunEvent]:
    with tempfile.TemporaryDirectory(prefix="diffdesk-images-") as folder:
        made = {path: Path(folder) / f"{number}.png" for number, path in enumerate(photos)}
        for path, picture in made.items():
            open_image(path).save(picture, "PNG", compress_level=1)
        messages = tuple(
            replace(one, images=tuple(replace(image, path=made.get(image.path, image.path)) for image in one.images))
            for one in request.messages
        )
        lines = tuple(replace(line, image=made.get(line.image, line.image)) for line in request.read_lines)
        yield from run(replace(request, messages=messages, read_lines=lines))
