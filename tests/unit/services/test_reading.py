"""What was read from images keeps the places of its lines on the way to a request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from diffdesk.core.messages import ImageRef
from diffdesk.core.requests import ReadWord
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord
from diffdesk.documents.recogniser import Recogniser
from diffdesk.services.reading import read_images


class _Recogniser:
    """Knows its pages by heart."""

    def __init__(self, pages: dict[str, RecognisedPage]) -> None:
        self._pages = pages

    def recognise(self, path: Path, cancelled: Callable[[], bool] | None = None) -> RecognisedPage:
        return self._pages[path.name]


def line(text: str, box: tuple[int, int, int, int], block: int = 0) -> RecognisedLine:
    return RecognisedLine(text, box, 0.5, (RecognisedWord(text, box, 0.75),), block)


def test_lines_keep_their_places_pages_and_confidence() -> None:
    pages = {
        "one.png": RecognisedPage(90, 90, (line("first", (1, 2, 30, 20)), line("second", (1, 22, 40, 40), 1)), 90),
        "none.png": RecognisedPage(90, 90, ()),
        "two.png": RecognisedPage(90, 90, (line("third", (5, 5, 9, 9)), line("flat", (5, 5, 9, 5)))),
    }
    images = [ImageRef(Path("kept") / name) for name in pages]
    reading = read_images(cast("Recogniser", _Recogniser(pages)), images)
    assert reading.text == "first\n\nsecond\n\nthird\nflat"
    assert [one.text for one in reading.lines] == ["first", "second", "third"], "a line without height has no picture"
    first = reading.lines[0]
    assert (first.image, first.turned, first.box, first.confidence) == (Path("kept/one.png"), 90, (1, 2, 30, 20), 0.5)
    assert first.words == (ReadWord("first", 1, 30, 0.75),)
    assert reading.lines[2].image == Path("kept/two.png")
