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
    with tempfile.TemporaryDirectory(prefix="diffdesk-images-") as folder:
        made: dict[Path, Path] = {}
        messages = tuple(_readable(message, Path(folder), made) for message in request.messages)
        lines = tuple(replace(line, image=made.get(line.image, line.image)) for line in request.read_lines)
        yield from run(replace(request, messages=messages, read_lines=lines))


def _readable(message: Message, folder: Path, made: dict[Path, Path]) -> Message:
    images = [replace(image, path=_opened(image.path, folder, made)) for image in message.images]
    return replace(message, images=tuple(images))


def _opened(path: Path, folder: Path, made: dict[Path, Path]) -> Path:
    if path in made:
        return made[path]
    try:
        if inspect_image(path).format not in _UNKNOWN_TO_BACKENDS:
            return path
        picture = open_image(path)
    except ImageError:
        return path
    made[path] = folder / f"{len(made)}.png"
    picture.save(made[path], "PNG", compress_level=1)
    return made[path]
