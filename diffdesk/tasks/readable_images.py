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
from diffdesk.core.messages import Message
from diffdesk.core.requests import RunRequest
from diffdesk.documents.images import inspect_image, open_image

_UNKNOWN_TO_BACKENDS = frozenset({"HEIC"})


def with_readable_images(request: RunRequest, run: Callable[[RunRequest], Iterator[RunEvent]]) -> Iterator[RunEvent]:
    """The events of `run`, called with the request whose images can be opened until it ends.

    An image that is gone or broken is left to whoever looks at it. Lines that were read from a replaced image are said
    to be of its replacement, which has the same pixels.
    """
    if any(_is_foreign(image.path) for message in request.messages for image in message.images):
        return _with_copies(request, run)
    return run(request)


def _with_copies(request: RunRequest, run: Callable[[RunRequest], Iterator[RunEvent]]) -> Iterator[RunEvent]:
    with tempfile.TemporaryDirectory(prefix="diffdesk-images-") as folder:
        made: dict[Path, Path] = {}
        messages = tuple(_readable(message, Path(folder), made) for message in request.messages)
        lines = tuple(replace(line, image=made.get(line.image, line.image)) for line in request.read_lines)
        yield from run(replace(request, messages=messages, read_lines=lines))


def _readable(message: Message, folder: Path, made: dict[Path, Path]) -> Message:
    images = [replace(image, path=_opened(image.path, folder, made)) for image in message.images]
    return replace(message, images=tuple(images))


def _opened(path: Path, folder: Path, made: dict[Path, Path]) -> Path:
    if path not in made and _is_foreign(path):
        try:
            picture = open_image(path)
        except ImageError:  # sound at its beginning only
            return path
        made[path] = folder / f"{len(made)}.png"
        picture.save(made[path], "PNG", compress_level=1)
    return made.get(path, path)


def _is_foreign(path: Path) -> bool:
    try:
        return inspect_image(path).format in _UNKNOWN_TO_BACKENDS
    except ImageError:
        return False
