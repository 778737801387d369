"""Reads the text of one image with rapidocr; runs only in the recogniser's child process.

rapidocr gives boxes, texts and scores; which way up the page is and in what order it is read is decided here and
in `reading_order`. Its models lie inside its package and are named by path, so that it never looks for them on
the network. Knows nothing of pipes and of who asks.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffdesk.core.errors import RecogniserError
from diffdesk.documents.pixels import turned_clockwise, turned_size
from diffdesk.documents.reading_order import Corners, Fragment, Mark, in_reading_order
from diffdesk.documents.recognised_page import RecognisedPage

MAX_SIDE = 4000
"""Larger images are made smaller first; rapidocr itself works on at most 2,000 pixels a side."""

# Measured on 26 scans, photos and receipts: 0.97 and more the right way up, 0.75 and less upside down.
_SURE = 0.85
# A sideways page is turned by rapidocr line by line; reading it again upright may cost it this much.
_SIDEWAYS_ALLOWANCE = 0.8

_DETECTION_MODEL = "PP-OCRv6_det_small.onnx"
_RECOGNITION_MODEL = "PP-OCRv6_rec_small.onnx"

WordResult = tuple[str, float, Sequence[Sequence[float]] | None]


class EngineOutput(Protocol):
    """What rapidocr returns for an image; all None or empty when there is no text."""

    @property
    def boxes(self) -> NDArray[np.float32] | None: ...
    @property
    def txts(self) -> tuple[str, ...] | None: ...
    @property
    def scores(self) -> tuple[float, ...] | None: ...
    @property
    def word_results(self) -> Sequence[Sequence[WordResult]]: ...


class TextEngine(Protocol):
    """The engine of rapidocr: takes an image as BGR bytes of shape (height, width, 3)."""

    def __call__(self, img_content: NDArray[np.uint8]) -> EngineOutput: ...


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one pass over an image gave."""

    fragments: tuple[Fragment, ...]
    turned: int

    @property
    def characters(self) -> int:
        return sum(len(one.mark.text) for one in self.fragments)

    @property
    def quality(self) -> float:
        """Score times length: a wrong way up gives less text, and less certain."""
        return sum(len(one.mark.text) * one.mark.confidence for one in self.fragments)

    @property
    def confidence(self) -> float:
        return self.quality / self.characters if self.characters else 0.0

    @property
    def is_sideways(self) -> bool:
        """Whether most characters stand in boxes that are higher than wide."""
        return 2 * sum(len(one.mark.text) for one in self.fragments if _is_tall(one.mark.corners)) > self.characters


def load_engine() -> TextEngine:
    """The engine; its models are loaded when they are first used.

    Raises:
        RecogniserError: it, or a part of it, is not installed.
    """
    try:
        package = importlib.import_module("rapidocr")
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise not_installed(error) from error
    folder = Path(str(package.__file__)).parent / "models"
    models = {"Det": folder / _DETECTION_MODEL, "Rec": folder / _RECOGNITION_MODEL}
    for model in models.values():
        if not model.is_file():
            raise not_installed(FileNotFoundError(f"{model} is missing"))
    if hasattr(runtime, "disable_telemetry_events"):
        runtime.disable_telemetry_events()
    params = {
        # Its classifier of angles turns upright lines of English over.
        "Global.use_cls": False,
        "Global.log_level": "critical",
        "Global.return_word_box": True,
        **{f"{task}.model_path": str(path) for task, path in models.items()},
    }
    engine = cast("TextEngine", package.RapidOCR(params=params))
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return engine


def not_installed(error: Exception) -> RecogniserError:
    """The error for a recogniser that is missing or incomplete."""
    return RecogniserError(
        "The text recogniser is not installed",
        f"A part of it is missing: {error}.",
        "Install it with: pip install --force-reinstall rapidocr==3.10.0 onnxruntime opencv-python-headless",
    )


def read_page(image: Image.Image, engine: TextEngine) -> RecognisedPage:
    """The text of an upright-by-its-camera RGB image, turned further if its text stands on its head or side.

    Returns:
        The page, with boxes in pixels of the image as it was given, turned clockwise by ``turned`` degrees.
    """
    small = image
    if max(image.size) > MAX_SIDE:
        small = image.copy()
        small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    reading = _best_reading(small, engine)
    seen = turned_size(small.size, reading.turned)
    page = RecognisedPage(*seen, in_reading_order(reading.fragments), reading.turned)
    return page.enlarged(*turned_size(image.size, reading.turned))


def _best_reading(image: Image.Image, engine: TextEngine) -> _Reading:
    first = _read(image, engine, 0)
    if not first.is_sideways:
        if first.confidence >= _SURE:
            return first
        second = _read(image, engine, 180)
        return second if second.quality > first.quality else first
    # rapidocr turns high boxes a quarter against the clock; if that reads well, so must the page be turned.
    second = _read(image, engine, 270 if first.confidence >= _SURE else 90)
    return second if second.quality > _SIDEWAYS_ALLOWANCE * first.quality else first


def _read(image: Image.Image, engine: TextEngine, turned: int) -> _Reading:
    seen = turned_clockwise(image, turned)
    # rapidocr takes arrays as OpenCV orders them: blue, green, red.
    found = engine(np.ascontiguousarray(np.asarray(seen)[:, :, ::-1]))
    if found.boxes is None or found.txts is None or found.scores is None:
        return _Reading((), turned)
    words = list(found.word_results)
    if len(words) != len(found.txts):
        words = [()] * len(found.txts)
    pieces = zip(found.boxes, found.txts, found.scores, words, strict=True)
    return _Reading(tuple(_fragment(*piece) for piece in pieces), turned)


def _fragment(box: NDArray[np.float32], text: str, score: float, words: Sequence[WordResult]) -> Fragment:
    marks = tuple(Mark(word, _corners(corners), float(sure)) for word, sure, corners in words if corners is not None)
    return Fragment(Mark(text, _corners(box.tolist()), float(score)), marks)


def _corners(points: Sequence[Sequence[float]]) -> Corners:
    one, two, three, four = ((float(across), float(down)) for across, down in points)
    return one, two, three, four


def _is_tall(corners: Corners) -> bool:
    across = [point[0] for point in corners]
    down = [point[1] for point in corners]
    return max(down) - min(down) > 1.5 * (max(across) - min(across))
