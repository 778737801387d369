"""Reading the text of images, where the model in use can't see: the recogniser's text becomes the draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import ReadLine, ReadWord
from diffdesk.documents.recognised_page import RecognisedPage
from diffdesk.documents.text_recogniser import TextRecogniser


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from the images of a message, in order; `text` is empty if nothing was found.

    The lines are those of the text, with the places where they stand, so that a model can look at them itself.
    """

    text: str
    lines: tuple[ReadLine, ...] = ()


def read_images(
    recogniser: TextRecogniser, images: Sequence[ImageRef], is_cancelled: Callable[[], bool] | None = None
) -> Reading:
    """The text of all images, an empty line between two. Blocks; raises `UserError` or `Cancelled`."""
    texts: list[str] = []
    lines: list[ReadLine] = []
    for image in images:
        page = recogniser.recognise(image.path, is_cancelled)
        lines += lines_of(page, image.path)
        texts.append(page.text)
    return Reading("\n\n".join(text for text in texts if text.strip()), tuple(lines))


def lines_of(page: RecognisedPage, path: Path) -> list[ReadLine]:
    """The lines of a page that was read from the file `path`."""
    return [
        ReadLine(
            text=line.text,
            image=path,
            turned=page.turned,
            box=line.box,
            words=tuple(ReadWord(one.text, one.box[0], one.box[2], one.confidence) for one in line.words),
            confidence=line.confidence,
            slant=line.slant,
        )
        for line in page.lines
        if line.box[0] < line.box[2] and line.box[1] < line.box[3]
    ]


def with_text_of_images(text: str, images: Sequence[ImageRef], reading: Reading) -> str:
    """A chat message for a model that can't see: the text read from the images, then what the user said."""
    names = ", ".join(image.name or image.path.name for image in images)
    body = reading.text or "(no text was found)"
    return f"Text read by a machine from {names}:\n\n{body}\n\n{text}".rstrip()
