"""What reads the text of images, and the choice between the ways to do it. Knows nothing of settings and windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from diffdesk.documents.recognised_page import RecognisedPage
from diffdesk.documents.recogniser_names import RecogniserName
from diffdesk.documents.tesseract import Tesseract, find_tesseract


class TextRecogniser(Protocol):
    """Reads images; its calls block and are made from a pool thread."""

    def recognise(self, path: Path, cancelled: Callable[[], bool] | None = None) -> RecognisedPage:
        """The text of an image file; raises `UserError` or `Cancelled`."""
        ...

    def close(self) -> None:
        """Ends what runs: every call that waits raises `Cancelled`, and so does every later one."""
        ...


def choose_recogniser(name: RecogniserName, own: TextRecogniser, language: str = "") -> TextRecogniser:
    """The recogniser of that name, ready to be used.

    Args:
        name: the user's choice.
        own: the one that comes with the program, which is shared with others.
        language: that Tesseract is to read, ``eng`` or ``eng+deu``; empty: English, or what it has.

    Raises:
        RecogniserError: the other one can't be used here; with a remedy.
    """
    return Tesseract(find_tesseract(), language) if name is RecogniserName.TESSERACT else own
