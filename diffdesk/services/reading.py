"""Reading the text of images, where the model in use can't see: the recogniser's text becomes the draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diffdesk.core.messages import ImageRef
from diffdesk.documents.recogniser import Recogniser


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from the images of a message, in order; `text` is empty if nothing was found."""

    text: str
    lines: int


def read_images(
    recogniser: Recogniser, images: Sequence[ImageRef], is_cancelled: Callable[[], bool] | None = None
) -> Reading:
    """The text of all images, an empty line between two. Blocks; raises `UserError` or `Cancelled`."""
    texts: list[str] = []
    lines = 0
    for image in images:
        page = recogniser.recognise(image.path, is_cancelled)
        lines += len(page.lines)
        texts.append(page.text)
    return Reading("\n\n".join(text for text in texts if text.strip()), lines)


def with_text_of_images(text: str, images: Sequence[ImageRef], reading: Reading) -> str:
    """A chat message for a model that can't see: the text read from the images, then what the user said."""
    names = ", ".join(image.name or image.path.name for image in images)
    body = reading.text or "(no text was found)"
    return f"Text read by a machine from {names}:\n\n{body}\n\n{text}".rstrip()
