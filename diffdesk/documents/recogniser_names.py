"""The ways to read the text of images; a module of its own, so that a menu need not load the image library."""

from __future__ import annotations

from enum import StrEnum


class RecogniserName(StrEnum):
    """What reads the text of images."""

    RAPIDOCR = "rapidocr"  # comes with the program
    TESSERACT = "tesseract"  # only where the user has installed it
